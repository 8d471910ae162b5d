/* leakspy report: a source is read into a snapshot, judged and written. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzer/base/clock.h"
#include "analyzer/base/limits.h"
#include "analyzer/base/output.h"
#include "analyzer/base/text.h"
#include "analyzer/commands.h"
#include "analyzer/core/image.h"
#include "analyzer/image/kept_stacks.h"
#include "analyzer/naming/waits.h"
#include "analyzer/recording/recordings.h"
#include "analyzer/report/report.h"
#include "analyzer/report_request.h"
#include "analyzer/source/core.h"
#include "analyzer/source/file_locks.h"
#include "analyzer/source/process.h"
#include "analyzer/source/recording.h"
#include "analyzer/source/unrecorded.h"
#include "analyzer/source/watch.h"
#include "analyzer/unrecorded_programs.h"

/* The path of the newest recording of this user, to be freed: of those that `leakspy list` shows.
 */
static char *find_newest(struct request *request, struct err *err)
{
    char folder[64];
    struct recording_list list;
    if (!recordings_list(recordings_folder(getuid(), folder), getuid(), &list, err))
        return NULL;
    recordings_add_live(&list, getuid());
    char *path = recordings_newest(&list, &request->has_relatives);
    if (list.count == 0)
        err_set(err, ERR_NOT_FOUND, folder,
                "there is no recording: start a program with 'leakspy run' first");
    else if (!path)
        err_system(err, folder, ENOMEM);
    recordings_list_deinit(&list);
    return path;
}

/* Reads what was recorded of a process, else looks at it. */
static bool read_process(const struct request *request, struct snapshot *ret, struct err *err)
{
    unsigned long pid = strtoul(request->source, NULL, 10);
    if (pid == 0 || pid > INT32_MAX)
        return err_set(err, ERR_NO_SUCH_PROCESS, request->source, "is no process");
    struct err none = {0};
    char *path = request->no_recording ? NULL : recordings_of_pid((pid_t)pid, &none);
    if (path) {
        bool ok = source_recording_read(path, ret, err);
        free(path);
        return ok;
    }
    struct err why = {0};
    if (source_process_read((pid_t)pid, request->kept, ret, &why))
        return true;
    if (why.kind == ERR_NO_SUCH_PROCESS && none.kind == ERR_NO_SUCH_PROCESS)
        why = none; /* which says that there is no recording either */
    return err_set(err, why.kind, why.what, "%s", why.why);
}

/* What an error about a snapshot is about: the file that it was read from, or the process. */
static const char *name_of(const struct snapshot *snapshot, char process[32])
{
    snprintf(process, 32, "process %" PRIu32, snapshot->pid);
    return snapshot->path ? snapshot->path : process;
}

static void no_memory_for(const struct snapshot *snapshot, struct err *err)
{
    char process[32];
    err_set(err, ERR_MEMORY, name_of(snapshot, process), "there is not enough memory");
}

/* What a report says of a snapshot. */
struct judgement {
    struct waits waits;
    struct stacks *stacks;
    struct verdicts verdicts;
};

/* *ret is to be deinitialized also where this fails. */
static bool judge(const struct request *request, const struct snapshot *snapshot,
                  struct judgement *ret, struct err *err)
{
    struct verdict_options options = request->verdict;
    options.threshold_ns = request->report.threshold_ns;
    *ret = (struct judgement){0};
    bool ok = waits_init(&ret->waits, snapshot) && (ret->stacks = stacks_create(snapshot)) &&
              waits_name(&ret->waits, snapshot, ret->stacks) &&
              verdicts_init(&ret->verdicts, snapshot, &ret->waits, &options);
    if (!ok)
        no_memory_for(snapshot, err);
    return ok;
}

static void judgement_deinit(struct judgement *judgement)
{
    verdicts_deinit(&judgement->verdicts);
    stacks_destroy(judgement->stacks);
    waits_deinit(&judgement->waits);
}

/* Fills an initialized, empty snapshot from the source that is meant (struct watch_source). */
static bool read_source(void *arg, struct snapshot *ret, struct err *err)
{
    struct request *request = arg;
    limits_begin();
    if (request->source && report_request_is_pid(request->source))
        return read_process(request, ret, err);
    if (request->source && image_is_core(request->source))
        return source_core_read(request->source, request->exe, ret, err);
    char *path = request->source ? strdup(request->source) : find_newest(request, err);
    bool ok = path && source_recording_read(path, ret, err);
    free(path);
    return ok;
}

