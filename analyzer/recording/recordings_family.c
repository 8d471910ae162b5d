/* Recordings of programs that started one another. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analyzer/base/rows.h"
#include "analyzer/base/text.h"
#include "analyzer/process/process.h"
#include "analyzer/recording/file.h"
#include "analyzer/recording/recordings.h"

static bool read_header(const struct recording_entry *row, struct rec_header *ret)
{
    struct rec_file file;
    if (!rec_file_open_found(&file, row->path))
        return false;
    *ret = file.header;
    rec_file_close(&file);
    return true;
}

/* Whether the process of one recording started that of the other: it had the parent's number, and
 * lived when that was begun. Of one that was killed, the sampler's last look is known. */
static bool is_parent(const struct rec_header *parent, const struct rec_header *child)
{
    if (parent->pid != child->parent_pid ||
        parent->process_start_ticks > child->process_start_ticks ||
        memcmp(parent->boot_id, child->boot_id, sizeof(parent->boot_id)) != 0)
        return false;
    if (parent->state != REC_STATE_RUNNING)
        return parent->ended_ns >= child->started_ns;
    return parent->last_walk_ns >= child->started_ns ||
           process_here((pid_t)parent->pid, parent->process_start_ticks, parent->boot_id) != 0;
}

/* The newest recording of the process that started that of `child`; NULL: it was not recorded. */
static const struct recording_entry *find_parent(const struct recording_list *list,
                                                 const struct rec_header *child,
                                                 struct rec_header *ret)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct recording_entry *row = &list->rows[i];
        if (row->pid == child->parent_pid && read_header(row, ret) && is_parent(ret, child))
            return row;
    }
    return NULL;
}

/* The newest recording, or that of the first program by which its process was started in the end.
 * One that never had a second task, as shells, gives way to those that had. */
static const struct recording_entry *find_first(const struct recording_list *list,
                                                bool *ret_relatives)
{
    const struct recording_entry *first = &list->rows[0];
    const struct recording_entry *row;
    struct rec_header header, parent;
    *ret_relatives = false;
    if (!read_header(first, &header))
        return first;
    uint64_t tasks = header.spawned;
    /* Parents that stand in a circle, as only a damaged file names them, end with the list. */
    for (size_t i = 1; i < list->count && (row = find_parent(list, &header, &parent)); i++) {
        *ret_relatives = true;
        header = parent;
        if (tasks > 1 && parent.spawned <= 1)
            continue;
        first = row;
        tasks = parent.spawned;
    }
    return first;
}

char *recordings_newest(const struct recording_list *list, bool *ret_relatives)
{
    *ret_relatives = false;
    return list->count ? strdup(find_first(list, ret_relatives)->path) : NULL;
}

/* --- what a program started ------------------------------------------------------------------- */

/* A recording that may be of the family. */
struct relative {
    char *path;
    struct rec_header header;
};

struct family {
    const char *base; /* of the recording that it begins with, the part of its path in `folder` */
    size_t stem;      /* bytes of `base` without ".PID-N" */
    char *folder;     /* ends in '/', or is empty */
    uid_t owner;
    struct rec_header first;
    struct relative *rows;
    size_t count;
};

/* Whether a text is a pid, '-', a number and `ending`. */
static bool is_number_of_process(const char *text, const char *ending)
{
    static const char digits[] = "0123456789";
    size_t pid = strspn(text, digits);
    size_t number = text[pid] == '-' ? strspn(text + pid + 1, digits) : 0;
    return pid > 0 && number > 0 && strcmp(text + pid + 1 + number, ending) == 0;
}

/* Whether a name is the first `bytes` of `base` and ".PID-N". */
static bool is_further_name(const char *name, const char *base, size_t bytes)
{
    return strncmp(name, base, bytes) == 0 && name[bytes] == '.' &&
           is_number_of_process(name + bytes + 1, "");
}

static bool is_of_first(const struct family *family, const char *name)
{
    return is_further_name(name, family->base, strlen(family->base));
}

/* Whether a file in the folder may be of the family, by its name. */
static bool may_be_relative(const struct family *family, const char *name)
{
    return strcmp(name, family->base) != 0 &&
           (is_of_first(family, name) || is_further_name(name, family->base, family->stem) ||
            (is_number_of_process(family->base, ".rec") && is_number_of_process(name, ".rec")));
}

static bool is_same_process(const struct rec_header *a, const struct rec_header *b)
{
    return a->pid == b->pid && a->process_start_ticks == b->process_start_ticks;
}

/* Adds a file of the same owner that began after the first one. False: no memory. */
static bool add_relative(struct family *family, const char *name)
{
    struct rec_file file;
    struct stat status;
    struct relative row;
    if (asprintf(&row.path, "%s%s", family->folder, name) < 0)
        return false;
    bool fits = rec_file_open_found(&file, row.path);
    if (fits) {
        row.header = file.header;
        fits = fstat(file.fd, &status) == 0 && status.st_uid == family->owner &&
               memcmp(row.header.boot_id, family->first.boot_id, sizeof(row.header.boot_id)) == 0 &&
               row.header.started_ns >= family->first.started_ns &&
               !is_same_process(&row.header, &family->first);
        rec_file_close(&file);
    }
    if (!fits || !rows_grow(&family->rows, family->count, sizeof(*family->rows))) {
        free(row.path);
        return !fits;
    }
    family->rows[family->count++] = row;
    return true;
}

