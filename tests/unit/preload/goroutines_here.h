/* Goroutines that are made by hand, looked at, and recorded (recording_here.h). */
#ifndef LEAKSPY_TESTS_GOROUTINES_HERE_H
#define LEAKSPY_TESTS_GOROUTINES_HERE_H

#include <stddef.h>
#include <stdint.h>

#include "preload/goscan/scan.h"
#include "preload/recorder.h"

/* Numbers of wait reasons. */
enum { SEND, SELECT, MUTEX, IDLE, SLEEP, IO, COROUTINE };

/* The scan that is said to have found them, the stack of those that have one, what a look counted,
 * and when it was. */
extern struct goscan here_scan;
extern struct go_stack here_stack;
extern struct go_totals here_totals;
extern uint64_t here_now_ns;

/* For single tests: as here_open, of a Go program; here_close ends it. */
int here_open_go(void **state);

/* The same, with room for so many tasks. */
int here_open_go_for(uint32_t tasks);

/* A goroutine that has waited since the last look at most. */
struct go_goroutine here_parked(uint64_t id, uint16_t reason);

/* It ran, and waits again: its wait has another number. */
void here_run_again(struct go_goroutine *it);

/* One look, a millisecond after the last one, which finds these. */
void here_look_at(const struct go_goroutine *all, size_t count);

/* The first touch of a page that is not permitted: calls `look`, and goes on. One page at a time.
 */
void here_watch_page(void *page, int permitted, void (*look)(void));

/* The one task that is live. */
struct rec_task *here_only_task(void);

/* That a site of the recording has these return addresses. */
void here_assert_site(uint32_t row, const uint64_t *pcs, uint16_t count);

#endif
