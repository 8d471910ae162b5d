/* A lock that another thread takes between the question whether it is free and the try to take it.
 */
#ifndef LEAKSPY_E2E_LATE_LOCK_H
#define LEAKSPY_E2E_LATE_LOCK_H

#include <pthread.h>

extern pthread_mutex_t late_lock_mutex;
extern __thread int late_lock_here; /* set by the thread that is to be late */
extern int late_lock_asked;         /* it has asked */
extern int late_lock_taken;         /* set by the one that was quicker */

#endif
