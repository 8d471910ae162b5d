/* Arguments that are not what they should be: memory that is not there or not to be written to,
 * descriptors of the wrong kind, times and counts out of range. Whatever the kernel or the C
 * library makes of it (EFAULT, or a fault), the preload changes nothing. */
#include "tests/conformance/conform.h"

#include <fcntl.h>
#include <grp.h>
#include <mqueue.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#include "tests/e2e/aliases.h"

int capset(void *header, const void *data);
int fcntl64(int fd, int command, ...);

/* --- pointers -------------------------------------------------------------------------------- */

static const char *const kinds[] = {
    "NULL", "address 8", "of the kernel", "without access", "read-only", "at the end of a page",
};
enum { KINDS = LENGTH(kinds), PAGE = 4096 };

static void *pointer(int kind)
{
    char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED);
    switch (kind) {
    case 0:
        return NULL;
    case 1:
        return (void *)8;
    case 2:
        return (void *)0xffff800000000000; /* nothing that comes meanwhile is mapped there */
    case 3:
        CHECK(mprotect(pages, PAGE, PROT_NONE) == 0);
        return pages;
    case 4:
        CHECK(mprotect(pages, PAGE, PROT_READ) == 0);
        return pages;
    default:
        CHECK(munmap(pages + PAGE, PAGE) == 0);
        return pages + PAGE - 4;
    }
}

static char bytes[256];
static int full, hollow, sock, listening, set, queue_fd, file; /* nothing here parks */

static void set_up(void)
{
    int fds[2], pair[2];
    char name[64];
    struct sockaddr_un_name {
        sa_family_t family;
    } any = {AF_UNIX};
    struct mq_attr attributes = {.mq_maxmsg = 2, .mq_msgsize = 8};
    CHECK(pipe2(fds, O_NONBLOCK) == 0 && write(fds[1], bytes, 100) == 100);
    full = fds[0];
    hollow = fds[1];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    CHECK(write(pair[1], bytes, 100) == 100);
    sock = pair[0];
    listening = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK(bind(listening, (void *)&any, sizeof any) == 0 && listen(listening, 2) == 0);
    set = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    CHECK(epoll_ctl(set, EPOLL_CTL_ADD, full, &event) == 0);
    snprintf(name, sizeof name, "/conformance-p%d", getpid());
    queue_fd = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0600, &attributes);
    CHECK(queue_fd >= 0 && mq_unlink(name) == 0 && mq_send(queue_fd, "ab", 2, 0) == 0);
    file = memfd_create("file", MFD_CLOEXEC);
    CHECK(file >= 0 && ftruncate(file, 100) == 0);
}

#define POINTERS(function, what, ...) POINTERS_FROM(0, function, what, __VA_ARGS__)
#define UNLESS_NULL(function, what, ...) POINTERS_FROM(1, function, what, __VA_ARGS__)
#define POINTERS_FROM(first, function, what, ...)                                                  \
    for (int kind = first; kind < KINDS; kind++)                                                   \
        ROW(function, what " %s", kinds[kind])                                                     \
        {                                                                                          \
            set_up();                                                                              \
            void *p = pointer(kind);                                                               \
            __VA_ARGS__;                                                                           \
        }

static int nothing_c11(void *arg)
{
    return arg != NULL;
}

static void say_ran(void)
{
    say("ran");
}

static void *nothing(void *arg)
{
    return arg;
}

static atomic_int ended_tid;

static void *end_at_once(void *arg)
{
    atomic_store(&ended_tid, gettid());
    return arg;
}

static int end_c11_at_once(void *arg)
{
    end_at_once(arg);
    return 1;
}

static void await_end(void)
{
    while (atomic_load(&ended_tid) == 0)
        sleep_ms(1);
    await_gone(atomic_load(&ended_tid));
}

static pthread_t ended_thread(void)
{
    pthread_t thread = start_thread(end_at_once, NULL);
    await_end();
    return thread;
}

static thrd_t ended_c11_thread(void)
{
    thrd_t thread;
    CHECK(thrd_create(&thread, end_c11_at_once, NULL) == thrd_success);
    await_end();
    return thread;
}

