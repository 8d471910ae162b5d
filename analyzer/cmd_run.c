/* leakspy run: starts a command with libleakspy.so preloaded and ends as that ends. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analyzer/base/clock.h"
#include "analyzer/base/text.h"
#include "analyzer/commands.h"
#include "analyzer/elf_check.h"
#include "analyzer/preload_library.h"
#include "analyzer/record_outside.h"
#include "analyzer/recording/file.h"
#include "analyzer/recording/recordings.h"

#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NO_COMMAND 127

struct launch {
    char **argv;
    char *program; /* what will be executed; NULL: not found */
    char *output;  /* absolute; NULL: the user's folder */
    pid_t child;
    uint64_t begun_ns;  /* CLOCK_MONOTONIC */
    bool cannot_record; /* and why was said already */
    bool from_outside;  /* it loads no library: this process looks at it */
};

static void say(const char *what, const char *why)
{
    char printable[256];
    fprintf(stderr, "leakspy: %s: %s\n",
            what[0] ? text_printable(what, printable, sizeof(printable)) : "''", why);
}

/* A path that stays right when the command changes its folder. */
static char *absolute(const char *path)
{
    char *result = NULL;
    char *folder = path[0] == '/' ? NULL : getcwd(NULL, 0);
    if (path[0] == '/')
        result = strdup(path);
    else if (folder && asprintf(&result, "%s/%s", folder, path) < 0)
        result = NULL;
    free(folder);
    return result;
}

/* Whether something stands at `path` that the library will not replace: anything but a recording of
 * this user. */
static bool is_taken(const char *path)
{
    struct stat status;
    uint64_t magic = 0;
    if (lstat(path, &status) != 0)
        return false;
    int fd = S_ISREG(status.st_mode) && status.st_uid == geteuid()
                 ? open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
                 : -1;
    if (fd < 0)
        return true;
    bool readable = pread(fd, &magic, sizeof(magic), 0) >= 0;
    close(fd);
    return !readable || (magic != REC_MAGIC && magic != 0); /* 0: it is empty, or being made */
}

/* Why no file can be made at `path`, an errno value: its folder is missing or not to be written in.
 * 0: nothing is known against it. */
static int why_not_made(const char *path)
{
    char *folder = strndup(path, (size_t)(text_basename(path) - path));
    int error = folder && access(folder, W_OK | X_OK) != 0 ? errno : 0;
    free(folder);
    return error;
}

/* Says beforehand that the file to record to cannot be had. */
static void warn_of_output(struct launch *launch)
{
    char why[128] = "exists and is not a recording of yours: nothing is recorded";
    if (!launch->output || launch->cannot_record)
        return;
    if (!is_taken(launch->output)) {
        int error = why_not_made(launch->output);
        if (error == 0)
            return;
        snprintf(why, sizeof(why), "cannot be made (%s): nothing is recorded", strerror(error));
    }
    say(launch->output, why);
    launch->cannot_record = true;
}

/* Says beforehand what cannot work. */
static void warn(struct launch *launch)
{
    char why[512] = "";
    if (!launch->program)
        return;
    switch (elf_check(launch->program, why, sizeof(why))) {
    case ELF_CANNOT_RECORD:
        fprintf(stderr, "leakspy: cannot record ");
        launch->cannot_record = true;
        break;
    case ELF_RECORDS_PARTLY:
        fprintf(stderr, "leakspy: can record only a part of ");
        break;
    case ELF_RECORDS_SHELL:
        fprintf(stderr, "leakspy: can record only the shell that runs ");
        break;
    case ELF_RECORDS_FROM_OUTSIDE:
        launch->from_outside = true;
        return;
    default:
        return;
    }
    char name[256];
    char printable[1024];
    fprintf(stderr, "%s: %s\n", text_printable(launch->program, name, sizeof(name)),
            text_printable(why, printable, sizeof(printable)));
}

