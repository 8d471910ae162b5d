/* A stack is read from its innermost frame outwards, through frames of libraries that are known to
 * wait on behalf of others, up to the first frame that no row knows: that is the program's own
 * code, and what it called, the outermost row with an op, is what the programmer wrote. */
#include "analyzer/naming/op_rules.h"

#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "analyzer/naming/op_table.h"

/* Of longer names only the beginning is compared. */
#define NAME_BYTES 512
#define IN_FILE_BYTES (64 + NAME_BYTES)

#define PART_BYTES 128 /* of one part of a pattern with others */

/* The ops that say how a task waits rather than what for; only these get another name. So a
 * channel's receive keeps its name in a future of which the code was inlined into `block_on`. */
static bool may_be_renamed(const char *op)
{
    static const char *const mechanisms[] = {"futex wait", "cond wait", "sem wait", "thread park",
                                             "future wait"};
    for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++)
        if (strcmp(op, mechanisms[i]) == 0)
            return true;
    return false;
}

/* Copy a name without its generic arguments, cut to what fits in NAME_BYTES bytes. */
static void name_without_generics(const char *name, char *ret)
{
    char *to = ret;
    char *const end = ret + NAME_BYTES - 1;
    /* Characters are kept at the depth `kept`: 1 in the "<X as Trait>" that a name may begin with.
     */
    int kept = name[0] == '<' ? 1 : 0;
    int depth = kept;
    bool in_trait = false;
    for (const char *from = name + kept; *from != '\0' && to < end; from++) {
        bool arrow = *from == '>' && from != name && (from[-1] == '-' || from[-1] == '=');
        if (*from == '<') {
            if (depth++ == kept && to - ret >= 2 && memcmp(to - 2, "::", 2) == 0)
                to -= 2; /* "with::<F>" */
        } else if (*from == '>' && !arrow && depth > kept) {
            depth--;
        } else if (*from == '>' && !arrow && kept == 1) {
            kept = depth = 0;
            in_trait = false;
        } else if (depth == kept) {
            in_trait = in_trait || (kept == 1 && strncmp(from, " as ", 4) == 0);
            if (!in_trait)
                *to++ = *from;
        }
    }
    *to = '\0';
}

static bool fits(const char *pattern, const char *text)
{
    return fnmatch(pattern, text, FNM_EXTMATCH | FNM_NOESCAPE) == 0;
}

static bool asks_for_file(const char *pattern)
{
    const char *mark = strchr(pattern, '!');
    return mark != NULL && mark[1] != '('; /* "!(" is fnmatch's */
}

/* Write "FILE!FUNCTION", with nothing in the place of what is not known. */
static void put_in_file(const char *file, const char *function, char ret[IN_FILE_BYTES])
{
    snprintf(ret, IN_FILE_BYTES, "%.60s!%.*s", file ? file : "", NAME_BYTES - 1,
             function ? function : "");
}

/* A frame of a stack. */
struct place {
    const struct op_frame *frames;
    size_t count, at;
};

/* The part of a pattern up to the next OP_RULE_AND: in `part`, if others follow, to which *ret_rest
 * points then. */
static const char *first_part(const char *pattern, char part[PART_BYTES], const char **ret_rest)
{
    const char *mark = strstr(pattern, OP_RULE_AND);
    *ret_rest = mark ? mark + strlen(OP_RULE_AND) : NULL;
    if (!mark)
        return pattern;
    snprintf(part, PART_BYTES, "%.*s", (int)(mark - pattern), pattern);
    return part;
}

static bool has_function(const struct place *place, const char *pattern)
{
    for (size_t i = 0; i < place->count; i++)
        if (place->frames[i].function != NULL && fits(pattern, place->frames[i].function))
            return true;
    return false;
}

/* Whether there is a function for each part of a pattern; NULL has none. */
static bool has_functions(const struct place *place, const char *rest)
{
    char part[PART_BYTES];
    while (rest != NULL) {
        const char *pattern = first_part(rest, part, &rest);
        if (!has_function(place, pattern))
            return false;
    }
    return true;
}

