/* The command's own open(2), in the place of libc's for all that is linked to it.
 *
 * libdw and libelf open what a file names as its debug information (a debug link, a .dwo file, an
 * alternate file) with a plain open(path, O_RDONLY). Whoever made the file chose the path: a FIFO
 * there would hold up the report for ever, and to open a device may be an order to it. So only
 * regular files and folders are opened for reading here. Of anything else the caller gets a
 * descriptor that tells what it is (O_PATH), and from which nothing can be read.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__OPTIMIZE__) && defined(_FORTIFY_SOURCE) && _FORTIFY_SOURCE > 0
#error "libc has an open(2) of its own in its headers"
#endif

static int open_at_once(const char *path, int flags, mode_t mode)
{
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static int open_to_read(const char *path, int flags)
{
    struct stat status;
    char self[64];
    int there = open_at_once(path, O_PATH | O_CLOEXEC | (flags & O_NOFOLLOW), 0);
    if (there < 0 || fstat(there, &status) != 0)
        return there;
    if (S_ISLNK(status.st_mode)) {
        close(there);
        errno = ELOOP;
        return -1;
    }
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
        return there;
    /* The very file that was looked at, whatever the path means by now. O_NONBLOCK: who holds a
     * lease on the file is not waited for. */
    snprintf(self, sizeof(self), "/proc/self/fd/%d", there);
    int fd = open_at_once(self, (flags & ~O_NOFOLLOW) | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0 && errno == ENOENT) /* no /proc: the path once more */
        fd = open_at_once(path, flags | O_NONBLOCK | O_NOCTTY, 0);
    int error = errno;
    close(there);
    errno = error;
    return fd;
}

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    if (flags & (O_CREAT | __O_TMPFILE)) {
        va_list arguments;
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    if ((flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_PATH | O_DIRECTORY | __O_TMPFILE)))
        return open_at_once(path, flags, mode);
    return open_to_read(path, flags);
}
