/* The fixtures are libraries whose functions tell the address they were called from; each is loaded
 * into the test, and what it tells is resolved from its file. LEAKSPY_FIXTURES is their folder. */
#include "analyzer/debug/file.h"
#include "analyzer/debug/symbols.h"
#include "tests/unit/random.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

/* A fixture as it is loaded, as a recording would describe it. */
struct loaded {
    char path[512];
    uint8_t build_id[64];
    struct symbol_module module;
    void *handle;
};

static int read_build_id(struct dl_phdr_info *info, size_t bytes, void *opaque)
{
    (void)bytes;
    struct loaded *loaded = opaque;
    if (strcmp(info->dlpi_name, loaded->path) != 0)
        return 0;
    loaded->module.bias = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_NOTE)
            continue;
        const char *note = (const char *)info->dlpi_addr + segment->p_vaddr;
        const char *last = note + segment->p_memsz;
        while (note < last) {
            const ElfW(Nhdr) *header = (const void *)note;
            const char *name = note + sizeof(*header);
            const char *text = name + ((header->n_namesz + 3) & ~3U);
            if (header->n_type == NT_GNU_BUILD_ID && strcmp(name, "GNU") == 0) {
                memcpy(loaded->build_id, text, header->n_descsz);
                loaded->module.build_id_bytes = header->n_descsz;
            }
            note = text + ((header->n_descsz + 3) & ~3U);
        }
    }
    return 1;
}

static void load(const char *name, struct loaded *ret)
{
    *ret = (struct loaded){.handle = NULL};
    snprintf(ret->path, sizeof(ret->path), "%s/%s", LEAKSPY_FIXTURES, name);
    ret->handle = dlopen(ret->path, RTLD_NOW | RTLD_LOCAL);
    if (ret->handle == NULL)
        fail_msg("%s", dlerror());
    assert_int_equal(dl_iterate_phdr(read_build_id, ret), 1);
    ret->module.path = ret->path;
    ret->module.build_id = ret->build_id;
}

/* The return address of the call in a fixture's function. */
static uint64_t place(const struct loaded *loaded, const char *function)
{
    void *(*tell)(void);
    *(void **)&tell = dlsym(loaded->handle, function);
    assert_non_null(tell);
    return (uint64_t)tell();
}

static const char *base(const char *path)
{
    const char *slash = path != NULL ? strrchr(path, '/') : NULL;
    return slash != NULL ? slash + 1 : path != NULL ? path : "(unknown)";
}

#define assert_frame(frame, function_, file_, line_, inlined_)                                     \
    do {                                                                                           \
        const struct symbol_frame *f_ = (frame);                                                   \
        assert_string_equal(f_->function ? f_->function : "(unknown)", function_);                 \
        assert_string_equal(base(f_->file), file_);                                                \
        assert_int_equal(f_->line, line_);                                                         \
        assert_int_equal(f_->inlined, inlined_);                                                   \
    } while (0)

static int create(void **state)
{
    *state = symbols_create(NULL);
    return *state == NULL;
}

static int destroy(void **state)
{
    symbols_destroy(*state);
    return 0;
}

static void assert_all_lines_known(struct symbols *symbols, const struct loaded *loaded)
{
    const struct symbol_frame *frames;
    uint64_t pc = place(loaded, "places_outer");
    size_t count = symbols_resolve(symbols, &loaded->module, pc, "recorded", &frames);
    assert_int_equal(count, 3);
    assert_frame(&frames[0], "innermost", "places.c", 14, true);
    assert_frame(&frames[1], "middle", "places.c", 21, true);
    assert_frame(&frames[2], "places_outer", "places.c", 26, false);
    assert_int_equal(frames[0].file[0], '/');
    assert_ptr_equal(frames[0].file, frames[2].file);

    count =
        symbols_resolve(symbols, &loaded->module, place(loaded, "places_hidden"), NULL, &frames);
    assert_int_equal(count, 1);
    assert_frame(&frames[0], "hidden", "places.c", 31, false);
}

/* The plain cases, the debug information of older compilers, compressed, in a .dwo file, in a file
 * beside the program. */
