/* The memory of another process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analyzer/process/memory.h"
#include "tests/unit/analyzer/child.h"

#define PAGES 64
#define PAGE 4096u

/* Of a child: PAGES pages, of which each third is not mapped; each word is its own address. */
static uint64_t *pages;

static bool is_hole(size_t page)
{
    return page % 3 == 1;
}

static void body(void)
{
    pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < PAGES * PAGE / sizeof(*pages); i++)
        pages[i] = (uint64_t)(uintptr_t)&pages[i];
    for (size_t i = 0; i < PAGES; i++) {
        if (is_hole(i))
            munmap((char *)pages + i * PAGE, PAGE);
    }
    shared->words[0] = (uint64_t)(uintptr_t)pages;
    child_ready();
    for (;;)
        pause();
}

static struct process_memory memory;
static pid_t child;

static int start(void **state)
{
    (void)state;
    child = child_start(body);
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/mem", (int)child);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    process_memory_init(&memory, child, fd);
    return 0;
}

static int end(void **state)
{
    (void)state;
    if (child)
        child_end(child);
    close(memory.fd);
    return 0;
}

static void one_word__is_read(void **state)
{
    (void)state;
    uint64_t word;
    assert_true(mem_read(&memory.reader, shared->words[0] + 16, &word, sizeof(word)));
    assert_int_equal(word, shared->words[0] + 16);
}

/* Pieces of one word at every place, in an order that mixes good and bad ones. */
static void assert_pieces(size_t count)
{
    struct mem_piece *pieces = calloc(count, sizeof(*pieces));
    uint64_t *words = calloc(count, sizeof(*words));
    const size_t all = PAGES * PAGE / sizeof(uint64_t);
    for (size_t i = 0; i < count; i++)
        pieces[i] = (struct mem_piece){
            .address = shared->words[0] + i * 7919 % all * sizeof(uint64_t),
            .to = &words[i],
            .bytes = sizeof(uint64_t),
        };
    memory.reader.read(&memory.reader, pieces, count);
    for (size_t i = 0; i < count; i++) {
        bool hole = is_hole((size_t)(pieces[i].address - shared->words[0]) / PAGE);
        assert_int_equal(pieces[i].ok, !hole);
        if (!hole)
            assert_int_equal(words[i], pieces[i].address);
    }
    free(pieces);
    free(words);
}

static void bad_pieces__do_not_spoil_others(void **state)
{
    (void)state;
    for (size_t count = 0; count < 40; count++)
        assert_pieces(count);
    assert_pieces(1023);
    assert_pieces(1024);
    assert_pieces(1025);
    assert_pieces(20000);
}

/* Neighbours are read as one, across what nobody asked for; holes among them spoil only what lies
 * in them. Three sequences run side by side, as what three processors allocate does. */
static void neighbours__are_each_read(void **state)
{
    enum { STEP = 104, SEQUENCES = 3 };
    static struct mem_piece pieces[PAGES * PAGE / STEP];
    static uint64_t words[PAGES * PAGE / STEP][3];
    const size_t each = PAGES * PAGE / STEP / SEQUENCES;
    (void)state;
    for (size_t i = 0; i < each * SEQUENCES; i++)
        pieces[i] = (struct mem_piece){
            .address = shared->words[0] + (i % SEQUENCES * each + i / SEQUENCES) * STEP,
            .to = words[i],
            .bytes = sizeof(words[i]),
        };
    memory.reader.read(&memory.reader, pieces, each * SEQUENCES);
    for (size_t i = 0; i < each * SEQUENCES; i++) {
        uint64_t first = pieces[i].address - shared->words[0];
        bool hole = is_hole(first / PAGE) || is_hole((first + sizeof(words[i]) - 1) / PAGE);
        assert_int_equal(pieces[i].ok, !hole);
        for (size_t k = 0; k < 3 && !hole; k++)
            assert_int_equal(words[i][k], pieces[i].address + 8 * k);
    }
}

