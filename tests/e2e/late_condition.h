#ifndef LEAKSPY_TESTS_LATE_CONDITION_H
#define LEAKSPY_TESTS_LATE_CONDITION_H

extern int late_condition_waits; /* calls of pthread_cond_wait and pthread_cond_timedwait */

#endif
