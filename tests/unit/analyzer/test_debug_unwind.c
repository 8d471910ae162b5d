/* Stacks of this process, read as those of any other; and the expressions of unwind tables. */
#include <dwarf.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <cmocka.h>

#include "analyzer/debug/expression.h"
#include "analyzer/debug/unwind.h"
#include "analyzer/process/image.h"
#include "preload/recording.h"

/* ---- a stack whose return addresses are known ---- */

struct parked {
    ucontext_t context;
    uint64_t returns[3]; /* of leaf, middle, outer */
    uint64_t frame;      /* of leaf */
    sem_t ready, over;
};

__attribute__((noinline)) static void leaf(struct parked *parked)
{
    parked->returns[0] = (uint64_t)__builtin_return_address(0);
    parked->frame = (uint64_t)__builtin_frame_address(0);
    getcontext(&parked->context);
    sem_post(&parked->ready);
    while (sem_wait(&parked->over) != 0)
        ;
}

__attribute__((noinline)) static void middle(struct parked *parked)
{
    parked->returns[1] = (uint64_t)__builtin_return_address(0);
    volatile char *room = __builtin_alloca(32 + (parked->returns[1] & 1)); /* no fixed size */
    room[0] = 1;
    leaf(parked);
    room[1] = room[0];
}

__attribute__((noinline)) static void outer(struct parked *parked)
{
    parked->returns[2] = (uint64_t)__builtin_return_address(0);
    middle(parked);
    __asm__ volatile("");
}

static void *run(void *arg)
{
    outer(arg);
    __asm__ volatile("");
    return NULL;
}

struct fixture {
    struct image image;
    struct debug_unwind *unwind;
    struct parked parked;
    pthread_t thread;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    struct err err = {0};
    memset(&fixture, 0, sizeof(fixture));
    sem_init(&fixture.parked.ready, 0, 0);
    sem_init(&fixture.parked.over, 0, 0);
    assert_int_equal(pthread_create(&fixture.thread, NULL, run, &fixture.parked), 0);
    while (sem_wait(&fixture.parked.ready) != 0)
        ;
    assert_true(image_open_process(&fixture.image, getpid(), &err));
    fixture.unwind = debug_unwind_create(&fixture.image);
    assert_non_null(fixture.unwind);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    debug_unwind_destroy(fixture->unwind);
    image_close(&fixture->image);
    sem_post(&fixture->parked.over);
    pthread_join(fixture->thread, NULL);
    return 0;
}

static struct image_registers registers_of(const ucontext_t *context)
{
    static const int numbers[IMAGE_REGISTERS] = {
        REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8,
        REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP,
    };
    struct image_registers registers = {.known = (1U << IMAGE_REGISTERS) - 1};
    for (int i = 0; i < IMAGE_REGISTERS; i++)
        registers.value[i] = (uint64_t)context->uc_mcontext.gregs[numbers[i]];
    return registers;
}

static void known_registers__walk__finds_every_caller(void **state)
{
    struct fixture *fixture = *state;
    struct image_registers registers = registers_of(&fixture->parked.context);
    uint64_t pcs[DEBUG_UNWIND_DEPTH];
    uint16_t flags;
    size_t count = debug_unwind_walk(fixture->unwind, &registers, NULL, pcs, &flags);
    assert_true(count >= 5); /* leaf, middle, outer, run, what the C library begins threads with */
    assert_int_equal(pcs[0], registers.value[IMAGE_REGISTER_PC]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pcs[i + 1], fixture->parked.returns[i]);
    assert_int_equal(flags, 0);
    assert_int_equal(debug_unwind_lacking(fixture->unwind), 0);

    /* Again, by what is kept. */
    uint64_t again[DEBUG_UNWIND_DEPTH];
    assert_int_equal(debug_unwind_walk(fixture->unwind, &registers, NULL, again, &flags), count);
    assert_memory_equal(pcs, again, count * sizeof(*pcs));
}

