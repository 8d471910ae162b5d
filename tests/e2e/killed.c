/* A program to be killed: `killed MODE BOOK SEED [IMAGE]`. It keeps a book of what its threads are
 * in (killed.h); every call of it that may wait is made in one of the functions in_*, and booked
 * there.
 */
#include "tests/e2e/killed.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/e2e/check.h"

static struct book *book;
static struct book_process *self;       /* of this process */
static __thread struct book_thread *me; /* of this thread */
static __thread uint64_t random_state;
static uint64_t seed;
static char *const *arguments;

static unsigned below(unsigned most)
{
    random_state = random_state * 6364136223846793005U + 1442695040888963407U;
    return (unsigned)(random_state >> 33) % most;
}

/* --- the book -------------------------------------------------------------------------------- */

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

static void add(uint32_t *count)
{
    __atomic_fetch_add(count, 1, __ATOMIC_SEQ_CST);
}

static struct book_thread *new_row(uint32_t flags)
{
    uint32_t row = __atomic_fetch_add(&self->threads, 1, __ATOMIC_SEQ_CST);
    if (row >= BOOK_THREADS)
        return NULL;
    self->thread[row].flags = flags;
    return &self->thread[row];
}

/* This process, or what it has become by fork or exec, begins. Before the first call that is
 * recorded. */
static void begin_process(int image)
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

static void will(enum book_end end, int exit_code)
{
    self->exit_code = exit_code;
    __atomic_store_n(&self->end, end, __ATOMIC_RELEASE);
}

/* --- the calls that wait --------------------------------------------------------------------- */

#define WAITS __attribute__((noinline)) static void

WAITS in_mutex_lock(pthread_mutex_t *mutex)
{
    begin(BOOK_MUTEX, (uint64_t)mutex);
    CHECK(pthread_mutex_lock(mutex) == 0);
    end();
}

WAITS in_rdlock(pthread_rwlock_t *lock)
{
    begin(BOOK_READ_LOCK, (uint64_t)lock);
    CHECK(pthread_rwlock_rdlock(lock) == 0);
    end();
}

WAITS in_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    begin(BOOK_COND, (uint64_t)cond);
    CHECK(pthread_cond_wait(cond, mutex) == 0);
    end();
}

WAITS in_sem_wait(sem_t *semaphore)
{
    begin(BOOK_SEMAPHORE, (uint64_t)semaphore);
    CHECK(sem_wait(semaphore) == 0);
    end();
}

WAITS in_read(int fd)
{
    char byte;
    begin(BOOK_READ, (uint64_t)fd);
    CHECK(read(fd, &byte, 1) == 1);
    end();
}

WAITS in_write(int fd)
{
    begin(BOOK_WRITE, (uint64_t)fd);
    CHECK(write(fd, "x", 1) == 1);
    end();
}

WAITS in_join(pthread_t thread)
{
    begin(BOOK_JOIN, (uint64_t)thread);
    CHECK(pthread_join(thread, NULL) == 0);
    end();
}

WAITS in_waitpid(pid_t pid)
{
    begin(BOOK_CHILD, (uint64_t)pid);
    CHECK(waitpid(pid, NULL, 0) == pid);
    end();
}

WAITS in_sleep(unsigned time_us)
{
    begin(BOOK_SLEEP, 0);
    usleep(time_us);
    end();
}

/* --- threads --------------------------------------------------------------------------------- */

struct life {
    void (*run)(struct life *life);
    struct book_thread *row;
    pthread_t thread;
    int number; /* among those that do the same */
};

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

/* False: there is no more room in the book. */
__attribute__((noinline)) static bool spawn(struct life *life, void (*run)(struct life *),
                                            uint32_t flags)
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

enum { PAIRS = 32 };

static struct locks {
    pthread_mutex_t never, ordered[4], pair[PAIRS], deadly[2];
    pthread_rwlock_t written;
    pthread_cond_t turned[PAIRS];
    int turn[PAIRS];
    sem_t posted[PAIRS][2], never_posted;
    int pipes[PAIRS][2][2], silent[2];
    int deadly_taken;
} locks;

