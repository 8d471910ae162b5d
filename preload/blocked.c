#include "preload/blocked.h"

#include <string.h>
#include <sys/syscall.h>

#include "preload/goscan/futex.h"
#include "preload/sys.h"
#include "preload/text.h"

/* Between its caller's frame and the system call, libc has no more stack than this for a lock: far
 * less than a signal handler's frame, whose own locks would be taken for it otherwise. */
#define LOCK_FRAMES_BYTES 1024

/* One number of the line, and what stands behind it. */
static const char *take_word(const char *at, uint64_t *ret)
{
    while (*at == ' ')
        at++;
    if (at[0] == '0' && at[1] == 'x')
        *ret = text_parse_hex(at + 2);
    else if (*at != '-')
        text_parse_number(&at, ret);
    return at + strcspn(at, " ");
}

static void thread_path(char *path, size_t room, uint32_t pid, uint32_t tid, const char *file)
{
    struct text text = proc_path(path, room, pid);
    text_string(&text, "/task/");
    text_number(&text, tid);
    text_string(&text, file);
}

/* proc(5), /proc/PID/task/TID/syscall: "running", or the number of the call, its arguments (none if
 * the number is -1), the stack pointer and the program counter. */
bool blocked_call(uint32_t pid, uint32_t tid, struct blocked_call *ret)
{
    char path[64], line[256];
    *ret = (struct blocked_call){.number = -1};
    thread_path(path, sizeof(path), pid, tid, "/syscall");
    if (proc_read_file(path, line, sizeof(line)) == 0)
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
    at = take_word(at, &ret->sp);
    take_word(at, &ret->pc);
    return true;
}

bool blocked_below(const struct blocked_call *call, uint64_t cfa)
{
    return !call->running && (call->sp == 0 || call->sp < cfa);
}

static bool is_in_futex(const struct blocked_call *call, uint64_t cfa)
{
    return !call->running && call->number == SYS_futex && futex_waits((uint32_t)call->args[1]) &&
           cfa - call->sp < LOCK_FRAMES_BYTES;
}

/* The word that libc waits for is the first one of a mutex. */
bool blocked_is_in_lock(const struct blocked_call *call, uint64_t lock, uint64_t cfa)
{
    return call->args[0] == lock && is_in_futex(call, cfa);
}

/* A mutex that somebody waits for is 2, and so that is what libc waits for it to be no longer
 * (nptl, lowlevellock.h). One with priorities, the kernel has locked for it. */
bool blocked_relocks(const struct blocked_call *call, uint64_t object, size_t bytes, uint64_t cfa,
                     uint64_t *ret_lock)
{
    uint32_t command = (uint32_t)call->args[1] & FUTEX_CMD_MASK;
    bool locks = command == FUTEX_LOCK_PI || command == FUTEX_LOCK_PI2 || call->args[2] == 2;
    *ret_lock = call->args[0];
    return is_in_futex(call, cfa) && locks && call->args[0] - object >= bytes;
}

uint32_t blocked_sleeps(uint32_t pid, uint32_t tid)
{
    static char status[PROC_STATUS_BYTES];
    char path[64];
    size_t bytes;
    uint64_t sleeps = 0;
    thread_path(path, sizeof(path), pid, tid, "/status");
    proc_read_file(path, status, sizeof(status));
    const char *at = text_line(status, "voluntary_ctxt_switches", &bytes);
    if (at != NULL)
        text_parse_number(&at, &sleeps);
    return (uint32_t)sleeps;
}