/* As a core's module has it whose file is gone: the tables that it tells of are in memory alone. */
static void file_of_debug_information_alone__walk__is_by_the_tables_in_memory(void **state)
{
    struct fixture *fixture = *state;
    char path[] = "/tmp/leakspy-unwind.XXXXXX", command[128];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    snprintf(command, sizeof(command), "objcopy --only-keep-debug /proc/%d/exe %s", (int)getpid(),
             path);
    assert_int_equal(system(command), 0);
    for (size_t i = 0; i < fixture->image.module_count; i++) {
        if (fixture->image.modules[i].is_exe)
            fixture->image.modules[i].file = path;
    }
    struct image_registers registers = registers_of(&fixture->parked.context);
    uint64_t pcs[DEBUG_UNWIND_DEPTH];
    uint16_t flags;
    size_t count = debug_unwind_walk(fixture->unwind, &registers, NULL, pcs, &flags);
    unlink(path);
    assert_true(count >= 5);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pcs[i + 1], fixture->parked.returns[i]);
    assert_int_equal(flags, 0);
}

static void unknown_frame_pointer__walk__says_what_it_lacks(void **state)
{
    struct fixture *fixture = *state;
    struct image_registers registers = registers_of(&fixture->parked.context);
    uint64_t pcs[DEBUG_UNWIND_DEPTH];
    uint16_t flags;
    /* From the frame of `middle`, which is found by the frame pointer alone. */
    registers.value[IMAGE_REGISTER_PC] = fixture->parked.returns[0];
    registers.known = 1U << IMAGE_REGISTER_PC | 1U << IMAGE_REGISTER_SP;
    assert_int_equal(debug_unwind_walk(fixture->unwind, &registers, NULL, pcs, &flags), 1);
    assert_int_equal(pcs[0], fixture->parked.returns[0]);
    assert_int_equal(flags, REC_SITE_BROKEN);
    assert_int_equal(debug_unwind_lacking(fixture->unwind), 1U << IMAGE_REGISTER_FP);
}

static void copy_of_the_stack__walk__is_read_before_memory(void **state)
{
    struct fixture *fixture = *state;
    struct image_registers registers = registers_of(&fixture->parked.context);
    uint64_t pcs[DEBUG_UNWIND_DEPTH], plain[DEBUG_UNWIND_DEPTH];
    uint16_t flags;
    size_t count = debug_unwind_walk(fixture->unwind, &registers, NULL, plain, &flags);
    uint64_t sp = registers.value[IMAGE_REGISTER_SP];
    size_t bytes = fixture->parked.frame + 256 - sp;
    unsigned char *copy = malloc(bytes);
    assert_non_null(copy);
    assert_true(mem_read(fixture->image.memory, sp, copy, bytes));
    /* Another return address of the same function, where the real one stands in memory. */
    uint64_t changed = fixture->parked.returns[0] + 1;
    size_t at = 0;
    while (at + 8 <= bytes && memcmp(copy + at, &fixture->parked.returns[0], 8) != 0)
        at += 8;
    assert_true(at + 8 <= bytes);
    memcpy(copy + at, &changed, 8);
    struct image_stop stop = {.stack_address = sp, .stack_bytes = bytes, .stack = copy};
    debug_unwind_walk(fixture->unwind, &registers, &stop, pcs, &flags);
    free(copy);
    assert_true(count > 1);
    assert_int_equal(plain[1], fixture->parked.returns[0]);
    assert_int_equal(pcs[1], changed);
}

