/* Threads of programs without a recording: what they are parked in, on what and behind whom, by the
 * process and by a core of it. Most were never preloaded.
 *
 * Usage: test_threads GROUP     (lock, io, other: of parked.def; samples; foreign; odd; cores)
 */
#include "tests/e2e/harness.h"

#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PYTHON "/usr/bin/python3"
#define REDIS_SERVER "/usr/bin/redis-server"

/* ---- every call that parks ---- */

struct row {
    const char *group, *name, *call, *op, *object;
    bool deadline;
};

#define ROW(group, name, call, op, object, deadline) {#group, #name, call, op, object, deadline},
static const struct row rows[] = {
#include "tests/e2e/parked.def"
};
#undef ROW

/* The name that a function of the C library is told by: of several for one place, the plainest. */
static const char *told_name(const char *call)
{
    static const struct {
        const char *name, *told;
    } names[] = {{"lockf64", "lockf"},
                 {"fcntl64", "fcntl"},
                 {"__read_chk", "read"},
                 {"__recv_chk", "recv"},
                 {"__recvfrom_chk", "recvfrom"},
                 {"__poll_chk", "poll"},
                 {"__ppoll_chk", "ppoll"},
                 {"sendfile64", "sendfile"},
                 {"open64", "open"},
                 {"openat64", "openat"},
                 {"fopen64", "fopen"}};
    for (size_t i = 0; i < LENGTH(names); i++)
        if (strcmp(names[i].name, call) == 0)
            return names[i].told;
    return call + strspn(call, "_");
}

/* The thread that the row's call is made in began in one of these, with the C11 ones in another. */
static const char *start_function(const char *call)
{
    static const char *const c11[] = {"mtx_lock",  "mtx_timedlock", "cnd_wait",  "cnd_timedwait",
                                      "call_once", "thrd_join",     "thrd_sleep"};
    for (size_t i = 0; i < LENGTH(c11); i++)
        if (strcmp(c11[i], call) == 0)
            return "run_c11_thread";
    return "run_thread";
}

/* Starts `parked` with a row, and says what is to be seen of it. */
static struct target *park(bool preload, const struct row *row, struct expected_group *ret)
{
    static char wait_function[96], address[64];
    char path[512];
    snprintf(wait_function, sizeof wait_function, "park_in_%s", row->name);
    *ret = (struct expected_group){
        .kind = "thread",
        .op = row->op,
        .call = strncmp(row->name, "raw_", 4) == 0 ? "syscall" : told_name(row->call),
        .count = 1,
        .wait_function = wait_function,
        .spawn_function = start_function(row->call),
        .spawn_file = "parked.c",
        .task_name = "parked",
        .deadline = row->deadline ? WITH_DEADLINE : NO_DEADLINE,
    };
    if (strcmp(row->object, "any") != 0)
        ret->object_kind = row->object;
    if (row->deadline)
        ret->verdict = "waiting";
    snprintf(path, sizeof path, "%s/parked", LEAKSPY_TARGETS);
    struct target *target = target_start(preload, LIST(path, row->name, "park"), NULL);
    snprintf(address, sizeof address, "%s",
             target_wait_line(target, "object ") + strlen("object "));
    /* From outside, the one that an old condition points to is seen. */
    if (strcmp(address, "none") != 0 && strncmp(row->name, "old_cond_", 9) != 0)
        ret->object_address = address;
    target_wait_line(target, "ready");
    return target;
}

static void parked__is_told_with_op_object_and_stack(void **state)
{
    struct expected_group expected;
    struct target *target = park(false, *state, &expected);
    json_t *json = wait_for_group_in(target->pid_text, "0", LIST("--all"), &expected);
    assert_group(json, &expected);
    json_decref(json);
    target_end(target);
}

/* ---- samples ---- */

struct sample {
    const char *name;
    struct expected_group group; /* spawn_function: what the thread began in */
};

#define LEAK(name, verdict_, op_, count_, wait, start)                                             \
    {                                                                                              \
        name,                                                                                      \
        {                                                                                          \
            .verdict = verdict_, .kind = "thread", .op = op_, .count = count_,                     \
            .wait_function = wait, .spawn_function = start, .deadline = NO_DEADLINE                \
        }                                                                                          \
    }

