#include "analyzer/inspect/c_library.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/base/table.h"
#include "analyzer/base/text.h"
#include "analyzer/debug/names.h"
#include "analyzer/inspect/thread_inner.h"

#define MAX_DESCRIPTOR_BYTES 65536
#define MAX_CALLED 1024 /* places of calls that are remembered */
#define MAX_UNKNOWN 4   /* frames without a name that are stepped over in a static program */
#define MAX_PATTERNS 4

/* The files that the C library is in: before glibc 2.34, what is about threads has one of its own.
 */
static const char *const patterns[][MAX_PATTERNS] = {
    {"libc.so.6*", "libc-[0-9]*.so*", "ld-musl-*.so*", "libc.musl-*.so*"},
    {"libpthread.so.0*", "libpthread-[0-9]*.so*"},
};
#define LIBRARIES (sizeof(patterns) / sizeof(patterns[0]))

struct library {
    uint32_t module; /* the program's own if it is static; 0: none */
    uint64_t bias;
    struct debug_names *symbols; /* NULL: none */
    struct thread_inner inner;
};

struct c_library {
    struct image *image;
    struct library libraries[LIBRARIES];
    bool is_static;
    bool is_glibc;
    struct thread_layout layout;
    struct thread_list_layout list;
    struct table called; /* by return address: number of `functions` + 1 */
    const struct thread_function *functions[MAX_CALLED];
    size_t called_count;
};

/* The first module of such a name; 0: there is none. */
static uint32_t find_module(const struct image *image, const char *const names[MAX_PATTERNS])
{
    for (uint32_t i = 1; i < image->module_count; i++) {
        const char *name = text_basename(image->modules[i].path);
        for (size_t k = 0; k < MAX_PATTERNS && names[k]; k++) {
            if (fnmatch(names[k], name, 0) == 0)
                return i;
        }
    }
    return 0;
}

static void open_library(struct c_library *libc, struct library *library, uint32_t module)
{
    const struct image_module *from = &libc->image->modules[module];
    library->module = module;
    library->bias = from->bias;
    library->symbols = from->file && from->file[0] ? debug_names_open(from->file) : NULL;
}

static void open_libraries(struct c_library *libc)
{
    for (size_t i = 0; i < LIBRARIES; i++) {
        uint32_t module = find_module(libc->image, patterns[i]);
        if (i == 0 && module == 0) {
            libc->is_static = true;
            module = image_exe_module(libc->image);
        }
        if (module)
            open_library(libc, &libc->libraries[i], module);
        if (libc->is_static)
            return;
    }
}

/* The one that an address is in; NULL: none. */
static struct library *library_at(struct c_library *libc, uint64_t address)
{
    uint32_t module = image_module_at(libc->image, address);
    for (size_t i = 0; i < LIBRARIES; i++) {
        if (module && libc->libraries[i].module == module)
            return &libc->libraries[i];
    }
    return NULL;
}

/* Where the libraries have it, in memory; 0: none of them does. */
static uint64_t find_symbol(const struct c_library *libc, const char *symbol)
{
    uint64_t address;
    for (size_t i = 0; i < LIBRARIES; i++) {
        const struct library *library = &libc->libraries[i];
        if (library->symbols && debug_names_find(library->symbols, symbol, &address))
            return address + library->bias;
    }
    return 0;
}

/* One of the tables for debuggers: how many bits, how often, at which offset. */
static uint32_t read_offset(const struct c_library *libc, const char *symbol)
{
    uint64_t address = find_symbol(libc, symbol);
    uint32_t field[3];
    if (!address || !mem_read(libc->image->memory, address, field, sizeof(field)) ||
        field[2] > MAX_DESCRIPTOR_BYTES)
        return 0;
    return field[2];
}

