#include "analyzer/inspect/thread_inner.h"

#include <string.h>

#define MAX_CODE_BYTES 8192 /* bytes of a function that are looked at */

bool thread_inner_init(struct thread_inner *inner)
{
    memset(inner, 0, sizeof(*inner));
    return table_init(&inner->of_start, 64);
}

void thread_inner_deinit(struct thread_inner *inner)
{
    table_deinit(&inner->of_start);
}

/* Notes that `function` goes to the function at `target`, if one without a name begins there. */
static void note(struct thread_inner *inner, const struct debug_names *names,
                 const struct thread_function *function, uint64_t target)
{
    uint64_t start;
    if (!debug_names_begin(names, target, &start) || start != target ||
        debug_names_function(names, target, &start))
        return;
    uint32_t *number = inner->count < THREAD_INNER_MAX_BYTES
                           ? table_at(&inner->of_start, (struct table_key){target, 1})
                           : NULL;
    if (!number)
        return;
    if (*number == 0) {
        inner->functions[inner->count] = function;
        *number = ++inner->count;
        return;
    }
    const struct thread_function **known = &inner->functions[*number - 1];
    if (*known && (*known)->op != function->op)
        *known = NULL;
    else if (*known && strlen(function->name) < strlen((*known)->name))
        *known = function;
}

/* Where the bytes at `at` may go: call, jmp, or a conditional jump, all by a distance of 32 bits.
 * What is in the middle of an instruction, and looks so, hardly ever hits the beginning of a
 * function. */
static bool goes_to(const unsigned char *code, size_t bytes, size_t at, uint64_t address,
                    uint64_t *ret)
{
    size_t opcode = 0;
    if (code[at] == 0xe8 || code[at] == 0xe9)
        opcode = 1;
    else if (code[at] == 0x0f && at + 1 < bytes && (code[at + 1] & 0xf0) == 0x80)
        opcode = 2;
    int32_t distance;
    if (opcode == 0 || bytes - at < opcode + sizeof(distance))
        return false;
    memcpy(&distance, code + at + opcode, sizeof(distance));
    *ret = address + at + opcode + sizeof(distance) + (uint64_t)(int64_t)distance;
    return true;
}

static void look(struct thread_inner *inner, const struct debug_names *names,
                 struct mem_reader *memory, uint64_t bias)
{
    unsigned char code[MAX_CODE_BYTES];
    uint64_t start, bytes, target;
    const char *name;
    inner->looked = true;
    for (size_t at = 0; (name = debug_names_next(names, &at, &start, &bytes)) != NULL;) {
        const struct thread_function *function = thread_function_find(name);
        if (!function || function->op == REC_OP_NONE)
            continue;
        size_t size = bytes < sizeof(code) ? (size_t)bytes : sizeof(code);
        if (size == 0 || !mem_read(memory, start + bias, code, size))
            continue;
        for (size_t i = 0; i < size; i++) {
            if (goes_to(code, size, i, start, &target))
                note(inner, names, function, target);
        }
    }
}

const struct thread_function *thread_inner_find(struct thread_inner *inner,
                                                const struct debug_names *names,
                                                struct mem_reader *memory, uint64_t bias,
                                                uint64_t address)
{
    uint64_t start;
    if (!inner->looked)
        look(inner, names, memory, bias);
    if (!debug_names_begin(names, address, &start))
        return NULL;
    const uint32_t *number = table_find(&inner->of_start, (struct table_key){start, 1});
    return number ? inner->functions[*number - 1] : NULL;
}