static const struct sample samples[] = {
    LEAK("dead_peer_read", "stuck", "io wait", 1, "client", "client"),
    LEAK("lock_order_deadlock", "deadlocked", "mutex lock", 2, "transfer", "transfer"),
    LEAK("lost_condition_signal", "stuck", "cond wait", 1, "use_data", "use_data"),
    LEAK("join_parked_thread", "stuck", "sem wait", 1, "do_work", "do_work"),
    LEAK("join_parked_thread", "stuck", "thread join", 1, "supervise", "supervise"),
    LEAK("barrier_one_short", "stuck", "barrier wait", 2, "phase", "phase"),
    LEAK("rwlock_reader_keeps", "stuck", "rwlock wrlock", 1, "update", "update"),
    LEAK("c11_mutex_never_unlocked", "stuck", "mutex lock", 1, "come_next", "come_next"),
    LEAK("c11_condition_never_signalled", "stuck", "cond wait", 1, "consume", "consume"),
    LEAK("c11_join_parked_thread", "stuck", "thread join", 1, "shut_down", "shut_down"),
    LEAK("futex_missed_wake", "stuck", "futex wait", 1, "park", "park"),
};

static struct target *start_sample(const struct sample *sample, bool fixed)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s%s", LEAKSPY_SAMPLES, sample->name, fixed ? "_fixed" : "");
    struct target *target = target_start(false, LIST(path), NULL);
    target_wait_line(target, "ready");
    return target;
}

static struct expected_group expected_of(const struct sample *sample)
{
    static char file[128], path[256];
    struct expected_group group = sample->group;
    const char *mark =
        strcmp(group.op, "thread join") == 0 && strcmp(sample->name, "join_parked_thread") == 0
            ? "/* joins here"
            : "/* parks here";
    snprintf(file, sizeof file, "%s.c", sample->name);
    snprintf(path, sizeof path, "samples/%s", file);
    group.wait_file = group.spawn_file = file;
    group.wait_line = line_of(path, mark);
    return group;
}

/* What is said of another thread's age is a lower bound, too; a core knows none. */
static void assert_age_of_the_other(const json_t *group, bool live)
{
    size_t i;
    json_t *sentence;
    json_array_foreach(json_object_get(group, "evidence"), i, sentence)
    {
        const char *other = strstr(json_string_value(sentence), ", which is in ");
        if (other) {
            assert_int_equal(strstr(other, " or longer") != NULL, live);
            assert_int_equal(strstr(other, " for ") != NULL, live);
        }
    }
}

static void sample__is_found_in_the_process_and_in_its_core(void **state)
{
    struct expected_group expected = expected_of(*state);
    struct target *target = start_sample(*state, false);
    json_t *json = wait_for_group_in(target->pid_text, "100ms", NULL, &expected);
    assert_group(json, &expected);
    const json_t *group = find_group(json, &expected);
    assert_true(json_is_true(json_object_get(group, "spawn_is_start")));
    assert_age_of_the_other(group, true);
    json_decref(json);

    json = report(target_write_core(target, target->dir), "0", NULL);
    assert_group(json, &expected);
    assert_age_of_the_other(find_group(json, &expected), false);
    json_decref(json);
    target_end(target);
}

static void fixed_sample__is_silent(void **state)
{
    struct target *target = start_sample(*state, true);
    for (int i = 0; i < 5; i++) {
        json_t *json = report(target->pid_text, "0", NULL);
        assert_no_findings(json);
        json_decref(json);
    }
    target_end(target);
}

/* Threads that ended are on the C library's list until they are joined. */
static void unjoined_threads__are_found_on_the_list(void **state)
{
    const struct sample sample = {.name = "unjoined_threads"};
    struct expected_group expected = {.verdict = "unjoined",
                                      .kind = "thread",
                                      .count = 5,
                                      .spawn_function = "work",
                                      .spawn_file = "unjoined_threads.c"};
    (void)state;
    struct target *target = start_sample(&sample, false);
    json_t *json = wait_for_group_in(target->pid_text, "0", NULL, &expected);
    assert_group(json, &expected);
    json_decref(json);
    json = report(target_write_core(target, target->dir), "0", NULL);
    assert_group(json, &expected);
    json_decref(json);
    /* Nobody knows since when: that is no finding while they may be joined yet. */
    json = report(target->pid_text, "10s", NULL);
    assert_no_findings(json);
    json_decref(json);
    target_end(target);

    target = start_sample(&sample, true);
    json = report(target->pid_text, "0", NULL);
    assert_no_findings(json);
    json_decref(json);
    target_end(target);
}

/* ---- others' programs ---- */

static struct target *start_foreign(const char *path, const char *const argv[])
{
    if (access(path, X_OK) != 0) {
        fprintf(stderr, "%s is not here\n", path);
        skip();
    }
    return target_start(false, argv, NULL);
}

