/* Objects that two processes share: the partner is a child, or this program executed. One holds
 * what the other waits for, lets it go, or dies with it. */
#include "tests/conformance/conform.h"
#include "tests/conformance/old_locks.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SHARED_FD = 101 };

static struct shared {
    pthread_mutex_t mutex;
    pthread_rwlock_t rwlock;
    pthread_cond_t cond;
    pthread_barrier_t barrier;
    sem_t semaphore;
    atomic_int word;
    atomic_int begun, tid; /* the partner has got what it holds; it is about to wait */
    bool ready;
} * shared;

static void wake(atomic_int *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* --- what the partner does, and what this process does meanwhile -------------------------------
 */

static struct timespec hour(void)
{
    return in_an_hour(CLOCK_REALTIME);
}

static void say_lock(int error)
{
    say_error(error);
    if (error == EOWNERDEAD)
        POSIX(pthread_mutex_consistent(&shared->mutex));
    POSIX(pthread_mutex_unlock(&shared->mutex));
}

static void wait_mutex(void)
{
    say_lock(pthread_mutex_lock(&shared->mutex));
}

static void wait_mutex_timed(void)
{
    struct timespec until = hour();
    say_lock(pthread_mutex_timedlock(&shared->mutex, &until));
}

static void wait_mutex_clocked(void)
{
    struct timespec until = in_an_hour(CLOCK_MONOTONIC);
    say_lock(pthread_mutex_clocklock(&shared->mutex, CLOCK_MONOTONIC, &until));
}

static void wait_mutex_old(void)
{
    say_lock(__pthread_mutex_lock(&shared->mutex));
}

/* Of a type that knows its owner: once more by the same thread. */
static void wait_mutex_twice(void)
{
    int error = pthread_mutex_lock(&shared->mutex), again = pthread_mutex_lock(&shared->mutex);
    say_error(again);
    if (again == 0)
        POSIX(pthread_mutex_unlock(&shared->mutex));
    say_lock(error);
    POSIX(pthread_mutex_unlock(&shared->mutex)); /* it has it no more */
}

static void hold_mutex(void)
{
    CHECK(pthread_mutex_lock(&shared->mutex) == 0);
}

static void free_mutex(void)
{
    POSIX(pthread_mutex_unlock(&shared->mutex));
}

/* Where what the other one says first is not what this one would say. */
static void free_mutex_silently(void)
{
    CHECK(pthread_mutex_unlock(&shared->mutex) == 0);
}

static void wait_to_read(void)
{
    POSIX(pthread_rwlock_rdlock(&shared->rwlock));
    POSIX(pthread_rwlock_unlock(&shared->rwlock));
}

static void wait_to_write(void)
{
    POSIX(pthread_rwlock_wrlock(&shared->rwlock));
    POSIX(pthread_rwlock_unlock(&shared->rwlock));
}

static void say_rwlock(int error)
{
    say_error(error);
    POSIX(pthread_rwlock_unlock(&shared->rwlock));
}

static void wait_to_read_old(void)
{
    say_rwlock(__pthread_rwlock_rdlock(&shared->rwlock));
}

static void wait_to_write_old(void)
{
    say_rwlock(__pthread_rwlock_wrlock(&shared->rwlock));
}

static void wait_to_read_timed(void)
{
    struct timespec until = hour();
    say_rwlock(pthread_rwlock_timedrdlock(&shared->rwlock, &until));
}

static void wait_to_write_timed(void)
{
    struct timespec until = hour();
    say_rwlock(pthread_rwlock_timedwrlock(&shared->rwlock, &until));
}

static void wait_to_read_clocked(void)
{
    struct timespec until = in_an_hour(CLOCK_MONOTONIC);
    say_rwlock(pthread_rwlock_clockrdlock(&shared->rwlock, CLOCK_MONOTONIC, &until));
}

static void wait_to_write_clocked(void)
{
    struct timespec until = in_an_hour(CLOCK_MONOTONIC);
    say_rwlock(pthread_rwlock_clockwrlock(&shared->rwlock, CLOCK_MONOTONIC, &until));
}

static void hold_rwlock(void)
{
    CHECK(pthread_rwlock_wrlock(&shared->rwlock) == 0);
}

static void free_rwlock(void)
{
    POSIX(pthread_rwlock_unlock(&shared->rwlock));
}

static void wait_cond(void)
{
    POSIX(pthread_mutex_lock(&shared->mutex));
    while (!shared->ready)
        POSIX(pthread_cond_wait(&shared->cond, &shared->mutex));
    POSIX(pthread_mutex_unlock(&shared->mutex));
}

static void wait_cond_timed(void)
{
    struct timespec until = hour();
    POSIX(pthread_mutex_lock(&shared->mutex));
    while (!shared->ready)
        POSIX(pthread_cond_timedwait(&shared->cond, &shared->mutex, &until));
    POSIX(pthread_mutex_unlock(&shared->mutex));
}

static void wait_cond_clocked(void)
{
    struct timespec until = in_an_hour(CLOCK_MONOTONIC);
    POSIX(pthread_mutex_lock(&shared->mutex));
    while (!shared->ready)
        POSIX(pthread_cond_clockwait(&shared->cond, &shared->mutex, CLOCK_MONOTONIC, &until));
    POSIX(pthread_mutex_unlock(&shared->mutex));
}

static void signal_cond(void)
{
    CHECK(pthread_mutex_lock(&shared->mutex) == 0);
    shared->ready = true;
    CHECK(pthread_cond_signal(&shared->cond) == 0);
    CHECK(pthread_mutex_unlock(&shared->mutex) == 0);
}

static void reach_barrier(void)
{
    CHECK(pthread_barrier_wait(&shared->barrier) <= 0);
}

static void wait_semaphore(void)
{
    LIBC(sem_wait(&shared->semaphore));
}

static void wait_semaphore_timed(void)
{
    struct timespec until = hour();
    LIBC(sem_timedwait(&shared->semaphore, &until));
}

static void wait_semaphore_clocked(void)
{
    struct timespec until = in_an_hour(CLOCK_MONOTONIC);
    LIBC(sem_clockwait(&shared->semaphore, CLOCK_MONOTONIC, &until));
}

static void post(void)
{
    CHECK(sem_post(&shared->semaphore) == 0);
}

static void wait_word(void)
{
    LIBC(syscall(SYS_futex, &shared->word, FUTEX_WAIT, 0, NULL, NULL, 0));
}

static void wake_word(void)
{
    atomic_store(&shared->word, 1);
    wake(&shared->word);
}

static void nothing(void)
{
}

static const struct object {
    const char *function, *how;
    void (*hold)(void);
    void (*wait)(void);
    void (*let_go)(void); /* NULL: dies with it */
    int type;             /* of the mutex */
} objects[] = {
    {"pthread_mutex_lock", "", hold_mutex, wait_mutex, free_mutex, 0},
    {"pthread_mutex_timedlock", "", hold_mutex, wait_mutex_timed, free_mutex, 0},
    {"pthread_mutex_lock", "of who dies", hold_mutex, wait_mutex, NULL, 0},
    {"pthread_mutex_timedlock", "of who dies", hold_mutex, wait_mutex_timed, NULL, 0},
    {"pthread_mutex_clocklock", "", hold_mutex, wait_mutex_clocked, free_mutex, 0},
    {"__pthread_mutex_lock", "", hold_mutex, wait_mutex_old, free_mutex, 0},
    {"pthread_mutex_clocklock", "of who dies", hold_mutex, wait_mutex_clocked, NULL, 0},
    {"pthread_mutex_lock", "recursive", hold_mutex, wait_mutex_twice, free_mutex_silently,
     PTHREAD_MUTEX_RECURSIVE},
    {"pthread_mutex_lock", "recursive, of who dies", hold_mutex, wait_mutex_twice, NULL,
     PTHREAD_MUTEX_RECURSIVE},
    {"pthread_mutex_lock", "error-checking", hold_mutex, wait_mutex_twice, free_mutex_silently,
     PTHREAD_MUTEX_ERRORCHECK},
    {"pthread_mutex_lock", "error-checking, of who dies", hold_mutex, wait_mutex_twice, NULL,
     PTHREAD_MUTEX_ERRORCHECK},
    {"pthread_mutex_lock", "adaptive", hold_mutex, wait_mutex, free_mutex,
     PTHREAD_MUTEX_ADAPTIVE_NP},
    {"__pthread_rwlock_rdlock", "", hold_rwlock, wait_to_read_old, free_rwlock, 0},
    {"__pthread_rwlock_wrlock", "", hold_rwlock, wait_to_write_old, free_rwlock, 0},
    {"pthread_rwlock_timedrdlock", "", hold_rwlock, wait_to_read_timed, free_rwlock, 0},
    {"pthread_rwlock_timedwrlock", "", hold_rwlock, wait_to_write_timed, free_rwlock, 0},
    {"pthread_rwlock_clockrdlock", "", hold_rwlock, wait_to_read_clocked, free_rwlock, 0},
    {"pthread_rwlock_clockwrlock", "", hold_rwlock, wait_to_write_clocked, free_rwlock, 0},
    {"pthread_cond_timedwait", "", nothing, wait_cond_timed, signal_cond, 0},
    {"pthread_cond_clockwait", "", nothing, wait_cond_clocked, signal_cond, 0},
    {"sem_clockwait", "", nothing, wait_semaphore_clocked, post, 0},
    {"pthread_rwlock_rdlock", "", hold_rwlock, wait_to_read, free_rwlock, 0},
    {"pthread_rwlock_wrlock", "", hold_rwlock, wait_to_write, free_rwlock, 0},
    {"pthread_cond_wait", "", nothing, wait_cond, signal_cond, 0},
    {"pthread_barrier_wait", "", nothing, reach_barrier, reach_barrier, 0},
    {"sem_wait", "", nothing, wait_semaphore, post, 0},
    {"sem_timedwait", "", nothing, wait_semaphore_timed, post, 0},
    {"syscall", "FUTEX_WAIT", nothing, wait_word, wake_word, 0},
};

/* --- two processes ---------------------------------------------------------------------------- */

static void *wait_in_thread(void *arg)
{
    const struct object *object = arg;
    atomic_store(&shared->tid, gettid());
    object->wait();
    return arg;
}

/* The holder: lets go once the other one is blocked, which only its own process can see. */
static void hold(const struct object *object)
{
    object->hold();
    atomic_store(&shared->begun, 1);
    while (atomic_load(&shared->begun) != 2)
        sleep_ms(1);
    if (object->let_go == NULL)
        kill(getpid(), SIGKILL); /* with it */
    object->let_go();
}

/* The waiter. */
static void wait_for(const struct object *object)
{
    while (atomic_load(&shared->begun) != 1)
        sleep_ms(1);
    pthread_t thread = start_thread(wait_in_thread, (void *)(uintptr_t)object);
    while (atomic_load(&shared->tid) == 0)
        sleep_ms(1);
    await_blocked(atomic_load(&shared->tid), NULL);
    atomic_store(&shared->begun, 2);
    join_thread(thread);
}

static void share(int type, bool inherits, bool robust)
{
    pthread_mutexattr_t of_mutex;
    pthread_rwlockattr_t of_rwlock;
    pthread_condattr_t of_cond;
    pthread_barrierattr_t of_barrier;
    int fd = memfd_create("shared", 0);
    CHECK(fd >= 0 && ftruncate(fd, sizeof *shared) == 0 && dup2(fd, SHARED_FD) == SHARED_FD);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(shared != MAP_FAILED);
    CHECK(pthread_mutexattr_init(&of_mutex) == 0 &&
          pthread_mutexattr_setpshared(&of_mutex, 1) == 0 &&
          pthread_mutexattr_setrobust(&of_mutex, robust) == 0 &&
          pthread_mutexattr_settype(&of_mutex, type) == 0 &&
          pthread_mutexattr_setprotocol(&of_mutex,
                                        inherits ? PTHREAD_PRIO_INHERIT : PTHREAD_PRIO_NONE) == 0 &&
          pthread_mutex_init(&shared->mutex, &of_mutex) == 0);
    CHECK(pthread_rwlockattr_init(&of_rwlock) == 0 &&
          pthread_rwlockattr_setpshared(&of_rwlock, 1) == 0 &&
          pthread_rwlock_init(&shared->rwlock, &of_rwlock) == 0);
    CHECK(pthread_condattr_init(&of_cond) == 0 && pthread_condattr_setpshared(&of_cond, 1) == 0 &&
          pthread_cond_init(&shared->cond, &of_cond) == 0);
    CHECK(pthread_barrierattr_init(&of_barrier) == 0 &&
          pthread_barrierattr_setpshared(&of_barrier, 1) == 0 &&
          pthread_barrier_init(&shared->barrier, &of_barrier, 2) == 0);
    CHECK(sem_init(&shared->semaphore, 1, 0) == 0);
}

int mode_partner(const char *argument)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, SHARED_FD, 0);
    CHECK(shared != MAP_FAILED);
    const struct object *object = &objects[atoi(argument) / 2];
    if (atoi(argument) % 2)
        wait_for(object);
    else
        hold(object);
    return 0;
}