/* Puts the library in the environment that the command inherits. */
static bool prepare_environment(struct launch *launch, struct err *err)
{
    char *library = preload_library_find();
    if (!library && launch->from_outside)
        return !launch->output || setenv("LEAKSPY_OUT", launch->output, 1) == 0 ||
               err_system(err, "run", errno);
    if (!library) {
        say("libleakspy.so", "is not found (LEAKSPY_LIBRARY may name it): nothing is recorded");
        launch->cannot_record = true;
        return true;
    }
    char *value = preload_library_value(library, getenv("LD_PRELOAD"));
    if (!value && !launch->from_outside) {
        say(library, "has a space or a colon in its path, which LD_PRELOAD cannot hold: nothing is "
                     "recorded");
        launch->cannot_record = true;
    }
    /* Also for one that does not load it: the programs that it starts may. */
    bool ok = !value || setenv("LD_PRELOAD", value, 1) == 0;
    if (ok && launch->output)
        ok = setenv("LEAKSPY_OUT", launch->output, 1) == 0;
    free(library);
    free(value);
    return ok || err_system(err, "run", errno);
}

/* The signals of a launch. The terminal sends its own to the command itself, so that they are
 * ignored here, as shells do; those that somebody sends to this process are passed on. They are
 * waited for, not handled: nothing is interrupted. */
struct signals {
    sigset_t watched; /* SIGCHLD, and what is passed on */
    sigset_t before;  /* the mask, for the command to start with */
    struct sigaction child_before;
};

/* A signal that is to be passed on, unless this process was started to ignore it, as by nohup. */
static void watch_signal(struct signals *signals, int number)
{
    struct sigaction now;
    if (sigaction(number, NULL, &now) == 0 && now.sa_handler != SIG_IGN)
        sigaddset(&signals->watched, number);
}

static void signals_init(struct signals *signals)
{
    static const int passed_on[] = {SIGTERM, SIGHUP,    SIGINT,  SIGQUIT,  SIGUSR1, SIGUSR2,
                                    SIGALRM, SIGVTALRM, SIGPROF, SIGWINCH, SIGIO,   SIGPWR};
    const struct sigaction plain = {.sa_handler = SIG_DFL};
    sigemptyset(&signals->watched);
    sigaddset(&signals->watched, SIGCHLD);
    for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
        watch_signal(signals, passed_on[i]);
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
        watch_signal(signals, number);
    sigaction(SIGCHLD, &plain, &signals->child_before);
    sigprocmask(SIG_BLOCK, &signals->watched, &signals->before);
}

/* In the child: everything as this process found it. */
static void signals_restore(const struct signals *signals)
{
    sigaction(SIGCHLD, &signals->child_before, NULL);
    sigprocmask(SIG_SETMASK, &signals->before, NULL);
}

/* Forks and executes. The pipe closes when the command has begun, or tells why it has not: the
 * value returned, an errno value. */
static int start(struct launch *launch, const struct signals *signals)
{
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0)
        return errno;
    launch->begun_ns = clock_ns(CLOCK_MONOTONIC);
    launch->child = fork();
    if (launch->child == 0) {
        signals_restore(signals);
        execvp(launch->argv[0], launch->argv);
        int error = errno;
        while (write(report[1], &error, sizeof(error)) < 0 && errno == EINTR)
            continue;
        _exit(EXIT_NO_COMMAND);
    }
    int error = launch->child < 0 ? errno : 0;
    close(report[1]);
    if (launch->child > 0) {
        int told;
        ssize_t got;
        while ((got = read(report[0], &told, sizeof(told))) < 0 && errno == EINTR)
            continue;
        if (got == (ssize_t)sizeof(told))
            error = told;
    }
    close(report[0]);
    return error;
}

/* How a command ended, as the header of a recording says it. */
struct end {
    uint32_t state;
    int32_t exit_code;
};

/* Whether a recording says already how its command ended, or that it became another program. One
 * that says that it exited may be wrong: libc writes out its streams after that, where a signal can
 * end it. */
static bool is_settled(const struct rec_header *header, const struct end *end)
{
    if (header->state == REC_STATE_EXITED)
        return end->state == REC_STATE_EXITED && header->exit_code == end->exit_code;
    return header->state != REC_STATE_RUNNING;
}

