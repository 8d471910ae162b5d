/* Modules and mappings of a running process, and what is said of one that cannot be looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analyzer/image/image.h"
#include "analyzer/process/image.h"
#include "analyzer/process/process.h"
#include "tests/unit/analyzer/child.h"
#include "tests/unit/analyzer/opened.h"

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

/* ---- what cannot be looked at ---- */

static void assert_refused(pid_t pid, enum err_kind kind, const char *why)
{
    struct image image;
    struct err err = {0};
    assert_false(image_open_process(&image, pid, &err));
    assert_int_equal(err.kind, kind);
    if (!strstr(err.why, why))
        fail_msg("%s: no \"%s\" in it", err.why, why);
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_program__is_found_with_its_file),
        cmocka_unit_test(deleted_program__its_file_is_had_all_the_same),
        cmocka_unit_test(rebuilt_program_without_build_id__its_older_file_is_had),
        cmocka_unit_test(rebuilt_library_without_build_id__is_had_through_the_process_or_doubted),
        cmocka_unit_test(other_mount_namespace__file_is_of_the_process),
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
