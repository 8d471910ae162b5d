#include "analyzer/unrecorded_programs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/base/err.h"
#include "analyzer/elf_check.h"
#include "analyzer/process/process.h"
#include "analyzer/recording/file.h"
#include "analyzer/recording/recordings.h"

#define MAX_NAMED 3
#define MAX_VISITED 100 /* processes that are looked at, each of which takes a while */

/* Programs that are not recorded. */
struct search {
    struct {
        pid_t pid;
        char *exe;
        char why[160]; /* a clause: "it is statically linked" */
    } rows[MAX_NAMED];
    size_t count; /* may be above MAX_NAMED: those are not named */
    pid_t pids[MAX_VISITED];
    size_t pid_count;
    bool is_cut; /* there are more */
};

static void search_deinit(struct search *search)
{
    for (size_t i = 0; i < search->count && i < MAX_NAMED; i++)
        free(search->rows[i].exe);
}

/* Whether a process can have no recording of its own, and has none; fills in why. One that is about
 * to load the library, or whose file may not be read, is none of these. */
static bool is_unrecorded(pid_t pid, char *why, size_t why_bytes)
{
    char file[64]; /* the file itself, also where its path leads elsewhere by now */
    struct err err = {0};
    snprintf(file, sizeof(file), "/proc/%d/exe", (int)pid);
    enum elf_answer answer = elf_check(file, why, why_bytes);
    if (answer != ELF_CANNOT_RECORD && answer != ELF_RECORDS_FROM_OUTSIDE)
        return false;
    char *path = recordings_of_pid(pid, &err);
    free(path);
    return !path && err.kind == ERR_NOT_RECORDED;
}

static void look_at(struct search *search, pid_t pid)
{
    char why[sizeof(search->rows[0].why)] = "";
    char *exe = is_unrecorded(pid, why, sizeof(why)) ? process_exe(pid) : NULL;
    size_t row = search->count;
    if (!exe)
        return;
    search->count++;
    if (row >= MAX_NAMED) {
        free(exe);
        return;
    }
    search->rows[row].pid = pid;
    search->rows[row].exe = exe;
    memcpy(search->rows[row].why, why, sizeof(why));
}

static bool add_child(pid_t pid, void *arg)
{
    struct search *search = arg;
    if (search->pid_count == MAX_VISITED) {
        search->is_cut = true;
        return false;
    }
    search->pids[search->pid_count++] = pid;
    return true;
}

/* What a process has started, and what that has. */
static void look_below(struct search *search, pid_t pid)
{
    process_children(pid, add_child, search);
    for (size_t i = 0; i < search->pid_count; i++) {
        look_at(search, search->pids[i]);
        process_children(search->pids[i], add_child, search);
    }
}

/* "/bin/a (pid 12: it is statically linked), /bin/b (pid 14: …), 2 more"; NULL: no memory. */
static char *list(const struct search *search)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    if (!out)
        return NULL;
    for (size_t i = 0; i < search->count && i < MAX_NAMED; i++)
        fprintf(out, "%s%s (pid %d: %s)", i ? ", " : "", search->rows[i].exe,
                (int)search->rows[i].pid, search->rows[i].why);
    if (search->count > MAX_NAMED)
        fprintf(out, ", %zu more", search->count - MAX_NAMED);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

static void note(struct snapshot *snapshot, const struct search *search)
{
    char *text;
    if (search->count == 1) {
        (void)snapshot_note(snapshot,
                            "it started %s (pid %d), which is not recorded (%s): 'leakspy report "
                            "%d' tells of it",
                            search->rows[0].exe, (int)search->rows[0].pid, search->rows[0].why,
                            (int)search->rows[0].pid);
    } else if (search->count > 1 && (text = list(search)) != NULL) {
        (void)snapshot_note(snapshot,
                            "it started %zu programs that are not recorded: %s; 'leakspy report "
                            "PID' tells of each",
                            search->count, text);
        free(text);
    }
}

static void note_cut(struct snapshot *snapshot)
{
    (void)snapshot_note(
        snapshot,
        "it started more than %d processes: of the others it is not known whether they "
        "are recorded",
        MAX_VISITED);
}

static void note_successor(struct snapshot *snapshot, pid_t pid)
{
    char why[160] = "";
    char *exe = is_unrecorded(pid, why, sizeof(why)) ? process_exe(pid) : NULL;
    if (exe)
        (void)snapshot_note(snapshot,
                            "it runs %s by now, which is not recorded (%s): 'leakspy report %d' "
                            "tells of it",
                            exe, why, (int)pid);
    free(exe);
}

/* The number of the process of a recording, where it lives still; else 0. */
static pid_t process_of(const struct snapshot *snapshot)
{
    struct rec_file file;
    if (snapshot->source != SNAPSHOT_RECORDING || !rec_file_open(&file, snapshot->path, NULL))
        return 0;
    const struct rec_header *header = &file.header;
    pid_t pid = process_here((pid_t)header->pid, header->process_start_ticks, header->boot_id);
    rec_file_close(&file);
    return pid;
}

void unrecorded_programs_note(struct snapshot *snapshot)
{
    struct search search = {0};
    bool lives = snapshot->end == SNAPSHOT_RUNNING ||
                 (snapshot->end == SNAPSHOT_EXEC && !snapshot->continued_in);
    pid_t pid = lives ? process_of(snapshot) : 0;
    if (pid == 0)
        return;
    if (snapshot->end == SNAPSHOT_EXEC)
        note_successor(snapshot, pid);
    look_below(&search, pid);
    note(snapshot, &search);
    if (search.is_cut)
        note_cut(snapshot);
    search_deinit(&search);
}
