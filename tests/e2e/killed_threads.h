/* What the threads of the program `killed` do with their lives. */
#ifndef LEAKSPY_E2E_KILLED_THREADS_H
#define LEAKSPY_E2E_KILLED_THREADS_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

struct life {
    void (*run)(struct life *life);
    struct book_thread *row;
    pthread_t thread;
    int number; /* among those that do the same */
};

/* False: there is no more room in the book. */
bool spawn(struct life *life, void (*run)(struct life *), uint32_t flags);

enum { PAIRS = 32 };

/* What they wait for. */
extern struct locks {
    pthread_mutex_t never, contended, ordered[4], pair[PAIRS], deadly[2];
    pthread_rwlock_t written;
    pthread_cond_t turned[PAIRS];
    int turn[PAIRS];
    sem_t posted[PAIRS][2], never_posted;
    int pipes[PAIRS][2][2], silent[2];
    int deadly_taken;
} locks;

/* All locks are free and everything is empty, also in a child whose parent's threads had them. */
void make_locks(void);

/* Those that wait for ever. */
extern struct life eternal; /* one to be joined in vain */
void never_locks(struct life *life);
void never_reads_under_lock(struct life *life);
void never_signalled(struct life *life);
void never_posted(struct life *life);
void never_written(struct life *life);
void never_joins(struct life *life);
void deadly(struct life *life);

/* Those that always get on. */
extern bool enough; /* spawners are to return */
void locks_in_order(struct life *life);
void takes_turns(struct life *life);
void contends(struct life *life); /* one of them, until it waits for ever and all others for it */
void posts(struct life *life);
void sends(struct life *life);
void spawns(struct life *life);

#endif
