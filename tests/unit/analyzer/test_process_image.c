/* What is known of a running process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "analyzer/image/image.h"
#include "analyzer/process/fd.h"
#include "analyzer/process/image.h"
#include "analyzer/process/process.h"
#include "tests/unit/analyzer/child.h"

static void open_image(struct image *image, pid_t pid)
{
    struct err err = {0};
    if (!image_open_process(image, pid, &err))
        fail_msg("%s: %s", err.what, err.why);
}

static void assert_refused(pid_t pid, enum err_kind kind, const char *why)
{
    struct image image;
    struct err err = {0};
    assert_false(image_open_process(&image, pid, &err));
    assert_int_equal(err.kind, kind);
    if (!strstr(err.why, why))
        fail_msg("%s: no \"%s\" in it", err.why, why);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void park(void)
{
    child_ready();
    for (;;)
        pause();
}

/* ---- modules and mappings ---- */

static int some_data = 42;

static void own_program__is_found_with_its_file(void **state)
{
    (void)state;
    struct image image;
    char exe[4096];
    ssize_t bytes = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    exe[bytes > 0 ? bytes : 0] = '\0';
    pid_t pid = child_start(park);
    open_image(&image, pid);
    assert_true(image.live);
    assert_int_equal(image.pid, pid);
    assert_string_equal(image.exe, exe);

    uint32_t row = image_exe_module(&image);
    assert_int_not_equal(row, 0);
    /* A fork has its parent's addresses. */
    assert_int_equal(image_module_at(&image, (uint64_t)(uintptr_t)open_image), row);
    assert_int_equal(image_module_at(&image, (uint64_t)(uintptr_t)&some_data), row);
    assert_string_equal(image.modules[row].path, exe);
    assert_string_equal(image.modules[row].file, exe);
    assert_true(image.modules[row].build_id_bytes >= 8);

    uint32_t libc = 0;
    for (uint32_t i = 1; i < image.module_count; i++) {
        assert_true(image.modules[i].start < image.modules[i].end);
        assert_true(i == 1 || image.modules[i].start >= image.modules[i - 1].end);
        if (strstr(image.modules[i].path, "libc.so"))
            libc = i;
    }
    assert_int_not_equal(libc, 0);
    assert_int_not_equal(libc, row);
    assert_int_equal(access(image.modules[libc].file, R_OK), 0);

    const struct image_mapping *mapping = image_mapping_at(&image, (uint64_t)(uintptr_t)open_image);
    assert_non_null(mapping);
    assert_true(mapping->executable);
    assert_int_equal(mapping->module, row);
    assert_null(image_mapping_at(&image, 0));
    assert_int_equal(image_module_at(&image, 0), 0);
    int word;
    assert_true(mem_read(image.memory, (uint64_t)(uintptr_t)&some_data, &word, sizeof(word)));
    assert_int_equal(word, 42);
    struct err err;
    assert_true(image.functions->check(&image, &err));
    image_close(&image);
    child_end(pid);
}

/* Runs a copy of a program whose path is gone, or another file's, by then. */
static char copy[64];

static void run_copy(void)
{
    child_ready();
    execl(copy, copy, "1000", NULL);
}

static void copy_file(const char *from, const char *to)
{
    char command[256];
    snprintf(command, sizeof(command), "cp %s %s", from, to);
    assert_int_equal(system(command), 0);
}

/* Until the process is what it executed. */
static void wait_for_exec(pid_t pid)
{
    for (int i = 0; i < 10000; i++) {
        char *exe = process_exe(pid);
        bool is = exe && strcmp(exe, copy) == 0;
        free(exe);
        if (is && process_auxv(pid, 3 /* AT_PHDR */)) {
            child_wait_parked(pid);
            return;
        }
        sleep_ms(1);
    }
    fail_msg("%s was not executed", copy);
}

static void assert_file_is_of(const struct image_module *module, const char *like)
{
    char command[512];
    snprintf(command, sizeof(command), "cmp -s %s %s", module->file, like);
    if (!module->file[0] || system(command) != 0)
        fail_msg("%s (%s) is not %s", module->file, module->path, like);
}

static void deleted_program__its_file_is_had_all_the_same(void **state)
{
    (void)state;
    struct image image;
    strcpy(copy, "/tmp/leakspy-image-XXXXXX");
    close(mkstemp(copy));
    copy_file("/bin/sleep", copy);
    chmod(copy, 0700);
    pid_t pid = child_start(run_copy);
    wait_for_exec(pid);
    unlink(copy);
    open_image(&image, pid);
    assert_string_equal(image.exe, copy);
    assert_string_equal(image.cmdline[0], copy);
    assert_string_equal(image.cmdline[1], "1000");
    assert_null(image.cmdline[2]);
    const struct image_module *module = &image.modules[image_exe_module(&image)];
    assert_string_equal(module->path, copy);
    assert_file_is_of(module, "/bin/sleep");
    image_close(&image);

    /* Another file stands there now. */
    copy_file("/bin/cat", copy);
    open_image(&image, pid);
    assert_file_is_of(&image.modules[image_exe_module(&image)], "/bin/sleep");
    image_close(&image);
    unlink(copy);
    child_end(pid);
}

