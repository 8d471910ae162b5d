/* `leakspy report PID`: which source answers, what the report says of it, and what is said where
 * there is none. */
#include "tests/e2e/harness.h"

#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "preload/recording.h"
#include "tests/e2e/looked_at.h"
#include "tests/e2e/scratch.h"

#define NOBODY "/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"

static void process_that_was_not_recorded__is_looked_at(void **state)
{
    (void)state;
    struct target *target = start(false, DEADLOCK);
    json_t *json = wait_for_group_in(target->pid_text, "1ms", NULL, &deadlock);
    assert_group(json, &deadlock);
    assert_text(json, "source.kind", "process");
    assert_text(json, "source.end", "running");
    assert_text(json, "source.exe", DEADLOCK);
    assert_true(json_is_null(json_at(json, "source.path")));
    assert_int_equal(json_integer_value(json_at(json, "source.pid")), target->pid);
    assert_text(json_at(json, "source"), "started",
                json_string_value(json_at(json, "source.started")));
    assert_string_equal(json_string_value(json_array_get(json_at(json, "source.cmdline"), 0)),
                        DEADLOCK);
    json_decref(json);
    target_end(target);
}

static void process_that_is_recorded__gives_its_recording(void **state)
{
    (void)state;
    struct target *target = start(true, DEADLOCK);
    json_t *json = wait_for_group(target, "1ms", NULL, &deadlock);
    json_decref(json);
    json = report(target->pid_text, "1ms", NULL);
    assert_text(json, "source.kind", "recording");
    assert_group(json, &deadlock);
    json_decref(json);
    target_end(target);
}

/* One of its threads sleeps by calls of its own, too shortly for its recording to tell. */
static void recorded_process_without_its_recording__is_looked_at(void **state)
{
    const struct expected_group wait = {
        .kind = "thread", .op = "sleep", .count = 1, .wait_function = "run_thread"};
    (void)state;
    struct target *target =
        target_start(true, LIST(LEAKSPY_TARGETS "/parked", "recv", "pass"), NULL);
    target_wait_line(target, "ready");
    json_t *json = wait_for_group_in(target->pid_text, "0", LIST("--all", "--no-recording"), &wait);
    assert_text(json, "source.kind", "process");
    assert_int_equal(json_integer_value(json_at(json, "totals.tasks")), 2); /* none of leakspy's */
    json_decref(json);
    json = report(target->pid_text, "0", LIST("--all"));
    assert_text(json, "source.kind", "recording");
    assert_null(find_group(json, &wait));
    json_decref(json);
    assert_refused(64, "--no-recording: is for a process",
                   LIST(LEAKSPY_COMMAND, "report", "--no-recording", target->recording));
    assert_refused(64, "--no-recording: is for a process",
                   LIST(LEAKSPY_COMMAND, "report", "--no-recording"));
    target_end(target);
}

/* Which its recording does not tell of; by that, it has exited. */
static void recorded_process_that_hangs_in_its_last_flush__is_looked_at(void **state)
{
    (void)state;
    const struct expected_group write = {
        .verdict = "stuck", .kind = "thread", .op = "io wait", .count = 1};
    struct target *target = target_start(true, LIST(LEAKSPY_TARGETS "/late_end", "full"), NULL);
    target_wait_line(target, "ready");
    json_t *json = wait_for_group_in(target->pid_text, "1ms", NULL, &write);
    assert_text(json, "source.kind", "process");
    json_decref(json);
    json = report(target->recording, "1ms", NULL);
    assert_text(json, "source.end", "running");
    assert_true(json_is_null(json_at(json, "source.exit_code")));
    json_decref(json);
    assert_no_all_clear(target->recording);
    struct outcome watch = run_program(
        false, LIST(LEAKSPY_COMMAND, "report", "--watch", "1s", target->recording), NULL);
    assert_int_equal(WEXITSTATUS(watch.status), 0);
    outcome_deinit(&watch);

    target_kill(target, SIGKILL);
    json = report(target->recording, "1ms", NULL);
    assert_text(json, "source.end", "exited");
    json_decref(json);
    target_end(target);
}

/* What the process has mapped, its other threads tell. */
static void recorded_process_whose_main_thread_has_ended__gives_its_recording(void **state)
{
    (void)state;
    struct target *target = target_start(true, LIST(LEAKSPY_TARGETS "/late_end", "left"), NULL);
    target_wait_line(target, "ready");
    json_decref(wait_for_group(target, "100ms", NULL, &(struct expected_group){.op = "sem wait"}));
    json_t *json = report(target->pid_text, "100ms", NULL);
    assert_text(json, "source.kind", "recording");
    assert_text(json, "source.path", target->recording);
    json_decref(json);
    struct outcome list = run_program(false, LIST(LEAKSPY_COMMAND, "list"), NULL);
    assert_non_null(strstr(list.out, target->recording));
    outcome_deinit(&list);
    target_end(target);
}

