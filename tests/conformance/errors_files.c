/* Errors of calls that open a file by its name, or ask for its state. */
#include "tests/conformance/errors.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/e2e/aliases.h"

/* --- each call, by a name -------------------------------------------------------------------- */

static long do_stat(const char *path)
{
    struct stat of;
    return stat(path, &of);
}

static long do_stat64(const char *path)
{
    struct stat64 of;
    return stat64(path, &of);
}

static long do_fstatat(const char *path)
{
    struct stat of;
    return fstatat(AT_FDCWD, path, &of, 0);
}

static long do_fstatat64(const char *path)
{
    struct stat64 of;
    return fstatat64(AT_FDCWD, path, &of, 0);
}

static long do_fxstatat64(const char *path)
{
    struct stat64 of;
    return __fxstatat64(FXSTATAT_VERSION, AT_FDCWD, path, &of, 0);
}

static long do_statx(const char *path)
{
    struct statx of;
    return statx(AT_FDCWD, path, 0, STATX_NLINK, &of);
}

static const struct {
    const char *function;
    long (*call)(const char *path);
} asks[] = {{"statx", do_statx},     {"stat", do_stat},           {"stat64", do_stat64},
            {"fstatat", do_fstatat}, {"fstatat64", do_fstatat64}, {"__fxstatat64", do_fxstatat64}};

static long close_it(int fd)
{
    return fd < 0 ? -1 : close(fd);
}

static long do_open(const char *path, int flags)
{
    return close_it(open(path, flags, 0600));
}

static long do_open64(const char *path, int flags)
{
    return close_it(open64(path, flags, 0600));
}

static long do_openat(const char *path, int flags)
{
    return close_it(openat(AT_FDCWD, path, flags, 0600));
}

static long do_openat64(const char *path, int flags)
{
    return close_it(openat64(AT_FDCWD, path, flags, 0600));
}

static const char *mode_of(int flags)
{
    return (flags & O_ACCMODE) == O_RDONLY ? "r" : "r+";
}

static long close_stream(FILE *stream)
{
    return stream == NULL ? -1 : fclose(stream);
}

static long do_fopen(const char *path, int flags)
{
    return close_stream(fopen(path, mode_of(flags)));
}

static long do_fopen64(const char *path, int flags)
{
    return close_stream(fopen64(path, mode_of(flags)));
}

static long do_opendir(const char *path, int flags)
{
    DIR *folder = opendir(path);
    (void)flags;
    return folder == NULL ? -1 : closedir(folder);
}

typedef struct {
    const char *function;
    long (*call)(const char *path, int flags);
} opener;
static const opener opens[] = {{"openat", do_openat},  {"openat64", do_openat64},
                               {"open", do_open},      {"open64", do_open64},
                               {"fopen", do_fopen},    {"fopen64", do_fopen64},
                               {"opendir", do_opendir}},
                    opens_files[] = {{"openat", do_openat}, {"openat64", do_openat64},
                                     {"open", do_open},     {"open64", do_open64},
                                     {"fopen", do_fopen},   {"fopen64", do_fopen64}},
                    opens_by_flags[] = {{"openat", do_openat},
                                        {"openat64", do_openat64},
                                        {"open", do_open},
                                        {"open64", do_open64}};

/* --- names that something is wrong with ------------------------------------------------------ */

#define MISSING "/nothing/here"
#define BELOW_A_FILE "/dev/null/below"
#define NOT_FOR_ALL "/root/any"
#define ITSELF "/proc/self/exe"

/* Of symbolic links, more than Linux follows. */
static const char *of_links(void)
{
    static char path[40 * sizeof "/proc/self/root"];
    for (int i = 0; i < 21; i++)
        strcat(path, "/proc/self/root");
    return path;
}

static const char *too_long(void)
{
    static char path[300];
    memset(path, 'a', sizeof path - 1);
    return path;
}

