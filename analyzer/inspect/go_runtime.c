#include "analyzer/inspect/go_runtime.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/base/large.h"
#include "analyzer/base/text.h"
#include "analyzer/debug/file.h"
#include "analyzer/debug/types.h"

#define GOROUTINES_AT_ONCE 384 /* what is read of them stays in the processor's cache */
#define MAX_RANGES 64
#define SMALLEST_G_BYTES 256 /* of a runtime.g, whose stack comes on top */

static char debug_folders[] = DEBUG_FILE_FOLDERS;

/* The mappings of a module. What follows its data in memory without a name is the rest of its bss.
 */
static size_t ranges_of(const struct image *image, uint32_t module, struct go_range *ret)
{
    const struct image_module *row = &image->modules[module];
    size_t count = 0;
    for (size_t i = 0; i < image->mapping_count && count < MAX_RANGES; i++) {
        const struct image_mapping *mapping = &image->mappings[i];
        bool inside = mapping->start < row->end && mapping->end > row->start;
        bool bss = count && mapping->start == ret[count - 1].end && ret[count - 1].writable &&
                   mapping->writable && mapping->module == 0 && !mapping->name[0];
        if (mapping->module != module && (!inside || mapping->module) && !bss)
            continue;
        ret[count++] = (struct go_range){
            .start = mapping->start,
            .end = mapping->end,
            .readable = mapping->readable,
            .writable = mapping->writable,
            .executable = mapping->executable,
        };
    }
    return count;
}

static void scan_module(struct go_runtime *runtime, struct image *image, uint32_t module,
                        const struct go_hints *hints)
{
    struct go_range ranges[MAX_RANGES];
    size_t bytes = goscan_scratch_bytes(GOROUTINES_AT_ONCE);
    free(runtime->scratch);
    memset(&runtime->scan, 0, sizeof(runtime->scan));
    runtime->module = module;
    runtime->scratch = large_calloc(1, bytes);
    if (runtime->scratch)
        runtime->result =
            goscan_open(&runtime->scan, image->memory, ranges, ranges_of(image, module, ranges),
                        hints, runtime->scratch, bytes);
    runtime->scan.most_goroutines = image_room_for(image, SMALLEST_G_BYTES);
}

static bool dont_want_stack(const struct go_goroutine *it, void *arg)
{
    (void)it, (void)arg;
    return false;
}

static bool go_on(const struct go_goroutine *it, void *arg)
{
    (void)it, (void)arg;
    return true;
}

/* How many goroutines can be told. */
static uint64_t count_told(struct go_runtime *runtime)
{
    struct go_totals totals = {0};
    if (runtime->result != GO_OK)
        return 0;
    runtime->scan.wants_stack = dont_want_stack;
    enum go_result result = goscan_run(&runtime->scan, go_on, NULL, &totals);
    runtime->scan.wants_stack = NULL;
    return result == GO_OK ? totals.seen : 0;
}

/* Scans again by a layout that the table does not have, unless that cannot be one, or reads less
 * than half as much: then the debug information is damaged, or says nonsense. */
static void scan_by_layout(struct go_runtime *runtime, struct image *image)
{
    struct go_hints *hints = &runtime->symbols.hints;
    enum go_result by_table = runtime->result;
    uint64_t told_by_table = count_told(runtime);
    hints->layout = &runtime->layout;
    scan_module(runtime, image, runtime->module, hints);
    if (!runtime->scratch || by_table == GO_UNKNOWN_VERSION)
        return;
    bool worse = by_table == GO_OK
                     ? runtime->result != GO_OK || count_told(runtime) * 2 < told_by_table
                     : runtime->result == GO_UNKNOWN_VERSION;
    if (worse) {
        hints->layout = NULL;
        scan_module(runtime, image, runtime->module, hints);
    }
}

/* What the program's own DWARF says of its layout is believed before the table. */
static void scan_by_own_dwarf(struct go_runtime *runtime, struct image *image)
{
    const struct image_module *module = &image->modules[runtime->module];
    struct debug_head *head = debug_head_open(module->file, &runtime->symbols.debug);
    struct go_layout table;
    if (!head)
        return;
    bool known = go_layout_of(runtime->scan.minor, &table);
    runtime->layout = table;
    bool complete = debug_types_layout_in_head(head, &runtime->layout, &runtime->missing);
    debug_head_close(head);
    if (known ? memcmp(&runtime->layout, &table, sizeof(table)) != 0 : complete)
        scan_by_layout(runtime, image);
}

/* A version that is newer than the table, or a program that keeps its symbols elsewhere, where its
 * own DWARF was of no help: all that there is, also in a separate file. */