/* Makes a build of one program at `to`: all are of the same sizes, and have no build-id. */
static void make_build(const char *to, char build)
{
    static const char note[] = {4, 0, 0, 0,   20,  0,   0, 0, 3 /* NT_GNU_BUILD_ID */,
                                0, 0, 0, 'G', 'N', 'U', 0};
    static char bytes[1 << 20];
    FILE *from = fopen("/bin/sleep", "re");
    size_t count = fread(bytes, 1, sizeof(bytes), from);
    fclose(from);
    char *at = memmem(bytes, count, note, sizeof(note));
    assert_non_null(at);
    at[8] = 77;
    at[sizeof(note)] = build;
    FILE *file = fopen(to, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fchmod(fileno(file), 0755), 0);
    assert_int_equal(fclose(file), 0);
}

static char older[128];

/* Another build stands at the path of the one that is loaded. */
static void rebuild(void)
{
    unlink(copy);
    make_build(copy, 'b');
    make_build(older, 'a');
}

static void make_first_build(void)
{
    strcpy(copy, "/tmp/leakspy-image-XXXXXX");
    close(mkstemp(copy));
    snprintf(older, sizeof(older), "%s.older", copy);
    make_build(copy, 'a');
}

static void rebuilt_program_without_build_id__its_older_file_is_had(void **state)
{
    (void)state;
    struct image image;
    make_first_build();
    pid_t pid = child_start(run_copy);
    wait_for_exec(pid);
    open_image(&image, pid);
    const struct image_module *module = &image.modules[image_exe_module(&image)];
    assert_string_equal(module->path, copy);
    assert_string_equal(module->file, copy);
    assert_false(module->unsure);
    image_close(&image);

    rebuild();
    open_image(&image, pid);
    module = &image.modules[image_exe_module(&image)];
    assert_string_equal(module->path, copy);
    assert_int_equal(module->build_id_bytes, 0);
    assert_file_is_of(module, older);
    assert_false(module->unsure);
    image_close(&image);
    unlink(copy);
    unlink(older);
    child_end(pid);
}

/* Has the file as a library would be, and belongs to nobody. */
static void map_copy(void)
{
    struct stat status;
    int fd = open(copy, O_RDONLY);
    if (fd < 0 || fstat(fd, &status) != 0 ||
        mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) ==
            MAP_FAILED ||
        setgid(65534) != 0 || setuid(65534) != 0 || prctl(PR_SET_DUMPABLE, 1) != 0)
        shared->error = errno;
    park();
}

static const struct image_module *module_of(const struct image *image, const char *path)
{
    for (size_t i = 1; i < image->module_count; i++) {
        if (strcmp(image->modules[i].path, path) == 0)
            return &image->modules[i];
    }
    return NULL;
}

enum { AS_EXPECTED, IS_TRUSTED, NO_MODULE, NOT_ALLOWED = 77 };

/* The user nobody may not open what is mapped by /proc/PID/map_files. */
static int look_as_nobody(pid_t pid)
{
    pid_t looker = fork();
    if (looker == 0) {
        struct image image;
        struct err err;
        if (setgid(65534) != 0 || setuid(65534) != 0 || !image_open_process(&image, pid, &err))
            _exit(NOT_ALLOWED);
        const struct image_module *module = module_of(&image, copy);
        bool doubted = module && module->unsure && !module->file[0];
        _exit(!module ? NO_MODULE : doubted ? AS_EXPECTED : IS_TRUSTED);
    }
    int status;
    assert_int_equal(waitpid(looker, &status, 0), looker);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void rebuilt_library_without_build_id__is_had_through_the_process_or_doubted(void **state)
{
    (void)state;
    struct image image;
    if (geteuid() != 0)
        skip();
    make_first_build();
    pid_t pid = child_start(map_copy);
    assert_int_equal(shared->error, 0);
    rebuild();
    open_image(&image, pid);
    const struct image_module *module = module_of(&image, copy);
    assert_non_null(module);
    if (module->file[0])
        assert_file_is_of(module, older);
    assert_int_equal(module->unsure, !module->file[0]); /* in a container, root may not either */
    image_close(&image);
    int status = look_as_nobody(pid);
    unlink(copy);
    unlink(older);
    child_end(pid);
    if (status == NOT_ALLOWED)
        skip();
    assert_int_equal(status, AS_EXPECTED);
}

static void run_copy_in_a_container(void)
{
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", "/mnt", "tmpfs", 0, NULL) != 0 || system("cp /bin/sleep /mnt/sleeper") != 0) {
        shared->error = errno ? errno : EIO;
        child_ready();
        for (;;)
            pause();
    }
    run_copy();
}

static void other_mount_namespace__file_is_of_the_process(void **state)
{
    (void)state;
    struct image image;
    strcpy(copy, "/mnt/sleeper");
    pid_t pid = child_start(run_copy_in_a_container);
    if (shared->error) {
        child_end(pid);
        skip();
    }
    wait_for_exec(pid);
    open_image(&image, pid);
    const struct image_module *module = &image.modules[image_exe_module(&image)];
    assert_string_equal(module->path, copy);
    assert_file_is_of(module, "/bin/sleep");
    image_close(&image);
    child_end(pid);
}

/* ---- threads ---- */

static uint32_t word;

static void *in_futex(void *arg)
{
    (void)arg;
    prctl(PR_SET_NAME, "odd ) name (");
    shared->words[1] = now_ns();
    __atomic_store_n(&shared->tid, (int)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &word, 0 /* FUTEX_WAIT */, 0, NULL, NULL, 0);
    return NULL;
}

