/* Scenarios of `transparent`: threads. */
#include "tests/e2e/transparent.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <threads.h>
#include <ucontext.h>
#include <unistd.h>

/* ---- cancellation ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;
static int empty_pipe[2], full_pipe[2], sockets[2];
static pthread_t eternal;

static void park_in_cond(void)
{
    pthread_cond_wait(&cond, &mutex);
}

static void park_in_timed_cond(void)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 3600;
    pthread_cond_timedwait(&cond, &mutex, &deadline);
}

static void park_in_sem(void)
{
    sem_wait(&semaphore);
}

static void park_in_read(void)
{
    char byte;
    if (read(empty_pipe[0], &byte, 1) != 1)
        return;
}

static void park_in_write(void)
{
    static char bytes[1 << 20];
    if (write(full_pipe[1], bytes, sizeof bytes) < 0)
        return;
}

static void park_in_recv(void)
{
    char byte;
    recv(sockets[0], &byte, 1, 0);
}

static void park_in_poll(void)
{
    poll(&(struct pollfd){.fd = empty_pipe[0], .events = POLLIN}, 1, -1);
}

static void park_in_select(void)
{
    fd_set fds;
    FD_ZERO(&fds);
    FD_SET(empty_pipe[0], &fds);
    select(empty_pipe[0] + 1, &fds, NULL, NULL, NULL);
}

static void park_in_nanosleep(void)
{
    nanosleep(&(struct timespec){.tv_sec = 3600}, NULL);
}

static void park_in_usleep(void)
{
    usleep(3600U * 1000000);
}

static void park_in_pause(void)
{
    pause();
}

static void park_in_join(void)
{
    pthread_join(eternal, NULL);
}

static void park_in_waitpid(void)
{
    waitpid(-1, NULL, 0);
}

static const struct parker {
    const char *name;
    void (*park)(void);
} parkers[] = {
    {"cond_wait", park_in_cond},      {"cond_timedwait", park_in_timed_cond},
    {"sem_wait", park_in_sem},        {"read", park_in_read},
    {"write", park_in_write},         {"recv", park_in_recv},
    {"poll", park_in_poll},           {"select", park_in_select},
    {"nanosleep", park_in_nanosleep}, {"usleep", park_in_usleep},
    {"pause", park_in_pause},         {"join", park_in_join},
    {"waitpid", park_in_waitpid},
};

static void clean_up(void *arg)
{
    printf("%s: cleaned up, mutex %s\n", ((const struct parker *)arg)->name,
           pthread_mutex_trylock(&mutex) == EBUSY ? "held" : "free");
    pthread_mutex_unlock(&mutex);
}

static void *park_and_be_cancelled(void *arg)
{
    const struct parker *parker = arg;
    pthread_mutex_lock(&mutex);
    pthread_cleanup_push(clean_up, arg);
    parker->park();
    printf("%s: came back\n", parker->name);
    pthread_cleanup_pop(1);
    return NULL;
}

static void *sleep_for_ever(void *arg)
{
    for (;;)
        pause();
    return arg;
}

int cancel_parked(void)
{
    CHECK(sem_init(&semaphore, 0, 0) == 0 && pipe(empty_pipe) == 0 && pipe(full_pipe) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
    eternal = start_thread(sleep_for_ever, NULL);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(30);
        for (;;)
            pause();
    }
    for (size_t i = 0; i < sizeof parkers / sizeof *parkers; i++) {
        pthread_t thread = start_thread(park_and_be_cancelled, (void *)(uintptr_t)&parkers[i]);
        sleep_ms(i % 2 ? 0 : 30); /* before it is parked, or after */
        CHECK(pthread_cancel(thread) == 0);
        printf("%s: %s\n", parkers[i].name,
               join_thread(thread) == PTHREAD_CANCELED ? "cancelled" : "returned");
    }
    kill(child, 9);
    CHECK(waitpid(child, NULL, 0) == child);
    return 0;
}

static void *spin_and_be_cancelled(void *arg)
{
    atomic_bool *started = arg;
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    atomic_store(started, true);
    for (;;)
        ;
    return arg;
}

int cancel_asynchronously(void)
{
    static atomic_bool started;
    pthread_t thread = start_thread(spin_and_be_cancelled, &started);
    while (!atomic_load(&started))
        sleep_ms(1);
    pthread_cancel(thread);
    puts(join_thread(thread) == PTHREAD_CANCELED ? "cancelled" : "returned");
    return 0;
}

/* ---- threads that end ---- */

static atomic_int ended;

