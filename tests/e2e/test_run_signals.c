/* Signals that `leakspy run` gets: the command has each that is sent to `leakspy run` alone, and
 * each of a terminal, as often as it has it alone. */
#include "tests/e2e/harness.h"

#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM LEAKSPY_TARGETS "/counts_signals"
#define LIBRARY "LEAKSPY_LIBRARY=" LEAKSPY_PRELOAD
#define QUEUED 40 /* a signal of which each one counts */

/* Where the command says what it got, and where it is recorded. */
static char counts[96], recording[96];

static int make_paths(void **state)
{
    (void)state;
    snprintf(counts, sizeof counts, "%s/counts", scratch_folder());
    snprintf(recording, sizeof recording, "%s/signals.rec", scratch_folder());
    return 0;
}

static int remove_paths(void **state)
{
    unlink(counts);
    unlink(recording);
    return end_all_targets(state);
}

#define RUN(...) LIST(LEAKSPY_COMMAND, "run", "-o", recording, "--", PROGRAM, counts, ##__VA_ARGS__)

static pid_t pid_in(const char *line)
{
    pid_t pid = atoi(line + strlen("ready "));
    assert_true(pid > 0);
    return pid;
}

/* Starts it, at the head of a process group; the command's number in *ret_command. */
static struct target *start(const char *const argv[], pid_t *ret_command)
{
    struct target *target = target_start(false, argv, LIST(LIBRARY));
    *ret_command = pid_in(target_wait_line(target, "ready"));
    return target;
}

static void send(pid_t pid, int number, int times)
{
    for (int i = 0; i < times; i++)
        assert_int_equal(kill(pid, number), 0);
}

