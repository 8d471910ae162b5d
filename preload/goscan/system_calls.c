/* Numbers of system calls: the kernel's arch/x86/entry/syscalls/syscall_64.tbl. Arguments: their
 * manual pages, section 2. */
#include "preload/goscan/system_calls.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "preload/goscan/futex.h"
#include "preload/goscan/waited.h"

#ifndef IORING_ENTER_EXT_ARG_REG /* Linux 6.13 */
#define IORING_ENTER_EXT_ARG_REG (1U << 6)
#endif

/* What an argument says of the object. */
enum object_source {
    NO_OBJECT,
    NUMBER, /* an int: a descriptor, a pid, an id */
    WORD,   /* an address */
    POLLED, /* struct pollfd[], and how many behind it */
    CHOSEN, /* the sets of select */
    WAITED, /* the kind of id of waitid, and the id behind it */
    RING,   /* an int: a descriptor, or by the flags of io_uring_enter, none */
    UNTOLD, /* descriptors, but not which */
};

/* Whether the call ends by itself. */
enum deadline_source {
    NEVER,
    ALWAYS,
    POINTER,   /* when the argument is not NULL */
    MAY_COUNT, /* when the argument, an int of milliseconds, is not negative */
    EXTENDED,  /* when the argument points to a struct io_uring_getevents_arg that has one */
    RECEIVING, /* when the descriptor is a socket with a timeout for it, which is not known here */
    SENDING,
};

struct call_row {
    int16_t number;
    uint8_t op;         /* enum rec_op */
    uint8_t object;     /* enum object_source */
    uint8_t object_arg; /* which argument */
    uint8_t deadline;   /* enum deadline_source */
    uint8_t deadline_arg;
    const char *name;
};

#define CALL(name, op, object, object_arg, deadline, deadline_arg)                                 \
    {                                                                                              \
        SYS_##name, REC_OP_##op, object, object_arg, deadline, deadline_arg, #name                 \
    }

