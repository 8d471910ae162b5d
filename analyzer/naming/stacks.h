/* Sites as stacks of named frames: where a snapshot meets its symbols. */
#ifndef LEAKSPY_ANALYZER_NAMING_STACKS_H
#define LEAKSPY_ANALYZER_NAMING_STACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/snapshot/snapshot.h"

struct frame {
    uint64_t pc;                 /* a return address: the call is at pc - 1 */
    uint64_t offset;             /* pc in the numbering of the module's file */
    const char *function, *file; /* NULL: not known */
    int line;                    /* 0: not known */
    bool inlined;
    const struct snapshot_module *module; /* NULL: in no file */
};

/* Innermost frame first. Frames of libleakspy.so are left out, and those of wrappers that Go's own
 * tracebacks leave out, unless there is nothing else. */
struct stack {
    const struct frame *frames;
    size_t count;
    uint16_t flags; /* enum rec_site_flag */
};

struct stacks;

/* `snapshot` has to outlive it. NULL: no memory. */
struct stacks *stacks_create(const struct snapshot *snapshot);
void stacks_destroy(struct stacks *stacks);

/* The stack of a site, worked out once. 0, and a site without rows, is the empty stack; so is one
 * that there is no memory for. Never NULL; lives as long as `stacks`. */
const struct stack *stacks_get(struct stacks *stacks, uint32_t site);

/* Frames that a person looks at first: what is left without the runtime's own frames at the inner
 * and at the outer end (libc, libgo, libtaskrt, the standard libraries). When nothing is left, all.
 */
struct stack stack_user_part(const struct stack *stack);

/* Why files and lines are missing: calls visit(path, note, arg) for each module that stood in a
 * stack so far and has such a note. */
void stacks_notes(struct stacks *stacks,
                  void (*visit)(const char *path, const char *note, void *arg), void *arg);

#endif