static void debug_information_of_any_kind__resolve__tells_inlined_calls(void **state)
{
    static const char *const names[] = {"dwarf5.so", "dwarf4.so", "compressed.so",
                                        "gnu.so",    "split.so",  "linked.so"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct loaded loaded;
        load(names[i], &loaded);
        assert_int_equal(loaded.module.build_id_bytes, 20);
        assert_all_lines_known(*state, &loaded);
        assert_null(symbols_module_note(*state, &loaded.module));
        dlclose(loaded.handle);
    }
}

/* What unfolds to a multiple of the file that no compiler reaches is not unfolded. */
static void debug_information_that_swells__resolve__is_not_read(void **state)
{
    static const struct {
        const char *file, *note;
    } rows[] = {
        {"swollen.so", "the file cannot be read"},
        {"swollen_gnu.so", "the file cannot be read"},
        {"swollen_linked.so", "no debug information"},
    };
    const struct symbol_frame *frames;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct loaded loaded;
        load(rows[i].file, &loaded);
        uint64_t pc = place(&loaded, "places_outer");
        assert_int_equal(symbols_resolve(*state, &loaded.module, pc, "places_outer", &frames), 1);
        assert_frame(&frames[0], "places_outer", "(unknown)", 0, false);
        assert_string_equal(symbols_module_note(*state, &loaded.module), rows[i].note);
        dlclose(loaded.handle);
    }
}

/* dwz moves what several files have in common into one more file. */
static void shared_debug_information__resolve__follows_it(void **state)
{
    if (access(LEAKSPY_FIXTURES "/shared_a.so", F_OK) != 0) {
        print_message("dwz is not installed\n");
        skip();
    }
    struct loaded loaded;
    load("shared_a.so", &loaded);
    assert_all_lines_known(*state, &loaded);
    dlclose(loaded.handle);
}

static void cplus_file__resolve__names_templates_and_lambdas(void **state)
{
    struct loaded loaded;
    const struct symbol_frame *frames;
    load("cplus.so", &loaded);
    uint64_t pc = place(&loaded, "places_template");
    assert_int_equal(symbols_resolve(*state, &loaded.module, pc, NULL, &frames), 1);
    assert_frame(&frames[0], "shop::Box<int>::where", "places.cc", 12, false);
    pc = place(&loaded, "places_aside");
    assert_int_equal(symbols_resolve(*state, &loaded.module, pc, NULL, &frames), 1);
    assert_frame(&frames[0], "shop::(anonymous namespace)::aside", "places.cc", 27, false);
    pc = place(&loaded, "places_lambda");
    assert_int_equal(symbols_resolve(*state, &loaded.module, pc, NULL, &frames), 3);
    assert_frame(&frames[0], "places_lambda::{lambda}::operator()", "places.cc", 47, true);
    assert_frame(&frames[1], "shop::run<places_lambda()::<lambda()> >", "places.cc", 20, true);
    assert_frame(&frames[2], "places_lambda", "places.cc", 46, false);
    pc = place(&loaded, "places_nested");
    assert_int_equal(symbols_resolve(*state, &loaded.module, pc, NULL, &frames), 5);
    assert_frame(&frames[0], "places_nested::{lambda}::operator()::{lambda}::operator()",
                 "places.cc", 62, true);
    assert_string_equal(frames[4].function, "places_nested");
    dlclose(loaded.handle);
}

/* Without debug information the symbol table has the names; what it does not cover stays unknown:
 * the nearest name would be a wrong one. */
static void file_without_debug_information__resolve__uses_symbol_tables(void **state)
{
    struct loaded loaded;
    const struct symbol_frame *frames;
    load("symtab.so", &loaded);
    symbols_resolve(*state, &loaded.module, place(&loaded, "places_hidden"), "wrong", &frames);
    assert_frame(&frames[0], "hidden", "(unknown)", 0, false);
    assert_string_equal(symbols_module_note(*state, &loaded.module), "no debug information");
    dlclose(loaded.handle);

    load("stripped.so", &loaded);
    symbols_resolve(*state, &loaded.module, place(&loaded, "places_outer"), "wrong", &frames);
    assert_frame(&frames[0], "places_outer", "(unknown)", 0, false);
    symbols_resolve(*state, &loaded.module, place(&loaded, "places_hidden"), "wrong", &frames);
    assert_frame(&frames[0], "(unknown)", "(unknown)", 0, false);
    dlclose(loaded.handle);
}