/* Starts a program of others, and looks at it by its number. */
static void assert_found(const char *const argv[], const struct expected_group *expected)
{
    struct target *target = start_foreign(argv[0], argv);
    target_wait_line(target, "ready");
    json_t *json = wait_for_group_in(target->pid_text, "100ms", NULL, expected);
    assert_group(json, expected);
    json_decref(json);
    target_end(target);
}

static void rust_receiver__is_in_chan_receive(void **state)
{
    const struct expected_group expected = {
        .verdict = "stuck",
        .kind = "thread",
        .op = "chan receive",
        .count = 1,
        .wait_function = "foreign_rust::wait_for_message",
        .wait_file = "foreign_rust.rs",
        .wait_line = line_of("tests/e2e/foreign_rust.rs", ".recv()"),
        .task_name = "receiver",
        .deadline = NO_DEADLINE,
    };
    (void)state;
    assert_found(LIST(LEAKSPY_TARGETS "/foreign_rust"), &expected);
}

static void cxx_condition_variable__is_in_cond_wait(void **state)
{
    const struct expected_group expected = {
        .verdict = "stuck",
        .kind = "thread",
        .op = "cond wait",
        .object_kind = "cond",
        .count = 1,
        .wait_function = "core::Worker::wait_for_work",
        .wait_file = "foreign_cxx.cc",
        .wait_line = line_of("tests/e2e/foreign_cxx.cc", "changed.wait(lock)"),
        .deadline = NO_DEADLINE,
    };
    (void)state;
    assert_found(LIST(LEAKSPY_TARGETS "/foreign_cxx"), &expected);
}

static void python_thread_on_an_empty_queue__is_in_sem_wait(void **state)
{
    static const char script[] = "import queue, sys, threading, time\n"
                                 "threading.Thread(target=queue.Queue().get, daemon=True).start()\n"
                                 "print('ready', flush=True)\n"
                                 "import select\n"
                                 "while not select.select([0], [], [], 0.05)[0]: pass\n";
    const struct expected_group parked = {.verdict = "stuck",
                                          .kind = "thread",
                                          .op = "sem wait",
                                          .object_kind = "semaphore",
                                          .count = 1};
    (void)state;
    assert_found(LIST(PYTHON, "-I", "-c", script), &parked);
}

/* It is named by a descriptor: the process behind that is told, not the descriptor's number. */
static void thread_that_waits_by_pidfd__names_the_process(void **state)
{
    static const char script[] = "import os, sys, threading, time\n"
                                 "child = os.fork()\n"
                                 "if child == 0:\n"
                                 "    while os.read(0, 1): pass\n"
                                 "    os._exit(0)\n"
                                 "fd = os.pidfd_open(child)\n"
                                 "wait = lambda: os.waitid(os.P_PIDFD, fd, os.WEXITED)\n"
                                 "thread = threading.Thread(target=wait)\n"
                                 "thread.start()\n"
                                 "print('child', hex(child), flush=True)\n"
                                 "thread.join()\n";
    char address[32];
    struct expected_group waits = {.kind = "thread",
                                   .op = "process wait",
                                   .call = "waitid",
                                   .object_kind = "process",
                                   .object_address = address,
                                   .count = 1};
    (void)state;
    struct target *target = start_foreign(PYTHON, LIST(PYTHON, "-I", "-c", script));
    snprintf(address, sizeof address, "%s", target_wait_line(target, "child ") + strlen("child "));
    json_t *json = wait_for_group_in(target->pid_text, "0", LIST("--all"), &waits);
    assert_group(json, &waits);
    json_decref(json);
    target_end(target);
}

static void read_of_a_closed_descriptor__is_said_to_be_one(void **state)
{
    static const char script[] = "import os, threading, time\n"
                                 "fd = os.pipe()[0]\n"
                                 "thread = threading.Thread(target=os.read, args=(fd, 1))\n"
                                 "thread.start()\n"
                                 "time.sleep(0.5)\n"
                                 "os.close(fd)\n"
                                 "print('closed', flush=True)\n"
                                 "thread.join()\n";
    const struct expected_group waits = {
        .kind = "thread", .op = "io wait", .call = "read", .count = 1};
    (void)state;
    struct target *target = start_foreign(PYTHON, LIST(PYTHON, "-I", "-c", script));
    target_wait_line(target, "closed");
    json_t *json = wait_for_group_in(target->pid_text, "0", LIST("--all"), &waits);
    const json_t *evidence =
        json_array_get(json_object_get(find_group(json, &waits), "evidence"), 0);
    assert_non_null(strstr(json_string_value(evidence), "(closed meanwhile), in read"));
    json_decref(json);
    target_end(target);
}