static void piece_over_a_hole__is_not_read(void **state)
{
    (void)state;
    static char to[3 * PAGE];
    struct mem_piece pieces[] = {
        {shared->words[0], to, PAGE, false},
        {shared->words[0] + PAGE - 8, to + PAGE, 16, true},     /* ends in a hole */
        {shared->words[0] + 2 * PAGE - 8, to + PAGE, 16, true}, /* begins in one */
        {shared->words[0] + 2 * PAGE, to, 2 * PAGE, false},
        {shared->words[0] + 2 * PAGE, to, 3 * PAGE - 1, true},
    };
    memory.reader.read(&memory.reader, pieces, 5);
    assert_true(pieces[0].ok);
    assert_false(pieces[1].ok);
    assert_false(pieces[2].ok);
    assert_true(pieces[3].ok);
    assert_false(pieces[4].ok);
}

static void strange_addresses__are_not_read(void **state)
{
    (void)state;
    char to[16];
    struct mem_piece pieces[] = {
        {0, to, 8, true},
        {UINT64_MAX, to, 8, true},
        {UINT64_MAX - 3, to, 8, true},
        {UINT64_C(0xffffffff81000000), to, 8, true},
        {UINT64_C(1) << 63, to, 8, true},
        {shared->words[0], to, 8, false},
        {shared->words[0], to, 0, false},
    };
    memory.reader.read(&memory.reader, pieces, 7);
    for (size_t i = 0; i < 5; i++)
        assert_false(pieces[i].ok);
    assert_true(pieces[5].ok);
    assert_true(pieces[6].ok);
}

/* Addresses that cannot be read take no room in a call. */
static void many_strange_addresses__do_not_spoil_others(void **state)
{
    enum { STRANGE = 5000, GOOD = 1000 };
    static struct mem_piece pieces[STRANGE + GOOD];
    static uint64_t words[STRANGE + GOOD];
    (void)state;
    for (size_t i = 0; i < STRANGE + GOOD; i++)
        pieces[i] = (struct mem_piece){
            .address = i < STRANGE ? UINT64_MAX - 8 * i : shared->words[0] + i % 64 * 8,
            .to = &words[i],
            .bytes = sizeof(words[i]),
        };
    memory.reader.read(&memory.reader, pieces, STRANGE + GOOD);
    for (size_t i = 0; i < STRANGE + GOOD; i++) {
        assert_int_equal(pieces[i].ok, i >= STRANGE);
        if (pieces[i].ok)
            assert_int_equal(words[i], pieces[i].address);
    }
}

static void ended_process__nothing_is_read(void **state)
{
    (void)state;
    char to[8];
    child_end(child);
    child = 0;
    struct mem_piece pieces[] = {{shared->words[0], to, 8, true}, {shared->words[0], to, 8, true}};
    memory.reader.read(&memory.reader, pieces, 2);
    assert_false(pieces[0].ok);
    assert_false(pieces[1].ok);
    assert_true(memory.gone);
}

/* From now on, process_vm_readv fails with `error`. */
static void forbid(int error)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(filter) / sizeof(*filter), filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        _exit(77);
}

/* Reads as `assert_pieces` does, without process_vm_readv, in a process of its own. */
static void read_without(int error)
{
    pid_t reader = fork();
    if (reader == 0) {
        forbid(error);
        const size_t all = PAGES * PAGE / sizeof(uint64_t);
        for (size_t i = 0; i < 5000; i++) {
            uint64_t word = 0, address = shared->words[0] + i * 7919 % all * sizeof(word);
            bool hole = is_hole((size_t)(address - shared->words[0]) / PAGE);
            bool ok = mem_read(&memory.reader, address, &word, sizeof(word));
            if (ok == hole || (ok && word != address))
                _exit(1);
        }
        _exit(memory.by_file ? 0 : 2);
    }
    int status;
    assert_int_equal(waitpid(reader, &status, 0), reader);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void call_is_forbidden__the_file_is_read(void **state)
{
    (void)state;
    read_without(EPERM);
    read_without(ENOSYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_word__is_read, start, end),
        cmocka_unit_test_setup_teardown(bad_pieces__do_not_spoil_others, start, end),
        cmocka_unit_test_setup_teardown(neighbours__are_each_read, start, end),
        cmocka_unit_test_setup_teardown(piece_over_a_hole__is_not_read, start, end),
        cmocka_unit_test_setup_teardown(strange_addresses__are_not_read, start, end),
        cmocka_unit_test_setup_teardown(many_strange_addresses__do_not_spoil_others, start, end),
        cmocka_unit_test_setup_teardown(ended_process__nothing_is_read, start, end),
        cmocka_unit_test_setup_teardown(call_is_forbidden__the_file_is_read, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