/* clang-format off */
static const struct call_row calls[] = {
    CALL(read, IO_WAIT, NUMBER, 0, RECEIVING, 0),
    CALL(readv, IO_WAIT, NUMBER, 0, RECEIVING, 0),
    CALL(pread64, IO_WAIT, NUMBER, 0, NEVER, 0),
    CALL(preadv, IO_WAIT, NUMBER, 0, NEVER, 0),
    CALL(preadv2, IO_WAIT, NUMBER, 0, NEVER, 0),
    CALL(write, IO_WAIT, NUMBER, 0, SENDING, 0),
    CALL(writev, IO_WAIT, NUMBER, 0, SENDING, 0),
    CALL(pwrite64, IO_WAIT, NUMBER, 0, NEVER, 0),
    CALL(pwritev, IO_WAIT, NUMBER, 0, NEVER, 0),
    CALL(pwritev2, IO_WAIT, NUMBER, 0, NEVER, 0),
    CALL(recvfrom, IO_WAIT, NUMBER, 0, RECEIVING, 0),
    CALL(recvmsg, IO_WAIT, NUMBER, 0, RECEIVING, 0),
    CALL(recvmmsg, IO_WAIT, NUMBER, 0, RECEIVING, 0), /* it looks at the time only when something arrives */
    CALL(sendto, IO_WAIT, NUMBER, 0, SENDING, 0),
    CALL(sendmsg, IO_WAIT, NUMBER, 0, SENDING, 0),
    CALL(sendmmsg, IO_WAIT, NUMBER, 0, SENDING, 0),
    CALL(sendfile, IO_WAIT, NUMBER, 0, SENDING, 0),
    CALL(splice, IO_WAIT, NUMBER, 0, NEVER, 0),
    CALL(tee, IO_WAIT, NUMBER, 0, NEVER, 0),
    CALL(vmsplice, IO_WAIT, NUMBER, 0, NEVER, 0),
    CALL(copy_file_range, IO_WAIT, NUMBER, 0, NEVER, 0),
    CALL(ioctl, IO_WAIT, NUMBER, 0, NEVER, 0),
    CALL(fsync, IO_WAIT, NUMBER, 0, NEVER, 0),
    CALL(fdatasync, IO_WAIT, NUMBER, 0, NEVER, 0),
    CALL(close, IO_WAIT, NUMBER, 0, NEVER, 0),
    CALL(accept, IO_WAIT, NUMBER, 0, RECEIVING, 0),
    CALL(accept4, IO_WAIT, NUMBER, 0, RECEIVING, 0),
    CALL(connect, IO_WAIT, NUMBER, 0, SENDING, 0),
    CALL(ppoll, IO_WAIT, POLLED, 0, POINTER, 2),
    CALL(pselect6, IO_WAIT, CHOSEN, 0, POINTER, 4),
    CALL(epoll_pwait, IO_WAIT, NUMBER, 0, MAY_COUNT, 3),
    CALL(epoll_pwait2, IO_WAIT, NUMBER, 0, POINTER, 3),
    CALL(io_uring_enter, IO_WAIT, RING, 0, EXTENDED, 4),
    CALL(io_getevents, IO_WAIT, UNTOLD, 0, POINTER, 4),
    CALL(io_pgetevents, IO_WAIT, UNTOLD, 0, POINTER, 4),
    CALL(mq_timedsend, IO_WAIT, NUMBER, 0, POINTER, 4),
    CALL(mq_timedreceive, IO_WAIT, NUMBER, 0, POINTER, 4),
    CALL(flock, FILE_LOCK, NUMBER, 0, NEVER, 0),
    CALL(fcntl, FILE_LOCK, NUMBER, 0, NEVER, 0),
    CALL(msgrcv, MESSAGE_WAIT, NUMBER, 0, NEVER, 0),
    CALL(msgsnd, MESSAGE_WAIT, NUMBER, 0, NEVER, 0),
    CALL(semop, SEMOP_WAIT, NUMBER, 0, NEVER, 0),
    CALL(semtimedop, SEMOP_WAIT, NUMBER, 0, POINTER, 3),
    CALL(wait4, PROCESS_WAIT, NUMBER, 0, NEVER, 0),
    CALL(waitid, PROCESS_WAIT, WAITED, 0, NEVER, 0),
    CALL(rt_sigtimedwait, SIGNAL_WAIT, NO_OBJECT, 0, POINTER, 2),
    CALL(rt_sigsuspend, SIGNAL_WAIT, NO_OBJECT, 0, NEVER, 0),
    CALL(nanosleep, SLEEP, NO_OBJECT, 0, ALWAYS, 0),
    CALL(clock_nanosleep, SLEEP, NO_OBJECT, 0, ALWAYS, 0),
    CALL(futex, FUTEX_WAIT, WORD, 0, POINTER, 3),
    CALL(futex_waitv, NONE, NO_OBJECT, 0, POINTER, 3),
    CALL(openat, FILE_OPEN, NO_OBJECT, 0, NEVER, 0),
    CALL(openat2, FILE_OPEN, NO_OBJECT, 0, NEVER, 0),
    CALL(clone, NONE, NO_OBJECT, 0, NEVER, 0), /* with CLONE_VFORK, until the child executes */
    CALL(clone3, NONE, NO_OBJECT, 0, NEVER, 0),
    CALL(execve, NONE, NO_OBJECT, 0, NEVER, 0),
    CALL(exit, NONE, NO_OBJECT, 0, NEVER, 0),
    CALL(exit_group, NONE, NO_OBJECT, 0, NEVER, 0),
    CALL(sync, NONE, NO_OBJECT, 0, NEVER, 0),
    CALL(newfstatat, NONE, NO_OBJECT, 0, NEVER, 0),
    CALL(getrandom, NONE, NO_OBJECT, 0, NEVER, 0),
    CALL(membarrier, NONE, NO_OBJECT, 0, NEVER, 0),
    CALL(munmap, NONE, NO_OBJECT, 0, NEVER, 0),
    CALL(mmap, NONE, NO_OBJECT, 0, NEVER, 0),
    CALL(mprotect, NONE, NO_OBJECT, 0, NEVER, 0),
    CALL(madvise, NONE, NO_OBJECT, 0, NEVER, 0),
    CALL(restart_syscall, NONE, NO_OBJECT, 0, ALWAYS, 0), /* of those with a timeout, and poll */
#ifdef SYS_poll /* newer architectures have what came after these alone */
    CALL(poll, IO_WAIT, POLLED, 0, MAY_COUNT, 2),
    CALL(select, IO_WAIT, CHOSEN, 0, POINTER, 4),
    CALL(epoll_wait, IO_WAIT, NUMBER, 0, MAY_COUNT, 3),
    CALL(pause, SIGNAL_WAIT, NO_OBJECT, 0, NEVER, 0),
    CALL(creat, FILE_OPEN, NO_OBJECT, 0, NEVER, 0),
    CALL(open, FILE_OPEN, NO_OBJECT, 0, NEVER, 0),
    CALL(vfork, NONE, NO_OBJECT, 0, NEVER, 0),
    CALL(unlink, NONE, NO_OBJECT, 0, NEVER, 0),
    CALL(rename, NONE, NO_OBJECT, 0, NEVER, 0),
    CALL(stat, NONE, NO_OBJECT, 0, NEVER, 0),
#endif
};
/* clang-format on */

static const struct call_row *row_of(int64_t number)
{
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if (calls[i].number == number)
            return &calls[i];
    }
    return NULL;
}

#define POLLED_AT_ONCE 64
#define MAX_POLLED 4096 /* entries that are looked at; of more, the others are taken as given */

/* The kernel leaves out entries with a descriptor below 0: who polls makes them so that it need not
 * move the others. */