/* Opens what is at `path` to write the end into it, if it is a recording that does not say it yet,
 * and no other file since: whoever may write in its folder may put something else there. -1: it is
 * none. */
static int open_unsettled(const char *path, const struct end *end)
{
    struct rec_file file;
    struct stat opened, looked_at;
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || !rec_file_open(&file, path, NULL)) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    bool fits = !is_settled(&file.header, end) && fstat(fd, &opened) == 0 &&
                fstat(file.fd, &looked_at) == 0 && opened.st_ino == looked_at.st_ino &&
                opened.st_dev == looked_at.st_dev;
    rec_file_close(&file);
    if (fits)
        return fd;
    close(fd);
    return -1;
}

/* Writes into the recording of a command how it ended, where it could not do that itself: it was
 * killed, be it by its last flush, or left without libc's help. Only its parent knows. */
static void write_end(const char *path, int status)
{
    const struct end end = {
        .state = WIFSIGNALED(status) ? REC_STATE_SIGNALLED : REC_STATE_EXITED,
        .exit_code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
    };
    int fd = open_unsettled(path, &end);
    if (fd < 0)
        return;
    uint64_t ended_ns = clock_ns(CLOCK_MONOTONIC);
    /* The state last: it says that the others are there. */
    bool ok = pwrite(fd, &end.exit_code, sizeof(end.exit_code),
                     offsetof(struct rec_header, exit_code)) == sizeof(end.exit_code) &&
              pwrite(fd, &ended_ns, sizeof(ended_ns), offsetof(struct rec_header, ended_ns)) ==
                  sizeof(ended_ns) &&
              pwrite(fd, &end.state, sizeof(end.state), offsetof(struct rec_header, state)) ==
                  sizeof(end.state);
    if (!ok)
        say(path, "how it ended could not be written into it");
    close(fd);
}

/* The recording that the command itself left, to be freed; NULL: none. Of one that executed another
 * program, as wrapper scripts do, the last program's. */
static char *find_recording(const struct launch *launch)
{
    uint32_t pid = (uint32_t)launch->child;
    if (launch->output)
        return recordings_beside(launch->output, pid, 0, launch->begun_ns, RECORDINGS_NEWEST);

    char folder[64];
    char *found = NULL;
    struct recording_list list;
    if (!recordings_list(recordings_folder(getuid(), folder), getuid(), &list, NULL))
        return NULL;
    for (size_t i = 0; !found && i < list.count; i++) {
        const struct recording_entry *row = &list.rows[i];
        if (row->pid == pid && row->this_boot && row->started_ns >= launch->begun_ns)
            found = strdup(row->path);
    }
    recordings_list_deinit(&list);
    return found;
}

static void say_recorded(const char *path)
{
    char *printable = text_printable_dup(path);
    fprintf(stderr, "leakspy: recorded in %s\n", printable ? printable : path);
    free(printable);
}

static void tell(const struct launch *launch, int status)
{
    char *path = find_recording(launch);
    if (path) {
        write_end(path, status);
        say_recorded(path);
    } else if (!launch->cannot_record) {
        say(launch->argv[0],
            launch->output
                ? "left no recording: the file could not be made, the library was not loaded, or a "
                  "system call filter is in its way (LEAKSPY_VERBOSE=1 says why)"
                : "left no recording: the library was not loaded, /dev/shm is full, or a system "
                  "call filter is in its way (LEAKSPY_VERBOSE=1 says why)");
    }
    free(path);
}

static struct signals signals;

/* No signal has come that wants something done. */
static bool is_quiet(void)
{
    sigset_t pending;
    sigpending(&pending);
    for (int signal = 1; signal < NSIG; signal++)
        if (sigismember(&signals.watched, signal) == 1 && sigismember(&pending, signal) == 1)
            return false;
    return true;
}

