/* Sends requests to samples/server (or to the one in Go) and prints how many tasks it had before
 * and has after.
 *
 * Usage: load PORT [N]      (N requests to /sum, 50 by default; only to 127.0.0.1)
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { PATIENCE_S = 10, MAX_REQUESTS = 1000000 };

/* Asks for `path` and returns the answer's body in `body`. Ends the program when that fails. */
static void get(int port, const char *path, char *body, size_t body_bytes)
{
    char text[4096];
    size_t bytes = 0;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        perror("load: cannot connect");
        exit(1);
    }
    int head = snprintf(text, sizeof text, "GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n", path);
    if (send(fd, text, (size_t)head, MSG_NOSIGNAL) != head) {
        perror("load: cannot send");
        exit(1);
    }
    for (ssize_t got;
         bytes < sizeof text - 1 && (got = read(fd, text + bytes, sizeof text - 1 - bytes)) > 0;)
        bytes += (size_t)got;
    close(fd);
    text[bytes] = '\0';
    char *end_of_head = strstr(text, "\r\n\r\n");
    if (!end_of_head || strncmp(text, "HTTP/1.", 7) != 0 || strncmp(text + 8, " 200", 4) != 0) {
        fprintf(stderr, "load: no good answer to %s\n", path);
        exit(1);
    }
    snprintf(body, body_bytes, "%s", end_of_head + 4);
}

/* The number of tasks: the lowest answer that ten more in half a second have not gone below, since
 * the tasks of the requests before need a moment to end. */
static long count_tasks(int port)
{
    char body[64];
    long lowest = -1;
    for (int not_below = 0; not_below < 10; not_below++) {
        get(port, "/_count", body, sizeof body);
        long now = strtol(body, NULL, 10);
        if (lowest < 0 || now < lowest) {
            lowest = now;
            not_below = 0;
        }
        usleep(50000);
    }
    return lowest;
}

static long number(const char *text, long low, long high)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (*text == '\0' || *end || value < low || value > high) {
        fprintf(stderr, "usage: load PORT [N]\n");
        exit(64);
    }
    return value;
}

int main(int argc, char **argv)
{
    char body[64];
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: load PORT [N]\n");
        return 64;
    }
    int port = (int)number(argv[1], 1, 65535);
    long requests = argc > 2 ? number(argv[2], 0, MAX_REQUESTS) : 50;
    long before = count_tasks(port);
    for (long i = 0; i < requests; i++)
        get(port, "/sum", body, sizeof body);
    printf("tasks: %ld before, %ld after %ld requests\n", before, count_tasks(port), requests);
    return 0;
}
