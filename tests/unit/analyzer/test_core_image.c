/* What is known of a process from its core. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "analyzer/core/image.h"
#include "analyzer/image/image.h"
#include "tests/unit/analyzer/core_builder.h"

#define BASE UINT64_C(0x7f0000000000)
#define STACK UINT64_C(0x7ffe00000000)
#define ERESTARTSYS 512

static struct core_builder *b;
static int core_fd = -1;
static char core_path[64];

static int start(void **state)
{
    (void)state;
    b = core_builder_create();
    core_fd = memfd_create("core", MFD_CLOEXEC);
    assert_true(core_fd >= 0);
    snprintf(core_path, sizeof(core_path), "/proc/self/fd/%d", core_fd);
    return 0;
}

static int end(void **state)
{
    (void)state;
    core_builder_destroy(b);
    close(core_fd);
    return 0;
}

static void write_bytes(const void *bytes, size_t count)
{
    assert_int_equal(ftruncate(core_fd, 0), 0);
    assert_int_equal(pwrite(core_fd, bytes, count, 0), (ssize_t)count);
}

static void write_core(void)
{
    size_t count;
    const unsigned char *bytes = core_builder_finish(b, 0, &count);
    write_bytes(bytes, count);
}

static void open_core(struct image *image, const char *exe)
{
    struct err err = {0};
    if (!image_open_core(image, core_path, exe, &err))
        fail_msg("%s: %s", err.what, err.why);
}

static void assert_refused(const char *exe, enum err_kind kind, const char *why)
{
    struct image image;
    struct err err = {0};
    assert_false(image_open_core(&image, core_path, exe, &err));
    if (err.kind != kind || !strstr(err.why, why))
        fail_msg("kind %d, %s: no \"%s\" in it", err.kind, err.why, why);
}

static void assert_noted(const struct image *image, const char *what)
{
    for (size_t i = 0; i < image->note_count; i++) {
        if (strstr(image->notes[i], what))
            return;
    }
    fail_msg("no note says \"%s\" (the first of %zu: %s)", what, image->note_count,
             image->note_count ? image->notes[0] : "none");
}

static void add_thread(uint32_t tid, int signal)
{
    struct core_builder_thread thread = {.tid = tid, .signal = signal, .call = -1, .sp = STACK};
    core_builder_thread(b, &thread);
}

/* ---- threads ---- */

static void thread_in_a_call__tells_it(void **state)
{
    (void)state;
    static const unsigned char code[] = {0x90, 0x90, 0x0f, 0x05, 0xc3};
    static const struct {
        int64_t call, result;
        uint64_t pc;
        bool parked;
    } rows[] = {
        {SYS_futex, -ERESTARTSYS, BASE + 4, true},
        {SYS_epoll_wait, -EINTR, BASE + 4, true},
        {SYS_nanosleep, -516, BASE + 4, true},
        {SYS_read, -ERESTARTSYS, BASE + 0x10000, true}, /* its code is not to be had */
        {SYS_tgkill, 0, BASE + 4, false},               /* it has returned */
        {SYS_futex, -EAGAIN, BASE + 4, false},
        {SYS_futex, -ERESTARTSYS, BASE + 3, false}, /* not behind the instruction */
        {-1, -ERESTARTSYS, BASE + 4, false},
        {1 << 20, -ERESTARTSYS, BASE + 4, false},
    };
    struct image image;
    const size_t count = sizeof(rows) / sizeof(*rows);
    for (size_t i = 0; i < count; i++) {
        struct core_builder_thread thread = {
            .tid = 100 + (uint32_t)i,
            .call = rows[i].call,
            .result = rows[i].result,
            .args = {1, 2, 3, 4, 5, 6},
            .pc = rows[i].pc,
            .sp = STACK + i,
            .thread_pointer = 0x5000 + i,
        };
        core_builder_thread(b, &thread);
    }
    core_builder_process(b, 100, "program", "program -x  y");
    core_builder_load(b, BASE, 4096, code, sizeof(code), PF_R | PF_X);
    write_core();
    open_core(&image, NULL);
    assert_int_equal(image.thread_count, count);
    assert_int_equal(image.pid, 100);
    assert_string_equal(image.path, core_path);
    assert_string_equal(image.exe, "program");
    assert_string_equal(image.cmdline[1], "-x");
    assert_string_equal(image.cmdline[2], "y");
    assert_null(image.cmdline[3]);
    assert_false(image.live);
    for (size_t i = 0; i < count; i++) {
        const struct image_thread *thread = &image.threads[i];
        assert_int_equal(thread->tid, 100 + i);
        assert_int_equal(thread->parked, rows[i].parked);
        assert_int_equal(thread->call, rows[i].parked ? rows[i].call : -1);
        assert_int_equal(thread->parked_ns, -1);
        assert_int_equal(thread->thread_pointer, 0x5000 + i);
        assert_int_equal(thread->registers.known, (1u << IMAGE_REGISTERS) - 1);
        assert_int_equal(thread->registers.value[IMAGE_REGISTER_SP], STACK + i);
        assert_int_equal(thread->registers.value[IMAGE_REGISTER_PC], rows[i].pc);
        for (unsigned j = 0; j < 6 && rows[i].parked; j++)
            assert_int_equal(thread->args[j], j + 1);
    }
    image_close(&image);
}