/* A walk of the sampler that was under way may have passed the task by; the next one sees its wait,
 * and the one after that sees it again. */
#define LOOKS_THAT_SETTLE 3

/* Whether a wait may be a finding, if only the sampler had seen already that it lasts. */
static bool is_too_early(const struct request *request, const struct snapshot *snapshot)
{
    if (snapshot->source != SNAPSHOT_RECORDING || snapshot->end != SNAPSHOT_RUNNING ||
        request->report.threshold_ns >= SNAPSHOT_FRESH_NS)
        return false;
    if (snapshot->runtimes & REC_RUNTIME_GO)
        return true; /* goroutines that came since the sampler looked for them are not there yet */
    for (size_t i = 0; i < snapshot->task_count; i++) {
        const struct snapshot_task *task = &snapshot->tasks[i];
        if ((task->flags & (SNAPSHOT_PARKED | SNAPSHOT_DEADLINE)) == SNAPSHOT_PARKED &&
            snapshot_is_fresh(snapshot, task) && task->parked_ns >= request->report.threshold_ns)
            return true;
    }
    return false;
}

static bool look_once(struct request *request, struct snapshot *ret, struct err *err)
{
    snapshot_init(ret);
    bool ok = read_source(request, ret, err);
    if (ok && is_too_early(request, ret) &&
        source_recording_await_looks(ret->path, LOOKS_THAT_SETTLE)) {
        char *path = strdup(ret->path); /* the process may end meanwhile */
        snapshot_deinit(ret);
        snapshot_init(ret);
        limits_begin();
        ok =
            path ? source_recording_read(path, ret, err) : err_system(err, "the recording", ENOMEM);
        free(path);
    }
    if (!ok)
        snapshot_deinit(ret);
    return ok;
}

/* Looks once, or as long as it shall; *ret is not initialized, and nothing on failure. */
static bool look(struct request *request, struct snapshot *ret, struct err *err)
{
    if (request->watch_ns) {
        char *newest = request->source ? NULL : find_newest(request, err);
        if (!request->source && !newest)
            return false;
        request->source = newest ? newest : request->source;
        struct watch_source source = {read_source, request};
        request->kept = kept_stacks_create(); /* without it, threads are stopped at every look */
        bool ok = watch_run(&source, request->watch_ns, ret, err);
        kept_stacks_destroy(request->kept);
        request->kept = NULL;
        if (newest)
            request->source = NULL;
        free(newest);
        if (!ok)
            return false;
        /* What it stayed for is long enough, unless somebody said otherwise. */
        if (!request->has_threshold && ret->looks > 1)
            request->report.threshold_ns =
                ret->watched_ns < request->watch_ns ? ret->watched_ns : request->watch_ns;
        return true;
    }
    return look_once(request, ret, err);
}

/* Notes what was recorded of programs that the one reported on started. */
static void note_started(struct request *request, struct snapshot *snapshot)
{
    if (snapshot->source == SNAPSHOT_RECORDING)
        (void)recordings_started_by(snapshot->path, &request->started);
    const struct recording_list *started = &request->started;
    if (request->has_relatives)
        (void)snapshot_note(snapshot, "programs that it started, or that started it, were "
                                      "recorded, too: 'leakspy list' shows them");
    else if (started->count == 1)
        (void)snapshot_note(snapshot, "a program that it started was recorded, too: %s",
                            started->rows[0].path);
    else if (started->count > 1)
        (void)snapshot_note(snapshot,
                            "%zu programs that it started were recorded, too: %s and others",
                            started->count, started->rows[0].path);
}

/* ---- --exit-code ---- */

/* Says on stderr why it is not certain that nothing is wrong. */
static int cannot_say(const struct snapshot *snapshot, const char *why)
{
    char process[32];
    char *what = text_printable_dup(name_of(snapshot, process));
    char *printable = text_printable_dup(why ? why : "it is not certain");
    fprintf(stderr, "leakspy: %s: nothing found, but %s\n", what ? what : "report",
            printable ? printable : "it is not certain");
    free(printable);
    free(what);
    return EXIT_CANNOT_SAY;
}

