/* The book that the program `killed` keeps of itself, in a file that it has mapped shared: what
 * each of its threads is in at this moment. A kill leaves it as it is, and what is reported of the
 * recording is compared with it.
 *
 * What is about to happen is written before it does, and that it has happened afterwards: what the
 * recording says of the time between is right either way. Each field is written by one thread, and
 * a reader comes when all of them are gone, or reads what only grows.
 */
#ifndef LEAKSPY_E2E_KILLED_H
#define LEAKSPY_E2E_KILLED_H

#include <stdint.h>

enum { BOOK_PROCESSES = 64, BOOK_THREADS = 4096, BOOK_WAITS = 8 };

/* What a thread can be in: name, the report's op, its object's kind, the function that waits. */
#define BOOK_OPS(X)                                                                                \
    X(NOTHING, "", "", "")                                                                         \
    X(MUTEX, "mutex lock", "mutex", "in_mutex_lock")                                               \
    X(READ_LOCK, "rwlock rdlock", "rwlock", "in_rdlock")                                           \
    X(COND, "cond wait", "cond", "in_cond_wait")                                                   \
    X(SEMAPHORE, "sem wait", "semaphore", "in_sem_wait")                                           \
    X(READ, "io wait", "fd", "in_read")                                                            \
    X(WRITE, "io wait", "fd", "in_write")                                                          \
    X(JOIN, "thread join", "thread", "in_join")                                                    \
    X(CHILD, "process wait", "process", "in_waitpid")                                              \
    X(SLEEP, "sleep", "", "in_sleep")

enum book_op {
#define X(name, op, object, function) BOOK_##name,
    BOOK_OPS(X)
#undef X
};

/* One call that waits. Times are CLOCK_MONOTONIC. */
struct book_wait {
    uint32_t op; /* enum book_op; written last */
    uint32_t reserved;
    uint64_t object;
    uint64_t begin_ns;
    uint64_t end_ns; /* 0: it has not returned */
};

enum book_flag {
    BOOK_DETACHED = 1,
    BOOK_DEADLOCKED = 2, /* its last lock is one that it will never get, and another waits for it */
    BOOK_MAIN = 4,
    BOOK_MOVED = 8, /* set by a reader in its copy: the thread began or ended a wait meanwhile */
};

struct book_thread {
    int32_t tid;        /* by the thread, first of all */
    uint32_t flags;     /* by its creator */
    uint32_t creating;  /* by its creator: pthread_create is called; */
    uint32_t created;   /* it has returned */
    uint32_t returning; /* by the thread: its function returns now */
    uint32_t joining;   /* by who joins it: it will call pthread_join; */
    uint32_t joined;    /* that has returned */
    uint32_t waits;     /* how many waits it began; the last BOOK_WAITS are there */
    struct book_wait wait[BOOK_WAITS];
};

/* How a process is about to end; written before. */
enum book_end { BOOK_RUNS, BOOK_EXITS, BOOK_EXECS };

struct book_process {
    int32_t pid;       /* written last when a process begins */
    int32_t image;     /* how many programs it executed before */
    uint32_t end;      /* enum book_end */
    int32_t exit_code; /* written before end */
    uint32_t creating; /* sums of its threads' */
    uint32_t created;
    uint32_t returning;
    uint32_t joined;
    uint32_t threads; /* rows that were taken; the first is that of the thread that began it */
    struct book_thread thread[BOOK_THREADS];
};

struct book {
    uint32_t processes; /* rows that were taken */
    struct book_process process[BOOK_PROCESSES];
};

#endif
