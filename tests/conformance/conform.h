/* `conformance FAMILY`: calls what libleakspy.so intercepts in every way that it may be called, and
 * prints one line a row: "FUNCTION, what: result, errno, what it left". A line depends on nothing
 * but the C library and the kernel, so that a run with the preload must print what a run without
 * prints. A row that crashes or hangs is a line as well. Rows that can leave something behind run
 * in a process each; of the others, each process runs many, and a new one goes on where a row ended
 * it. With LEAKSPY_CONFORMANCE=alone in the environment each row has a process for itself.
 *
 * A family is a function over all its rows. It is called once to learn which there are, and once
 * more in each process, where only its rows begin:
 *
 *     ROW(read, "of nothing") LIBC(read(-1, bytes, 0));
 */
#ifndef LEAKSPY_CONFORM_H
#define LEAKSPY_CONFORM_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <time.h>

#include "tests/e2e/check.h"
#include "tests/e2e/threads.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

struct rows;

typedef void family_fn(struct rows *rows);
family_fn family_life, family_locks, family_shared, family_pointers, family_calls, family_contexts,
    family_errors;

/* Puts back what rows of the family have changed, so that another one can follow in the process;
 * descriptors, children and signals are put back by who calls it. */
void renew_locks(void), renew_pointers(void), renew_calls(void), renew_errors(void);

/* Rows from here on have a process each, or no more. */
void rows_alone(struct rows *rows, bool alone);

/* Does this row run now? `what` is a format. */
bool row_begins(struct rows *rows, const char *function, const char *what, ...)
    __attribute__((format(printf, 3, 4)));

#define ROW(function, ...) if (row_begins(rows, #function, __VA_ARGS__))

/* Adds to the line of the row that runs; also from processes that it started. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What a function of libc's, and one that returns an error, came back with; classes for what is
 * different in every run. */
void say_result(long result, int error);
void say_error(int error);
void say_seconds(struct timespec time);

#define LIBC(...)                                                                                  \
    do {                                                                                           \
        errno = 0;                                                                                 \
        long result_ = (long)(__VA_ARGS__);                                                        \
        say_result(result_, errno);                                                                \
    } while (0)
#define POSIX(...)                                                                                 \
    do {                                                                                           \
        errno = 0;                                                                                 \
        int error_ = (__VA_ARGS__);                                                                \
        say_error(error_);                                                                         \
        if (errno != 0)                                                                            \
            say("errno %s", strerrorname_np(errno));                                               \
    } while (0)
const char *strerrorname_np(int error);

/* Becomes this program again as `conformance MODE ARGUMENT`, in whose line it goes on saying. */
_Noreturn void run_again(const char *mode, const char *argument);

/* A mode of the program for itself (see run_again); returns the status to end with. */
int mode_partner(const char *argument);
int mode_context(const char *argument);

/* Goes on in the line of the row that executed this program; in constructors, too. */
void find_line(void);

void sleep_ms(int ms);

/* Waits until a thread of this process is there no more, not even for who joins it. */
void await_gone(pid_t tid);

/* Waits until a thread, also of a child, is blocked in a system call, or *ended (NULL: only that).
 * What has woken it before makes it no more blocked. */
void await_blocked(pid_t tid, const atomic_int *ended);

/* An hour from now, by the clock. */
struct timespec in_an_hour(clockid_t clock);

#endif
