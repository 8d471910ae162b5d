/* redis under the preload and without: it serves the same, and what it has acknowledged is there
 * after it was killed and restarted. */
#include "tests/e2e/harness.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define REDIS_SERVER "/usr/bin/redis-server"
#define REDIS_CLI "/usr/bin/redis-cli"
#define REDIS_BENCHMARK "/usr/bin/redis-benchmark"

static char folder[64], redis_socket[96];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/leakspy-redis.XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(redis_socket, sizeof redis_socket, "%s/socket", folder);
    return 0;
}

static int remove_folder(void **state)
{
    end_all_targets(state);
    struct outcome outcome = run_program(false, LIST("/bin/rm", "-rf", folder), NULL);
    outcome_deinit(&outcome);
    return 0;
}

static void need_redis(void)
{
    static const char *const programs[] = {REDIS_SERVER, REDIS_CLI, REDIS_BENCHMARK};
    for (size_t i = 0; i < LENGTH(programs); i++) {
        if (access(programs[i], X_OK) == 0)
            continue;
        fprintf(stderr, "%s is not here\n", programs[i]);
        skip();
    }
}

static char *redis(const char *const command[])
{
    const char *argv[12] = {REDIS_CLI, "-s", redis_socket};
    size_t count = 3;
    while (*command && count < LENGTH(argv) - 1)
        argv[count++] = *command++;
    struct outcome outcome = run_program(false, argv, NULL);
    char *out = outcome.out;
    outcome.out = NULL;
    outcome_deinit(&outcome);
    return out;
}

static bool answers(const char *answer, const char *const command[])
{
    char *text = redis(command);
    bool does = strcmp(text, answer) == 0;
    free(text);
    return does;
}

static void assert_answer(const char *answer, const char *const command[])
{
    char *text = redis(command);
    assert_string_equal(text, answer);
    free(text);
}

static bool persistence_says(const char *line)
{
    char *info = redis(LIST("info", "persistence"));
    bool does = strstr(info, line) != NULL;
    free(info);
    return does;
}

static void wait_until_persistence_says(const char *line)
{
    for (int64_t deadline_ms = now_ms() + PATIENCE_MS; !persistence_says(line); sleep_ms(5))
        assert_true(now_ms() < deadline_ms);
}

/* It has read its log when it is back. */
static struct target *start_redis(bool preload, const char *fsync_policy)
{
    struct target *server = target_start(
        preload,
        LIST(REDIS_SERVER, "--port", "0", "--unixsocket", redis_socket, "--dir", folder, "--save",
             "", "--appendonly", "yes", "--appendfsync", fsync_policy, "--daemonize", "no"),
        NULL);
    for (int64_t deadline_ms = now_ms() + PATIENCE_MS; !answers("PONG\n", LIST("ping"));
         sleep_ms(5))
        assert_true(now_ms() < deadline_ms);
    return server;
}

static void assert_nothing_lost(const struct target *server, const char *end)
{
    json_t *json = report(server->recording, "1s", LIST("--all"));
    assert_int_equal(json_integer_value(json_at(json, "totals.lost")), 0);
    assert_true(json_integer_value(json_at(json, "totals.spawned")) > 1);
    assert_string_equal(json_string_value(json_at(json, "source.end")), end);
    json_decref(json);
}

/* ---- it serves ---- */

static void serve(bool preload)
{
    struct target *server = start_redis(preload, "everysec");
    assert_answer("OK\n", LIST("set", "key", "value"));
    struct outcome load = run_program(false,
                                      LIST(REDIS_BENCHMARK, "-s", redis_socket, "-n", "5000", "-c",
                                           "20", "-t", "set,get,lpush,lpop", "-q"),
                                      NULL);
    assert_int_equal(load.status, 0);
    outcome_deinit(&load);
    assert_answer("value\n", LIST("get", "key"));
    assert_answer("0\n", LIST("llen", "mylist"));
    /* background work: threads that free and sync, and a child that rewrites the log */
    assert_answer("OK\n", LIST("flushall", "async"));
    assert_answer("OK\n", LIST("set", "kept", "1"));
    assert_answer("Background append only file rewriting started\n", LIST("bgrewriteaof"));
    wait_until_persistence_says("aof_rewrite_in_progress:0");
    assert_true(persistence_says("aof_last_bgrewrite_status:ok"));
    assert_answer("1\n", LIST("dbsize"));
    if (preload)
        assert_nothing_lost(server, "running");
    assert_answer("", LIST("shutdown", "nosave"));
    struct outcome end = target_wait(server);
    assert_int_equal(end.status, 0);
    assert_string_equal(end.err, "");
    outcome_deinit(&end);
    target_end(server);
}

static void redis__serves_without_the_preload(void **state)
{
    (void)state;
    need_redis();
    serve(false);
}

static void redis__serves_the_same_with_the_preload(void **state)
{
    (void)state;
    need_redis();
    serve(true);
}

/* ---- it is killed ---- */

/* Clients that push 1, 2, 3 and so on to a list of their own, a batch at a time. */
enum { WRITERS = 4, BATCH = 16, AT_LEAST = 10 * BATCH };

static struct writer {
    pthread_t thread;
    char list[16];
    long sent, acknowledged; /* written by the thread; the second is read while it runs */
    bool is_wrong;           /* it got another answer than the new length of the list */
} writers[WRITERS];

