/* Where the calling thread's own stack is: memory that can be read without a system call. */
#ifndef LEAKSPY_OWN_STACK_H
#define LEAKSPY_OWN_STACK_H

#include <stdint.h>

/* Learns how large stacks are. At start, on the first thread. */
void own_stack_init(void);

/* Bytes of stack that a thread of such attributes gets: a pthread_attr_t (NULL: the default ones).
 * 0: not known. Any thread, after own_stack_init. */
uint64_t own_stack_bytes(const void *attr);

/* The end of the calling thread's stack, if `sp` lies in it. 0: it does not (a coroutine's stack,
 * or a handler's), or the size is not known. Lock-free; any context. */
uint64_t own_stack_end(uint64_t sp);

#endif
