/* What is said of the file of a Go program, in all the ways that it can be built, equals what the
 * program says of itself; and files that are none, or are damaged, do no harm. */
#include "analyzer/debug/go_file.h"

#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "analyzer/debug/symbols.h"
#include "tests/unit/go_places.h"
#include "tests/unit/random.h"

static struct pclntab_call calls[PCLNTAB_MAX_INLINED];

static struct go_file *open_mode(const char *mode)
{
    if (!go_places_is_there(mode))
        skip();
    struct go_file *file = go_file_open(go_places_program(mode));
    assert_non_null(file);
    return file;
}

/* The function of that name, by looking at each. */
static struct pclntab_function find_function(const struct go_file *file, const char *name)
{
    const struct pclntab *table = go_file_table(file);
    struct pclntab_function function;
    char found[PCLNTAB_NAME_BYTES];
    for (uint32_t i = 0; i < table->function_count; i++) {
        assert_true(pclntab_at(table, i, &function));
        /* The first one has no name: it is the build-id. */
        bool named = pclntab_name(table, &function, found, sizeof(found));
        assert_true(named || i == 0);
        if (named && strcmp(found, name) == 0)
            return function;
    }
    fail_msg("no function %s", name);
    return function;
}

/* Addresses in every function, but for its last byte, which the program looks for by the next one.
 */
static size_t sample_addresses(const struct go_file *file, uint64_t *pcs, size_t room)
{
    const struct pclntab *table = go_file_table(file);
    size_t count = 0;
    uint64_t step = 5;
    for (uint32_t i = 0; i < table->function_count; i++) {
        struct pclntab_function function;
        assert_true(pclntab_at(table, i, &function));
        for (uint64_t pc = function.entry; pc + 1 < function.end && count < room; pc += step) {
            pcs[count++] = pc;
            step = step * 7 % 37;
        }
    }
    return count;
}

#define MAX_ADDRESSES 400000

/* The innermost call at many addresses is what the program says. Between the end of a function's
 * code and the next function the runtime guesses; there we only may not say something else. */
static void assert_places(const char *mode)
{
    struct go_file *file = open_mode(mode);
    const struct pclntab *table = go_file_table(file);
    uint64_t *pcs = malloc(MAX_ADDRESSES * sizeof(*pcs));
    assert_non_null(pcs);
    size_t count = sample_addresses(file, pcs, MAX_ADDRESSES);
    struct told told;
    go_places_ask(go_places_program(mode), find_function(file, "main.anchor").entry, pcs, count,
                  &told);
    size_t inlined = 0, padding = 0;
    for (size_t i = 0; i < count; i++) {
        struct pclntab_function function;
        size_t depth = go_file_calls(file, pcs[i], calls);
        assert_true(depth > 0);
        assert_true(pclntab_find(table, pcs[i], &function));
        if (calls[0].line == 0 && pclntab_frame_bytes(table, &function, pcs[i]) < 0) {
            padding++;
            continue;
        }
        assert_string_equal(calls[0].function, told.calls[i].function);
        assert_string_equal(calls[0].file, told.calls[i].file);
        assert_int_equal(calls[0].line, told.calls[i].line);
        inlined += depth > 1;
    }
    assert_true(count > 10000);
    assert_true(inlined > count / 10);
    assert_true(padding < count / 8);
    told_deinit(&told);
    free(pcs);
    go_file_close(file);
}

/* Whole chains of inlined calls, at the return addresses of a real stack. */
static void assert_chains(const char *mode, const char *name)
{
    struct go_file *file = open_mode(mode);
    struct scene scene;
    scene_start(go_places_program(mode), name, &scene);
    uint64_t bias = scene.anchor - find_function(file, "main.anchor").entry;
    size_t deepest = 0;
    for (size_t i = 0; i < scene.told.count;) {
        size_t depth = go_file_calls(file, scene.told.calls[i].pc - bias - 1, calls);
        assert_true(depth > 0);
        size_t shown = 0;
        for (size_t j = 0; j < depth; j++) {
            if (calls[j].role == PCLNTAB_WRAPPER && i > 0 &&
                strcmp(scene.told.calls[i].function, calls[j].function) != 0)
                continue;
            assert_true(i < scene.told.count);
            assert_string_equal(calls[j].function, scene.told.calls[i].function);
            assert_string_equal(calls[j].file, scene.told.calls[i].file);
            assert_int_equal(calls[j].line, scene.told.calls[i].line);
            assert_int_equal(calls[j].inlined, j + 1 < depth);
            i++;
            shown++;
        }
        assert_true(shown > 0);
        deepest = shown > deepest ? shown : deepest;
    }
    assert_true(deepest >= 3);
    scene_end(&scene);
    go_file_close(file);
}

