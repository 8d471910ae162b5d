/* What pclntab.c and go_unwind.c say of a running Go program equals what the program says of
 * itself; and whatever stands in the table, they come to an end inside their bounds. */
#include "preload/goscan/pclntab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <cmocka.h>

#include "tests/unit/go_places.h"
#include "tests/unit/random.h"

/* Memory of another process, and how often it was asked. */
struct process_reader {
    struct mem_reader reader;
    pid_t pid;
    unsigned reads;
};

static void read_process(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    struct process_reader *process = (struct process_reader *)reader;
    for (size_t i = 0; i < count; i++) {
        struct iovec here = {pieces[i].to, pieces[i].bytes};
        struct iovec there = {(void *)pieces[i].address, pieces[i].bytes};
        ssize_t bytes = process_vm_readv(process->pid, &here, 1, &there, 1, 0);
        pieces[i].ok = bytes == (ssize_t)pieces[i].bytes;
        process->reads++;
    }
}

/* Memory that is an array, exactly so large that a sanitizer sees what leads outside. */
struct array_reader {
    struct mem_reader reader;
    const uint8_t *bytes;
    uint64_t start, count;
};

static void read_array(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    struct array_reader *array = (struct array_reader *)reader;
    for (size_t i = 0; i < count; i++) {
        uint64_t into = pieces[i].address - array->start;
        pieces[i].ok = pieces[i].address >= array->start && into <= array->count &&
                       pieces[i].bytes <= array->count - into;
        if (pieces[i].ok)
            memcpy(pieces[i].to, array->bytes + into, pieces[i].bytes);
    }
}

#define RULES_BITS 10
#define STACK_BYTES (256 * 1024)

/* A scene of the fixture, its table opened, and the stack of its blocked thread. */
struct place {
    struct scene scene;
    struct process_reader process;
    struct pclntab table;
    struct go_unwind_rule rules[1 << RULES_BITS];
    struct go_unwinder unwinder;
    uint8_t *stack;
    size_t stack_bytes;
};

static void open_place(struct place *ret, const char *mode, const char *scene)
{
    const char *program = go_places_program(mode);
    memset(ret, 0, sizeof(*ret));
    scene_start(program, scene, &ret->scene);
    ret->process = (struct process_reader){{read_process}, ret->scene.pid, 0};
    uint64_t bias = ret->scene.anchor - symbol_value(program, "main.anchor");
    uint64_t module = symbol_value(program, "runtime.firstmoduledata");
    assert_true(module != 0);
    assert_true(pclntab_open_module(&ret->table, &ret->process.reader, module + bias, GO_MINOR));
    ret->unwinder = (struct go_unwinder){&ret->table, ret->rules, RULES_BITS, 0};
    ret->stack = malloc(STACK_BYTES);
    assert_non_null(ret->stack);
    while (ret->stack_bytes < STACK_BYTES &&
           mem_read(&ret->process.reader, ret->scene.sp + ret->stack_bytes,
                    ret->stack + ret->stack_bytes, 1024))
        ret->stack_bytes += 1024;
    assert_true(ret->stack_bytes > 0);
}

static void close_place(struct place *place)
{
    free(place->stack);
    scene_end(&place->scene);
}

static void unwind(struct place *place, struct go_stack *ret)
{
    go_unwind(&place->unwinder, place->scene.pc, place->scene.sp, place->stack, place->scene.sp,
              place->stack_bytes, ret);
}