static struct life eternal; /* one to be joined in vain */

/* All locks are free and everything is empty, also in a child whose parent's threads had them. */
static void make_locks(void)
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

static void never_locks(struct life *life)
{
    (void)life;
    in_mutex_lock(&locks.never);
}

static void never_reads_under_lock(struct life *life)
{
    (void)life;
    in_rdlock(&locks.written);
}

static void never_signalled(struct life *life)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    (void)life;
    in_mutex_lock(&mutex);
    for (;;)
        in_cond_wait(&cond, &mutex);
}

static void never_posted(struct life *life)
{
    (void)life;
    in_sem_wait(&locks.never_posted);
}

static void never_written(struct life *life)
{
    (void)life;
    in_read(locks.silent[0]);
}

static void never_joins(struct life *life)
{
    (void)life;
    in_join(eternal.thread);
}

/* Both take one lock, and then the other's. */
static void deadly(struct life *life)
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
static void locks_in_order(struct life *life)
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

static void takes_turns(struct life *life)
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

static void posts(struct life *life)
{
    int pair = life->number / 2 % PAIRS, side = life->number % 2;
    for (;;) {
        if (side == 0)
            work();
        sem_post(&locks.posted[pair][!side]);
        in_sem_wait(&locks.posted[pair][side]);
    }
}

static void sends(struct life *life)
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

static bool enough; /* spawners are to return */

enum { LITTER = 6 };

static void spawns(struct life *life)
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

/* --- modes ----------------------------------------------------------------------------------- */

struct role {
    void (*run)(struct life *life);
    int count;
    uint32_t flags;
};

enum { MOST_ROLES = 16 };

static const struct role everything[] = {
    {never_signalled, 2, 0},
    {never_locks, 3, 0},
    {never_reads_under_lock, 2, 0},
    {never_posted, 2, 0},
    {never_written, 2, 0},
    {never_joins, 1, 0},
    {deadly, 2, BOOK_DEADLOCKED},
    {locks_in_order, 5, 0},
    {takes_turns, 4, 0},
    {posts, 2, 0},
    {sends, 1, 0},
    {NULL, 0, 0},
};
static const struct role spawners[] = {{spawns, 4, 0}, {NULL, 0, 0}};
static const struct role some[] = {
    {never_signalled, 1, 0}, {locks_in_order, 3, 0}, {spawns, 1, 0}, {NULL, 0, 0}};
static const struct role busy[] = {{locks_in_order, 2, 0}, {spawns, 1, 0}, {NULL, 0, 0}};

static struct life lives[256];
static int life_count;

static void start(const struct role *roles, int times)
{
    if (roles == everything)
        CHECK(spawn(&eternal, never_signalled, 0));
    for (const struct role *role = roles; role->run != NULL; role++) {
        /* Two can deadlock, and no more. */
        int count = role->flags & BOOK_DEADLOCKED ? role->count : role->count * times;
        for (int i = 0; i < count; i++) {
            struct life *life = &lives[life_count++];
            life->number = i;
            CHECK(spawn(life, role->run, role->flags));
        }
    }
}

/* For the rest of its life. */
static void hold(void)
{
    for (;;)
        in_read(locks.silent[0]);
}

static void spawn_mode(void)
{
    start(spawners, 1);
    hold();
}

static void park_mode(void)
{
    start(everything, 1);
    hold();
}

static void sample_mode(void)
{
    start(everything, 7);
    hold();
}

static void abort_now(void)
{
    abort();
}

static void touch_nothing(void)
{
    *(volatile int *)(uintptr_t)below(1) = 1;
}

static void exit_now(void)
{
    will(BOOK_EXITS, 7);
    exit(7);
}

static void exit_past_handlers(void)
{
    will(BOOK_EXITS, 9);
    _exit(9);
}

static void exit_quickly(void)
{
    will(BOOK_EXITS, 11);
    quick_exit(11);
}