static void signal__is_what_ended_it(void **state)
{
    (void)state;
    struct image image;
    add_thread(7, SIGABRT);
    add_thread(8, SIGABRT);
    write_core();
    open_core(&image, NULL);
    assert_int_equal(image.signal, SIGABRT);
    image_close(&image);
}

static void signal__of_a_process_dumped_alive__none(void **state)
{
    (void)state;
    struct image image;
    add_thread(7, SIGSTOP);
    write_core();
    open_core(&image, NULL);
    assert_int_equal(image.signal, 0);
    image_close(&image);
}

/* ---- memory ---- */

static void memory__is_what_was_dumped(void **state)
{
    (void)state;
    struct image image;
    struct err err;
    unsigned char bytes[8192], got[8192];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 7 + i / 256);
    add_thread(7, 0);
    core_builder_load(b, BASE + 4096, 4096, bytes + 4096, 4096, PF_R); /* not in order */
    core_builder_load(b, BASE, 4096, bytes, 4096, PF_R | PF_W);
    core_builder_load(b, BASE + 8192, 8192, bytes, 4096, PF_R); /* the second page is missing */
    core_builder_load(b, BASE + 0x10000, 4096, NULL, 0, 0);     /* a guard page */
    core_builder_load(b, UINT64_MAX - 4095, 4096, bytes, 4096, PF_R);
    write_core();
    open_core(&image, NULL);
    assert_true(mem_read(image.memory, BASE, got, 8192));
    assert_memory_equal(got, bytes, 8192);
    assert_true(mem_read(image.memory, BASE + 4090, got, 12));
    assert_memory_equal(got, bytes + 4090, 12);
    assert_true(mem_read(image.memory, BASE + 8192, got, 4096));
    assert_true(image.functions->check(&image, &err));
    assert_int_equal(image.note_count, 0);

    assert_false(mem_read(image.memory, BASE + 12288 - 4, got, 8));
    assert_true(image.functions->check(&image, &err));
    assert_noted(&image, "memory is not in the core: 1 piece");
    assert_false(mem_read(image.memory, BASE + 12288, got, 1));
    assert_false(mem_read(image.memory, BASE - 1, got, 1));
    assert_false(mem_read(image.memory, BASE + 0x10000, got, 1));
    assert_false(mem_read(image.memory, UINT64_MAX - 8, got, 8));
    assert_false(mem_read(image.memory, UINT64_MAX - 8, got, 16));
    assert_true(mem_read(image.memory, BASE, got, 0));

    const struct image_mapping *mapping = image_mapping_at(&image, BASE + 4096);
    assert_non_null(mapping);
    assert_int_equal(mapping->start, BASE + 4096);
    assert_true(mapping->readable && !mapping->writable);
    image_close(&image);
}

