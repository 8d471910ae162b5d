/* What the tests of `leakspy run` share: a folder for their recordings, and what they record. */
#ifndef LEAKSPY_E2E_RUN_COMMAND_H
#define LEAKSPY_E2E_RUN_COMMAND_H

#include "tests/e2e/harness.h"

/* For the environment: what is preloaded, and that it samples as often as in other tests. */
#define LIBRARY "LEAKSPY_LIBRARY=" LEAKSPY_PRELOAD
#define FAST "LEAKSPY_SAMPLE=20ms"

/* The sample that leaks a thread, and the group that tells of that. */
#define LEAK LEAKSPY_SAMPLES "/join_parked_thread"
extern const struct expected_group run_leak;

/* The beginning of a command, where the test is root's. */
#define AS_ROOT_THAT_MAY_NOT_READ_ALL                                                              \
    "/usr/bin/setpriv", "--bounding-set=-dac_override,-dac_read_search"

/* For whole programs: makes a folder (scratch.h) that everybody may read, and removes it. */
int run_make_scratch(void **state);
int run_remove_scratch(void **state);

#endif