static bool has_pidfds_of_threads(void)
{
    int pidfd = (int)syscall(SYS_pidfd_open, getpid(), O_EXCL /* PIDFD_THREAD, Linux 6.9 */);
    if (pidfd >= 0)
        close(pidfd);
    return pidfd >= 0;
}

static void process_whose_main_thread_has_ended__timeouts_of_its_sockets_are_told(void **state)
{
    const struct expected_group wait = {.verdict = "waiting",
                                        .kind = "thread",
                                        .op = "io wait",
                                        .count = 1,
                                        .wait_function = "never_sent",
                                        .deadline = WITH_DEADLINE};
    (void)state;
    if (!has_pidfds_of_threads())
        skip();
    struct target *target =
        target_start(false, LIST(LEAKSPY_TARGETS "/late_end", "received"), NULL);
    target_wait_line(target, "ready");
    json_t *json = wait_for_group_in(target->pid_text, "100ms", LIST("--all"), &wait);
    assert_group(json, &wait);
    json_decref(json);
    target_end(target);
}

/* Lays a recording of another process into the user's folder, under the number of this one. */
static void forge_recording(const struct target *from, const struct target *to, char path[128])
{
    char folder[64];
    struct rec_header header;
    snprintf(folder, sizeof folder, REC_DIR_PREFIX "%u", (unsigned)getuid());
    mkdir(folder, 0700);
    snprintf(path, 128, "%s/%d-77.rec", folder, (int)to->pid);
    struct outcome outcome =
        run_program(false, LIST("/bin/cp", "--sparse=always", from->recording, path), NULL);
    assert_int_equal(outcome.status, 0);
    outcome_deinit(&outcome);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, &header, sizeof header, 0), sizeof header);
    header.pid = (uint32_t)to->pid;
    assert_int_equal(pwrite(fd, &header, sizeof header, 0), sizeof header);
    close(fd);
}

static void recording_of_a_former_process__is_not_taken_for_this_one(void **state)
{
    (void)state;
    char path[128];
    struct target *former = start(true, LEAKSPY_SAMPLES "/receive_without_sender");
    target_wait_walks(former, 2, 0);
    struct target *target = start(false, DEADLOCK);
    json_decref(wait_for_group_in(target->pid_text, "1ms", NULL, &deadlock));
    forge_recording(former, target, path);
    json_t *json = report(target->pid_text, "1ms", NULL);
    unlink(path);
    assert_text(json, "source.kind", "process");
    assert_group(json, &deadlock);
    json_decref(json);
    target_end(target);
    target_end(former);
}

static void text__says_what_was_looked_at(void **state)
{
    (void)state;
    char line[512];
    struct target *target = start(false, DEADLOCK);
    json_decref(wait_for_group_in(target->pid_text, "1ms", NULL, &deadlock));
    struct outcome outcome = run_program(
        false, LIST(LEAKSPY_COMMAND, "report", "--threshold", "1ms", target->pid_text), NULL);
    snprintf(line, sizeof line, "in " DEADLOCK ", pid %d, running; as of ", (int)target->pid);
    assert_int_equal(outcome.status, 0);
    assert_non_null(strstr(outcome.out, line));
    assert_string_equal(outcome.err, "");
    outcome_deinit(&outcome);
    target_end(target);
}

static void what_is_no_process_to_look_at__is_said(void **state)
{
    (void)state;
    assert_refused(2, "no such process", LIST(LEAKSPY_COMMAND, "report", "2147483000"));
    assert_refused(2, "is no process", LIST(LEAKSPY_COMMAND, "report", "99999999999"));
    assert_refused(64, "--exe: is for cores",
                   LIST(LEAKSPY_COMMAND, "report", "--exe", "/bin/ls", "1"));
    assert_refused(64, "--exe: is for cores", LIST(LEAKSPY_COMMAND, "report", "--exe", "/bin/ls"));
    assert_refused(2, "/nowhere/core: No such file",
                   LIST(LEAKSPY_COMMAND, "report", "--exe", "/bin/ls", "/nowhere/core"));
    assert_refused(2, "a program", LIST(LEAKSPY_COMMAND, "report", "/bin/ls"));
}

static void process_of_another_user__is_not_permitted(void **state)
{
    (void)state;
    if (getuid() != 0 || access("/usr/bin/setpriv", X_OK) != 0)
        skip();
    struct target *target = start(false, DEADLOCK);
    assert_refused(2, "not permitted: it belongs to user 0",
                   LIST(NOBODY, LEAKSPY_COMMAND, "report", target->pid_text));
    target_end(target);
}

/* The child of a program like unshare. */
static void child_of(const struct target *target, char ret[16])
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)target->pid, (int)target->pid);
    char *children = read_file(path);
    assert_non_null(children);
    snprintf(ret, 16, "%.*s", (int)strcspn(children, " \n"), children);
    free(children);
}

/* A program in a container knows its threads by other numbers, and locks name their owners by
 * those. */
