/* A program or a library: whether it can be recorded, its symbols, its functions, how to unwind
 * them, and how the runtime in it is laid out. */
#include "analyzer/debug/cfi.h"
#include "analyzer/debug/file.h"
#include "analyzer/debug/go_file.h"
#include "analyzer/debug/go_symbols.h"
#include "analyzer/debug/names.h"
#include "analyzer/debug/types.h"
#include "analyzer/elf_check.h"
#include "analyzer/image/elf.h"
#include "tests/fuzz/fuzz.h"

static bool read_word(struct cfi_memory *memory, uint64_t address, uint64_t *ret)
{
    (void)memory;
    *ret = address * 7;
    return address % 5 != 0;
}

static void unwind(const char *path, uint64_t address)
{
    struct debug_cfi *cfi = debug_cfi_open(path);
    struct cfi_row row;
    if (cfi && debug_cfi_find(cfi, address, &row)) {
        struct cfi_memory memory = {read_word};
        struct image_registers registers = {.known = 0xffffffff}, caller;
        uint32_t lacking = 0;
        cfi_step(&row, address, &registers, &memory, &caller, &lacking);
        cfi_row_deinit(&row);
    }
    debug_cfi_close(cfi);
}

static void name(const char *path, uint64_t address)
{
    struct debug_file *file;
    struct debug_frame frames[DEBUG_FILE_MAX_FRAMES];
    static char folders[] = "";
    if (debug_file_open(path, NULL, 0, folders, &file) != DEBUG_FILE_OK)
        return;
    debug_file_frames(file, address, frames);
    debug_file_symbol(file, address);
    debug_file_close(file);
}

static void look_up(const char *path, uint64_t address)
{
    struct debug_names *names = debug_names_open(path);
    uint64_t found;
    if (!names)
        return;
    debug_names_function(names, address, &found);
    debug_names_begin(names, address, &found);
    debug_names_find(names, "main", &found);
    debug_names_close(names);
}

static void read_go(const char *path, uint64_t address)
{
    static struct pclntab_call calls[PCLNTAB_MAX_INLINED];
    struct go_file *go = go_file_open(path);
    if (go)
        go_file_calls(go, address, calls);
    go_file_close(go);
}

static void lay_out(const char *path)
{
    struct go_symbols symbols;
    struct go_layout layout;
    const char *missing;
    go_symbols_read(path, 0, &symbols);
    struct debug_head *head = debug_head_open(path, &symbols.debug);
    (void)go_layout_of(GO_MINOR_NEWEST, &layout);
    if (head)
        (void)debug_types_layout_in_head(head, &layout, &missing);
    debug_head_close(head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct image_elf elf;
    char why[256];
    const char *path = fuzz_file(data, bytes);
    uint64_t address = bytes >= 32 ? word_at(data, 24) : 0; /* the entry */
    elf_check(path, why, sizeof(why));
    image_elf_read_file(path, &elf);
    image_elf_read(fuzz_memory(data, bytes), FUZZ_ADDRESS, &elf);
    look_up(path, address);
    unwind(path, address);
    name(path, address);
    read_go(path, address);
    lay_out(path);
    return 0;
}
