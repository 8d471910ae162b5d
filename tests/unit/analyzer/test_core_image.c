/* What is known of a process from its core: its threads, its memory and its arguments. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>

#include "tests/unit/analyzer/core_made.h"

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
        core_builder_thread(made_core.builder, &thread);
    }
    core_builder_process(made_core.builder, 100, "program", "program -x  y");
    core_builder_load(made_core.builder, BASE, 4096, code, sizeof(code), PF_R | PF_X);
    write_core();
    open_core(&image, NULL);
    assert_int_equal(image.thread_count, count);
    assert_int_equal(image.pid, 100);
    assert_string_equal(image.path, made_core.path);
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
    core_builder_load(made_core.builder, BASE + 4096, 4096, bytes + 4096, 4096,
                      PF_R); /* not in order */
    core_builder_load(made_core.builder, BASE, 4096, bytes, 4096, PF_R | PF_W);
    core_builder_load(made_core.builder, BASE + 8192, 8192, bytes, 4096,
                      PF_R); /* the second page is missing */
    core_builder_load(made_core.builder, BASE + 0x10000, 4096, NULL, 0, 0); /* a guard page */
    core_builder_load(made_core.builder, UINT64_MAX - 4095, 4096, bytes, 4096, PF_R);
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
    core_builder_load(made_core.builder, BASE + 2048, 4096, two, 4096, PF_R);
    core_builder_load(made_core.builder, BASE, 4096, one, 4096, PF_R);
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
        core_builder_load(made_core.builder, BASE + i * UINT64_C(8192), 4096, &i, sizeof(i), PF_R);
    const unsigned char *core = core_builder_finish(made_core.builder, 1, &bytes);
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

/* ---- arguments ---- */

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
    core_builder_thread(made_core.builder, &thread);
    core_builder_process(made_core.builder, 7, "prog", "prog two words");
    core_builder_vector(made_core.builder, pairs, 3);
    core_builder_load(made_core.builder, at, 4096, stack, sizeof(stack), PF_R | PF_W);
    core_builder_load(made_core.builder, at + 0x10000, 4096, NULL, 0, PF_R | PF_W);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, core_start, core_end)
        TEST(thread_in_a_call__tells_it),
        TEST(signal__is_what_ended_it),
        TEST(signal__of_a_process_dumped_alive__none),
        TEST(memory__is_what_was_dumped),
        TEST(overlapping_segments__first_address_counts),
        TEST(more_segments_than_65535__all_are_read),
        TEST(first_stack__tells_the_arguments),
        TEST(first_stack__of_a_thread_on_another__tells_the_arguments),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
