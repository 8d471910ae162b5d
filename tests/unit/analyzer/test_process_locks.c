/* Who holds the lock of a file that a thread of a running process waits for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "analyzer/process/locks.h"
#include "analyzer/process/threads.h"
#include "tests/unit/analyzer/child.h"

static char path[64];
static int held; /* by this process */

static int make_file(void **state)
{
    (void)state;
    strcpy(path, "/tmp/leakspy-locks-XXXXXX");
    held = mkostemp(path, O_CLOEXEC);
    return held >= 0 ? 0 : -1;
}

static int remove_file(void **state)
{
    (void)state;
    close(held);
    return unlink(path);
}

static void wait_in_flock(void)
{
    int fd = open(path, O_RDWR);
    close(held);
    child_ready();
    shared->error = flock(fd, LOCK_EX);
    shared->returned = 1;
    pause();
}

static void wait_in_fcntl(void)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDWR);
    close(held);
    child_ready();
    shared->error = fcntl(fd, F_SETLKW, &whole);
    shared->returned = 1;
    pause();
}

/* Reads the first thread of a child. */
static struct image_thread read_thread(pid_t pid)
{
    struct image_thread *threads, first = {0};
    size_t count;
    bool denied;
    child_wait_parked(pid);
    assert_true(process_read_threads(pid, &threads, &count, &denied));
    for (size_t i = 0; i < count; i++)
        first = threads[i].first ? threads[i] : first;
    free(threads);
    assert_int_equal(first.host_tid, pid);
    return first;
}

static void assert_held_here(pid_t pid)
{
    char expected[64];
    struct process_lock_search search = {0};
    struct image_thread thread = read_thread(pid);
    int fd;
    assert_true(process_waits_for_lock(&thread, &fd));
    if (access("/proc/locks", R_OK) != 0)
        return;
    snprintf(expected, sizeof(expected), "is held by process %d (", (int)getpid());
    const char *text = process_lock_holder(&search, pid, &thread);
    assert_non_null(text);
    assert_memory_equal(text, expected, strlen(expected));
    /* Once for all who wait for it. */
    size_t descriptors = search.descriptors;
    assert_non_null(process_lock_holder(&search, pid, &thread));
    assert_int_equal(search.descriptors, descriptors);
}

static void lock_of_this_process__is_told(void **state)
{
    (void)state;
    assert_int_equal(flock(held, LOCK_EX), 0);
    pid_t pid = child_start(wait_in_flock);
    assert_held_here(pid);
    child_end(pid);
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    assert_int_equal(fcntl(held, F_SETLK, &whole), 0);
    pid = child_start(wait_in_fcntl);
    assert_held_here(pid);
    child_end(pid);
}

/* Somebody waits for another lock of the file, or did so a moment ago. */
static void thread_that_does_not_wait_for_it__is_told_nothing(void **state)
{
    struct process_lock_search search = {0};
    int fd;
    (void)state;
    assert_int_equal(flock(held, LOCK_EX), 0);
    pid_t pid = child_start(wait_in_flock);
    struct image_thread thread = read_thread(pid), other = thread;
    other.call = SYS_fcntl;
    other.args[1] = F_SETLKW;
    assert_true(process_waits_for_lock(&other, &fd));
    assert_null(process_lock_holder(&search, pid, &other));
    other.args[1] = F_GETLK;
    assert_false(process_waits_for_lock(&other, &fd));
    other = thread;
    other.args[0] = 1000; /* no such descriptor */
    assert_null(process_lock_holder(&search, pid, &other));
    assert_null(process_lock_holder(&search, getpid(), &thread));
    assert_int_equal(flock(held, LOCK_UN), 0);
    for (int i = 0; i < 10000 && !shared->returned; i++)
        sleep_ms(1);
    assert_true(shared->returned);
    assert_null(process_lock_holder(&search, pid, &thread));
    child_end(pid);
}

/* A report takes no minute: beyond so many descriptors, nobody knows who has it still. */
static void search_of_too_many_descriptors__says_only_who_took_it(void **state)
{
    char expected[64];
    struct process_lock_search search = {.descriptors = SIZE_MAX / 2};
    (void)state;
    assert_int_equal(flock(held, LOCK_EX), 0);
    pid_t pid = child_start(wait_in_flock);
    struct image_thread thread = read_thread(pid);
    if (access("/proc/locks", R_OK) == 0) {
        snprintf(expected, sizeof(expected), "was taken by process %d", (int)getpid());
        const char *text = process_lock_holder(&search, pid, &thread);
        assert_non_null(text);
        assert_string_equal(text, expected);
    }
    child_end(pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lock_of_this_process__is_told, make_file, remove_file),
        cmocka_unit_test_setup_teardown(thread_that_does_not_wait_for_it__is_told_nothing,
                                        make_file, remove_file),
        cmocka_unit_test_setup_teardown(search_of_too_many_descriptors__says_only_who_took_it,
                                        make_file, remove_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