static const char *const partners[] = {"a child", "an executed program"};
static const char *const protocols[] = {"", ", inherits priority"};

static void run(size_t number, bool executed, bool waits, bool inherits, bool robust)
{
    const struct object *object = &objects[number];
    char argument[16];
    int status;
    snprintf(argument, sizeof argument, "%zu", 2 * number + waits);
    share(object->type, inherits, robust);
    pid_t partner = fork();
    if (partner == 0 && executed)
        run_again("--partner", argument);
    if (partner == 0)
        _exit(mode_partner(argument));
    if (waits)
        hold(object);
    else
        wait_for(object);
    CHECK(waitpid(partner, &status, 0) == partner);
    say(WIFSIGNALED(status) ? "partner killed" : "partner ended %d", WEXITSTATUS(status));
}

void family_shared(struct rows *rows)
{
    for (size_t i = 0; i < LENGTH(objects); i++)
        for (int kind = 0; kind < 16; kind++) {
            bool executed = kind & 1, waits = kind & 2, inherits = kind & 4, robust = !(kind & 8);
            bool has_mutex = objects[i].let_go == signal_cond || objects[i].hold == hold_mutex;
            if ((objects[i].let_go == NULL && (waits || !robust)) ||
                ((inherits || !robust) && !has_mutex))
                continue; /* this process would die, or wait for ever; there is no mutex */
            if (row_begins(rows, objects[i].function, "%s%s%s, %s %s", objects[i].how,
                           protocols[inherits], robust ? "" : ", not robust", partners[executed],
                           waits ? "waits" : "holds"))
                run(i, executed, waits, inherits, robust);
        }
}
