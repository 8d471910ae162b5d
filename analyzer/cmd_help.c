/* leakspy help, leakspy version. */
#include <stdio.h>
#include <string.h>

#include "analyzer/commands.h"
#include "preload/recording.h"

static void print_help(const struct command *command)
{
    printf("usage: leakspy %s%s%s\n\n%s.\n", command->name, command->usage[0] ? " " : "",
           command->usage, command->summary);
    if (command->help[0])
        printf("\n%s", command->help);
}

static void print_version(void)
{
    printf("leakspy %s (recordings %d.%d)\n", LEAKSPY_VERSION, REC_MAJOR, REC_MINOR);
}

bool command_answer(int option, const char *name)
{
    if (option == OPTION_HELP)
        print_help(command_find(name));
    else if (option == OPTION_VERSION)
        print_version();
    return option == OPTION_HELP || option == OPTION_VERSION;
}

static void print_overview(void)
{
    printf("usage: leakspy COMMAND [ARG...]\n\n"
           "Finds threads and tasks that are parked for ever.\n\n");
    for (const struct command *command = commands; command->name; command++)
        printf("  %-8s %-27s %s\n", command->name, command->usage, command->summary);
    printf("\n'leakspy help COMMAND' or 'leakspy COMMAND --help' says more of a command.\n");
}

/* The option that is the first word, for commands whose other words are no options. */
static int first_option(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--help") == 0)
        return OPTION_HELP;
    return argc > 1 && strcmp(argv[1], "--version") == 0 ? OPTION_VERSION : 0;
}

int cmd_help(int argc, char **argv, struct err *err)
{
    int option = first_option(argc, argv);
    if (argc > 2) {
        err_set(err, ERR_USAGE, argv[2], "is one word too many");
        return EXIT_USAGE;
    }
    if (argc < 2 || option == OPTION_HELP) {
        print_overview();
        return EXIT_DONE;
    }
    if (command_answer(option, argv[0]))
        return EXIT_DONE;
    const struct command *command = command_find(argv[1]);
    if (!command) {
        err_set(err, ERR_USAGE, argv[1], "no such command; 'leakspy help' lists them");
        return EXIT_USAGE;
    }
    print_help(command);
    return EXIT_DONE;
}

int cmd_version(int argc, char **argv, struct err *err)
{
    if (command_answer(first_option(argc, argv), "version"))
        return EXIT_DONE;
    if (argc > 1) {
        err_set(err, ERR_USAGE, argv[1], "is one word too many");
        return EXIT_USAGE;
    }
    print_version();
    return EXIT_DONE;
}