static void assert_counts(const char *expected)
{
    char *text = read_file(counts);
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

/* Ends the command by the signal that `leakspy run` gets, and passes on, after all others. */
static void end_and_assert(struct target *target, const char *expected)
{
    send(target->pid, SIGRTMAX, 1);
    struct outcome outcome = target_wait(target);
    assert_int_equal(outcome.status, 0);
    outcome_deinit(&outcome);
    target_end(target);
    assert_counts(expected);
}

static void signal__to_run_alone__is_passed_on_once(void **state)
{
    pid_t command;
    (void)state;
    struct target *target = start(RUN(), &command);
    send(target->pid, QUEUED, 5);
    send(target->pid, SIGINT, 1);
    send(target->pid, SIGALRM, 1);
    send(target->pid, SIGTERM, 1);
    end_and_assert(target, "INT 1 HUP 0 WINCH 0 ALRM 1 TERM 1 RT 5");
}

/* As scripts do, whose background jobs stay in their own group. */
static void signal__of_one_in_the_same_group__is_passed_on(void **state)
{
    (void)state;
    struct target *target =
        target_start(false,
                     LIST("/bin/bash", "-c",
                          "\"$0\" run -o \"$1\" -- \"$2\" \"$3\" & read; kill -40 $!; "
                          "kill -TERM $!; kill -64 $!; wait $!",
                          LEAKSPY_COMMAND, recording, PROGRAM, counts),
                     LIST(LIBRARY));
    target_wait_line(target, "ready");
    target_close_stdin(target);
    struct outcome outcome = target_wait(target);
    assert_int_equal(outcome.status, 0);
    outcome_deinit(&outcome);
    target_end(target);
    assert_counts("INT 0 HUP 0 WINCH 0 ALRM 0 TERM 1 RT 1");
}

/* As that of timeout(1): what goes to the group of `leakspy run` does not reach it. */
static void signal__to_the_group__is_passed_on_to_a_command_in_another(void **state)
{
    pid_t command;
    (void)state;
    struct target *target = start(RUN("own group"), &command);
    send(-target->pid, QUEUED, 3);
    send(-target->pid, SIGINT, 1);
    end_and_assert(target, "INT 1 HUP 0 WINCH 0 ALRM 0 TERM 0 RT 3");
}

/* ---- Terminals ---- */

struct terminal {
    pid_t pid; /* at the head of its session */
    int master;
};

/* Until the command has written a line with this in it; the whole line in `to`. */
static void wait_line(const struct terminal *terminal, const char *part, char *to, size_t room)
{
    size_t got = 0;
    for (;;) {
        ssize_t bytes = read(terminal->master, to + got, 1);
        if (bytes <= 0 || got == room - 1)
            fail_msg("the terminal ended before \"%s\"", part);
        got++;
        to[got] = '\0';
        if (to[got - 1] != '\n')
            continue;
        if (strstr(to, part)) /* before it stands what the terminal echoes */
            return;
        got = 0;
    }
}

/* The number of the command. */
static pid_t start_on_terminal(struct terminal *ret, const char *const argv[])
{
    char line[256];
    ret->pid = forkpty(&ret->master, NULL, NULL, NULL);
    assert_true(ret->pid >= 0);
    if (ret->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setenv("LEAKSPY_LIBRARY", LEAKSPY_PRELOAD, 1);
        execv(argv[0], (char *const *)argv);
        _exit(99);
    }
    wait_line(ret, "ready ", line, sizeof line);
    return pid_in(strstr(line, "ready "));
}

static void end_on_terminal(const struct terminal *terminal, const char *expected)
{
    int status;
    send(terminal->pid, SIGRTMAX, 1);
    assert_int_equal(waitpid(terminal->pid, &status, 0), terminal->pid);
    assert_int_equal(status, 0);
    assert_counts(expected);
}

static void key_that_interrupts__reaches_the_command_once(void **state)
{
    struct terminal terminal;
    const struct winsize size = {.ws_row = 11, .ws_col = 22};
    char line[256];
    (void)state;
    start_on_terminal(&terminal, RUN());
    assert_int_equal(write(terminal.master, "\003", 1), 1);
    wait_line(&terminal, "got INT", line, sizeof line);
    assert_int_equal(ioctl(terminal.master, TIOCSWINSZ, &size), 0);
    wait_line(&terminal, "got WINCH", line, sizeof line);
    end_on_terminal(&terminal, "INT 1 HUP 0 WINCH 1 ALRM 0 TERM 0 RT 0");
    close(terminal.master);
}

static void key_that_interrupts__reaches_a_command_that_left_the_group(void **state)
{
    struct terminal terminal;
    char line[256];
    (void)state;
    start_on_terminal(&terminal, RUN("own group"));
    assert_int_equal(write(terminal.master, "\003", 1), 1);
    wait_line(&terminal, "got INT", line, sizeof line);
    end_on_terminal(&terminal, "INT 1 HUP 0 WINCH 0 ALRM 0 TERM 0 RT 0");
    close(terminal.master);
}

/* The kernel tells it to who leads the session, which the command would do alone. */
static void end_of_the_terminal__is_told_to_the_command_once(void **state)
{
    struct terminal terminal;
    (void)state;
    start_on_terminal(&terminal, RUN());
    close(terminal.master);
    end_on_terminal(&terminal, "INT 0 HUP 1 WINCH 0 ALRM 0 TERM 0 RT 0");
}

/* One that was set before leakspy was executed would stay the command's. */
static void timer_that_runs_out__is_told_to_the_command(void **state)
{
    pid_t command;
    (void)state;
    struct target *target =
        start(LIST("/usr/bin/perl", "-e", "alarm 1; exec @ARGV", LEAKSPY_COMMAND, "run", "-o",
                   recording, "--", PROGRAM, counts),
              &command);
    target_wait_line(target, "got ALRM");
    end_and_assert(target, "INT 0 HUP 0 WINCH 0 ALRM 1 TERM 0 RT 0");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_paths, remove_paths)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(signal__to_run_alone__is_passed_on_once),
        TEST(signal__of_one_in_the_same_group__is_passed_on),
        TEST(signal__to_the_group__is_passed_on_to_a_command_in_another),
        TEST(key_that_interrupts__reaches_the_command_once),
        TEST(key_that_interrupts__reaches_a_command_that_left_the_group),
        TEST(end_of_the_terminal__is_told_to_the_command_once),
        TEST(timer_that_runs_out__is_told_to_the_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
