/* A program that has not ended when it seems to: `late_end MODE`. What a stream still holds is
 * written by libc at the very end, when the program has said how it exits:
 *   full      to a pipe that takes no more, for ever
 *   broken    to a pipe that nobody reads, and so a signal ends it
 * Its main thread ends before the others:
 *   left      another waits for a semaphore, for ever
 *   received  another receives from a socket, for an hour at most */
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/e2e/check.h"

static void fill(int fd)
{
    static const char bytes[4096];
    int flags = fcntl(fd, F_GETFL);
    CHECK(fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0);
    while (write(fd, bytes, sizeof bytes) > 0)
        ;
    CHECK(fcntl(fd, F_SETFL, flags) == 0);
}

static void leave_words_in_a_pipe(bool broken)
{
    int ends[2];
    CHECK(pipe(ends) == 0 && signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    FILE *stream = fdopen(ends[1], "w");
    CHECK(stream && fputs("the last words", stream) >= 0);
    if (broken)
        CHECK(close(ends[0]) == 0);
    else
        fill(ends[1]);
}

static void *never_posted(void *semaphore)
{
    sem_wait(semaphore);
    return NULL;
}

static void *never_sent(void *sockets)
{
    char byte;
    recv(((int *)sockets)[0], &byte, 1, 0);
    return NULL;
}

static void leave_to(void *(*wait)(void *), void *arg)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, wait, arg) == 0);
    pthread_exit(NULL);
}

static void leave(void)
{
    static sem_t semaphore;
    CHECK(sem_init(&semaphore, 0, 0) == 0);
    leave_to(never_posted, &semaphore);
}

static void leave_receiver(void)
{
    static int sockets[2];
    struct timeval hour = {.tv_sec = 3600};
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0 &&
          setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &hour, sizeof hour) == 0);
    leave_to(never_sent, sockets);
}

int main(int argc, char *argv[])
{
    CHECK(argc == 2);
    puts("ready");
    CHECK(fflush(stdout) == 0);
    if (strcmp(argv[1], "left") == 0)
        leave();
    if (strcmp(argv[1], "received") == 0)
        leave_receiver();
    leave_words_in_a_pipe(strcmp(argv[1], "broken") == 0);
    return 3;
}
