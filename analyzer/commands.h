/* The commands of leakspy. To add one: a file cmd_<name>.c with its function, and one row in
 * main.c. */
#ifndef LEAKSPY_ANALYZER_COMMANDS_H
#define LEAKSPY_ANALYZER_COMMANDS_H

#include <stdbool.h>

#include "analyzer/base/err.h"

#define EXIT_DONE 0
#define EXIT_FOUND 1 /* with --exit-code: something is reported */
#define EXIT_CANNOT_SAY 2
#define EXIT_USAGE 64

struct command {
    const char *name;
    /* argv[0] is the command's name. Returns the exit status; an error that is set in *err is
     * printed and decides the status instead. */
    int (*run)(int argc, char **argv, struct err *err);
    const char *usage;   /* what follows "leakspy NAME" */
    const char *summary; /* one line */
    const char *help;    /* the options, a line each; may be "" */
};

/* Ends with a row whose name is NULL. */
extern const struct command commands[];

/* NULL: there is no command of that name. */
const struct command *command_find(const char *name);

/* Answers an option that every command has: prints its usage and options on standard output
 * (OPTION_HELP), or the version (OPTION_VERSION). False: it is no such option. */
bool command_answer(int option, const char *name);

int cmd_run(int argc, char **argv, struct err *err);
int cmd_report(int argc, char **argv, struct err *err);
int cmd_list(int argc, char **argv, struct err *err);
int cmd_dump(int argc, char **argv, struct err *err);
int cmd_help(int argc, char **argv, struct err *err);
int cmd_version(int argc, char **argv, struct err *err);

/* What getopt_long returns for long options, above all letters: an error names the option as it was
 * written. Those that only one command has follow on OPTION_OTHERS. */
enum { OPTION_HELP = 256, OPTION_VERSION, OPTION_FORMAT, OPTION_OUTPUT, OPTION_OTHERS };

/* The rows that every command has among its options. */
#define COMMAND_OPTIONS                                                                            \
    {"help", no_argument, NULL, OPTION_HELP},                                                      \
    {                                                                                              \
        "version", no_argument, NULL, OPTION_VERSION                                               \
    }

/* Turns what getopt_long returned for an option that it does not know, or that lacks its value,
 * into an error of usage. To be called right after it. */
bool command_bad_option(struct err *err, char **argv, int result);

#endif
