/* A small HTTP server on libtaskrt that leaks a task with every request to /sum.
 *
 *   /sum     adds up numbers in two tasks, each on its own half and with its own unbuffered
 * channel, and answers with the first half alone. Nobody receives from the second channel: that
 * task waits in its send for ever.
 *   /_count  the number of tasks that live
 *   /_stack  every task and what it waits on
 *
 * Usage: server [PORT]      (0, the default: any free port; only on 127.0.0.1)
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/taskrt.h"
#include "runtime/taskrt_inspect.h"

enum { REQUEST_BYTES = 4096, PATIENCE_S = 60, NUMBERS = 10000 };

struct answer {
    char text[64 * 1024];
    size_t bytes;
};

struct half {
    const int *numbers;
    size_t count;
    struct taskrt_chan *result;
};

static int numbers[NUMBERS];

static void sum(void *arg)
{
    struct half half = *(struct half *)arg;
    int64_t total = 0;
    free(arg);
    for (size_t i = 0; i < half.count; i++)
        total += half.numbers[i];
    taskrt_send(half.result, &total); /* parks here */
}

static int64_t sum_concurrent(const int *values, size_t count)
{
    int64_t total = 0;
    const struct taskrt_options options = {.name = "sum"};
    struct taskrt_chan *results[2];
    for (size_t i = 0; i < 2; i++) {
        struct half *half = malloc(sizeof *half);
        results[i] = taskrt_chan_create(sizeof total, 0);
        if (!half || !results[i])
            abort();
        *half = (struct half){values + i * (count / 2), count / 2, results[i]};
        if (taskrt_spawn(&options, sum, half, NULL) != 0) /* spawned here */
            abort();
    }
    taskrt_receive(results[0], &total); /* the second half is forgotten */
    taskrt_chan_destroy(results[0]);
    return total;
}

__attribute__((format(printf, 2, 3))) static void say(struct answer *answer, const char *format,
                                                      ...)
{
    size_t room = sizeof answer->text - answer->bytes;
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(answer->text + answer->bytes, room, format, arguments);
    va_end(arguments);
    if (bytes > 0)
        answer->bytes += (size_t)bytes < room ? (size_t)bytes : room - 1;
}

static void answer_sum(struct answer *answer)
{
    say(answer, "sum %" PRId64 "\n", sum_concurrent(numbers, NUMBERS));
}

static void answer_count(struct answer *answer)
{
    say(answer, "%" PRIu64 "\n", taskrt_inspect.live);
}

static const char *reason_text(uint32_t reason)
{
    static const char *const texts[] = {
        [TASKRT_REASON_NONE] = "nothing",        [TASKRT_REASON_SEND] = "send",
        [TASKRT_REASON_RECEIVE] = "receive",     [TASKRT_REASON_SELECT] = "select",
        [TASKRT_REASON_MUTEX] = "mutex",         [TASKRT_REASON_COND] = "condition",
        [TASKRT_REASON_WAITGROUP] = "waitgroup", [TASKRT_REASON_JOIN] = "join",
        [TASKRT_REASON_SLEEP] = "sleep",         [TASKRT_REASON_FD] = "descriptor",
    };
    return reason < sizeof texts / sizeof *texts ? texts[reason] : "something new";
}

/* Reads the tasks as any tool would, by the offsets that the runtime publishes. */
static void answer_stack(struct answer *answer)
{
    const struct taskrt_inspect *at = &taskrt_inspect;
    uint64_t task = __atomic_load_n(&at->head, __ATOMIC_ACQUIRE);
#define FIELD(type, name)                                                                          \
    __atomic_load_n((const type *)(uintptr_t)(task + at->name), __ATOMIC_RELAXED)
    for (; task; task = FIELD(uint64_t, next_all)) {
        uint32_t state = FIELD(uint32_t, state);
        const char *name = (const char *)(uintptr_t)(task + at->name);
        if (state == TASKRT_STATE_PARKED)
            say(answer, "task %" PRIu64 " %.31s: waits on %s 0x%" PRIx64 "\n", FIELD(uint64_t, id),
                name, reason_text(FIELD(uint32_t, reason)), FIELD(uint64_t, object));
        else if (state != TASKRT_STATE_FREE)
            say(answer, "task %" PRIu64 " %.31s: runs\n", FIELD(uint64_t, id), name);
    }
#undef FIELD
}