/* Its owner is alive, and no thread of the process that waits. */
static void lock_held_by_another_process__is_not_said_to_be_a_dead_threads(void **state)
{
    static const char script[] = "import ctypes, mmap, os, sys\n"
                                 "libc = ctypes.CDLL(None)\n"
                                 "shared = mmap.mmap(-1, 4096)\n"
                                 "mutex = ctypes.byref(ctypes.c_char.from_buffer(shared))\n"
                                 "attribute = ctypes.c_int()\n"
                                 "libc.pthread_mutexattr_init(ctypes.byref(attribute))\n"
                                 "libc.pthread_mutexattr_setpshared(ctypes.byref(attribute), 1)\n"
                                 "libc.pthread_mutex_init(mutex, ctypes.byref(attribute))\n"
                                 "if os.fork() == 0:\n"
                                 "    libc.pthread_mutex_lock(mutex)\n"
                                 "    print('locked', flush=True)\n"
                                 "    while os.read(0, 1): pass\n"
                                 "    os._exit(0)\n"
                                 "import time; time.sleep(0.2)\n"
                                 "libc.pthread_mutex_lock(mutex)\n";
    const struct expected_group waits = {
        .verdict = "stuck", .kind = "thread", .op = "mutex lock", .count = 1};
    (void)state;
    struct target *target = start_foreign(PYTHON, LIST(PYTHON, "-I", "-c", script));
    target_wait_line(target, "locked");
    json_t *json = wait_for_group_in(target->pid_text, "0", LIST("--all"), &waits);
    assert_group(json, &waits);
    const json_t *evidence =
        json_array_get(json_object_get(find_group(json, &waits), "evidence"), 0);
    assert_non_null(strstr(json_string_value(evidence), "or another process has locked it"));
    json_decref(json);
    target_end(target);
}

static void idle_redis__is_silent(void **state)
{
    const struct expected_group workers = {.verdict = "waiting",
                                           .kind = "thread",
                                           .op = "cond wait",
                                           .call = "pthread_cond_wait",
                                           .object_kind = "cond"};
    (void)state;
    char socket[64];
    snprintf(socket, sizeof socket, "/tmp/leakspy-threads-%d.socket", (int)getpid());
    struct target *target =
        start_foreign(REDIS_SERVER, LIST(REDIS_SERVER, "--port", "0", "--unixsocket", socket,
                                         "--save", "", "--daemonize", "no"));
    for (int64_t deadline_ms = now_ms() + PATIENCE_MS;
         access(socket, F_OK) != 0 && now_ms() < deadline_ms;)
        sleep_ms(5);
    json_t *json = wait_for_group_in(target->pid_text, "0", LIST("--all"), &workers);
    unlink(socket);
    assert_non_null(find_group(json, &workers));
    assert_no_findings(json);
    json_decref(json);
    target_end(target);
}

/* ---- threads that move ---- */

/* However fast threads park and go on, no stack is a mixture of two: every one that is told begins
 * in a wait and ends where threads begin. */
static void moving_threads__are_never_told_torn(void **state)
{
    char path[512];
    size_t told = 0;
    (void)state;
    snprintf(path, sizeof path, "%s/moving_threads", LEAKSPY_TARGETS);
    struct target *target = target_start(false, LIST(path), NULL);
    target_wait_line(target, "ready");
    for (int i = 0; i < 50; i++) {
        json_t *json = report(target->pid_text, "0", LIST("--all"));
        size_t number;
        json_t *group;
        json_array_foreach(json_object_get(json, "groups"), number, group)
        {
            const json_t *stack = json_object_get(group, "wait_stack");
            const json_t *tasks = json_object_get(group, "tasks");
            const char *name = json_string_value(json_object_get(json_array_get(tasks, 0), "name"));
            if (!name || strcmp(name, "mover") != 0)
                continue;
            bool has_start = false, has_loop = false;
            size_t at;
            json_t *frame;
            json_array_foreach(stack, at, frame)
            {
                const char *function = json_string_value(json_object_get(frame, "function"));
                has_start = has_start || (function && strcmp(function, "move") == 0);
                has_loop = has_loop || (function && strncmp(function, "loop_", 5) == 0);
            }
            if (!has_start || !has_loop) {
                char *text = json_dumps(group, JSON_INDENT(1));
                fprintf(stderr, "a torn stack: %s\n", text);
                free(text);
            }
            assert_true(has_start && has_loop);
            assert_string_not_equal(json_string_value(json_object_get(group, "verdict")),
                                    "deadlocked");
            told++;
        }
        json_decref(json);
    }
    assert_true(told > 0);
    target_end(target);
}