static pid_t ended_child(void)
{
    siginfo_t info;
    pid_t child = fork();
    if (child == 0)
        _exit(3);
    CHECK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
    return child;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t held_rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static sem_t semaphore; /* of which there is none */
static struct timespec soon = {0, 1000};

static pthread_mutex_t *lock(void)
{
    CHECK(pthread_mutex_lock(&held) == 0);
    return &held;
}

static pthread_rwlock_t *lock_rwlock(void)
{
    CHECK(pthread_rwlock_wrlock(&held_rwlock) == 0);
    return &held_rwlock;
}

static void pointers_of_descriptors(struct rows *rows)
{
    struct iovec vector = {bytes, 8};
    POINTERS(read, "to", LIBC(read(full, p, 50)))
    POINTERS(read, "to, nothing", LIBC(read(full, p, 0)))
    POINTERS(__read, "to", LIBC(__read(full, p, 50)))
    POINTERS(__read_chk, "to", LIBC(__read_chk(full, p, 50, 50)))
    POINTERS(readv, "vector", LIBC(readv(full, p, 1)))
    POINTERS(readv, "to", vector.iov_base = p; LIBC(readv(full, &vector, 1)))
    POINTERS(recv, "to", LIBC(recv(sock, p, 50, 0)))
    POINTERS(__recv_chk, "to", LIBC(__recv_chk(sock, p, 50, 50, 0)))
    POINTERS(recvfrom, "to", LIBC(recvfrom(sock, p, 50, 0, NULL, NULL)))
    POINTERS(recvfrom, "peer", socklen_t n = 50; LIBC(recvfrom(sock, bytes, 50, 0, p, &n)))
    POINTERS(recvfrom, "length", char peer[50]; LIBC(recvfrom(sock, bytes, 50, 0, (void *)peer, p)))
    POINTERS(__recvfrom_chk, "to", LIBC(__recvfrom_chk(sock, p, 50, 50, 0, NULL, NULL)))
    POINTERS(recvmsg, "message", LIBC(recvmsg(sock, p, 0)))
    POINTERS(recvmmsg, "messages", LIBC(recvmmsg(sock, p, 1, MSG_DONTWAIT, NULL)))
    POINTERS(recvmmsg, "time", LIBC(recvmmsg(sock, NULL, 0, MSG_DONTWAIT, p)))
    POINTERS(accept, "peer", socklen_t n = 50; LIBC(accept(listening, p, &n)))
    POINTERS(accept4, "length", LIBC(accept4(listening, (void *)bytes, p, 0)))
    POINTERS(connect, "peer", LIBC(connect(sock, p, 20)))
    POINTERS(write, "from", LIBC(write(hollow, p, 50)))
    POINTERS(__write, "from", LIBC(__write(hollow, p, 50)))
    POINTERS(writev, "vector", LIBC(writev(hollow, p, 1)))
    POINTERS(writev, "from", vector.iov_base = p; LIBC(writev(hollow, &vector, 1)))
    POINTERS(send, "from", LIBC(send(sock, p, 50, 0)))
    POINTERS(sendto, "from", LIBC(sendto(sock, p, 50, 0, NULL, 0)))
    POINTERS(sendto, "peer", LIBC(sendto(sock, bytes, 50, 0, p, 20)))
    POINTERS(sendmsg, "message", LIBC(sendmsg(sock, p, 0)))
    POINTERS(sendmmsg, "messages", LIBC(sendmmsg(sock, p, 1, 0)))
    POINTERS(sendfile, "at", LIBC(sendfile(sock, file, p, 8)))
    POINTERS(sendfile64, "at", LIBC(sendfile64(sock, file, p, 8)))
    POINTERS(epoll_wait, "to", LIBC(epoll_wait(set, p, 1, 0)))
    POINTERS(epoll_pwait, "to", LIBC(epoll_pwait(set, p, 1, 0, NULL)))
    POINTERS(epoll_pwait, "signals", struct epoll_event event;
             LIBC(epoll_pwait(set, &event, 1, 0, p)))
    POINTERS(epoll_pwait2, "time", struct epoll_event e; LIBC(epoll_pwait2(set, &e, 1, p, NULL)))
    POINTERS(mq_receive, "to", LIBC(mq_receive(queue_fd, p, 8, NULL)))
    POINTERS(mq_receive, "priority", LIBC(mq_receive(queue_fd, bytes, 8, p)))
    POINTERS(mq_timedreceive, "time", LIBC(mq_timedreceive(queue_fd, bytes, 8, NULL, p)))
    POINTERS(mq_send, "from", LIBC(mq_send(queue_fd, p, 8, 0)))
    POINTERS(mq_timedsend, "time", LIBC(mq_timedsend(queue_fd, bytes, 8, 0, p)))
    POINTERS(fcntl, "F_GETLK", LIBC(fcntl(file, F_GETLK, p)))
    POINTERS(fcntl, "F_SETLKW", LIBC(fcntl(file, F_SETLKW, p)))
    POINTERS(fcntl, "F_OFD_SETLKW", LIBC(fcntl(file, F_OFD_SETLKW, p)))
    POINTERS(fcntl64, "F_SETLKW", LIBC(fcntl64(file, F_SETLKW, p)))
}

static void pointers_of_polls(struct rows *rows)
{
    struct pollfd fds = {.fd = -1};
    POINTERS(poll, "fds", LIBC(poll(p, 3, 0)))
    POINTERS(poll, "fds, none", LIBC(poll(p, 0, 0)))
    POINTERS(poll, "fds, too many", LIBC(poll(p, 1 << 30, 0)))
    POINTERS(__poll, "fds", LIBC(__poll(p, 3, 0)))
    POINTERS(__poll_chk, "fds", LIBC(__poll_chk(p, 3, 0, 1000)))
    POINTERS(ppoll, "fds", LIBC(ppoll(p, 3, &soon, NULL)))
    POINTERS(ppoll, "time", LIBC(ppoll(&fds, p == NULL ? 10000000 : 1, p, NULL)))
    POINTERS(ppoll, "signals", LIBC(ppoll(&fds, 1, &soon, p)))
    POINTERS(__ppoll_chk, "fds", LIBC(__ppoll_chk(p, 3, &soon, NULL, 1000)))
    POINTERS(select, "in", struct timeval no = {0}; LIBC(select(64, p, NULL, NULL, &no)))
    POINTERS(select, "out", struct timeval no = {0}; LIBC(select(64, NULL, p, NULL, &no)))
    POINTERS(select, "except", struct timeval no = {0}; LIBC(select(64, NULL, NULL, p, &no)))
    POINTERS(select, "time", LIBC(select(p == NULL ? -1 : 0, NULL, NULL, NULL, p)))
    POINTERS(select, "out, 100000", struct timeval no = {0};
             LIBC(select(100000, NULL, p, NULL, &no)))
    POINTERS(__select, "in", struct timeval no = {0}; LIBC(__select(64, p, NULL, NULL, &no)))
    POINTERS(pselect, "in", LIBC(pselect(64, p, NULL, NULL, &soon, NULL)))
    POINTERS(pselect, "signals", LIBC(pselect(0, NULL, NULL, NULL, &soon, p)))
}

static void pointers_of_threads(struct rows *rows)
{
    POINTERS(pthread_create, "thread", POSIX(pthread_create(p, NULL, nothing, NULL)))
    POINTERS(pthread_join, "value", pthread_t ended = ended_thread(); POSIX(pthread_join(ended, p)))
    POINTERS(pthread_timedjoin_np, "time", pthread_t ended = ended_thread();
             POSIX(pthread_timedjoin_np(ended, NULL, p)))
    POINTERS(pthread_clockjoin_np, "time", pthread_t ended = ended_thread();
             POSIX(pthread_clockjoin_np(ended, NULL, CLOCK_MONOTONIC, p)))
    POINTERS(pthread_setname_np, "name", POSIX(pthread_setname_np(pthread_self(), p)))
    POINTERS(pthread_once, "control", POSIX(pthread_once(p, say_ran)))
    POINTERS(pthread_mutex_lock, "mutex", POSIX(pthread_mutex_lock(p)))
    POINTERS(pthread_mutex_timedlock, "time", POSIX(pthread_mutex_timedlock(&mutex, p)))
    UNLESS_NULL(pthread_mutex_timedlock, "time, held", POSIX(pthread_mutex_timedlock(lock(), p)))
    UNLESS_NULL(pthread_mutex_clocklock, "time, held",
                POSIX(pthread_mutex_clocklock(lock(), CLOCK_MONOTONIC, p)))
    POINTERS(pthread_rwlock_rdlock, "lock", POSIX(pthread_rwlock_rdlock(p)))
    POINTERS(pthread_rwlock_wrlock, "lock", POSIX(pthread_rwlock_wrlock(p)))
    POINTERS(pthread_rwlock_timedrdlock, "time, held",
             POSIX(pthread_rwlock_timedrdlock(lock_rwlock(), p)))
    POINTERS(pthread_rwlock_timedwrlock, "time", POSIX(pthread_rwlock_timedwrlock(&held_rwlock, p)))
    POINTERS(pthread_rwlock_clockrdlock, "time",
             POSIX(pthread_rwlock_clockrdlock(&held_rwlock, CLOCK_REALTIME, p)))
    POINTERS(pthread_rwlock_clockwrlock, "time",
             POSIX(pthread_rwlock_clockwrlock(&held_rwlock, CLOCK_REALTIME, p)))
    POINTERS(pthread_cond_timedwait, "time", POSIX(pthread_cond_timedwait(&cond, lock(), p)))
    POINTERS(pthread_cond_clockwait, "time",
             POSIX(pthread_cond_clockwait(&cond, lock(), CLOCK_MONOTONIC, p)))
    POINTERS(sem_timedwait, "time", LIBC(sem_timedwait(&semaphore, p)))
    POINTERS(sem_clockwait, "time", LIBC(sem_clockwait(&semaphore, CLOCK_MONOTONIC, p)))
    POINTERS(thrd_create, "thread", LIBC(thrd_create(p, nothing_c11, NULL)))
    POINTERS(thrd_join, "value", thrd_t ended = ended_c11_thread(); LIBC(thrd_join(ended, p)))
    POINTERS(thrd_sleep, "time", LIBC(thrd_sleep(p, NULL)))
    POINTERS(call_once, "control", call_once(p, say_ran))
    POINTERS(syscall, "futex word", LIBC(syscall(SYS_futex, p, 0, 7, NULL, NULL, 0)))
    POINTERS(syscall, "futex time", int word = 0; LIBC(syscall(SYS_futex, &word, 0, 1, p, NULL, 0)))
    POINTERS(syscall, "clone3", LIBC(syscall(SYS_clone3, p, 4)))
}

static void pointers_of_others(struct rows *rows)
{
    POINTERS(nanosleep, "time", LIBC(nanosleep(p, NULL)))
    POINTERS(nanosleep, "rest", LIBC(nanosleep(&soon, p)))
    POINTERS(__nanosleep, "time", LIBC(__nanosleep(p, NULL)))
    POINTERS(clock_nanosleep, "time", LIBC(clock_nanosleep(CLOCK_MONOTONIC, 0, p, NULL)))
    POINTERS(wait, "status", ended_child(); LIBC(wait(p) > 0 ? 1 : -1))
    POINTERS(__wait, "status", ended_child(); LIBC(__wait(p) > 0 ? 1 : -1))
    POINTERS(waitpid, "status", LIBC(waitpid(ended_child(), p, 0) > 0 ? 1 : -1))
    POINTERS(__waitpid, "status", LIBC(__waitpid(ended_child(), p, 0) > 0 ? 1 : -1))
    POINTERS(wait3, "usage", ended_child(); LIBC(wait3(NULL, 0, p) > 0 ? 1 : -1))
    POINTERS(wait4, "usage", LIBC(wait4(ended_child(), NULL, 0, p) > 0 ? 1 : -1))
    POINTERS(waitid, "info", LIBC(waitid(P_PID, (id_t)ended_child(), p, WEXITED)))
    POINTERS(sigwait, "signal", sigset_t s; sigfillset(&s); pthread_sigmask(SIG_BLOCK, &s, NULL);
             raise(SIGWINCH); POSIX(sigwait(&s, p)))
    POINTERS(sigtimedwait, "signals", LIBC(sigtimedwait(p, NULL, &soon)))
    POINTERS(sigwaitinfo, "info", sigset_t s; sigfillset(&s); pthread_sigmask(SIG_BLOCK, &s, NULL);
             raise(SIGWINCH); LIBC(sigwaitinfo(&s, p)))
    POINTERS(prctl, "PR_SET_NAME", LIBC(prctl(PR_SET_NAME, p)))
    POINTERS(prctl, "PR_GET_NAME", LIBC(prctl(PR_GET_NAME, p)))
    rows_alone(rows, true);
    POINTERS(setgroups, "groups", LIBC(setgroups(2, p)))
    POINTERS(initgroups, "user", LIBC(initgroups(p, 0)))
    POINTERS(capset, "header", LIBC(capset(p, NULL)))
}

void renew_pointers(void)
{
    mutex = held = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    held_rwlock = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
    cond = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    CHECK(sem_init(&semaphore, 0, 0) == 0);
    atomic_store(&ended_tid, 0);
}

void family_pointers(struct rows *rows)
{
    renew_pointers();
    pointers_of_descriptors(rows);
    pointers_of_polls(rows);
    pointers_of_threads(rows);
    pointers_of_others(rows);
}
