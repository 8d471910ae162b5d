/* What a wait really is, from the functions on its stack.
 *
 * Many runtimes park their threads by a futex or a condition variable: the call that was
 * intercepted says "futex wait" where the programmer wrote a channel's receive. A table of function
 * names says better, and knows which waits are a runtime's own idle workers. The table is
 * op_table.c, its language is described in op_table.h.
 */
#ifndef LEAKSPY_ANALYZER_NAMING_OP_RULES_H
#define LEAKSPY_ANALYZER_NAMING_OP_RULES_H

#include <stdbool.h>
#include <stddef.h>

/* A frame of a wait stack. */
struct op_frame {
    const char *function; /* demangled name; NULL: not known */
    const char *file;     /* base name of the file that it is in; NULL: not known */
};

struct op_name {
    const char *op;           /* the op to show; never NULL unless op_text was */
    const char *idle_because; /* NULL, or why this wait is expected, as a clause for a sentence:
                                 "a worker of libtaskrt without a task to run" */
    bool for_answer;          /* it is for one answer, also where it polls */
};

/* Name the op of a wait.
 *
 * op_text: the op as it was recorded ("futex wait", "cond wait", …), or a runtime's wait reason.
 * frames: the wait stack, innermost first, inlined calls included. count: how many.
 *
 * Returns the op of the first rule that fits, else op_text, and whether the wait is an idle one.
 * The strings live as long as the program, or as op_text. Pure; any thread. */
struct op_name op_rules_apply(const char *op_text, const struct op_frame *frames, size_t count);

/* Why a thread that ended may be unjoined while it is the only one of its kind, by the stack that
 * started it; NULL: for no reason that is known. */
const char *op_rules_joined_later(const struct op_frame *frames, size_t count);

#endif