/* A frame that needs a register which only the thread itself has: it is stopped for it, its stack
 * is whole, it is said, and the call that it is in goes on. */
static void thread_with_frame_pointers__is_stopped_and_goes_on(void **state)
{
    const struct expected_group expected = {.kind = "thread",
                                            .op = "mutex lock",
                                            .count = 1,
                                            .wait_function = "with_frames",
                                            .spawn_function = "with_frames"};
    char path[512];
    (void)state;
    snprintf(path, sizeof path, "%s/frame_pointers", LEAKSPY_TARGETS);
    struct target *target = target_start(false, LIST(path), NULL);
    target_wait_line(target, "ready");
    json_t *json = wait_for_group_in(target->pid_text, "0", LIST("--all"), &expected);
    assert_group(json, &expected);
    assert_true(has_note(json, "stopped for a moment"));
    json_decref(json);
    target_close_stdin(target);
    struct outcome outcome = target_wait(target);
    assert_int_equal(outcome.status, 0);
    assert_non_null(strstr(outcome.out, "locked, errno untouched"));
    outcome_deinit(&outcome);
    target_end(target);
}

/* How often threads were stopped, by the note. */
static long long stops_told(const json_t *json)
{
    size_t number;
    json_t *note;
    json_array_foreach(json_object_get(json, "notes"), number, note)
    {
        const char *text = json_string_value(json_object_get(note, "note"));
        if (text && strstr(text, "stopped for a moment"))
            return strtoll(text, NULL, 10);
    }
    return 0;
}

/* Started with `option` (NULL: none), and parked for so long that one look has to tell of it. */
/* Whether every thread of the process sleeps, by the kernel. */
static bool all_asleep(const char *pid)
{
    char path[64], text[256];
    snprintf(path, sizeof path, "/proc/%s/task", pid);
    DIR *tasks = opendir(path);
    assert_non_null(tasks);
    bool asleep = true;
    for (const struct dirent *entry; asleep && (entry = readdir(tasks));) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%s/task/%.16s/stat", pid, entry->d_name);
        FILE *file = fopen(path, "re");
        const char *state = file && fgets(text, sizeof text, file) ? strrchr(text, ')') : NULL;
        asleep = state && state[2] == 'S';
        if (file)
            fclose(file);
    }
    closedir(tasks);
    return asleep;
}

/* Waits until all threads have slept for a while: who was on a CPU just now is not stopped, and on
 * a busy machine a thread that was stopped waits for one. */
static void await_sleep(const char *pid)
{
    int64_t deadline_ms = now_ms() + PATIENCE_MS;
    for (int times = 0; times < 10 && now_ms() < deadline_ms; sleep_ms(5))
        times = all_asleep(pid) ? times + 1 : 0;
}

static struct target *start_with_frames(const char *option)
{
    char path[512];
    snprintf(path, sizeof path, "%s/frame_pointers", LEAKSPY_TARGETS);
    struct target *target = target_start(false, LIST(path, option), NULL);
    target_wait_line(target, "ready");
    await_sleep(target->pid_text);
    return target;
}

/* Whoever seems to have been on a CPU lately is not stopped: then its stack is not whole. */
static const struct expected_group in_mutex_lock = {
    .kind = "thread", .op = "mutex lock", .count = 1};

/* A stop sends the thread out of its call for a moment: that is not seen as running. */
static void stopped_thread__is_told_parked_by_every_look(void **state)
{
    bool stopped = false;
    (void)state;
    struct target *target = start_with_frames(NULL);
    for (int i = 0; i < 8; i++) {
        json_t *json = report(target->pid_text, "0", LIST("--all"));
        stopped = stopped || has_note(json, "stopped for a moment");
        assert_group(json, &in_mutex_lock);
        assert_int_equal(json_integer_value(json_at(json, "totals.running")), 0);
        json_decref(json);
        await_sleep(target->pid_text);
    }
    assert_true(stopped);
    target_end(target);
}

/* A stop sets the clock back by which the kernel knows how long it is parked, and the next report
 * does not know what it was before. */
