#include "analyzer/recording/end.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analyzer/base/clock.h"
#include "analyzer/recording/file.h"

/* How a command ended, as the header of a recording says it. */
struct end {
    uint32_t state;
    int32_t exit_code;
};

/* Whether a recording says already how its command ended, or that it became another program. One
 * that says that it exited may be wrong: libc writes out its streams after that, where a signal can
 * end it. */
static bool is_settled(const struct rec_header *header, const struct end *end)
{
    if (header->state == REC_STATE_EXITED)
        return end->state == REC_STATE_EXITED && header->exit_code == end->exit_code;
    return header->state != REC_STATE_RUNNING;
}

/* Opens what is at `path` to write the end into it, if it is a recording that does not say it yet,
 * and no other file since: whoever may write in its folder may put something else there. -1: it is
 * none. */
static int open_unsettled(const char *path, const struct end *end)
{
    struct rec_file file;
    struct stat opened, looked_at;
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || !rec_file_open(&file, path, NULL)) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    bool fits = !is_settled(&file.header, end) && fstat(fd, &opened) == 0 &&
                fstat(file.fd, &looked_at) == 0 && opened.st_ino == looked_at.st_ino &&
                opened.st_dev == looked_at.st_dev;
    rec_file_close(&file);
    if (fits)
        return fd;
    close(fd);
    return -1;
}

bool recording_write_end(const char *path, int status)
{
    const struct end end = {
        .state = WIFSIGNALED(status) ? REC_STATE_SIGNALLED : REC_STATE_EXITED,
        .exit_code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
    };
    int fd = open_unsettled(path, &end);
    if (fd < 0)
        return true;
    uint64_t ended_ns = clock_ns(CLOCK_MONOTONIC);
    /* The state last: it says that the others are there. */
    bool ok = pwrite(fd, &end.exit_code, sizeof(end.exit_code),
                     offsetof(struct rec_header, exit_code)) == sizeof(end.exit_code) &&
              pwrite(fd, &ended_ns, sizeof(ended_ns), offsetof(struct rec_header, ended_ns)) ==
                  sizeof(ended_ns) &&
              pwrite(fd, &end.state, sizeof(end.state), offsetof(struct rec_header, state)) ==
                  sizeof(end.state);
    close(fd);
    return ok;
}
