#include "analyzer/process/locks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "analyzer/process/process.h"

#define DESCRIPTORS_MOST 10000 /* of a process, that are asked whether they have the lock */

/* A line of the kernel's, without its number: "FLOCK  ADVISORY  WRITE 4242 08:01:1234 0 EOF". */
struct lock {
    char text[160];
    char type[16]; /* "FLOCK", "POSIX", "OFDLCK" */
    long pid;      /* that took it, or waits; -1: of OFDLCK, whose are the open file's */
    unsigned major, minor;
    uint64_t inode;
};

/* What a thread waits for. */
struct wanted {
    const char *type;
    pid_t pid;
    unsigned major, minor; /* as by stat(2): of some file systems not what the kernel lists */
    uint64_t inode;
};

/* Under which locks the list has it. */
struct found {
    struct lock lock; /* the last one */
    size_t different; /* holders that they have, at most */
};

bool process_waits_for_lock(const struct image_thread *thread, int *ret_fd)
{
    int command = (int)thread->args[1];
    *ret_fd = (int)thread->args[0];
    return thread->parked &&
           (thread->call == SYS_flock ||
            (thread->call == SYS_fcntl && (command == F_SETLKW || command == F_OFD_SETLKW)));
}

static const char *type_waited_for(const struct image_thread *thread)
{
    if (thread->call == SYS_flock)
        return "FLOCK";
    return (int)thread->args[1] == F_OFD_SETLKW ? "OFDLCK" : "POSIX";
}

/* What stands behind a lock's number. */
static bool parse(const char *text, struct lock *ret)
{
    *ret = (struct lock){0};
    snprintf(ret->text, sizeof(ret->text), "%.*s", (int)strcspn(text, "\n"), text);
    return sscanf(text, "%15s %*s %*s %ld %x:%x:%" SCNu64, ret->type, &ret->pid, &ret->major,
                  &ret->minor, &ret->inode) == 5;
}

/* The number of an inode that the kernel knows the file by, which stat(2) may hide. */
static uint64_t inode_of(pid_t tid, int fd, uint64_t by_stat)
{
    char path[64], line[256];
    uint64_t inode = by_stat;
    snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)tid, fd);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file)) {
        if (sscanf(line, "ino: %" SCNu64, &inode) == 1) /* since Linux 5.14 */
            break;
    }
    if (file)
        fclose(file);
    return inode;
}

static bool find_wanted(pid_t pid, const struct image_thread *thread, struct wanted *ret)
{
    char path[64];
    struct stat status;
    int fd;
    if (!process_waits_for_lock(thread, &fd))
        return false;
    snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)thread->host_tid, fd);
    if (stat(path, &status) != 0)
        return false;
    *ret = (struct wanted){.type = type_waited_for(thread),
                           .pid = pid,
                           .major = major(status.st_dev),
                           .minor = minor(status.st_dev)};
    ret->inode = inode_of((pid_t)thread->host_tid, fd, status.st_ino);
    return true;
}

static bool is_wanted(const struct wanted *wanted, const struct lock *waiter)
{
    bool of_process =
        strcmp(wanted->type, "OFDLCK") == 0 ? waiter->pid == -1 : waiter->pid == (long)wanted->pid;
    return of_process && strcmp(waiter->type, wanted->type) == 0 && waiter->inode == wanted->inode;
}

/* Locks of one process are its own, whichever parts of the file they are of. */
static bool have_one_holder(const struct lock *a, const struct lock *b)
{
    bool posix = strcmp(a->type, "POSIX") == 0 && strcmp(b->type, "POSIX") == 0;
    return strcmp(a->text, b->text) == 0 || (posix && a->pid == b->pid);
}

static void add(struct found *found, const struct lock *lock)
{
    if (found->different == 0 || !have_one_holder(&found->lock, lock))
        found->different++;
    found->lock = *lock;
}

/* "1: FLOCK …", and of those who wait for that lock, themselves or behind others, "1: -> FLOCK …".
 */