static void *lock_a_little(void *arg)
{
    for (int i = 0; i < 20; i++) {
        pthread_mutex_lock(&mutex);
        pthread_mutex_unlock(&mutex);
    }
    atomic_fetch_add(&ended, 1);
    return arg;
}

static void *start_and_join(void *arg)
{
    for (int i = 0; i < 200; i++)
        CHECK(join_thread(start_thread(lock_a_little, &ended)) == &ended);
    return arg;
}

int threads_come_and_go(void)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        threads[i] = start_thread(start_and_join, NULL);
    for (int i = 0; i < 4; i++)
        join_thread(threads[i]);
    printf("%d threads ended\n", atomic_load(&ended));
    return 0;
}

int detached_threads(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0);
    for (int i = 0; i < 100; i++)
        CHECK(pthread_create(&thread, &attributes, lock_a_little, NULL) == 0);
    for (int i = 0; i < 100; i++)
        CHECK(pthread_detach(start_thread(lock_a_little, NULL)) == 0);
    while (atomic_load(&ended) < 200)
        sleep_ms(1);
    printf("%d threads ended\n", atomic_load(&ended));
    return 0;
}

static void *outlive_main(void *arg)
{
    CHECK(pthread_join(*(pthread_t *)arg, NULL) == 0);
    puts("main has ended");
    sleep_ms(50);
    puts("the last thread ends");
    return NULL;
}

int main_thread_exits_first(void)
{
    static pthread_t self;
    self = pthread_self();
    start_thread(outlive_main, &self);
    pthread_exit(NULL);
}

static void *exit_process(void *arg)
{
    puts("a thread ends the process");
    exit(*(int *)arg);
}

int exit_from_a_thread(void)
{
    int status = 23;
    join_thread(start_thread(exit_process, &status));
    return 1;
}

static pthread_key_t key;

static void park_in_destructor(void *value)
{
    sem_wait(value);
    puts("destructor was woken");
}

static void *set_data(void *arg)
{
    CHECK(pthread_setspecific(key, arg) == 0);
    return arg;
}

int destructor_of_thread_data_parks(void)
{
    CHECK(sem_init(&semaphore, 0, 0) == 0);
    CHECK(pthread_key_create(&key, park_in_destructor) == 0);
    pthread_t thread = start_thread(set_data, &semaphore);
    sleep_ms(100);
    sem_post(&semaphore);
    puts(join_thread(thread) == &semaphore ? "joined" : "lost its value");
    return 0;
}

static void *use_a_little_stack(void *arg)
{
    char byte = 'x';
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    sem_wait(&semaphore);
    CHECK(write(empty_pipe[1], &byte, 1) == 1 && read(empty_pipe[0], &byte, 1) == 1);
    join_thread(start_thread(lock_a_little, NULL));
    sleep_ms(20);
    return arg;
}

int small_stacks(void)
{
    pthread_attr_t attributes;
    pthread_t threads[8];
    CHECK(pipe(empty_pipe) == 0 && sem_init(&semaphore, 0, 0) == 0);
    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setstacksize(&attributes, (size_t)PTHREAD_STACK_MIN) == 0);
    for (int i = 0; i < 8; i++)
        CHECK(pthread_create(&threads[i], &attributes, use_a_little_stack, NULL) == 0);
    sleep_ms(60);
    for (int i = 0; i < 8; i++)
        sem_post(&semaphore);
    for (int i = 0; i < 8; i++)
        join_thread(threads[i]);
    puts("enough stack");
    return 0;
}

static int c11_thread(void *arg)
{
    mtx_lock(arg);
    mtx_unlock(arg);
    thrd_exit(42);
}

int c11_threads(void)
{
    static mtx_t c11_mutex;
    thrd_t thread;
    int result;
    CHECK(mtx_init(&c11_mutex, mtx_recursive) == thrd_success);
    mtx_lock(&c11_mutex);
    mtx_lock(&c11_mutex);
    CHECK(thrd_create(&thread, c11_thread, &c11_mutex) == thrd_success);
    sleep_ms(30);
    mtx_unlock(&c11_mutex);
    mtx_unlock(&c11_mutex);
    CHECK(thrd_join(thread, &result) == thrd_success);
    printf("result %d\n", result);
    return 0;
}

/* ---- results and errors ---- */

