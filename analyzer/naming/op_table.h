/* The tables of op_rules.c.
 *
 * The language of a pattern is that of fnmatch(3) with FNM_EXTMATCH: `*`, `?`, `[abc]`,
 * `@(one|other)`, `!(none|of|these)`. A pattern is compared with the function's name after its
 * generic arguments were taken away, so that one row fits what legacy and v0 mangling of Rust and
 * what C++ make of a generic function:
 *
 *     <std::sync::mpmc::list::Channel<i32>>::recv::{closure#1}     (Rust, v0)
 *     std::sync::mpmc::list::Channel<T>::recv::{{closure}}         (Rust, legacy)
 *     std::sync::mpmc::list::Channel::recv::{closure#1}            what is compared
 *     <X as Trait>::method   is   X::method
 *
 * A pattern with a `<` in it is compared with the whole name. "FILE!FUNCTION" asks for the file,
 * too, where any program may have a function of that name. "FILE!" stands for a frame whose file is
 * all that is known of it. Such frames, the static functions of stripped files, are stepped over
 * where they are in the file of the next frame with a name, inwards or outwards, or in the C
 * library; elsewhere they may be the program's own code, which nobody knows.
 *
 * "FUNCTION & OTHER & ..." asks for other functions, too, anywhere in the same stack. A program may
 * have a function of any name, also one of C++, whose name here tells no parameters: so a row that
 * makes a wait expected, or a step towards one that does, names a file or a second function where
 * the function's own name has no prefix, namespace or package that is the library's alone.
 */
#ifndef LEAKSPY_ANALYZER_NAMING_OP_TABLE_H
#define LEAKSPY_ANALYZER_NAMING_OP_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#define OP_RULE_AND " & "

struct op_rule {
    const char *function; /* pattern */
    const char *op;   /* what the wait is called; NULL: a step on the way out, no name of its own */
    const char *idle; /* why the wait is expected; NULL: it is not */
    const char *only; /* pattern: applies to waits that are called this so far; NULL: to all */
    bool anywhere;    /* on any frame; else only on those reached through frames of this table */
};

/* A step that makes a wait no expected one: it is for one answer, which rows of inner frames and
 * the call, a poll, do not know. As `idle` of a row; compared by its address. */
extern const char op_for_an_answer[];

/* The first row that fits a frame counts. */
extern const struct op_rule op_rules[];
extern const size_t op_rule_count;

/* Threads that libraries start for themselves. Where nothing of the program is on such a thread's
 * stack, from the wait to where the thread began, it runs none of the program's work, and waits for
 * some. That is told of stripped files, too. A function of the program whose last act is a call of
 * the library may be gone from the stack; so the functions that end one (g_async_queue_pop) do not
 * fit. None ends with g_cond_wait, after which there is a mutex to unlock. */
struct op_own_thread {
    const char *frames; /* pattern, FILE!FUNCTION, for each frame that is not the C library's */
    const char *only;   /* the op as it was recorded */
    const char *idle;
};

extern const struct op_own_thread op_own_threads[];
extern const size_t op_own_thread_count;

/* Threads that a library joins one behind the other: the last one that ended when the next one
 * does. So one of them stays unjoined for as long as no other ends. */
struct op_joined_later {
    const char *function; /* pattern, without generic arguments: one on the stack that started it */
    const char *because;
};

extern const struct op_joined_later op_joined_later[];
extern const size_t op_joined_later_count;

#endif
