/* The tables of a file are asked once for each address (cfi.c); many threads stand at few
 * places. The stack is read in pages, since a system call for each word is what would cost. */
#include "analyzer/debug/unwind.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/base/rows.h"
#include "analyzer/base/table.h"
#include "analyzer/debug/cfi.h"
#include "preload/recording.h"

#define PAGE_BYTES 4096
#define WINDOW_PAGES 4
#define MAX_LOADED_BYTES (UINT64_C(32) << 20) /* of a file that is read from memory */
#define ANY_BYTE 0x100

/* What is known of one pc. */
struct known_row {
    bool found;
    struct cfi_row row;
};

/* Pages of the stack that is being walked. */
struct window {
    struct cfi_memory memory;
    struct mem_reader *reader;
    const struct image_stop *stop;
    uint64_t first; /* address of the first page */
    bool there[WINDOW_PAGES];
    unsigned char bytes[WINDOW_PAGES][PAGE_BYTES];
};

struct debug_unwind {
    struct image *image;
    struct debug_cfi **files; /* by row of image->modules */
    bool *opened;
    size_t file_count;
    struct table row_of_pc; /* row of rows */
    struct known_row *rows;
    size_t row_count;
    uint32_t lacking;
    struct window window;
};

/* ---- Memory ---- */

static bool read_copy(const struct image_stop *stop, uint64_t address, uint64_t *ret)
{
    if (!stop || address < stop->stack_address)
        return false;
    uint64_t offset = address - stop->stack_address;
    if (offset > stop->stack_bytes || stop->stack_bytes - offset < sizeof(*ret))
        return false;
    memcpy(ret, (const char *)stop->stack + offset, sizeof(*ret));
    return true;
}

static void window_move(struct window *window, uint64_t address)
{
    struct mem_piece pieces[WINDOW_PAGES];
    window->first = address & ~(uint64_t)(PAGE_BYTES - 1);
    for (size_t i = 0; i < WINDOW_PAGES; i++)
        pieces[i] = (struct mem_piece){
            .address = window->first + i * PAGE_BYTES, .to = window->bytes[i], .bytes = PAGE_BYTES};
    window->reader->read(window->reader, pieces, WINDOW_PAGES);
    for (size_t i = 0; i < WINDOW_PAGES; i++)
        window->there[i] = pieces[i].ok;
}

static bool read_word(struct cfi_memory *memory, uint64_t address, uint64_t *ret)
{
    struct window *window = (struct window *)memory;
    if (address % sizeof(*ret)) /* stacks are aligned; and so a word is in one page */
        return false;
    if (read_copy(window->stop, address, ret))
        return true;
    if (address - window->first >= sizeof(window->bytes))
        window_move(window, address);
    uint64_t offset = address - window->first;
    if (offset >= sizeof(window->bytes) || !window->there[offset / PAGE_BYTES])
        return false;
    memcpy(ret, window->bytes[offset / PAGE_BYTES] + offset % PAGE_BYTES, sizeof(*ret));
    return true;
}

/* ---- Files ---- */

static struct debug_cfi *open_from_memory(struct image *image, const struct image_module *module)
{
    uint64_t bytes = module->end - module->start;
    if (module->end <= module->start || bytes > MAX_LOADED_BYTES)
        return NULL;
    size_t pages = (size_t)((bytes + PAGE_BYTES - 1) / PAGE_BYTES);
    unsigned char *memory = calloc(pages, PAGE_BYTES);
    struct mem_piece *pieces = calloc(pages, sizeof(*pieces));
    bool began = false;
    if (memory && pieces) {
        for (size_t i = 0; i < pages; i++)
            pieces[i] = (struct mem_piece){.address = module->start + i * PAGE_BYTES,
                                           .to = memory + i * PAGE_BYTES,
                                           .bytes = PAGE_BYTES};
        image->memory->read(image->memory, pieces, pages);
        began = pieces[0].ok;
        for (size_t i = 0; i < pages; i++) {
            if (!pieces[i].ok)
                memset(pieces[i].to, 0, PAGE_BYTES);
        }
    }
    free(pieces);
    if (began)
        return debug_cfi_open_loaded(memory, pages * PAGE_BYTES);
    free(memory);
    return NULL;
}

static struct debug_cfi *file_of(struct debug_unwind *unwind, uint32_t row)
{
    if (row == 0 || row >= unwind->file_count)
        return NULL;
    if (!unwind->opened[row]) {
        const struct image_module *module = &unwind->image->modules[row];
        unwind->opened[row] = true;
        if (module->file && module->file[0])
            unwind->files[row] = debug_cfi_open(module->file);
        if (!unwind->files[row])
            unwind->files[row] = open_from_memory(unwind->image, module);
    }
    return unwind->files[row];
}

/* ---- Rows ---- */

/* What holds at a return address; NULL: nobody knows. */
static const struct cfi_row *row_at(struct debug_unwind *unwind, uint64_t pc)
{
    uint32_t *number = table_at(&unwind->row_of_pc, (struct table_key){pc, 1});
    if (!number)
        return NULL;
    if (*number == 0) {
        if (!rows_grow(&unwind->rows, unwind->row_count, sizeof(*unwind->rows)))
            return NULL;
        struct known_row *known = &unwind->rows[unwind->row_count];
        uint32_t module = image_module_at(unwind->image, pc - 1);
        struct debug_cfi *file = file_of(unwind, module);
        known->found =
            file && debug_cfi_find(file, pc - 1 - unwind->image->modules[module].bias, &known->row);
        *number = (uint32_t)++unwind->row_count;
    }
    const struct known_row *known = &unwind->rows[*number - 1];
    return known->found ? &known->row : NULL;
}