static void process_in_another_pid_namespace__its_owners_are_found(void **state)
{
    (void)state;
    char pid[16] = "";
    if (getuid() != 0 || access("/usr/bin/unshare", X_OK) != 0)
        skip();
    struct target *target = target_start(
        false, LIST("/usr/bin/unshare", "--pid", "--fork", "--kill-child", DEADLOCK), NULL);
    target_wait_line(target, "ready");
    child_of(target, pid);
    json_t *json = wait_for_group_in(pid, "1ms", NULL, &deadlock);
    assert_group(json, &deadlock);
    json_decref(json);
    target_end(target);
}

/* It has recorded itself by the number by which it knows itself. With a /dev/shm of its own, the
 * file is not where it says, seen from here. */
static void recorded_process_in_another_pid_namespace__gives_its_recording(void **state)
{
    static const char *const scripts[] = {
        "LD_PRELOAD=" LEAKSPY_PRELOAD " exec " DEADLOCK,
        "mount -t tmpfs none /dev/shm && LD_PRELOAD=" LEAKSPY_PRELOAD " exec " DEADLOCK,
    };
    (void)state;
    if (getuid() != 0 || access("/usr/bin/unshare", X_OK) != 0)
        skip();
    for (size_t i = 0; i < LENGTH(scripts); i++) {
        char pid[16] = "";
        struct target *target =
            target_start(false,
                         LIST("/usr/bin/unshare", "--pid", "--mount", "--mount-proc", "--fork",
                              "--kill-child", "/bin/sh", "-c", scripts[i]),
                         LIST("LEAKSPY_SAMPLE=20ms"));
        target_wait_line(target, "ready");
        child_of(target, pid);
        json_t *json = wait_for_group_in(pid, "1ms", NULL, &deadlock);
        assert_group(json, &deadlock);
        assert_text(json, "source.kind", "recording");
        assert_text(json, "source.end", "running");
        assert_int_equal(json_integer_value(json_at(json, "source.pid")), atoi(pid));
        if (i == 0) {
            char *path = strdup(json_string_value(json_at(json, "source.path")));
            json_decref(json);
            json = report(path, "1ms", NULL);
            assert_text(json, "source.end", "running");
            unlink(path);
            free(path);
        }
        json_decref(json);
        target_end(target);
    }
}

/* Programs that end while they are looked at, sooner or later. */
static void process_that_ends_meanwhile__error_or_what_was_seen(void **state)
{
    (void)state;
    unsigned told = 0, refused = 0;
    for (int i = 0; i < 40; i++) {
        struct target *target = start(false, DEADLOCK);
        pid_t killer = fork();
        if (killer == 0) {
            usleep((useconds_t)(i * 700));
            kill(target->pid, SIGKILL);
            _exit(0);
        }
        struct outcome outcome =
            run_program(false, LIST(LEAKSPY_COMMAND, "report", target->pid_text), NULL);
        assert_int_equal(waitpid(killer, NULL, 0), killer);
        assert_true(WIFEXITED(outcome.status));
        int status = WEXITSTATUS(outcome.status);
        if (status == 0)
            told++;
        else
            refused++;
        if (status == 2 && !strstr(outcome.err, "ended") && !strstr(outcome.err, "zombie") &&
            !strstr(outcome.err, "no such process"))
            fail_msg("%s", outcome.err);
        assert_true(status == 0 || status == 2);
        outcome_deinit(&outcome);
        target_end(target);
    }
    assert_int_equal(told + refused, 40);
}

/* Whether its file says so is all that is known of a program's bits, and the kernel runs one of 64
 * bits that says something else. */
static void program_of_32_bits__is_refused(void **state)
{
    (void)state;
    char copy[128];
    const char bits = ELFCLASS32;
    strcpy(copy, in_scratch("program"));
    copy_file(DEADLOCK, copy);
    int fd = open(copy, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, &bits, 1, EI_CLASS), 1);
    close(fd);
    struct target *target = start(false, copy);
    assert_refused(2, "it is a program of 32 bits",
                   LIST(LEAKSPY_COMMAND, "report", target->pid_text));
    target_end(target);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, looked_set_up, looked_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(process_that_was_not_recorded__is_looked_at),
        TEST(process_that_is_recorded__gives_its_recording),
        TEST(recorded_process_without_its_recording__is_looked_at),
        TEST(recorded_process_whose_main_thread_has_ended__gives_its_recording),
        TEST(process_whose_main_thread_has_ended__timeouts_of_its_sockets_are_told),
        TEST(recorded_process_that_hangs_in_its_last_flush__is_looked_at),
        TEST(recording_of_a_former_process__is_not_taken_for_this_one),
        TEST(text__says_what_was_looked_at),
        TEST(what_is_no_process_to_look_at__is_said),
        TEST(process_of_another_user__is_not_permitted),
        TEST(process_in_another_pid_namespace__its_owners_are_found),
        TEST(recorded_process_in_another_pid_namespace__gives_its_recording),
        TEST(process_that_ends_meanwhile__error_or_what_was_seen),
        TEST(program_of_32_bits__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
