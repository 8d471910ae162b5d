/* What the end-to-end tests share: programs started with and without the preload, reports on them,
 * and assertions in the words of the report.
 *
 * Nothing here sleeps for a fixed time: what has to become true is looked at until it is, for at
 * most PATIENCE_MS. A failure prints what was seen and fails the running CMocka test.
 */
#ifndef LEAKSPY_E2E_HARNESS_H
#define LEAKSPY_E2E_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <cmocka.h>
#include <jansson.h>

enum { PATIENCE_MS = 60000, LONG_TEXT = 4096 };

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* A list of strings for argv and env parameters. */
#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

/* How a program ended, and what it said. */
struct outcome {
    char *out;  /* owned */
    char *err;  /* owned */
    int status; /* of waitpid */
};

void outcome_deinit(struct outcome *outcome);

/* A running program with a folder of its own. */
struct target {
    pid_t pid;         /* 0: ended and waited for */
    char pid_text[16]; /* for command lines; stays what it was */
    int stdin_fd;      /* -1: closed */
    char dir[64]; /* holds the recordings and what the program printed; gone after target_end */
    char recording[96];
    char program[256]; /* for messages */
    size_t read_bytes; /* of stdout, by target_read_line */
};

/* What is preloaded: LEAKSPY_TEST_LIBRARY of the environment, or what this build made. */
const char *library_under_test(void);

/* Starts argv[0] (a path) with `env` ("NAME=value"s; NULL: none) added to the environment, and with
 * the preload, sampling every 20 ms, if `preload`. Its stdin is a pipe, open until
 * target_close_stdin. It dies with the test. */
struct target *target_start(bool preload, const char *const argv[], const char *const env[]);

void target_close_stdin(struct target *target);

/* Waits until a server of the samples says which port it listens on. */
void target_wait_port(struct target *target, char port[16]);

/* Sends such a server requests, and checks that it has one task more for each. */
void load_server(const char *port, long requests);

bool have_gcore(void);

/* A folder for what has to be there before a target is, or after it; gone when the test program
 * ends. */
const char *scratch_folder(void);

/* Has gdb write a core of the running program into a folder: its own, or one that outlives it.
 * Skips the test where there is no gdb. The path is good until the next call. */
const char *target_write_core(const struct target *target, const char *folder);

/* The next line of its stdout that begins with `prefix`, without the newline. Fails the test when
 * the program ends or PATIENCE_MS pass without one. */
const char *target_wait_line(struct target *target, const char *prefix);

/* Sends `signal` and waits for the end. */
void target_kill(struct target *target, int signal);

/* Waits for the end, for at most PATIENCE_MS; what was printed, and the status. */
struct outcome target_wait(struct target *target);

/* Until there is a recording in this file, of which there may be nothing at first. */
void wait_for_recording(const char *recording);

/* When the sampler last finished a walk over all tasks; 0: never, or there is no recording. */
uint64_t target_last_walk_ns(const struct target *target);

/* Until the sampler has walked over all tasks `times` times more, and `ms` have passed between its
 * walks. */
void target_wait_walks(struct target *target, int times, int ms);

/* What the program does now has been recorded for 200 ms, and a report of what is parked for half
 * of that finds nothing. A finding that goes away was none: on a busy machine the sampler may be
 * late to see that a wait is one of those that are expected. */
void assert_silent(struct target *target);

/* Ends it if it still runs, and removes its folder. NULL is fine. */
void target_end(struct target *target);

/* Ends its input, upon which it has to end by itself, and well; then target_end. */
void target_finish(struct target *target);

/* target_end of every target that is still there, for teardown functions. */
int end_all_targets(void **state);

/* Runs a program to its end with an empty stdin. */
struct outcome run_program(bool preload, const char *const argv[], const char *const env[]);

/* The status, the stdout and the stderr are the same with and without the preload. */
void assert_same_behaviour(const char *const argv[], const char *const env[]);

/* `leakspy report --format json` with `options` (NULL: none) on `source`; the caller owns the JSON.
 * Fails the test unless leakspy exits 0 and prints a leakspy-report/1. */
json_t *report(const char *source, const char *threshold, const char *const options[]);

/* What a group of the report has to show; what is 0, NULL or absent is not looked at. */
struct expected_group {
    const char *verdict;
    const char *kind;
    const char *op;
    const char *call;           /* the intercepted function */
    const char *object_kind;    /* "none": the report says null */
    const char *object_address; /* "0x…" */
    json_int_t count;
    const char *wait_function; /* somewhere in the wait stack, with the file's name and the line */
    const char *wait_file;
    int wait_line;
    const char *spawn_function;
    const char *spawn_file;
    int spawn_line;
    const char *task_name;                                      /* of the first task */
    enum { ANY_DEADLINE, WITH_DEADLINE, NO_DEADLINE } deadline; /* of the first task */
};

/* The first group that shows all of it, or NULL. */
const json_t *find_group(const json_t *json, const struct expected_group *expected);

/* There is exactly one such group. */
void assert_group(const json_t *json, const struct expected_group *expected);

/* There is no group with another verdict than `waiting`. */
void assert_no_findings(const json_t *json);

/* Who asks for a status gets none that says that there is nothing. `source`: as of the command. */
void assert_no_all_clear(const char *source);

/* The number of groups with a verdict other than `waiting`. */
size_t count_findings(const json_t *json);

/* Reports on a source again and again until there is such a group; the caller owns the report.
 * Fails the test when PATIENCE_MS pass without one. */
json_t *wait_for_group_in(const char *source, const char *threshold, const char *const options[],
                          const struct expected_group *expected);

/* The same on the target's recording. */
json_t *wait_for_group(struct target *target, const char *threshold, const char *const options[],
                       const struct expected_group *expected);

/* Is there a note with this in its text? */
bool has_note(const json_t *json, const char *part);

/* The case of that index, of a select: on a channel without a buffer, or on a nil one. */
void assert_case(const json_t *cases, size_t index, const char *op, bool nil);

/* The value at a dotted path ("source.end", "totals.lost"); NULL: not there. */
const json_t *json_at(const json_t *json, const char *path);

/* 24 when the report is on a program of Go 1.24's own compiler; 0: on none. */
int go_minor(const json_t *json);

/* The number of the one line of a source file of the project that holds `mark`. */
int line_of(const char *path, const char *mark);

/* The whole of a file, NUL-terminated; NULL: cannot be read. The caller frees it. */
char *read_file(const char *path);

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t now_ms(void);
void sleep_ms(int ms);

#endif
