#include "preload/proc.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "preload/sys.h"
#include "preload/text.h"

struct text proc_path(char *to, size_t room, uint32_t pid)
{
    struct text text = {.at = to, .room = room};
    text_string(&text, "/proc/");
    if (pid == OWN_PROCESS || pid == (uint32_t)sys_call(SYS_getpid, 0))
        text_string(&text, "self");
    else
        text_number(&text, pid);
    return text;
}

size_t proc_read_file(const char *path, char *buffer, size_t room)
{
    long fd = sys_call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    size_t bytes = 0;
    buffer[0] = '\0';
    if (fd < 0)
        return 0;
    while (bytes < room - 1) {
        long got = sys_call(SYS_read, fd, buffer + bytes, room - 1 - bytes);
        if (got <= 0)
            break;
        bytes += (size_t)got;
    }
    sys_call(SYS_close, fd);
    buffer[bytes] = '\0';
    return bytes;
}

/* A numeric field of /proc/PID/stat, counted from 1. The second field is a name in parentheses and
 * may hold anything, so that fields are counted from its last parenthesis. */
static uint64_t stat_field(uint32_t pid, int number)
{
    char path[64], stat[1024];
    uint64_t value = 0;
    struct text text = proc_path(path, sizeof(path), pid);
    text_string(&text, "/stat");
    proc_read_file(path, stat, sizeof(stat));
    const char *at = strrchr(stat, ')');
    for (int field = 2; at != NULL && field < number; field++)
        at = strchr(at + 1, ' ');
    if (at != NULL && at++)
        text_parse_number(&at, &value);
    return value;
}

uint64_t proc_start_ticks(uint32_t pid)
{
    return stat_field(pid, 22);
}

uint32_t proc_parent(uint32_t pid)
{
    return (uint32_t)stat_field(pid, 4);
}

void proc_boot_id(uint8_t ret[16])
{
    static uint8_t known[16]; /* also in every fork child */
    static bool is_known;
    char text[64];
    int nibbles = 0;
    if (is_known) {
        memcpy(ret, known, sizeof(known));
        return;
    }
    proc_read_file("/proc/sys/kernel/random/boot_id", text, sizeof(text));
    for (const char *at = text; *at && nibbles < 32; at++) {
        int digit = text_hex_digit(*at);
        if (digit >= 0) {
            known[nibbles / 2] = (uint8_t)(known[nibbles / 2] << 4 | digit);
            nibbles++;
        }
    }
    is_known = nibbles == 32;
    memcpy(ret, known, sizeof(known));
}