static void file_with_another_build_id__resolve__shows_the_recorded_name(void **state)
{
    struct loaded loaded;
    const struct symbol_frame *frames;
    load("dwarf5.so", &loaded);
    uint64_t pc = place(&loaded, "places_outer");
    loaded.build_id[7] ^= 1;
    assert_int_equal(symbols_resolve(*state, &loaded.module, pc, "_ZN1a1bEv", &frames), 1);
    assert_frame(&frames[0], "a::b", "(unknown)", 0, false);
    assert_string_equal(symbols_module_note(*state, &loaded.module),
                        "the file has changed (build-id differs)");
    loaded.build_id[7] ^= 1;
    loaded.module.build_id_bytes -= 1;
    symbols_resolve(*state, &loaded.module, pc, "run", &frames);
    assert_frame(&frames[0], "run", "(unknown)", 0, false);
    /* The right one is another module, and is not confused with these. */
    loaded.module.build_id_bytes += 1;
    assert_all_lines_known(*state, &loaded);
    dlclose(loaded.handle);
}

static void file_that_is_gone__resolve__shows_the_recorded_name(void **state)
{
    struct loaded loaded;
    const struct symbol_frame *frames;
    load("dwarf5.so", &loaded);
    uint64_t pc = place(&loaded, "places_outer");
    loaded.module.path = LEAKSPY_FIXTURES "/gone.so";
    assert_int_equal(symbols_resolve(*state, &loaded.module, pc, "main.main..func1", &frames), 1);
    assert_frame(&frames[0], "main.main.func1", "(unknown)", 0, false);
    assert_string_equal(symbols_module_note(*state, &loaded.module), "the file is gone");
    /* The same place without a name, and again with one. */
    symbols_resolve(*state, &loaded.module, pc, NULL, &frames);
    assert_frame(&frames[0], "(unknown)", "(unknown)", 0, false);
    symbols_resolve(*state, &loaded.module, pc, "other", &frames);
    assert_frame(&frames[0], "other", "(unknown)", 0, false);
    loaded.module.path = LEAKSPY_FIXTURES "/dwarf5.so/not_a_folder";
    assert_string_equal(symbols_module_note(*state, &loaded.module), "the file is gone");
    dlclose(loaded.handle);
}

/* What is neither ELF nor a file must not be waited for. */
static void what_is_no_elf_file__resolve__says_so(void **state)
{
    static const char *const paths[] = {"/dev/zero", "/etc/passwd", "/", "/dev/tty"};
    const struct symbol_frame *frames;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct symbol_module module = {.path = paths[i], .bias = 4096};
        assert_int_equal(symbols_resolve(*state, &module, 5000, "f", &frames), 1);
        assert_frame(&frames[0], "f", "(unknown)", 0, false);
        assert_string_equal(symbols_module_note(*state, &module), "the file cannot be read");
    }
    char fifo[] = "/tmp/leakspy-symbols-XXXXXX";
    assert_non_null(mkdtemp(fifo));
    char path[sizeof(fifo) + 5];
    snprintf(path, sizeof(path), "%s/fifo", fifo);
    assert_int_equal(mkfifo(path, 0600), 0);
    struct symbol_module module = {.path = path};
    assert_string_equal(symbols_module_note(*state, &module), "the file cannot be read");
    unlink(path);
    rmdir(fifo);
}

/* The vdso, memory without a file, an address in no module at all. */
static void place_without_a_file__resolve__has_the_recorded_name_and_no_note(void **state)
{
    static const char *const paths[] = {NULL, "", "[vdso]", "linux-vdso.so.1"};
    const struct symbol_frame *frames;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct symbol_module module = {.path = paths[i]};
        assert_int_equal(symbols_resolve(*state, &module, 77, "clock_gettime", &frames), 1);
        assert_frame(&frames[0], "clock_gettime", "(unknown)", 0, false);
        assert_null(symbols_module_note(*state, &module));
    }
    assert_int_equal(symbols_resolve(*state, NULL, 0, NULL, &frames), 1);
    assert_frame(&frames[0], "(unknown)", "(unknown)", 0, false);
    assert_null(symbols_module_note(*state, NULL));
}

