/* What the program says of its goroutines (pprof labels), as texts of the recording.
 *
 * All of it by the one thread that looks: the sampler, or `leakspy run` outside. No allocation. */
#ifndef LEAKSPY_GO_LABELS_H
#define LEAKSPY_GO_LABELS_H

#include <stdint.h>

#include "preload/go_table.h"
#include "preload/goscan/goscan.h"
#include "preload/recording.h"

/* For a new recording: no text is in it yet. */
void go_labels_reset(void);

/* A scan begins: what was read for the last one may have changed. */
void go_labels_begin(void);

/* A goroutine has its labels at `address` in the target (0: none). Those of another address are not
 * told any more. Before its wait is written: they may be those of another request. */
void go_labels_drop_old(const struct go_row *row, struct rec_task *task, uint64_t address);

/* Where they may not be those of the last look, since that is another address or the goroutine has
 * run (`ran`), they will be read. */
void go_labels_note(struct go_row *row, uint64_t address, bool ran);

/* The scan is over: reads what is new, and writes it into the slots. Where there is more than one
 * scan may read, the next one goes on from there. */
void go_labels_read(struct goscan *scan);

#endif
