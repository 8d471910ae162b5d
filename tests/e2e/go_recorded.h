/* What the tests of recordings of Go programs share: the ways to be recorded, for each test. */
#ifndef LEAKSPY_E2E_GO_RECORDED_H
#define LEAKSPY_E2E_GO_RECORDED_H

#include "tests/e2e/harness.h"

/* The program, go_record.go, as it is built. */
#define DYNAMIC LEAKSPY_TARGETS "/go_record_cgo"
#define STATIC LEAKSPY_TARGETS "/go_record_static_stripped"
#define PIE LEAKSPY_TARGETS "/go_record_pie_static"
#define RACE LEAKSPY_TARGETS "/go_record_race"
#define LIBRARY "LEAKSPY_LIBRARY=" LEAKSPY_PRELOAD
#define FAST "LEAKSPY_SAMPLE=20ms"

/* The ways to be recorded. */
struct way {
    const char *name, *program;
    bool outside;
};
extern const struct way ways[];

/* Rows of tests: of a test for each way, which *state tells, and of one that is for no way. */
#define EACH(function)                                                                             \
    {#function ", preloaded", function, NULL, end_all_targets, (void *)(uintptr_t)&ways[0]},       \
    {                                                                                              \
#function ", from outside", function, NULL, end_all_targets, (void *)(uintptr_t)&ways[1]   \
    }
#define ONCE(function)                                                                             \
    {                                                                                              \
#function, function, NULL, end_all_targets, NULL                                           \
    }

/* Goroutines that the program has parked when it is told to. */
extern const struct expected_group parked;

/* Starts a program, which then is recorded, with the words that come after its name; `environment`:
 * one more setting, or NULL. */
struct target *start(const struct way *way, const char *program, const char *const words[],
                     const char *environment);

/* Until it does what it was told, and that was looked at. */
void wait_ready(struct target *target);

/* Ends it, and removes its recordings. */
void end(const struct way *way, struct target *target);

/* Also those of children, FILE.PID-N. */
void remove_recordings(const char *file);

/* The string at a dotted path is this one; NULL: it is null. */
void assert_string_at(const json_t *json, const char *path, const char *expected);

#endif