#define MODES(X) X(static) X(cgo) X(static_stripped) X(pie) X(pie_external) X(race)
#define MODE_TESTS(mode)                                                                           \
    static void mode##_program__addresses__are_as_it_says(void **state)                            \
    {                                                                                              \
        (void)state;                                                                               \
        assert_places(#mode);                                                                      \
    }                                                                                              \
    static void mode##_program__inlined_calls__are_as_it_says(void **state)                        \
    {                                                                                              \
        (void)state;                                                                               \
        assert_chains(#mode, "inlined");                                                           \
    }
MODES(MODE_TESTS)

/* ---- Files that are not as they were ---- */

struct copy {
    char path[64];
    uint8_t *bytes; /* shared with the file */
    size_t count;
};

static void copy_file(const char *from, struct copy *ret)
{
    struct stat stat;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    assert_true(in >= 0);
    assert_int_equal(fstat(in, &stat), 0);
    ret->count = (size_t)stat.st_size;
    strcpy(ret->path, "/tmp/test_go_file.XXXXXX");
    int out = mkstemp(ret->path);
    assert_true(out >= 0);
    assert_int_equal(ftruncate(out, stat.st_size), 0);
    ret->bytes = mmap(NULL, ret->count, PROT_READ | PROT_WRITE, MAP_SHARED, out, 0);
    assert_ptr_not_equal(ret->bytes, MAP_FAILED);
    assert_int_equal(read(in, ret->bytes, ret->count), ret->count);
    close(in);
    close(out);
}

static void remove_copy(struct copy *copy)
{
    munmap(copy->bytes, copy->count);
    unlink(copy->path);
}

static void assert_same_table(const struct go_file *one, const struct go_file *other)
{
    const struct pclntab *a = go_file_table(one), *b = go_file_table(other);
    assert_true(a->start == b->start && a->text == b->text && a->etext == b->etext);
    assert_true(a->funcdata == b->funcdata && a->function_count == b->function_count);
}

static void remove_sections(struct copy *copy)
{
    Elf64_Ehdr *header = (Elf64_Ehdr *)copy->bytes;
    header->e_shoff = 0;
    header->e_shnum = header->e_shstrndx = 0;
}

/* sstrip: not even section headers are left. */
static void file_without_sections__opens__the_same(void **state)
{
    (void)state;
    static const char *const modes[] = {"static", "static_stripped", "pie", "pie_external", "cgo"};
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (!go_places_is_there(modes[i]))
            continue;
        struct go_file *whole = open_mode(modes[i]);
        struct copy copy;
        copy_file(go_places_program(modes[i]), &copy);
        remove_sections(&copy);
        struct go_file *bare = go_file_open(copy.path);
        assert_non_null(bare);
        assert_same_table(whole, bare);
        assert_string_equal(go_file_version(whole), go_file_version(bare));
        go_file_close(bare);
        go_file_close(whole);
        remove_copy(&copy);
    }
}

/* As the linker leaves it out on request: esbuild is such a program. */
static void file_without_build_info__opens__the_same(void **state)
{
    (void)state;
    static const char *const modes[] = {"static", "static_stripped", "pie_external", "cgo"};
    for (size_t i = 0; i < 2 * sizeof(modes) / sizeof(modes[0]); i++) {
        const char *mode = modes[i / 2];
        if (!go_places_is_there(mode))
            continue;
        struct go_file *whole = open_mode(mode);
        struct copy copy;
        copy_file(go_places_program(mode), &copy);
        /* In the file, the magic also stands in the code of who looks for it; it is 14 bytes long.
         */
        for (uint8_t *at = copy.bytes;
             (at = memmem(at, copy.count - (size_t)(at - copy.bytes), "\xff Go buildinf:", 14));)
            at[0] = 0;
        if (i % 2)
            remove_sections(&copy);
        struct go_file *bare = go_file_open(copy.path);
        assert_non_null(bare);
        assert_same_table(whole, bare);
        /* Where another linker laid out the variables, the version is not found. */
        if (strncmp(mode, "static", 6) == 0)
            assert_string_equal(go_file_version(whole), go_file_version(bare));
        go_file_close(bare);
        go_file_close(whole);
        remove_copy(&copy);
    }
}

static void version__is_told(void **state)
{
    (void)state;
    struct go_file *file = open_mode("static");
    assert_string_equal(go_file_version(file), GO_VERSION);
    go_file_close(file);
}

static void address_outside_of_go_code__has_no_calls(void **state)
{
    (void)state;
    struct go_file *file = open_mode("static");
    const struct pclntab *table = go_file_table(file);
    const uint64_t pcs[] = {0, 1, table->text - 1, table->etext, table->start, UINT64_MAX};
    for (size_t i = 0; i < sizeof(pcs) / sizeof(pcs[0]); i++)
        assert_int_equal(go_file_calls(file, pcs[i], calls), 0);
    go_file_close(file);
}

static void what_is_no_go_file__does_not_open(void **state)
{
    (void)state;
    assert_null(go_file_open("/proc/self/exe"));
    assert_null(go_file_open("/"));
    assert_null(go_file_open("/dev/zero"));
    assert_null(go_file_open("/dev/null"));
    assert_null(go_file_open("/nowhere/at/all"));
    assert_null(go_file_open(""));
    char path[] = "/tmp/test_go_file.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_null(go_file_open(path));
    assert_int_equal(write(fd, ELFMAG, SELFMAG), SELFMAG);
    assert_null(go_file_open(path));
    close(fd);
    unlink(path);
}

static void truncated_file__opens_or_not__without_harm(void **state)
{
    (void)state;
    if (!go_places_is_there("static_stripped"))
        skip();
    struct copy copy;
    copy_file(go_places_program("static_stripped"), &copy);
    for (size_t bytes = copy.count; bytes > 64; bytes -= bytes / 16) {
        assert_int_equal(truncate(copy.path, (off_t)bytes), 0);
        struct go_file *file = go_file_open(copy.path);
        if (file != NULL)
            (void)go_file_calls(file, go_file_table(file)->text + 4096, calls);
        go_file_close(file);
    }
    remove_copy(&copy);
}

/* The file shrinks while it is open: what was not read before is gone. */
static void file_that_shrinks__has_no_more_calls(void **state)
{
    (void)state;
    if (!go_places_is_there("static"))
        skip();
    struct copy copy;
    copy_file(go_places_program("static"), &copy);
    struct go_file *file = go_file_open(copy.path);
    assert_non_null(file);
    const struct pclntab *table = go_file_table(file);
    uint64_t anchor = find_function(file, "main.anchor").entry;
    assert_int_equal(go_file_calls(file, anchor, calls), 1);
    assert_int_equal(truncate(copy.path, 4096), 0);
    size_t asked = 0, answered = 0;
    for (uint64_t pc = table->text + 64; pc < table->etext; pc += 16384, asked++)
        answered += go_file_calls(file, pc, calls) > 0;
    assert_in_range(answered, 0, asked / 2);
    go_file_close(file);
    remove_copy(&copy);
}

/* Where a byte pattern of 8 bytes stands in a file; 0: nowhere. */
static size_t find_bytes(const struct copy *copy, uint64_t word)
{
    const uint8_t *at = memmem(copy->bytes, copy->count, &word, sizeof(word));
    return at != NULL ? (size_t)(at - copy->bytes) : 0;
}

/* Bits flip in the headers, in moduledata, in the table's header, in the relocations. */
static void damaged_file__opens_or_not__without_harm(void **state)
{
    (void)state;
    static const char *const modes[] = {"static_stripped", "pie_external"};
    uint64_t seed = 4711;
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (!go_places_is_there(modes[i]))
            continue;
        struct go_file *good = open_mode(modes[i]);
        uint64_t table_start = go_file_table(good)->start;
        uint64_t text = go_file_table(good)->text;
        uint64_t text_bytes = go_file_table(good)->etext - text;
        go_file_close(good);
        struct copy copy;
        copy_file(go_places_program(modes[i]), &copy);
        /* What points to the table is moduledata, or the relocation of its first word. */
        const struct {
            size_t at, bytes;
        } parts[] = {
            {0, 64},
            {64, 56 * 12},
            {find_bytes(&copy, table_start), 400},
            {find_bytes(&copy, 0x080100000000 << 16 | 0xfffffff1) == 0
                 ? find_bytes(&copy, 0x08010000fffffff0)
                 : find_bytes(&copy, 0x08010000fffffff1),
             72},
        };
        unsigned opened = 0, refused = 0;
        for (int round = 0; round < 300; round++) {
            size_t part = (size_t)round % (sizeof(parts) / sizeof(parts[0]));
            size_t byte = parts[part].at + next_random(&seed) % parts[part].bytes;
            uint8_t was = copy.bytes[byte];
            copy.bytes[byte] ^= (uint8_t)(1 << next_random(&seed) % 8);
            if (round % 3 == 0)
                copy.bytes[byte] = 0xff;
            struct go_file *file = go_file_open(copy.path);
            for (int j = 0; file != NULL && j < 20; j++)
                (void)go_file_calls(file, text + next_random(&seed) % text_bytes, calls);
            *(file != NULL ? &opened : &refused) += 1;
            go_file_close(file);
            copy.bytes[byte] = was;
        }
        assert_true(opened > 0);
        assert_true(refused > 0);
        remove_copy(&copy);
    }
}