static void stack_of_nonsense__walk__ends_as_broken(void **state)
{
    struct fixture *fixture = *state;
    struct image_registers registers = registers_of(&fixture->parked.context);
    uint64_t pcs[DEBUG_UNWIND_DEPTH];
    uint16_t flags;
    static const uint64_t pointers[] = {0, 1, 8, 4096, UINT64_MAX - 7, 1 << 20};
    for (size_t i = 0; i < sizeof(pointers) / sizeof(pointers[0]); i++) {
        registers.value[IMAGE_REGISTER_SP] = registers.value[IMAGE_REGISTER_FP] = pointers[i];
        size_t count = debug_unwind_walk(fixture->unwind, &registers, NULL, pcs, &flags);
        assert_int_equal(count, 1);
        assert_int_equal(flags, REC_SITE_BROKEN);
    }
    registers.value[IMAGE_REGISTER_PC] = (uint64_t)pcs; /* no code */
    assert_int_equal(debug_unwind_walk(fixture->unwind, &registers, NULL, pcs, &flags), 1);
    assert_int_equal(flags, REC_SITE_BROKEN);

    /* A stack that is nothing but one return address: it comes to an end. */
    uint64_t *words =
        mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(words, MAP_FAILED);
    for (size_t i = 0; i < (1 << 16) / sizeof(*words); i++)
        words[i] = fixture->parked.returns[1];
    registers.value[IMAGE_REGISTER_PC] = fixture->parked.returns[1];
    registers.value[IMAGE_REGISTER_SP] = registers.value[IMAGE_REGISTER_FP] = (uint64_t)words;
    size_t count = debug_unwind_walk(fixture->unwind, &registers, NULL, pcs, &flags);
    assert_true(count >= 1 && count <= DEBUG_UNWIND_DEPTH);
    assert_int_not_equal(flags, 0);
    munmap(words, 1 << 16);
}

/* ---- through a signal's frame ---- */

static struct parked in_handler;

static void handle(int number)
{
    (void)number;
    outer(&in_handler);
}

__attribute__((noinline)) static void interrupted(void)
{
    raise(SIGUSR1);
    __asm__ volatile("");
}

static void *run_interrupted(void *arg)
{
    interrupted();
    __asm__ volatile("");
    return arg;
}

static void signal_frame__walk__goes_on_to_who_was_interrupted(void **state)
{
    struct fixture *fixture = *state;
    struct sigaction action = {.sa_handler = handle};
    pthread_t thread;
    uint64_t pcs[DEBUG_UNWIND_DEPTH];
    uint16_t flags;
    sem_init(&in_handler.ready, 0, 0);
    sem_init(&in_handler.over, 0, 0);
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, run_interrupted, NULL), 0);
    while (sem_wait(&in_handler.ready) != 0)
        ;
    /* The thread's stack is younger than the list of mappings, its code is not. */
    struct image_registers registers = registers_of(&in_handler.context);
    size_t count = debug_unwind_walk(fixture->unwind, &registers, NULL, pcs, &flags);
    sem_post(&in_handler.over);
    pthread_join(thread, NULL);
    bool found = false;
    for (size_t i = 0; i < count; i++)
        found = found || (pcs[i] > (uint64_t)interrupted && pcs[i] < (uint64_t)interrupted + 64);
    assert_true(found);
    assert_int_equal(flags, 0);
}

/* ---- stacks that a program makes for itself ---- */

/* Where make_fcontext of Boost.Context has a coroutine return to. */
void coroutine_end(void);
__asm__(".text\n"
        "nop\n" /* an address before it that no table tells of */
        ".type coroutine_end, @function\n"
        "coroutine_end: xorq %rdi, %rdi\n"
        "call _exit@PLT\n"
        "hlt\n"
        "nop\n");

static void stack_of_a_coroutine__walk__is_whole(void **state)
{
    struct fixture *fixture = *state;
    static char stack[65536] __attribute__((aligned(16)));
    static ucontext_t context, next;
    uint64_t pcs[DEBUG_UNWIND_DEPTH];
    uint16_t flags;
    assert_int_equal(getcontext(&context), 0);
    context.uc_stack.ss_sp = stack;
    context.uc_stack.ss_size = sizeof(stack);
    context.uc_link = &next;
    makecontext(&context, interrupted, 0);
    struct image_registers registers = registers_of(&context);
    registers.value[IMAGE_REGISTER_PC]++; /* where a function begins, it called nothing yet */
    uint64_t *returns_to = (uint64_t *)registers.value[IMAGE_REGISTER_SP];
    const uint64_t ends[] = {*returns_to, (uint64_t)coroutine_end};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        *returns_to = ends[i];
        assert_int_equal(debug_unwind_walk(fixture->unwind, &registers, NULL, pcs, &flags), 2);
        assert_int_equal(pcs[1], ends[i]);
        assert_int_equal(flags, 0);
        assert_int_equal(debug_unwind_lacking(fixture->unwind), 0);
    }
    *returns_to = (uint64_t)coroutine_end + 1; /* something else that no table tells of */
    assert_int_equal(debug_unwind_walk(fixture->unwind, &registers, NULL, pcs, &flags), 2);
    assert_int_equal(flags, REC_SITE_BROKEN);
}