static void overlapping_segments__first_address_counts(void **state)
{
    (void)state;
    struct image image;
    unsigned char one[4096], two[4096], got;
    memset(one, 1, sizeof(one));
    memset(two, 2, sizeof(two));
    add_thread(7, 0);
    core_builder_load(b, BASE + 2048, 4096, two, 4096, PF_R);
    core_builder_load(b, BASE, 4096, one, 4096, PF_R);
    write_core();
    open_core(&image, NULL);
    assert_true(mem_read(image.memory, BASE + 4095, &got, 1));
    assert_int_equal(got, 1);
    assert_false(mem_read(image.memory, BASE + 4096, &got, 1));
    image_close(&image);
}

static void more_segments_than_65535__all_are_read(void **state)
{
    (void)state;
    struct image image;
    const uint32_t count = 70000;
    size_t bytes;
    add_thread(7, 0);
    for (uint32_t i = 0; i < count; i++)
        core_builder_load(b, BASE + i * UINT64_C(8192), 4096, &i, sizeof(i), PF_R);
    const unsigned char *core = core_builder_finish(b, 1, &bytes);
    write_bytes(core, bytes);
    open_core(&image, NULL);
    assert_int_equal(image.mapping_count, count);
    for (uint32_t i = 0; i < count; i += 777) {
        uint32_t got;
        assert_true(mem_read(image.memory, BASE + i * UINT64_C(8192), &got, sizeof(got)));
        assert_int_equal(got, i);
    }
    image_close(&image);
}

/* ---- the executable and its file ---- */

static struct {
    char path[4096];
    unsigned char *bytes;
    size_t count;
    const Elf64_Ehdr *header;
    const Elf64_Phdr *segments;
    uint64_t code_offset; /* of the executable segment */
} own;

static int read_own_program(void **state)
{
    (void)state;
    struct stat status;
    ssize_t length = readlink("/proc/self/exe", own.path, sizeof(own.path) - 1);
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_true(length > 0 && fd >= 0 && fstat(fd, &status) == 0);
    own.count = (size_t)status.st_size;
    own.bytes = malloc(own.count);
    assert_int_equal(read(fd, own.bytes, own.count), status.st_size);
    close(fd);
    own.header = (const Elf64_Ehdr *)own.bytes;
    own.segments = (const Elf64_Phdr *)(own.bytes + own.header->e_phoff);
    return 0;
}

static int free_own_program(void **state)
{
    (void)state;
    free(own.bytes);
    return 0;
}

static uint64_t page_of(uint64_t address)
{
    return address & ~UINT64_C(4095);
}

enum { WRITTEN = 0x5a };

enum dumped {
    HEADERS,          /* as the kernel does: the first page of an ELF file */
    HEADERS_AND_DATA, /* and, last, a page of what was written, all WRITTEN */
    OTHER_BUILD_ID,
    NOTHING,
};

static const Elf64_Phdr *own_data(void)
{
    const Elf64_Phdr *found = NULL;
    for (uint16_t i = 0; i < own.header->e_phnum; i++) {
        if (own.segments[i].p_type == PT_LOAD && own.segments[i].p_flags & PF_W)
            found = &own.segments[i];
    }
    assert_non_null(found);
    return found;
}

/* A core in which this program was loaded at BASE, and nothing of its code is dumped. `name`: of
 * its file; NULL: it has no names. */