static const struct route {
    const char *path;
    void (*answer)(struct answer *answer);
} routes[] = {
    {"/sum", answer_sum},
    {"/_count", answer_count},
    {"/_stack", answer_stack},
};

static const struct route *find_route(const char *request)
{
    char path[64];
    if (sscanf(request, "GET %63[^ ?\r\n]", path) != 1)
        return NULL;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        if (strcmp(routes[i].path, path) == 0)
            return &routes[i];
    return NULL;
}

/* Reads up to the empty line that ends a request's head. */
static bool read_request(int fd, char request[REQUEST_BYTES])
{
    int64_t deadline_ns = taskrt_now_ns() + PATIENCE_S * TASKRT_S;
    size_t bytes = 0;
    while (bytes < REQUEST_BYTES - 1) {
        ssize_t got = read(fd, request + bytes, REQUEST_BYTES - 1 - bytes);
        if (got > 0) {
            bytes += (size_t)got;
            request[bytes] = '\0';
            if (strstr(request, "\r\n\r\n"))
                return true;
        } else if (got == 0 || taskrt_errno() != EAGAIN ||
                   taskrt_wait_fd(fd, POLLIN, deadline_ns) < 0) {
            return false;
        }
    }
    return false;
}

static bool write_all(int fd, const char *text, size_t bytes)
{
    int64_t deadline_ns = taskrt_now_ns() + PATIENCE_S * TASKRT_S;
    while (bytes > 0) {
        ssize_t put = write(fd, text, bytes);
        if (put > 0) {
            text += put;
            bytes -= (size_t)put;
        } else if (taskrt_errno() != EAGAIN || taskrt_wait_fd(fd, POLLOUT, deadline_ns) < 0) {
            return false;
        }
    }
    return true;
}

static void serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char request[REQUEST_BYTES], head[128];
    struct answer *answer = calloc(1, sizeof *answer);
    if (answer && read_request(fd, request)) {
        const struct route *route = find_route(request);
        if (route)
            route->answer(answer);
        else
            say(answer, "not found\n");
        int bytes =
            snprintf(head, sizeof head,
                     "HTTP/1.0 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
                     route ? "200 OK" : "404 Not Found", answer->bytes);
        if (write_all(fd, head, (size_t)bytes))
            write_all(fd, answer->text, answer->bytes);
    }
    free(answer);
    taskrt_fd_close(fd);
}

static void accept_clients(int listener)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            if (taskrt_spawn(&(struct taskrt_options){.name = "serve"}, serve, (void *)(intptr_t)fd,
                             NULL) != 0)
                close(fd);
        } else if (taskrt_errno() == EAGAIN) {
            /* Wakes once a second, so that a server with no clients does not look stuck itself. */
            taskrt_wait_fd(listener, POLLIN, taskrt_now_ns() + TASKRT_S);
        } else if (taskrt_errno() != EINTR && taskrt_errno() != ECONNABORTED) {
            taskrt_sleep(10 *
                         TASKRT_MS); /* out of descriptors or memory: let some connections end */
        }
    }
}

static void run(void *arg)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(*(const uint16_t *)arg),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 128) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &bytes) != 0) {
        perror("server: cannot listen");
        exit(1);
    }
    printf("listening on 127.0.0.1:%u\n", ntohs(address.sin_port));
    fflush(stdout);
    accept_clients(listener);
}

int main(int argc, char **argv)
{
    char *end = NULL;
    long port = argc > 1 ? strtol(argv[1], &end, 10) : 0;
    if (argc > 2 || (end && *end) || port < 0 || port > UINT16_MAX) {
        fprintf(stderr, "usage: server [PORT]\n");
        return 64;
    }
    for (int i = 0; i < NUMBERS; i++)
        numbers[i] = i;
    signal(SIGPIPE, SIG_IGN); /* a client that hangs up is an error of write, not the end */
    return taskrt_run(run, &(uint16_t){(uint16_t)port}) == 0 ? 0 : 1;
}