int errno_is_kept(void)
{
    /* Free whenever it is wanted: the other thread has the other. */
    static pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
    char byte;
    struct timespec now;
    errno = 1234;
    pthread_t thread = start_thread(lock_a_little, NULL);
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    CHECK(sem_init(&semaphore, 0, 1) == 0 && sem_wait(&semaphore) == 0);
    clock_gettime(CLOCK_REALTIME, &now);
    printf("%d, ", pthread_mutex_timedlock(&own, &now));
    printf("%d, ", pthread_cond_timedwait(&cond, &own, &now) == ETIMEDOUT);
    printf("%d, ", pthread_mutex_unlock(&own));
    join_thread(thread);
    sleep_ms(1);
    printf("errno %d\n", errno);
    printf("read: %zd, errno %d\n", read(-1, &byte, 1), errno);
    printf("poll: %d, errno %d\n", poll(NULL, 0, 1), errno);
    printf("sem_timedwait: %d, ", sem_timedwait(&semaphore, &now));
    printf("errno %d\n", errno);
    printf("accept: %d, ", accept(0, NULL, NULL));
    printf("errno %d\n", errno);
    return 0;
}

static int once_calls;

static void once_routine(void)
{
    once_calls++;
}

static void once_cancelled(void)
{
    once_calls++;
    if (once_calls == 2)
        pthread_exit(NULL); /* unwinds out of pthread_once, which may then be called again */
}

static void *call_once_and_leave(void *arg)
{
    pthread_once(arg, once_cancelled);
    return arg;
}

int once_and_its_errors(void)
{
    static pthread_once_t first = PTHREAD_ONCE_INIT, second = PTHREAD_ONCE_INIT;
    pthread_once(&first, once_routine);
    pthread_once(&first, once_routine);
    printf("%d\n", once_calls);
    printf("%d\n", join_thread(start_thread(call_once_and_leave, &second)) == NULL);
    printf("%d\n", join_thread(start_thread(call_once_and_leave, &second)) == &second);
    printf("%d\n", once_calls);
    return 0;
}

int joins_and_their_errors(void)
{
    struct timespec deadline;
    void *result = NULL;
    pthread_t thread = start_thread(use_a_little_stack, &once_calls);
    CHECK(pipe(empty_pipe) == 0);
    clock_gettime(CLOCK_REALTIME, &deadline);
    printf("%d %d\n", pthread_tryjoin_np(thread, &result) == EBUSY, result == NULL);
    printf("%d\n", pthread_timedjoin_np(thread, &result, &deadline) == ETIMEDOUT);
    printf("%d\n", pthread_join(pthread_self(), NULL) == EDEADLK);
    sem_post(&semaphore);
    deadline.tv_sec += 3600;
    printf("%d %d\n", pthread_timedjoin_np(thread, &result, &deadline), result == &once_calls);
    thread = start_thread(lock_a_little, NULL);
    CHECK(pthread_detach(thread) == 0);
    char name[16] = "";
    printf("%d ", pthread_setname_np(pthread_self(), "a name that is too long") == ERANGE);
    printf("%d ", pthread_setname_np(pthread_self(), "short"));
    printf("%d %s\n", pthread_getname_np(pthread_self(), name, sizeof name), name);
    return 0;
}

int locks_and_their_errors(void)
{
    pthread_mutexattr_t attributes;
    pthread_mutex_t checked, robust;
    struct timespec past = {0};
    pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&checked, &attributes);
    printf("%d\n", pthread_mutex_lock(&checked));
    printf("%d\n", pthread_mutex_lock(&checked) == EDEADLK);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust, &attributes);
    printf("%d\n", pthread_mutex_timedlock(&robust, &past));
    printf("%d\n", pthread_rwlock_wrlock(&rwlock));
    printf("%d\n", pthread_rwlock_rdlock(&rwlock) == EDEADLK);
    printf("%d\n", pthread_rwlock_timedwrlock(&rwlock, &past) == EDEADLK);
    printf("%d\n",
           pthread_cond_timedwait(&cond, &checked, &(struct timespec){.tv_nsec = -1}) == EINVAL);
    return 0;
}

/* ---- stacks that are not the thread's own ---- */

static ucontext_t main_context, coroutine_context;

static void coroutine(void)
{
    for (int i = 0; i < 3; i++) {
        join_thread(start_thread(lock_a_little, NULL));
        sleep_ms(30);
        printf("coroutine %d\n", i);
        swapcontext(&coroutine_context, &main_context);
    }
}

int coroutines(void)
{
    static char stack[64 * 1024];
    getcontext(&coroutine_context);
    coroutine_context.uc_stack.ss_sp = stack;
    coroutine_context.uc_stack.ss_size = sizeof stack;
    coroutine_context.uc_link = &main_context;
    makecontext(&coroutine_context, coroutine, 0);
    for (int i = 0; i < 3; i++) {
        swapcontext(&main_context, &coroutine_context);
        pthread_mutex_lock(&mutex);
        printf("main %d\n", i);
        pthread_mutex_unlock(&mutex);
    }
    return 0;
}
