/* leakspy run: starts a command with libleakspy.so preloaded and ends as that ends. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
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
#include "analyzer/recording/end.h"
#include "analyzer/recording/recordings.h"
#include "analyzer/run_signals.h"

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

/* Forks and executes. The pipe closes when the command has begun, or tells why it has not: the
 * value returned, an errno value. */
static int start(struct launch *launch)
{
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0)
        return errno;
    launch->begun_ns = clock_ns(CLOCK_MONOTONIC);
    launch->child = fork();
    if (launch->child == 0) {
        run_signals_restore();
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
        if (!recording_write_end(path, status))
            say(path, "how it ended could not be written into it");
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

static int run(struct launch *launch, struct err *err)
{
    launch->program = elf_find_program(launch->argv[0]);
    warn(launch);
    if (!prepare_environment(launch, err))
        return EXIT_CANNOT_SAY;
    warn_of_output(launch);
    fflush(NULL);

    run_signals_begin();
    int error = start(launch);
    if (error) {
        if (launch->child > 0)
            waitpid(launch->child, NULL, 0);
        say(launch->argv[0], strerror(error));
        return error == ENOENT ? EXIT_NO_COMMAND : EXIT_NOT_EXECUTABLE;
    }
    if (launch->from_outside && !launch->cannot_record)
        record_outside_open(launch->child);
    int status = run_signals_wait(launch->child);
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
