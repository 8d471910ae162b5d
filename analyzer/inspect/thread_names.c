#include "analyzer/inspect/thread_names.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/base/table.h"
#include "analyzer/base/text.h"
#include "analyzer/debug/names.h"
#include "analyzer/inspect/thread_inner.h"

#define DESCRIPTOR_BYTES_MOST 65536
#define CALLED_MOST 1024 /* places of calls that are remembered */
#define UNKNOWN_MOST 4   /* frames without a name that are stepped over in a static program */

struct thread_names {
    struct image *image;
    uint32_t module; /* that the C library is in, the program's own if it is static; 0: none */
    bool is_static;
    bool is_glibc;
    struct debug_names *symbols; /* NULL: none */
    struct thread_layout layout;
    struct thread_list_layout list;
    struct table called; /* by return address: number of `functions` + 1 */
    const struct thread_function *functions[CALLED_MOST];
    size_t called_count;
    struct thread_inner inner;
};

/* The C library among the modules; 0: it is linked into the program. */
static uint32_t find_library(const struct image *image)
{
    static const char *const patterns[] = {"libc.so.6*", "libc-[0-9]*.so*", "ld-musl-*.so*",
                                           "libc.musl-*.so*"};
    for (uint32_t i = 1; i < image->module_count; i++) {
        const char *name = text_basename(image->modules[i].path);
        for (size_t k = 0; k < sizeof(patterns) / sizeof(patterns[0]); k++) {
            if (fnmatch(patterns[k], name, 0) == 0)
                return i;
        }
    }
    return 0;
}

/* One of the tables for debuggers: how many bits, how often, at which offset. */
static uint32_t read_offset(const struct thread_names *names, const char *symbol)
{
    uint64_t address;
    uint32_t field[3];
    if (!debug_names_find(names->symbols, symbol, &address) ||
        !mem_read(names->image->memory, address + names->image->modules[names->module].bias, field,
                  sizeof(field)) ||
        field[2] > DESCRIPTOR_BYTES_MOST)
        return 0;
    return field[2];
}

/* _rtld_global: of the dynamic loader, or of a static program itself. */
static uint64_t find_loader_data(const struct thread_names *names)
{
    const struct image *image = names->image;
    uint64_t address;
    for (uint32_t i = 1; !names->is_static && i < image->module_count; i++) {
        const struct image_module *module = &image->modules[i];
        if (fnmatch("ld-linux*.so*", text_basename(module->path), 0) != 0 &&
            fnmatch("ld-[0-9]*.so*", text_basename(module->path), 0) != 0)
            continue;
        struct debug_names *symbols =
            module->file && module->file[0] ? debug_names_open(module->file) : NULL;
        bool found = symbols && debug_names_find(symbols, "_rtld_global", &address);
        debug_names_close(symbols);
        if (found)
            return address + module->bias;
    }
    return 0;
}

static void find_list(struct thread_names *names)
{
    static const char *const heads[] = {"_thread_db_rtld_global__dl_stack_used",
                                        "_thread_db_rtld_global__dl_stack_user"};
    struct thread_list_layout *list = &names->list;
    uint64_t data = find_loader_data(names);
    list->tid = names->layout.tid;
    list->start_routine = names->layout.start_routine;
    list->list = read_offset(names, "_thread_db_pthread_list");
    list->cancelhandling = read_offset(names, "_thread_db_pthread_cancelhandling");
    for (size_t i = 0; i < 2; i++) {
        uint64_t offset = read_offset(names, heads[i]);
        if (data && offset && list->tid && list->start_routine && list->list &&
            list->cancelhandling)
            list->heads[i] = data + offset;
    }
}

struct thread_names *thread_names_create(struct image *image)
{
    struct thread_names *names = calloc(1, sizeof(*names));
    if (!names)
        return NULL;
    bool ok = table_init(&names->called, 64);
    ok = thread_inner_init(&names->inner) && ok;
    if (!ok) {
        thread_names_destroy(names);
        return NULL;
    }
    names->image = image;
    names->module = find_library(image);
    if (names->module == 0) {
        names->is_static = true;
        names->module = image_exe_module(image);
    }
    const char *file = names->module ? image->modules[names->module].file : NULL;
    names->symbols = file && file[0] ? debug_names_open(file) : NULL;
    if (names->symbols) {
        uint64_t unused;
        names->is_glibc = debug_names_find(names->symbols, "gnu_get_libc_version", &unused) ||
                          debug_names_find(names->symbols, "__libc_setup_tls", &unused);
        names->layout.tid = read_offset(names, "_thread_db_pthread_tid");
        names->layout.start_routine = read_offset(names, "_thread_db_pthread_start_routine");
        find_list(names);
    }
    return names;
}

void thread_names_destroy(struct thread_names *names)
{
    if (!names)
        return;
    debug_names_close(names->symbols);
    table_deinit(&names->called);
    thread_inner_deinit(&names->inner);
    free(names);
}

bool thread_names_are_glibc(const struct thread_names *names)
{
    return names->is_glibc;
}

struct thread_layout thread_names_layout(const struct thread_names *names)
{
    return names->layout;
}

struct thread_list_layout thread_names_list(const struct thread_names *names)
{
    return names->list;
}

/* Whether a frame is in the file that holds the C library; its function, or NULL. */
static bool look_at(const struct thread_names *names, uint64_t pc, const char **ret_symbol)
{
    uint64_t start;
    *ret_symbol = NULL;
    if (names->module == 0 || image_module_at(names->image, pc - 1) != names->module)
        return false;
    if (names->symbols)
        *ret_symbol = debug_names_function(
            names->symbols, pc - 1 - names->image->modules[names->module].bias, &start);
    return true;
}

