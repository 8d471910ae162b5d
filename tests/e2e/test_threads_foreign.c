/* Threads of programs that others wrote, which were never preloaded: what they are parked in, on
 * what and behind whom. */
#include "tests/e2e/harness.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PYTHON "/usr/bin/python3"
#define REDIS_SERVER "/usr/bin/redis-server"

static struct target *start_foreign(const char *const argv[])
{
    if (access(argv[0], X_OK) != 0) {
        fprintf(stderr, "%s is not here\n", argv[0]);
        skip();
    }
    return target_start(false, argv, NULL);
}

static void python_thread_on_an_empty_queue__is_in_sem_wait(void **state)
{
    static const char script[] = "import queue, sys, threading, time\n"
                                 "threading.Thread(target=queue.Queue().get, daemon=True).start()\n"
                                 "print('ready', flush=True)\n"
                                 "import select\n"
                                 "while not select.select([0], [], [], 0.05)[0]: pass\n";
    const struct expected_group parked = {.verdict = "stuck",
                                          .kind = "thread",
                                          .op = "sem wait",
                                          .object_kind = "semaphore",
                                          .count = 1};
    (void)state;
    struct target *target = start_foreign(LIST(PYTHON, "-I", "-c", script));
    target_wait_line(target, "ready");
    json_t *json = wait_for_group_in(target->pid_text, "100ms", NULL, &parked);
    assert_group(json, &parked);
    json_decref(json);
    target_end(target);
}

/* It is named by a descriptor: the process behind that is told, not the descriptor's number. */
static void thread_that_waits_by_pidfd__names_the_process(void **state)
{
    static const char script[] = "import os, sys, threading, time\n"
                                 "child = os.fork()\n"
                                 "if child == 0:\n"
                                 "    while os.read(0, 1): pass\n"
                                 "    os._exit(0)\n"
                                 "fd = os.pidfd_open(child)\n"
                                 "wait = lambda: os.waitid(os.P_PIDFD, fd, os.WEXITED)\n"
                                 "thread = threading.Thread(target=wait)\n"
                                 "thread.start()\n"
                                 "print('child', hex(child), flush=True)\n"
                                 "thread.join()\n";
    char address[32];
    struct expected_group waits = {.kind = "thread",
                                   .op = "process wait",
                                   .call = "waitid",
                                   .object_kind = "process",
                                   .object_address = address,
                                   .count = 1};
    (void)state;
    struct target *target = start_foreign(LIST(PYTHON, "-I", "-c", script));
    snprintf(address, sizeof address, "%s", target_wait_line(target, "child ") + strlen("child "));
    json_t *json = wait_for_group_in(target->pid_text, "0", LIST("--all"), &waits);
    assert_group(json, &waits);
    json_decref(json);
    target_end(target);
}

static void read_of_a_closed_descriptor__is_said_to_be_one(void **state)
{
    static const char script[] = "import os, sys, threading, time\n"
                                 "fd = os.pipe()[0]\n"
                                 "thread = threading.Thread(target=os.read, args=(fd, 1))\n"
                                 "thread.start()\n"
                                 "call = '/proc/self/task/%d/syscall' % thread.native_id\n"
                                 "in_read = [sys.argv[1], hex(fd)]\n"
                                 "while open(call).read().split()[:2] != in_read:\n"
                                 "    time.sleep(0.001)\n"
                                 "os.close(fd)\n"
                                 "print('closed', flush=True)\n"
                                 "thread.join()\n";
    const struct expected_group waits = {
        .kind = "thread", .op = "io wait", .call = "read", .count = 1};
    char number[16];
    (void)state;
    snprintf(number, sizeof number, "%d", SYS_read);
    struct target *target = start_foreign(LIST(PYTHON, "-I", "-c", script, number));
    target_wait_line(target, "closed");
    json_t *json = wait_for_group_in(target->pid_text, "0", LIST("--all"), &waits);
    const json_t *evidence =
        json_array_get(json_object_get(find_group(json, &waits), "evidence"), 0);
    assert_non_null(strstr(json_string_value(evidence), "(closed meanwhile), in read"));
    json_decref(json);
    target_end(target);
}

/* Its owner is alive, and no thread of the process that waits. */
static void lock_held_by_another_process__is_not_said_to_be_a_dead_threads(void **state)
{
    static const char script[] = "import ctypes, mmap, os, sys\n"
                                 "libc = ctypes.CDLL(None)\n"
                                 "shared = mmap.mmap(-1, 4096)\n"
                                 "mutex = ctypes.byref(ctypes.c_char.from_buffer(shared))\n"
                                 "attribute = ctypes.c_int()\n"
                                 "libc.pthread_mutexattr_init(ctypes.byref(attribute))\n"
                                 "libc.pthread_mutexattr_setpshared(ctypes.byref(attribute), 1)\n"
                                 "libc.pthread_mutex_init(mutex, ctypes.byref(attribute))\n"
                                 "locked, tell = os.pipe()\n"
                                 "if os.fork() == 0:\n"
                                 "    libc.pthread_mutex_lock(mutex)\n"
                                 "    print('locked', flush=True)\n"
                                 "    os.write(tell, b'x')\n"
                                 "    while os.read(0, 1): pass\n"
                                 "    os._exit(0)\n"
                                 "os.read(locked, 1)\n"
                                 "libc.pthread_mutex_lock(mutex)\n";
    const struct expected_group waits = {
        .verdict = "stuck", .kind = "thread", .op = "mutex lock", .count = 1};
    (void)state;
    struct target *target = start_foreign(LIST(PYTHON, "-I", "-c", script));
    target_wait_line(target, "locked");
    json_t *json = wait_for_group_in(target->pid_text, "0", LIST("--all"), &waits);
    assert_group(json, &waits);
    const json_t *evidence =
        json_array_get(json_object_get(find_group(json, &waits), "evidence"), 0);
    assert_non_null(strstr(json_string_value(evidence), "or another process has locked it"));
    json_decref(json);
    target_end(target);
}

static void idle_redis__is_silent(void **state)
{
    const struct expected_group workers = {.verdict = "waiting",
                                           .kind = "thread",
                                           .op = "cond wait",
                                           .call = "pthread_cond_wait",
                                           .object_kind = "cond"};
    (void)state;
    char socket[64];
    snprintf(socket, sizeof socket, "/tmp/leakspy-threads-%d.socket", (int)getpid());
    struct target *target = start_foreign(LIST(REDIS_SERVER, "--port", "0", "--unixsocket", socket,
                                               "--save", "", "--daemonize", "no"));
    for (int64_t deadline_ms = now_ms() + PATIENCE_MS;
         access(socket, F_OK) != 0 && now_ms() < deadline_ms;)
        sleep_ms(5);
    json_t *json = wait_for_group_in(target->pid_text, "0", LIST("--all"), &workers);
    unlink(socket);
    assert_non_null(find_group(json, &workers));
    assert_no_findings(json);
    json_decref(json);
    target_end(target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(python_thread_on_an_empty_queue__is_in_sem_wait, end_all_targets),
        cmocka_unit_test_teardown(thread_that_waits_by_pidfd__names_the_process, end_all_targets),
        cmocka_unit_test_teardown(read_of_a_closed_descriptor__is_said_to_be_one, end_all_targets),
        cmocka_unit_test_teardown(lock_held_by_another_process__is_not_said_to_be_a_dead_threads,
                                  end_all_targets),
        cmocka_unit_test_teardown(idle_redis__is_silent, end_all_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