struct debug_unwind *debug_unwind_create(struct image *image)
{
    struct debug_unwind *unwind = calloc(1, sizeof(*unwind));
    if (!unwind)
        return NULL;
    unwind->image = image;
    unwind->file_count = image->module_count;
    unwind->files = calloc(image->module_count + 1, sizeof(struct debug_cfi *));
    unwind->opened = calloc(image->module_count + 1, sizeof(bool));
    unwind->window.memory.read = read_word;
    unwind->window.reader = image->memory;
    if (!table_init(&unwind->row_of_pc, 256) || !unwind->files || !unwind->opened) {
        debug_unwind_destroy(unwind);
        return NULL;
    }
    return unwind;
}

void debug_unwind_destroy(struct debug_unwind *unwind)
{
    if (!unwind)
        return;
    for (size_t i = 0; i < unwind->row_count; i++) {
        if (unwind->rows[i].found)
            cfi_row_deinit(&unwind->rows[i].row);
    }
    for (size_t i = 0; unwind->files && i < unwind->file_count; i++)
        debug_cfi_close(unwind->files[i]);
    table_deinit(&unwind->row_of_pc);
    free(unwind->rows);
    free(unwind->files);
    free(unwind->opened);
    free(unwind);
}

uint32_t debug_unwind_lacking(const struct debug_unwind *unwind)
{
    return unwind->lacking;
}

/* ---- Walking ---- */

/* What a coroutine returns to at last: it goes on with another stack, or ends the program. Nothing
 * has called it, which no table says. It is known by its code, since many files have no name for
 * it. */
static const uint16_t coroutine_ends[][10] = {
    /* glibc, makecontext: mov %rbx,%rsp; mov (%rsp),%rdi; test %rdi,%rdi */
    {0x48, 0x89, 0xdc, 0x48, 0x8b, 0x3c, 0x24, 0x48, 0x85, 0xff},
    /* Boost.Context and who copies it, make_fcontext: xor %rdi,%rdi; call _exit; hlt */
    {0x48, 0x31, 0xff, 0xe8, ANY_BYTE, ANY_BYTE, ANY_BYTE, ANY_BYTE, 0xf4, ANY_BYTE},
};
#define COROUTINE_END_BYTES (sizeof(coroutine_ends[0]) / sizeof(coroutine_ends[0][0]))

static bool is_coroutine_end(const struct debug_unwind *unwind, uint64_t pc)
{
    unsigned char code[COROUTINE_END_BYTES];
    if (!mem_read(unwind->image->memory, pc, code, sizeof(code)))
        return false;
    for (size_t i = 0; i < sizeof(coroutine_ends) / sizeof(coroutine_ends[0]); i++) {
        size_t same = 0;
        while (same < sizeof(code) &&
               (coroutine_ends[i][same] == ANY_BYTE || coroutine_ends[i][same] == code[same]))
            same++;
        if (same == sizeof(code))
            return true;
    }
    return false;
}

/* Where a walk cannot go on from a return address, enum rec_site_flag. */
static uint16_t end_at(struct debug_unwind *unwind, uint64_t pc)
{
    if (!is_coroutine_end(unwind, pc))
        return REC_SITE_BROKEN;
    unwind->lacking = 0;
    return 0;
}

static bool is_code(const struct image *image, uint64_t address)
{
    const struct image_mapping *mapping = image_mapping_at(image, address);
    return mapping && mapping->executable;
}

size_t debug_unwind_walk(struct debug_unwind *unwind, const struct image_registers *registers,
                         const struct image_stop *stop, uint64_t pcs[DEBUG_UNWIND_DEPTH],
                         uint16_t *ret_flags)
{
    struct image_registers frame = *registers;
    size_t count = 0;

    *ret_flags = 0;
    unwind->lacking = 0;
    unwind->window.stop = stop;
    unwind->window.first = 0; /* what was read for another walk is over */
    memset(unwind->window.there, 0, sizeof(unwind->window.there));

    while (count < DEBUG_UNWIND_DEPTH) {
        uint64_t pc = frame.value[IMAGE_REGISTER_PC];
        pcs[count++] = pc;
        const struct cfi_row *row = row_at(unwind, pc);
        struct image_registers caller;
        if (!row ||
            !cfi_step(row, pc - 1, &frame, &unwind->window.memory, &caller, &unwind->lacking)) {
            *ret_flags = end_at(unwind, pc);
            return count;
        }
        if (!(caller.known >> IMAGE_REGISTER_PC & 1) || caller.value[IMAGE_REGISTER_PC] == 0)
            return count; /* the outermost one */
        if (row->signal)
            caller.value[IMAGE_REGISTER_PC]++;
        if (!is_code(unwind->image, caller.value[IMAGE_REGISTER_PC] - 1) ||
            (caller.value[IMAGE_REGISTER_PC] == pc &&
             caller.value[IMAGE_REGISTER_SP] == frame.value[IMAGE_REGISTER_SP])) {
            *ret_flags = end_at(unwind, pc);
            return count;
        }
        frame = caller;
    }
    *ret_flags = REC_SITE_CUT;
    return count;
}