/* Names the frames of a stack as Go's tracebacks do, and compares those outside of main.leaf. */
static size_t compare_calls(const struct place *place, const struct go_stack *stack)
{
    static struct pclntab_call calls[PCLNTAB_MAX_INLINED];
    const struct told *told = &place->scene.told;
    size_t compared = 0;
    bool outside = false;
    uint8_t last = PCLNTAB_PLAIN;
    for (uint32_t i = 0; i < stack->count; i++) {
        size_t count = pclntab_calls(&place->table, stack->pcs[i] - 1, calls);
        assert_true(count > 0);
        for (size_t j = 0; j < count; j++) {
            bool hidden = calls[j].role == PCLNTAB_WRAPPER && last != PCLNTAB_PANIC &&
                          last != PCLNTAB_SIGPANIC;
            last = calls[j].role;
            if (outside && !hidden) {
                assert_true(compared < told->count);
                const struct told_call *call = &told->calls[compared++];
                assert_string_equal(calls[j].function, call->function);
                assert_string_equal(calls[j].file, call->file);
                assert_int_equal(calls[j].line, call->line);
            }
            outside = outside || strcmp(calls[j].function, "main.leaf") == 0;
        }
    }
    return compared;
}

static void assert_scene(const char *mode, const char *scene)
{
    static struct place place;
    static struct go_stack stack;
    if (!go_places_is_there(mode))
        skip();
    open_place(&place, mode, scene);
    unwind(&place, &stack);
    assert_false(stack.broken);
    assert_false(stack.cut);
    /* The program's list begins with main.leaf's caller. */
    assert_int_equal(compare_calls(&place, &stack), place.scene.told.count);
    close_place(&place);
}

