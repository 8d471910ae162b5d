/* Programs that can be recorded, and those that cannot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <elf.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analyzer/elf_check.h"
#include "analyzer/preload_library.h"
#include "tests/unit/analyzer/recording_builder.h"

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#define LOADER "/lib64/ld-linux-x86-64.so.2"
#else
#define MACHINE EM_AARCH64
#define LOADER "/lib/ld-linux-aarch64.so.1"
#endif
#define NOBODY 65534

/* A program of a header and one segment: the interpreter's name, or code. */
static const char *write_elf(const char *name, uint16_t machine, const char *loader)
{
    struct {
        Elf64_Ehdr header;
        Elf64_Phdr segment;
        char loader[64];
    } file = {
        .header =
            {
                .e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                .e_type = ET_EXEC,
                .e_machine = machine,
                .e_version = EV_CURRENT,
                .e_phoff = sizeof(Elf64_Ehdr),
                .e_ehsize = sizeof(Elf64_Ehdr),
                .e_phentsize = sizeof(Elf64_Phdr),
                .e_phnum = 1,
            },
        .segment = {.p_type = loader ? PT_INTERP : PT_LOAD,
                    .p_offset = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr),
                    .p_filesz = loader ? strlen(loader) + 1 : 8},
    };
    if (loader)
        strcpy(file.loader, loader);
    const char *path = builder_path(name);
    builder_write_bytes(path, &file, sizeof(file));
    return path;
}

static void assert_answer(const char *path, enum elf_answer expected, const char *part_of_why)
{
    char why[512] = "";
    enum elf_answer answer = elf_check(path, why, sizeof(why));
    if (answer != expected)
        fail_msg("%s: answer %d, '%s'", path, answer, why);
    if (!strstr(why, part_of_why))
        fail_msg("%s: '%s', without '%s'", path, why, part_of_why);
}

static void programs__by_how_they_are_linked(void **state)
{
    (void)state;
    assert_answer("/proc/self/exe", ELF_RECORDS, "");
    assert_answer(write_elf("dynamic", MACHINE, LOADER), ELF_RECORDS, "");
    assert_answer(write_elf("static", MACHINE, NULL), ELF_CANNOT_RECORD, "statically linked");
    assert_answer(write_elf("musl", MACHINE, "/lib/ld-musl-x86_64.so.1"), ELF_CANNOT_RECORD,
                  "musl");
    assert_answer(write_elf("other", MACHINE, "/libexec/ld-elf.so.1"), ELF_CANNOT_RECORD,
                  "/libexec/ld-elf.so.1");
    assert_answer(write_elf("arm", EM_ARM, LOADER), ELF_CANNOT_RECORD, "another architecture");
}

/* Gives a program to another user and group, which only root may: else the test is skipped. */
static void give_away(const char *path, mode_t mode)
{
    if (chown(path, 12345, 12345) != 0)
        skip();
    assert_int_equal(chmod(path, mode), 0);
}

static void setuid_of_another_user__cannot(void **state)
{
    (void)state;
    const char *path = write_elf("setuid", MACHINE, LOADER);
    give_away(path, 04755);
    assert_answer(path, ELF_CANNOT_RECORD, "setuid");
    assert_int_equal(chmod(path, 02755), 0);
    assert_answer(path, ELF_CANNOT_RECORD, "setgid");
}