/* ---- expressions ---- */

struct words {
    struct cfi_memory memory;
    uint64_t first;
    uint64_t words[4];
};

static bool read_words(struct cfi_memory *memory, uint64_t address, uint64_t *ret)
{
    const struct words *words = (const struct words *)memory;
    if (address % 8 != 0 || address < words->first ||
        address >= words->first + sizeof(words->words))
        return false;
    *ret = words->words[(address - words->first) / 8];
    return true;
}

static struct words memory = {{read_words}, 0x1000, {1, 0xffffffffffffffff, 0x2000, 7}};
static struct image_registers some = {.known = 1U << 7 | 1U << 16};

/* Runs operations; true: the result is in *ret. */
static bool run_ops(const Dwarf_Op *ops, size_t count, struct debug_value *ret)
{
    some.value[7] = 0x1000;
    struct debug_expression expression = {.registers = &some,
                                          .pc = 0x40100b,
                                          .memory = &memory.memory,
                                          .has_cfa = true,
                                          .cfa = 0x1008};
    return debug_expression_run(&expression, ops, count, ret);
}
#define RUN(ret, ...)                                                                              \
    run_ops((const Dwarf_Op[]){__VA_ARGS__},                                                       \
            sizeof((const Dwarf_Op[]){__VA_ARGS__}) / sizeof(Dwarf_Op), ret)

/* The CFA in a procedure linkage table, as linkers write it: two words from the 11th byte of an
 * entry on, one before. */
static void expression_of_a_linkage_table__run__depends_on_the_pc(void **state)
{
    (void)state;
    struct debug_value value;
    assert_true(RUN(&value, {.atom = DW_OP_breg7, .number = 8}, {.atom = DW_OP_breg16},
                    {.atom = DW_OP_lit15}, {.atom = DW_OP_and}, {.atom = DW_OP_lit11},
                    {.atom = DW_OP_ge}, {.atom = DW_OP_lit3}, {.atom = DW_OP_shl},
                    {.atom = DW_OP_plus}));
    assert_int_equal(value.number, 0x1010);
    assert_false(value.is_value);
}

