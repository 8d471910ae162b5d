#include "preload/blocked.h"

#include <string.h>
#include <sys/syscall.h>

#include "preload/place.h"
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

/* One number of the line, and what stands behind it. */
static const char *take_word(const char *at, uint64_t *ret)
{
    while (*at == ' ')
        at++;
    if (at[0] == '0' && at[1] == 'x')
        *ret = parse_hex(at + 2);
    else if (*at != '-')
        text_parse_number(&at, ret);
    return at + strcspn(at, " ");
}

/* proc(5), /proc/PID/task/TID/syscall: "running", or the number of the call, its arguments (none if
 * the number is -1), the stack pointer and the program counter. */
bool blocked_call(uint32_t pid, uint32_t tid, struct blocked_call *ret)
{
    char path[64], line[256];
    struct text text = {.at = path, .room = sizeof(path)};
    *ret = (struct blocked_call){.number = -1};
    text_string(&text, "/proc/");
    if (pid == (uint32_t)sys_call(SYS_getpid, 0))
        text_string(&text, "self");
    else
        text_number(&text, pid);
    text_string(&text, "/task/");
    text_number(&text, tid);
    text_string(&text, "/syscall");
    if (place_read_file(path, line, sizeof(line)) == 0)
        return false;
    ret->running = strncmp(line, "running", 7) == 0;
    if (ret->running)
        return true;
    uint64_t number = 0;
    const char *at = take_word(line, &number);
    if (line[0] != '-') {
        ret->number = (int64_t)number;
        for (size_t i = 0; i < 6; i++)
            at = take_word(at, &ret->args[i]);
    }
    take_word(at, &ret->sp);
    return true;
}

bool blocked_below(uint32_t tid, uint64_t cfa)
{
    struct blocked_call call;
    if (!blocked_call((uint32_t)sys_call(SYS_getpid, 0), tid, &call))
        return true;
    return !call.running && (call.sp == 0 || call.sp < cfa);
}

enum blocked blocked_in_lock(uint32_t tid, uint64_t lock, uint64_t lock_bytes, uint64_t cfa)
{
    struct blocked_call call;
    if (!blocked_call((uint32_t)sys_call(SYS_getpid, 0), tid, &call))
        return BLOCKED_ELSEWHERE;
    if (call.running || call.number == -1)
        return BLOCKED_NOT;
    return call.number == SYS_futex && call.args[0] - lock < lock_bytes && call.sp < cfa
               ? BLOCKED_THERE
               : BLOCKED_ELSEWHERE;
}