static void two_threads(void)
{
    pthread_t thread;
    shared->words[0] = (uint64_t)(uintptr_t)&word;
    pthread_create(&thread, NULL, in_futex, NULL);
    while (!__atomic_load_n(&shared->tid, __ATOMIC_SEQ_CST))
        sleep_ms(1);
    park();
}

static const struct image_thread *thread_of(const struct image *image, int tid)
{
    for (size_t i = 0; i < image->thread_count; i++) {
        if (image->threads[i].tid == (uint32_t)tid)
            return &image->threads[i];
    }
    fail_msg("there is no thread %d", tid);
    return NULL;
}

static void thread__tells_what_it_is_parked_in(void **state)
{
    (void)state;
    struct image image;
    struct err err;
    pid_t pid = child_start(two_threads);
    child_wait_parked(pid);
    child_wait_parked(shared->tid);
    open_image(&image, pid);
    assert_true(image.thread_count >= 2); /* a sanitizer may have one of its own */
    const struct image_thread *thread = thread_of(&image, shared->tid);
    assert_string_equal(thread->name, "odd ) name (");
    assert_true(thread->parked);
    assert_int_equal(thread->call, SYS_futex);
    assert_int_equal(thread->args[0], shared->words[0]);
    assert_int_equal(thread->args[1], 0);
    assert_int_equal(thread->registers.known, 1u << IMAGE_REGISTER_SP | 1u << IMAGE_REGISTER_PC);
    const struct image_mapping *stack =
        image_mapping_at(&image, thread->registers.value[IMAGE_REGISTER_SP]);
    assert_true(stack && stack->writable);

    /* A lower bound of the age, where the kernel tells. */
    int64_t first_ns = thread->parked_ns;
    if (first_ns >= 0)
        assert_true((uint64_t)first_ns <= now_ns() - shared->words[1]);
    /* On a busy machine it may not be told at each look. */
    int looks = 0;
    do {
        sleep_ms(30);
        assert_true(image.functions->refresh(&image, &err));
        thread = thread_of(&image, shared->tid);
    } while (first_ns >= 0 && thread->parked_ns < 0 && ++looks < 100);
    if (first_ns >= 0) {
        assert_true(thread->parked_ns > first_ns);
        assert_true((uint64_t)thread->parked_ns <= now_ns() - shared->words[1]);
    }
    image_close(&image);
    child_end(pid);
}

static const char *thread_name;

static void *nap(void *arg)
{
    prctl(PR_SET_NAME, thread_name);
    __atomic_store_n(&shared->tid, (int)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
    for (;;)
        sleep_ms(20);
    return arg;
}

static void have_a_thread_that_naps(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, nap, NULL);
    while (!__atomic_load_n(&shared->tid, __ATOMIC_SEQ_CST))
        sleep_ms(1);
    park();
}

/* Looks at it until it has run since `thread` was taken. */
static bool runs_again(struct image *image, const struct image_thread *thread)
{
    for (int i = 0; i < 10000; i++) {
        struct image_thread now = *thread;
        assert_true(image->functions->look(image, &now));
        if (now.parked && now.switches != thread->switches)
            return true;
        sleep_ms(1);
    }
    return false;
}

/* Of a file whose first line begins with the name. */
static void thread_with_the_name_of_a_field__is_told_like_others(void **state)
{
    static const char *const names[] = {"nr_switches:7", "\nnr_switches:7",
                                        "se.exec_start:", "\nse.exec_start:"};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        struct image image;
        struct err err;
        thread_name = names[i];
        pid_t pid = child_start(have_a_thread_that_naps);
        child_wait_parked(pid);
        open_image(&image, pid);
        bool are_ages_told = thread_of(&image, pid)->parked_ns >= 0;
        struct image_thread thread = *thread_of(&image, shared->tid);
        for (int tries = 0; !thread.parked && tries < 1000; tries++) {
            assert_true(image.functions->refresh(&image, &err));
            thread = *thread_of(&image, shared->tid);
        }
        assert_true(thread.parked);
        assert_string_equal(thread.name, names[i]);
        if (!runs_again(&image, &thread) || (are_ages_told && thread.parked_ns < 0))
            fail_msg("\"%s\": %d switches, parked for %d ns", names[i], (int)thread.switches,
                     (int)thread.parked_ns);
        image_close(&image);
        child_end(pid);
    }
}

static void thread_that_cannot_be_looked_at__has_not_ended(void **state)
{
    (void)state;
    struct image image;
    struct rlimit limit;
    pid_t pid = child_start(park);
    child_wait_parked(pid);
    open_image(&image, pid);
    struct image_thread thread = *thread_of(&image, pid);
    assert_true(image.functions->look(&image, &thread));
    assert_true(thread.parked);

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, limit.rlim_max}), 0);
    bool found = image.functions->look(&image, &thread);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(found);
    assert_false(thread.parked);
    assert_int_equal(thread.registers.known, 0);

    child_end(pid);
    assert_false(image.functions->look(&image, &thread));
    image_close(&image);
}

static void *wait_for_ever(void *arg)
{
    (void)arg;
    for (;;)
        pause();
    return NULL;
}

static void end_first_thread(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, wait_for_ever, NULL);
    child_ready();
    syscall(SYS_exit, 0); /* of this thread alone */
}

