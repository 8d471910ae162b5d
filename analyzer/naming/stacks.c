#include "analyzer/naming/stacks.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/base/rows.h"
#include "analyzer/base/text.h"
#include "analyzer/debug/symbols.h"
#include "analyzer/inspect/preloaded.h"

struct stacks {
    const struct snapshot *snapshot;
    struct symbols *symbols;
    struct stack **known;  /* by site */
    bool *module_was_used; /* by row of snapshot->modules */
};

static const struct stack empty;

static struct symbol_module symbol_module_of(const struct snapshot *snapshot,
                                             const struct snapshot_module *module)
{
    bool is_there = module->file && module->file[0];
    return (struct symbol_module){
        .path = is_there ? module->file : module->path,
        .at_path = is_there       ? SYMBOL_FILE_SAME
                   : module->file ? SYMBOL_FILE_OTHER
                                  : SYMBOL_FILE_UNSURE,
        .go_names = snapshot->go_version[0] && strcmp(module->path, snapshot->exe) == 0,
        .build_id = module->build_id,
        .build_id_bytes = module->build_id_bytes,
        .bias = module->bias,
    };
}

#define MAX_COMPARED 10000 /* names: a file that was built anew differs in more than one */

/* A file may have been built anew since. */
static void compare_files(struct stacks *stacks)
{
    const struct snapshot *snapshot = stacks->snapshot;
    for (size_t i = 0; i < snapshot->frame_count && i < MAX_COMPARED; i++) {
        const struct snapshot_frame *frame = &snapshot->frames[i];
        const struct snapshot_module *from =
            frame->module < snapshot->module_count ? &snapshot->modules[frame->module] : NULL;
        if (frame->function[0] == '\0' || !from || !from->path) /* a row that is none has no path */
            continue;
        struct symbol_module module = symbol_module_of(snapshot, from);
        symbols_compare(stacks->symbols, &module, frame->pc, frame->function);
    }
}

struct stacks *stacks_create(const struct snapshot *snapshot)
{
    struct stacks *stacks = calloc(1, sizeof(*stacks));
    if (!stacks)
        return NULL;
    stacks->snapshot = snapshot;
    stacks->symbols = symbols_create(NULL);
    stacks->known = calloc(snapshot->site_count + 1, sizeof(*stacks->known));
    stacks->module_was_used = calloc(snapshot->module_count + 1, sizeof(bool));
    if (!stacks->symbols || !stacks->known || !stacks->module_was_used) {
        stacks_destroy(stacks);
        return NULL;
    }
    compare_files(stacks);
    return stacks;
}

void stacks_destroy(struct stacks *stacks)
{
    if (!stacks)
        return;
    for (size_t i = 0; stacks->known && i < stacks->snapshot->site_count; i++)
        free(stacks->known[i]);
    free(stacks->known);
    free(stacks->module_was_used);
    symbols_destroy(stacks->symbols);
    free(stacks);
}

static bool is_leakspy(const struct snapshot_module *module)
{
    return module && preloaded_is_library(module->path);
}

/* Room for frames that grows. */
struct frames {
    struct frame *rows;
    size_t count;
    bool all;                   /* wrappers too */
    size_t wrappers;            /* that were left out */
    enum symbol_role last_role; /* of the frame before, left out or not */
};

static bool add_frame(struct frames *frames, const struct frame *frame)
{
    if (!rows_grow(&frames->rows, frames->count, sizeof(*frames->rows)))
        return false;
    frames->rows[frames->count++] = *frame;
    return true;
}

/* As Go's own tracebacks do: a wrapper is told only where it called what panics. */
static bool is_hidden(struct frames *frames, enum symbol_role role)
{
    bool hidden = role == SYMBOL_WRAPPER && frames->last_role != SYMBOL_PANIC && !frames->all;
    frames->last_role = role;
    frames->wrappers += hidden;
    return hidden;
}

static bool add_address(struct stacks *stacks, uint64_t pc, uint32_t epoch, struct frames *frames)
{
    const struct snapshot_module *module = snapshot_module_of(stacks->snapshot, pc, epoch);
    if (is_leakspy(module))
        return true;

    struct symbol_module symbol_module;
    if (module) {
        symbol_module = symbol_module_of(stacks->snapshot, module);
        stacks->module_was_used[module - stacks->snapshot->modules] = true;
    }
    const struct symbol_frame *found;
    size_t count = symbols_resolve(stacks->symbols, module ? &symbol_module : NULL, pc,
                                   snapshot_function_of(stacks->snapshot, pc, module), &found);
    for (size_t i = 0; i < count; i++) {
        struct frame frame = {
            .pc = pc,
            .offset = module ? pc - module->bias : pc,
            .function = found[i].function,
            .file = found[i].file,
            .line = found[i].line,
            .inlined = found[i].inlined,
            .module = module,
        };
        if (!is_hidden(frames, found[i].role) && !add_frame(frames, &frame))
            return false;
    }
    return true;
}

static void add_site(struct stacks *stacks, const struct snapshot_site *site, struct frames *frames)
{
    for (uint32_t i = 0; i < site->pc_count; i++) {
        if (!add_address(stacks, stacks->snapshot->pcs[site->first_pc + i], site->epoch, frames))
            break;
    }
}

