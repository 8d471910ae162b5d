/* A recording of the test's own process, in a folder of the test's own. */
#ifndef LEAKSPY_TESTS_RECORDING_HERE_H
#define LEAKSPY_TESTS_RECORDING_HERE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdbool.h>
#include <cmocka.h>

#include "preload/recorder.h"

#define HERE_TASKS 1000 /* what recordings of the tests have room for */

/* For whole programs: makes the folder and opens libunwind; removes the folder. */
int here_start(void **state);
int here_stop(void **state);

/* For single tests: opens a recording, and leaves it. */
int here_open(void **state);
int here_close(void **state);

/* Sets all options: HERE_TASKS tasks, and LEAKSPY_OUT as given (NULL: the user's folder). */
void here_options(const char *out);

/* The path of a file in the test's folder. Valid until it is asked again. */
const char *here_path(const char *name);

/* Runs a function in a child process. Returns its exit status, or 128 + the signal that ended it.
 */
int here_in_child(void (*function)(void));

/* For functions in child processes, where assertions of CMocka cannot be used: they would go on
 * with the tests of the parent. Says both values and ends the child. */
#define CHECK_INT(actual, expected)                                                                \
    here_check_int((long long)(actual), (long long)(expected), #actual, __FILE__, __LINE__)
#define CHECK_STRING(actual, expected)                                                             \
    here_check_string(actual, expected, #actual, __FILE__, __LINE__)
void here_check_int(long long actual, long long expected, const char *what, const char *file,
                    int line);
void here_check_string(const char *actual, const char *expected, const char *what, const char *file,
                       int line);
enum { HERE_CHILD_FINE = 0, HERE_CHILD_CHECK_FAILED = 99, HERE_CHILD_SKIPS = 77 };

/* What threads of a test return: a sentence, or NULL. Fails with it. */
static inline void *here_complaint(const char *sentence)
{
    return (void *)(uintptr_t)sentence;
}
static inline void here_assert_none(const void *complaint)
{
    if (complaint != NULL)
        fail_msg("%s", (const char *)complaint);
}

/* In a child: file systems mounted from here on are its own. Ends the child as skipped where that
 * is not permitted. */
void here_own_mounts(void);

/* Mounts a new tmpfs with `options` ("size=64k") for the calling child. */
void here_mount_tmpfs(const char *path, const char *options);

#endif