/* The others end, and the last one ends the process. */
static void leave(void)
{
    __atomic_store_n(&enough, true, __ATOMIC_RELEASE);
    will(BOOK_EXITS, 0);
    add(&self->returning);
    __atomic_store_n(&me->returning, 1, __ATOMIC_RELEASE);
    pthread_exit(NULL);
}

/* A child that does what processes do, and ends in one of all ways, or not. */
static void be_child(void)
{
    static void (*const ends[])(void) = {exit_now, exit_past_handlers, abort_now, hold};
    begin_process(0);
    life_count = 0;
    if (below(3) != 0) {
        make_locks();
        start(some, 1);
        in_sleep(below(10000));
    }
    ends[below(4)]();
}

enum { CHILDREN = 24 };

static void fork_children(bool only_exits)
{
    for (int i = 0; i < CHILDREN; i++) {
        pid_t pid = fork();
        if (pid == 0 && only_exits) {
            begin_process(0);
            if (below(2))
                in_sleep(below(1000));
            exit_past_handlers();
        }
        if (pid == 0)
            be_child();
        CHECK(pid > 0);
        if (only_exits)
            in_waitpid(pid);
        else
            in_sleep(below(4000));
    }
}

static void fork_mode(void)
{
    start(some, 1);
    fork_children(false);
    hold();
}

static void child_mode(void)
{
    start(some, 1);
    fork_children(true);
    exit_now();
}

static void exec_mode(void)
{
    char image[16];
    start(some, 1);
    in_sleep(below(12000));
    if (self->image == 20)
        hold();
    snprintf(image, sizeof image, "%d", self->image + 1);
    will(BOOK_EXECS, 0);
    execv("/proc/self/exe",
          (char *[]){arguments[0], arguments[1], arguments[2], arguments[3], image, NULL});
    CHECK(!"execv returned");
}

static void exit_mode(void)
{
    static void (*const ends[])(void) = {exit_now, exit_past_handlers, exit_quickly, leave};
    start(spawners, 1);
    in_sleep(below(30000));
    ends[below(sizeof ends / sizeof *ends)]();
}

static void abort_mode(void)
{
    start(some, 1);
    in_sleep(below(30000));
    abort_now();
}

static void segv_mode(void)
{
    start(some, 1);
    in_sleep(below(30000));
    touch_nothing();
}

static void exit_in_handler(int signal)
{
    (void)signal;
    if (below(2))
        exit_now();
    exit_past_handlers();
}

/* The signal comes to the main thread alone, which is in nothing then that exit cannot bear. */
static void handler_mode(void)
{
    sigset_t alarms;
    const struct sigaction action = {.sa_handler = exit_in_handler};
    struct itimerval timer = {.it_value.tv_usec = 1 + below(30000)};
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    CHECK(pthread_sigmask(SIG_BLOCK, &alarms, NULL) == 0 && sigaction(SIGALRM, &action, NULL) == 0);
    start(busy, 1);
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0 &&
          pthread_sigmask(SIG_UNBLOCK, &alarms, NULL) == 0);
    for (;;) {
        in_mutex_lock(&locks.ordered[0]);
        pthread_mutex_unlock(&locks.ordered[0]);
        if (below(100) == 0)
            in_sleep(below(100));
    }
}

static const struct {
    const char *name;
    void (*run)(void);
} modes[] = {
    {"spawn", spawn_mode},     {"park", park_mode},   {"sample", sample_mode}, {"fork", fork_mode},
    {"exec", exec_mode},       {"exit", exit_mode},   {"abort", abort_mode},   {"segv", segv_mode},
    {"handler", handler_mode}, {"child", child_mode},
};

int main(int argc, char *argv[])
{
    CHECK(argc >= 4);
    arguments = argv;
    int fd = open(argv[2], O_RDWR | O_CLOEXEC);
    book = mmap(NULL, sizeof *book, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(fd >= 0 && book != MAP_FAILED && close(fd) == 0);
    seed = strtoull(argv[3], NULL, 10);
    begin_process(argc > 4 ? atoi(argv[4]) : 0);
    make_locks();
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(modes[i].name, argv[1]) == 0)
            modes[i].run();
    CHECK(!"there is no such mode");
}