/* ---- As debug/symbols.c tells it ---- */

static const char *note_of(struct symbols *symbols, const char *path, enum symbol_file at_path)
{
    struct symbol_module module = {.path = path, .at_path = at_path};
    return symbols_module_note(symbols, &module);
}

static void go_program__symbols__are_gos_own(void **state)
{
    (void)state;
    static const char *const modes[] = {"static", "static_stripped", "pie_external", "cgo"};
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (!go_places_is_there(modes[i]))
            continue;
        char path[4096];
        strcpy(path, go_places_program(modes[i]));
        struct symbols *symbols = symbols_create(NULL);
        assert_non_null(symbols);
        struct scene scene;
        scene_start(path, "inlined", &scene);
        struct go_file *file = open_mode(modes[i]);
        struct symbol_module module = {
            .path = path,
            .at_path = SYMBOL_FILE_SAME,
            .bias = scene.anchor - find_function(file, "main.anchor").entry,
        };
        go_file_close(file);
        const struct symbol_frame *frames;
        size_t count =
            symbols_resolve(symbols, &module, scene.told.calls[0].pc, "recorded", &frames);
        assert_int_equal(count, 4);
        for (size_t j = 0; j < count; j++) {
            assert_string_equal(frames[j].function, scene.told.calls[j].function);
            assert_string_equal(frames[j].file, scene.told.calls[j].file);
            assert_int_equal(frames[j].line, scene.told.calls[j].line);
            assert_int_equal(frames[j].inlined, j < 3);
            assert_int_equal(frames[j].role, SYMBOL_PLAIN);
        }
        assert_string_equal(frames[0].function, "main.inlined3");

        /* Neither sections nor debug information are missed. */
        assert_null(symbols_module_note(symbols, &module));
        assert_string_equal(note_of(symbols, path, SYMBOL_FILE_UNSURE),
                            "no build-id to compare, the file may have changed");
        assert_string_equal(note_of(symbols, path, SYMBOL_FILE_OTHER),
                            "the file is gone, or has changed");
        scene_end(&scene);
        symbols_destroy(symbols);
    }
}

