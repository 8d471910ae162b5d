#include "analyzer/process/locks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "analyzer/process/process.h"

#define MAX_DESCRIPTORS 20000 /* that a search asks whether they have a lock */

/* A line of the kernel's, without its number: "FLOCK  ADVISORY  WRITE 4242 08:01:1234 0 EOF". */
struct lock {
    char text[160];
    char type[16]; /* "FLOCK", "POSIX", "OFDLCK" */
    char kind[16]; /* "READ", which many may have, or "WRITE" */
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
    return sscanf(text, "%15s %*s %15s %ld %x:%x:%" SCNu64, ret->type, ret->kind, &ret->pid,
                  &ret->major, &ret->minor, &ret->inode) == 6;
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

enum holding { HOLDS_UNKNOWN, HOLDS, HOLDS_NOT };

/* Whether a descriptor has the lock; `path`: of its file in the folder fdinfo. */
static enum holding has_lock_in(const char *path, const struct lock *lock)
{
    char line[256];
    FILE *file = fopen(path, "re");
    bool found = false;
    if (!file)
        return errno == ENOENT ? HOLDS_NOT : HOLDS_UNKNOWN; /* it may have been closed meanwhile */
    while (file && !found && fgets(line, sizeof(line), file)) {
        const char *text = strncmp(line, "lock:", 5) == 0 ? strchr(line + 5, ':') : NULL;
        struct lock here;
        found = text && parse(text + 1 + strspn(text + 1, " "), &here) &&
                strcmp(here.text, lock->text) == 0;
    }
    fclose(file);
    return found ? HOLDS : HOLDS_NOT;
}

/* A process whose folder is not there may be hidden (hidepid of proc(5)). */
static bool is_gone(pid_t pid)
{
    return kill(pid, 0) != 0 && errno == ESRCH;
}

/* Whether a process has the open file through which the lock is held; in *ret_fd, by which
 * descriptor. */
static enum holding is_held_by(struct process_lock_search *search, pid_t pid,
                               const struct lock *lock, int *ret_fd)
{
    char path[320];
    snprintf(path, sizeof(path), "/proc/%d/fdinfo", (int)pid);
    DIR *folder = opendir(path);
    struct dirent *entry;
    enum holding holding = HOLDS_NOT, here = HOLDS_NOT;
    if (!folder)
        return is_gone(pid) ? HOLDS_NOT : HOLDS_UNKNOWN;
    while (here != HOLDS && (entry = readdir(folder)) != NULL) {
        snprintf(path, sizeof(path), "/proc/%d/fdinfo/%s", (int)pid, entry->d_name);
        if (entry->d_name[0] == '.')
            continue;
        here = ++search->descriptors > MAX_DESCRIPTORS ? HOLDS_UNKNOWN : has_lock_in(path, lock);
        if (here != HOLDS_NOT)
            holding = here;
        if (search->descriptors > MAX_DESCRIPTORS)
            break;
        *ret_fd = atoi(entry->d_name);
    }
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
static void say_by_open_file(struct process_lock_search *search, pid_t waiter,
                             const struct lock *lock, char *to, size_t bytes)
{
    char name[96];
    int fd;
    if (is_held_by(search, waiter, lock, &fd) == HOLDS) {
        snprintf(to, bytes, "is held by this process itself, through descriptor %d", fd);
        return;
    }
    if (lock->pid <= 0) {
        snprintf(to, bytes, "is held through an open file (no process is named)");
        return;
    }
    switch (is_held_by(search, (pid_t)lock->pid, lock, &fd)) {
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
}

static void say(struct process_lock_search *search, pid_t waiter, const struct lock *lock)
{
    char name[96], holder[sizeof(search->said) - 48] = "";
    if (strcmp(lock->type, "FLOCK") == 0 || strcmp(lock->type, "OFDLCK") == 0) {
        say_by_open_file(search, waiter, lock, holder, sizeof(holder));
    } else if (strcmp(lock->type, "POSIX") == 0 && lock->pid > 0) {
        name_process(lock->pid, name);
        snprintf(holder, sizeof(holder), "is held by %s", name);
    }
    /* The kernel lists who waits under one of those that have it. */
    bool shared = holder[0] && strcmp(lock->kind, "READ") == 0;
    snprintf(search->said, sizeof(search->said), "%s%s", holder,
             shared ? "; it is shared: others may have it, too" : "");
}

const char *process_lock_holder(struct process_lock_search *search, pid_t pid,
                                const struct image_thread *thread)
{
    struct wanted wanted;
    struct lock lock;
    if (!find_wanted(pid, thread, &wanted) || !find_lock(&wanted, &lock))
        return NULL;
    if (strcmp(search->lock, lock.text) != 0) {
        snprintf(search->lock, sizeof(search->lock), "%s", lock.text);
        say(search, pid, &lock);
    }
    return search->said[0] ? search->said : NULL;
}
