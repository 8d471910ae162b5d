/* The command leakspy: finds the command that is meant, and prints the error that it ends with. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "analyzer/commands.h"

const struct command commands[] = {
    {"run", cmd_run, "[-o FILE] [--] CMD [ARG...]", "run CMD with recording on; exit as CMD did",
     "  -o, --output=FILE   record to FILE instead of the user's folder in /dev/shm\n"},
    {"report", cmd_report, "[OPTION...] [SOURCE]",
     "report what is stuck in a recording, a process or a core",
     "SOURCE is the path of a recording, the number of a process (what was recorded of it, else\n"
     "the process itself, which goes on meanwhile), or the path of a core; without it, the newest\n"
     "recording of this user is meant, of those that 'leakspy list' shows.\n\n"
     "  --threshold=DUR      parked for at least DUR is too long (default 10s; 0, 500ms, 2m)\n"
     "  --watch=DUR          look repeatedly for DUR: say what stayed parked on the same thing,\n"
     "                       and what grew; DUR is then the threshold, unless --threshold is "
     "given\n"
     "  --exe=FILE           the executable of a core, where it is not the one that the core "
     "names\n"
     "  --no-recording       look at the process itself, also where it is recorded\n"
     "  --format=FORMAT      text (default) or json\n"
     "  -o, --output=FILE    write to FILE; - is standard output\n"
     "  --min-count=N        leave out groups of fewer than N tasks\n"
     "  --all                show groups that wait as expected, too\n"
     "  --exit-code          exit with 1 when anything but `waiting` is reported\n"
     "  --max-tasks=N        list at most N tasks of a group in json (default 100)\n"
     "  --max-memory=SIZE    give up rather than take more memory (512M; default: three quarters)\n"
     "  --frames=N           show at most N frames of a stack in text (default 8); where it has\n"
     "                       more, runs of frames of C++, Rust and Go libraries count as one\n"
     "  --color=WHEN         auto (default), always or never\n\n"
     "Exit status: 0 done, or nothing found with --exit-code, also in the recordings of programs\n"
     "that it started; 1 found something, with --exit-code; 2 could not say; 64 wrong usage.\n"},
    {"list", cmd_list, "[OPTION...]", "list recordings, and processes that are being recorded",
     "  --format=FORMAT   text (default) or json\n"},
    {"dump", cmd_dump, "[OPTION...] RECORDING", "show a recording as text, table by table",
     "  --table=NAME        only this table: header, modules, calls, sites, frames, tasks,\n"
     "                      cases, descriptors or asleep\n"
     "  -o, --output=FILE   write to FILE; - is standard output\n"},
    {"help", cmd_help, "[COMMAND]", "say how leakspy, or a command of it, is used", ""},
    {"version", cmd_version, "", "print the version", ""},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct command *command_find(const char *name)
{
    for (const struct command *command = commands; command->name; command++) {
        if (strcmp(command->name, name) == 0)
            return command;
    }
    return NULL;
}

bool command_bad_option(struct err *err, char **argv, int result)
{
    char name[64];
    if (optopt && optopt < 256)
        snprintf(name, sizeof(name), "-%c", optopt);
    else
        snprintf(name, sizeof(name), "%.60s", argv[optind - 1]);
    return err_set(err, ERR_USAGE, name, "%s",
                   result == ':' ? "needs a value" : "no such option, or not used like this");
}

/* Options before the command's name: "leakspy --help". */
static const char *as_command(const char *word)
{
    static const struct {
        const char *option, *command;
    } rows[] = {{"--help", "help"}, {"-h", "help"}, {"--version", "version"}, {"-V", "version"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(word, rows[i].option) == 0)
            return rows[i].command;
    }
    return word;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    int status = EXIT_USAGE;
    opterr = 0;

    const struct command *command = argc > 1 ? command_find(as_command(argv[1])) : NULL;
    if (command)
        status = command->run(argc - 1, argv + 1, &err);
    else if (argc > 1)
        err_set(&err, ERR_USAGE, argv[1], "no such command; 'leakspy help' lists them");
    else
        err_set(&err, ERR_USAGE, "command", "is missing; 'leakspy help' lists them");

    /* A report that did not reach its reader is no report. */
    if (err.kind == ERR_NONE && fflush(stdout) != 0)
        err_system(&err, "standard output", errno);
    else if (err.kind == ERR_NONE && ferror(stdout))
        err_set(&err, ERR_IO, "standard output", "cannot be written");
    if (err.kind == ERR_NONE)
        return status;
    err_print(&err);
    return err_exit_status(&err);
}
