/* What only programs linked long ago are bound to: functions of locks by their first names. */
#ifndef LEAKSPY_CONFORM_OLD_LOCKS_H
#define LEAKSPY_CONFORM_OLD_LOCKS_H

#include <pthread.h>

#define OLDEST(name) __asm__(".symver " #name ", " #name "@GLIBC_2.2.5")
OLDEST(__pthread_mutex_lock);
OLDEST(__pthread_rwlock_rdlock);
OLDEST(__pthread_rwlock_wrlock);
int __pthread_mutex_lock(pthread_mutex_t *m);
int __pthread_rwlock_rdlock(pthread_rwlock_t *l);
int __pthread_rwlock_wrlock(pthread_rwlock_t *l);

#endif