static bool read_slot(const struct thread_names *names, uint64_t after, const unsigned char *at,
                      uint64_t *ret)
{
    int32_t distance;
    memcpy(&distance, at, sizeof(distance));
    return mem_read(names->image->memory, after + (uint64_t)(int64_t)distance, ret, sizeof(*ret));
}

/* Where a stub of the procedure linkage table jumps to: (endbr64) (bnd) jmp *slot(%rip). An address
 * that is none stays as it is. (System V ABI, AMD64, section 5.2) */
static uint64_t through_stub(const struct thread_names *names, uint64_t address)
{
    static const unsigned char endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
    unsigned char code[16];
    uint64_t target;
    size_t at = 0;
    if (!mem_read(names->image->memory, address, code, sizeof(code)))
        return address;
    if (memcmp(code, endbr64, sizeof(endbr64)) == 0)
        at = sizeof(endbr64);
    if (code[at] == 0xf2)
        at++;
    if (code[at] != 0xff || code[at + 1] != 0x25 ||
        !read_slot(names, address + at + 6, code + at + 2, &target))
        return address;
    return target;
}

/* The function that the call before a return address went to, if it is one of the C library's that
 * parks. It need not have a frame: where it ends in a jump to another one, it has left its own. */
static const struct thread_function *called_at(const struct thread_names *names, uint64_t pc)
{
    unsigned char code[6];
    uint64_t target = 0, start;
    if (!names->symbols || !mem_read(names->image->memory, pc - sizeof(code), code, sizeof(code)))
        return NULL;
    if (code[0] == 0xff && code[1] == 0x15) { /* call *slot(%rip) */
        if (!read_slot(names, pc, code + 2, &target))
            return NULL;
    } else if (code[1] == 0xe8) { /* call target */
        int32_t distance;
        memcpy(&distance, code + 2, sizeof(distance));
        target = through_stub(names, pc + (uint64_t)(int64_t)distance);
    }
    if (image_module_at(names->image, target) != names->module)
        return NULL;
    target -= names->image->modules[names->module].bias;
    const char *symbol = debug_names_function(names->symbols, target, &start);
    return symbol && start == target ? thread_function_find(symbol) : NULL;
}

/* The same, looked up once an address. */
static const struct thread_function *called_before(struct thread_names *names, uint64_t pc)
{
    const uint32_t *known = table_find(&names->called, (struct table_key){pc, 1});
    if (known)
        return names->functions[*known - 1];
    const struct thread_function *function = called_at(names, pc);
    uint32_t *number = names->called_count < CALLED_MOST
                           ? table_at(&names->called, (struct table_key){pc, 1})
                           : NULL;
    if (number) {
        names->functions[names->called_count] = function;
        *number = (uint32_t)++names->called_count;
    }
    return function;
}

/* Whether a function is one by which the thread came to park, if `found` is one further inside. */
static bool goes_with(const struct thread_function *function, const struct thread_function *found,
                      const struct thread_call *call)
{
    return function && thread_function_fits(function, call) &&
           (!found || function->op == found->op);
}

/* The function that parks through one of the C library's inner ones; NULL: not known. */
static const struct thread_function *by_inner(struct thread_names *names, uint64_t pc)
{
    uint64_t bias = names->image->modules[names->module].bias;
    if (!names->symbols || names->is_static) /* there, all functions have names */
        return NULL;
    return thread_inner_find(&names->inner, names->symbols, names->image->memory, bias,
                             pc - 1 - bias);
}

const struct thread_function *thread_names_parked_in(struct thread_names *names,
                                                     const uint64_t *pcs, size_t count,
                                                     const struct thread_call *call)
{
    const struct thread_function *found = NULL;
    bool has_name = false; /* `found` is that of a frame, and not only of an inner function */
    size_t unknown = 0, i = 0;
    for (; i < count; i++) {
        const char *symbol;
        if (!look_at(names, pcs[i], &symbol))
            break;
        const struct thread_function *function = symbol ? thread_function_find(symbol) : NULL;
        if (function && !goes_with(function, found, call))
            break;
        /* In a static program it is not the file that tells where the C library ends, but the first
         * frame that called one of its functions. */
        if (!function && names->is_static && i > 0) {
            const struct thread_function *called = called_before(names, pcs[i]);
            if (called && goes_with(called, found, call))
                return called;
        }
        if (function) {
            found = function;
            has_name = true;
        } else if (names->is_static && (found || ++unknown > UNKNOWN_MOST)) {
            return found;
        } else if (symbol && found && !has_name) {
            found = NULL; /* another function uses the same inner one for its own purposes */
            break;
        } else if (!symbol && !found) {
            const struct thread_function *inner = by_inner(names, pcs[i]);
            found = goes_with(inner, NULL, call) ? inner : NULL;
        }
    }
    const struct thread_function *called = i > 0 && i < count ? called_before(names, pcs[i]) : NULL;
    return called && goes_with(called, found, call) ? called : found;
}

size_t thread_names_outermost(struct thread_names *names, const uint64_t *pcs, size_t count)
{
    size_t outermost = 0;
    const char *symbol;
    while (outermost < count && look_at(names, pcs[count - 1 - outermost], &symbol) &&
           (!names->is_static || (symbol && thread_function_is_outermost(symbol))))
        outermost++;
    return outermost;
}