static void stopped_thread__may_be_parked_for_longer(void **state)
{
    (void)state;
    struct target *target = start_with_frames(NULL);
    for (int i = 0; i < 2; i++) {
        json_t *json = report(target->pid_text, "1h", LIST("--all"));
        const json_t *group = find_group(json, &in_mutex_lock);
        assert_non_null(group);
        assert_true(has_note(json, "nobody knows since when"));
        assert_true(json_integer_value(json_at(json, "totals.undecided")) >= 1);
        json_decref(json);
        await_sleep(target->pid_text);
    }
    target_end(target);
}

static void watched_thread__is_not_stopped_again_and_stays(void **state)
{
    enum { TRIES = 40 };
    bool spared = false;
    (void)state;
    struct target *target = start_with_frames(NULL);
    /* It, and the main thread: once each. On a busy machine a thread may find no processor to go on
     * before the next look, which stops it again: then another watch has to show it. */
    for (int i = 0; i < TRIES && !spared; i++) {
        json_t *json = report(target->pid_text, "0", LIST("--all", "--watch", "600ms"));
        const json_t *group = find_group(json, &in_mutex_lock);
        assert_non_null(group);
        assert_int_equal(json_integer_value(json_at(group, "watch.first_count")), 1);
        assert_int_equal(json_integer_value(json_at(group, "watch.stayed")), 1);
        long long stops = stops_told(json);
        assert_true(stops >= 1);
        spared = stops <= json_integer_value(json_at(json, "source.looks"));
        json_decref(json);
    }
    assert_true(spared);
    target_end(target);
}

/* Once it was stopped, the kernel does not say any more which call it is in. */
static void interrupted_sleep__has_a_timeout(void **state)
{
    const struct expected_group before = {.verdict = "waiting",
                                          .op = "sleep",
                                          .wait_function = "with_frames",
                                          .deadline = WITH_DEADLINE};
    const struct expected_group after = {.verdict = "waiting",
                                         .call = "restart_syscall",
                                         .wait_function = "with_frames",
                                         .deadline = WITH_DEADLINE};
    (void)state;
    struct target *target = start_with_frames("sleep");
    for (int i = 0; i < 3; i++) {
        json_t *json = report(target->pid_text, "0", LIST("--all"));
        assert_group(json, i == 0 ? &before : &after);
        const json_t *group = find_group(json, i == 0 ? &before : &after);
        const char *evidence =
            json_string_value(json_array_get(json_object_get(group, "evidence"), 0));
        assert_non_null(evidence);
        assert_non_null(
            strstr(evidence, i == 0 ? "it has a deadline" : "an interrupted call with a timeout"));
        json_decref(json);
        await_sleep(target->pid_text);
    }
    target_end(target);
}

/* ---- threads that take more than one look ---- */

static const struct {
    const char *thread, *verdict, *op, *object, *function;
    json_int_t count;
} odd_threads[] = {
    {"robust", "stuck", "mutex lock", "mutex", "in_robust", 1},
    {"inheriting", "stuck", "mutex lock", "mutex", "in_inheriting", 1},
    {"given up", "stuck", "mutex lock", "mutex", "in_given_up", 1},
    {"handler", "stuck", "sem wait", "semaphore", "in_handler", 1},
    {"first rwlock", "deadlocked", "mutex lock", "mutex", "lock_for_writing_first", 1},
    {"first mutex", "deadlocked", "rwlock rdlock", "rwlock", "lock_mutex_first", 1},
    {"joiner", "deadlocked", "thread join", NULL, "join_the_other", 2},
    {"twice", "deadlocked", "mutex lock", "mutex", "lock_twice", 1},
    {"namesake", "stuck", "mutex lock", "mutex", "in_shared", 1},
    {"bare", "stuck", "futex wait", "futex", "in_bare_call", 1},
    {"asleep", "waiting", "sleep", "none", "asleep", 1},
    {"jump", "stuck", "sem wait", "semaphore", "behind_a_jump", 1},
};

/* In a static program, inner functions of the C library cannot be told from the program's. */
static bool is_told(size_t row, const char *build)
{
    return strcmp(odd_threads[row].thread, "jump") != 0 || strstr(build, "static") == NULL;
}

