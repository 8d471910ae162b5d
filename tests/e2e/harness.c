#include "tests/e2e/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "preload/recording.h"

enum { MOST_TARGETS = 512, MOST_ENV = 1024 };

static struct target *targets[MOST_TARGETS];

int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void sleep_ms(int ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

char *read_file(const char *path)
{
    size_t bytes = 0, room = 64 * 1024;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    char *text = malloc(room);
    for (ssize_t got; text && (got = read(fd, text + bytes, room - 1 - bytes)) > 0;) {
        bytes += (size_t)got;
        if (bytes == room - 1)
            text = realloc(text, room *= 2);
    }
    close(fd);
    if (text)
        text[bytes] = '\0';
    return text;
}

void outcome_deinit(struct outcome *outcome)
{
    free(outcome->out);
    free(outcome->err);
    *outcome = (struct outcome){0};
}

/* ---- targets ---- */

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status, (void)type, (void)ftw;
    return remove(path);
}

static char *in_dir(const struct target *target, const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", target->dir, name);
    return path;
}

/* In the child: becomes the program. Never returns. */
static void become(const struct target *target, int stdin_fd, pid_t parent, bool preload,
                   const char *const argv[], const char *const env[])
{
    char path[128];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(126);
    setpgid(0, 0);
    int out = open(in_dir(target, "stdout", path), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    int err = open(in_dir(target, "stderr", path), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    if (out < 0 || err < 0 || dup2(stdin_fd, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
        _exit(126);
    for (int fd = 3; fd < 256; fd++)
        close(fd);
    static const char *const ours[] = {"LD_PRELOAD",        "LEAKSPY_OUT",     "LEAKSPY_SAMPLE",
                                       "LEAKSPY_OPS",       "LEAKSPY_VERBOSE", "LEAKSPY_CHILDREN",
                                       "LEAKSPY_MAX_TASKS", "LC_ALL",          "NO_COLOR"};
    for (size_t i = 0; i < LENGTH(ours); i++)
        unsetenv(ours[i]);
    for (size_t i = 0; env && env[i]; i++)
        if (putenv((char *)(uintptr_t)env[i]) != 0)
            _exit(126);
    if (preload) {
        setenv("LD_PRELOAD", LEAKSPY_PRELOAD, 1);
        setenv("LEAKSPY_OUT", target->recording, 0);
        setenv("LEAKSPY_SAMPLE", "20ms", 0);
    }
    execv(argv[0], (char *const *)(uintptr_t)argv);
    fprintf(stderr, "cannot run %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

struct target *target_start(bool preload, const char *const argv[], const char *const env[])
{
    size_t slot = 0;
    int in[2];
    while (slot < MOST_TARGETS && targets[slot])
        slot++;
    struct target *target = calloc(1, sizeof *target);
    assert_non_null(target);
    assert_true(slot < MOST_TARGETS);
    strcpy(target->dir, "/tmp/leakspy-e2e.XXXXXX");
    assert_non_null(mkdtemp(target->dir));
    snprintf(target->recording, sizeof target->recording, "%s/target.rec", target->dir);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    fflush(NULL);
    snprintf(target->program, sizeof target->program, "%s %s, %s the preload,", argv[0],
             argv[1] ? argv[1] : "", preload ? "with" : "without");
    pid_t parent = getpid();
    target->pid = fork();
    if (target->pid == 0)
        become(target, in[0], parent, preload, argv, env);
    assert_true(target->pid > 0);
    setpgid(target->pid, target->pid); /* both sides do, whichever comes first */
    close(in[0]);
    target->stdin_fd = in[1];
    targets[slot] = target;
    return target;
}

void target_close_stdin(struct target *target)
{
    if (target->stdin_fd >= 0)
        close(target->stdin_fd);
    target->stdin_fd = -1;
}

/* Whether the program has ended; leaves it to be waited for. */
static bool has_ended(const struct target *target)
{
    siginfo_t info = {0};
    return target->pid == 0 ||
           (waitid(P_PID, (id_t)target->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
            info.si_pid != 0);
}

const char *target_wait_line(struct target *target, const char *prefix)
{
    static char line[LONG_TEXT];
    char path[128];
    int64_t deadline_ms = now_ms() + PATIENCE_MS;
    for (bool last = false;;) {
        bool ended = has_ended(target) || now_ms() > deadline_ms;
        char *text = read_file(in_dir(target, "stdout", path));
        size_t bytes = text ? strlen(text) : 0;
        while (bytes > target->read_bytes) {
            char *begin = text + target->read_bytes, *end = strchr(begin, '\n');
            if (!end)
                break;
            target->read_bytes += (size_t)(end + 1 - begin);
            *end = '\0';
            if (strncmp(begin, prefix, strlen(prefix)) == 0) {
                snprintf(line, sizeof line, "%s", begin);
                free(text);
                return line;
            }
        }
        free(text);
        if (last) {
            char *err = read_file(in_dir(target, "stderr", path));
            fprintf(stderr, "no line \"%s…\" %s; stderr:\n%s\n", prefix,
                    has_ended(target) ? "before the end" : "in time", err ? err : "");
            free(err);
            fail();
        }
        last = ended;
        sleep_ms(2);
    }
}

struct outcome target_wait(struct target *target)
{
    struct outcome outcome = {0};
    char path[128];
    int64_t deadline_ms = now_ms() + PATIENCE_MS;
    target_close_stdin(target);
    while (!has_ended(target) && now_ms() < deadline_ms)
        sleep_ms(1);
    bool hung = !has_ended(target);
    if (hung)
        kill(target->pid, SIGKILL);
    assert_int_equal(waitpid(target->pid, &outcome.status, 0), target->pid);
    kill(-target->pid, SIGKILL); /* children that outlived it */
    target->pid = 0;
    outcome.out = read_file(in_dir(target, "stdout", path));
    outcome.err = read_file(in_dir(target, "stderr", path));
    if (hung) {
        fprintf(stderr, "%s did not end; stdout:\n%s\nstderr:\n%s\n", target->program, outcome.out,
                outcome.err);
        fail();
    }
    return outcome;
}

void target_kill(struct target *target, int signal)
{
    assert_int_equal(kill(target->pid, signal), 0);
    struct outcome outcome = target_wait(target);
    outcome_deinit(&outcome);
}

/* When the sampler last finished a walk; 0: never, or there is no recording. */
static uint64_t last_walk_ns(const struct target *target)
{
    struct rec_header header = {0};
    int fd = open(target->recording, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd >= 0 ? pread(fd, &header, sizeof header, 0) : -1;
    if (fd >= 0)
        close(fd);
    return bytes == sizeof header ? header.last_walk_ns : 0;
}

/* Until the sampler has walked `times` more, and `ns` have passed between its walks. */
static void wait_walks(const struct target *target, int times, uint64_t ns)
{
    uint64_t first_ns = 0, seen_ns = 0;
    int64_t deadline_ms = now_ms() + PATIENCE_MS;
    while (times > 0 || seen_ns - first_ns < ns) {
        uint64_t walk_ns = last_walk_ns(target);
        if (walk_ns != 0 && first_ns == 0) {
            first_ns = seen_ns = walk_ns;
        } else if (walk_ns != seen_ns) {
            seen_ns = walk_ns;
            times--;
        }
        if (now_ms() > deadline_ms)
            fail_msg("%s: %d walks and %lu ms of recording in %d ms", target->recording, times,
                     (unsigned long)((seen_ns - first_ns) / 1000000), PATIENCE_MS);
        sleep_ms(2);
    }
}

void target_wait_walks(struct target *target, int times)
{
    wait_walks(target, times, 0);
}

void target_end(struct target *target)
{
    if (!target)
        return;
    target_close_stdin(target);
    /* Most programs end with their stdin, and some have to clean up then. */
    for (int64_t deadline_ms = now_ms() + 500; !has_ended(target) && now_ms() < deadline_ms;)
        sleep_ms(2);
    if (target->pid) {
        kill(-target->pid, SIGKILL);
        kill(target->pid, SIGKILL);
        waitpid(target->pid, NULL, 0);
    }
    nftw(target->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    for (size_t i = 0; i < MOST_TARGETS; i++)
        if (targets[i] == target)
            targets[i] = NULL;
    free(target);
}

int end_all_targets(void **state)
{
    (void)state;
    for (size_t i = 0; i < MOST_TARGETS; i++)
        target_end(targets[i]);
    return 0;
}

struct outcome run_program(bool preload, const char *const argv[], const char *const env[])
{
    struct target *target = target_start(preload, argv, env);
    struct outcome outcome = target_wait(target);
    target_end(target);
    return outcome;
}

void assert_same_behaviour(const char *const argv[], const char *const env[])
{
    struct target *both[2] = {target_start(false, argv, env), target_start(true, argv, env)};
    target_close_stdin(both[0]);
    target_close_stdin(both[1]);
    struct outcome bare = target_wait(both[0]);
    struct outcome preloaded = target_wait(both[1]);
    target_end(both[0]);
    target_end(both[1]);
    if (bare.status != preloaded.status || strcmp(bare.out, preloaded.out) != 0 ||
        strcmp(bare.err, preloaded.err) != 0)
        fprintf(stderr,
                "%s %s: without the preload, then with it:\nstatus 0x%x\n%s%s\nstatus 0x%x\n%s%s\n",
                argv[0], argv[1] ? argv[1] : "", bare.status, bare.out, bare.err, preloaded.status,
                preloaded.out, preloaded.err);
    assert_int_equal(preloaded.status, bare.status);
    assert_string_equal(preloaded.out, bare.out);
    assert_string_equal(preloaded.err, bare.err);
    outcome_deinit(&bare);
    outcome_deinit(&preloaded);
}

/* ---- reports ---- */

json_t *report(const char *source, const char *threshold, const char *const options[])
{
    const char *argv[16] = {LEAKSPY_COMMAND, "report",      "--format",
                            "json",          "--threshold", threshold};
    size_t count = 6;
    while (options && *options && count < LENGTH(argv) - 2)
        argv[count++] = *options++;
    argv[count] = source;
    struct outcome outcome = run_program(false, argv, NULL);
    json_error_t error;
    json_t *json = json_loads(outcome.out, 0, &error);
    const char *schema = json_string_value(json_object_get(json, "schema"));
    if (outcome.status != 0 || !json || !schema || strcmp(schema, "leakspy-report/1") != 0)
        fprintf(stderr, "leakspy report %s: status 0x%x, %s\n%s\n%s\n", source, outcome.status,
                json ? "JSON" : error.text, outcome.out, outcome.err);
    assert_int_equal(outcome.status, 0);
    assert_non_null(json);
    assert_string_equal(schema, "leakspy-report/1");
    outcome_deinit(&outcome);
    return json;
}

const json_t *json_at(const json_t *json, const char *path)
{
    char key[64];
    while (json && *path) {
        size_t bytes = strcspn(path, ".");
        snprintf(key, sizeof key, "%.*s", (int)bytes, path);
        json = json_object_get(json, key);
        path += bytes + (path[bytes] == '.');
    }
    return json;
}

static bool text_is(const json_t *json, const char *path, const char *expected)
{
    const char *text = json_string_value(json_at(json, path));
    return !expected || (text && strcmp(text, expected) == 0);
}

static bool object_is(const json_t *object, const char *kind)
{
    if (kind && strcmp(kind, "none") == 0)
        return json_is_null(object);
    return text_is(object, "kind", kind);
}

static bool ends_in(const char *path, const char *name)
{
    size_t path_bytes = path ? strlen(path) : 0, name_bytes = strlen(name);
    return path_bytes >= name_bytes && strcmp(path + path_bytes - name_bytes, name) == 0 &&
           (path_bytes == name_bytes || path[path_bytes - name_bytes - 1] == '/');
}

static bool has_frame(const json_t *stack, const char *function, const char *file, int line)
{
    size_t i;
    json_t *frame;
    if (!function)
        return true;
    json_array_foreach(stack, i, frame)
    {
        if (text_is(frame, "function", function) &&
            (!file || ends_in(json_string_value(json_object_get(frame, "file")), file)) &&
            (line == 0 || json_integer_value(json_object_get(frame, "line")) == line))
            return true;
    }
    return false;
}

static bool group_shows(const json_t *group, const struct expected_group *expected)
{
    const json_t *task = json_array_get(json_object_get(group, "tasks"), 0);
    bool deadline = json_is_true(json_object_get(task, "deadline"));
    return text_is(group, "verdict", expected->verdict) && text_is(group, "kind", expected->kind) &&
           text_is(group, "op", expected->op) && text_is(group, "call", expected->call) &&
           object_is(json_object_get(group, "object"), expected->object_kind) &&
           text_is(group, "object.address", expected->object_address) &&
           text_is(task, "name", expected->task_name) &&
           (expected->deadline == ANY_DEADLINE ||
            deadline == (expected->deadline == WITH_DEADLINE)) &&
           (expected->count == 0 ||
            json_integer_value(json_object_get(group, "count")) == expected->count) &&
           has_frame(json_object_get(group, "wait_stack"), expected->wait_function,
                     expected->wait_file, expected->wait_line) &&
           has_frame(json_object_get(group, "spawn_stack"), expected->spawn_function,
                     expected->spawn_file, expected->spawn_line);
}

static const json_t *next_group(const json_t *json, const struct expected_group *expected,
                                size_t *next)
{
    const json_t *groups = json_object_get(json, "groups");
    while (*next < json_array_size(groups)) {
        const json_t *group = json_array_get(groups, (*next)++);
        if (group_shows(group, expected))
            return group;
    }
    return NULL;
}

const json_t *find_group(const json_t *json, const struct expected_group *expected)
{
    size_t next = 0;
    return next_group(json, expected, &next);
}

static void print_report(const json_t *json)
{
    char *text = json_dumps(json, JSON_INDENT(1));
    fprintf(stderr, "the report:\n%s\n", text); /* CMocka would cut it */
    free(text);
}

static void print_expected(const struct expected_group *e)
{
#define TEXT(field) (e->field ? e->field : "any")
    fprintf(stderr,
            "expected: verdict %s, kind %s, op %s, call %s, object %s %s, count %lld "
            "(0: any), "
            "deadline %s, name %s,\n  at %s %s:%d,\n  by %s %s:%d\n",
            TEXT(verdict), TEXT(kind), TEXT(op), TEXT(call), TEXT(object_kind),
            TEXT(object_address), (long long)e->count,
            e->deadline == ANY_DEADLINE    ? "any"
            : e->deadline == WITH_DEADLINE ? "yes"
                                           : "no",
            TEXT(task_name), TEXT(wait_function), TEXT(wait_file), e->wait_line,
            TEXT(spawn_function), TEXT(spawn_file), e->spawn_line);
#undef TEXT
}

void assert_group(const json_t *json, const struct expected_group *expected)
{
    size_t next = 0, found = 0;
    while (next_group(json, expected, &next))
        found++;
    if (found != 1) {
        print_expected(expected);
        print_report(json);
    }
    assert_int_equal(found, 1);
}

size_t count_findings(const json_t *json)
{
    size_t i, findings = 0;
    json_t *group;
    assert_true(json_is_array(json_object_get(json, "groups")));
    json_array_foreach(json_object_get(json, "groups"), i, group)
    {
        findings += !text_is(group, "verdict", "waiting");
    }
    return findings;
}

void assert_no_findings(const json_t *json)
{
    if (count_findings(json) != 0)
        print_report(json);
    assert_int_equal(count_findings(json), 0);
}

void assert_silent(struct target *target)
{
    int64_t deadline_ms = now_ms() + PATIENCE_MS;
    wait_walks(target, 2, 200000000);
    for (;;) {
        json_t *json = report(target->recording, "100ms", NULL);
        bool silent = count_findings(json) == 0;
        if (!silent && now_ms() > deadline_ms)
            assert_no_findings(json);
        json_decref(json);
        if (silent)
            return;
        sleep_ms(50);
    }
}

json_t *wait_for_group(struct target *target, const char *threshold, const char *const options[],
                       const struct expected_group *expected)
{
    int64_t deadline_ms = now_ms() + PATIENCE_MS;
    while (access(target->recording, F_OK) != 0 && now_ms() < deadline_ms)
        sleep_ms(2);
    for (;;) {
        json_t *json = report(target->recording, threshold, options);
        if (find_group(json, expected))
            return json;
        if (now_ms() > deadline_ms) {
            print_expected(expected);
            print_report(json);
            json_decref(json);
            fail_msg("no such group in %d ms", PATIENCE_MS);
        }
        json_decref(json);
        sleep_ms(20);
    }
}

int line_of(const char *path, const char *mark)
{
    char full[512];
    int line = 1, found = 0;
    snprintf(full, sizeof full, "%s/%s", LEAKSPY_SOURCE_DIR, path);
    char *text = read_file(full);
    assert_non_null(text);
    for (const char *at = text; *at; at += strcspn(at, "\n"), at += *at == '\n', line++) {
        const char *mark_at = strstr(at, mark);
        if (mark_at && mark_at < at + strcspn(at, "\n")) {
            if (found)
                fail_msg("%s: \"%s\" is on lines %d and %d", path, mark, found, line);
            found = line;
        }
    }
    free(text);
    if (!found)
        fail_msg("%s: no line with \"%s\"", path, mark);
    return found;
}
