/* The expressions of unwind tables: what they give, and those that are to be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dwarf.h>

#include "analyzer/debug/expression.h"

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
        cmocka_unit_test(expression_of_a_linkage_table__run__depends_on_the_pc),
        cmocka_unit_test(operations__run__do_as_the_standard_says),
        cmocka_unit_test(rotation__run__puts_the_top_below_the_next_two),
        cmocka_unit_test(part_of_a_word__read__is_there_wherever_it_is),
        cmocka_unit_test(branch__to_the_end__ends),
        cmocka_unit_test(hostile_expression__run__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