/* _rtld_global: of the dynamic loader, or of a static program itself. */
static uint64_t find_loader_data(const struct c_library *libc)
{
    const struct image *image = libc->image;
    uint64_t address;
    for (uint32_t i = 1; !libc->is_static && i < image->module_count; i++) {
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

/* Where one of the lists begins: in the loader's data, or before glibc 2.34 in a variable. 0: not
 * known. */
static uint64_t find_head(const struct c_library *libc, uint64_t data, const char *offset_of,
                          const char *variable)
{
    uint64_t offset = data ? read_offset(libc, offset_of) : 0;
    return offset ? data + offset : find_symbol(libc, variable);
}

static void find_list(struct c_library *libc)
{
    static const char *const heads[][2] = {
        {"_thread_db_rtld_global__dl_stack_used", "stack_used"},
        {"_thread_db_rtld_global__dl_stack_user", "__stack_user"},
    };
    struct thread_list_layout *list = &libc->list;
    uint64_t data = find_loader_data(libc);
    list->tid = libc->layout.tid;
    list->start_routine = libc->layout.start_routine;
    list->list = read_offset(libc, "_thread_db_pthread_list");
    list->cancelhandling = read_offset(libc, "_thread_db_pthread_cancelhandling");
    if (!list->tid || !list->start_routine || !list->list || !list->cancelhandling)
        return;
    for (size_t i = 0; i < 2; i++)
        list->heads[i] = find_head(libc, data, heads[i][0], heads[i][1]);
}

struct c_library *c_library_create(struct image *image)
{
    struct c_library *libc = calloc(1, sizeof(*libc));
    if (!libc)
        return NULL;
    bool ok = table_init(&libc->called, 64);
    for (size_t i = 0; i < LIBRARIES; i++)
        ok = thread_inner_init(&libc->libraries[i].inner) && ok;
    if (!ok) {
        c_library_destroy(libc);
        return NULL;
    }
    libc->image = image;
    open_libraries(libc);
    libc->is_glibc =
        find_symbol(libc, "gnu_get_libc_version") || find_symbol(libc, "__libc_setup_tls");
    libc->layout.tid = read_offset(libc, "_thread_db_pthread_tid");
    libc->layout.start_routine = read_offset(libc, "_thread_db_pthread_start_routine");
    find_list(libc);
    return libc;
}

void c_library_destroy(struct c_library *libc)
{
    if (!libc)
        return;
    for (size_t i = 0; i < LIBRARIES; i++) {
        debug_names_close(libc->libraries[i].symbols);
        thread_inner_deinit(&libc->libraries[i].inner);
    }
    table_deinit(&libc->called);
    free(libc);
}

bool c_library_is_glibc(const struct c_library *libc)
{
    return libc->is_glibc;
}

struct thread_layout c_library_layout(const struct c_library *libc)
{
    return libc->layout;
}

struct thread_list_layout c_library_thread_list(const struct c_library *libc)
{
    return libc->list;
}

/* The file of the C library that a frame is in, NULL: none; its function, or NULL. */
static struct library *look_at(struct c_library *libc, uint64_t pc, const char **ret_symbol)
{
    uint64_t start;
    struct library *library = library_at(libc, pc - 1);
    *ret_symbol = library && library->symbols
                      ? debug_names_function(library->symbols, pc - 1 - library->bias, &start)
                      : NULL;
    return library;
}

static bool read_slot(const struct c_library *libc, uint64_t after, const unsigned char *at,
                      uint64_t *ret)
{
    int32_t distance;
    memcpy(&distance, at, sizeof(distance));
    return mem_read(libc->image->memory, after + (uint64_t)(int64_t)distance, ret, sizeof(*ret));
}

/* Where a stub of the procedure linkage table jumps to: (endbr64) (bnd) jmp *slot(%rip). An address
 * that is none stays as it is. (System V ABI, AMD64, section 5.2) */
static uint64_t through_stub(const struct c_library *libc, uint64_t address)
{
    static const unsigned char endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
    unsigned char code[16];
    uint64_t target;
    size_t at = 0;
    if (!mem_read(libc->image->memory, address, code, sizeof(code)))
        return address;
    if (memcmp(code, endbr64, sizeof(endbr64)) == 0)
        at = sizeof(endbr64);
    if (code[at] == 0xf2)
        at++;
    if (code[at] != 0xff || code[at + 1] != 0x25 ||
        !read_slot(libc, address + at + 6, code + at + 2, &target))
        return address;
    return target;
}

/* The function that the call before a return address went to, if it is one of the C library's that
 * parks. It need not have a frame: where it ends in a jump to another one, it has left its own. */
static const struct thread_function *called_at(struct c_library *libc, uint64_t pc)
{
    unsigned char code[6];
    uint64_t target = 0, start;
    if (!mem_read(libc->image->memory, pc - sizeof(code), code, sizeof(code)))
        return NULL;
    if (code[0] == 0xff && code[1] == 0x15) { /* call *slot(%rip) */
        if (!read_slot(libc, pc, code + 2, &target))
            return NULL;
    } else if (code[1] == 0xe8) { /* call target */
        int32_t distance;
        memcpy(&distance, code + 2, sizeof(distance));
        target = through_stub(libc, pc + (uint64_t)(int64_t)distance);
    }
    const struct library *library = library_at(libc, target);
    if (!library || !library->symbols)
        return NULL;
    target -= library->bias;
    const char *symbol = debug_names_function(library->symbols, target, &start);
    return symbol && start == target ? thread_function_find(symbol) : NULL;
}

/* The same, looked up once an address. */
static const struct thread_function *called_before(struct c_library *libc, uint64_t pc)
{
    const uint32_t *known = table_find(&libc->called, (struct table_key){pc, 1});
    if (known)
        return libc->functions[*known - 1];
    const struct thread_function *function = called_at(libc, pc);
    uint32_t *number =
        libc->called_count < MAX_CALLED ? table_at(&libc->called, (struct table_key){pc, 1}) : NULL;
    if (number) {
        libc->functions[libc->called_count] = function;
        *number = (uint32_t)++libc->called_count;
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
static const struct thread_function *by_inner(struct c_library *libc, struct library *library,
                                              uint64_t pc)
{
    if (!library->symbols || libc->is_static) /* there, all functions have names */
        return NULL;
    return thread_inner_find(&library->inner, library->symbols, libc->image->memory, library->bias,
                             pc - 1 - library->bias);
}

const struct thread_function *c_library_parked_in(struct c_library *libc, const uint64_t *pcs,
                                                  size_t count, const struct thread_call *call)
{
    const struct thread_function *found = NULL;
    bool has_name = false; /* `found` is that of a frame, and not only of an inner function */
    size_t unknown = 0, i = 0;
    for (; i < count; i++) {
        const char *symbol;
        struct library *library = look_at(libc, pcs[i], &symbol);
        if (!library)
            break;
        const struct thread_function *function = symbol ? thread_function_find(symbol) : NULL;
        if (function && !goes_with(function, found, call))
            break;
        /* In a static program it is not the file that tells where the C library ends, but the first
         * frame that called one of its functions. */
        if (!function && libc->is_static && i > 0) {
            const struct thread_function *called = called_before(libc, pcs[i]);
            if (called && goes_with(called, found, call))
                return called;
        }
        if (function) {
            found = function;
            has_name = true;
        } else if (libc->is_static && (found || ++unknown > MAX_UNKNOWN)) {
            return found;
        } else if (symbol && found && !has_name) {
            found = NULL; /* another function uses the same inner one for its own purposes */
            break;
        } else if (!symbol && !found) {
            const struct thread_function *inner = by_inner(libc, library, pcs[i]);
            found = goes_with(inner, NULL, call) ? inner : NULL;
        }
    }
    const struct thread_function *called = i > 0 && i < count ? called_before(libc, pcs[i]) : NULL;
    return called && goes_with(called, found, call) ? called : found;
}

size_t c_library_outermost(struct c_library *libc, const uint64_t *pcs, size_t count)
{
    size_t outermost = 0;
    const char *symbol;
    while (outermost < count && look_at(libc, pcs[count - 1 - outermost], &symbol) &&
           (!libc->is_static || (symbol && thread_function_is_outermost(symbol))))
        outermost++;
    return outermost;
}
