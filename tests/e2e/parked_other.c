/* Rows of `parked`: file locks, message queues, System V semaphores, processes, signals, sleep. */
#include "tests/e2e/parked.h"

#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#include "tests/e2e/aliases.h"

/* ---- file locks: a file without a name, opened twice ---- */

static int file, other_file;

static uint64_t file_number(void)
{
    return (uint64_t)file;
}

static void make_file(void)
{
    char path[64];
    file = open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (file < 0) { /* a file system without O_TMPFILE */
        strcpy(path, "/tmp/leakspy-parked.XXXXXX");
        file = mkostemp(path, O_CLOEXEC);
        CHECK(file >= 0);
        other_file = open(path, O_RDWR | O_CLOEXEC);
        unlink(path);
    } else {
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
        other_file = open(path, O_RDWR | O_CLOEXEC);
    }
    CHECK(other_file >= 0);
}

static void lock_by_flock(void)
{
    make_file();
    CHECK(flock(other_file, LOCK_EX) == 0);
}

static void unlock_by_flock(void)
{
    CHECK(flock(other_file, LOCK_UN) == 0);
}

PARK(flock, .prepare = lock_by_flock, .release = unlock_by_flock, .object = file_number)
{
    CHECK(flock(file, LOCK_EX) == 0);
}

/* A child that lives until its parent is gone or it is told to go. */
static pid_t child;

static uint64_t child_number(void)
{
    return (uint64_t)child;
}

static void fork_child(void (*first)(int arg), int arg)
{
    pid_t parent = getpid();
    int ready[2];
    char byte;
    CHECK(pipe2(ready, O_CLOEXEC) == 0);
    fflush(NULL);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        if (first)
            first(arg);
        CHECK(write(ready[1], "x", 1) == 1);
        while (getppid() == parent)
            usleep(10000);
        _exit(0);
    }
    CHECK(read(ready[0], &byte, 1) == 1);
    close(ready[0]);
    close(ready[1]);
}

static void kill_child(void)
{
    CHECK(kill(child, SIGKILL) == 0);
}

static struct flock whole_file = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

static void lock_record(int fd)
{
    CHECK(fcntl(fd, F_SETLK, &whole_file) == 0);
}

/* Such locks belong to processes, so another one has to hold it. */
static void lock_by_child(void)
{
    make_file();
    fork_child(lock_record, file);
}

static void unlock_by_child(void)
{
    kill_child();
    CHECK(waitpid(child, NULL, 0) == child);
}

#define RECORD_ROW .prepare = lock_by_child, .release = unlock_by_child, .object = file_number

PARK(fcntl, RECORD_ROW)
{
    CHECK(fcntl(file, F_SETLKW, &whole_file) == 0);
}

PARK(fcntl64, RECORD_ROW)
{
    struct flock64 whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    CHECK(fcntl64(file, F_SETLKW, &whole) == 0);
}

PARK(lockf, RECORD_ROW)
{
    CHECK(lockf(file, F_LOCK, 0) == 0);
}

PARK(lockf64, RECORD_ROW)
{
    CHECK(lockf64(file, F_LOCK, 0) == 0);
}

static void lock_by_other_file(void)
{
    make_file();
    CHECK(fcntl(other_file, F_OFD_SETLK, &whole_file) == 0);
}

static void unlock_by_other_file(void)
{
    struct flock unlock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    CHECK(fcntl(other_file, F_OFD_SETLK, &unlock) == 0);
}

PARK(fcntl_ofd, .prepare = lock_by_other_file, .release = unlock_by_other_file,
     .object = file_number)
{
    CHECK(fcntl(file, F_OFD_SETLKW, &whole_file) == 0);
}

/* ---- POSIX message queues ---- */

static mqd_t queue;
static char message[8];

static uint64_t queue_number(void)
{
    return (uint64_t)queue;
}

static void make_queue(void)
{
    char name[64];
    struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = sizeof message};
    snprintf(name, sizeof name, "/leakspy-parked-%d", (int)getpid());
    queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
    CHECK(queue != (mqd_t)-1);
    CHECK(mq_unlink(name) == 0);
}

static void put_message(void)
{
    CHECK(mq_send(queue, "x", 1, 0) == 0);
}