static void wait_for_end_of_first(pid_t pid)
{
    struct process_status status = {0};
    for (int i = 0; i < 10000 && status.state != 'Z'; i++) {
        assert_true(process_read_status(pid, &status));
        sleep_ms(1);
    }
    assert_int_equal(status.state, 'Z');
}

static void first_thread_has_ended__others_are_told(void **state)
{
    (void)state;
    struct image image;
    pid_t pid = child_start(end_first_thread);
    wait_for_end_of_first(pid);
    open_image(&image, pid);
    assert_true(image.thread_count >= 2); /* a sanitizer may have one of its own */
    const struct image_thread *first = thread_of(&image, pid);
    assert_true(first->ended);
    assert_false(first->parked);
    struct err err;
    assert_int_not_equal(image_exe_module(&image), 0);
    assert_true(image.functions->check(&image, &err));
    assert_int_equal(process_look(pid, NULL), PROCESS_ALIVE);
    image_close(&image);
    child_end(pid);
}

/* words[0]: who is to end; the others: who may. */
static void *wait_for_own_end(void *arg)
{
    uint64_t tid = (uint64_t)syscall(SYS_gettid);
    __atomic_store_n((volatile uint64_t *)arg, tid, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&shared->words[0], __ATOMIC_SEQ_CST) != tid)
        sleep_ms(1);
    syscall(SYS_exit, 0); /* of this thread alone */
    return arg;
}

static void have_threads_that_end(void)
{
    pthread_t threads[3];
    for (size_t i = 0; i < 3; i++) {
        pthread_create(&threads[i], NULL, wait_for_own_end, (void *)&shared->words[i + 1]);
        while (!__atomic_load_n(&shared->words[i + 1], __ATOMIC_SEQ_CST))
            sleep_ms(1);
    }
    child_ready();
    wait_for_own_end((void *)&shared->words[4]);
}

/* A sanitizer may have a thread of its own, which stays. */
static bool may_end(pid_t tid)
{
    for (size_t i = 1; i <= 4; i++) {
        if (shared->words[i] == (uint64_t)tid)
            return true;
    }
    return false;
}

/* Until nothing is told of a thread's memory any more. */
static void end_thread(pid_t tid)
{
    __atomic_store_n(&shared->words[0], (uint64_t)tid, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 10000 && process_auxv(tid, AT_RANDOM); i++)
        sleep_ms(1);
    assert_int_equal(process_auxv(tid, AT_RANDOM), 0);
}

/* First that with which the process began, then that which tells of the memory instead. */
static void thread_ends_meanwhile__its_process_does_not(void **state)
{
    (void)state;
    pid_t pid = child_start(have_threads_that_end);
    while (!__atomic_load_n(&shared->words[4], __ATOMIC_SEQ_CST))
        sleep_ms(1);
    for (int i = 0; i < 2 && may_end(process_live_thread(pid)); i++) {
        struct image image;
        struct err err = {0};
        int got = 0;
        open_image(&image, pid);
        pid_t task = process_live_thread(pid);
        assert_int_equal(task == pid, i == 0);
        end_thread(task);
        assert_true(mem_read(image.memory, (uint64_t)(uintptr_t)&some_data, &got, sizeof(got)));
        assert_int_equal(got, 42);
        assert_false(mem_read(image.memory, 16, &got, sizeof(got)));
        if (!image.functions->check(&image, &err) || !image.functions->refresh(&image, &err))
            fail_msg("%s: %s", err.what, err.why);
        assert_true(mem_read(image.memory, (uint64_t)(uintptr_t)&some_data, &got, sizeof(got)));
        assert_true(image.functions->check(&image, &err));
        image_close(&image);
    }
    child_end(pid);
}

/* Whose ring a thread of the kernel polls, for some milliseconds, and sleeps then. */
static void make_ring(void)
{
    struct io_uring_params params = {.flags = IORING_SETUP_SQPOLL, .sq_thread_idle = 50};
    if (syscall(SYS_io_uring_setup, 4, &params) < 0)
        shared->error = errno;
    park();
}

static size_t count_named(const struct image *image, const char *start)
{
    size_t count = 0;
    for (size_t i = 0; i < image->thread_count; i++)
        count += strncmp(image->threads[i].name, start, strlen(start)) == 0;
    return count;
}

static void worker_of_the_kernel__is_no_thread_of_the_program(void **state)
{
    (void)state;
    struct image image;
    struct err err;
    pid_t pid = child_start(make_ring);
    if (shared->error) {
        child_end(pid);
        skip(); /* there is no io_uring, or it is not allowed */
    }
    open_image(&image, pid);
    for (int i = 0; i < 30; i++) {
        assert_int_equal(count_named(&image, "iou-"), 0);
        sleep_ms(10);
        assert_true(image.functions->refresh(&image, &err));
    }
    assert_true(thread_of(&image, pid)->parked);
    image_close(&image);
    child_end(pid);
}

#define MOST_GROUPS 4000

/* All calls are allowed, but there is a filter. */
static void wait_with_groups_and_filter(void)
{
    static gid_t groups[MOST_GROUPS];
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {1, &allow};
    for (gid_t i = 0; i < MOST_GROUPS; i++)
        groups[i] = 1000000000 + i;
    shared->error = setgroups(MOST_GROUPS, groups) == 0 &&
                            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0
                        ? 0
                        : errno;
    child_ready();
    for (;;)
        pause();
}