static bool find_lock(const struct wanted *wanted, struct lock *ret)
{
    struct found on_device = {0}, anywhere = {0};
    struct lock lock = {0}, waiter;
    bool has_lock = false;
    FILE *file = fopen("/proc/locks", "re");
    char *line = NULL;
    size_t room = 0;
    while (file && getline(&line, &room, file) > 0) {
        const char *text = strchr(line, ':');
        const char *arrow = text ? strstr(text, "-> ") : NULL;
        if (!text)
            continue;
        if (!arrow) {
            has_lock = parse(text + 1 + strspn(text + 1, " "), &lock);
        } else if (has_lock && parse(arrow + 3, &waiter) && is_wanted(wanted, &waiter)) {
            add(&anywhere, &lock);
            if (waiter.major == wanted->major && waiter.minor == wanted->minor)
                add(&on_device, &lock);
        }
    }
    free(line);
    if (file)
        fclose(file);
    const struct found *found = on_device.different ? &on_device : &anywhere;
    *ret = found->lock;
    return found->different == 1;
}

/* Whether a descriptor has the lock; `path`: of its file in the folder fdinfo. */
static bool has_lock_in(const char *path, const struct lock *lock)
{
    char line[256];
    FILE *file = fopen(path, "re");
    bool found = false;
    while (file && !found && fgets(line, sizeof(line), file)) {
        const char *text = strncmp(line, "lock:", 5) == 0 ? strchr(line + 5, ':') : NULL;
        struct lock here;
        found = text && parse(text + 1 + strspn(text + 1, " "), &here) &&
                strcmp(here.text, lock->text) == 0;
    }
    if (file)
        fclose(file);
    return found;
}

enum holding { HOLDS_UNKNOWN, HOLDS, HOLDS_NOT };

/* Whether a process has the open file through which the lock is held; in *ret_fd, by which
 * descriptor. */
static enum holding is_held_by(pid_t pid, const struct lock *lock, int *ret_fd)
{
    char path[320];
    size_t looked = 0;
    snprintf(path, sizeof(path), "/proc/%d/fdinfo", (int)pid);
    DIR *folder = opendir(path);
    struct dirent *entry;
    enum holding holding = folder || errno == ENOENT ? HOLDS_NOT : HOLDS_UNKNOWN;
    while (folder && holding == HOLDS_NOT && (entry = readdir(folder)) != NULL) {
        snprintf(path, sizeof(path), "/proc/%d/fdinfo/%s", (int)pid, entry->d_name);
        if (entry->d_name[0] == '.')
            continue;
        if (++looked > DESCRIPTORS_MOST)
            holding = HOLDS_UNKNOWN;
        else if (has_lock_in(path, lock))
            holding = HOLDS;
        *ret_fd = atoi(entry->d_name);
    }
    if (folder)
        closedir(folder);
    return holding;
}

/* "process 4242 (backup)". */
static void name_process(long pid, char to[96])
{
    struct process_status status;
    if (process_read_status((pid_t)pid, &status) && status.name[0])
        snprintf(to, 96, "process %ld (%s)", pid, status.name);
    else
        snprintf(to, 96, "process %ld", pid);
}

/* The kernel notes which process took it; it is held as long as the open file lives, which a
 * process may have handed on and closed. */
static bool say_by_open_file(pid_t waiter, const struct lock *lock, char *to, size_t bytes)
{
    char name[96];
    int fd;
    if (is_held_by(waiter, lock, &fd) == HOLDS) {
        snprintf(to, bytes, "is held by this process itself, through descriptor %d", fd);
        return true;
    }
    if (lock->pid <= 0) {
        snprintf(to, bytes, "is held through an open file (no process is named)");
        return true;
    }
    switch (is_held_by((pid_t)lock->pid, lock, &fd)) {
    case HOLDS:
        name_process(lock->pid, name);
        snprintf(to, bytes, "is held by %s", name);
        break;
    case HOLDS_NOT:
        snprintf(to, bytes,
                 "was taken by process %ld, which has closed that file or ended: whoever has it "
                 "from there holds it",
                 lock->pid);
        break;
    default:
        snprintf(to, bytes, "was taken by process %ld", lock->pid);
    }
    return true;
}

bool process_lock_holder(pid_t pid, const struct image_thread *thread, char *to, size_t bytes)
{
    struct wanted wanted;
    struct lock lock;
    char name[96];
    if (!find_wanted(pid, thread, &wanted) || !find_lock(&wanted, &lock))
        return false;
    if (strcmp(lock.type, "FLOCK") == 0 || strcmp(lock.type, "OFDLCK") == 0)
        return say_by_open_file(pid, &lock, to, bytes);
    if (strcmp(lock.type, "POSIX") != 0 || lock.pid <= 0)
        return false;
    name_process(lock.pid, name);
    snprintf(to, bytes, "is held by %s", name);
    return true;
}
