#include "tests/e2e/killed_threads.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/e2e/check.h"
#include "tests/e2e/killed_book.h"

static void *live(void *arg)
{
    struct life *life = arg;
    me = life->row;
    me->tid = (int32_t)syscall(SYS_gettid);
    random_state = seed + (uint64_t)me->tid * 7919;
    life->run(life);
    add(&self->returning);
    __atomic_store_n(&me->returning, 1, __ATOMIC_RELEASE);
    return NULL;
}

__attribute__((noinline)) bool spawn(struct life *life, void (*run)(struct life *), uint32_t flags)
{
    pthread_attr_t attr;
    life->run = run;
    life->row = new_row(flags);
    if (life->row == NULL)
        return false;
    CHECK(pthread_attr_init(&attr) == 0 && pthread_attr_setstacksize(&attr, 128 << 10) == 0);
    if (flags & BOOK_DETACHED)
        CHECK(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) == 0);
    /* What may be gone when pthread_create returns is not touched then. */
    struct book_thread *row = life->row;
    add(&self->creating);
    __atomic_store_n(&row->creating, 1, __ATOMIC_RELEASE);
    int status;
    /* The kernel starts no thread while another one executes a program. */
    while ((status = pthread_create(&life->thread, &attr, live, life)) == EAGAIN &&
           __atomic_load_n(&self->end, __ATOMIC_ACQUIRE) == BOOK_EXECS)
        sched_yield();
    CHECK(status == 0);
    __atomic_store_n(&row->created, 1, __ATOMIC_RELEASE);
    add(&self->created);
    pthread_attr_destroy(&attr);
    return true;
}

static void join(struct life *life)
{
    __atomic_store_n(&life->row->joining, 1, __ATOMIC_RELEASE);
    in_join(life->thread);
    __atomic_store_n(&life->row->joined, 1, __ATOMIC_RELEASE);
    add(&self->joined);
}

/* --- threads that wait for ever -------------------------------------------------------------- */

struct locks locks;
struct life eternal;

void make_locks(void)
{
    memset(&locks, 0, sizeof locks);
    for (int i = 0; i < PAIRS; i++) {
        for (int side = 0; side < 2; side++) {
            CHECK(sem_init(&locks.posted[i][side], 0, 0) == 0);
            locks.pipes[i][side][0] = -1;
        }
    }
    CHECK(sem_init(&locks.never_posted, 0, 0) == 0);
    CHECK(pipe2(locks.silent, O_CLOEXEC) == 0);
    in_mutex_lock(&locks.never);
    CHECK(pthread_rwlock_trywrlock(&locks.written) == 0);
}

void never_locks(struct life *life)
{
    (void)life;
    in_mutex_lock(&locks.never);
}

void never_reads_under_lock(struct life *life)
{
    (void)life;
    in_rdlock(&locks.written);
}

void never_signalled(struct life *life)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    (void)life;
    in_mutex_lock(&mutex);
    for (;;)
        in_cond_wait(&cond, &mutex);
}

void never_posted(struct life *life)
{
    (void)life;
    in_sem_wait(&locks.never_posted);
}

void never_written(struct life *life)
{
    (void)life;
    in_read(locks.silent[0]);
}

void never_joins(struct life *life)
{
    (void)life;
    in_join(eternal.thread);
}

/* Both take one lock, and then the other's. */
void deadly(struct life *life)
{
    int own = life->number % 2;
    in_mutex_lock(&locks.deadly[own]);
    __atomic_fetch_add(&locks.deadly_taken, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&locks.deadly_taken, __ATOMIC_SEQ_CST) < 2)
        sched_yield();
    in_mutex_lock(&locks.deadly[!own]);
}

/* --- threads that always get on -------------------------------------------------------------- */

static void work(void)
{
    unsigned rounds = below(20000);
    for (volatile unsigned i = 0; i < rounds; i++)
        ;
    if (below(4) == 0)
        in_sleep(below(300));
}

/* Holds a lock, and waits for the next one in order; or takes both, one after the other, in the
 * other order: two that are told of different moments look like a cycle. */
void locks_in_order(struct life *life)
{
    (void)life;
    for (;;) {
        unsigned lower = below(3);
        if (below(2)) {
            in_mutex_lock(&locks.ordered[lower]);
            work();
            in_mutex_lock(&locks.ordered[lower + 1]);
            work();
            pthread_mutex_unlock(&locks.ordered[lower + 1]);
            pthread_mutex_unlock(&locks.ordered[lower]);
        } else {
            in_mutex_lock(&locks.ordered[lower + 1]);
            work();
            pthread_mutex_unlock(&locks.ordered[lower + 1]);
            in_mutex_lock(&locks.ordered[lower]);
            work();
            pthread_mutex_unlock(&locks.ordered[lower]);
        }
    }
}

/* Each takes one lock over and over at one place, and has it for some looks of the sampler now and
 * then. The first one keeps it at last. */
void contends(struct life *life)
{
    for (unsigned round = 0; life->number != 0 || round < 60; round++) {
        in_mutex_lock(&locks.contended);
        unsigned turns = below(8) == 0 ? below(20000) : below(10);
        for (unsigned i = 0; i < turns; i++)
            sched_yield();
        pthread_mutex_unlock(&locks.contended);
    }
    in_mutex_lock(&locks.contended);
    in_read(locks.silent[0]);
}

void takes_turns(struct life *life)
{
    int pair = life->number / 2 % PAIRS, side = life->number % 2;
    for (;;) {
        in_mutex_lock(&locks.pair[pair]);
        while (locks.turn[pair] != side)
            in_cond_wait(&locks.turned[pair], &locks.pair[pair]);
        locks.turn[pair] = !side;
        pthread_cond_signal(&locks.turned[pair]);
        pthread_mutex_unlock(&locks.pair[pair]);
        work();
    }
}

void posts(struct life *life)
{
    int pair = life->number / 2 % PAIRS, side = life->number % 2;
    for (;;) {
        if (side == 0)
            work();
        sem_post(&locks.posted[pair][!side]);
        in_sem_wait(&locks.posted[pair][side]);
    }
}

void sends(struct life *life)
{
    int ends[2];
    (void)life;
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    for (;;) {
        in_write(ends[1]);
        in_read(ends[0]);
        work();
    }
}

static void lives_shortly(struct life *life)
{
    (void)life;
    switch (below(4)) {
    case 0:
        in_mutex_lock(&locks.ordered[0]);
        pthread_mutex_unlock(&locks.ordered[0]);
        break;
    case 1:
        in_sleep(below(200));
        break;
    case 2:
        work();
        break;
    default:
        break;
    }
}

bool enough;

enum { LITTER = 6 };

void spawns(struct life *life)
{
    struct life litter[LITTER];
    static struct life detached[BOOK_THREADS];
    static uint32_t taken;
    (void)life;
    while (!__atomic_load_n(&enough, __ATOMIC_ACQUIRE)) {
        unsigned count = 0, most = 1 + below(LITTER);
        while (count < most && spawn(&litter[count], lives_shortly, 0))
            count++;
        uint32_t free = __atomic_fetch_add(&taken, 1, __ATOMIC_RELAXED);
        bool full = free >= BOOK_THREADS || !spawn(&detached[free], lives_shortly, BOOK_DETACHED);
        if (below(3) == 0)
            in_sleep(below(1000)); /* they end meanwhile, and nobody has joined them */
        for (unsigned i = 0; i < count; i++)
            join(&litter[i]);
        while (full && !__atomic_load_n(&enough, __ATOMIC_ACQUIRE))
            in_sleep(10000);
    }
}
