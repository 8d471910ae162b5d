#include "preload/blocked.h"

#include <fcntl.h>
#include <string.h>

#include "preload/sys.h"
#include "preload/text.h"

static uint64_t parse_hex(const char *at)
{
    uint64_t value = 0;
    for (;; at++) {
        int digit = text_hex_digit(*at);
        if (digit < 0)
            return value;
        value = value << 4 | (uint64_t)digit;
    }
}

/* proc(5), /proc/PID/task/TID/syscall: "running", or the number of the call, its arguments (none if
 * the number is -1), the stack pointer and the program counter. */
bool blocked_below(uint32_t tid, uint64_t cfa)
{
    char path[64], line[256];
    struct text text = {.at = path, .room = sizeof(path)};
    text_string(&text, "/proc/self/task/");
    text_number(&text, tid);
    text_string(&text, "/syscall");
    long fd = sys_call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return true;
    long bytes = sys_call(SYS_read, fd, line, sizeof(line) - 1);
    sys_call(SYS_close, fd);
    if (bytes <= 0)
        return true;
    line[bytes] = '\0';
    if (strncmp(line, "running", 7) == 0)
        return false;
    /* The last but one word. */
    char *last = strrchr(line, ' ');
    if (last == NULL)
        return true;
    *last = '\0';
    const char *sp = strrchr(line, ' ');
    return sp == NULL || strncmp(sp, " 0x", 3) != 0 || parse_hex(sp + 3) < cfa;
}