/* C code in a Go program is none of Go's business. */
static void c_code_of_a_go_program__symbols__are_the_linkers(void **state)
{
    (void)state;
    if (!go_places_is_there("cgo"))
        skip();
    const char *path = go_places_program("cgo");
    uint64_t address = symbol_value(path, "x_cgo_init");
    assert_true(address != 0);
    struct symbols *symbols = symbols_create(NULL);
    assert_non_null(symbols);
    struct symbol_module module = {.path = path, .at_path = SYMBOL_FILE_SAME};
    const struct symbol_frame *frames;
    assert_true(symbols_resolve(symbols, &module, address + 2, NULL, &frames) >= 1);
    assert_string_equal(frames[0].function, "x_cgo_init");
    symbols_destroy(symbols);
}

/* A file that is known to be another one is not looked at. */
static void changed_go_program__symbols__are_the_recorded_ones(void **state)
{
    (void)state;
    if (!go_places_is_there("static"))
        skip();
    const char *path = go_places_program("static");
    struct go_file *file = open_mode("static");
    uint64_t anchor = find_function(file, "main.anchor").entry;
    go_file_close(file);
    struct symbols *symbols = symbols_create(NULL);
    assert_non_null(symbols);
    struct symbol_module module = {.path = path, .at_path = SYMBOL_FILE_OTHER};
    const struct symbol_frame *frames;
    assert_int_equal(symbols_resolve(symbols, &module, anchor + 1, "main.(*T).was", &frames), 1);
    assert_string_equal(frames[0].function, "main.(*T).was");
    symbols_destroy(symbols);
}

