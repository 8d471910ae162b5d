/* What files of somebody else's cost at most, and which of them are opened at all. */
#include "analyzer/base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "analyzer/base/output.h"

static char dir[64];

static const char *in_dir(const char *name)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static int make_dir(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/leakspy-limits.XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    static const char *const names[] = {"file", "fifo", "link"};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlink(in_dir(names[i]));
    return rmdir(dir);
}

/* Runs `body` in a process of its own, within the limits; what it said is in `said`. */
static int run(void (*body)(void), char said[256])
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDERR_FILENO);
        limits_begin();
        body();
        _exit(0);
    }
    close(ends[1]);
    ssize_t got = read(ends[0], said, 255);
    said[got > 0 ? got : 0] = '\0';
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void read_past_the_end(void)
{
    int fd = open(in_dir("file"), O_RDWR | O_CREAT, 0600);
    if (fd < 0 || ftruncate(fd, 8192) != 0)
        _exit(1);
    volatile char *bytes = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED || ftruncate(fd, 0) != 0)
        _exit(1);
    _exit(bytes[4096]);
}

static void file_that_is_cut_while_it_is_read__is_an_error(void **state)
{
    char said[256];
    (void)state;
    assert_int_equal(run(read_past_the_end, said), 2 << 8);
    assert_non_null(strstr(said, "leakspy: given up: a file was cut short"));
}

static void use_too_much_time(void)
{
    struct err err = {0};
    output_open(in_dir("file"), &err);
    raise(SIGXCPU); /* as the kernel does, at the limit */
}

static void end_of_patience__is_an_error_and_leaves_no_file(void **state)
{
    char said[256];
    (void)state;
    assert_int_equal(run(use_too_much_time, said), 2 << 8);
    assert_non_null(strstr(said, "leakspy: given up: what was to be read took too much"));
    assert_int_equal(access(in_dir("file"), F_OK), -1);
}

static void ask_for_the_limits(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_CPU, &limit) != 0 || limit.rlim_cur > 2 * LIMITS_LOOK_S)
        _exit(1);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    size_t all = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    char *volatile bytes = malloc(all > (size_t)1 << 30 ? all : (size_t)1 << 31);
    _exit(bytes != NULL);
#endif
}

static void time_and_memory__are_limited(void **state)
{
    char said[256];
    (void)state;
    assert_int_equal(run(ask_for_the_limits, said), 0);
}

static void look_again_after_a_second(void)
{
    struct rusage used;
    struct rlimit limit;
    do {
        if (getrusage(RUSAGE_SELF, &used) != 0)
            _exit(1);
    } while (used.ru_utime.tv_sec + used.ru_stime.tv_sec == 0);
    limits_begin();
    if (getrlimit(RLIMIT_CPU, &limit) != 0)
        _exit(1);
    fprintf(stderr, "%d", (int)limit.rlim_cur);
}

/* It is one second more than a look may take: the next look may go on up to it. */
static void limit_of_the_caller__is_in_force_again_where_it_is_the_lower_one(void **state)
{
    char said[256];
    struct rlimit before, own;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_CPU, &before), 0);
    own = (struct rlimit){.rlim_cur = LIMITS_LOOK_S + 1, .rlim_max = before.rlim_max};
    if (setrlimit(RLIMIT_CPU, &own) != 0)
        skip(); /* it is lower here */
    int status = run(look_again_after_a_second, said);
    assert_int_equal(setrlimit(RLIMIT_CPU, &before), 0);
    assert_int_equal(status, 0);
    assert_int_equal(atoi(said), LIMITS_LOOK_S + 1);
}

/* ThreadSanitizer has an open(2) of its own, which comes first. */
#if !defined(__SANITIZE_THREAD__)
static void pipe_is_opened_at_once__and_gives_nothing(void **state)
{
    char byte;
    (void)state;
    assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
    int fd = open(in_dir("fifo"), O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, &byte, 1), -1);
    assert_int_equal(errno, EBADF);
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    assert_true(S_ISFIFO(status.st_mode));
    close(fd);
    fd = open("/dev/zero", O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, &byte, 1), -1);
    close(fd);
}
#endif

static void regular_file__is_read_and_links_are_when_they_may(void **state)
{
    char byte;
    (void)state;
    int fd = open(in_dir("file"), O_RDWR | O_CREAT | O_EXCL, 0640);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    char file[128];
    strcpy(file, in_dir("file"));
    assert_int_equal(symlink(file, in_dir("link")), 0);
    fd = open(in_dir("link"), O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, &byte, 1), 1);
    assert_int_equal(byte, 'x');
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
    assert_int_equal(open(in_dir("link"), O_RDONLY | O_NOFOLLOW), -1);
    assert_int_equal(errno, ELOOP);
    assert_int_equal(open(in_dir("none"), O_RDONLY), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(open(file, O_RDONLY | O_DIRECTORY), -1);
    assert_int_equal(errno, ENOTDIR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(file_that_is_cut_while_it_is_read__is_an_error, make_dir,
                                        remove_dir),
        cmocka_unit_test_setup_teardown(end_of_patience__is_an_error_and_leaves_no_file, make_dir,
                                        remove_dir),
        cmocka_unit_test(time_and_memory__are_limited),
        cmocka_unit_test(limit_of_the_caller__is_in_force_again_where_it_is_the_lower_one),
#if !defined(__SANITIZE_THREAD__)
        cmocka_unit_test_setup_teardown(pipe_is_opened_at_once__and_gives_nothing, make_dir,
                                        remove_dir),
#endif
        cmocka_unit_test_setup_teardown(regular_file__is_read_and_links_are_when_they_may, make_dir,
                                        remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
