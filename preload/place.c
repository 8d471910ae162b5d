#include "preload/place.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "preload/clock.h"
#include "preload/proc.h"
#include "preload/recorder.h"
#include "preload/sys.h"
#include "preload/tables.h"
#include "preload/text.h"

#define MAX_FILES_A_PID 1000
#define MAX_ANCESTORS 64

bool place_keeps_modes;

/* The program's umask, which is the whole process's and no business of ours, may have taken rights
 * of our own user: nobody could read the file then. */
static long create_file(const char *path)
{
    struct stat stat;
    long fd = sys_call(SYS_openat, AT_FDCWD, path,
                       O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && !place_keeps_modes &&
        sys_call(SYS_newfstatat, fd, "", &stat, AT_EMPTY_PATH) == 0 &&
        (stat.st_mode & 0600) != 0600)
        sys_call(SYS_fchmod, fd, 0600);
    return fd;
}

/* Opens a file of ours that is there already, and reads its header. Negative: it is none. */
static long open_existing(const char *path, int mode, struct rec_header *header)
{
    struct stat stat;
    long fd = sys_call(SYS_openat, AT_FDCWD, path, mode | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fd;
    memset(header, 0, sizeof(*header));
    if (sys_call(SYS_newfstatat, fd, "", &stat, AT_EMPTY_PATH) == 0 && S_ISREG(stat.st_mode) &&
        stat.st_uid == (uid_t)sys_call(SYS_geteuid, 0) &&
        sys_call(SYS_pread64, fd, header, sizeof(*header), 0) >= 0 &&
        (header->magic == REC_MAGIC || header->magic == 0)) /* 0: it is being made */
        return fd;
    sys_call(SYS_close, fd);
    return -EEXIST;
}

static void mark_executed(long fd)
{
    struct rec_header *header = tables_map_header(fd);
    if (header == NULL)
        return;
    header->ended_ns = clock_now_ns();
    __atomic_store_n(&header->state, REC_STATE_EXEC, __ATOMIC_RELEASE);
    sys_call(SYS_munmap, header, REC_HEADER_BYTES);
}

/* What stands where our file should: nothing that we know, the recording of a process that lives
 * (its program's, or an earlier one's), of one that is gone, or of the very process that is to be
 * recorded, from before an exec. */
enum found { FOUND_FOREIGN, FOUND_ALIVE, FOUND_OVER, FOUND_OWN };

static enum found look_at_existing(const char *path, uint32_t pid, uint64_t ticks)
{
    static struct rec_header header; /* one thread opens at a time */
    long fd = open_existing(path, O_RDWR, &header);
    if (fd < 0)
        return FOUND_FOREIGN;
    enum found found = FOUND_OWN;
    if (header.magic == 0) {
        found = FOUND_ALIVE;
    } else if (header.pid != pid || header.process_start_ticks != ticks) {
        bool gone = proc_start_ticks(header.pid) != header.process_start_ticks;
        bool lives = header.state <= REC_STATE_RUNNING || header.state == REC_STATE_EXEC;
        found = gone || !lives ? FOUND_OVER : FOUND_ALIVE;
    } else if (header.state == REC_STATE_RUNNING) {
        mark_executed(fd);
    }
    sys_call(SYS_close, fd);
    return found;
}

/* Removes the file of a process that is gone. Another that wants its place, too, may have done so
 * and put its own there: who removes holds a lock on what it looked at, and looks again under it.
 */
static bool remove_over(const char *path, uint32_t pid, uint64_t ticks)
{
    struct stat locked, named;
    long fd = sys_call(SYS_openat, AT_FDCWD, path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    bool removed = sys_call(SYS_flock, fd, LOCK_EX | LOCK_NB) == 0 &&
                   look_at_existing(path, pid, ticks) == FOUND_OVER &&
                   sys_call(SYS_newfstatat, fd, "", &locked, AT_EMPTY_PATH) == 0 &&
                   sys_call(SYS_newfstatat, AT_FDCWD, path, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
                   locked.st_ino == named.st_ino && locked.st_dev == named.st_dev &&
                   sys_call(SYS_unlinkat, AT_FDCWD, path, 0) == 0;
    sys_call(SYS_close, fd);
    return removed;
}

static void put_folder(struct text *text, uint32_t uid)
{
    text_string(text, REC_DIR_PREFIX);
    text_number(text, uid);
}

/* "FOLDER/PID-", of which PID may be any. */
static struct text start_of_name(char path[PLACE_ROOM], uint32_t pid)
{
    struct text text = {.at = path, .room = PLACE_ROOM};
    put_folder(&text, (uint32_t)sys_call(SYS_geteuid, 0));
    text_char(&text, '/');
    text_number(&text, pid);
    text_char(&text, '-');
    return text;
}

/* "OUT.PID-" */
static struct text start_of_further_name(char path[PLACE_ROOM], uint32_t pid)
{
    struct text text = {.at = path, .room = PLACE_ROOM};
    text_string(&text, recorder_options.out);
    text_char(&text, '.');
    text_number(&text, pid);
    text_char(&text, '-');
    return text;
}

static bool is_folder_of(const struct stat *stat, uint32_t uid)
{
    return S_ISDIR(stat->st_mode) && stat->st_uid == uid && (stat->st_mode & 0077) == 0;
}

/* Gives back to the user's folder what a umask took of it, this program's or that of one before.
 * What cannot be read can only be opened as a name; where that leads to, /proc has. */
static void mend_folder(const char *path, uint32_t uid)
{
    char link[64];
    struct stat stat;
    long fd = sys_call(SYS_openat, AT_FDCWD, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    struct text text = proc_path(link, sizeof(link), OWN_PROCESS);
    text_string(&text, "/fd/");
    text_number(&text, (uint64_t)fd);
    if (sys_call(SYS_newfstatat, fd, "", &stat, AT_EMPTY_PATH) == 0 && is_folder_of(&stat, uid))
        sys_call(SYS_fchmodat, AT_FDCWD, link, 0700);
    sys_call(SYS_close, fd);
}

/* The user's folder, if it is theirs alone. */
static bool make_folder(char path[64])
{
    struct stat stat;
    struct text text = {.at = path, .room = 64};
    uint32_t uid = (uint32_t)sys_call(SYS_geteuid, 0);
    put_folder(&text, uid);
    sys_call(SYS_mkdirat, AT_FDCWD, path, 0700);
    if (sys_call(SYS_newfstatat, AT_FDCWD, path, &stat, AT_SYMLINK_NOFOLLOW) != 0 ||
        !is_folder_of(&stat, uid))
        return false;
    if ((stat.st_mode & 0700) != 0700 && !place_keeps_modes)
        mend_folder(path, uid);
    return true;
}

/* --- what is kept ---------------------------------------------------------------------------- */

/* Recordings stay when their process has ended, but not for ever: it is memory that they take. */
#define MAX_KEPT 512
#define REMOVED_AT_ONCE 64
#define MAX_VAIN 3 /* so many times 64, which all live, for one process that starts */

struct old_file {
    uint64_t changed_ns;
    char name[40];
};

/* As the kernel gives them (getdents64(2)). */
struct entry {
    uint64_t inode;
    int64_t next;
    uint16_t bytes;
    uint8_t type;
    char name[];
};

/* Keeps the oldest of the files in order; `count` are there. Returns how many there are now. */
static size_t keep_oldest(struct old_file *files, size_t count, const struct old_file *file)
{
    size_t at = count;
    if (count == REMOVED_AT_ONCE && files[count - 1].changed_ns <= file->changed_ns)
        return count;
    if (count == REMOVED_AT_ONCE)
        at--;
    else
        count++;
    for (; at > 0 && files[at - 1].changed_ns > file->changed_ns; at--)
        files[at] = files[at - 1];
    files[at] = *file;
    return count;
}

/* Calls visit(name, arg) for each entry of an open folder that was not read yet. */
static void each_entry(long folder, void (*visit)(const char *name, void *arg), void *arg)
{
    static _Alignas(8) char buffer[4096];
    long bytes;
    while ((bytes = sys_call(SYS_getdents64, folder, buffer, sizeof(buffer))) > 0) {
        for (long at = 0; at < bytes; at += ((struct entry *)(buffer + at))->bytes) {
            const struct entry *entry = (const struct entry *)(buffer + at);
            if (entry->name[0] != '.')
                visit(entry->name, arg);
        }
    }
}

static void count_entry(const char *name, void *count)
{
    (void)name;
    ++*(size_t *)count;
}

/* The oldest files of a folder, of those that are newer than `after_ns`. */
struct oldest {
    long folder;
    uint64_t after_ns;
    size_t count;
    struct old_file files[REMOVED_AT_ONCE];
};

static void keep_if_old(const char *name, void *arg)
{
    struct oldest *oldest = arg;
    struct old_file file = {0};
    struct stat stat;
    struct text text = {.at = file.name, .room = sizeof(file.name)};
    text_string(&text, name);
    if (sys_call(SYS_newfstatat, oldest->folder, file.name, &stat, AT_SYMLINK_NOFOLLOW) != 0)
        return;
    file.changed_ns = (uint64_t)stat.st_mtim.tv_sec * NS_PER_S + (uint64_t)stat.st_mtim.tv_nsec;
    if (file.changed_ns > oldest->after_ns)
        oldest->count = keep_oldest(oldest->files, oldest->count, &file);
}

/* Removes those of `oldest` whose processes are gone. Returns how many. */
static size_t remove_files(const char *path, const struct oldest *oldest)
{
    size_t removed = 0;
    for (size_t i = 0; i < oldest->count; i++) {
        char file[128];
        struct text text = {.at = file, .room = sizeof(file)};
        text_string(&text, path);
        text_char(&text, '/');
        text_string(&text, oldest->files[i].name);
        removed += remove_over(file, 0, 0);
    }
    return removed;
}

/* Removes the oldest recordings of processes that are gone, where there are too many. Those that
 * live may be the oldest ones: their files are written through mappings, and look as old as they
 * are. */
static void remove_old(const char *path)
{
    static struct oldest oldest;
    size_t count = 0;
    long folder = sys_call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return;
    oldest = (struct oldest){.folder = folder};
    each_entry(folder, count_entry, &count);
    for (int vain = 0; vain < MAX_VAIN && count > MAX_KEPT; vain++) {
        oldest.count = 0;
        if (sys_call(SYS_lseek, folder, 0, 0) != 0)
            break;
        each_entry(folder, keep_if_old, &oldest);
        if (oldest.count == 0)
            break;
        size_t removed = remove_files(path, &oldest);
        count -= removed;
        if (removed > 0)
            vain = -1;
        oldest.after_ns = oldest.files[oldest.count - 1].changed_ns;
    }
    sys_call(SYS_close, folder);
}

/* Marks those among LEAKSPY_OUT.PID-N that are this very process's from before an exec: it may get
 * LEAKSPY_OUT itself now, which somebody else still had then. */
static void mark_further(char *path, uint32_t pid, uint64_t ticks)
{
    struct text text = start_of_further_name(path, pid);
    for (uint32_t n = 0; n < MAX_FILES_A_PID; n++) {
        struct text rest = text;
        text_number(&rest, n);
        if (look_at_existing(path, pid, ticks) == FOUND_FOREIGN)
            return;
    }
}

/* The first free name of those that begin so. */
static long create_numbered(struct text text, const char *ending, char *path, uint32_t pid,
                            uint64_t ticks)
{
    for (uint32_t n = 0; n < MAX_FILES_A_PID; n++) {
        struct text rest = text;
        text_number(&rest, n);
        text_string(&rest, ending);
        long fd = create_file(path);
        if (fd != -EEXIST)
            return fd;
        look_at_existing(path, pid, ticks);
    }
    return -EEXIST;
}

long place_create(uint32_t pid, uint64_t ticks, bool fork_child, char path[PLACE_ROOM])
{
    if (recorder_options.out == NULL) {
        char folder[64];
        struct text text = start_of_name(path, pid);
        if (!make_folder(folder))
            return -EACCES;
        remove_old(folder);
        return create_numbered(text, ".rec", path, pid, ticks);
    }
    if (!fork_child) {
        struct text text = {.at = path, .room = PLACE_ROOM};
        mark_further(path, pid, ticks);
        text_string(&text, recorder_options.out);
        long fd = create_file(path);
        if (fd != -EEXIST)
            return fd;
        enum found found = look_at_existing(path, pid, ticks);
        if (found == FOUND_FOREIGN)
            return -EEXIST;
        if (found == FOUND_OVER) {
            remove_over(path, pid, ticks);
            fd = create_file(path);
            if (fd != -EEXIST)
                return fd;
        }
    }
    return create_numbered(start_of_further_name(path, pid), "", path, pid, ticks);
}

static bool is_recording_of(const char *path, uint32_t pid, uint64_t ticks)
{
    static struct rec_header header;
    long fd = open_existing(path, O_RDONLY, &header);
    if (fd >= 0)
        sys_call(SYS_close, fd);
    return fd >= 0 && header.pid == pid && header.process_start_ticks == ticks;
}

bool place_has_recorded_ancestor(void)
{
    char path[PLACE_ROOM];
    uint32_t pid = (uint32_t)sys_call(SYS_getppid, 0);
    for (int i = 0; i < MAX_ANCESTORS && pid > 1; i++) {
        uint64_t ticks = proc_start_ticks(pid);
        if (recorder_options.out != NULL) {
            struct text further = start_of_further_name(path, pid);
            text_string(&further, "0");
            if (is_recording_of(recorder_options.out, pid, ticks) ||
                is_recording_of(path, pid, ticks))
                return true;
        }
        struct text text = start_of_name(path, pid);
        text_string(&text, "0.rec");
        if (is_recording_of(path, pid, ticks))
            return true;
        pid = proc_parent(pid);
    }
    return false;
}