/* In a child, since there is no way back. */
static void become_nobody(void)
{
    if (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
        abort();
}

/* The same in a child that has prepared itself. */
static void assert_answer_after(void (*prepare)(void), const char *path, enum elf_answer expected,
                                const char *part_of_why)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        char why[512] = "";
        prepare();
        enum elf_answer answer = elf_check(path, why, sizeof(why));
        bool right = answer == expected && strstr(why, part_of_why);
        if (!right)
            fprintf(stderr, "%s: answer %d, '%s'\n", path, answer, why);
        _exit(right ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void program_that_may_not_be_read__by_its_rights(void **state)
{
    (void)state;
    const char *path = write_elf("unreadable", MACHINE, LOADER);
    assert_int_equal(chmod(builder_path("."), 0711), 0);
    assert_int_equal(chmod(path, 0111), 0);
    assert_answer_after(become_nobody, path, ELF_RECORDS, "");
    assert_int_equal(chmod(path, 0), 0);
    assert_answer_after(become_nobody, path, ELF_NOT_A_PROGRAM, "cannot be read");
    give_away(path, 04711);
    assert_answer_after(become_nobody, path, ELF_CANNOT_RECORD, "setuid");
    assert_int_equal(chmod(path, 02711), 0);
    assert_answer_after(become_nobody, path, ELF_CANNOT_RECORD, "setgid");
}

static void set_no_new_privs(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        abort();
}

static void setuid_that_the_kernel_ignores__records(void **state)
{
    (void)state;
    const char *path = write_elf("ignored", MACHINE, LOADER);
    give_away(path, 06755);
    assert_answer(path, ELF_CANNOT_RECORD, "setuid");
    assert_answer_after(set_no_new_privs, path, ELF_RECORDS, "");
}

static void scripts__by_their_interpreters(void **state)
{
    (void)state;
    char text[256];
    const char *script = builder_path("script");
    const char *program = write_elf("static_too", MACHINE, NULL);
    snprintf(text, sizeof(text), "#! %s -x\n", program);
    builder_write_bytes(script, text, strlen(text));
    assert_answer(script, ELF_CANNOT_RECORD, "statically linked");

    builder_write_bytes(script, "#!/bin/sh\n", 10);
    assert_answer(script, ELF_RECORDS, "");
    builder_write_bytes(script, "#!/usr/bin/env sh\n", 18);
    assert_answer(script, ELF_RECORDS, "");

    snprintf(text, sizeof(text), "#!%s\n", script);
    builder_write_bytes(script, text, strlen(text)); /* its own interpreter */
    assert_answer(script, ELF_NOT_A_PROGRAM, "");
}

static void text__by_the_shell(void **state)
{
    (void)state;
    char script[256];
    const char *path = builder_path("commands");
    const char *outer = builder_path("outer");
    builder_write_bytes(path, "", 0);
    assert_int_equal(chmod(path, 0755), 0);
    assert_answer(path, ELF_RECORDS_SHELL, "it is not an ELF program");
    builder_write_bytes(path, "echo hello\n", 11);
    assert_answer(path, ELF_RECORDS_SHELL, "it is not an ELF program");
    snprintf(script, sizeof(script), "#!%s\n", path);
    builder_write_bytes(outer, script, strlen(script));
    assert_answer(outer, ELF_RECORDS_SHELL, "commands: it is not an ELF program");
}

static void damaged_elf__by_the_shell(void **state)
{
    (void)state;
    const char *path = builder_path("damaged");
    builder_write_bytes(path, "\177ELF garbage\n", 13);
    assert_int_equal(chmod(path, 0755), 0);
    assert_answer(path, ELF_RECORDS_SHELL, "its ELF header cannot be read");
    const uint16_t core = ET_CORE;
    path = write_elf("core", MACHINE, LOADER);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, &core, sizeof(core), offsetof(Elf64_Ehdr, e_type)), sizeof(core));
    close(fd);
    assert_int_equal(chmod(path, 0755), 0);
    assert_answer(path, ELF_RECORDS_SHELL, "it is an ELF file, but no program");
    assert_int_equal(chmod(path, 0644), 0);
    assert_answer(path, ELF_NOT_A_PROGRAM, "it is an ELF file, but no program");
}

static void other_files__are_no_programs(void **state)
{
    (void)state;
    const char *path = builder_path("text");
    builder_write_bytes(path, "echo hello\n", 11);
    assert_answer(path, ELF_NOT_A_PROGRAM, "cannot be executed");
    builder_write_bytes(path, "\177ELF", 4);
    assert_answer(path, ELF_NOT_A_PROGRAM, "ELF header");
    builder_write_bytes(path, "#!", 2);
    assert_answer(path, ELF_NOT_A_PROGRAM, "interpreter cannot be found");
    assert_answer("/nowhere", ELF_NOT_A_PROGRAM, "");
    assert_answer("/", ELF_NOT_A_PROGRAM, "regular file");
}

static void name__found_in_path(void **state)
{
    (void)state;
    char *found = elf_find_program("sh");
    assert_non_null(found);
    assert_string_equal(strrchr(found, '/'), "/sh");
    free(found);
    assert_null(elf_find_program("no-such-program-anywhere"));
    assert_null(elf_find_program(""));
    assert_null(elf_find_program("/no/such/program"));
}

static void preload_value__keeps_what_is_there(void **state)
{
    (void)state;
    char *value = preload_library_value("/lib/libleakspy.so", NULL);
    assert_string_equal(value, "/lib/libleakspy.so");
    free(value);
    value = preload_library_value("/lib/libleakspy.so", "/a.so:/b.so");
    assert_string_equal(value, "/lib/libleakspy.so:/a.so:/b.so");
    free(value);
    assert_null(preload_library_value("/my lib/libleakspy.so", NULL));
    assert_null(preload_library_value("/my:lib/libleakspy.so", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs__by_how_they_are_linked),
        cmocka_unit_test(setuid_of_another_user__cannot),
        cmocka_unit_test(program_that_may_not_be_read__by_its_rights),
        cmocka_unit_test(setuid_that_the_kernel_ignores__records),
        cmocka_unit_test(scripts__by_their_interpreters),
        cmocka_unit_test(text__by_the_shell),
        cmocka_unit_test(damaged_elf__by_the_shell),
        cmocka_unit_test(other_files__are_no_programs),
        cmocka_unit_test(name__found_in_path),
        cmocka_unit_test(preload_value__keeps_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