static void build_core_as(enum dumped dumped, const char *name)
{
    uint64_t pairs[][2] = {{33, 1}, {AT_PHDR, BASE + own.header->e_phoff}, {AT_NULL, 0}};
    unsigned char page[4096];
    memcpy(page, own.bytes, sizeof(page));
    core_builder_process(b, 7, "test_core_image", "test_core_image");
    add_thread(7, 0);
    core_builder_vector(b, (const uint64_t(*)[2])pairs, 3);
    for (uint16_t i = 0; i < own.header->e_phnum; i++) {
        const Elf64_Phdr *segment = &own.segments[i];
        if (segment->p_type == PT_NOTE && dumped == OTHER_BUILD_ID)
            for (size_t at = segment->p_offset;
                 at + 16 <= segment->p_offset + segment->p_filesz && at + 20 < sizeof(page); at++) {
                static const unsigned char start_of_note[] = {3, 0, 0, 0, 'G', 'N', 'U', 0};
                if (memcmp(page + at, start_of_note, 8) == 0)
                    page[at + 12] ^= 1;
            }
        if (segment->p_type != PT_LOAD)
            continue;
        uint64_t start_at = BASE + page_of(segment->p_vaddr);
        uint64_t end_at = BASE + page_of(segment->p_vaddr + segment->p_filesz + 4095);
        if (name)
            core_builder_file(b, start_at, end_at, page_of(segment->p_offset), name);
        if (segment->p_flags & PF_X)
            own.code_offset = page_of(segment->p_offset);
    }
    for (uint16_t i = 0; i < own.header->e_phnum; i++) {
        const Elf64_Phdr *segment = &own.segments[i];
        if (segment->p_type != PT_LOAD)
            continue;
        bool first = page_of(segment->p_offset) == 0 && dumped != NOTHING;
        if (dumped == HEADERS_AND_DATA && segment == own_data()) {
            memset(page, WRITTEN, sizeof(page));
            first = true;
        }
        core_builder_load(b, BASE + page_of(segment->p_vaddr),
                          page_of(segment->p_memsz + segment->p_vaddr % 4096 + 4095), page,
                          first ? sizeof(page) : 0, segment->p_flags);
    }
    write_core();
}

static void build_core_of_own_program(enum dumped dumped, bool names)
{
    build_core_as(dumped, names ? own.path : NULL);
}

static uint64_t code_address(void)
{
    for (uint16_t i = 0; i < own.header->e_phnum; i++) {
        if (own.segments[i].p_type == PT_LOAD && own.segments[i].p_flags & PF_X)
            return BASE + page_of(own.segments[i].p_vaddr);
    }
    fail();
    return 0;
}

static void assert_code(const struct image *image, bool there)
{
    unsigned char got[4096];
    assert_int_equal(mem_read(image->memory, code_address(), got, sizeof(got)), there);
    if (there)
        assert_memory_equal(got, own.bytes + own.code_offset, sizeof(got));
}

static void file_with_the_core_s_build_id__is_laid_under_it(void **state)
{
    (void)state;
    struct image image;
    build_core_of_own_program(HEADERS, true);
    open_core(&image, NULL);
    uint32_t row = image_exe_module(&image);
    assert_int_not_equal(row, 0);
    assert_int_equal(image.module_count, 2);
    assert_int_equal(image.modules[row].start, BASE);
    assert_int_equal(image.modules[row].bias, BASE);
    assert_string_equal(image.modules[row].path, own.path);
    assert_string_equal(image.modules[row].file, own.path);
    assert_string_equal(image.exe, own.path);
    assert_int_equal(image_module_at(&image, code_address()), row);
    assert_true(image_mapping_at(&image, code_address())->executable);
    assert_code(&image, true);
    assert_int_equal(image.note_count, 0);
    image_close(&image);
}

static void file_of_another_build__is_not_believed(void **state)
{
    (void)state;
    struct image image;
    build_core_of_own_program(OTHER_BUILD_ID, true);
    open_core(&image, NULL);
    uint32_t row = image_exe_module(&image);
    assert_int_not_equal(row, 0);
    assert_string_equal(image.modules[row].path, own.path);
    assert_string_equal(image.modules[row].file, "");
    assert_noted(&image, "name it with --exe");
    assert_code(&image, false);
    image_close(&image);
    assert_refused(own.path, ERR_OTHER_BUILD, "it is another build than the core's executable");
}

static void exe__is_taken_where_it_fits(void **state)
{
    (void)state;
    struct image image;
    build_core_of_own_program(HEADERS, true);
    open_core(&image, "/proc/self/exe");
    assert_string_equal(image.modules[image_exe_module(&image)].file, "/proc/self/exe");
    assert_code(&image, true);
    image_close(&image);
    assert_refused("/nowhere/at all", ERR_NOT_FOUND, "No such file");
    assert_refused("/etc/passwd", ERR_UNSUPPORTED, "no program");
    assert_refused("/", ERR_UNSUPPORTED, "no program");
}