/* What is told behind the groups is known of whoever has many, above all that they have a filter.
 */
static void process_of_many_groups__is_known_whole(void **state)
{
    (void)state;
    struct process_status status;
    pid_t pid = child_start(wait_with_groups_and_filter);
    if (shared->error == EPERM) {
        child_end(pid);
        skip();
    }
    assert_int_equal(shared->error, 0);
    assert_true(process_read_status(pid, &status));
    assert_int_equal(status.process, pid);
    assert_true(status.filtered);
    assert_false(status.kernel);
    child_end(pid);
}

/* ---- descriptors ---- */

static void open_descriptors(void)
{
    int pipes[2];
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct sockaddr_in6 address6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    socklen_t bytes = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int fd = 3; fd < 64; fd++)
        close(fd);
    int listener = socket(AF_INET, SOCK_STREAM, 0); /* 3 */
    bind(listener, (struct sockaddr *)&address, sizeof(address));
    listen(listener, 1);
    getsockname(listener, (struct sockaddr *)&address, &bytes);
    shared->words[0] = ntohs(address.sin_port);
    int client = socket(AF_INET, SOCK_STREAM, 0); /* 4 */
    connect(client, (struct sockaddr *)&address, sizeof(address));
    int listener6 = socket(AF_INET6, SOCK_STREAM, 0); /* 5 */
    shared->words[1] = bind(listener6, (struct sockaddr *)&address6, sizeof(address6)) == 0;
    listen(listener6, 1);
    int local = socket(AF_UNIX, SOCK_STREAM, 0); /* 6 */
    snprintf(path.sun_path, sizeof(path.sun_path), "/tmp/leakspy-socket-%d", (int)getpid());
    bind(local, (struct sockaddr *)&path, sizeof(path));
    listen(local, 1);
    unlink(path.sun_path);
    pipe(pipes);                             /* 7, 8 */
    eventfd(0, 0);                           /* 9 */
    dup2(open("/etc/passwd", O_RDONLY), 10); /* the command's open takes more than one */
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int named = socket(AF_UNIX, SOCK_STREAM, 0), caller = socket(AF_UNIX, SOCK_STREAM, 0);
    socklen_t name_bytes =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                    (size_t)snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "leakspy-%d",
                                     (int)getpid()));
    bind(named, (struct sockaddr *)&name, name_bytes);
    listen(named, 1);
    connect(caller, (struct sockaddr *)&name, name_bytes);
    dup2(accept(named, NULL, NULL), 21);
    dup2(caller, 20);
    park();
}

static void assert_fd(struct image *image, int fd, const char *text, bool listens)
{
    char got[256] = "";
    bool listening;
    assert_true(image->functions->describe_fd(image, 0, fd, got, sizeof(got), &listening));
    assert_string_equal(got, text);
    assert_int_equal(listening, listens);
}

static void descriptor__tells_what_it_is(void **state)
{
    (void)state;
    struct image image;
    char text[128], got[256];
    bool listening;
    pid_t pid = child_start(open_descriptors);
    open_image(&image, pid);
    snprintf(text, sizeof(text), "tcp 127.0.0.1:%d listening", (int)shared->words[0]);
    assert_fd(&image, 3, text, true);
    snprintf(text, sizeof(text), " -> 127.0.0.1:%d", (int)shared->words[0]);
    assert_true(image.functions->describe_fd(&image, 0, 4, got, sizeof(got), &listening));
    assert_memory_equal(got, "tcp 127.0.0.1:", 14);
    assert_non_null(strstr(got, text));
    assert_false(listening);
    if (shared->words[1]) {
        assert_true(image.functions->describe_fd(&image, 0, 5, got, sizeof(got), &listening));
        assert_memory_equal(got, "tcp [::1]:", 10);
        assert_true(listening);
    }
    snprintf(text, sizeof(text), "unix socket /tmp/leakspy-socket-%d listening", (int)pid);
    assert_fd(&image, 6, text, true);
    assert_fd(&image, 7, "pipe", false);
    assert_fd(&image, 9, "eventfd", false);
    assert_fd(&image, 10, "/etc/passwd", false);
    snprintf(text, sizeof(text), "unix socket -> @leakspy-%d", (int)pid);
    assert_fd(&image, 20, text, false);
    snprintf(text, sizeof(text), "unix socket @leakspy-%d", (int)pid);
    assert_fd(&image, 21, text, false);
    static const int connected[] = {4, 20, 21}, others[] = {3, 6, 7, 9, 10, 63};
    for (size_t i = 0; i < sizeof(connected) / sizeof(connected[0]); i++)
        assert_true(image.functions->fd_is_connected(&image, 0, connected[i]));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(image.functions->fd_is_connected(&image, 0, others[i]));
    assert_false(image.functions->describe_fd(&image, 0, 55, got, sizeof(got), &listening));
    assert_int_equal(errno, ENOENT);
    assert_false(image.functions->describe_fd(&image, 0, -1, got, sizeof(got), &listening));
    image_close(&image);
    child_end(pid);
}

