/* Files that somebody else chose, opened and read. */
#include "analyzer/base/file_reader.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static const char text[] = "0123456789";

/* A folder with what may be opened in it. */
static char folder[] = "/tmp/test_file_reader.XXXXXX", regular[64], fifo[64];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(regular, sizeof(regular), "%s/regular", folder);
    snprintf(fifo, sizeof(fifo), "%s/fifo", folder);
    FILE *file = fopen(regular, "w");
    return file && fwrite(text, sizeof(text), 1, file) == 1 && fclose(file) == 0 &&
                   mkfifo(fifo, 0600) == 0
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(regular);
    unlink(fifo);
    return rmdir(folder);
}

static void what_is_no_regular_file__opened__says_why(void **state)
{
    const struct {
        const char *path;
        int error;
    } rows[] = {
        {folder, 0}, {fifo, 0}, {"/dev/null", 0}, {"/nowhere/at/all", ENOENT}, {"", ENOENT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint64_t bytes = 1;
        errno = EDOM;
        assert_int_equal(file_open(rows[i].path, &bytes), -1);
        assert_int_equal(errno, rows[i].error);
        assert_int_equal(bytes, 1);
    }
}

static void regular_file__read__gives_what_is_there(void **state)
{
    static const struct {
        uint64_t offset;
        size_t bytes;
        ssize_t there;
    } rows[] = {
        {0, sizeof(text), sizeof(text)},
        {3, 4, 4},
        {3, 0, 0},
        {8, sizeof(text), 3},
        {sizeof(text), 1, 0},

    };
    char to[sizeof(text)];
    uint64_t bytes;
    (void)state;
    int fd = file_open(regular, &bytes);
    assert_true(fd >= 0);
    assert_int_equal(bytes, sizeof(text));
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        assert_int_equal(file_read_at(fd, rows[i].offset, to, rows[i].bytes), rows[i].there);
        assert_memory_equal(to, text + (rows[i].there > 0 ? rows[i].offset : 0),
                            (size_t)rows[i].there);
    }
    assert_int_equal(file_read_at(fd, UINT64_MAX, to, 1), -1);
    assert_int_equal(errno, EINVAL);
    close(fd);
    assert_int_equal(file_read_at(fd, 0, to, 1), -1);
    assert_int_equal(errno, EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_regular_file__opened__says_why),
        cmocka_unit_test(regular_file__read__gives_what_is_there),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
