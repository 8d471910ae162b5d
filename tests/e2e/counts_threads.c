/* Counts its threads as programs do that go by the number, in every way that leakspy knows of, and
 * waits before each for long enough to be sampled. Then a fork child does the same. In the end:
 *
 *   reads     it waits for the end of its input
 *   joins     it starts a thread that does, and waits for that
 *   exits     the same, but by pthread_exit
 *   asked     it counts once more for each byte of its input */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/e2e/aliases.h"
#include "tests/e2e/threads.h"

#define TASKS "/proc/self/task"

/* --- by the links of the folder that has one for each ------------------------------------------
 */

static int proc; /* kept open, as a sandbox does */

static long threads_of(nlink_t links)
{
    return (long)links - 2;
}

static long by_stat(void)
{
    struct stat of;
    CHECK(stat(TASKS, &of) == 0);
    return threads_of(of.st_nlink);
}

static long by_stat64(void)
{
    struct stat64 of;
    CHECK(stat64(TASKS, &of) == 0);
    return threads_of(of.st_nlink);
}

static long by_fstatat(void)
{
    struct stat of;
    CHECK(fstatat(proc, "self/task", &of, 0) == 0);
    return threads_of(of.st_nlink);
}

static long by_fstatat64(void)
{
    struct stat64 of;
    CHECK(fstatat64(proc, "self/task/", &of, 0) == 0);
    return threads_of(of.st_nlink);
}

static long by_fxstatat64(void)
{
    struct stat64 of;
    CHECK(__fxstatat64(FXSTATAT_VERSION, proc, "self/task/", &of, 0) == 0);
    return threads_of(of.st_nlink);
}

/* Counted from the folder of the process, there is nothing before the name. */
static int open_self(void)
{
    int self = open("/proc/self", O_RDONLY | O_DIRECTORY);
    CHECK(self >= 0);
    return self;
}

static long by_fstatat_beside(void)
{
    struct stat of;
    int self = open_self();
    CHECK(fstatat(self, "task", &of, 0) == 0);
    close(self);
    return threads_of(of.st_nlink);
}

static long by_statx(void)
{
    struct statx of;
    CHECK(statx(proc, "self/task", 0, STATX_NLINK, &of) == 0);
    return threads_of(of.stx_nlink);
}

static long by_syscall_newfstatat(void)
{
    struct stat of;
    CHECK(syscall(SYS_newfstatat, proc, "self/task/", &of, 0) == 0);
    return threads_of(of.st_nlink);
}

static long by_syscall_statx(void)
{
    struct statx of;
    CHECK(syscall(SYS_statx, AT_FDCWD, TASKS, 0, STATX_NLINK, &of) == 0);
    return threads_of(of.stx_nlink);
}

/* --- by what is written in a file --------------------------------------------------------------
 */

static char text[4096];

/* It is the 20th word, and the second, which is a name, has no spaces here. */
static long in_stat(void)
{
    char *at = text;
    for (int i = 1; i < 20; i++)
        at = strchr(at, ' ') + 1;
    return atol(at);
}

static long in_status(void)
{
    return atol(strstr(text, "\nThreads:") + strlen("\nThreads:"));
}

static void read_all(int fd)
{
    ssize_t n, got = 0;
    CHECK(fd >= 0);
    while ((n = read(fd, text + got, sizeof text - 1 - (size_t)got)) > 0)
        got += n;
    CHECK(n == 0 && got > 0);
    text[got] = '\0';
    close(fd);
}

static const char *path_by_number(const char *name)
{
    static char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)getpid(), name);
    return path;
}

static long by_open(void)
{
    read_all(open("/proc/self/stat", O_RDONLY));
    return in_stat();
}

static long by_open64(void)
{
    read_all(open64(path_by_number("status"), O_RDONLY));
    return in_status();
}

/* It waits before it reads. */
static long by_open_slowly(void)
{
    int fd = open("/proc/self/status", O_RDONLY);
    usleep(20000);
    read_all(fd);
    return in_status();
}

static long by_openat(void)
{
    read_all(openat(proc, "self/stat", O_RDONLY));
    return in_stat();
}

static long by_openat64(void)
{
    read_all(openat64(proc, "self/status", O_RDONLY));
    return in_status();
}

static void read_beside(const char *name)
{
    int self = open_self();
    read_all(openat(self, name, O_RDONLY));
    close(self);
}

static long by_openat_stat_beside(void)
{
    read_beside("stat");
    return in_stat();
}

static long by_openat_status_beside(void)
{
    read_beside("status");
    return in_status();
}