/* At 3 one whose name is as long as they get, at 4 one whose name takes four times its length. */
static void listen_by_long_names(void)
{
    static const char fill[] = {'x', '\1'};
    for (int fd = 3; fd < 64; fd++)
        close(fd);
    for (size_t i = 0; i < 2; i++) {
        struct sockaddr_un name = {.sun_family = AF_UNIX};
        int length = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "%d", (int)getpid());
        memset(name.sun_path + 1 + length, fill[i], sizeof(name.sun_path) - 1 - (size_t)length);
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        shared->error = fd != 3 + (int)i || bind(fd, (struct sockaddr *)&name, sizeof(name)) != 0 ||
                        listen(fd, 1) != 0 || shared->error;
    }
    park();
}

static void unix_socket_of_a_long_name__is_told_to_its_end_or_says_so(void **state)
{
    (void)state;
    struct image image;
    char name[109], text[256], got[256];
    bool listening;
    pid_t pid = child_start(listen_by_long_names);
    assert_int_equal(shared->error, 0);
    int length = snprintf(name, sizeof(name), "@%d", (int)pid);
    memset(name + length, 'x', sizeof(name) - 1 - (size_t)length);
    name[sizeof(name) - 1] = '\0';
    snprintf(text, sizeof(text), "unix socket %s listening", name);
    open_image(&image, pid);
    assert_fd(&image, 3, text, true);
    assert_true(image.functions->describe_fd(&image, 0, 4, got, sizeof(got), &listening));
    assert_string_equal(got + strlen(got) - strlen("\\x01..."), "\\x01...");
    assert_true(listening);
    image_close(&image);
    child_end(pid);
}

#define OWN_FD 40

