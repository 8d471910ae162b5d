/* Errors that need no wait: descriptors and ids that are none, what would block and may not. */
#include "tests/conformance/conform.h"

#include <fcntl.h>
#include <mqueue.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static char bytes[8];
static struct iovec vector = {bytes, sizeof bytes};
static struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1};
static struct mmsghdr headers = {.msg_hdr = {.msg_iov = &vector, .msg_iovlen = 1}};
static struct epoll_event event;

#define OF_NONE(function, ...) ROW(function, "of what is not there") LIBC(__VA_ARGS__);

static void descriptors_of_none(struct rows *rows)
{
    OF_NONE(read, read(-1, bytes, 1))
    OF_NONE(readv, readv(-1, &vector, 1))
    OF_NONE(write, write(-1, bytes, 1))
    OF_NONE(writev, writev(-1, &vector, 1))
    OF_NONE(recv, recv(-1, bytes, 1, 0))
    OF_NONE(recvfrom, recvfrom(-1, bytes, 1, 0, NULL, NULL))
    OF_NONE(recvmsg, recvmsg(-1, &header, 0))
    OF_NONE(recvmmsg, recvmmsg(-1, &headers, 1, 0, NULL))
    OF_NONE(send, send(-1, bytes, 1, 0))
    OF_NONE(sendto, sendto(-1, bytes, 1, 0, NULL, 0))
    OF_NONE(sendmsg, sendmsg(-1, &header, 0))
    OF_NONE(sendmmsg, sendmmsg(-1, &headers, 1, 0))
    OF_NONE(accept, accept(-1, NULL, NULL))
    OF_NONE(accept4, accept4(-1, NULL, NULL, 0))
    OF_NONE(connect, connect(-1, (void *)bytes, sizeof bytes))
    OF_NONE(epoll_wait, epoll_wait(-1, &event, 1, -1))
    OF_NONE(epoll_pwait, epoll_pwait(-1, &event, 1, -1, NULL))
    OF_NONE(epoll_pwait2, epoll_pwait2(-1, &event, 1, NULL, NULL))
    OF_NONE(mq_receive, mq_receive(-1, bytes, sizeof bytes, NULL))
    OF_NONE(mq_send, mq_send(-1, bytes, 1, 0))
    OF_NONE(flock, flock(-1, LOCK_EX))
    OF_NONE(lockf, lockf(-1, F_LOCK, 0))
    OF_NONE(msgrcv, msgrcv(-1, bytes, 0, 0, 0))
    OF_NONE(msgsnd, msgsnd(-1, &(long){1}, 0, 0))
    OF_NONE(semop, semop(-1, &(struct sembuf){0}, 1))
    OF_NONE(semtimedop, semtimedop(-1, &(struct sembuf){0}, 1, NULL))
    OF_NONE(wait, wait(NULL))
    OF_NONE(waitpid, waitpid(1, NULL, 0))
    OF_NONE(wait4, wait4(1, NULL, 0, NULL))
    OF_NONE(waitid, waitid(P_PID, 1, NULL, WEXITED))
}

#define MAY_NOT_BLOCK(function, ...)                                                               \
    ROW(function, "that would block and may not")                                                  \
    {                                                                                              \
        int ends[2];                                                                               \
        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);                     \
        LIBC(__VA_ARGS__);                                                                         \
    }

static void calls_that_would_block(struct rows *rows)
{
    MAY_NOT_BLOCK(read, read(ends[0], bytes, 1))
    MAY_NOT_BLOCK(readv, readv(ends[0], &vector, 1))
    MAY_NOT_BLOCK(recv, recv(ends[0], bytes, 1, 0))
    MAY_NOT_BLOCK(recvfrom, recvfrom(ends[0], bytes, 1, 0, NULL, NULL))
    MAY_NOT_BLOCK(recvmsg, recvmsg(ends[0], &header, 0))
    MAY_NOT_BLOCK(recvmmsg, recvmmsg(ends[0], &headers, 1, 0, NULL))
}

void family_errors(struct rows *rows)
{
    descriptors_of_none(rows);
    calls_that_would_block(rows);
}

void renew_errors(void)
{
}