/* Nothing to compare on one side or on both: the file is used, and that is said. */
static void file_without_build_id__resolve__is_used_and_noted(void **state)
{
    static const char note[] = "no build-id to compare, the file may have changed";
    struct loaded loaded;
    load("unidentified.so", &loaded);
    assert_int_equal(loaded.module.build_id_bytes, 0);
    assert_all_lines_known(*state, &loaded);
    assert_string_equal(symbols_module_note(*state, &loaded.module), note);
    /* One that was recorded with a build-id is not this one. */
    loaded.module.build_id_bytes = 20;
    assert_string_equal(symbols_module_note(*state, &loaded.module),
                        "the file has changed (build-id differs)");
    dlclose(loaded.handle);

    load("dwarf5.so", &loaded);
    loaded.module.build_id_bytes = 0;
    assert_all_lines_known(*state, &loaded);
    assert_string_equal(symbols_module_note(*state, &loaded.module), note);
    dlclose(loaded.handle);
}

/* libdwfl closes it with what it finds by build-id. */
static void descriptor_0__of_the_caller__stays_open(void **state)
{
    struct loaded loaded;
    struct stat before, after;
    int mine = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int kept = fcntl(0, F_DUPFD_CLOEXEC, 3);
    assert_int_equal(dup2(mine, 0), 0);
    assert_int_equal(fstat(0, &before), 0);
    load("linked.so", &loaded);
    assert_all_lines_known(*state, &loaded);
    assert_int_equal(fstat(0, &after), 0);
    assert_int_equal(after.st_ino, before.st_ino);
    dlclose(loaded.handle);
    close(0);
    if (kept >= 0)
        assert_int_equal(dup2(kept, 0), 0);
    close(kept);
    close(mine);
}

/* A tree of debug files by build-id serves when the program is gone or was rebuilt. */
static void debug_tree__resolve__stands_for_the_file_that_is_gone(void **state)
{
    (void)state;
    struct loaded loaded;
    load("linked.so", &loaded);
    char tree[] = "/tmp/leakspy-symbols-XXXXXX";
    assert_non_null(mkdtemp(tree));
    char path[256], command[1024];
    int written = snprintf(path, sizeof(path), "%s/.build-id/%02x/", tree, loaded.build_id[0]);
    for (int i = 1; i < 20; i++)
        written +=
            snprintf(path + written, sizeof(path) - (size_t)written, "%02x", loaded.build_id[i]);
    snprintf(command, sizeof(command), "mkdir -p %s/.build-id/%02x && cp %s/linked.debug %s.debug",
             tree, loaded.build_id[0], LEAKSPY_FIXTURES, path);
    assert_int_equal(system(command), 0);

    snprintf(path, sizeof(path), DEBUG_FILE_FOLDERS ":%s", tree);
    struct symbols *symbols = symbols_create(path);
    assert_non_null(symbols);
    loaded.module.path = "/nowhere/linked.so";
    assert_all_lines_known(symbols, &loaded);
    assert_null(symbols_module_note(symbols, &loaded.module));
    loaded.module.path = LEAKSPY_FIXTURES "/cplus.so";
    assert_all_lines_known(symbols, &loaded);

    snprintf(command, sizeof(command), "rm -r %s", tree);
    assert_int_equal(system(command), 0);
    symbols_destroy(symbols);
    dlclose(loaded.handle);
}

static void same_question__resolve__has_the_same_answer(void **state)
{
    struct loaded loaded;
    const struct symbol_frame *first, *second;
    load("dwarf5.so", &loaded);
    uint64_t pc = place(&loaded, "places_outer");
    symbols_resolve(*state, &loaded.module, pc, NULL, &first);
    /* Another process has it elsewhere, and describes it in memory of its own. */
    struct symbol_module elsewhere = loaded.module;
    char path[512];
    elsewhere.path = strcpy(path, loaded.path);
    elsewhere.bias += 0x10000;
    symbols_resolve(*state, &elsewhere, pc + 0x10000, NULL, &second);
    assert_ptr_equal(first, second);
    dlclose(loaded.handle);
}

