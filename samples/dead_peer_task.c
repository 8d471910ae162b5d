/* dead_peer_read, on libtaskrt: the task that reads the answer waits for the descriptor. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "samples/sample_task.h"

static int connection[2]; /* [0] the client's end, [1] the peer's */

static void client(void *arg)
{
    char answer[16];
    (void)arg;
    while (read(connection[0], answer, sizeof answer) < 0 && taskrt_errno() == EAGAIN)
        taskrt_wait_fd(connection[0], POLLIN, TASKRT_NEVER); /* parks here */
}

static void call_peer(void)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, connection) != 0)
        abort();
    struct taskrt_task *task = sample_spawn("client", client, NULL); /* spawned here */
#ifdef FIXED
    shutdown(connection[1], SHUT_RDWR); /* a peer that gives up says so */
    sample_join(task);
#else
    (void)task;
#endif
}

static void run(void *arg)
{
    (void)arg;
    call_peer();
    sample_ready();
    sample_hold_task();
}

int main(void)
{
    return taskrt_run(run, NULL) == 0 ? 0 : 1;
}
