/* A client sends its request and reads the answer, on a connection whose other end is open but will
 * never say anything: the peer took the request and forgot it. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "samples/sample.h"

static int connection[2]; /* [0] the client's end, [1] the peer's */

static void *client(void *arg)
{
    char request[] = "ping", answer[16];
    (void)arg;
    if (write(connection[0], request, sizeof request) != sizeof request)
        abort();
    ssize_t bytes = read(connection[0], answer, sizeof answer); /* parks here */
    return bytes < 0 ? arg : NULL;
}

static void call_peer(void)
{
    pthread_t thread;
    char request[16];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, connection) != 0)
        abort();
    pthread_create(&thread, NULL, client, NULL); /* spawned here */
    if (read(connection[1], request, sizeof request) <= 0)
        abort();
#ifdef FIXED
    shutdown(connection[1], SHUT_RDWR); /* a peer that gives up says so */
    pthread_join(thread, NULL);
#endif
}

int main(void)
{
    call_peer();
    sample_ready();
    sample_hold();
    return 0;
}