/* What a gate has to know of the recording of a program that was started. */
struct started {
    bool found; /* something is found in it */
    bool fine;  /* nothing is, and nothing speaks against that */
    char *why;  /* it is not fine; NULL: no memory */
};

static void say_started(struct started *started, const char *path, const char *what,
                        const char *why)
{
    started->fine = false;
    if (asprintf(&started->why, "%s, of a program that it started, %s%s", path, what, why) < 0)
        started->why = NULL;
}

static struct started look_at_started(const struct request *request, const char *path)
{
    struct started started = {.fine = true};
    struct request other = *request;
    struct judgement judgement;
    struct snapshot snapshot;
    struct err err = {0};
    other.source = path;
    if (!look_once(&other, &snapshot, &err)) {
        say_started(&started, path, "cannot be read: ", err.why);
        return started;
    }
    file_locks_find(&snapshot); /* who hold them may wait for each other */
    if (judge(&other, &snapshot, &judgement, &err)) {
        struct report report = {&snapshot, &judgement.verdicts, judgement.stacks, &other.report};
        started.found = report_findings(&report) > 0;
        const char *doubt = report_doubt(&report);
        if (started.found)
            say_started(&started, path, "has findings", "");
        else if (doubt)
            say_started(&started, path, "leaves doubt: ", doubt);
    } else {
        say_started(&started, path, "cannot be judged: ", err.why);
    }
    judgement_deinit(&judgement);
    snapshot_deinit(&snapshot);
    return started;
}

/* The status where nothing is found in what was reported on: something may be in what was recorded
 * of programs that it started. A finding is said rather than a doubt. */
static int status_of_started(const struct request *request, const struct snapshot *snapshot)
{
    struct started said = {.fine = true};
    for (size_t i = 0; !said.found && i < request->started.count; i++) {
        struct started next = look_at_started(request, request->started.rows[i].path);
        if (next.found || (!next.fine && said.fine)) {
            free(said.why);
            said = next;
        } else {
            free(next.why);
        }
    }
    int status = said.fine ? EXIT_DONE : cannot_say(snapshot, said.why);
    free(said.why);
    return status;
}

/* The status after a report. */
static int exit_status(const struct request *request, const struct report *report)
{
    if (!request->exit_code)
        return EXIT_DONE;
    if (report_findings(report))
        return EXIT_FOUND;
    const char *doubt = report_doubt(report);
    return doubt ? cannot_say(report->snapshot, doubt)
                 : status_of_started(request, report->snapshot);
}

/* Judges the snapshot and writes the report. */
static int write_report(const struct request *request, const struct snapshot *snapshot,
                        struct err *err)
{
    struct judgement judgement;
    int status = EXIT_CANNOT_SAY;
    FILE *out =
        judge(request, snapshot, &judgement, err) ? output_open(request->output, err) : NULL;
    if (out) {
        struct report_options options = request->report;
        output_colour(request->color, out, &options.colour, NULL);
        struct report report = {snapshot, &judgement.verdicts, judgement.stacks, &options};
        if (!request->format->write(&report, out))
            no_memory_for(snapshot, err);
        output_close(out, request->output, err);
        status = exit_status(request, &report);
    }
    judgement_deinit(&judgement);
    return status;
}

int cmd_report(int argc, char **argv, struct err *err)
{
    struct request request;
    if (!report_request_read(&request, argc, argv, err))
        return EXIT_USAGE;
    if (command_answer(request.ask, "report"))
        return EXIT_DONE;

    int status = EXIT_CANNOT_SAY;
    uint64_t began_ns = clock_ns(CLOCK_MONOTONIC);
    struct snapshot snapshot;
    if (look(&request, &snapshot, err)) {
        note_started(&request, &snapshot);
        file_locks_find(&snapshot);
        unrecorded_programs_note(&snapshot);
        unrecorded_note(&snapshot, began_ns, request.report.threshold_ns);
        status = write_report(&request, &snapshot, err);
        recordings_list_deinit(&request.started);
        snapshot_deinit(&snapshot);
    }
    return status;
}