/* It has counted them in another way just before. */
static long by_open_at_once(void)
{
    long before = by_stat();
    return before == by_openat64() ? before : 0;
}

static int kept_stat = -1;

/* One that stays open, and is read as often as it is wanted. */
static long by_pread(void)
{
    if (kept_stat < 0)
        kept_stat = open("/proc/self/stat", O_RDONLY);
    ssize_t got = pread(kept_stat, text, sizeof text - 1, 0);
    CHECK(got > 0);
    text[got] = '\0';
    return in_stat();
}

static long by_syscall_openat(void)
{
    read_all((int)syscall(SYS_openat, proc, "self/stat", O_RDONLY));
    return in_stat();
}

static void read_stream(FILE *stream)
{
    CHECK(stream != NULL);
    size_t n = fread(text, 1, sizeof text - 1, stream);
    CHECK(n > 0);
    text[n] = '\0';
    fclose(stream);
}

static long by_fopen(void)
{
    read_stream(fopen("/proc/self/stat", "r"));
    return in_stat();
}

static long by_fopen64(void)
{
    read_stream(fopen64(path_by_number("stat"), "r"));
    return in_stat();
}

/* --- by the entries of the folder --------------------------------------------------------------
 */

static long count_entries(DIR *folder)
{
    long entries = 0;
    CHECK(folder != NULL);
    while (readdir(folder) != NULL)
        entries++;
    closedir(folder);
    return entries - 2;
}

static long by_opendir(void)
{
    return count_entries(opendir(TASKS));
}

static long by_openat_task_beside(void)
{
    int self = open_self();
    long entries = count_entries(fdopendir(openat(self, "task", O_RDONLY | O_DIRECTORY)));
    close(self);
    return entries;
}

static const struct {
    const char *name;
    long (*count)(void);
} ways[] = {
    {"stat", by_stat},
    {"stat64", by_stat64},
    {"fstatat", by_fstatat},
    {"fstatat64", by_fstatat64},
    {"__fxstatat64", by_fxstatat64},
    {"syscall, newfstatat", by_syscall_newfstatat},
    {"syscall, statx", by_syscall_statx},
    {"syscall, openat", by_syscall_openat},
    {"statx", by_statx},
    {"openat", by_openat},
    {"openat64", by_openat64},
    {"open, right after stat", by_open_at_once},
    {"open", by_open},
    {"open64", by_open64},
    {"open, and a wait before it is read", by_open_slowly},
    {"fopen", by_fopen},
    {"fopen64", by_fopen64},
    {"opendir", by_opendir},
    {"fstatat of the bare name", by_fstatat_beside},
    {"openat of the bare name: stat", by_openat_stat_beside},
    {"openat of the bare name: status", by_openat_status_beside},
    {"openat of the bare name: task", by_openat_task_beside},
    {"pread", by_pread},
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A file that was opened is waited for by the library for so long, and the end of its thread for
 * longer. */
enum { WAITED_FOR_MS = 100 };

/* Once more where the machine was too busy for that. */
static long count_by(long (*count)(void))
{
    for (;;) {
        int64_t began_ms = now_ms();
        long threads = count();
        if (now_ms() - began_ms < WAITED_FOR_MS)
            return threads;
    }
}

static void count_in_every_way(const char *who)
{
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        usleep(20000);
        printf("%s: %s: %ld\n", who, ways[i].name, count_by(ways[i].count));
    }
    fflush(stdout);
}

static void *park(void *arg)
{
    char byte;
    CHECK(read(STDIN_FILENO, &byte, 1) == 0); /* parked here */
    return arg;
}

int main(int argc, char **argv)
{
    const char *end = argc > 1 ? argv[1] : "";
    int status;
    alarm(60);
    CHECK((proc = open("/proc", O_RDONLY | O_DIRECTORY)) >= 0);
    count_in_every_way("program");
    pid_t child = fork();
    if (child == 0) {
        close(kept_stat); /* it tells of the parent */
        kept_stat = -1;
        count_in_every_way("child");
        _exit(0);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    printf("in the end: %ld\n", count_by(by_fstatat64));
    fflush(stdout);
    if (strcmp(end, "reads") == 0)
        park(NULL);
    else if (strcmp(end, "asked") == 0)
        for (char byte; read(STDIN_FILENO, &byte, 1) == 1;) {
            printf("asked: %ld\n", by_stat());
            fflush(stdout);
        }
    else if (strcmp(end, "joins") == 0)
        join_thread(start_thread(park, NULL));
    else if (strcmp(end, "exits") == 0) {
        start_thread(park, NULL);
        by_fstatat64();
        pthread_exit(NULL);
    }
    return 0;
}
