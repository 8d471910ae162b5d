/* Of harness.h: programs that are started and watched. */
#include "tests/e2e/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
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

enum { MAX_TARGETS = 512 };

static struct target *targets[MAX_TARGETS];

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

static char scratch[64];

static void remove_scratch(void)
{
    nftw(scratch, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_folder(void)
{
    char folder[] = "/tmp/leakspy-e2e.XXXXXX";
    if (scratch[0] == '\0') {
        assert_non_null(mkdtemp(folder));
        strcpy(scratch, folder);
        atexit(remove_scratch);
    }
    return scratch;
}

static char *in_dir(const struct target *target, const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", target->dir, name);
    return path;
}

const char *library_under_test(void)
{
    const char *named = getenv("LEAKSPY_TEST_LIBRARY");
    return named ? named : LEAKSPY_PRELOAD;
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
        setenv("LD_PRELOAD", library_under_test(), 1);
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
    while (slot < MAX_TARGETS && targets[slot])
        slot++;
    struct target *target = calloc(1, sizeof *target);
    assert_non_null(target);
    assert_true(slot < MAX_TARGETS);
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
    snprintf(target->pid_text, sizeof target->pid_text, "%d", (int)target->pid);
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

void target_wait_port(struct target *target, char port[16])
{
    const char *line = target_wait_line(target, "listening on 127.0.0.1:");
    snprintf(port, 16, "%s", strrchr(line, ':') + 1);
}

void load_server(const char *port, long requests)
{
    char count[24];
    long before, after;
    snprintf(count, sizeof count, "%ld", requests);
    struct outcome load = run_program(false, LIST(LEAKSPY_SAMPLES "/load", port, count), NULL);
    assert_int_equal(load.status, 0);
    assert_int_equal(sscanf(load.out, "tasks: %ld before, %ld after", &before, &after), 2);
    assert_int_equal(after - before, requests);
    outcome_deinit(&load);
}

static const char gcore[] = "/usr/bin/gcore";

bool have_gcore(void)
{
    return access(gcore, X_OK) == 0;
}

const char *target_write_core(const struct target *target, const char *folder)
{
    static char path[96];
    char prefix[72];
    if (!have_gcore()) {
        fprintf(stderr, "%s is not here\n", gcore);
        skip();
    }
    snprintf(prefix, sizeof prefix, "%s/core", folder);
    snprintf(path, sizeof path, "%s.%s", prefix, target->pid_text);
    struct outcome outcome =
        run_program(false, LIST(gcore, "-o", prefix, target->pid_text), LIST("DEBUGINFOD_URLS="));
    if (outcome.status != 0 || access(path, R_OK) != 0)
        fail_msg("gcore: status %#x\n%s%s", outcome.status, outcome.out, outcome.err);
    outcome_deinit(&outcome);
    return path;
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

/* The header of a recording. All zero: there is none yet. */
static struct rec_header header_of(const char *recording)
{
    struct rec_header header = {0};
    int fd = open(recording, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd >= 0 ? pread(fd, &header, sizeof header, 0) : -1;
    if (fd >= 0)
        close(fd);
    return bytes == sizeof header ? header : (struct rec_header){0};
}

void wait_for_recording(const char *recording)
{
    int64_t deadline_ms = now_ms() + PATIENCE_MS;
    for (;;) {
        struct rec_header header = header_of(recording);
        if (header.magic == REC_MAGIC && header.state != REC_STATE_STARTING)
            return;
        if (now_ms() > deadline_ms)
            fail_msg("%s: no recording in %d ms", recording, PATIENCE_MS);
        sleep_ms(2);
    }
}

uint64_t target_last_walk_ns(const struct target *target)
{
    return header_of(target->recording).last_walk_ns;
}

void target_wait_walks(struct target *target, int times, int ms)
{
    uint64_t ns = (uint64_t)ms * 1000000;
    uint64_t first_ns = 0, seen_ns = 0;
    int64_t deadline_ms = now_ms() + PATIENCE_MS;
    while (times > 0 || seen_ns - first_ns < ns) {
        uint64_t walk_ns = target_last_walk_ns(target);
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
    for (size_t i = 0; i < MAX_TARGETS; i++)
        if (targets[i] == target)
            targets[i] = NULL;
    free(target);
}

void target_finish(struct target *target)
{
    target_close_stdin(target);
    struct outcome outcome = target_wait(target);
    assert_int_equal(outcome.status, 0);
    outcome_deinit(&outcome);
    target_end(target);
}

int end_all_targets(void **state)
{
    (void)state;
    for (size_t i = 0; i < MAX_TARGETS; i++)
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
