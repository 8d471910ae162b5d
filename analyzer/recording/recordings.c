#include "analyzer/recording/recordings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyzer/base/rows.h"
#include "analyzer/base/text.h"
#include "analyzer/process/process.h"
#include "analyzer/recording/file.h"

char *recordings_folder(uid_t uid, char to[64])
{
    snprintf(to, 64, REC_DIR_PREFIX "%u", (unsigned)uid);
    return to;
}

static int compare_entries(const void *a, const void *b)
{
    const struct recording_entry *left = a;
    const struct recording_entry *right = b;
    if (left->this_boot != right->this_boot)
        return left->this_boot ? -1 : 1;
    if (left->started_ns != right->started_ns)
        return left->started_ns > right->started_ns ? -1 : 1;
    return strcmp(right->path, left->path);
}

/* Adds a row that owns `path`. False: no memory; the path is freed. */
static bool add_row(struct recording_list *list, char *path, const struct rec_header *header)
{
    if (!path || !rows_grow(&list->rows, list->count, sizeof(*list->rows))) {
        free(path);
        return false;
    }
    bool this_boot = process_is_of_this_boot(header->boot_id);
    list->rows[list->count++] = (struct recording_entry){
        path, header->pid, this_boot, this_boot ? header->started_ns : header->started_unix_ns};
    return true;
}

/* Adds a file of the user when it is a readable recording. False: no memory. */
static bool add_entry(struct recording_list *list, const char *folder, const char *name, uid_t uid)
{
    char *path;
    if (asprintf(&path, "%s/%s", folder, name) < 0)
        return false;

    struct rec_file file;
    struct stat status;
    bool readable = rec_file_open_found(&file, path);
    if (readable && (fstat(file.fd, &status) != 0 || status.st_uid != uid)) {
        rec_file_close(&file);
        readable = false;
    }
    if (!readable) {
        list->unreadable++;
        free(path);
        return true;
    }
    bool ok = add_row(list, path, &file.header);
    rec_file_close(&file);
    return ok;
}

/* Whether a name is `start`, the pid, '-', digits and `ending`. */
static bool is_numbered(const char *name, const char *start, uint32_t pid, const char *ending)
{
    char number[16];
    int bytes = snprintf(number, sizeof(number), "%" PRIu32 "-", pid);
    size_t skip = strlen(start);
    if (strncmp(name, start, skip) != 0 || strncmp(name + skip, number, (size_t)bytes) != 0)
        return false;
    name += skip + (size_t)bytes;
    size_t digits = strspn(name, "0123456789");
    return digits > 0 && strcmp(name + digits, ending) == 0;
}

/* Whether a file of the folder may be a recording; pid: of that process, 0: of any. */
static bool is_candidate(const char *name, pid_t pid)
{
    size_t length = strlen(name);
    return pid ? is_numbered(name, "", (uint32_t)pid, ".rec")
               : length > 4 && strcmp(name + length - 4, ".rec") == 0;
}

bool recordings_list_of(const char *folder, uid_t uid, pid_t pid, struct recording_list *ret,
                        struct err *err)
{
    memset(ret, 0, sizeof(*ret));
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return true;
    if (fd < 0)
        return err_system(err, folder, errno);
    struct stat status;
    if (fstat(fd, &status) != 0 || status.st_uid != uid) {
        close(fd);
        return err_set(err, ERR_NOT_PERMITTED, folder, "belongs to another user");
    }
    if (status.st_mode & (S_IWGRP | S_IWOTH)) {
        close(fd);
        return err_set(err, ERR_NOT_PERMITTED, folder,
                       "others may write in it: what lies there may be anybody's");
    }
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return err_system(err, folder, errno);
    }

    bool ok = true;
    struct dirent *entry;
    while (ok && (entry = readdir(dir)) != NULL) {
        if (is_candidate(entry->d_name, pid))
            ok = add_entry(ret, folder, entry->d_name, uid);
    }
    closedir(dir);
    if (!ok) {
        recordings_list_deinit(ret);
        return err_system(err, folder, ENOMEM);
    }
    if (ret->count)
        qsort(ret->rows, ret->count, sizeof(*ret->rows), compare_entries);
    return true;
}

bool recordings_list(const char *folder, uid_t uid, struct recording_list *ret, struct err *err)
{
    return recordings_list_of(folder, uid, 0, ret, err);
}

void recordings_list_deinit(struct recording_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->rows[i].path);
    free(list->rows);
    memset(list, 0, sizeof(*list));
}

/* Whether a file may be the recording of that process, by its name: "PID-N.rec", "FILE.PID-N". */
static bool is_name_for(const char *name, const char *base, uint32_t pid)
{
    const char *dot = strrchr(name, '.');
    return strcmp(name, base) == 0 || is_numbered(name, "", pid, ".rec") ||
           (dot && is_numbered(dot, ".", pid, ""));
}

char *recordings_beside(const char *path, uint32_t pid, uint64_t start_ticks, uint64_t since_ns,
                        enum recordings_pick pick)
{
    const char *base = text_basename(path);
    char *folder = base == path ? strdup("./") : strndup(path, (size_t)(base - path));
    DIR *dir = folder ? opendir(folder) : NULL;
    char *best = NULL;
    uint64_t best_ns = 0;
    struct dirent *entry;
    while (dir && (entry = readdir(dir)) != NULL) {
        struct rec_file file;
        char *candidate;
        if (!is_name_for(entry->d_name, base, pid) ||
            asprintf(&candidate, "%s%s", base == path ? "" : folder, entry->d_name) < 0)
            continue;
        bool fits = false;
        if (rec_file_open_found(&file, candidate)) {
            const struct rec_header *header = &file.header;
            fits = header->pid == pid && header->started_ns >= since_ns &&
                   (start_ticks ? header->process_start_ticks == start_ticks
                                : process_is_of_this_boot(header->boot_id)) &&
                   (!best || (header->started_ns < best_ns) == (pick == RECORDINGS_OLDEST));
            if (fits)
                best_ns = header->started_ns;
            rec_file_close(&file);
        }
        if (fits) {
            free(best);
            best = candidate;
        } else {
            free(candidate);
        }
    }
    if (dir)
        closedir(dir);
    free(folder);
    return best;
}

struct live {
    struct recording_list *list;
    pid_t pid;
};

/* Adds a mapped file when it is the recording of the process, or that of the command that it
 * records from outside (`leakspy run`), and not in the list yet. */
static bool add_live_file(const char *path, void *arg)
{
    struct live *live = arg;
    struct rec_file file;
    for (size_t i = 0; i < live->list->count; i++) {
        if (strcmp(live->list->rows[i].path, path) == 0)
            return false;
    }
    if (!rec_file_open_found(&file, path))
        return false;
    if (file.header.pid == (uint32_t)live->pid || file.header.parent_pid == (uint32_t)live->pid)
        add_row(live->list, strdup(path), &file.header);
    rec_file_close(&file);
    return false;
}

static void add_live_process(pid_t pid, void *arg)
{
    struct live live = {arg, pid};
    bool denied;
    process_shared_files(pid, add_live_file, &live, &denied);
}

void recordings_add_live(struct recording_list *list, uid_t uid)
{
    process_each(&uid, add_live_process, list);
    if (list->count)
        qsort(list->rows, list->count, sizeof(*list->rows), compare_entries);
}
