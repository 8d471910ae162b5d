/* A thread of the test's that asks for locks which were free when it looked, as the hook of
 * pthread_mutex_lock does. */
#ifndef LEAKSPY_TESTS_LOCKING_HERE_H
#define LEAKSPY_TESTS_LOCKING_HERE_H

#include <pthread.h>
#include <stdint.h>

#include "preload/recorder.h"

extern pthread_mutex_t here_locks[2];
extern struct rec_task *here_slot; /* of the thread that asks for them: to be set by it */
extern uint64_t here_places[2];    /* return addresses: where it asks for which */
extern uint32_t here_asked;        /* for so many; atomic */

/* As the hook, where the lock is free: publishes that, gets it, and lets it go. */
void here_lock(int which);

#endif
