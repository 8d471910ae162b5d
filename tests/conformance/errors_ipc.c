/* Errors of message queues, of System V, and of locks of files. */
#include "tests/conformance/errors.h"

#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- message queues -------------------------------------------------------------------------- */

static char bytes[9000];
static const struct timespec long_past = {1, 0}, none = {1, -1};

#define QUEUE(name, ...)                                                                           \
    static long name(mqd_t queue, size_t n, const struct timespec *until)                          \
    {                                                                                              \
        (void)until;                                                                               \
        return __VA_ARGS__;                                                                        \
    }
QUEUE(do_receive, mq_receive(queue, bytes, n, NULL))
QUEUE(do_timedreceive, mq_timedreceive(queue, bytes, n, NULL, until))
QUEUE(do_send, mq_send(queue, bytes, n, 1))
QUEUE(do_timedsend, mq_timedsend(queue, bytes, n, 1, until))

static const struct {
    const char *function;
    long (*call)(mqd_t queue, size_t n, const struct timespec *until);
    bool sends;
    size_t wrong_size;
} queues[] = {{"mq_receive", do_receive, false, 1},
              {"mq_timedreceive", do_timedreceive, false, 1},
              {"mq_send", do_send, true, 9},
              {"mq_timedsend", do_timedsend, true, 9}},
  timed[] = {{"mq_timedreceive", do_timedreceive, false, 0},
             {"mq_timedsend", do_timedsend, true, 0}};

/* One in which the call would block; `flags` are of mq_open. */
static mqd_t queue_for(bool sends, int flags)
{
    char name[64];
    struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 8};
    snprintf(name, sizeof name, "/conformance-e%d", getpid());
    mqd_t queue = mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &attributes);
    mqd_t again = mq_open(name, flags);
    CHECK(queue >= 0 && again >= 0 && mq_unlink(name) == 0);
    CHECK(!sends || mq_send(queue, "full", 4, 0) == 0);
    return again;
}

static void notification_errors(struct rows *rows)
{
    struct sigevent by_signal = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGURG};
    struct sigevent by_nothing = {.sigev_notify = 77};
    FAILS(mq_notify, EBADF, "of no queue", LIBC(mq_notify(-1, &by_signal)))
    FAILS(mq_notify, EBUSY, "that tells somebody already", mqd_t queue = queue_for(false, O_RDWR);
          CHECK(mq_notify(queue, &by_signal) == 0); LIBC(mq_notify(queue, &by_signal)))
    FAILS(mq_notify, EINVAL, "in no way", LIBC(mq_notify(queue_for(false, O_RDWR), &by_nothing)))
}

static void queue_errors(struct rows *rows)
{
    notification_errors(rows);
    struct timespec hour = in_an_hour(CLOCK_REALTIME);
    EACH(queues, EAGAIN, "that may not block",
         LIBC(queues[i].call(queue_for(queues[i].sends, O_RDWR | O_NONBLOCK), 8, &hour)))
    EACH(queues, EBADF, "of no queue", LIBC(queues[i].call(-1, 8, &hour)))
    EACH(queues, EBADF, "open for the other way",
         LIBC(queues[i].call(queue_for(false, queues[i].sends ? O_RDONLY : O_WRONLY), 8, &hour)))
    EACH(queues, EINTR, "when a signal comes", mqd_t queue = queue_for(queues[i].sends, O_RDWR);
         INTERRUPTED(LIBC(queues[i].call(queue, 8, &hour))))
    EACH(queues, EMSGSIZE, "of another size",
         LIBC(queues[i].call(queue_for(false, O_RDWR), queues[i].wrong_size, &hour)))
    EACH(timed, EINVAL, "a time that is none",
         LIBC(timed[i].call(queue_for(timed[i].sends, O_RDWR), 8, &none)))
    EACH(timed, ETIMEDOUT, "until long ago",
         LIBC(timed[i].call(queue_for(timed[i].sends, O_RDWR), 8, &long_past)))
}

/* --- System V -------------------------------------------------------------------------------- */

static int id;
static struct {
    long type;
    char text[8];
} message = {1, "text"};

static void remove_queue(void)
{
    CHECK(msgctl(id, IPC_RMID, NULL) == 0);
}

static void remove_set(void)
{
    CHECK(semctl(id, 0, IPC_RMID) == 0);
}

static void make_queue(int mode)
{
    id = msgget(IPC_PRIVATE, mode);
    CHECK(id >= 0);
}

