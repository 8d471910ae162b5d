/* What the locks of Go say of themselves, of goroutines that wait for one, in the recording.
 *
 * The words of a lock change while goroutines wait for it. They are read with the stack of a wait
 * that is new, and again at later looks: of some in each. */
#ifndef LEAKSPY_GO_LOCKS_H
#define LEAKSPY_GO_LOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/goscan/goscan.h"
#include "preload/recording.h"

/* Of how many known waits a look reads the words again. */
#define GO_LOCKS_A_LOOK 4096

/* For a new recording; and when a scan begins. */
void go_locks_reset(void);
void go_locks_begin(void);

/* Which words a scan reads again: goscan.wants_lock, of a goroutine that has stayed parked. */
bool go_locks_wanted(const struct go_goroutine *it, struct go_lock_place *ret, void *unused);

/* What is known of the lock that the task's wait is for: flags of its detail, and the two words,
 * which stay what they were where they were not read this time. A new wait has no gen yet, and no
 * words in its detail_flags. */
uint16_t go_locks_describe(const struct rec_task *task, const struct go_goroutine *it,
                           uint32_t *ret_a, uint32_t *ret_b);

#endif