static void assert_odd_threads(const json_t *json, const char *build)
{
    bool has_names = strstr(build, "stripped") == NULL;
    for (size_t i = 0; i < LENGTH(odd_threads); i++) {
        if (!is_told(i, build))
            continue;
        struct expected_group expected = {
            .verdict = odd_threads[i].verdict,
            .kind = "thread",
            .op = odd_threads[i].op,
            .count = odd_threads[i].count,
            .object_kind = odd_threads[i].object,
            .task_name = odd_threads[i].thread,
        };
        if (has_names)
            expected.wait_function = expected.spawn_function = odd_threads[i].function;
        assert_group(json, &expected);
    }
}

/* What a context runs is not the function that its thread began in. */
static void assert_context(const json_t *json, const char *build)
{
    struct expected_group expected = {.verdict = "stuck",
                                      .kind = "thread",
                                      .op = "sem wait",
                                      .count = 1,
                                      .object_kind = "semaphore",
                                      .task_name = "context"};
    if (strstr(build, "stripped") == NULL)
        expected.wait_function = "in_context";
    assert_group(json, &expected);
    const json_t *group = find_group(json, &expected);
    assert_int_equal(json_array_size(json_object_get(group, "spawn_stack")), 0);
}

/* state: of which build. */
static void odd_threads__are_told_right(void **state)
{
    const char *name = *state;
    bool has_names = strstr(name, "stripped") == NULL;
    const struct expected_group last = {
        .verdict = "deadlocked", .op = "thread join", .count = 2, .task_name = "joiner"};
    const struct expected_group asleep = {.op = "sleep", .task_name = "asleep"};
    char path[512];
    snprintf(path, sizeof path, "%s/%s", LEAKSPY_TARGETS, name);
    struct target *target = target_start(false, LIST(path), NULL);
    target_wait_line(target, "ready");
    json_t *json = wait_for_group_in(target->pid_text, "0", LIST("--all"), &last);
    assert_odd_threads(json, name);
    assert_context(json, name);
    json_decref(json);

    /* What a stop interrupts is taken up again by another call. */
    kill(target->pid, SIGSTOP);
    sleep_ms(20);
    kill(target->pid, SIGCONT);
    sleep_ms(20);
    json = wait_for_group_in(target->pid_text, "0", LIST("--all"), &asleep);
    assert_odd_threads(json, name);
    json_decref(json);

    json = report(target_write_core(target, target->dir), "0", LIST("--all"));
    for (size_t i = 0; has_names && i < LENGTH(odd_threads); i++) {
        if (!is_told(i, name))
            continue;
        struct expected_group expected = {
            .verdict = odd_threads[i].verdict,
            .op = odd_threads[i].op,
            .count = odd_threads[i].count,
            .object_kind = odd_threads[i].object,
            .wait_function = odd_threads[i].function,
        };
        assert_group(json, &expected);
    }
    json_decref(json);
    target_end(target);
}

/* ---- cores ---- */

static void parked__is_told_by_a_core(void **state)
{
    struct expected_group expected;
    struct target *target = park(false, *state, &expected);
    json_t *json = wait_for_group_in(target->pid_text, "0", LIST("--all"), &expected);
    json_decref(json);
    /* In a core, a thread's name is the program's. */
    expected.task_name = NULL;
    json = report(target_write_core(target, target->dir), "0", LIST("--all"));
    assert_group(json, &expected);
    json_decref(json);
    target_end(target);
}

/* ---- preloaded, and the recording is gone ---- */

/* All threads but the preload library's own, which the kernel counts, too (proc(5)). */
static void assert_one_less_than_the_kernel_has(const json_t *json, const struct target *target)
{
    char path[64];
    struct stat status;
    snprintf(path, sizeof path, "/proc/%s/task", target->pid_text);
    assert_int_equal(stat(path, &status), 0);
    json_int_t threads = (json_int_t)status.st_nlink - 2; /* "." and ".." */
    assert_int_equal(json_integer_value(json_at(json, "totals.tasks")), threads - 1);
}

static void preloaded__is_told_like_a_bare_one(void **state)
{
    struct expected_group expected;
    struct target *target = park(true, *state, &expected);
    wait_for_recording(target->recording);
    assert_int_equal(unlink(target->recording), 0);
    json_t *json = wait_for_group_in(target->pid_text, "0", LIST("--all"), &expected);
    assert_group(json, &expected);
    assert_one_less_than_the_kernel_has(json, target);
    json_decref(json);
    expected.task_name = NULL;
    json = report(target_write_core(target, target->dir), "0", LIST("--all"));
    assert_group(json, &expected);
    assert_one_less_than_the_kernel_has(json, target);
    assert_false(has_note(json, "early"));
    json_decref(json);
    target_end(target);
}

/* ---- the list ---- */

