/* The first stack of a program: argc, argv, NULL, the environment, NULL, the vector that NT_AUXV
 * repeats (System V ABI, AMD64, figure 3.9). The vector is looked for. */
#include "analyzer/core/words.h"

#include <stdlib.h>
#include <string.h>

#define STACK_BYTES (1 << 20) /* of its end: more than most arguments and environments need */
#define MAX_WORDS 4096
#define WORD_BYTES 4096

/* The stack that the program began with. Where the core does not say, that which its first thread
 * is on, unless that is one for signals, or of a goroutine. */
static const struct core_range *find_stack(const struct core_file *core)
{
    if (core->in_stack)
        return core_file_range(core, core->in_stack);
    for (size_t i = 0; i < core->thread_count; i++) {
        if (core->threads[i].tid == core->pid)
            return core_file_range(core, core->threads[i].user[USER_RSP]);
    }
    return NULL;
}

/* Where argv[0] stands in `words`, the end of the stack, and how many follow; 0: not found. */
static size_t find_arguments(const struct core_file *core, const uint64_t *words, size_t count,
                             size_t *ret_first)
{
    size_t at = count;
    while (at >= 2 && !(words[at - 2] == core->vector[0] && words[at - 1] == core->vector[1]))
        at--;
    if (at < 2 || core->vector[0] == 0)
        return 0;
    size_t end = at - 2;
    if (end == 0 || words[--end] != 0) /* behind the environment */
        return 0;
    while (end > 0 && words[end - 1] != 0)
        end--;
    if (end == 0)
        return 0;
    end--; /* behind the arguments */
    for (size_t arguments = 1; arguments < end && arguments <= MAX_WORDS; arguments++) {
        if (words[end - arguments - 1] == arguments) {
            *ret_first = end - arguments;
            return arguments;
        }
    }
    return 0;
}

static char *read_word(struct mem_reader *memory, uint64_t address)
{
    char text[WORD_BYTES];
    size_t bytes = sizeof(text) - 1;
    while (bytes > 0 && !mem_read(memory, address, text, bytes))
        bytes /= 2; /* it may stand at the end of what there is */
    text[bytes] = '\0';
    return strdup(text);
}

/* As the kernel noted them: one text, in which blanks stand between the words. */
static bool split(const char *text, char **words)
{
    size_t count = 0;
    for (const char *at = text + strspn(text, " "); *at; at += strspn(at, " ")) {
        size_t bytes = strcspn(at, " ");
        words[count] = strndup(at, bytes);
        if (!words[count++])
            return false;
        at += bytes;
    }
    return true;
}

char **core_words(const struct core_file *core, struct mem_reader *memory)
{
    char **words = calloc(MAX_WORDS + 1, sizeof(*words));
    const struct core_range *stack = find_stack(core);
    uint64_t bytes = 0;
    if (stack)
        bytes = stack->end - stack->start < STACK_BYTES ? stack->end - stack->start : STACK_BYTES;
    bytes -= bytes % sizeof(uint64_t);
    uint64_t *copy = malloc(bytes + sizeof(*copy));
    bool ok = words && copy;
    size_t first = 0, count = 0;
    if (ok && bytes && mem_read(memory, stack->end - bytes, copy, bytes))
        count = find_arguments(core, copy, bytes / sizeof(*copy), &first);
    for (size_t i = 0; ok && i < count; i++)
        ok = (words[i] = read_word(memory, copy[first + i])) != NULL;
    if (ok && count == 0)
        ok = split(core->arguments, words);
    free(copy);
    if (ok)
        return words;
    for (size_t i = 0; words && words[i]; i++)
        free(words[i]);
    free(words);
    return NULL;
}
