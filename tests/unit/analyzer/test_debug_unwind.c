/* Stacks of this process, read as those of any other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
