#include "analyzer/process/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyzer/base/clock.h"
#include "analyzer/base/text.h"
#include "analyzer/process/file.h"

#define MAX_STATUS_BYTES                                                                           \
    (1U << 20) /* of /proc/PID/status: 65536 groups, of 11 bytes each at most */
#define MAX_CMDLINE_BYTES (1U << 22)
#define MAX_AUXV_BYTES (1U << 16)

enum process_state process_look(pid_t pid, uint64_t *ret_start_ticks)
{
    uint64_t unused;
    uint64_t *ticks = ret_start_ticks ? ret_start_ticks : &unused;
    *ticks = 0;

    char path[64];
    char stat[2048];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (pid <= 0 || !process_file_start(path, stat, sizeof(stat)))
        return PROCESS_GONE;

    /* "pid (comm) state ppid …": comm may hold anything, also parentheses (proc(5)). */
    const char *at = strrchr(stat, ')');
    if (!at || at[1] != ' ')
        return PROCESS_GONE;
    char state = at[2];
    long threads = 0;
    at += 2;
    for (int field = 3; field < 22 && at; field++) {
        if (field == 20)
            threads = strtol(at, NULL, 10);
        at = strchr(at, ' ');
        if (at)
            at++;
    }
    if (at)
        *ticks = strtoull(at, NULL, 10);
    /* The first thread of a process may end before the others, and is a zombie then. */
    bool ended = (state == 'Z' && threads <= 1) || state == 'X';
    return ended ? PROCESS_ENDED : PROCESS_ALIVE;
}

/* The kernel's boot id as 16 bytes, from its text "xxxxxxxx-xxxx-…". */
static bool read_boot_id(uint8_t ret[16])
{
    char text[64];
    if (!process_file_start("/proc/sys/kernel/random/boot_id", text, sizeof(text)))
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

bool process_is_of_this_boot(const uint8_t boot_id[16])
{
    static const uint8_t unknown[16];
    uint8_t now[16];
    return memcmp(boot_id, unknown, 16) == 0 || !read_boot_id(now) || memcmp(boot_id, now, 16) == 0;
}

bool process_is_same(pid_t pid, uint64_t start_ticks, const uint8_t boot_id[16])
{
    uint64_t ticks;
    if (!process_is_of_this_boot(boot_id))
        return false;
    enum process_state state = process_look(pid, &ticks);
    if (state == PROCESS_GONE && pid > 0 && access("/proc/self/stat", R_OK) != 0)
        return kill(pid, 0) == 0 || errno == EPERM; /* there is no /proc to tell more */
    return state == PROCESS_ALIVE && (start_ticks == 0 || ticks == start_ticks);
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

/* The kernel writes a newline of a path as "\012" there, and a backslash as it is. Returns whether
 * there was one that may be meant. */
static bool restore_newlines(char *path)
{
    bool any = false;
    char *to = path;
    for (const char *from = path; *from;) {
        bool newline = strncmp(from, "\\012", 4) == 0;
        *to++ = newline ? '\n' : *from;
        from += newline ? 4 : 1;
        any = any || newline;
    }
    *to = '\0';
    return any;
}

bool process_shared_files(pid_t pid, bool (*visit)(const char *path, void *arg), void *arg,
                          bool *ret_denied)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/maps", (int)process_live_thread(pid));
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
            found = visit(file, arg) || (restore_newlines(file) && visit(file, arg));
    }
    *ret_denied = ferror(maps) && (errno == EACCES || errno == EPERM);
    free(line);
    fclose(maps);
    return found;
}

void process_each(const uid_t *owner, void (*visit)(pid_t pid, void *arg), void *arg)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    while (proc && (entry = readdir(proc)) != NULL) {
        char *end;
        long pid = strtol(entry->d_name, &end, 10);
        uid_t uid;
        if (pid > 0 && *end == '\0' &&
            (!owner || (process_owner((pid_t)pid, &uid) && uid == *owner)))
            visit((pid_t)pid, arg);
    }
    if (proc)
        closedir(proc);
}

/* The text behind "Key:\t" of /proc/PID/status; NULL: there is no such line. */
static const char *status_value(const char *text, const char *key)
{
    size_t bytes = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, bytes) == 0 && line[bytes] == ':')
            return line + bytes + 1 + strspn(line + bytes + 1, "\t ");
    }
    return NULL;
}

static long status_number(const char *text, const char *key, long absent)
{
    const char *value = status_value(text, key);
    return value ? strtol(value, NULL, 10) : absent;
}