static bool read_first(struct family *family, const char *path)
{
    struct rec_file file;
    struct stat status;
    if (!rec_file_open(&file, path, NULL))
        return false;
    bool ok = fstat(file.fd, &status) == 0;
    family->first = file.header;
    family->owner = ok ? status.st_uid : 0;
    rec_file_close(&file);
    return ok;
}

static bool read_folder(struct family *family)
{
    DIR *dir = opendir(family->folder[0] ? family->folder : ".");
    bool ok = true;
    struct dirent *entry;
    while (dir && ok && (entry = readdir(dir)) != NULL) {
        if (may_be_relative(family, entry->d_name))
            ok = add_relative(family, entry->d_name);
    }
    if (dir)
        closedir(dir);
    return ok;
}

static int compare_starts(const void *a, const void *b)
{
    const struct rec_header *left = &((const struct relative *)a)->header;
    const struct rec_header *right = &((const struct relative *)b)->header;
    return left->started_ns < right->started_ns ? -1 : left->started_ns > right->started_ns;
}

/* Whether a process was started beside the first one, with the same LEAKSPY_OUT: by the same
 * parent, which is not the one that takes in processes whose parent has ended; or by one that is
 * recorded and not of the family. Asked after those that the family has started. */
static bool is_beside_first(const struct family *family, const struct rec_header *header)
{
    if (header->parent_pid == family->first.parent_pid && header->parent_pid > 1)
        return true;
    for (size_t i = 0; i < family->count; i++)
        if (is_parent(&family->rows[i].header, header))
            return true;
    return false;
}

/* Whether the first program started that of a row, itself or by those in `started`. */
static bool is_started(const struct family *family, const struct relative *row,
                       struct relative *const *started, size_t count)
{
    if (is_parent(&family->first, &row->header))
        return true;
    for (size_t i = 0; i < count; i++)
        if (is_parent(&started[i]->header, &row->header))
            return true;
    return is_of_first(family, text_basename(row->path)) && !is_beside_first(family, &row->header);
}

/* Whether the process of a row went on as another program, which is among those after it. */
static bool goes_on(const struct family *family, const struct relative *row)
{
    if (row->header.state != REC_STATE_EXEC)
        return false;
    for (const struct relative *next = row + 1; next < family->rows + family->count; next++)
        if (is_same_process(&next->header, &row->header))
            return true;
    return false;
}

/* Whether a program was killed before the sampler's first walk: nothing in it was parked for long.
 */
static bool lived_shortly(const struct rec_header *header)
{
    return header->state == REC_STATE_RUNNING && header->last_walk_ns == 0 &&
           process_here((pid_t)header->pid, header->process_start_ticks, header->boot_id) == 0;
}

/* Whether a program that ended by itself, or at once, never had anybody who could have stayed
 * behind. */
static bool was_alone(const struct rec_header *header)
{
    return (header->state == REC_STATE_EXITED || lived_shortly(header)) && header->spawned <= 1 &&
           header->lost_tasks == 0 &&
           !(header->runtimes & (REC_RUNTIME_GO | REC_RUNTIME_GO_PROGRAM));
}

static int compare_tasks(const void *a, const void *b)
{
    const struct relative *left = *(struct relative *const *)a;
    const struct relative *right = *(struct relative *const *)b;
    if (left->header.spawned != right->header.spawned)
        return left->header.spawned > right->header.spawned ? -1 : 1;
    return left < right ? -1 : left > right;
}

/* Hands over those that were started, and of which something may be said. False: no memory. */
static bool take_started(struct family *family, struct recording_list *ret)
{
    struct relative **started = calloc(family->count + 1, sizeof(struct relative *));
    ret->rows = calloc(family->count + 1, sizeof(*ret->rows));
    if (!started || !ret->rows) {
        free(started);
        free(ret->rows);
        *ret = (struct recording_list){0};
        return false;
    }
    size_t count = 0;
    if (family->count)
        qsort(family->rows, family->count, sizeof(*family->rows), compare_starts);
    for (size_t i = 0; i < family->count; i++) /* who starts others begins before them */
        if (is_started(family, &family->rows[i], started, count))
            started[count++] = &family->rows[i];
    qsort(started, count, sizeof(struct relative *), compare_tasks);
    for (size_t i = 0; i < count; i++) {
        struct relative *row = started[i];
        if (was_alone(&row->header) || goes_on(family, row))
            continue;
        ret->rows[ret->count++] = (struct recording_entry){
            row->path, row->header.pid, process_is_of_this_boot(row->header.boot_id),
            row->header.started_ns};
        row->path = NULL;
    }
    free(started);
    return true;
}

bool recordings_started_by(const char *path, struct recording_list *ret)
{
    struct family family = {.base = text_basename(path)};
    const char *dot = strrchr(family.base, '.');
    *ret = (struct recording_list){0};
    family.stem = dot && is_number_of_process(dot + 1, "") ? (size_t)(dot - family.base)
                                                           : strlen(family.base);
    family.folder = strndup(path, (size_t)(family.base - path));
    bool ok = family.folder &&
              (!read_first(&family, path) || (read_folder(&family) && take_started(&family, ret)));
    for (size_t i = 0; i < family.count; i++)
        free(family.rows[i].path);
    free(family.rows);
    free(family.folder);
    return ok;
}