static void set_core_time(time_t seconds)
{
    struct timespec times[2] = {{seconds, 0}, {seconds, 0}};
    assert_int_equal(futimens(core_fd, times), 0);
}

static void core_without_headers__file_is_taken_if_it_is_older(void **state)
{
    (void)state;
    struct image image;
    build_core_of_own_program(NOTHING, true);
    open_core(&image, NULL);
    assert_string_equal(image.modules[image_exe_module(&image)].file, own.path);
    assert_noted(&image, "could not be compared");
    assert_code(&image, true);
    image_close(&image);

    set_core_time(1000000);
    open_core(&image, NULL);
    assert_int_equal(image.taken_unix_ns, INT64_C(1000000000000000));
    assert_int_equal(image_exe_module(&image), 0);
    assert_noted(&image, "name it with --exe");
    assert_code(&image, false);
    image_close(&image);

    open_core(&image, own.path);
    assert_int_not_equal(image_exe_module(&image), 0);
    assert_noted(&image, "was not checked");
    assert_code(&image, true);
    image_close(&image);
}

static void core_that_names_no_files__exe_tells_them(void **state)
{
    (void)state;
    struct image image;
    build_core_of_own_program(HEADERS, false);
    open_core(&image, NULL);
    assert_int_equal(image.module_count, 1);
    assert_code(&image, false);
    image_close(&image);
    open_core(&image, own.path);
    assert_int_not_equal(image_exe_module(&image), 0);
    assert_code(&image, true);
    image_close(&image);
}

/* What was written is in the core alone: the file has what it was before. */
static void data_cut_off__is_not_what_the_file_has(void **state)
{
    (void)state;
    struct image image;
    struct err err = {0};
    unsigned char got[4096];
    uint64_t data = BASE + page_of(own_data()->p_vaddr);
    build_core_of_own_program(HEADERS_AND_DATA, true);
    open_core(&image, NULL);
    assert_true(mem_read(image.memory, data, got, sizeof(got)));
    for (size_t i = 0; i < sizeof(got); i++)
        assert_int_equal(got[i], WRITTEN);
    assert_null(image.doubt);
    image_close(&image);

    off_t bytes = lseek(core_fd, 0, SEEK_END);
    assert_int_equal(ftruncate(core_fd, bytes - 100), 0);
    open_core(&image, NULL);
    assert_code(&image, true);
    assert_true(mem_read(image.memory, data, got, sizeof(got) - 100));
    assert_false(mem_read(image.memory, data, got, sizeof(got)));
    assert_false(mem_read(image.memory, data + sizeof(got) - 8, got, 8));
    assert_non_null(strstr(image.doubt, "cut short"));
    assert_true(image.functions->check(&image, &err));
    assert_noted(&image, "memory is not in the core: 2 pieces");
    image_close(&image);
}

static void file_that_was_removed__is_taken_by_its_build_id_alone(void **state)
{
    (void)state;
    struct image image;
    char name[5000];
    snprintf(name, sizeof(name), "%s (deleted)", own.path);
    build_core_as(HEADERS, name); /* removed, and put there again */
    open_core(&image, NULL);
    assert_string_equal(image.modules[image_exe_module(&image)].path, own.path);
    assert_string_equal(image.modules[image_exe_module(&image)].file, own.path);
    assert_string_equal(image.exe, own.path);
    assert_code(&image, true);
    image_close(&image);
}

static void file_that_was_removed__without_headers__is_not_believed(void **state)
{
    (void)state;
    struct image image;
    char name[5000];
    snprintf(name, sizeof(name), "%s (deleted)", own.path);
    build_core_as(NOTHING, name); /* what is there now is another, though it is older */
    open_core(&image, NULL);
    assert_int_equal(image_exe_module(&image), 0);
    assert_noted(&image, "name it with --exe");
    assert_code(&image, false);
    image_close(&image);
}