static void take_message(void)
{
    CHECK(mq_receive(queue, message, sizeof message, NULL) == 1);
}

static void make_full_queue(void)
{
    make_queue();
    put_message();
}

#define QUEUE_RECEIVE_ROW .prepare = make_queue, .release = put_message, .object = queue_number
#define QUEUE_SEND_ROW .prepare = make_full_queue, .release = take_message, .object = queue_number

PARK(mq_receive, QUEUE_RECEIVE_ROW)
{
    CHECK(mq_receive(queue, message, sizeof message, NULL) == 1);
}

PARK(mq_timedreceive, QUEUE_RECEIVE_ROW)
{
    CHECK(mq_timedreceive(queue, message, sizeof message, NULL, in_an_hour(CLOCK_REALTIME)) == 1);
}

PARK(mq_send, QUEUE_SEND_ROW)
{
    CHECK(mq_send(queue, "x", 1, 0) == 0);
}

PARK(mq_timedsend, QUEUE_SEND_ROW)
{
    CHECK(mq_timedsend(queue, "x", 1, 0, in_an_hour(CLOCK_REALTIME)) == 0);
}

/* ---- System V message queues and semaphores: they outlive the process unless it removes them ----
 */

static int sysv_id;
static struct {
    long type;
    char text[8];
} sysv_message = {.type = 1};

static uint64_t sysv_number(void)
{
    return (uint64_t)sysv_id;
}

static void make_sysv_queue(void)
{
    sysv_id = msgget(IPC_PRIVATE, 0600);
    CHECK(sysv_id >= 0);
}

static void remove_sysv_queue(void)
{
    msgctl(sysv_id, IPC_RMID, NULL);
}

static void put_sysv_message(void)
{
    CHECK(msgsnd(sysv_id, &sysv_message, sizeof sysv_message.text, 0) == 0);
}

static void make_full_sysv_queue(void)
{
    struct msqid_ds settings;
    make_sysv_queue();
    CHECK(msgctl(sysv_id, IPC_STAT, &settings) == 0);
    settings.msg_qbytes = sizeof sysv_message.text;
    CHECK(msgctl(sysv_id, IPC_SET, &settings) == 0);
    put_sysv_message();
}

static void take_sysv_message(void)
{
    CHECK(msgrcv(sysv_id, &sysv_message, sizeof sysv_message.text, 0, 0) ==
          sizeof sysv_message.text);
}

/* When the program ends, the removal wakes the call, which is no failure of it. */
static bool sysv_removed(void)
{
    struct msqid_ds settings;
    return !passing && msgctl(sysv_id, IPC_STAT, &settings) != 0;
}

PARK(msgrcv, .prepare = make_sysv_queue, .release = put_sysv_message, .object = sysv_number,
     .clean = remove_sysv_queue)
{
    CHECK(msgrcv(sysv_id, &sysv_message, sizeof sysv_message.text, 0, 0) ==
              sizeof sysv_message.text ||
          sysv_removed());
}

PARK(msgsnd, .prepare = make_full_sysv_queue, .release = take_sysv_message, .object = sysv_number,
     .clean = remove_sysv_queue)
{
    CHECK(msgsnd(sysv_id, &sysv_message, sizeof sysv_message.text, 0) == 0 || sysv_removed());
}

static void make_sysv_semaphore(void)
{
    sysv_id = semget(IPC_PRIVATE, 1, 0600);
    CHECK(sysv_id >= 0);
}

static void remove_sysv_semaphore(void)
{
    semctl(sysv_id, 0, IPC_RMID);
}

static void raise_sysv_semaphore(void)
{
    CHECK(semctl(sysv_id, 0, SETVAL, 1) == 0);
}

#define SYSV_SEMAPHORE_ROW                                                                         \
    .prepare = make_sysv_semaphore, .release = raise_sysv_semaphore, .object = sysv_number,        \
    .clean = remove_sysv_semaphore

PARK(semop, SYSV_SEMAPHORE_ROW)
{
    CHECK(semop(sysv_id, &(struct sembuf){.sem_op = -1}, 1) == 0 || !passing);
}

PARK(semtimedop, SYSV_SEMAPHORE_ROW)
{
    CHECK(semtimedop(sysv_id, &(struct sembuf){.sem_op = -1}, 1, &one_hour) == 0 || !passing);
}