static struct CMUnitTest tests[4 * LENGTH(rows)];
static char names[4 * LENGTH(rows)][96];
static size_t test_count;

static void add(const char *name, const char *what, CMUnitTestFunction function, const void *state)
{
    snprintf(names[test_count], sizeof *names, "%s__%s", name, what);
    tests[test_count] = (struct CMUnitTest){names[test_count], function, NULL, end_all_targets,
                                            (void *)(uintptr_t)state};
    test_count++;
}

int main(int argc, char **argv)
{
    const char *group = argc == 2 ? argv[1] : "";
    for (size_t i = 0; i < LENGTH(rows); i++) {
        if (strcmp(rows[i].group, group) == 0)
            add(rows[i].name, "is_told", parked__is_told_with_op_object_and_stack, &rows[i]);
        /* Each op in a core; not each function, which would take long. */
        bool is_new = i == 0 || strcmp(rows[i].op, rows[i - 1].op) != 0;
        if (strcmp(group, "cores") == 0 && is_new && strcmp(rows[i].group, "task") != 0 &&
            strcmp(rows[i].group, "go") != 0)
            add(rows[i].name, "is_told_by_a_core", parked__is_told_by_a_core, &rows[i]);
        /* Of each way to start a thread one, which may be stopped in its call for its stack. */
        if (strcmp(group, "cores") == 0 &&
            (strcmp(rows[i].name, "sem_wait") == 0 || strcmp(rows[i].name, "mtx_lock") == 0))
            add(rows[i].name, "preloaded_is_told_like_a_bare_one",
                preloaded__is_told_like_a_bare_one, &rows[i]);
    }
    for (size_t i = 0; strcmp(group, "samples") == 0 && i < LENGTH(samples); i++) {
        add(samples[i].name, "is_found", sample__is_found_in_the_process_and_in_its_core,
            &samples[i]);
        if (i == 0 || strcmp(samples[i - 1].name, samples[i].name) != 0)
            add(samples[i].name, "fixed_is_silent", fixed_sample__is_silent, &samples[i]);
    }
    if (strcmp(group, "samples") == 0)
        add("unjoined_threads", "are_found_on_the_list", unjoined_threads__are_found_on_the_list,
            NULL);
    if (strcmp(group, "foreign") == 0) {
        add("rust_receiver", "is_in_chan_receive", rust_receiver__is_in_chan_receive, NULL);
        add("cxx_condition_variable", "is_in_cond_wait", cxx_condition_variable__is_in_cond_wait,
            NULL);
        add("python_thread_on_an_empty_queue", "is_in_sem_wait",
            python_thread_on_an_empty_queue__is_in_sem_wait, NULL);
        add("thread_that_waits_by_pidfd", "names_the_process",
            thread_that_waits_by_pidfd__names_the_process, NULL);
        add("read_of_a_closed_descriptor", "is_said_to_be_one",
            read_of_a_closed_descriptor__is_said_to_be_one, NULL);
        add("lock_held_by_another_process", "is_not_said_to_be_a_dead_threads",
            lock_held_by_another_process__is_not_said_to_be_a_dead_threads, NULL);
        add("idle_redis", "is_silent", idle_redis__is_silent, NULL);
        add("moving_threads", "are_never_told_torn", moving_threads__are_never_told_torn, NULL);
        add("thread_with_frame_pointers", "is_stopped_and_goes_on",
            thread_with_frame_pointers__is_stopped_and_goes_on, NULL);
        add("stopped_thread", "is_told_parked_by_every_look",
            stopped_thread__is_told_parked_by_every_look, NULL);
        add("stopped_thread", "may_be_parked_for_longer", stopped_thread__may_be_parked_for_longer,
            NULL);
        add("watched_thread", "is_not_stopped_again_and_stays",
            watched_thread__is_not_stopped_again_and_stays, NULL);
        add("interrupted_sleep", "has_a_timeout", interrupted_sleep__has_a_timeout, NULL);
    }
    if (strcmp(group, "odd") == 0) {
        add("odd_threads", "are_told_right", odd_threads__are_told_right, "odd_threads");
        add("odd_threads_static", "are_told_right", odd_threads__are_told_right,
            "odd_threads_static");
        add("odd_threads_stripped", "are_told_right", odd_threads__are_told_right,
            "odd_threads_stripped");
    }
    if (test_count == 0) {
        fprintf(stderr, "usage: test_threads GROUP\n");
        return 64;
    }
    return _cmocka_run_group_tests(group, tests, test_count, NULL, NULL);
}
