/* Goroutines of Go's own runtime in the recording: what a scan finds becomes rows.
 *
 * Their runtime calls nothing that could be intercepted, so that every field of their slots is
 * written here, by the one thread that looks: the sampler in the target, or `leakspy run` outside.
 * What is parked at two looks has been parked in between when it has not run meanwhile, which its
 * wait number tells, and what it waits on and where are still the same.
 */
#ifndef LEAKSPY_GO_RECORD_H
#define LEAKSPY_GO_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/goscan/goscan.h"

/* For a new recording (also after fork): nothing of it is known yet. False: no memory; then nothing
 * is recorded. */
bool go_record_reset(void);

/* Begins with the goroutines of `scan`, which was opened: notes its version in the recording. */
void go_record_start(struct goscan *scan);

/* Looks at all goroutines, once. When that worked, those that were not found any more have ended.
 * What goscan_run says; GO_NOT_FOUND where there was not one goroutine, as in no program that runs:
 * what was taken for their list, while the runtime started, is something else. `go_on` (NULL:
 * always): whether to go on, asked now and then. */
enum go_result go_record_scan(struct goscan *scan, bool (*go_on)(void));

/* The halves of a scan: for tests, which make goroutines by hand. */
void go_record_begin(uint64_t now_ns);
bool go_record_visit(const struct go_goroutine *it, void *scan);
enum go_result go_record_end(struct goscan *scan, enum go_result result,
                             const struct go_totals *totals);

#endif