static void operations__run__do_as_the_standard_says(void **state)
{
    (void)state;
    static const struct {
        uint64_t a, b;
        uint8_t atom;
        uint64_t result;
    } binary[] = {
        {5, 3, DW_OP_minus, 2},
        {5, 3, DW_OP_mul, 15},
        {6, 3, DW_OP_or, 7},
        {6, 3, DW_OP_xor, 5},
        {1, 70, DW_OP_shl, 0},
        {16, 2, DW_OP_shr, 4},
        {5, 5, DW_OP_eq, 1},
        {5, 4, DW_OP_ne, 1},
        {4, 5, DW_OP_lt, 1},
        {5, 5, DW_OP_le, 1},
        {6, 5, DW_OP_gt, 1},
        {UINT64_MAX, 0, DW_OP_lt, 1},
        {UINT64_MAX - 15, 2, DW_OP_shra, UINT64_MAX - 3},
        {7, 2, DW_OP_div, 3},
        {(uint64_t)-7, 2, DW_OP_div, (uint64_t)-3},
        {(uint64_t)INT64_MIN, UINT64_MAX, DW_OP_div, (uint64_t)INT64_MIN},
        {7, 2, DW_OP_mod, 1},
        {UINT64_MAX, 10, DW_OP_mod, 5},
    };
    struct debug_value value;
    for (size_t i = 0; i < sizeof(binary) / sizeof(binary[0]); i++) {
        assert_true(RUN(&value, {.atom = DW_OP_const8u, .number = binary[i].a},
                        {.atom = DW_OP_const8u, .number = binary[i].b}, {.atom = binary[i].atom}));
        assert_int_equal(value.number, binary[i].result);
    }
    assert_true(
        RUN(&value, {.atom = DW_OP_call_frame_cfa}, {.atom = DW_OP_deref_size, .number = 4}));
    assert_int_equal(value.number, 0xffffffff);
    assert_true(RUN(&value, {.atom = DW_OP_breg7, .number = 24}, {.atom = DW_OP_deref},
                    {.atom = DW_OP_stack_value}));
    assert_int_equal(value.number, 7);
    assert_true(value.is_value);
    assert_true(RUN(&value, {.atom = DW_OP_reg6}));
    assert_true(value.is_register);
    assert_int_equal(value.number, 6);
    /* A branch over an operation: 1, or else 2. */
    assert_true(RUN(&value, {.atom = DW_OP_lit1, .offset = 0}, {.atom = DW_OP_lit1, .offset = 1},
                    {.atom = DW_OP_bra, .number = 2, .offset = 2},
                    {.atom = DW_OP_drop, .offset = 5}, {.atom = DW_OP_lit2, .offset = 6},
                    {.atom = DW_OP_nop, .offset = 7}));
    assert_int_equal(value.number, 1);
}

/* From the top on 3, 2, 1 become 2, 1, 3. */
static void rotation__run__puts_the_top_below_the_next_two(void **state)
{
    (void)state;
    static const uint64_t from_top[] = {2, 1, 3};
    struct debug_value value;
    for (uint64_t i = 0; i < sizeof(from_top) / sizeof(from_top[0]); i++) {
        assert_true(RUN(&value, {.atom = DW_OP_lit1}, {.atom = DW_OP_lit2}, {.atom = DW_OP_lit3},
                        {.atom = DW_OP_rot}, {.atom = DW_OP_pick, .number = i}));
        assert_int_equal(value.number, from_top[i]);
    }
    assert_false(RUN(&value, {.atom = DW_OP_lit1}, {.atom = DW_OP_lit2}, {.atom = DW_OP_rot}));
}

/* Words are read where they are aligned; the memory is 01 00.. 00, ff.. ff, 00 20 00.., 07 00... */
static void part_of_a_word__read__is_there_wherever_it_is(void **state)
{
    (void)state;
    static const struct {
        uint64_t offset, bytes, result;
    } rows[] = {
        {0, 1, 1},          {1, 1, 0},
        {7, 1, 0},          {15, 1, 0xff},
        {17, 1, 0x20},      {4, 4, 0},
        {6, 4, 0xffff0000}, {14, 4, 0x2000ffff},
        {7, 2, 0xff00},     {13, 5, 0x2000ffffff},
        {28, 4, 0},         {4, 8, 0xffffffff00000000},
    };
    struct debug_value value;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_true(RUN(&value, {.atom = DW_OP_breg7, .number = rows[i].offset},
                        {.atom = DW_OP_deref_size, .number = (uint8_t)rows[i].bytes}));
        assert_int_equal(value.number, rows[i].result);
    }
    /* Its second half is beyond the memory's end. */
    assert_false(
        RUN(&value, {.atom = DW_OP_breg7, .number = 30}, {.atom = DW_OP_deref_size, .number = 4}));
}

