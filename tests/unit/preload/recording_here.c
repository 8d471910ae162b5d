#include "tests/unit/preload/recording_here.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "preload/memory.h"
#include "preload/unwind.h"

static char folder[64];

int here_start(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/leakspy-test-%d-XXXXXX", (int)getpid());
    memory_init();
    return mkdtemp(folder) == NULL || !unwind_init(true);
}

int here_stop(void **state)
{
    (void)state;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir != NULL)
        closedir(dir);
    return rmdir(folder);
}

const char *here_path(const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

void here_options(const char *out)
{
    recorder_options = (struct recorder_options){
        .out = out,
        .sample_period_ns = 100000000,
        .classes = REC_CLASS_ALL,
        .max_tasks = HERE_TASKS,
    };
}

int here_open(void **state)
{
    static char path[256];
    (void)state;
    snprintf(path, sizeof(path), "%s", here_path("recording"));
    unlink(path);
    here_options(path);
    return !recorder_open(false);
}

int here_close(void **state)
{
    (void)state;
    recorder_forget();
    return unlink(here_path("recording"));
}

int here_in_child(void (*function)(void))
{
    int status = 0;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        memory_init(); /* as after every fork: it is another process that reads itself */
        function();
        fflush(NULL);
        _exit(HERE_CHILD_FINE);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void here_check_int(long long actual, long long expected, const char *what, const char *file,
                    int line)
{
    if (actual == expected)
        return;
    fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", file, line, what, actual, expected);
    _exit(HERE_CHILD_CHECK_FAILED);
}

void here_check_string(const char *actual, const char *expected, const char *what, const char *file,
                       int line)
{
    if (strcmp(actual, expected) == 0)
        return;
    fprintf(stderr, "%s:%d: %s is \"%s\", not \"%s\"\n", file, line, what, actual, expected);
    _exit(HERE_CHILD_CHECK_FAILED);
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
        _exit(HERE_CHILD_SKIPS);
}

void here_own_mounts(void)
{
    char map[64];
    unsigned uid = geteuid(), gid = getegid();
    if (unshare(CLONE_NEWNS) != 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
            _exit(HERE_CHILD_SKIPS);
        put("/proc/self/setgroups", "deny");
        snprintf(map, sizeof(map), "0 %u 1", uid);
        put("/proc/self/uid_map", map);
        snprintf(map, sizeof(map), "0 %u 1", gid);
        put("/proc/self/gid_map", map);
    }
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        _exit(HERE_CHILD_SKIPS);
}

void here_mount_tmpfs(const char *path, const char *options)
{
    if (mount("none", path, "tmpfs", 0, options) != 0)
        _exit(HERE_CHILD_SKIPS);
}