/* Waits for one of the signals, and looks at the command meanwhile where that is to be done. */
static int next_signal(siginfo_t *ret)
{
    int64_t rest_ns;
    while ((rest_ns = record_outside_rest_ns()) >= 0) {
        const struct timespec rest = {.tv_sec = rest_ns / 1000000000,
                                      .tv_nsec = rest_ns % 1000000000};
        int signal = sigtimedwait(&signals.watched, ret, &rest);
        if (signal > 0 || errno != EAGAIN)
            return signal;
        record_outside_look(is_quiet);
    }
    return sigwaitinfo(&signals.watched, ret);
}

/* Whether the command has got a signal itself that this process has got: one of the terminal, which
 * sends it to the group in the foreground, unless the command has made a group of its own, as
 * timeout(1) does. What else the kernel sends is for one process: timers' signals, and a hangup,
 * for who leads the session. Of those that somebody sends, nobody knows to whom they went. */
static bool has_got(pid_t child, const siginfo_t *info)
{
    bool of_terminal =
        info->si_code == SI_KERNEL &&
        (info->si_signo == SIGINT || info->si_signo == SIGQUIT || info->si_signo == SIGWINCH);
    return of_terminal && getpgid(child) == getpgrp();
}

/* Waits for the end of the command, and passes on the signals that come meanwhile. */
static int wait_for(pid_t child)
{
    int status = 0;
    for (;;) {
        pid_t ended = waitpid(child, &status, WNOHANG);
        if (ended == child || (ended < 0 && errno != EINTR))
            return status;
        siginfo_t info;
        int signal = next_signal(&info);
        if (signal <= 0 || signal == SIGCHLD)
            continue;
        if (!has_got(child, &info))
            kill(child, signal);
    }
}

static int run(struct launch *launch, struct err *err)
{
    launch->program = elf_find_program(launch->argv[0]);
    warn(launch);
    if (!prepare_environment(launch, err))
        return EXIT_CANNOT_SAY;
    warn_of_output(launch);
    fflush(NULL);

    signals_init(&signals);
    int error = start(launch, &signals);
    if (error) {
        if (launch->child > 0)
            waitpid(launch->child, NULL, 0);
        say(launch->argv[0], strerror(error));
        return error == ENOENT ? EXIT_NO_COMMAND : EXIT_NOT_EXECUTABLE;
    }
    if (launch->from_outside && !launch->cannot_record)
        record_outside_open(launch->child);
    int status = wait_for(launch->child);
    if (launch->from_outside) {
        const char *path = record_outside_close(status);
        if (path)
            say_recorded(path);
    } else {
        tell(launch, status);
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int cmd_run(int argc, char **argv, struct err *err)
{
    static const struct option options[] = {
        {"output", required_argument, NULL, OPTION_OUTPUT},
        COMMAND_OPTIONS,
        {NULL, 0, NULL, 0},
    };
    struct launch launch = {0};
    const char *output = NULL;
    int option;
    /* '+': what follows the command's name is the command's. */
    while ((option = getopt_long(argc, argv, "+:o:", options, NULL)) != -1) {
        if (command_answer(option, "run"))
            return EXIT_DONE;
        if (option != 'o' && option != OPTION_OUTPUT) {
            command_bad_option(err, argv, option);
            return EXIT_USAGE;
        }
        output = optarg;
    }
    if (optind == argc) {
        err_set(err, ERR_USAGE, "run", "a command is missing");
        return EXIT_USAGE;
    }
    if (output && (!output[0] || strcmp(output, "-") == 0)) {
        err_set(err, ERR_USAGE, "-o", "a recording needs a file");
        return EXIT_USAGE;
    }
    if (!output) { /* the library would heed it: what it then writes is to be found */
        output = getenv("LEAKSPY_OUT");
        output = output && output[0] ? output : NULL;
    }
    launch.argv = argv + optind;
    launch.output = output ? absolute(output) : NULL;
    int status = EXIT_CANNOT_SAY;
    if (output && !launch.output)
        err_system(err, output, errno);
    else
        status = run(&launch, err);
    free(launch.output);
    free(launch.program);
    return status;
}