const struct stack *stacks_get(struct stacks *stacks, uint32_t site)
{
    const struct snapshot *snapshot = stacks->snapshot;
    if (site == 0 || site >= snapshot->site_count || snapshot->sites[site].pc_count == 0)
        return &empty;
    if (stacks->known[site])
        return stacks->known[site];

    struct frames frames = {0};
    add_site(stacks, &snapshot->sites[site], &frames);
    if (frames.count == 0 && frames.wrappers > 0) {
        frames.all = true;
        add_site(stacks, &snapshot->sites[site], &frames);
    }

    /* Where a function begins, one that was inlined into it may begin too: not what is meant. */
    if ((snapshot->sites[site].flags & SNAPSHOT_SITE_START) && frames.count > 1) {
        frames.rows[0] = frames.rows[frames.count - 1];
        frames.count = 1;
    }

    /* The frames stand behind the stack in one piece of memory. */
    struct stack *stack = malloc(sizeof(*stack) + frames.count * sizeof(struct frame));
    if (stack) {
        struct frame *rows = (struct frame *)(stack + 1);
        if (frames.count)
            memcpy(rows, frames.rows, frames.count * sizeof(struct frame));
        *stack = (struct stack){rows, frames.count, snapshot->sites[site].flags};
    }
    free(frames.rows);
    stacks->known[site] = stack;
    return stack ? stack : &empty;
}

/* Files and functions that are a runtime's and not the program's. */
static const char *const runtime_modules[] = {
    "libc.so*",       "libc-*.so",      "ld-linux*.so*", "libpthread*.so*", "libgcc_s.so*",
    "libstdc++.so*",  "libc++.so*",     "libgo.so*",     "libtaskrt.so*",   "libglib-2.0.so*",
    "libunwind*.so*", "linux-vdso.so*", "\\[vdso]",
};
/* Some names are such as programs use, too: those are a runtime's in its own source files alone,
 * where the file is known. */
static const struct {
    const char *function; /* pattern */
    const char *file;     /* part of the path; NULL: any */
} runtime_functions[] = {
    {"taskrt_*", NULL},
    {"runtime.*", NULL},
    {"runtime_*", "/libgo/"},
    {"pthread_*", NULL},
    {"__pthread_*", NULL},
    {"start_thread", NULL},
    {"__clone*", NULL},
    {"clone", NULL},
    {"clone3", NULL},
    {"_start", NULL},
    {"__libc_start_*", NULL},
    {"std::*", NULL},
    {"core::*", "/library/"},
    {"alloc::*", "/library/"},
    {"__rust_*", NULL},
    {"<std::*", NULL},
    {"<core::*", NULL},
    {"<alloc::*", NULL},
    {"syscall", NULL},
    {"internal/poll.*", NULL},
    {"sync.*", NULL},
    {"_Unwind_*", NULL},
    {"__gthread_*", NULL},
    {"futex_*", NULL},
    {"__futex_*", NULL},
    {"__lll_*", NULL},
    {"__new_sem_*", NULL},
    {"__go_*", NULL},
    {"g_thread_proxy", NULL},
    {"rust_begin_unwind", NULL},
    {"kickoff", NULL},
    {"__sanitizer_*", NULL},
    {"__interceptor_*", NULL},
    {"lang_start*", NULL},
    {"time.Sleep", NULL},
    {"internal/sync.*", NULL},
    {"internal/runtime/*", NULL},
    {"runtime/internal/*", NULL},
    {"syscall.*", NULL},
    {"internal/synctest.*", NULL},
    {"internal/syscall/*", NULL},
    {"crosscall*", NULL},
    {"_cgo_*", NULL},
    {"x_cgo_*", NULL},
};

static bool is_runtime(const struct frame *frame)
{
    if (frame->module) {
        const char *name = text_basename(frame->module->path);
        for (size_t i = 0; i < sizeof(runtime_modules) / sizeof(runtime_modules[0]); i++) {
            if (fnmatch(runtime_modules[i], name, 0) == 0)
                return true;
        }
    }
    if (!frame->function)
        return false;
    for (size_t i = 0; i < sizeof(runtime_functions) / sizeof(runtime_functions[0]); i++) {
        const char *file = runtime_functions[i].file;
        if (fnmatch(runtime_functions[i].function, frame->function, 0) == 0)
            return !file || !frame->file || strstr(frame->file, file);
    }
    return false;
}

/* Without what has called main, whose outermost frame has no name in a stripped program. */
static size_t within_start(const struct stack *stack)
{
    for (size_t i = 0; i < stack->count; i++) {
        const struct frame *frame = &stack->frames[i];
        if (frame->function && fnmatch("__libc_start_*", frame->function, 0) == 0)
            return i;
    }
    return stack->count;
}

struct stack stack_user_part(const struct stack *stack)
{
    size_t from = 0;
    size_t to = within_start(stack);
    while (from < to && is_runtime(&stack->frames[from]))
        from++;
    while (to > from && is_runtime(&stack->frames[to - 1]))
        to--;
    if (from == to)
        return *stack;
    return (struct stack){stack->frames + from, to - from, stack->flags};
}

void stacks_notes(struct stacks *stacks,
                  void (*visit)(const char *path, const char *note, void *arg), void *arg)
{
    for (size_t i = 1; i < stacks->snapshot->module_count; i++) {
        if (!stacks->module_was_used[i] || !stacks->snapshot->modules[i].path[0])
            continue;
        struct symbol_module module =
            symbol_module_of(stacks->snapshot, &stacks->snapshot->modules[i]);
        const char *note = symbols_module_note(stacks->symbols, &module);
        if (note)
            visit(module.path, note, arg);
    }
}
