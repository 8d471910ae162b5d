/* leakspy list: the recordings in the user's folder and those that live processes write elsewhere,
 * newest first, with the state of their processes. */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyzer/base/limits.h"
#include "analyzer/base/text.h"
#include "analyzer/commands.h"
#include "analyzer/recording/recordings.h"
#include "analyzer/report/json.h"
#include "analyzer/source/recording.h"

/* What the list says of a recording. */
struct line {
    const char *path;
    struct snapshot *snapshot;
    uint64_t disk_bytes;
    uint64_t tasks, parked;
};

static char *join_command(const struct snapshot *snapshot)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    if (!out)
        return NULL;
    for (char **word = snapshot->cmdline; word && *word; word++)
        fprintf(out, "%s%s", word == snapshot->cmdline ? "" : " ", *word);
    if (!snapshot->cmdline || !snapshot->cmdline[0])
        fputs(snapshot->exe, out);
    fclose(out);
    return text;
}

static void size_text(uint64_t bytes, char to[32])
{
    static const char *const units[] = {"B", "K", "M", "G", "T"};
    size_t unit = 0;
    double value = (double)bytes;
    while (value >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        value /= 1024;
        unit++;
    }
    snprintf(to, 32, unit && value < 10 ? "%.1f%s" : "%.0f%s", value, units[unit]);
}

static void put_text(const struct line *line)
{
    char started[40], size[32];
    char *command = join_command(line->snapshot);
    char *printable = text_printable_dup(command ? command : "");
    size_text(line->disk_bytes, size);
    text_rfc3339(line->snapshot->started_unix_ns, started);
    strcpy(started + 19, "Z"); /* without milliseconds */
    printf("%8" PRIu32 "  %-9s  %s  %8" PRIu64 "  %8" PRIu64 "  %6" PRIu64 "  %7s  %s\n",
           line->snapshot->pid, snapshot_end_name(line->snapshot->end), started, line->tasks,
           line->parked, snapshot_lost(line->snapshot), size, printable ? printable : "?");
    free(printable);
    printable = text_printable_dup(line->path);
    printf("          %s\n", printable ? printable : "?");
    free(printable);
    free(command);
}

static void put_json(const struct line *line, bool first)
{
    const struct snapshot *snapshot = line->snapshot;
    char started[40];
    json_t *cmdline = json_array();
    for (char **word = snapshot->cmdline; word && *word; word++)
        json_array_append_new(cmdline, report_json_text(*word));
    json_t *object = json_object();
    json_object_set_new(object, "path", report_json_text(line->path));
    json_object_set_new(object, "pid", json_integer(snapshot->pid));
    json_object_set_new(object, "exe", report_json_text(snapshot->exe));
    json_object_set_new(object, "cmdline", cmdline);
    json_object_set_new(object, "state", json_string(snapshot_end_name(snapshot->end)));
    json_object_set_new(object, "started",
                        json_string(text_rfc3339(snapshot->started_unix_ns, started)));
    json_object_set_new(object, "tasks", json_integer((json_int_t)line->tasks));
    json_object_set_new(object, "parked", json_integer((json_int_t)line->parked));
    json_object_set_new(object, "lost", json_integer((json_int_t)snapshot_lost(snapshot)));
    json_object_set_new(object, "bytes", json_integer((json_int_t)line->disk_bytes));
    fputs(first ? "\n  " : ",\n  ", stdout);
    json_dumpf(object, stdout, REPORT_JSON_LINE);
    json_decref(object);
}

/* Reads one recording; false, with a word on stderr, when it has gone or is damaged. */
static bool put_recording(const char *path, bool json, bool first)
{
    struct snapshot snapshot;
    struct err err = {0};
    struct stat status;
    snapshot_init(&snapshot);
    bool ok = source_recording_read(path, &snapshot, &err);
    if (ok) {
        struct line line = {.path = path, .snapshot = &snapshot};
        if (stat(path, &status) == 0)
            line.disk_bytes = (uint64_t)status.st_blocks * 512;
        for (size_t i = 0; i < snapshot.task_count; i++) {
            line.tasks += !(snapshot.tasks[i].flags & SNAPSHOT_FINISHED);
            line.parked += (snapshot.tasks[i].flags & SNAPSHOT_PARKED) != 0;
        }
        if (json)
            put_json(&line, first);
        else
            put_text(&line);
    } else if (err.kind != ERR_NOT_FOUND) {
        err_print(&err);
    }
    snapshot_deinit(&snapshot);
    return ok;
}

static bool read_options(int argc, char **argv, bool *json, int *ask, struct err *err)
{
    static const struct option options[] = {
        {"format", required_argument, NULL, OPTION_FORMAT},
        COMMAND_OPTIONS,
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (option == OPTION_HELP || option == OPTION_VERSION)
            *ask = option;
        else if (option == OPTION_FORMAT &&
                 (strcmp(optarg, "json") == 0 || strcmp(optarg, "text") == 0))
            *json = optarg[0] == 'j';
        else if (option == OPTION_FORMAT)
            return err_set(err, ERR_USAGE, "--format", "no such format: %s", optarg);
        else
            return command_bad_option(err, argv, option);
    }
    if (optind < argc)
        return err_set(err, ERR_USAGE, argv[optind], "is one word too many");
    return true;
}

int cmd_list(int argc, char **argv, struct err *err)
{
    bool json = false;
    int ask = 0;
    if (!read_options(argc, argv, &json, &ask, err))
        return EXIT_USAGE;
    if (command_answer(ask, "list"))
        return EXIT_DONE;

    char folder[64];
    struct recording_list list;
    if (!recordings_list(recordings_folder(getuid(), folder), getuid(), &list, err))
        return EXIT_CANNOT_SAY;
    recordings_add_live(&list, getuid());
    limits_begin();
    bool first = true;
    if (json)
        fputs("{\"schema\": \"leakspy-list/1\",\n \"recordings\": [", stdout);
    else if (list.count)
        printf("%8s  %-9s  %-20s  %8s  %8s  %6s  %7s  %s\n", "PID", "STATE", "STARTED", "TASKS",
               "PARKED", "LOST", "SIZE", "COMMAND");
    else
        printf("no recordings in %s\n", folder);
    for (size_t i = 0; i < list.count; i++) {
        if (put_recording(list.rows[i].path, json, first))
            first = false;
    }
    if (json)
        printf("],\n \"unreadable\": %zu}\n", list.unreadable);
    else if (list.unreadable)
        printf("and %zu that cannot be read\n", list.unreadable);
    recordings_list_deinit(&list);
    return EXIT_DONE;
}