static void core_that_says_nothing_of_its_start__exe_is_laid_nowhere(void **state)
{
    (void)state;
    struct image image;
    unsigned char byte;
    core_builder_process(b, 7, "test_core_image", "test_core_image");
    add_thread(7, 0);
    core_builder_load(b, BASE, 4096, "", 1, PF_R);
    write_core();
    open_core(&image, own.path);
    assert_int_equal(image_exe_module(&image), 0);
    assert_noted(&image, "was loaded is not known");
    assert_false(mem_read(image.memory, 0, &byte, 1));
    image_close(&image);
}

/* `pairs`: what NT_AUXV has, three pairs; `sp`: where the first thread is. */
static void assert_first_stack_is_read(const uint64_t (*pairs)[2], uint64_t sp)
{
    struct image image;
    uint64_t stack[512] = {0};
    char *texts = (char *)&stack[256];
    const uint64_t at = STACK;
    strcpy(texts, "prog");
    strcpy(texts + 8, "two words");
    strcpy(texts + 32, "");
    strcpy(texts + 40, "A=b");
    uint64_t *words = &stack[100];
    *words++ = 3;
    *words++ = at + 256 * 8;
    *words++ = at + 256 * 8 + 8;
    *words++ = at + 256 * 8 + 32;
    *words++ = 0;
    *words++ = at + 256 * 8 + 40;
    *words++ = 0;
    memcpy(words, pairs, 3 * sizeof(*pairs));
    struct core_builder_thread thread = {.tid = 7, .call = -1, .sp = sp};
    core_builder_thread(b, &thread);
    core_builder_process(b, 7, "prog", "prog two words");
    core_builder_vector(b, pairs, 3);
    core_builder_load(b, at, 4096, stack, sizeof(stack), PF_R | PF_W);
    core_builder_load(b, at + 0x10000, 4096, NULL, 0, PF_R | PF_W);
    write_core();
    open_core(&image, NULL);
    assert_string_equal(image.cmdline[0], "prog");
    assert_string_equal(image.cmdline[1], "two words");
    assert_string_equal(image.cmdline[2], "");
    assert_null(image.cmdline[3]);
    image_close(&image);
}

static void first_stack__tells_the_arguments(void **state)
{
    (void)state;
    const uint64_t pairs[][2] = {{33, 0x7ffd12345000}, {6, 4096}, {0, 0}};
    assert_first_stack_is_read(pairs, STACK + 64);
}

/* As one of a goroutine, or for signals. */
static void first_stack__of_a_thread_on_another__tells_the_arguments(void **state)
{
    (void)state;
    const uint64_t pairs[][2] = {{33, 0x7ffd12345000}, {AT_RANDOM, STACK + 4000}, {0, 0}};
    assert_first_stack_is_read(pairs, STACK + 0x10000 + 64);
}

/* ---- what is no core ---- */

static void what_is_no_core__is_said(void **state)
{
    (void)state;
    write_bytes("", 0);
    assert_refused(NULL, ERR_NOT_A_CORE, "no ELF file");
    assert_false(image_is_core(core_path));
    write_bytes("leakspy\n", 8);
    assert_refused(NULL, ERR_NOT_A_CORE, "no ELF file");
    assert_false(image_is_core(core_path));
    write_bytes("\x28\xb5\x2f\xfd packed", 11);
    assert_refused(NULL, ERR_NOT_A_CORE, "packed by zstd");
    assert_true(image_is_core(core_path));
    write_bytes(own.bytes, 4096);
    assert_refused(NULL, ERR_NOT_A_CORE, "a program");
    assert_true(image_is_core(core_path));
    assert_false(image_is_core("/nowhere"));
    assert_false(image_is_core("/"));
}

/* What can only be written to cannot be opened, or, by who is obeyed in all, not be read. */
static void file_that_cannot_be_read__is_refused_with_the_reason(void **state)
{
    const char *no_file = "it is not a core: it is no regular file";
    const char *only_written = "/proc/self/clear_refs";
    bool opens = access(only_written, R_OK) == 0;
    const struct {
        const char *path;
        enum err_kind kind;
        const char *why;
    } rows[] = {
        {"/nowhere", ERR_NOT_FOUND, strerror(ENOENT)},
        {"/dev/null", ERR_NOT_A_CORE, no_file},
        {"/", ERR_NOT_A_CORE, no_file},
        {only_written, opens ? ERR_IO : ERR_NOT_PERMITTED, strerror(opens ? EINVAL : EACCES)},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct image image;
        struct err err = {0};
        assert_false(image_open_core(&image, rows[i].path, NULL, &err));
        assert_string_equal(err.why, rows[i].why);
        assert_int_equal(err.kind, rows[i].kind);
    }
}

