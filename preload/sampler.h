/* The sampler: a thread in the target that looks at all slots once a period. A wait that it sees
 * twice has been parked since the first time. Then it reads the stack of the wait, and what can be
 * known of its object.
 *
 * libc does not know of the thread: for libc, a single-threaded program stays one (fast paths,
 * fork, exit when the last thread ends). It is started without malloc and locks, so that this can
 * be done in any context. It blocks all signals, and has a table of descriptors of its own, with
 * none of the program's.
 */
#ifndef LEAKSPY_SAMPLER_H
#define LEAKSPY_SAMPLER_H

#include <stdbool.h>

/* Starts the sampler, unless it runs. Any thread, any context. */
void sampler_ensure(void);

/* Ends the sampler and waits until the kernel has forgotten the thread, a second at most: after
 * that it may live on beside the caller for a while. For system calls that are refused in a process
 * of several threads, or that change what the calling thread may do. True: the caller has to call
 * sampler_go_on afterwards. Calls nest: the last sampler_go_on starts it. Any thread, any context.
 */
bool sampler_stop(void);
void sampler_go_on(void);

/* Ends it in the same way, until sampler_ensure starts it. False: it was not there, or is the last
 * one (sampler_start_last). True also where it has not ended within a second: then it is ending for
 * a while, and another one can be started after that. Any thread, any context. */
bool sampler_end_for_now(void);
bool sampler_is_ending(void);

/* The program is about to ask to be told of messages (mq_notify). The kernel forgets that when any
 * thread of it closes a descriptor of the queue, as each new sampler does with its copies of all.
 * So there will be none but the one that is there; it is started now, and has closed them. */
void sampler_start_last(void);

/* Around a call that changes the credentials of the calling thread, or of all that libc knows: ends
 * the sampler meanwhile. `undone`: credentials_have_way_back says that it can be undone, and the
 * sampler goes on as it is. Not under a filter of the program's. */
enum sampler_change { SAMPLER_UNTOUCHED, SAMPLER_LEFT_ALONE, SAMPLER_STOPPED };
enum sampler_change sampler_before_change(bool undone);
void sampler_after_change(enum sampler_change change);

/* The program is about to set a filter under which it cannot be made to end the sampler any more:
 * gives it the program's credentials. */
void sampler_settle(void);

/* At the exit of the process: the sampler looks at everything once more and ends. Waits for that,
 * but 0.2 s at most. */
void sampler_last_walk(void);

/* The calling thread is about to end with `status` by a system call of its own, without libc. If it
 * was the last one, only the sampler keeps the process alive: so the sampler looks soon whether
 * others are left, and if not, ends with that status. Any context. */
void sampler_watch_end(int status);

/* The calling thread is about to end by libc. */
void sampler_thread_ends(void);

/* After fork, in the child: there is no sampler. */
void sampler_forget(void);

#endif