/* ---- processes ---- */

static void make_child(void)
{
    fork_child(NULL, 0);
}

#define WAIT_ROW .prepare = make_child, .release = kill_child

static void check_killed(int status)
{
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

PARK(wait, WAIT_ROW)
{
    int status;
    CHECK(wait(&status) == child);
    check_killed(status);
}

PARK(alias_wait, WAIT_ROW)
{
    int status;
    CHECK(__wait(&status) == child);
    check_killed(status);
}

PARK(alias_waitpid, WAIT_ROW, .object = child_number)
{
    int status;
    CHECK(__waitpid(child, &status, 0) == child);
    check_killed(status);
}

PARK(waitpid, WAIT_ROW, .object = child_number)
{
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    check_killed(status);
}

PARK(wait3, WAIT_ROW)
{
    int status;
    CHECK(wait3(&status, 0, NULL) == child);
    check_killed(status);
}

PARK(wait4, WAIT_ROW, .object = child_number)
{
    int status;
    CHECK(wait4(child, &status, 0, NULL) == child);
    check_killed(status);
}

PARK(waitid, WAIT_ROW, .object = child_number)
{
    siginfo_t info;
    CHECK(waitid(P_PID, (id_t)child, &info, WEXITED) == 0);
    CHECK(info.si_pid == child && info.si_status == SIGKILL);
}

PARK(raw_wait4, WAIT_ROW, .object = child_number)
{
    int status;
    CHECK(syscall(SYS_wait4, child, &status, 0, NULL) == child);
    check_killed(status);
}

PARK(raw_waitid, WAIT_ROW, .object = child_number)
{
    siginfo_t info;
    CHECK(syscall(SYS_waitid, P_PID, child, &info, WEXITED, NULL) == 0);
    CHECK(info.si_pid == child && info.si_status == SIGKILL);
}

/* ---- signals ---- */

static sigset_t *usr1(void)
{
    static sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    return &set;
}

static void block_usr1(void)
{
    CHECK(pthread_sigmask(SIG_BLOCK, usr1(), NULL) == 0);
}

static void send_usr1(void)
{
    CHECK(kill(getpid(), SIGUSR1) == 0);
}

#define SIGNAL_ROW .prepare = block_usr1, .release = send_usr1

PARK(sigwait, SIGNAL_ROW)
{
    int signal_number;
    CHECK(sigwait(usr1(), &signal_number) == 0 && signal_number == SIGUSR1);
}

PARK(sigwaitinfo, SIGNAL_ROW)
{
    CHECK(sigwaitinfo(usr1(), NULL) == SIGUSR1);
}

PARK(sigtimedwait, SIGNAL_ROW)
{
    CHECK(sigtimedwait(usr1(), NULL, &one_hour) == SIGUSR1);
}

static void ignore_quietly(int signal_number)
{
    (void)signal_number;
}

static void handle_usr1(void)
{
    CHECK(signal(SIGUSR1, ignore_quietly) != SIG_ERR);
}

static void signal_parked(void)
{
    CHECK(pthread_kill(parked_thread, SIGUSR1) == 0);
}

#define HANDLER_ROW .prepare = handle_usr1, .nudge = signal_parked

PARK(pause, HANDLER_ROW)
{
    CHECK(pause() == -1);
}

PARK(sigsuspend, HANDLER_ROW)
{
    sigset_t none;
    sigemptyset(&none);
    CHECK(sigsuspend(&none) == -1);
}

/* ---- sleep ---- */

PARK(nanosleep)
{
    CHECK(nanosleep(sleep_time(), NULL) == 0);
}

PARK(alias_nanosleep)
{
    CHECK(__nanosleep(sleep_time(), NULL) == 0);
}

PARK(clock_nanosleep)
{
    CHECK(clock_nanosleep(CLOCK_MONOTONIC, 0, sleep_time(), NULL) == 0);
}

PARK(sleep)
{
    CHECK(sleep(passing ? 1 : 3600) == 0);
}

PARK(usleep)
{
    CHECK(usleep(passing ? 1000 : 3600U * 1000000) == 0);
}

PARK(thrd_sleep, .c11 = true)
{
    CHECK(thrd_sleep(sleep_time(), NULL) == 0);
}