#define SCENE(mode, name)                                                                          \
    static void mode##_##name##__unwinds__as_the_program_says(void **state)                        \
    {                                                                                              \
        (void)state;                                                                               \
        assert_scene(#mode, #name);                                                                \
    }
#define SCENES(X)                                                                                  \
    X(static, inlined)                                                                             \
    X(static, generic)                                                                             \
    X(static, visited)                                                                             \
    X(static, interface)                                                                           \
    X(static, method)                                                                              \
    X(static, crash)                                                                               \
    X(static, panic)                                                                               \
    X(static, wrapper)                                                                             \
    X(static, reflect)                                                                             \
    X(static, deep)                                                                                \
    X(static, deferred)                                                                            \
    X(static, all)                                                                                 \
    X(cgo, c)                                                                                      \
    X(cgo, all)                                                                                    \
    X(pie, all)                                                                                    \
    X(race, all)
SCENES(SCENE)

static void known_stack__unwinds_again__without_reading(void **state)
{
    (void)state;
    static struct place place;
    static struct go_stack first, second;
    if (!go_places_is_there("static"))
        skip();
    open_place(&place, "static", "all");
    unwind(&place, &first);
    unsigned reads = place.process.reads;
    unwind(&place, &second);
    assert_int_equal(place.process.reads, reads);
    assert_int_equal(second.count, first.count);
    assert_memory_equal(second.pcs, first.pcs, first.count * sizeof(first.pcs[0]));
    close_place(&place);
}

static void full_table_of_rules__unwinds__the_same(void **state)
{
    (void)state;
    static struct place place;
    static struct go_stack roomy, full;
    if (!go_places_is_there("static"))
        skip();
    open_place(&place, "static", "all");
    unwind(&place, &roomy);
    memset(place.rules, 0, sizeof(place.rules));
    place.unwinder = (struct go_unwinder){&place.table, place.rules, 2, 0};
    for (int i = 0; i < 2; i++) {
        unwind(&place, &full);
        assert_int_equal(full.count, roomy.count);
        assert_memory_equal(full.pcs, roomy.pcs, roomy.count * sizeof(roomy.pcs[0]));
    }
    assert_true(place.unwinder.rules_used < 4);
    close_place(&place);
}

static void deep_stack__unwinds__cut(void **state)
{
    (void)state;
    static struct place place;
    static struct go_stack stack;
    if (!go_places_is_there("static"))
        skip();
    open_place(&place, "static", "cut");
    unwind(&place, &stack);
    assert_int_equal(stack.count, GO_STACK_DEPTH);
    assert_true(stack.cut);
    assert_false(stack.broken);
    assert_int_equal(compare_calls(&place, &stack) > 100, 1);
    close_place(&place);
}

/* However little of the stack there is, what was unwound of it is right, and it is said. */
static void half_a_stack__unwinds__broken(void **state)
{
    (void)state;
    static struct place place;
    static struct go_stack whole, half;
    if (!go_places_is_there("static"))
        skip();
    open_place(&place, "static", "all");
    unwind(&place, &whole);
    size_t all = place.stack_bytes;
    unsigned broken = 0;
    for (place.stack_bytes = 0; place.stack_bytes < 4096 && place.stack_bytes < all;
         place.stack_bytes += 4) {
        unwind(&place, &half);
        assert_true(half.count >= 1);
        assert_true(half.count <= whole.count);
        assert_memory_equal(half.pcs, whole.pcs, half.count * sizeof(half.pcs[0]));
        assert_int_equal(half.broken, half.count < whole.count);
        broken += half.broken;
    }
    assert_true(broken > 10);
    place.stack_bytes = all;
    close_place(&place);
}

static void strange_addresses__unwind__broken(void **state)
{
    (void)state;
    static struct place place;
    static struct go_stack stack;
    if (!go_places_is_there("static"))
        skip();
    open_place(&place, "static", "all");
    const uint64_t sp = place.scene.sp, pc = place.scene.pc;
    const struct {
        uint64_t pc, sp;
        uint32_t count;
    } rows[] = {
        {pc, 0, 1},
        {pc, UINT64_MAX, 1},
        {pc, UINT64_MAX - 7, 1},
        {pc, sp + 1, 1},
        {1, sp, 1},
        {UINT64_MAX, sp, 1},
        {0, 0, 0},
        {0, sp + 4, 0},
        {pc, sp - 65536, 1},
        {0x7fff00000000, sp, 1},
        {pc, sp + (1 << 24), 1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        go_unwind(&place.unwinder, rows[i].pc, rows[i].sp, place.stack, sp, place.stack_bytes,
                  &stack);
        assert_true(stack.broken);
        assert_int_equal(stack.count, rows[i].count);
    }
    close_place(&place);
}

/* A goroutine that never ran: its address is the first one of its function. */
static void entry_of_a_function__unwinds__as_that_function(void **state)
{
    (void)state;
    static struct place place;
    static struct go_stack stack;
    if (!go_places_is_there("static"))
        skip();
    open_place(&place, "static", "inlined");
    uint64_t goexit = symbol_value(go_places_program("static"), "runtime.goexit.abi0");
    if (goexit == 0)
        goexit = symbol_value(go_places_program("static"), "runtime.goexit");
    uint64_t words[2] = {goexit + 1, 0};
    go_unwind(&place.unwinder, place.scene.anchor, 0x10000, words, 0x10000, sizeof(words), &stack);
    assert_false(stack.broken);
    assert_int_equal(stack.count, 2);
    assert_true(stack.pcs[0] == place.scene.anchor + 1);
    assert_true(stack.pcs[1] == goexit + 1);

    /* The call of a nil function: the first frame is its caller. */
    go_unwind(&place.unwinder, 0, 0x10000, words, 0x10000, sizeof(words), &stack);
    assert_false(stack.broken);
    assert_int_equal(stack.count, 1);
    close_place(&place);
}

/* ---- Tables that are not in order ---- */

/* A copy of the table of the fixture, with what its funcdata may be in behind it. */
struct copy {
    struct array_reader array;
    struct pclntab table;
    uint8_t *bytes;
};

static void copy_table(struct copy *ret, const struct place *place)
{
    const struct pclntab *table = &place->table;
    uint64_t end = table->end;
    if (table->funcdata >= table->start && table->funcdata < end + (1 << 22))
        end = table->funcdata > end ? table->funcdata + 4096 : end;
    size_t bytes = end - table->start;
    ret->bytes = malloc(bytes);
    assert_non_null(ret->bytes);
    assert_true(mem_read(table->reader, table->start, ret->bytes, bytes));
    ret->array = (struct array_reader){{read_array}, ret->bytes, table->start, bytes};
    assert_true(pclntab_open(&ret->table, &ret->array.reader, table->start, table->end, table->text,
                             table->etext, table->start, table->go_minor));
}

/* Asks for everything at an address. */
static void use(struct pclntab *table, uint64_t pc)
{
    static struct pclntab_call calls[PCLNTAB_MAX_INLINED];
    static struct go_unwind_rule rules[1 << 4];
    static struct go_stack stack;
    static uint64_t words[512];
    struct pclntab_function function;
    char name[16];
    size_t count = pclntab_calls(table, pc, calls);
    assert_true(count <= PCLNTAB_MAX_INLINED);
    for (size_t i = 0; i < count; i++) {
        assert_true(strnlen(calls[i].function, PCLNTAB_NAME_BYTES) < PCLNTAB_NAME_BYTES);
        assert_true(strnlen(calls[i].file, PCLNTAB_NAME_BYTES) < PCLNTAB_NAME_BYTES);
        assert_int_equal(calls[i].inlined, i + 1 < count);
    }
    if (pclntab_find(table, pc, &function)) {
        assert_true(function.entry <= pc && pc < function.end);
        assert_true(pclntab_frame_bytes(table, &function, pc) >= -1);
        if (pclntab_name(table, &function, name, sizeof(name)))
            assert_true(strnlen(name, sizeof(name)) < sizeof(name));
    }
    memset(rules, 0, sizeof(rules));
    for (size_t i = 0; i < 512; i++)
        words[i] = pc;
    struct go_unwinder unwinder = {table, rules, 4, 0};
    go_unwind(&unwinder, pc, 0x10000, words, 0x10000, sizeof(words), &stack);
    assert_true(stack.count <= GO_STACK_DEPTH);
}

/* Flips bits in places that matter: half of them in the header, the table of functions and the
 * records, half anywhere. */
static void flipped_bits__are_read__within_bounds(void **state)
{
    (void)state;
    static struct place place;
    struct copy copy;
    if (!go_places_is_there("static"))
        skip();
    open_place(&place, "static", "inlined");
    copy_table(&copy, &place);
    uint64_t seed = 0x9e3779b97f4a7c15;
    uint64_t functions = copy.table.functions - copy.table.start;
    uint64_t refused = 0;
    for (int round = 0; round < 4000; round++) {
        uint64_t bits[8];
        for (size_t i = 0; i < 8; i++) {
            uint64_t random = next_random(&seed);
            uint64_t byte = i == 0  ? random % 72
                            : i < 4 ? functions + random % (copy.array.count - functions)
                                    : random % copy.array.count;
            bits[i] = byte * 8 + (random >> 60) % 8;
            /* The header's word once in eight rounds: it is mostly refused. */
            if (i > 0 || round % 8 == 0)
                copy.bytes[bits[i] / 8] ^= (uint8_t)(1 << bits[i] % 8);
        }
        struct pclntab table;
        if (pclntab_open(&table, &copy.array.reader, copy.table.start, copy.table.end,
                         copy.table.text, copy.table.etext, copy.table.funcdata,
                         round % 5 == 0 ? 0 : copy.table.go_minor)) {
            for (int i = 0; i < 8; i++)
                use(&table, table.text + next_random(&seed) % (table.etext - table.text));
        } else {
            refused++;
        }
        for (size_t i = 8; i-- > 0;) {
            if (i > 0 || round % 8 == 0)
                copy.bytes[bits[i] / 8] ^= (uint8_t)(1 << bits[i] % 8);
        }
    }
    assert_true(refused > 0 && refused < 500);
    free(copy.bytes);
    close_place(&place);
}

/* A table that says of every address that it is inlined, for ever. */
static void random_tables__are_read__within_bounds(void **state)
{
    (void)state;
    static uint8_t bytes[8192];
    struct array_reader array = {{read_array}, bytes, 0x400000, sizeof(bytes)};
    uint64_t seed = 42;
    for (int round = 0; round < 20000; round++) {
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (uint8_t)(next_random(&seed) >> 32) & (i % 4 == 0   ? 0x7f
                                                              : i % 4 == 1 ? 3
                                                                           : 0);
        const uint64_t header[9] = {
            round % 2 ? 0x08010000fffffff0 : 0x08010000fffffff1, 40, 1, 0, 72, 128, 256, 512, 1024};
        memcpy(bytes, header, sizeof(header));
        /* Functions in order, so that they are found. */
        for (uint32_t i = 0; i <= 40; i++) {
            const uint32_t place[2] = {i * 64, 400 + i * 60};
            memcpy(bytes + 1024 + i * 8, place, sizeof(place));
            if (i < 40)
                memcpy(bytes + 1024 + place[1], &place[0], 4);
        }
        struct pclntab table;
        assert_true(pclntab_open(&table, &array.reader, 0x400000, 0x400000 + sizeof(bytes), 0x10000,
                                 0x10000 + 40 * 64, 0x400000, 0));
        use(&table, 0x10000 + next_random(&seed) % (40 * 64));
    }
}

static void what_is_no_table__is_refused(void **state)
{
    (void)state;
    static struct place place;
    struct copy copy;
    struct pclntab table;
    if (!go_places_is_there("static"))
        skip();
    open_place(&place, "static", "inlined");
    copy_table(&copy, &place);
    const struct pclntab *good = &copy.table;
    struct mem_reader *reader = &copy.array.reader;

    /* Cut off before the end of the functions. */
    uint64_t needed = good->functions - good->start + 8 * (good->function_count + 1ULL);
    for (uint64_t bytes = 0; bytes < needed; bytes += bytes < 128 ? 1 : 4093)
        assert_false(pclntab_open(&table, reader, good->start, good->start + bytes, good->text,
                                  good->etext, 0, 0));
    assert_true(pclntab_open(&table, reader, good->start, good->start + needed, good->text,
                             good->etext, 0, 0));

    assert_false(
        pclntab_open(&table, reader, good->start + 8, good->end, good->text, good->etext, 0, 0));
    assert_false(pclntab_open(&table, reader, good->start, good->start - 1, 0, 0, 0, 0));
    assert_false(
        pclntab_open(&table, reader, good->start, good->end, good->etext, good->text, 0, 0));
    assert_false(pclntab_open(&table, reader, 0, UINT64_MAX, good->text, good->etext, 0, 0));
    assert_false(pclntab_open_module(&table, reader, good->start, 0));
    assert_false(pclntab_open_module(&table, &place.process.reader, place.scene.sp, 0));

    /* Pointers of 32 bits, Go 1.16, a byte that has to be zero. */
    const struct {
        size_t at;
        uint8_t value;
    } rows[] = {{7, 4}, {0, 0xfa}, {4, 1}, {6, 3}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t was = copy.bytes[rows[i].at];
        copy.bytes[rows[i].at] = rows[i].value;
        assert_false(
            pclntab_open(&table, reader, good->start, good->end, good->text, good->etext, 0, 0));
        copy.bytes[rows[i].at] = was;
    }
    free(copy.bytes);
    close_place(&place);
}

int main(void)
{
    if (!go_places_is_there("static"))
        return 77;
#define ROW(mode, name) cmocka_unit_test(mode##_##name##__unwinds__as_the_program_says),
    const struct CMUnitTest tests[] = {
        SCENES(ROW) cmocka_unit_test(known_stack__unwinds_again__without_reading),
        cmocka_unit_test(full_table_of_rules__unwinds__the_same),
        cmocka_unit_test(deep_stack__unwinds__cut),
        cmocka_unit_test(half_a_stack__unwinds__broken),
        cmocka_unit_test(strange_addresses__unwind__broken),
        cmocka_unit_test(entry_of_a_function__unwinds__as_that_function),
        cmocka_unit_test(flipped_bits__are_read__within_bounds),
        cmocka_unit_test(random_tables__are_read__within_bounds),
        cmocka_unit_test(what_is_no_table__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
