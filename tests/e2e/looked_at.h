/* What the tests of reports on processes and cores share: a program that is looked at, and what is
 * said of it. */
#ifndef LEAKSPY_E2E_LOOKED_AT_H
#define LEAKSPY_E2E_LOOKED_AT_H

#include "tests/e2e/harness.h"

/* A sample, and the group that tells of its two threads. */
#define DEADLOCK LEAKSPY_SAMPLES "/lock_order_deadlock"
extern const struct expected_group deadlock;

/* For single tests: makes a folder (scratch.h), and removes it after all targets have ended. */
int looked_set_up(void **state);
int looked_tear_down(void **state);

/* Starts a sample, and waits until it does what it is for. */
struct target *start(bool preload, const char *program);

/* The string at a dotted path is this one. */
void assert_text(const json_t *json, const char *at, const char *expected);

/* `leakspy ARGV…` ends with `status` and says `why` on stderr. */
void assert_refused(int status, const char *why, const char *const argv[]);

void copy_file(const char *from, const char *to);

#endif