static void scan_by_any_dwarf(struct go_runtime *runtime, struct image *image)
{
    const struct image_module *module = &image->modules[runtime->module];
    struct go_hints *hints = &runtime->symbols.hints;
    struct debug_variable variables[] = {
        {"runtime.allgs", 0},
        {"runtime.firstmoduledata", 0},
        {"runtime.waitReasonStrings", 0},
        {"runtime.allp", 0},
    };
    uint64_t *const to[] = {&hints->all_gs, &hints->module_data, &hints->wait_reason_strings,
                            &hints->all_ps};
    struct debug_file *file;
    if (debug_file_open(module->file, module->build_id, module->build_id_bytes, debug_folders,
                        &file) != DEBUG_FILE_OK)
        return;
    enum go_result before = runtime->result;
    bool more = false;
    size_t count = sizeof(variables) / sizeof(variables[0]);
    if (!runtime->symbols.has_symbols && debug_types_variables(file, variables, count)) {
        for (size_t i = 0; i < count; i++) {
            if (variables[i].address)
                *to[i] = variables[i].address + module->bias;
        }
        more = true;
    }
    if (before == GO_UNKNOWN_VERSION) {
        (void)go_layout_of(runtime->scan.minor, &runtime->layout);
        hints->layout =
            debug_types_layout(file, &runtime->layout, &runtime->missing) ? &runtime->layout : NULL;
        more = more || hints->layout;
    }
    debug_file_close(file);
    if (more && (before != GO_UNKNOWN_VERSION || hints->layout))
        scan_module(runtime, image, runtime->module, hints);
}

/* The program itself first, then its libraries: `from` counts them. */
static bool open_from(struct go_runtime *ret, struct image *image, uint32_t from)
{
    memset(ret, 0, sizeof(*ret));
    ret->result = GO_NOT_GO;
    uint32_t exe = image_exe_module(image);
    for (uint32_t n = from; n < image->module_count && ret->result == GO_NOT_GO; n++) {
        uint32_t row = n == 0 ? exe : n;
        ret->next = n + 1;
        const struct image_module *module = &image->modules[row];
        if (row == 0 || (n && row == exe))
            continue;
        if (module->file[0])
            go_symbols_read(module->file, module->bias, &ret->symbols);
        else
            ret->symbols = (struct go_symbols){0};
        /* A file that says nothing of itself may be Go's all the same if it is the program. */
        if (!ret->symbols.is_go && (ret->symbols.has_sections || row != exe))
            continue;
        scan_module(ret, image, row, &ret->symbols.hints);
        if (ret->scratch && module->file[0] && ret->result != GO_NOT_GO &&
            ret->result != GO_TOO_OLD)
            scan_by_own_dwarf(ret, image);
        if (ret->scratch && module->file[0] &&
            (ret->result == GO_UNKNOWN_VERSION || ret->result == GO_NOT_FOUND))
            scan_by_any_dwarf(ret, image);
        if (!ret->scratch)
            return false;
    }
    return true;
}

bool go_runtime_open(struct go_runtime *ret, struct image *image)
{
    return open_from(ret, image, 0);
}

bool go_runtime_open_next(const struct go_runtime *before, struct go_runtime *ret,
                          struct image *image)
{
    uint32_t from = before->next;
    for (;;) {
        if (!open_from(ret, image, from))
            return false;
        /* A plugin has a list of its own, in which nobody puts anything. */
        bool unused = ret->result == GO_OK && goscan_count(&ret->scan) == 0;
        if (ret->result != GO_NOT_FOUND && !unused)
            return true;
        from = ret->next;
        go_runtime_close(ret);
    }
}

void go_runtime_close(struct go_runtime *runtime)
{
    free(runtime->scratch);
    memset(runtime, 0, sizeof(*runtime));
}

static bool has_only_go(const struct image *image, const struct go_runtime *runtime)
{
    for (uint32_t i = 1; i < image->module_count; i++) {
        const char *name = text_basename(image->modules[i].path);
        if (i != runtime->module && name[0] != '[' && strncmp(name, "linux-vdso", 10) != 0)
            return false;
    }
    return true;
}

/* Whether a thread is in code of the program's own file that is not Go's: in C, which was linked
 * into it. */
static bool is_in_c(const struct image *image, const struct go_runtime *runtime, uint64_t pc)
{
    const struct image_mapping *mapping = image_mapping_at(image, pc);
    return mapping && mapping->module == runtime->module;
}

void go_runtime_mark_threads(const struct go_runtime *runtime, struct image *image)
{
    const struct pclntab *functions = &runtime->scan.functions;
    const unsigned pc_bit = 1U << IMAGE_REGISTER_PC;
    bool alone = has_only_go(image, runtime);
    for (size_t i = 0; i < image->thread_count; i++) {
        struct image_thread *thread = &image->threads[i];
        uint64_t pc = thread->registers.value[IMAGE_REGISTER_PC];
        bool known = thread->registers.known & pc_bit;
        if ((known && pc >= functions->text && pc < functions->etext) ||
            (alone && !(known && is_in_c(image, runtime, pc))))
            thread->runtime = true;
    }
}