static void read_polled(const uint64_t args[6], struct mem_reader *memory, struct thread_call *ret)
{
    struct pollfd part[POLLED_AT_ONCE];
    uint32_t count = (uint32_t)args[1], at = 0;
    ret->fds = true;
    for (uint32_t some; at < count && at < MAX_POLLED; at += some) {
        some = count - at < POLLED_AT_ONCE ? count - at : POLLED_AT_ONCE;
        if (!mem_read(memory, args[0] + at * sizeof(part[0]), part, some * sizeof(part[0])))
            break;
        for (uint32_t i = 0; i < some; i++) {
            if (part[i].fd >= 0 && ret->arg++ == 0)
                ret->object = (uint64_t)part[i].fd;
        }
    }
    if (ret->arg > 0)
        ret->arg += count - at;
}

static void read_chosen(const uint64_t args[6], struct mem_reader *memory, struct thread_call *ret)
{
    fd_set sets[3];
    int count = (int)args[0] < FD_SETSIZE ? (int)args[0] : FD_SETSIZE;
    memset(sets, 0, sizeof(sets));
    /* The kernel reads whole words of as many bits as it was given. */
    size_t bytes = count > 0 ? (size_t)(count + 63) / 64 * 8 : 0;
    for (size_t i = 0; bytes && i < 3; i++) {
        if (args[1 + i] && !mem_read(memory, args[1 + i], &sets[i], bytes))
            memset(&sets[i], 0, sizeof(sets[i]));
    }
    ret->fds = true;
    for (int fd = 0; fd < count; fd++) {
        if (!FD_ISSET(fd, &sets[0]) && !FD_ISSET(fd, &sets[1]) && !FD_ISSET(fd, &sets[2]))
            continue;
        if (ret->arg++ == 0)
            ret->object = (uint64_t)fd;
    }
}

static void read_waited(const uint64_t args[6], struct thread_call *ret)
{
    ret->object = (uint64_t)waited_process((idtype_t)args[0], (id_t)args[1]);
    ret->has_pidfd = (idtype_t)args[0] == P_PIDFD;
    ret->pidfd = ret->has_pidfd ? (int32_t)args[1] : 0;
}

/* A ring that was registered is called by its number among those. */
static void read_ring(const uint64_t args[6], struct thread_call *ret)
{
    ret->fds = (args[3] & IORING_ENTER_REGISTERED_RING) != 0;
    ret->object = ret->fds ? 0 : (uint64_t)(int64_t)(int32_t)args[0];
}

/* With another one of the flags of io_uring_enter, the argument is a number of its own kind. */
static bool has_extended_deadline(const uint64_t args[6], uint64_t arg, struct mem_reader *memory)
{
    struct io_uring_getevents_arg extended;
    return (args[3] & (IORING_ENTER_EXT_ARG | IORING_ENTER_EXT_ARG_REG)) == IORING_ENTER_EXT_ARG &&
           mem_read(memory, arg, &extended, sizeof(extended)) && extended.ts != 0;
}

static bool has_deadline(const struct call_row *row, const uint64_t args[6],
                         struct mem_reader *memory)
{
    uint64_t arg = args[row->deadline_arg];
    switch (row->deadline) {
    case ALWAYS:
        return true;
    case POINTER:
        return arg != 0;
    case MAY_COUNT:
        return (int32_t)arg >= 0;
    case EXTENDED:
        return has_extended_deadline(args, arg, memory);
    default:
        return false;
    }
}

static int socket_timeout(const struct call_row *row)
{
    return row->deadline == RECEIVING ? SO_RCVTIMEO : row->deadline == SENDING ? SO_SNDTIMEO : 0;
}

/* Calls that park by one of several commands, with any other one they do not. */
static bool is_other_command(int64_t number, const uint64_t args[6])
{
    if (number == SYS_fcntl)
        return args[1] != F_SETLKW && args[1] != F_OFD_SETLKW;
    return number == SYS_futex && !futex_waits((uint32_t)args[1]);
}

void thread_call_read(int64_t number, const uint64_t args[6], struct mem_reader *memory,
                      struct thread_call *ret)
{
    const struct call_row *row = row_of(number);
    memset(ret, 0, sizeof(*ret));
    if (!row)
        return;
    ret->name = row->name;
    if (is_other_command(number, args))
        return;
    ret->op = row->op;
    ret->deadline = has_deadline(row, args, memory);
    ret->timeout = socket_timeout(row);
    switch (row->object) {
    case NUMBER:
        ret->object = (uint64_t)(int64_t)(int32_t)args[row->object_arg];
        break;
    case WORD:
        ret->object = args[row->object_arg];
        break;
    case POLLED:
        read_polled(args, memory, ret);
        break;
    case CHOSEN:
        read_chosen(args, memory, ret);
        break;
    case WAITED:
        read_waited(args, ret);
        break;
    case RING:
        read_ring(args, ret);
        break;
    case UNTOLD:
        ret->fds = true;
        break;
    default:
        break;
    }
}
