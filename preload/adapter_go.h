/* Go's own runtime in a process that loads libleakspy.so, the program's or that of a library
 * (-buildmode=c-shared) in a program that is none of Go: goroutines are looked for by the sampler.
 */
#ifndef LEAKSPY_ADAPTER_GO_H
#define LEAKSPY_ADAPTER_GO_H

#include <stdbool.h>

#include "preload/recording.h"

/* Finds out whether this is a program of Go's own compiler. At start. */
bool adapter_go_init(void);

/* For a new recording (also after fork). */
void adapter_go_reset(void);

/* Was it one? */
bool adapter_go_is_program(void);

/* Is there, or may there yet be, anything to look for? Takes a library that go_module.c has come
 * upon. The sampler. */
bool adapter_go_is_there(void);

/* Looks at all goroutines, where there are any. `go_on`: whether to go on, asked now and then. The
 * sampler. */
void adapter_go_scan(bool (*go_on)(void));

/* Marks the slot of a thread on which the runtime runs goroutines. The sampler. */
void adapter_go_look_at_thread(struct rec_task *task);

#endif