/* What gccgo would mean by a name is not what Go's own compiler means by it. */
static void recorded_name_of_a_go_program__symbols__is_not_decoded(void **state)
{
    (void)state;
    static const struct {
        bool go_names;
        const char *recorded, *shown;
    } rows[] = {
        {true, "main.glob..func3", "main.glob..func3"},
        {true, "main.a__b", "main.a__b"},
        {true, "_ZN3abcC1Ev", "abc::abc"},
        {false, "main.a__b", "main.a_b"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct symbols *symbols = symbols_create(NULL);
        assert_non_null(symbols);
        struct symbol_module module = {.path = "/gone/program", .go_names = rows[i].go_names};
        const struct symbol_frame *frames;
        assert_int_equal(symbols_resolve(symbols, &module, 4097, rows[i].recorded, &frames), 1);
        assert_string_equal(frames[0].function, rows[i].shown);
        symbols_destroy(symbols);
    }
}

/* Wrappers say that they are. */
static void wrapper__symbols__say_so(void **state)
{
    (void)state;
    struct go_file *file = open_mode("static");
    struct pclntab_function function = find_function(file, "main.(*inner).call");
    const char *path = go_places_program("static");
    go_file_close(file);
    struct symbols *symbols = symbols_create(NULL);
    assert_non_null(symbols);
    struct symbol_module module = {.path = path, .at_path = SYMBOL_FILE_SAME};
    const struct symbol_frame *frames;
    size_t count = symbols_resolve(symbols, &module, function.entry + 1, NULL, &frames);
    assert_int_equal(frames[count - 1].role, SYMBOL_WRAPPER);
    assert_string_equal(frames[count - 1].function, "main.(*inner).call");
    symbols_destroy(symbols);
}

int main(void)
{
    if (!go_places_is_there("static"))
        return 77;
#define MODE_ROWS(mode)                                                                            \
    cmocka_unit_test(mode##_program__addresses__are_as_it_says),                                   \
        cmocka_unit_test(mode##_program__inlined_calls__are_as_it_says),
    const struct CMUnitTest tests[] = {
        MODES(MODE_ROWS) cmocka_unit_test(file_without_sections__opens__the_same),
        cmocka_unit_test(file_without_build_info__opens__the_same),
        cmocka_unit_test(version__is_told),
        cmocka_unit_test(address_outside_of_go_code__has_no_calls),
        cmocka_unit_test(what_is_no_go_file__does_not_open),
        cmocka_unit_test(truncated_file__opens_or_not__without_harm),
        cmocka_unit_test(file_that_shrinks__has_no_more_calls),
        cmocka_unit_test(damaged_file__opens_or_not__without_harm),
        cmocka_unit_test(go_program__symbols__are_gos_own),
        cmocka_unit_test(c_code_of_a_go_program__symbols__are_the_linkers),
        cmocka_unit_test(changed_go_program__symbols__are_the_recorded_ones),
        cmocka_unit_test(recorded_name_of_a_go_program__symbols__is_not_decoded),
        cmocka_unit_test(wrapper__symbols__say_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