static void parse_status(const char *text, pid_t id, struct process_status *ret)
{
    const char *state = status_value(text, "State");
    const char *name = status_value(text, "Name");
    ret->state = state ? *state : '?';
    if (name)
        snprintf(ret->name, sizeof(ret->name), "%.*s", (int)strcspn(name, "\n"), name);
    ret->process = (pid_t)status_number(text, "Tgid", id);
    ret->tracer = (pid_t)status_number(text, "TracerPid", 0);
    ret->parent = (pid_t)status_number(text, "PPid", 0);
    ret->uid = (uid_t)status_number(text, "Uid", 0);
    ret->filtered = status_number(text, "Seccomp", 0) != 0;
    /* "NSpid: 4711 12 1": by our namespace first, by its own last (pid_namespaces(7)). */
    const char *ids = status_value(text, "NSpid");
    char *end;
    ret->own_id = id;
    for (unsigned count = 0; ids && *ids >= '0' && *ids <= '9'; count++, ids = end) {
        ret->own_id = (pid_t)strtol(ids, &end, 10);
        ret->nested = count > 0;
        end += strspn(end, "\t ");
    }
    /* Kthread is there since Linux 6.8; before, kthreadd (2) and its children are known by it. */
    ret->kernel =
        status_number(text, "Kthread", 0) == 1 ||
        (!status_value(text, "Kthread") && !status_value(text, "VmSize") && ret->state != 'Z' &&
         ret->state != 'X' && (ret->process == 2 || ret->parent == 2));
}

bool process_read_status(pid_t id, struct process_status *ret)
{
    char path[64];
    size_t bytes;
    memset(ret, 0, sizeof(*ret));
    snprintf(path, sizeof(path), "/proc/%d/status", (int)id);
    char *text = process_file_read(path, MAX_STATUS_BYTES, &bytes);
    if (!text)
        return false;
    if (bytes)
        parse_status(text, id, ret);
    free(text);
    return bytes > 0;
}

int process_open_file(pid_t pid, const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

char **process_cmdline(pid_t pid)
{
    char path[64];
    size_t bytes = 0, count = 0;
    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    char *text = process_file_read(path, MAX_CMDLINE_BYTES, &bytes);
    if (!text && errno != ENOMEM)
        text = strdup("");
    for (size_t i = 0; text && i < bytes; i += strlen(text + i) + 1)
        count++;
    char **words = text ? calloc(count + 1, sizeof(*words)) : NULL;
    bool ok = words != NULL;
    count = 0;
    for (size_t i = 0; ok && i < bytes; i += strlen(text + i) + 1)
        ok = (words[count++] = strdup(text + i)) != NULL;
    free(text);
    if (ok)
        return words;
    while (words && count > 0)
        free(words[--count]);
    free(words);
    return NULL;
}

char *process_exe(pid_t pid)
{
    char path[64], exe[4096];
    snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
    ssize_t bytes = readlink(path, exe, sizeof(exe) - 1);
    if (bytes <= 0)
        return NULL;
    exe[bytes] = '\0';
    return strndup(exe, text_undeleted(exe));
}

int64_t process_started_unix_ns(pid_t pid)
{
    uint64_t ticks;
    if (process_look(pid, &ticks) == PROCESS_GONE || ticks == 0)
        return 0;
    int64_t since_boot_ns =
        (int64_t)(ticks * (UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK)));
    return (int64_t)(clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME)) + since_boot_ns;
}

/* The offset of CLOCK_MONOTONIC by /proc/PID/timens_offsets (time_namespaces(7)), in ns. */
static int64_t monotonic_offset_ns(const char *pid)
{
    char path[64], text[256];
    snprintf(path, sizeof(path), "/proc/%s/timens_offsets", pid);
    if (!process_file_start(path, text, sizeof(text)))
        return 0;
    const char *line = strstr(text, "monotonic");
    char *at;
    if (!line)
        return 0;
    int64_t seconds = strtoll(line + strlen("monotonic"), &at, 10);
    return seconds * INT64_C(1000000000) + strtoll(at, NULL, 10);
}

int64_t process_monotonic_ns(pid_t pid)
{
    char name[16];
    snprintf(name, sizeof(name), "%d", (int)pid);
    return (int64_t)clock_ns(CLOCK_MONOTONIC) - monotonic_offset_ns("self") +
           monotonic_offset_ns(name);
}

uint64_t process_auxv(pid_t pid, uint64_t type)
{
    char path[64];
    size_t bytes;
    uint64_t found = 0, pair[2];
    snprintf(path, sizeof(path), "/proc/%d/auxv", (int)pid);
    char *text = process_file_read(path, MAX_AUXV_BYTES, &bytes);
    for (size_t at = 0; text && !found && at + sizeof(pair) <= bytes; at += sizeof(pair)) {
        memcpy(pair, text + at, sizeof(pair));
        if (pair[0] == type)
            found = pair[1];
    }
    free(text);
    return found;
}