static void make_full_queue(void)
{
    make_queue(0600);
    while (msgsnd(id, &message, sizeof message.text, IPC_NOWAIT) == 0)
        ;
}

/* On a queue that is there for this row. */
#define ON_QUEUE(function, error, when, make, ...)                                                 \
    if (row_begins(rows, #function, "%s, %s", #error, when)) {                                     \
        make;                                                                                      \
        __VA_ARGS__;                                                                               \
        msgctl(id, IPC_RMID, NULL);                                                                \
    }
#define RECEIVE(to, n, how) LIBC(msgrcv(id, to, n, 0, how))
#define SEND(from, n, how) LIBC(msgsnd(id, from, n, how))

static void message_errors(struct rows *rows)
{
    ON_QUEUE(msgrcv, E2BIG, "more than there is room for", make_full_queue(),
             RECEIVE(&message, 1, 0))
    ON_QUEUE(msgrcv, EFAULT, "to nowhere", make_full_queue(), RECEIVE(nowhere, 8, 0))
    ON_QUEUE(msgrcv, EIDRM, "of one that is removed", make_queue(0600),
             WHILE_BLOCKED(remove_queue, RECEIVE(&message, 8, 0)))
    ON_QUEUE(msgrcv, EINTR, "when a signal comes", make_queue(0600),
             INTERRUPTED(RECEIVE(&message, 8, 0)))
    ON_QUEUE(msgrcv, EINVAL, "less than nothing", make_queue(0600), RECEIVE(&message, -1UL, 0))
    FAILS(msgrcv, EINVAL, "of none", LIBC(msgrcv(-1, &message, 8, 0, 0)))
    ON_QUEUE(msgrcv, ENOMSG, "that may not block", make_queue(0600),
             RECEIVE(&message, 8, IPC_NOWAIT))
    ON_QUEUE(msgsnd, EAGAIN, "that may not block", make_full_queue(), SEND(&message, 8, IPC_NOWAIT))
    ON_QUEUE(msgsnd, EFAULT, "from nowhere", make_queue(0600), SEND(nowhere, 8, 0))
    ON_QUEUE(msgsnd, EIDRM, "of one that is removed", make_full_queue(),
             WHILE_BLOCKED(remove_queue, SEND(&message, 8, 0)))
    ON_QUEUE(msgsnd, EINTR, "when a signal comes", make_full_queue(),
             INTERRUPTED(SEND(&message, 8, 0)))
    ON_QUEUE(msgsnd, EINVAL, "of no type", make_queue(0600), SEND(&(long[4]){0}, 8, 0))
    ON_QUEUE(msgsnd, EINVAL, "less than nothing", make_queue(0600), SEND(&message, -1UL, 0))
    FAILS(msgsnd, EINVAL, "of none", LIBC(msgsnd(-1, &message, 8, 0)))
}

static long do_semop(struct sembuf *ops, size_t n)
{
    return semop(id, ops, n);
}

static long do_semtimedop(struct sembuf *ops, size_t n)
{
    return semtimedop(id, ops, n, &(struct timespec){3600, 0});
}

static const struct {
    const char *function;
    long (*call)(struct sembuf *ops, size_t n);
} sets[] = {{"semop", do_semop}, {"semtimedop", do_semtimedop}};

static void make_set(int mode)
{
    id = semget(IPC_PRIVATE, 1, mode);
    CHECK(id >= 0);
}

#define ON_SET(error, when, op, ...)                                                               \
    for (size_t i = 0; i < LENGTH(sets); i++)                                                      \
        if (row_begins(rows, sets[i].function, "%s, %s", #error, when)) {                          \
            struct sembuf ops = op;                                                                \
            make_set(0600);                                                                        \
            __VA_ARGS__;                                                                           \
            semctl(id, 0, IPC_RMID);                                                               \
        }
#define OP(...)                                                                                    \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static void set_errors(struct rows *rows)
{
    static struct sembuf many[1000];
    EACH(sets, E2BIG, "too many", make_set(0600); LIBC(sets[i].call(many, LENGTH(many)));
         remove_set())
    EACH(sets, EFAULT, "of nowhere", make_set(0600); LIBC(sets[i].call(nowhere, 1)); remove_set())
    ON_SET(EAGAIN, "that may not block", OP(0, -1, IPC_NOWAIT), LIBC(sets[i].call(&ops, 1)))
    ON_SET(EFBIG, "of one beyond the last", OP(7, 1, 0), LIBC(sets[i].call(&ops, 1)))
    ON_SET(EIDRM, "of a set that is removed", OP(0, -1, 0),
           WHILE_BLOCKED(remove_set, LIBC(sets[i].call(&ops, 1))))
    ON_SET(EINTR, "when a signal comes", OP(0, -1, 0), INTERRUPTED(LIBC(sets[i].call(&ops, 1))))
    ON_SET(EINVAL, "none", OP(0, 1, 0), LIBC(sets[i].call(&ops, 0)))
    ON_SET(ERANGE, "more than the most", OP(0, 32767, 0), LIBC(sets[i].call(&ops, 1));
           LIBC(sets[i].call(&ops, 1)))
    FAILS(semtimedop, EAGAIN, "in time", make_set(0600);
          LIBC(semtimedop(id, &(struct sembuf){0, -1, 0}, 1, &(struct timespec){0, 1000}));
          remove_set())
}

#define AS_NOBODY(...)                                                                             \
    do {                                                                                           \
        pid_t child_ = fork();                                                                     \
        if (child_ == 0) {                                                                         \
            become_nobody();                                                                       \
            __VA_ARGS__;                                                                           \
            _exit(0);                                                                              \
        }                                                                                          \
        waitpid(child_, NULL, 0);                                                                  \
    } while (0)

/* What nobody may but who made it; gone with root's right. Removed by its maker's child. */
static void permissions(struct rows *rows)
{
    rows_alone(rows, true);
    FAILS(msgrcv, EACCES, "of one that is not permitted", make_queue(0);
          AS_NOBODY(RECEIVE(&message, 8, IPC_NOWAIT)); remove_queue())
    FAILS(msgsnd, EACCES, "of one that is not permitted", make_queue(0);
          AS_NOBODY(SEND(&message, 8, IPC_NOWAIT)); remove_queue())
    EACH(sets, EACCES, "of a set that is not permitted", make_set(0);
         AS_NOBODY(LIBC(sets[i].call(&(struct sembuf){0, 1, IPC_NOWAIT}, 1))); remove_set())
    rows_alone(rows, false);
}

/* --- locks of files -------------------------------------------------------------------------- */

static int file, file_again; /* the same one, opened twice */

static void open_file(void)
{
    char path[64];
    file = memfd_create("locked", MFD_CLOEXEC);
    CHECK(file >= 0 && ftruncate(file, 100) == 0);
    snprintf(path, sizeof path, "/proc/thread-self/fd/%d", file);
    file_again = open(path, O_RDWR | O_CLOEXEC);
    CHECK(file_again >= 0);
}

static int read_only(void)
{
    char path[64];
    open_file();
    snprintf(path, sizeof path, "/proc/thread-self/fd/%d", file);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static long lock_with(long (*lock)(int fd, off_t at), off_t at)
{
    return lock(file, at);
}

static long fcntl_lock(int fd, off_t at)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
    return fcntl(fd, F_SETLKW, &lock);
}

int fcntl64(int fd, int command, ...);

static long fcntl64_lock(int fd, off_t at)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
    return fcntl64(fd, F_SETLKW, &lock);
}

static long lockf_lock(int fd, off_t at)
{
    CHECK(fd < 0 || lseek(fd, at, SEEK_SET) == at);
    return lockf(fd, F_LOCK, 1);
}

static long lockf64_lock(int fd, off_t at)
{
    CHECK(fd < 0 || lseek(fd, at, SEEK_SET) == at);
    return lockf64(fd, F_LOCK, 1);
}

static const struct {
    const char *function;
    long (*lock)(int fd, off_t at);
} locks[] = {{"fcntl", fcntl_lock},
             {"fcntl64", fcntl64_lock},
             {"lockf", lockf_lock},
             {"lockf64", lockf64_lock}};

/* A child has locked byte 1; then it waits for byte 0, or just waits, until its pipe is closed. */
static pid_t start_holder(bool waits)
{
    int begun[2], let_go[2];
    char byte;
    CHECK(pipe(begun) == 0 && pipe(let_go) == 0);
    pid_t child = fork();
    if (child == 0) {
        close(let_go[1]);
        CHECK(fcntl_lock(file, 1) == 0 && write(begun[1], "x", 1) == 1);
        if (waits)
            fcntl_lock(file, 0);
        else
            CHECK(read(let_go[0], &byte, 1) == 0);
        _exit(0);
    }
    CHECK(child > 0 && read(begun[0], &byte, 1) == 1);
    if (waits)
        await_blocked(child, NULL);
    return child;
}

static void deadlock(long (*lock)(int fd, off_t at))
{
    open_file();
    CHECK(fcntl_lock(file, 0) == 0);
    start_holder(true);
    LIBC(lock_with(lock, 1));
    close(file); /* and with it its locks */
}

static void interrupt(long (*lock)(int fd, off_t at))
{
    open_file();
    start_holder(false);
    INTERRUPTED(LIBC(lock_with(lock, 1)));
}

static void lock_errors(struct rows *rows)
{
    EACH(locks, EBADF, "of no descriptor", LIBC(locks[i].lock(-1, 0)))
    EACH(locks, EBADF, "of a file to read from", LIBC(locks[i].lock(read_only(), 0)))
    EACH(locks, EDEADLK, "that wait for each other", deadlock(locks[i].lock))
    EACH(locks, EINTR, "when a signal comes", interrupt(locks[i].lock))
    FAILS(lockf, EAGAIN, "that may not block", open_file(); start_holder(false);
          LIBC(lockf(file, F_TLOCK, 0)))
    FAILS(lockf, EINVAL, "in no way", open_file(); LIBC(lockf(file, 99, 0)))
    FAILS(lockf64, EAGAIN, "that may not block", open_file(); start_holder(false);
          LIBC(lockf64(file, F_TLOCK, 0)))
    FAILS(lockf64, EINVAL, "in no way", open_file(); LIBC(lockf64(file, 99, 0)))
    FAILS(flock, EBADF, "of no descriptor", LIBC(flock(-1, LOCK_EX)))
    FAILS(flock, EINTR, "when a signal comes", open_file(); CHECK(flock(file_again, LOCK_EX) == 0);
          INTERRUPTED(LIBC(flock(file, LOCK_EX))))
    FAILS(flock, EINVAL, "in no way", open_file(); LIBC(flock(file, 0)))
    FAILS(flock, EAGAIN, "that may not block", open_file(); CHECK(flock(file_again, LOCK_EX) == 0);
          LIBC(flock(file, LOCK_EX | LOCK_NB)))
}

/* --- fcntl ----------------------------------------------------------------------------------- */

static const struct {
    const char *function;
    int (*call)(int fd, int command, ...);
} fcntls[] = {{"fcntl", fcntl}, {"fcntl64", fcntl64}};

static int pipe_with_much(void)
{
    static const char much[20000];
    int fds[2];
    CHECK(pipe(fds) == 0 && write(fds[1], much, sizeof much) == sizeof much);
    return fds[1];
}

static void fcntl_errors(struct rows *rows)
{
    struct flock lock = {.l_type = F_WRLCK};
    EACH(fcntls, EAGAIN, "a lock that may not block", open_file(); start_holder(false);
         LIBC(fcntls[i].call(file, F_SETLK, &lock)))
    EACH(fcntls, EBADF, "of no descriptor", LIBC(fcntls[i].call(-1, F_GETFD)))
    EACH(fcntls, EBUSY, "a pipe less than what it holds",
         LIBC(fcntls[i].call(pipe_with_much(), F_SETPIPE_SZ, 4096)))
    EACH(fcntls, EFAULT, "a lock of nowhere", open_file();
         LIBC(fcntls[i].call(file, F_SETLK, nowhere)))
    EACH(fcntls, EINVAL, "no command", open_file(); LIBC(fcntls[i].call(file, 9999, 0)))
    EACH(fcntls, EMFILE, "a copy, with no number left", open_file(); limit_to(RLIMIT_NOFILE, 3);
         LIBC(fcntls[i].call(file, F_DUPFD, 0)))
    EACH(fcntls, ENOTDIR, "to be told of a file", open_file();
         LIBC(fcntls[i].call(file, F_NOTIFY, DN_CREATE)))
    EACH(fcntls, EPERM, "a seal of what cannot have one", open_file();
         LIBC(fcntls[i].call(file, F_ADD_SEALS, F_SEAL_GROW)))
}

void errors_of_ipc(struct rows *rows)
{
    queue_errors(rows);
    message_errors(rows);
    set_errors(rows);
    permissions(rows);
    lock_errors(rows);
    fcntl_errors(rows);
}
