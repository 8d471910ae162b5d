#include "analyzer/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Reads a small file of /proc; 0 bytes when that is not possible. */
static size_t read_small(const char *path, char *to, size_t bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t got = read(fd, to, bytes - 1);
    close(fd);
    if (got < 0)
        got = 0;
    to[got] = '\0';
    return (size_t)got;
}

enum process_state process_look(pid_t pid, uint64_t *ret_start_ticks)
{
    uint64_t unused;
    uint64_t *ticks = ret_start_ticks ? ret_start_ticks : &unused;
    *ticks = 0;

    char path[64];
    char stat[2048];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (pid <= 0 || !read_small(path, stat, sizeof(stat)))
        return PROCESS_GONE;

    /* "pid (comm) state ppid …": comm may hold anything, also parentheses (proc(5)). */
    const char *at = strrchr(stat, ')');
    if (!at || at[1] != ' ')
        return PROCESS_GONE;
    char state = at[2];
    at += 2;
    for (int field = 3; field < 22 && at; field++) {
        at = strchr(at, ' ');
        if (at)
            at++;
    }
    if (at)
        *ticks = strtoull(at, NULL, 10);
    return state == 'Z' || state == 'X' ? PROCESS_ENDED : PROCESS_ALIVE;
}

/* The kernel's boot id as 16 bytes, from its text "xxxxxxxx-xxxx-…". */
static bool read_boot_id(uint8_t ret[16])
{
    char text[64];
    if (!read_small("/proc/sys/kernel/random/boot_id", text, sizeof(text)))
        return false;
    unsigned digits = 0;
    for (const char *at = text; *at && digits < 32; at++) {
        const char *hex = "0123456789abcdef";
        const char *digit = strchr(hex, *at);
        if (!digit)
            continue;
        unsigned value = (unsigned)(digit - hex);
        ret[digits / 2] = (uint8_t)(digits % 2 ? ret[digits / 2] | value : value << 4);
        digits++;
    }
    return digits == 32;
}

bool process_is_same(pid_t pid, uint64_t start_ticks, const uint8_t boot_id[16])
{
    static const uint8_t unknown[16];
    uint8_t now[16];
    if (memcmp(boot_id, unknown, 16) != 0 && read_boot_id(now) && memcmp(boot_id, now, 16) != 0)
        return false;

    uint64_t ticks;
    if (process_look(pid, &ticks) != PROCESS_ALIVE)
        return false;
    return start_ticks == 0 || ticks == start_ticks;
}

bool process_owner(pid_t pid, uid_t *ret)
{
    char path[64];
    struct stat status;
    snprintf(path, sizeof(path), "/proc/%d", (int)pid);
    if (stat(path, &status) != 0)
        return false;
    *ret = status.st_uid;
    return true;
}

bool process_shared_files(pid_t pid, bool (*visit)(const char *path, void *arg), void *arg,
                          bool *ret_denied)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
    *ret_denied = false;
    FILE *maps = fopen(path, "re");
    if (!maps) {
        *ret_denied = errno == EACCES || errno == EPERM;
        return false;
    }

    /* "from-to perms offset device inode path"; a path begins with '/', and nothing before does. */
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    bool found = false;
    while (!found && (length = getline(&line, &room, maps)) > 0) {
        if (line[length - 1] == '\n')
            line[length - 1] = '\0';
        char perms[8];
        char *file = strchr(line, '/');
        if (file && sscanf(line, "%*s %7s", perms) == 1 && perms[3] == 's')
            found = visit(file, arg);
    }
    *ret_denied = ferror(maps) && (errno == EACCES || errno == EPERM);
    free(line);
    fclose(maps);
    return found;
}

void process_each(uid_t uid, void (*visit)(pid_t pid, void *arg), void *arg)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    while (proc && (entry = readdir(proc)) != NULL) {
        char *end;
        long pid = strtol(entry->d_name, &end, 10);
        uid_t owner;
        if (pid > 0 && *end == '\0' && process_owner((pid_t)pid, &owner) && owner == uid)
            visit((pid_t)pid, arg);
    }
    if (proc)
        closedir(proc);
}
