/* Threads that have begun, and gone on, before their spawner is back. */
#ifndef LEAKSPY_E2E_LATE_CREATE_H
#define LEAKSPY_E2E_LATE_CREATE_H

#include <pthread.h>
#include <threads.h>

extern int late_create_may_return; /* set by the new thread; the spawner clears it */

#endif