static void assert_header_refused(void (*change)(Elf64_Ehdr *header), enum err_kind kind,
                                  const char *why)
{
    struct core_builder *other = core_builder_create();
    struct core_builder *kept = b;
    b = other;
    add_thread(7, 0);
    change(core_builder_header(b));
    write_core();
    assert_refused(NULL, kind, why);
    core_builder_destroy(other);
    b = kept;
}

static void be_arm(Elf64_Ehdr *header)
{
    header->e_machine = EM_AARCH64;
}

static void be_i386(Elf64_Ehdr *header)
{
    header->e_machine = EM_386;
    header->e_ident[EI_CLASS] = ELFCLASS32;
}

static void be_x32(Elf64_Ehdr *header)
{
    header->e_ident[EI_CLASS] = ELFCLASS32;
}

static void be_big_endian(Elf64_Ehdr *header)
{
    header->e_ident[EI_DATA] = ELFDATA2MSB;
}

static void core_of_another_machine__is_said(void **state)
{
    (void)state;
    assert_header_refused(be_arm, ERR_UNSUPPORTED, "another machine (ELF machine 183)");
    assert_header_refused(be_i386, ERR_UNSUPPORTED, "32 bits");
    assert_header_refused(be_x32, ERR_UNSUPPORTED, "32 bits");
    assert_header_refused(be_big_endian, ERR_UNSUPPORTED, "another machine");
}

static void core_without_threads__is_said(void **state)
{
    (void)state;
    core_builder_load(b, BASE, 4096, "x", 1, PF_R);
    write_core();
    assert_refused(NULL, ERR_CORRUPT, "no thread");
}

/* ---- damage ---- */

/* A core with something of everything. */
static const unsigned char *build_rich_core(size_t *ret_bytes)
{
    uint64_t stack[64] = {0};
    uint64_t pairs[][2] = {{33, 5}, {AT_PHDR, BASE + 64}, {AT_ENTRY, BASE + 0x1000}, {0, 0}};
    memcpy(&stack[10], (uint64_t[]){1, STACK + 400, 0, 0}, 32);
    memcpy(&stack[14], pairs, sizeof(pairs));
    struct core_builder_thread thread = {.tid = 7,
                                         .signal = SIGSEGV,
                                         .call = SYS_futex,
                                         .result = -ERESTARTSYS,
                                         .pc = BASE + 0x1002,
                                         .sp = STACK + 8};
    core_builder_thread(b, &thread);
    core_builder_process(b, 7, "prog", "prog with words");
    core_builder_vector(b, (const uint64_t(*)[2])pairs, 4);
    thread.tid = 8;
    core_builder_thread(b, &thread);
    for (uint16_t i = 0; i < own.header->e_phnum; i++) {
        const Elf64_Phdr *segment = &own.segments[i];
        if (segment->p_type == PT_LOAD)
            core_builder_file(b, BASE + page_of(segment->p_vaddr),
                              BASE + page_of(segment->p_vaddr + segment->p_filesz + 4095),
                              page_of(segment->p_offset), own.path);
    }
    core_builder_load(b, BASE, 4096, own.bytes, 4096, PF_R);
    core_builder_load(b, STACK, 4096, stack, sizeof(stack), PF_R | PF_W);
    return core_builder_finish(b, 0, ret_bytes);
}

