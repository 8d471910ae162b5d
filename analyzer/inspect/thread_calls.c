#include "analyzer/inspect/thread_calls.h"

#include <string.h>
#include <sys/syscall.h>

#include "analyzer/base/text.h"

/* clang-format off */
static const struct thread_function functions[] = {
    {"pthread_mutex_lock", REC_OP_MUTEX_LOCK},
    {"pthread_mutex_timedlock", REC_OP_MUTEX_LOCK},
    {"pthread_mutex_clocklock", REC_OP_MUTEX_LOCK},
    {"mtx_lock", REC_OP_MUTEX_LOCK},
    {"mtx_timedlock", REC_OP_MUTEX_LOCK},
    {"pthread_rwlock_rdlock", REC_OP_RWLOCK_RDLOCK},
    {"pthread_rwlock_timedrdlock", REC_OP_RWLOCK_RDLOCK},
    {"pthread_rwlock_clockrdlock", REC_OP_RWLOCK_RDLOCK},
    {"pthread_rwlock_wrlock", REC_OP_RWLOCK_WRLOCK},
    {"pthread_rwlock_timedwrlock", REC_OP_RWLOCK_WRLOCK},
    {"pthread_rwlock_clockwrlock", REC_OP_RWLOCK_WRLOCK},
    {"pthread_cond_wait", REC_OP_COND_WAIT},
    {"pthread_cond_timedwait", REC_OP_COND_WAIT},
    {"pthread_cond_clockwait", REC_OP_COND_WAIT},
    {"cnd_wait", REC_OP_COND_WAIT},
    {"cnd_timedwait", REC_OP_COND_WAIT},
    {"sem_wait", REC_OP_SEM_WAIT},
    {"sem_timedwait", REC_OP_SEM_WAIT},
    {"sem_clockwait", REC_OP_SEM_WAIT},
    {"pthread_join", REC_OP_THREAD_JOIN},
    {"pthread_timedjoin_np", REC_OP_THREAD_JOIN},
    {"pthread_clockjoin_np", REC_OP_THREAD_JOIN},
    {"thrd_join", REC_OP_THREAD_JOIN},
    {"pthread_barrier_wait", REC_OP_BARRIER_WAIT},
    {"pthread_once", REC_OP_ONCE_WAIT},
    {"call_once", REC_OP_ONCE_WAIT},
    {"syscall", REC_OP_NONE},
    {"read", REC_OP_IO_WAIT},
    {"readv", REC_OP_IO_WAIT},
    {"pread", REC_OP_IO_WAIT},
    {"pread64", REC_OP_IO_WAIT},
    {"recv", REC_OP_IO_WAIT},
    {"recvfrom", REC_OP_IO_WAIT},
    {"recvmsg", REC_OP_IO_WAIT},
    {"recvmmsg", REC_OP_IO_WAIT},
    {"write", REC_OP_IO_WAIT},
    {"writev", REC_OP_IO_WAIT},
    {"send", REC_OP_IO_WAIT},
    {"sendto", REC_OP_IO_WAIT},
    {"sendmsg", REC_OP_IO_WAIT},
    {"sendmmsg", REC_OP_IO_WAIT},
    {"sendfile", REC_OP_IO_WAIT},
    {"accept", REC_OP_IO_WAIT},
    {"accept4", REC_OP_IO_WAIT},
    {"connect", REC_OP_IO_WAIT},
    {"poll", REC_OP_IO_WAIT},
    {"ppoll", REC_OP_IO_WAIT},
    {"select", REC_OP_IO_WAIT},
    {"pselect", REC_OP_IO_WAIT},
    {"epoll_wait", REC_OP_IO_WAIT},
    {"epoll_pwait", REC_OP_IO_WAIT},
    {"epoll_pwait2", REC_OP_IO_WAIT},
    {"mq_receive", REC_OP_IO_WAIT},
    {"mq_timedreceive", REC_OP_IO_WAIT},
    {"mq_send", REC_OP_IO_WAIT},
    {"mq_timedsend", REC_OP_IO_WAIT},
    {"ioctl", REC_OP_IO_WAIT},
    {"fsync", REC_OP_IO_WAIT},
    {"fdatasync", REC_OP_IO_WAIT},
    {"open", REC_OP_FILE_OPEN},
    {"open64", REC_OP_FILE_OPEN},
    {"openat", REC_OP_FILE_OPEN},
    {"openat64", REC_OP_FILE_OPEN},
    {"openat2", REC_OP_FILE_OPEN},
    {"creat", REC_OP_FILE_OPEN},
    {"creat64", REC_OP_FILE_OPEN},
    {"fopen", REC_OP_FILE_OPEN},
    {"fopen64", REC_OP_FILE_OPEN},
    {"freopen", REC_OP_FILE_OPEN},
    {"freopen64", REC_OP_FILE_OPEN},
    {"flock", REC_OP_FILE_LOCK},
    {"lockf", REC_OP_FILE_LOCK},
    {"lockf64", REC_OP_FILE_LOCK},
    {"fcntl", REC_OP_FILE_LOCK},
    {"fcntl64", REC_OP_FILE_LOCK},
    {"msgrcv", REC_OP_MESSAGE_WAIT},
    {"msgsnd", REC_OP_MESSAGE_WAIT},
    {"semop", REC_OP_SEMOP_WAIT},
    {"semtimedop", REC_OP_SEMOP_WAIT},
    {"wait", REC_OP_PROCESS_WAIT},
    {"waitpid", REC_OP_PROCESS_WAIT},
    {"wait3", REC_OP_PROCESS_WAIT},
    {"wait4", REC_OP_PROCESS_WAIT},
    {"waitid", REC_OP_PROCESS_WAIT},
    {"sigwait", REC_OP_SIGNAL_WAIT},
    {"sigwaitinfo", REC_OP_SIGNAL_WAIT},
    {"sigtimedwait", REC_OP_SIGNAL_WAIT},
    {"sigsuspend", REC_OP_SIGNAL_WAIT},
    {"pause", REC_OP_SIGNAL_WAIT},
    {"nanosleep", REC_OP_SLEEP},
    {"clock_nanosleep", REC_OP_SLEEP},
    {"sleep", REC_OP_SLEEP},
    {"usleep", REC_OP_SLEEP},
    {"thrd_sleep", REC_OP_SLEEP},
};
/* clang-format on */