static FILE *connect_redis(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    strcpy(address.sun_path, redis_socket);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return NULL;
    }
    return fdopen(fd, "r");
}

/* False: the server is gone. */
static bool send_batch(struct writer *writer, int fd)
{
    char text[BATCH * 64];
    size_t bytes = 0;
    for (int i = 0; i < BATCH; i++) {
        writer->sent++;
        bytes += (size_t)snprintf(text + bytes, sizeof text - bytes, "RPUSH %s %ld\r\n",
                                  writer->list, writer->sent);
    }
    return send(fd, text, bytes, MSG_NOSIGNAL) == (ssize_t)bytes;
}

/* Until the server is gone. */
static void *write_on(void *argument)
{
    struct writer *writer = argument;
    FILE *server = connect_redis();
    char answer[64];
    while (server && !writer->is_wrong && send_batch(writer, fileno(server)))
        for (int i = 0; i < BATCH && fgets(answer, sizeof answer, server); i++) {
            if (strchr(answer, '\n') == NULL)
                break; /* half an answer is none */
            if (answer[0] != ':' || atol(answer + 1) != writer->acknowledged + 1)
                writer->is_wrong = true;
            else
                __atomic_store_n(&writer->acknowledged, writer->acknowledged + 1, __ATOMIC_RELAXED);
        }
    if (server)
        fclose(server);
    return NULL;
}

static void start_writers(void)
{
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_on, &writers[i]), 0);
}

static void join_writers(void)
{
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(writers[i].thread, NULL), 0);
        assert_false(writers[i].is_wrong);
    }
}

/* Each of them was told `more` times that what it had pushed is kept. */
static void wait_until_acknowledged(long more)
{
    int64_t deadline_ms = now_ms() + PATIENCE_MS;
    for (int i = 0; i < WRITERS; i++) {
        long enough = __atomic_load_n(&writers[i].acknowledged, __ATOMIC_RELAXED) + more;
        for (; __atomic_load_n(&writers[i].acknowledged, __ATOMIC_RELAXED) < enough; sleep_ms(1))
            assert_true(now_ms() < deadline_ms);
    }
}

/* What was acknowledged is there, in order, with no more behind it than what was sent. */
static void assert_kept(struct writer *writer)
{
    char *list = redis(LIST("lrange", writer->list, "0", "-1"));
    long length = 0;
    for (const char *line = list; line && *line && *line != '\n'; length++) {
        assert_int_equal(atol(line), length + 1);
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    free(list);
    assert_in_range(length, writer->acknowledged, writer->sent);
    writer->sent = writer->acknowledged = length;
}

/* Its log is: appended to; rewritten by a child; rewritten, and appended to again. */
static const struct round {
    const char *save_delay_us; /* of each key */
    const char *until;
} rounds[] = {
    {NULL, NULL},
    {"100000000", "aof_rewrite_in_progress:1"},
    {"0", "aof_rewrite_in_progress:0"},
};

static void kill_redis_amid(bool preload, const struct round *round)
{
    struct target *server = start_redis(preload, "always");
    for (int i = 0; i < WRITERS; i++)
        assert_kept(&writers[i]);
    start_writers();
    wait_until_acknowledged(AT_LEAST);
    if (round->until) {
        assert_answer("OK\n", LIST("config", "set", "rdb-key-save-delay", round->save_delay_us));
        assert_answer("Background append only file rewriting started\n", LIST("bgrewriteaof"));
        wait_until_persistence_says(round->until);
        assert_true(persistence_says("aof_last_bgrewrite_status:ok"));
        wait_until_acknowledged(AT_LEAST);
    }
    kill(-server->pid, SIGKILL);
    struct outcome end = target_wait(server);
    assert_true(WIFSIGNALED(end.status) && WTERMSIG(end.status) == SIGKILL);
    outcome_deinit(&end);
    join_writers();
    if (preload)
        assert_nothing_lost(server, "vanished");
    target_end(server);
}

static void lose_nothing(bool preload)
{
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){0};
        snprintf(writers[i].list, sizeof writers[i].list, "list:%d", i);
    }
    for (size_t i = 0; i < LENGTH(rounds); i++)
        kill_redis_amid(preload, &rounds[i]);
    struct target *server = start_redis(preload, "always");
    for (int i = 0; i < WRITERS; i++) {
        assert_kept(&writers[i]);
        assert_true(writers[i].acknowledged >= (long)LENGTH(rounds) * AT_LEAST);
    }
    target_end(server);
}

static void
redis_killed_while_it_writes__keeps_what_it_acknowledged_without_the_preload(void **state)
{
    (void)state;
    need_redis();
    lose_nothing(false);
}

static void redis_killed_while_it_writes__keeps_what_it_acknowledged_with_the_preload(void **state)
{
    (void)state;
    need_redis();
    lose_nothing(true);
}

#define REDIS_TEST(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REDIS_TEST(redis__serves_without_the_preload),
        REDIS_TEST(redis__serves_the_same_with_the_preload),
        REDIS_TEST(redis_killed_while_it_writes__keeps_what_it_acknowledged_without_the_preload),
        REDIS_TEST(redis_killed_while_it_writes__keeps_what_it_acknowledged_with_the_preload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
