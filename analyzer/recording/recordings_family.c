/* Recordings of programs that started one another. */
#include <stdlib.h>
#include <string.h>

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
