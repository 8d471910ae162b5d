/* Waits of a test's own, all of whose fields follow from the object. */
#ifndef LEAKSPY_TESTS_WAITING_HERE_H
#define LEAKSPY_TESTS_WAITING_HERE_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/unit/preload/parts.h"

extern struct rec_task *here_slot; /* of the thread that waits: to be set by the test */

/* What is published of a wait for the object. */
struct parts_wait here_what(uint64_t object);

/* Waits for it, and calls `meanwhile` (NULL: nothing). Also for signal handlers. */
void here_park(struct rec_task *task, uint64_t object, void (*meanwhile)(void));

/* For parts_park: calls the void (*)(void) that it points to. */
void here_call(void *function);

/* Whether the fields of a wait are those of one object. */
bool here_belongs_together(const struct rec_task *task);

/* That here_slot tells of a wait for the object. */
void here_assert_waits_on(uint64_t object);

#endif
