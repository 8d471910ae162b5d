#include "tests/e2e/servers.h"

#include <stdio.h>

const struct server servers[SERVERS] = {
    [SERVER_TASKRT] = {.program = "server",
                       .source = "samples/server.c",
                       .runtime = "taskrt",
                       .comment = "/*",
                       .leak = {.verdict = "stuck",
                                .kind = "task",
                                .op = "chan send",
                                .call = "taskrt_send",
                                .count = 50,
                                .wait_function = "sum",
                                .wait_file = "server.c",
                                .spawn_function = "sum_concurrent",
                                .spawn_file = "server.c",
                                .deadline = NO_DEADLINE},
                       .handler = "answer_sum",
                       .handler_file = "server.c",
                       .handler_mark = "sum_concurrent(numbers, NUMBERS)",
                       .own_words = " sum: waits on send 0x"},
    [SERVER_LIBGO] = {.program = "server_go",
                      .source = "samples/server.go",
                      .runtime = "libgo",
                      .comment = "//",
                      .leak = {.verdict = "stuck",
                               .kind = "goroutine",
                               .op = "chan send",
                               .count = 50,
                               .wait_function = "main.sum",
                               .wait_file = "server.go",
                               .spawn_function = "main.sumConcurrent",
                               .spawn_file = "server.go",
                               .deadline = NO_DEADLINE},
                      /* of the library, which may be stripped */
                      .handler = "net/http.HandlerFunc.ServeHTTP",
                      .own_words = " [chan send]:\n"},
};

struct target *server_start(bool preload, const struct server *server, const char *const env[],
                            char port[16])
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", LEAKSPY_SAMPLES, server->program);
    struct target *target = target_start(preload, LIST(path), env);
    target_wait_port(target, port);
    return target;
}

struct expected_group server_leak(const struct server *server)
{
    char mark[32];
    struct expected_group leak = server->leak;
    snprintf(mark, sizeof mark, "%s parks here", server->comment);
    leak.wait_line = line_of(server->source, mark);
    snprintf(mark, sizeof mark, "%s spawned here", server->comment);
    leak.spawn_line = line_of(server->source, mark);
    return leak;
}
