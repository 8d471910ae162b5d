#include "preload/thread_count.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "preload/clock.h"
#include "preload/recorder.h"
#include "preload/sampler.h"
#include "preload/sys.h"

#define TASKS "/proc/self/task"

/* What tells how many threads there are: as the last part of a path, or all of it, and as the
 * kernel has it for this process. */
static const struct {
    const char *name, *own;
} tellers[] = {
    {"task", TASKS},
    {"task/", TASKS},
    {"stat", "/proc/self/stat"},
    {"status", "/proc/self/status"},
};
enum { TELLERS = sizeof(tellers) / sizeof(*tellers) };

/* How long a file that was opened and not read yet is waited for. Some stay open for ever. */
#define PATIENCE_NS UINT64_C(100000000)

static struct {
    int fd; /* -1: none, it was told at once */
    dev_t device;
    ino_t inode;
    uint64_t at_ns;
} opened;

/* Where it is, if it is one; else TELLERS. */
static int find_teller(const char *path)
{
    size_t bytes = strlen(path);
    for (int i = 0; i < TELLERS; i++) {
        size_t n = strlen(tellers[i].name);
        if (bytes >= n && (bytes == n || path[bytes - n - 1] == '/') &&
            memcmp(path + bytes - n, tellers[i].name, n) == 0)
            return i;
    }
    return TELLERS;
}

static bool look(int folder, const char *path, int flags, struct stat *ret)
{
    return sys_call(SYS_newfstatat, folder, path, ret, flags) == 0;
}

static bool is_same(const struct stat *one, const struct stat *other)
{
    return one->st_dev == other->st_dev && one->st_ino == other->st_ino;
}

/* One thread of the program's and the sampler: a folder has two links more than it has folders. */
static bool counts_two(const struct stat *tasks)
{
    return S_ISDIR(tasks->st_mode) && tasks->st_nlink == 4;
}

/* The calling thread is watched by nobody from now on, until recorder_adopt(). Where it is so
 * already, the sampler has not ended yet, or another thread has started one. False: there is no
 * sampler, or a handler asks in the middle of a wait, which would not be seen any more. */
static bool end_sampler(void)
{
    struct recorder_thread *self = &recorder_thread;
    struct rec_task *task = self->task;
    if (self->unwatched != NULL)
        return sampler_end_for_now();
    if (task == NULL || self->inside || SHARED_GET(task->gen) != 0 || !sampler_end_for_now())
        return false;
    __atomic_store_n(&self->unwatched, task, __ATOMIC_RELEASE);
    __atomic_store_n(&self->task, NULL, __ATOMIC_RELEASE);
    return true;
}

/* Where a sandbox has left /proc, and asks by a descriptor that it kept, the name has to do. */
bool thread_count_asked(int folder, const char *path)
{
    struct stat asked, own;
    if (recorder.header == NULL || recorder_quiet || find_teller(path) == TELLERS ||
        !look(folder, path, 0, &asked) || !counts_two(&asked) ||
        (look(AT_FDCWD, TASKS, 0, &own) && !is_same(&asked, &own)) || !end_sampler())
        return false;
    opened.fd = -1;
    return true;
}

void thread_count_opened(int fd, const char *path)
{
    struct stat file, own, tasks;
    if (recorder.header == NULL || recorder_quiet)
        return;
    int teller = find_teller(path);
    if (teller == TELLERS || !look(AT_FDCWD, tellers[teller].own, 0, &own) ||
        !look(fd, "", AT_EMPTY_PATH, &file) || !is_same(&file, &own))
        return;
    if (look(AT_FDCWD, TASKS, 0, &tasks) && counts_two(&tasks))
        end_sampler();
    if (recorder_thread.unwatched == NULL) /* else it ended now, or when it was asked just before */
        return;
    opened.at_ns = clock_now_ns();
    opened.fd = fd;
    opened.device = file.st_dev;
    opened.inode = file.st_ino;
}

/* The kernel writes all of it at the first read. */
bool thread_count_goes_on(void)
{
    struct stat file;
    return sampler_is_ending() ||
           (opened.fd >= 0 && clock_now_ns() - opened.at_ns < PATIENCE_NS &&
            look(opened.fd, "", AT_EMPTY_PATH, &file) && file.st_dev == opened.device &&
            file.st_ino == opened.inode && sys_call(SYS_lseek, opened.fd, 0, SEEK_CUR) == 0);
}