/* 5 if the branch goes to the end, else 6. */
static void branch__to_the_end__ends(void **state)
{
    (void)state;
    static const struct {
        Dwarf_Op last;
        uint64_t bytes; /* of it */
    } rows[] = {
        {{.atom = DW_OP_lit6}, 1},
        {{.atom = DW_OP_const1u, .number = 6}, 2},
        {{.atom = DW_OP_const2s, .number = 6}, 3},
        {{.atom = DW_OP_const4u, .number = 6}, 5},
        {{.atom = DW_OP_addr, .number = 6}, 9},
        {{.atom = DW_OP_constu, .number = 6}, 2},
        {{.atom = DW_OP_constu, .number = 0x80}, 3},
        {{.atom = DW_OP_consts, .number = 0x3f}, 2},
        {{.atom = DW_OP_consts, .number = 0x40}, 3},
        {{.atom = DW_OP_consts, .number = (uint64_t)-0x40}, 2},
        {{.atom = DW_OP_consts, .number = (uint64_t)-0x41}, 3},
        {{.atom = DW_OP_consts, .number = (uint64_t)INT64_MIN}, 11},
        {{.atom = DW_OP_breg7, .number = 8}, 2},
        {{.atom = DW_OP_bregx, .number = 7, .number2 = (uint64_t)-0x41}, 4},
        {{.atom = DW_OP_plus_uconst, .number = UINT64_MAX}, 11},
    };
    struct debug_value value;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (uint64_t to = 0; to < 14; to++) {
            Dwarf_Op ops[] = {{.atom = DW_OP_lit5, .offset = 0},
                              {.atom = DW_OP_skip, .number = to, .offset = 1},
                              rows[i].last};
            ops[2].offset = 4;
            bool run = run_ops(ops, 3, &value);
            assert_int_equal(run, to == 0 || to == rows[i].bytes);
            if (to == rows[i].bytes)
                assert_int_equal(value.number, 5);
        }
    }
}

static void hostile_expression__run__is_refused(void **state)
{
    (void)state;
    struct debug_value value;
    Dwarf_Op many[100];
    for (size_t i = 0; i < 100; i++)
        many[i] = (Dwarf_Op){.atom = DW_OP_lit1};
    assert_false(run_ops(many, 100, &value));                               /* too deep */
    assert_false(RUN(&value, {.atom = DW_OP_plus}));                        /* nothing there */
    assert_false(RUN(&value, {.atom = DW_OP_nop}));                         /* leaves nothing */
    assert_false(RUN(&value, {.atom = DW_OP_breg3}));                       /* not known */
    assert_false(RUN(&value, {.atom = DW_OP_lit0}, {.atom = DW_OP_deref})); /* not readable */
    assert_false(RUN(&value, {.atom = DW_OP_lit1},
                     {.atom = DW_OP_skip, .number = (Dwarf_Word)-3, .offset = 1}));
    assert_false(RUN(&value, {.atom = DW_OP_lit1},
                     {.atom = DW_OP_skip, .number = 99, .offset = 1})); /* out of it */
    assert_false(RUN(&value, {.atom = DW_OP_lit1}, {.atom = DW_OP_pick, .number = 9}));
    assert_false(RUN(&value, {.atom = DW_OP_call_ref, .number = 9}));
    assert_false(RUN(&value, {.atom = DW_OP_lit1}, {.atom = DW_OP_lit0}, {.atom = DW_OP_div}));
    assert_false(RUN(&value, {.atom = DW_OP_lit1}, {.atom = DW_OP_lit0}, {.atom = DW_OP_mod}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            file_of_debug_information_alone__walk__is_by_the_tables_in_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(known_registers__walk__finds_every_caller, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(unknown_frame_pointer__walk__says_what_it_lacks, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(copy_of_the_stack__walk__is_read_before_memory, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(stack_of_nonsense__walk__ends_as_broken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(signal_frame__walk__goes_on_to_who_was_interrupted, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(stack_of_a_coroutine__walk__is_whole, set_up, tear_down),
        cmocka_unit_test(expression_of_a_linkage_table__run__depends_on_the_pc),
        cmocka_unit_test(operations__run__do_as_the_standard_says),
        cmocka_unit_test(rotation__run__puts_the_top_below_the_next_two),
        cmocka_unit_test(part_of_a_word__read__is_there_wherever_it_is),
        cmocka_unit_test(branch__to_the_end__ends),
        cmocka_unit_test(hostile_expression__run__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