static void *replace_descriptor(void *arg)
{
    int pipes[2];
    if (unshare(CLONE_FILES) != 0 || pipe(pipes) != 0 || dup2(pipes[0], OWN_FD) < 0)
        shared->error = errno;
    __atomic_store_n(&shared->tid, (int)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
    for (;;)
        pause();
    return arg;
}

/* A thread has a pipe where its process has a socket with a timeout. */
static void have_two_tables(void)
{
    pthread_t thread;
    struct timeval timeout = {.tv_sec = 100};
    int local = socket(AF_UNIX, SOCK_STREAM, 0);
    setsockopt(local, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    dup2(local, OWN_FD);
    pthread_create(&thread, NULL, replace_descriptor, NULL);
    while (!__atomic_load_n(&shared->tid, __ATOMIC_SEQ_CST))
        sleep_ms(1);
    park();
}

static void descriptor_of_a_thread__is_that_of_its_own_table(void **state)
{
    (void)state;
    struct image image;
    char got[256] = "";
    bool listening;
    pid_t pid = child_start(have_two_tables);
    uint32_t tid = (uint32_t)shared->tid;
    assert_int_equal(shared->error, 0);
    open_image(&image, pid);
    assert_fd(&image, OWN_FD, "unix socket", false);
    assert_true(image.functions->describe_fd(&image, tid, OWN_FD, got, sizeof(got), &listening));
    assert_string_equal(got, "pipe");
    assert_false(image.functions->fd_times_out(&image, tid, OWN_FD, SO_RCVTIMEO));
    image_close(&image);
    child_end(pid);
}

static void open_a_socket_and_others(void)
{
    int pipes[2];
    shared->fds[0] = socket(AF_UNIX, SOCK_STREAM, 0);
    shared->fds[1] = pipe(pipes) == 0 ? pipes[0] : -1;
    shared->fds[2] = eventfd(0, 0);
    shared->fds[3] = open("/etc/passwd", O_RDONLY);
    park();
}

/* Closing the copy of another file may take as long as its server does. */
static void borrowed__are_only_sockets(void **state)
{
    (void)state;
    pid_t pid = child_start(open_a_socket_and_others);
    int borrowed = process_borrow_socket(pid, pid, shared->fds[0]), error = errno;
    if (borrowed < 0 && (error == ENOSYS || error == EPERM)) {
        child_end(pid);
        skip(); /* before Linux 5.6, or not allowed */
    }
    assert_true(borrowed >= 0);
    close(borrowed);
    for (size_t i = 1; i < 4; i++) {
        assert_true(shared->fds[i] >= 0);
        assert_int_equal(process_borrow_socket(pid, pid, shared->fds[i]), -1);
    }
    child_end(pid);
}

static bool has_pidfds_of_threads(void)
{
    int pidfd = (int)syscall(SYS_pidfd_open, getpid(), O_EXCL /* PIDFD_THREAD, Linux 6.9 */);
    if (pidfd >= 0)
        close(pidfd);
    return pidfd >= 0;
}

static void *receive_for_a_while(void *arg)
{
    char byte;
    __atomic_store_n(&shared->tid, (int)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
    recv(shared->fds[0], &byte, 1, 0);
    return arg;
}

static void leave_a_receiver(void)
{
    pthread_t thread;
    struct timeval timeout = {.tv_sec = 100};
    socketpair(AF_UNIX, SOCK_STREAM, 0, shared->fds);
    setsockopt(shared->fds[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    pthread_create(&thread, NULL, receive_for_a_while, NULL);
    while (!__atomic_load_n(&shared->tid, __ATOMIC_SEQ_CST))
        sleep_ms(1);
    child_ready();
    syscall(SYS_exit, 0); /* of this thread alone */
}

static void first_thread_has_ended__timeouts_of_sockets_are_told(void **state)
{
    (void)state;
    struct image image;
    char got[256] = "";
    bool listening;
    if (!has_pidfds_of_threads())
        skip();
    pid_t pid = child_start(leave_a_receiver);
    uint32_t tid = (uint32_t)shared->tid;
    wait_for_end_of_first(pid);
    open_image(&image, pid);
    assert_true(
        image.functions->describe_fd(&image, tid, shared->fds[0], got, sizeof(got), &listening));
    assert_string_equal(got, "unix socket");
    assert_true(image.functions->fd_times_out(&image, tid, shared->fds[0], SO_RCVTIMEO));
    assert_true(image.functions->fd_times_out(&image, 0, shared->fds[0], SO_RCVTIMEO));
    assert_false(image.functions->fd_times_out(&image, tid, shared->fds[0], SO_SNDTIMEO));
    image_close(&image);
    child_end(pid);
}

#define CLOSED_CONNECTIONS 20

/* In a network of its own: one socket that listens, one of the machine itself, and connections that
 * were closed and that the kernel keeps for a minute. */
static void leave_closed_connections(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t bytes = sizeof(address);
    struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (unshare(CLONE_NEWNET) != 0)
        shared->error = errno;
    int local = socket(AF_UNIX, SOCK_STREAM, 0), listener = socket(AF_INET, SOCK_STREAM, 0);
    shared->fds[0] = local;
    if (ioctl(listener, SIOCSIFFLAGS, &loopback) != 0)
        shared->error = errno;
    bind(listener, (struct sockaddr *)&address, sizeof(address));
    listen(listener, 1);
    getsockname(listener, (struct sockaddr *)&address, &bytes);
    for (int i = 0; i < CLOSED_CONNECTIONS && !shared->error; i++) {
        int client = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(client, (struct sockaddr *)&address, sizeof(address)) != 0)
            shared->error = errno;
        int server = accept(listener, NULL, NULL);
        close(client);
        close(server);
    }
    park();
}

static void closed_connections__are_not_kept(void **state)
{
    (void)state;
    struct process_fds fds;
    char text[256];
    pid_t pid = child_start(leave_closed_connections);
    if (shared->error) {
        child_end(pid);
        skip(); /* it may have no network of its own */
    }
    process_fds_init(&fds, pid);
    assert_true(process_describe_fd(&fds, 0, shared->fds[0], text, sizeof(text), NULL));
    assert_string_equal(text, "unix socket");
    assert_int_equal(fds.count, 2);
    process_fds_deinit(&fds);
    child_end(pid);
}

/* ---- what cannot be looked at ---- */

static void no_such_process__is_said(void **state)
{
    (void)state;
    assert_refused(2147483000, ERR_NO_SUCH_PROCESS, "no such process");
    assert_refused(-5, ERR_NO_SUCH_PROCESS, "no such process");
    assert_refused(0, ERR_NO_SUCH_PROCESS, "no such process");
}

static void zombie__is_said(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_refused(pid, ERR_PROCESS_ENDED, "zombie");
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void kernel_thread__is_said(void **state)
{
    (void)state;
    struct process_status status;
    if (!process_read_status(2, &status) || strcmp(status.name, "kthreadd") != 0)
        skip(); /* a container */
    assert_refused(2, ERR_UNSUPPORTED, "thread of the kernel (kthreadd)");
}

/* pause(2), for ever, in code of 32 bits: int 0x80 with 29. */
static void write_32_bit_program(const char *path)
{
    static const unsigned char code[] = {0xb8, 29, 0, 0, 0, 0xcd, 0x80, 0xeb, 0xf7};
    Elf32_Ehdr header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT},
                         .e_type = ET_EXEC,
                         .e_machine = EM_386,
                         .e_version = EV_CURRENT,
                         .e_entry = 0x10000 + sizeof(Elf32_Ehdr) + sizeof(Elf32_Phdr),
                         .e_phoff = sizeof(Elf32_Ehdr),
                         .e_ehsize = sizeof(Elf32_Ehdr),
                         .e_phentsize = sizeof(Elf32_Phdr),
                         .e_phnum = 1};
    Elf32_Phdr segment = {.p_type = PT_LOAD,
                          .p_vaddr = 0x10000,
                          .p_filesz = 4096,
                          .p_memsz = 4096,
                          .p_flags = PF_R | PF_X,
                          .p_align = 4096};
    unsigned char bytes[4096] = {0};
    memcpy(bytes, &header, sizeof(header));
    memcpy(bytes + sizeof(header), &segment, sizeof(segment));
    memcpy(bytes + sizeof(header) + sizeof(segment), code, sizeof(code));
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0700);
    assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
    close(fd);
    chmod(path, 0700);
}

static void run_32_bit_program(void)
{
    child_ready();
    execl(copy, copy, NULL);
    shared->error = errno;
    for (;;)
        pause();
}

static void program_of_32_bits__is_said(void **state)
{
    (void)state;
    strcpy(copy, "/tmp/leakspy-image-XXXXXX");
    close(mkstemp(copy));
    write_32_bit_program(copy);
    pid_t pid = child_start(run_32_bit_program);
    bool runs = false;
    for (int i = 0; i < 10000 && !runs && !shared->error; i++) {
        char *exe = process_exe(pid);
        runs = exe && strcmp(exe, copy) == 0;
        free(exe);
        sleep_ms(1);
    }
    if (runs)
        assert_refused(pid, ERR_UNSUPPORTED, "32 bits");
    child_end(pid);
    unlink(copy);
    if (!runs)
        skip(); /* this kernel runs none */
}

/* Whether the user nobody is told so. */
static void assert_nobody_is_refused(pid_t pid, const char *why)
{
    pid_t looker = fork();
    if (looker == 0) {
        struct image image;
        struct err err = {0};
        if (setgid(65534) != 0 || setuid(65534) != 0)
            _exit(77);
        bool ok = image_open_process(&image, pid, &err);
        fprintf(stderr, "%s: %s\n", err.what, err.why);
        _exit(ok || err.kind != ERR_NOT_PERMITTED || !strstr(err.why, why) ? 1 : 0);
    }
    int status;
    assert_int_equal(waitpid(looker, &status, 0), looker);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void become_nobody(void)
{
    /* Which makes it not dumpable (prctl(2)). */
    if (setgid(65534) != 0 || setuid(65534) != 0)
        shared->error = errno;
    park();
}

static void process_of_another_user__is_not_permitted(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    pid_t pid = child_start(park);
    assert_nobody_is_refused(pid, "it belongs to user 0");
    child_end(pid);
}

static void process_that_is_not_dumpable__is_not_permitted(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    struct image image;
    pid_t pid = child_start(become_nobody);
    assert_int_equal(shared->error, 0);
    int scope = 0;
    FILE *yama = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
    if (yama && fscanf(yama, "%d", &scope) != 1)
        scope = 0;
    if (yama)
        fclose(yama);
    assert_nobody_is_refused(pid, scope ? "ptrace_scope" : "not dumpable");
    open_image(&image, pid); /* root may */
    image_close(&image);
    child_end(pid);
}

static void process_ends_meanwhile__is_said(void **state)
{
    (void)state;
    struct image image;
    struct err err = {0};
    int word_there;
    pid_t pid = child_start(park);
    open_image(&image, pid);
    child_end(pid);
    assert_false(
        mem_read(image.memory, (uint64_t)(uintptr_t)&some_data, &word_there, sizeof(word_there)));
    assert_false(image.functions->check(&image, &err));
    assert_int_equal(err.kind, ERR_PROCESS_ENDED);
    assert_false(image.functions->refresh(&image, &err));
    assert_int_equal(err.kind, ERR_PROCESS_ENDED);
    image_close(&image);
}

static void execute_later(void)
{
    child_ready();
    while (!shared->words[0])
        sleep_ms(1);
    execl(copy, copy, "1000", NULL);
}

static void process_executes_another_program__is_said(void **state)
{
    (void)state;
    struct image image;
    struct err err = {0};
    strcpy(copy, "/tmp/leakspy-image-XXXXXX");
    close(mkstemp(copy));
    copy_file("/bin/sleep", copy);
    chmod(copy, 0700);
    pid_t pid = child_start(execute_later);
    open_image(&image, pid);
    assert_true(image.functions->check(&image, &err));
    shared->words[0] = 1;
    wait_for_exec(pid);
    assert_false(image.functions->check(&image, &err));
    assert_int_equal(err.kind, ERR_IO);
    image_close(&image);
    unlink(copy);
    child_end(pid);
}

static void thread_id__is_taken_for_its_process(void **state)
{
    (void)state;
    struct image image;
    pid_t pid = child_start(two_threads);
    open_image(&image, shared->tid);
    assert_int_equal(image.pid, pid);
    assert_true(image.thread_count >= 2); /* a sanitizer may have one of its own */
    image_close(&image);
    child_end(pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_program__is_found_with_its_file),
        cmocka_unit_test(deleted_program__its_file_is_had_all_the_same),
        cmocka_unit_test(rebuilt_program_without_build_id__its_older_file_is_had),
        cmocka_unit_test(rebuilt_library_without_build_id__is_had_through_the_process_or_doubted),
        cmocka_unit_test(other_mount_namespace__file_is_of_the_process),
        cmocka_unit_test(thread__tells_what_it_is_parked_in),
        cmocka_unit_test(thread_with_the_name_of_a_field__is_told_like_others),
        cmocka_unit_test(thread_that_cannot_be_looked_at__has_not_ended),
        cmocka_unit_test(first_thread_has_ended__others_are_told),
        cmocka_unit_test(thread_ends_meanwhile__its_process_does_not),
        cmocka_unit_test(worker_of_the_kernel__is_no_thread_of_the_program),
        cmocka_unit_test(process_of_many_groups__is_known_whole),
        cmocka_unit_test(thread_id__is_taken_for_its_process),
        cmocka_unit_test(descriptor__tells_what_it_is),
        cmocka_unit_test(unix_socket_of_a_long_name__is_told_to_its_end_or_says_so),
        cmocka_unit_test(descriptor_of_a_thread__is_that_of_its_own_table),
        cmocka_unit_test(borrowed__are_only_sockets),
        cmocka_unit_test(first_thread_has_ended__timeouts_of_sockets_are_told),
        cmocka_unit_test(closed_connections__are_not_kept),
        cmocka_unit_test(no_such_process__is_said),
        cmocka_unit_test(zombie__is_said),
        cmocka_unit_test(kernel_thread__is_said),
        cmocka_unit_test(program_of_32_bits__is_said),
        cmocka_unit_test(process_of_another_user__is_not_permitted),
        cmocka_unit_test(process_that_is_not_dumpable__is_not_permitted),
        cmocka_unit_test(process_ends_meanwhile__is_said),
        cmocka_unit_test(process_executes_another_program__is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