/* The first row for a frame; NULL: none. */
static const struct op_rule *find_rule(const struct place *place, const char *op_text, bool reached)
{
    const struct op_frame *frame = &place->frames[place->at];
    char part[PART_BYTES];
    char plain[NAME_BYTES];
    char whole[NAME_BYTES];
    char in_file[IN_FILE_BYTES];
    const char *function = frame->function ? frame->function : "";
    name_without_generics(function, plain);
    put_in_file(frame->file, plain, in_file);
    size_t bytes = strnlen(function, NAME_BYTES - 1);
    memcpy(whole, function, bytes);
    whole[bytes] = '\0';
    for (size_t i = 0; i < op_rule_count; i++) {
        const struct op_rule *rule = &op_rules[i];
        const char *others;
        if (!reached && !rule->anywhere)
            continue;
        const char *pattern = first_part(rule->function, part, &others);
        const char *text = asks_for_file(pattern)         ? in_file
                           : strchr(pattern, '<') != NULL ? whole
                                                          : plain;
        if (fits(pattern, text) && (rule->only == NULL || fits(rule->only, op_text)) &&
            has_functions(place, others))
            return rule;
    }
    return NULL;
}

/* The file of the next frame with a name, from the frame `at` on, in steps of `step`. */
static const char *named_file(const struct op_frame *frames, size_t count, size_t at, size_t step)
{
    for (; at < count; at += step) /* below 0 it is above any count */
        if (frames[at].function != NULL)
            return frames[at].file;
    return NULL;
}

static bool same_file(const char *one, const char *other)
{
    return one != NULL && other != NULL && strcmp(one, other) == 0;
}

static bool is_c_library(const char *file)
{
    return file != NULL && fits("@(libc.so.*|libc-*.so|libpthread*)", file);
}

/* Whether the frame `at`, which has no name, is one that waits on behalf of those around it. */
static bool is_step(const struct op_frame *frames, size_t count, size_t at)
{
    const char *file = frames[at].file;
    return is_c_library(file) || same_file(file, named_file(frames, count, at, (size_t)-1)) ||
           same_file(file, named_file(frames, count, at, 1));
}

/* Whether a thread began in the C library, as each does, and all other frames fit the pattern. */
static bool is_own_thread(const char *pattern, const struct op_frame *frames, size_t count)
{
    char in_file[IN_FILE_BYTES];
    size_t own = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_c_library(frames[i].file))
            continue;
        put_in_file(frames[i].file, frames[i].function, in_file);
        if (!fits(pattern, in_file))
            return false;
        own++;
    }
    return own > 0 && is_c_library(frames[count - 1].file);
}

static const char *own_thread_idle(const char *op_text, const struct op_frame *frames, size_t count)
{
    for (size_t i = 0; i < op_own_thread_count; i++)
        if (strcmp(op_text, op_own_threads[i].only) == 0 &&
            is_own_thread(op_own_threads[i].frames, frames, count))
            return op_own_threads[i].idle;
    return NULL;
}

struct op_name op_rules_apply(const char *op_text, const struct op_frame *frames, size_t count)
{
    struct op_name name = {.op = op_text};
    if (op_text == NULL)
        return name;
    bool reached = true;
    for (size_t i = 0; i < count; i++) {
        const struct op_rule *rule = find_rule(&(struct place){frames, count, i}, name.op, reached);
        if (rule == NULL) {
            reached = reached && !frames[i].function && is_step(frames, count, i);
            continue;
        }
        if (reached && rule->op != NULL && may_be_renamed(name.op))
            name.op = rule->op;
        if (rule->idle == op_for_an_answer) {
            name.idle_because = NULL;
            name.for_answer = true;
            reached = false;
        } else if (rule->idle != NULL && name.idle_because == NULL) {
            name.idle_because = rule->idle;
        }
    }
    if (name.idle_because == NULL)
        name.idle_because = own_thread_idle(op_text, frames, count);
    return name;
}

const char *op_rules_joined_later(const struct op_frame *frames, size_t count)
{
    char plain[NAME_BYTES];
    for (size_t i = 0; i < count; i++) {
        if (frames[i].function == NULL)
            continue;
        name_without_generics(frames[i].function, plain);
        for (size_t row = 0; row < op_joined_later_count; row++)
            if (fits(op_joined_later[row].function, plain))
                return op_joined_later[row].because;
    }
    return NULL;
}