/* ---- Files that are damaged ---- */

struct bytes {
    uint8_t *data;
    size_t count;
};

static struct bytes read_file(const char *path)
{
    struct bytes bytes = {.data = NULL};
    struct stat stat_;
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &stat_), 0);
    bytes.count = (size_t)stat_.st_size;
    bytes.data = malloc(bytes.count);
    assert_non_null(bytes.data);
    assert_int_equal(read(fd, bytes.data, bytes.count), bytes.count);
    close(fd);
    return bytes;
}

/* Ask for many places of a file; only that it answers is looked at. */
static void assert_survived(const char *path, const uint8_t *data, size_t count)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, count), count);
    close(fd);
    struct symbols *symbols = symbols_create(NULL);
    assert_non_null(symbols);
    struct symbol_module module = {.path = path};
    (void)symbols_module_note(symbols, &module);
    for (uint64_t pc = 0x1000; pc < 0x1200; pc += 13) {
        const struct symbol_frame *frames;
        size_t frame_count = symbols_resolve(symbols, &module, pc, "recorded", &frames);
        assert_in_range(frame_count, 1, 64);
        assert_false(frames[frame_count - 1].inlined);
    }
    symbols_destroy(symbols);
}

static void truncated_file__resolve__is_survived(void **state)
{
    (void)state;
    struct bytes bytes = read_file(LEAKSPY_FIXTURES "/dwarf5.so");
    char path[] = "/tmp/leakspy-symbols-XXXXXX";
    close(mkstemp(path));
    for (size_t count = 0; count < bytes.count; count += count < 128 ? 1 : 61)
        assert_survived(path, bytes.data, count);
    unlink(path);
    free(bytes.data);
}

/* Bytes of the file replaced at random (always the same ones), in headers and debug sections alike.
 */
static void damaged_file__resolve__is_survived(void **state)
{
    (void)state;
    static const char *const names[] = {"dwarf5.so", "dwarf4.so", "compressed.so", "cplus.so"};
    char path[] = "/tmp/leakspy-symbols-XXXXXX";
    close(mkstemp(path));
    uint64_t seed = 88172645463325252ULL;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char from[512];
        snprintf(from, sizeof(from), "%s/%s", LEAKSPY_FIXTURES, names[i]);
        struct bytes bytes = read_file(from);
        uint8_t *copy = malloc(bytes.count);
        assert_non_null(copy);
        for (int round = 0; round < 150; round++) {
            memcpy(copy, bytes.data, bytes.count);
            for (int hit = 0; hit < 1 + round % 24; hit++) {
                /* The debug sections are at the end; the code does not matter. */
                size_t first = round % 3 == 0 ? 0 : 0x3000;
                uint64_t random = next_random(&seed);
                copy[first + (random >> 8) % (bytes.count - first)] = (uint8_t)random;
            }
            assert_survived(path, copy, bytes.count);
        }
        free(copy);
        free(bytes.data);
    }
    unlink(path);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, create, destroy)
    const struct CMUnitTest tests[] = {
        TEST(debug_information_of_any_kind__resolve__tells_inlined_calls),
        TEST(debug_information_that_swells__resolve__is_not_read),
        TEST(shared_debug_information__resolve__follows_it),
        TEST(cplus_file__resolve__names_templates_and_lambdas),
        TEST(file_without_debug_information__resolve__uses_symbol_tables),
        TEST(file_with_another_build_id__resolve__shows_the_recorded_name),
        TEST(file_that_is_gone__resolve__shows_the_recorded_name),
        TEST(what_is_no_elf_file__resolve__says_so),
        TEST(place_without_a_file__resolve__has_the_recorded_name_and_no_note),
        TEST(file_without_build_id__resolve__is_used_and_noted),
        TEST(descriptor_0__of_the_caller__stays_open),
        cmocka_unit_test(debug_tree__resolve__stands_for_the_file_that_is_gone),
        TEST(same_question__resolve__has_the_same_answer),
        TEST(truncated_file__resolve__is_survived),
        TEST(damaged_file__resolve__is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
