/* Threads parked in ways that take more than one look to tell: the names say what each of them is
 * in. All of them stay there. */
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "samples/sample.h"
#include "tests/e2e/check.h"
#include "tests/e2e/odd_jump.h"

static pthread_mutex_t robust, inheriting, shared;
static pthread_mutex_t self = PTHREAD_MUTEX_INITIALIZER, mixed = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t given_up = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_rwlock_t read_rwlock;
static sem_t semaphore, go_on;
static pthread_barrier_t both_have_one;
static pthread_t joiners[2];
static int word;

static void call_me(const char *name)
{
    CHECK(pthread_setname_np(pthread_self(), name) == 0);
}

static void *in_robust(void *arg)
{
    call_me("robust");
    pthread_mutex_lock(&robust);
    return arg;
}

static void *in_inheriting(void *arg)
{
    call_me("inheriting");
    pthread_mutex_lock(&inheriting);
    return arg;
}

/* Woken, and not let in. */
static void *in_given_up(void *arg)
{
    call_me("given up");
    pthread_mutex_lock(&given_up);
    sem_post(&go_on);
    pthread_cond_wait(&cond, &given_up);
    return arg;
}

static void wait_in_handler(int number)
{
    (void)number;
    sem_post(&go_on);
    while (sem_wait(&semaphore) != 0)
        ;
}

static void *in_handler(void *arg)
{
    call_me("handler");
    sem_post(&go_on);
    for (;;)
        pause();
    return arg;
}

static void *lock_for_writing_first(void *arg)
{
    call_me("first rwlock");
    pthread_rwlock_wrlock(&rwlock);
    pthread_barrier_wait(&both_have_one);
    pthread_mutex_lock(&mixed);
    return arg;
}

static void *lock_mutex_first(void *arg)
{
    call_me("first mutex");
    pthread_mutex_lock(&mixed);
    pthread_barrier_wait(&both_have_one);
    pthread_rwlock_rdlock(&rwlock);
    return arg;
}

static void *behind_readers(void *arg)
{
    call_me("writer");
    pthread_rwlock_wrlock(&read_rwlock);
    return arg;
}

/* Which lets the writer go first. */
static void *behind_a_writer(void *arg)
{
    call_me("reader");
    while (pthread_rwlock_tryrdlock(&read_rwlock) == 0) {
        pthread_rwlock_unlock(&read_rwlock);
        usleep(1000);
    }
    pthread_rwlock_rdlock(&read_rwlock);
    return arg;
}

static void *join_the_other(void *arg)
{
    call_me("joiner");
    while (sem_wait(&go_on) != 0)
        ;
    pthread_join(arg == joiners ? joiners[1] : joiners[0], NULL);
    return arg;
}

static void *lock_twice(void *arg)
{
    call_me("twice");
    pthread_mutex_lock(&self);
    pthread_mutex_lock(&self);
    return arg;
}

/* As where another process has it, by an id that in its own PID namespace is the same as ours. */
static void *in_shared(void *arg)
{
    call_me("namesake");
    pthread_mutex_lock(&shared);
    pthread_mutex_lock(&shared);
    return arg;
}

static void *behind_a_jump(void *arg)
{
    call_me("jump");
    CHECK(jump_to_wait(&semaphore) == 0);
    return arg;
}

static void in_context(void)
{
    while (sem_wait(&semaphore) != 0)
        ;
}

/* On a stack of its own making. */
static void *run_context(void *arg)
{
    static char stack[65536];
    static ucontext_t back, context;
    call_me("context");
    CHECK(getcontext(&context) == 0);
    context.uc_stack.ss_sp = stack;
    context.uc_stack.ss_size = sizeof(stack);
    context.uc_link = &back;
    makecontext(&context, in_context, 0);
    CHECK(swapcontext(&back, &context) == 0);
    return arg;
}

/* Without the C library. */
static void *in_bare_call(void *arg)
{
    long result;
    call_me("bare");
    register long timeout __asm__("r10") = 0;
    for (;;)
        __asm__ volatile("syscall"
                         : "=a"(result)
                         : "0"(SYS_futex), "D"(&word), "S"(FUTEX_WAIT), "d"(0), "r"(timeout)
                         : "rcx", "r11", "memory");
    return arg;
}

/* Interrupted by a stop of the whole process, and taken up again. */
static void *asleep(void *arg)
{
    struct timespec time = {.tv_sec = 3600};
    call_me("asleep");
    sem_post(&go_on);
    nanosleep(&time, NULL);
    return arg;
}

static void *running(void *arg)
{
    call_me("running");
    for (;;)
        __asm__ volatile("pause");
    return arg;
}

static pthread_t start(void *(*function)(void *), void *arg)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, function, arg) == 0);
    return thread;
}

static void await(void)
{
    while (sem_wait(&go_on) != 0)
        ;
}

int main(void)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust, &attributes);
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&inheriting, &attributes);
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&shared, &attributes);
    pthread_barrier_init(&both_have_one, NULL, 2);
    sem_init(&semaphore, 0, 0);
    sem_init(&go_on, 0, 0);
    pthread_mutex_lock(&robust);
    pthread_mutex_lock(&inheriting);
    pthread_rwlockattr_t preferring;
    pthread_rwlockattr_init(&preferring);
    pthread_rwlockattr_setkind_np(&preferring, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&read_rwlock, &preferring);
    for (int i = 0; i < 3; i++)
        CHECK(pthread_rwlock_rdlock(&read_rwlock) == 0);
    CHECK(signal(SIGUSR1, wait_in_handler) != SIG_ERR);

    start(in_robust, NULL);
    start(in_inheriting, NULL);
    start(in_given_up, NULL);
    await();
    pthread_mutex_lock(&given_up); /* it waits for the condition now */
    pthread_cond_signal(&cond);
    pthread_t thread = start(in_handler, NULL);
    await();
    pthread_kill(thread, SIGUSR1);
    await();
    start(lock_for_writing_first, NULL);
    start(lock_mutex_first, NULL);
    start(behind_readers, NULL);
    start(behind_a_writer, NULL);
    start(lock_twice, NULL);
    start(in_shared, NULL);
    start(in_bare_call, NULL);
    start(behind_a_jump, NULL);
    start(run_context, NULL);
    start(running, NULL);
    start(asleep, NULL);
    await();
    joiners[0] = start(join_the_other, &joiners[0]);
    joiners[1] = start(join_the_other, &joiners[1]);
    sem_post(&go_on);
    sem_post(&go_on);
    sample_ready();
    sample_hold();
    _exit(0);
}