/* ---- Functions ---- */

const struct thread_function *thread_function_find(const char *symbol)
{
    const char *name;
    size_t length = text_plain_function(symbol, &name);
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        if (strncmp(functions[i].name, name, length) == 0 && functions[i].name[length] == '\0')
            return &functions[i];
    }
    return NULL;
}

bool thread_function_fits(const struct thread_function *function, const struct thread_call *call)
{
    /* What is all one to the kernel: it sees a futex. */
    static const enum rec_op by_futex[] = {
        REC_OP_MUTEX_LOCK, REC_OP_RWLOCK_RDLOCK, REC_OP_RWLOCK_WRLOCK, REC_OP_COND_WAIT,
        REC_OP_SEM_WAIT,   REC_OP_THREAD_JOIN,   REC_OP_BARRIER_WAIT,  REC_OP_ONCE_WAIT,
    };
    if (function->op == REC_OP_NONE || function->op == call->op)
        return true;
    for (size_t i = 0; i < sizeof(by_futex) / sizeof(by_futex[0]); i++) {
        if (function->op == by_futex[i])
            return call->op == REC_OP_FUTEX_WAIT;
    }
    return false;
}

int64_t thread_call_restarted(const struct thread_function *function)
{
    switch (function->op) {
    case REC_OP_NONE:
        return -1;
    case REC_OP_SLEEP:
        return SYS_clock_nanosleep;
    case REC_OP_IO_WAIT:
        return strcmp(function->name, "poll") == 0 ? SYS_poll : -1;
    default: {
        struct thread_call futex = {.op = REC_OP_FUTEX_WAIT};
        return thread_function_fits(function, &futex) ? SYS_futex : -1;
    }
    }
}

bool thread_function_is_outermost(const char *symbol)
{
    static const char *const names[] = {
        "start_thread",         "clone", "clone3", "thread_start", "start", "libc_start_main",
        "libc_start_call_main",
    };
    if (strncmp(symbol, "__GI_", 5) == 0)
        symbol += 5;
    symbol += strspn(symbol, "_");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strncmp(symbol, names[i], strlen(names[i])) == 0)
            return true;
    }
    return false;
}
