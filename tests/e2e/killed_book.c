#include "tests/e2e/killed_book.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/e2e/check.h"

struct book *book;
struct book_process *self;
__thread struct book_thread *me;
__thread uint64_t random_state;
uint64_t seed;

unsigned below(unsigned most)
{
    random_state = random_state * 6364136223846793005U + 1442695040888963407U;
    return (unsigned)(random_state >> 33) % most;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void begin(enum book_op op, uint64_t object)
{
    struct book_wait *wait = &me->wait[me->waits % BOOK_WAITS];
    __atomic_store_n(&wait->op, BOOK_NOTHING, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    wait->object = object;
    wait->end_ns = 0;
    wait->begin_ns = now_ns();
    __atomic_store_n(&wait->op, op, __ATOMIC_RELEASE);
    __atomic_store_n(&me->waits, me->waits + 1, __ATOMIC_RELEASE);
}

static void end(void)
{
    struct book_wait *wait = &me->wait[(me->waits - 1) % BOOK_WAITS];
    __atomic_store_n(&wait->end_ns, now_ns(), __ATOMIC_RELEASE);
}

void add(uint32_t *count)
{
    __atomic_fetch_add(count, 1, __ATOMIC_SEQ_CST);
}

struct book_thread *new_row(uint32_t flags)
{
    uint32_t row = __atomic_fetch_add(&self->threads, 1, __ATOMIC_SEQ_CST);
    if (row >= BOOK_THREADS)
        return NULL;
    self->thread[row].flags = flags;
    return &self->thread[row];
}

void begin_process(int image)
{
    uint32_t row = __atomic_fetch_add(&book->processes, 1, __ATOMIC_SEQ_CST);
    CHECK(row < BOOK_PROCESSES);
    self = &book->process[row];
    me = new_row(BOOK_MAIN);
    me->tid = (int32_t)syscall(SYS_gettid);
    self->image = image;
    __atomic_store_n(&self->pid, getpid(), __ATOMIC_RELEASE);
    random_state = seed * 1000 + row;
}

void will(enum book_end end, int exit_code)
{
    self->exit_code = exit_code;
    __atomic_store_n(&self->end, end, __ATOMIC_RELEASE);
}

/* --- the calls that wait --------------------------------------------------------------------- */

void in_mutex_lock(pthread_mutex_t *mutex)
{
    begin(BOOK_MUTEX, (uint64_t)mutex);
    CHECK(pthread_mutex_lock(mutex) == 0);
    end();
}

void in_rdlock(pthread_rwlock_t *lock)
{
    begin(BOOK_READ_LOCK, (uint64_t)lock);
    CHECK(pthread_rwlock_rdlock(lock) == 0);
    end();
}

void in_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    begin(BOOK_COND, (uint64_t)cond);
    CHECK(pthread_cond_wait(cond, mutex) == 0);
    end();
}

void in_sem_wait(sem_t *semaphore)
{
    begin(BOOK_SEMAPHORE, (uint64_t)semaphore);
    CHECK(sem_wait(semaphore) == 0);
    end();
}

void in_read(int fd)
{
    char byte;
    begin(BOOK_READ, (uint64_t)fd);
    CHECK(read(fd, &byte, 1) == 1);
    end();
}

void in_write(int fd)
{
    begin(BOOK_WRITE, (uint64_t)fd);
    CHECK(write(fd, "x", 1) == 1);
    end();
}

void in_join(pthread_t thread)
{
    begin(BOOK_JOIN, (uint64_t)thread);
    CHECK(pthread_join(thread, NULL) == 0);
    end();
}

void in_waitpid(pid_t pid)
{
    begin(BOOK_CHILD, (uint64_t)pid);
    CHECK(waitpid(pid, NULL, 0) == pid);
    end();
}

void in_sleep(unsigned time_us)
{
    begin(BOOK_SLEEP, 0);
    usleep(time_us);
    end();
}
