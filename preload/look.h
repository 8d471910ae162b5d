/* The sampler's look at one task: does it wait, since when, at what place, and for what? What it
 * finds it writes to the sampler's half of the task's slot. Called by the sampler's thread alone.
 */
#ifndef LEAKSPY_LOOK_H
#define LEAKSPY_LOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/recording.h"

/* A sampler begins. `has_own_files`: it has a table of descriptors of its own, so that it may open
 * files; without, the kernel cannot be asked about threads. */
void look_init(bool has_own_files);

/* A walk over all tasks begins. */
void look_begin_walk(void);

/* The sampler ends before this walk has come to `row`. */
void look_break_off(uint32_t row);

/* Looks at the task in a slot that is in use. `last`: there will be no second look, so that stacks
 * are taken at the first. */
void look_at(struct rec_task *task, bool last);

/* After the last walk: takes back what is told of a thread by the kernel's word and is over since.
 * It might make a cycle with what another one has begun to wait for during that walk. */
void look_last_at(struct rec_task *task);

#endif