/* Opens what there is, and reads here and there. Returns whether it was a core. */
static bool try_core(const char *exe)
{
    struct image image;
    struct err err = {0};
    if (!image_open_core(&image, core_path, exe, &err)) {
        assert_int_not_equal(err.kind, ERR_NONE);
        assert_true(err.why[0] != '\0');
        return false;
    }
    unsigned char bytes[256];
    for (size_t i = 0; i < image.mapping_count && i < 100; i++) {
        mem_read(image.memory, image.mappings[i].start, bytes, sizeof(bytes));
        mem_read(image.memory, image.mappings[i].end - 8, bytes, 16);
    }
    for (size_t i = 1; i < image.mapping_count; i++)
        assert_true(image.mappings[i].start >= image.mappings[i - 1].end);
    for (size_t i = 2; i < image.module_count; i++)
        assert_true(image.modules[i].start >= image.modules[i - 1].end);
    image.functions->check(&image, &err);
    image_close(&image);
    return true;
}

static void core_cut_at_any_place__is_refused_or_says_so(void **state)
{
    (void)state;
    size_t count, opened = 0;
    const unsigned char *bytes = build_rich_core(&count);
    write_bytes(bytes, count);
    assert_true(try_core(NULL));
    for (size_t left = count - 1; left > 0; left -= left > 3000 ? 37 : 1) {
        struct image image;
        struct err err = {0};
        assert_int_equal(ftruncate(core_fd, (off_t)left), 0);
        if (image_open_core(&image, core_path, NULL, &err)) {
            assert_non_null(image.doubt);
            assert_non_null(strstr(image.doubt, "cut short"));
            image_close(&image);
            opened++;
        }
        try_core(NULL);
    }
    assert_true(opened > 10);
}

static void damaged_core__is_survived(void **state)
{
    (void)state;
    size_t count, opened = 0;
    const unsigned char *bytes = build_rich_core(&count);
    unsigned char *copy = malloc(count);
    unsigned seed = 1;
    for (int round = 0; round < 6000; round++) {
        static const uint64_t strange[] = {0,
                                           UINT64_MAX,
                                           UINT64_MAX - 4095,
                                           UINT64_C(1) << 63,
                                           UINT64_C(1) << 47,
                                           0x7fffffff,
                                           0xffffffff,
                                           4096};
        memcpy(copy, bytes, count);
        /* The headers and the notes are where damage matters. */
        size_t most = round % 2 ? count : 2400;
        for (int i = 0; i <= round % 4; i++) {
            size_t at = (size_t)rand_r(&seed) % most;
            if (round % 3 == 0)
                memcpy(copy + (at & ~(size_t)7), &strange[(unsigned)rand_r(&seed) % 8], 8);
            else
                copy[at] ^= (unsigned char)(1u << (rand_r(&seed) % 8));
        }
        write_bytes(copy, count);
        opened += try_core(round % 5 ? NULL : own.path);
    }
    free(copy);
    assert_true(opened > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
        TEST(thread_in_a_call__tells_it),
        TEST(signal__is_what_ended_it),
        TEST(signal__of_a_process_dumped_alive__none),
        TEST(memory__is_what_was_dumped),
        TEST(overlapping_segments__first_address_counts),
        TEST(more_segments_than_65535__all_are_read),
        TEST(file_with_the_core_s_build_id__is_laid_under_it),
        TEST(file_of_another_build__is_not_believed),
        TEST(exe__is_taken_where_it_fits),
        TEST(core_without_headers__file_is_taken_if_it_is_older),
        TEST(core_that_names_no_files__exe_tells_them),
        TEST(data_cut_off__is_not_what_the_file_has),
        TEST(file_that_was_removed__is_taken_by_its_build_id_alone),
        TEST(file_that_was_removed__without_headers__is_not_believed),
        TEST(core_that_says_nothing_of_its_start__exe_is_laid_nowhere),
        TEST(first_stack__tells_the_arguments),
        TEST(first_stack__of_a_thread_on_another__tells_the_arguments),
        TEST(what_is_no_core__is_said),
        TEST(file_that_cannot_be_read__is_refused_with_the_reason),
        TEST(core_of_another_machine__is_said),
        TEST(core_without_threads__is_said),
        TEST(core_cut_at_any_place__is_refused_or_says_so),
        TEST(damaged_core__is_survived),
#undef TEST
    };
    return cmocka_run_group_tests(tests, read_own_program, free_own_program);
}
