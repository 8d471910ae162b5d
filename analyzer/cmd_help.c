/* leakspy help, leakspy version. */
#include <stdio.h>
#include <string.h>

#include "analyzer/commands.h"
#include "preload/recording.h"

void command_print_help(const struct command *command)
{
    printf("usage: leakspy %s%s%s\n\n%s.\n", command->name, command->usage[0] ? " " : "",
           command->usage, command->summary);
    if (command->help[0])
        printf("\n%s", command->help);
}

static void print_overview(void)
{
    printf("usage: leakspy COMMAND [ARG...]\n\n"
           "Finds threads and tasks that are parked for ever.\n\n");
    for (const struct command *command = commands; command->name; command++)
        printf("  %-8s %-27s %s\n", command->name, command->usage, command->summary);
    printf("\n'leakspy help COMMAND' or 'leakspy COMMAND --help' says more of a command.\n");
}

int cmd_help(int argc, char **argv, struct err *err)
{
    if (argc > 2) {
        err_set(err, ERR_USAGE, argv[2], "is one word too many");
        return EXIT_USAGE;
    }
    if (argc < 2 || strcmp(argv[1], "--help") == 0) {
        print_overview();
        return EXIT_DONE;
    }
    const struct command *command = command_find(argv[1]);
    if (!command) {
        err_set(err, ERR_USAGE, argv[1], "no such command; 'leakspy help' lists them");
        return EXIT_USAGE;
    }
    command_print_help(command);
    return EXIT_DONE;
}

int cmd_version(int argc, char **argv, struct err *err)
{
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        command_print_help(command_find("version"));
        return EXIT_DONE;
    }
    if (argc > 1) {
        err_set(err, ERR_USAGE, argv[1], "is one word too many");
        return EXIT_USAGE;
    }
    printf("leakspy %s (recordings %d.%d)\n", LEAKSPY_VERSION, REC_MAJOR, REC_MINOR);
    return EXIT_DONE;
}