static const char *of_descriptor(int fd)
{
    static char path[32];
    CHECK(fd >= 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return path;
}

static const char *of_socket(void)
{
    return of_descriptor(socket(AF_UNIX, SOCK_STREAM, 0));
}

/* A named pipe, whose name is gone. */
static const char *of_quiet_pipe(void)
{
    char path[] = "/tmp/conformance-fXXXXXX";
    CHECK(mkdtemp(path) != NULL && rmdir(path) == 0 && mkfifo(path, 0600) == 0);
    int fd = open(path, O_PATH);
    CHECK(unlink(path) == 0);
    return of_descriptor(fd);
}

static void states(struct rows *rows)
{
    EACH(asks, EFAULT, "of nowhere", LIBC(asks[i].call(nowhere)))
    EACH(asks, ELOOP, "of many links", LIBC(asks[i].call(of_links())))
    EACH(asks, ENAMETOOLONG, "of a long name", LIBC(asks[i].call(too_long())))
    EACH(asks, ENOENT, "of nothing", LIBC(asks[i].call(MISSING)))
    EACH(asks, ENOENT, "without a name", LIBC(asks[i].call("")))
    EACH(asks, ENOTDIR, "below a file", LIBC(asks[i].call(BELOW_A_FILE)))
    struct stat64 of;
    struct statx more;
    FAILS(statx, EBADF, "in no folder", LIBC(statx(-1, "any", 0, STATX_NLINK, &more)))
    FAILS(statx, EINVAL, "in no way", LIBC(statx(-1, "any", 1, STATX_NLINK, &more)))
    FAILS(openat, EBADF, "in no folder", LIBC(openat(-1, "any", O_RDONLY)))
    FAILS(openat64, EBADF, "in no folder", LIBC(openat64(-1, "any", O_RDONLY)))
    FAILS(fstatat, EBADF, "in no folder", LIBC(fstatat(-1, "any", (struct stat *)&of, 0)))
    FAILS(fstatat, EINVAL, "in no way", LIBC(fstatat(-1, "any", (struct stat *)&of, 1)))
    FAILS(fstatat64, EBADF, "in no folder", LIBC(fstatat64(-1, "any", &of, 0)))
    FAILS(fstatat64, EINVAL, "in no way", LIBC(fstatat64(-1, "any", &of, 1)))
    FAILS(__fxstatat64, EBADF, "in no folder",
          LIBC(__fxstatat64(FXSTATAT_VERSION, -1, "any", &of, 0)))
    FAILS(__fxstatat64, EINVAL, "of a version that is none",
          LIBC(__fxstatat64(77, AT_FDCWD, "/", &of, 0)))
    rows_alone(rows, true);
    EACH(asks, EACCES, "in a folder of root's", become_nobody(); LIBC(asks[i].call(NOT_FOR_ALL)))
    rows_alone(rows, false);
}

static void opening(struct rows *rows)
{
    EACH(opens_files, EFAULT, "of nowhere", LIBC(opens_files[i].call(nowhere, O_RDONLY)))
    EACH(opens, ELOOP, "of many links", LIBC(opens[i].call(of_links(), O_RDONLY)))
    EACH(opens, EMFILE, "with no descriptor left", limit_to(RLIMIT_NOFILE, 0);
         LIBC(opens[i].call("/", O_RDONLY)))
    EACH(opens, ENAMETOOLONG, "of a long name", LIBC(opens[i].call(too_long(), O_RDONLY)))
    EACH(opens, ENOENT, "of nothing", LIBC(opens[i].call(MISSING, O_RDONLY)))
    EACH(opens, ENOTDIR, "below a file", LIBC(opens[i].call(BELOW_A_FILE, O_RDONLY)))
    FAILS(opendir, ENOTDIR, "of a file", LIBC(do_opendir("/dev/null", 0)))
    EACH(opens_files, EINTR, "of a pipe that nobody writes to, when a signal comes",
         INTERRUPTED(LIBC(opens_files[i].call(of_quiet_pipe(), O_RDONLY))))
    EACH(opens_files, EISDIR, "of a folder, to write", LIBC(opens_files[i].call("/", O_RDWR)))
    EACH(opens_files, ENXIO, "of a socket", LIBC(opens_files[i].call(of_socket(), O_RDWR)))
    FAILS(fopen, EINVAL, "in no way", LIBC(fopen("/dev/null", "?") != NULL))
    FAILS(fopen64, EINVAL, "in no way", LIBC(fopen64("/dev/null", "?") != NULL))
    EACH(opens_by_flags, EEXIST, "that is to be made, and is there",
         LIBC(opens_by_flags[i].call("/", O_RDONLY | O_CREAT | O_EXCL)))
    EACH(opens_by_flags, EINVAL, "without a name, to read alone",
         LIBC(opens_by_flags[i].call("/tmp", O_TMPFILE | O_RDONLY)))
    EACH(opens_by_flags, ELOOP, "of a link that is not to be followed",
         LIBC(opens_by_flags[i].call(ITSELF, O_RDONLY | O_NOFOLLOW)))
    EACH(opens_by_flags, ENXIO, "of a pipe that nobody reads",
         LIBC(opens_by_flags[i].call(of_quiet_pipe(), O_WRONLY | O_NONBLOCK)))
    EACH(opens_by_flags, EOPNOTSUPP, "without a name, where each has one",
         LIBC(opens_by_flags[i].call("/proc", O_TMPFILE | O_RDWR)))
    EACH(opens_files, ETXTBSY, "of a program that runs, to write",
         LIBC(opens_files[i].call(ITSELF, O_RDWR)))
    rows_alone(rows, true);
    EACH(opens, EACCES, "in a folder of root's", become_nobody();
         LIBC(opens[i].call(NOT_FOR_ALL, O_RDONLY)))
    EACH(opens_by_flags, EPERM, "of root's, without a trace", become_nobody();
         LIBC(opens_by_flags[i].call("/etc/passwd", O_RDONLY | O_NOATIME)))
    rows_alone(rows, false);
}

void errors_of_files(struct rows *rows)
{
    states(rows);
    opening(rows);
}
