/* How the program `killed` keeps its book, and the calls of it that wait: each is made in one of
 * the functions in_*, and booked there. */
#ifndef LEAKSPY_E2E_KILLED_BOOK_H
#define LEAKSPY_E2E_KILLED_BOOK_H

#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/e2e/killed.h"

extern struct book *book;
extern struct book_process *self;       /* of this process */
extern __thread struct book_thread *me; /* of this thread */
extern __thread uint64_t random_state;
extern uint64_t seed;

/* A random number. */
unsigned below(unsigned most);

/* This process, or what it has become by fork or exec, begins. Before the first call that is
 * recorded. */
void begin_process(int image);

/* It is about to end. */
void will(enum book_end end, int exit_code);

/* NULL: there is no more room. */
struct book_thread *new_row(uint32_t flags);

void add(uint32_t *count);

/* Seen in stacks by these names, so they are never inlined. */
#define WAITS __attribute__((noinline)) void

WAITS in_mutex_lock(pthread_mutex_t *mutex);
WAITS in_rdlock(pthread_rwlock_t *lock);
WAITS in_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
WAITS in_sem_wait(sem_t *semaphore);
WAITS in_read(int fd);
WAITS in_write(int fd);
WAITS in_join(pthread_t thread);
WAITS in_waitpid(pid_t pid);
WAITS in_sleep(unsigned time_us);

#endif
