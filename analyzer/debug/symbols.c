/* Modules, answers and strings, each kept once. What is in a file is file.c's business, and
 * go_file.c's. */
#include "analyzer/debug/symbols.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/debug/demangle.h"
#include "analyzer/debug/file.h"
#include "analyzer/debug/go_file.h"

/* One file, under all the load addresses that it was seen at. */
struct module {
    const char *path; /* interned */
    uint8_t *build_id;
    size_t build_id_bytes;
    enum symbol_file at_path;
    bool go_names;
    struct debug_file *file; /* NULL: it cannot be used */
    struct go_file *go;      /* NULL: it is none of Go's own compiler */
    const char *note;
    bool lines_looked_for; /* `note` says so if there are none */
};

/* The answer for one place. */
struct answer {
    const struct module *module;
    uint64_t address;     /* in the file's numbering */
    const char *recorded; /* interned; NULL: none */
    size_t count;
    struct symbol_frame frames[];
};

struct symbols {
    char *debug_folders;               /* as debug_file_open wants them; interned */
    void *modules, *answers, *strings; /* trees of tsearch(3) */
};

/* ---- Trees ---- */

static int compare_strings(const void *a, const void *b)
{
    return strcmp(a, b);
}

static int compare_modules(const void *a, const void *b)
{
    const struct module *left = a, *right = b;
    if (left->path != right->path)
        return left->path < right->path ? -1 : 1;
    if (left->at_path != right->at_path)
        return left->at_path < right->at_path ? -1 : 1;
    if (left->build_id_bytes != right->build_id_bytes)
        return left->build_id_bytes < right->build_id_bytes ? -1 : 1;
    return left->build_id_bytes == 0
               ? 0
               : memcmp(left->build_id, right->build_id, left->build_id_bytes);
}

static int compare_answers(const void *a, const void *b)
{
    const struct answer *left = a, *right = b;
    if (left->module != right->module)
        return left->module < right->module ? -1 : 1;
    if (left->address != right->address)
        return left->address < right->address ? -1 : 1;
    return (left->recorded > right->recorded) - (left->recorded < right->recorded);
}

static void module_destroy(void *opaque)
{
    struct module *module = opaque;
    debug_file_close(module->file);
    go_file_close(module->go);
    free(module->build_id);
    free(module);
}

/* Keep a string, which is freed or becomes ours. NULL stays NULL, and is what there is no memory
 * for. */
static char *intern(struct symbols *symbols, char *text)
{
    if (text == NULL)
        return NULL;
    char **node = tsearch(text, &symbols->strings, compare_strings);
    if (node == NULL || *node != text)
        free(text);
    return node != NULL ? *node : NULL;
}

static char *intern_copy(struct symbols *symbols, const char *text)
{
    char **node = text != NULL ? tfind(text, &symbols->strings, compare_strings) : NULL;
    return node != NULL ? *node : intern(symbols, text != NULL ? strdup(text) : NULL);
}

struct symbols *symbols_create(const char *debug_folders)
{
    struct symbols *symbols = calloc(1, sizeof(*symbols));
    if (symbols == NULL)
        return NULL;
    symbols->debug_folders =
        intern_copy(symbols, debug_folders ? debug_folders : DEBUG_FILE_FOLDERS);
    if (symbols->debug_folders == NULL) {
        free(symbols);
        return NULL;
    }
    return symbols;
}

void symbols_destroy(struct symbols *symbols)
{
    if (symbols == NULL)
        return;
    tdestroy(symbols->answers, free);
    tdestroy(symbols->modules, module_destroy);
    tdestroy(symbols->strings, free);
    free(symbols);
}

/* ---- Modules ---- */

/* The debug file that stands for one whose build-id is known but which is not there any more. */
static struct debug_file *open_by_build_id(struct symbols *symbols, const struct module *module)
{
    char name[2 * 64 + sizeof("/.build-id//.debug")];
    if (module->build_id_bytes < 2 || module->build_id_bytes > 64)
        return NULL;
    char *to = name + sprintf(name, "/.build-id/%02x/", module->build_id[0]);
    for (size_t i = 1; i < module->build_id_bytes; i++)
        to += sprintf(to, "%02x", module->build_id[i]);
    strcpy(to, ".debug");

    const char *folder = symbols->debug_folders;
    while (folder != NULL) {
        size_t bytes = strcspn(folder, ":");
        char *path;
        struct debug_file *file = NULL;
        if (folder[0] == '/' && asprintf(&path, "%.*s%s", (int)bytes, folder, name) >= 0) {
            (void)debug_file_open(path, module->build_id, module->build_id_bytes,
                                  symbols->debug_folders, &file);
            free(path);
        }
        if (file != NULL)
            return file;
        folder = folder[bytes] == ':' ? folder + bytes + 1 : NULL;
    }
    return NULL;
}

static void module_open(struct symbols *symbols, struct module *module)
{
    static const char *const notes[] = {
        [DEBUG_FILE_OK] = NULL,
        [DEBUG_FILE_GONE] = "the file is gone",
        [DEBUG_FILE_CHANGED] = "the file has changed (build-id differs)",
        [DEBUG_FILE_UNREADABLE] = "the file cannot be read",
    };
    if (module->at_path == SYMBOL_FILE_OTHER && module->build_id_bytes == 0) {
        module->note = "the file is gone, or has changed";
        return;
    }
    module->note = notes[debug_file_open(module->path, module->build_id, module->build_id_bytes,
                                         symbols->debug_folders, &module->file)];
    if (module->file != NULL)
        module->go = go_file_open(module->path);
    else
        module->file = open_by_build_id(symbols, module);
    if (module->file != NULL)
        module->note = module->build_id_bytes == 0 && module->at_path != SYMBOL_FILE_SAME
                           ? "no build-id to compare, the file may have changed"
                           : NULL;
}

/* Whether there is no file to look for: no path, or the kernel's vdso. */
static bool has_no_file(const struct symbol_module *described)
{
    return described == NULL || described->path == NULL || described->path[0] == '\0' ||
           described->path[0] == '[' || strncmp(described->path, "linux-vdso", 10) == 0;
}

/* The module that is meant, opened when it is met for the first time. NULL: there is no file for
 * it, or no memory. */
static struct module *module_get(struct symbols *symbols, const struct symbol_module *described)
{
    if (has_no_file(described))
        return NULL;
    struct module key = {
        .path = intern_copy(symbols, described->path),
        .build_id = (uint8_t *)described->build_id,
        .build_id_bytes = described->build_id != NULL ? described->build_id_bytes : 0,
        .at_path = described->at_path,
        .go_names = described->go_names,
    };
    if (key.path == NULL)
        return NULL;
    struct module **node = tfind(&key, &symbols->modules, compare_modules);
    if (node != NULL)
        return *node;
    struct module *module = malloc(sizeof(*module));
    if (module == NULL)
        return NULL;
    *module = key;
    module->build_id = malloc(key.build_id_bytes + 1);
    if (module->build_id == NULL) {
        free(module);
        return NULL;
    }
    if (key.build_id_bytes > 0)
        memcpy(module->build_id, key.build_id, key.build_id_bytes);
    if (tsearch(module, &symbols->modules, compare_modules) == NULL) {
        module_destroy(module);
        return NULL;
    }
    module_open(symbols, module);
    return module;
}

/* Most programs of Go have no build-id that could be recorded. */
void symbols_compare(struct symbols *symbols, const struct symbol_module *described, uint64_t pc,
                     const char *recorded_function)
{
    struct module *module = module_get(symbols, described);
    if (module == NULL || module->go == NULL || module->build_id_bytes > 0 ||
        module->at_path == SYMBOL_FILE_SAME ||
        !go_file_contradicts(module->go, pc - 1 - described->bias, recorded_function))
        return;
    debug_file_close(module->file);
    go_file_close(module->go);
    module->file = NULL;
    module->go = NULL;
    module->note = "the file has changed (its functions are others)";
}

const char *symbols_module_note(struct symbols *symbols, const struct symbol_module *described)
{
    struct module *module = module_get(symbols, described);
    if (module == NULL)
        return NULL;
    if (module->file != NULL && !module->lines_looked_for) {
        module->lines_looked_for = true;
        if (module->go == NULL && !debug_file_has_lines(module->file))
            module->note = "no debug information";
    }
    return module->note;
}

/* ---- Answers ---- */

static const char *function_name(struct symbols *symbols, const struct debug_frame *frame)
{
    switch (frame->name != NULL ? frame->name_kind : DEBUG_NAME_SOURCE) {
    case DEBUG_NAME_LINKER:
        return intern(symbols, demangle(frame->name));
    case DEBUG_NAME_GO:
        return intern(symbols, demangle_go_spelling(frame->name));
    case DEBUG_NAME_SOURCE:
        break;
    }
    char *name;
    if (frame->name == NULL || frame->scope == NULL)
        return intern_copy(symbols, frame->name);
    return asprintf(&name, "%s::%s", frame->scope, frame->name) >= 0 ? intern(symbols, name) : NULL;
}

static const char *file_name(struct symbols *symbols, const struct debug_frame *frame)
{
    char *path;
    if (frame->file == NULL || frame->file[0] == '/' || frame->folder == NULL)
        return intern_copy(symbols, frame->file);
    return asprintf(&path, "%s/%s", frame->folder, frame->file) >= 0 ? intern(symbols, path) : NULL;
}

/* Where the debug information has only the short name of a C++ or Rust function, the linker's says
 * more; and where it has none at all. A Go function may be called by its linker's name even there.
 */
static void improve_name(struct debug_file *file, uint64_t address, struct debug_frame *frame)
{
    if (frame->name != NULL && frame->name_kind == DEBUG_NAME_LINKER)
        return;
    const char *symbol = debug_file_symbol(file, address);
    if (symbol == NULL)
        return;
    bool mangled = symbol[0] == '_' && (symbol[1] == 'Z' || symbol[1] == 'R');
    bool same = frame->name != NULL && strcmp(symbol, frame->name) == 0;
    if (frame->name == NULL || mangled || (same && frame->name_kind == DEBUG_NAME_GO)) {
        frame->name = symbol;
        frame->name_kind = DEBUG_NAME_LINKER;
    }
}

static struct answer *answer_with_room(const struct answer *key, size_t count)
{
    struct answer *answer = malloc(sizeof(*answer) + count * sizeof(answer->frames[0]));
    if (answer != NULL) {
        *answer = *key;
        answer->count = count;
    }
    return answer;
}

/* What Go's own table says. NULL: nothing, or there is no memory. */
static struct answer *answer_create_go(struct symbols *symbols, const struct answer *key)
{
    static const enum symbol_role roles[] = {
        [PCLNTAB_WRAPPER] = SYMBOL_WRAPPER,
        [PCLNTAB_PANIC] = SYMBOL_PANIC,
        [PCLNTAB_SIGPANIC] = SYMBOL_PANIC,
        [PCLNTAB_CGOCALLBACK] = SYMBOL_PLAIN,
    };
    struct pclntab_call calls[PCLNTAB_MAX_INLINED];
    size_t count = go_file_calls(key->module->go, key->address, calls);
    struct answer *answer = count > 0 ? answer_with_room(key, count) : NULL;
    for (size_t i = 0; answer != NULL && i < count; i++)
        answer->frames[i] = (struct symbol_frame){
            .function = intern_copy(symbols, calls[i].function[0] ? calls[i].function : NULL),
            .file = intern_copy(symbols, calls[i].file[0] ? calls[i].file : NULL),
            .line = calls[i].line,
            .inlined = calls[i].inlined,
            .role = roles[calls[i].role],
        };
    return answer;
}

static struct answer *answer_create(struct symbols *symbols, const struct answer *key)
{
    struct answer *answer = NULL;
    if (key->module != NULL && key->module->go != NULL)
        answer = answer_create_go(symbols, key);
    if (answer != NULL)
        return answer;

    struct debug_frame frames[DEBUG_FILE_MAX_FRAMES];
    struct debug_file *file = key->module != NULL ? key->module->file : NULL;
    size_t count = file != NULL ? debug_file_frames(file, key->address, frames) : 0;
    if (count == 0) {
        /* C++ may be linked into a Go program; Go's own names never begin so. */
        const char *name = file == NULL ? key->recorded : NULL;
        bool as_it_is = key->module != NULL && key->module->go_names && name != NULL &&
                        strncmp(name, "_Z", 2) != 0;
        frames[0] = (struct debug_frame){
            .name = name, .name_kind = as_it_is ? DEBUG_NAME_SOURCE : DEBUG_NAME_LINKER};
        count = 1;
    }
    if (file != NULL)
        improve_name(file, key->address, &frames[count - 1]);

    answer = answer_with_room(key, count);
    for (size_t i = 0; answer != NULL && i < count; i++)
        answer->frames[i] = (struct symbol_frame){
            .function = function_name(symbols, &frames[i]),
            .file = file_name(symbols, &frames[i]),
            .line = frames[i].line,
            .inlined = frames[i].inlined,
        };
    return answer;
}

size_t symbols_resolve(struct symbols *symbols, const struct symbol_module *described, uint64_t pc,
                       const char *recorded_function, const struct symbol_frame **ret)
{
    static const struct symbol_frame unknown = {.function = NULL};
    struct answer key = {
        .module = module_get(symbols, described),
        .address = pc - 1 - (described != NULL ? described->bias : 0),
        .recorded = intern_copy(symbols, recorded_function),
    };
    struct answer **node = tfind(&key, &symbols->answers, compare_answers);
    if (node == NULL) {
        struct answer *answer = answer_create(symbols, &key);
        node = answer != NULL ? tsearch(answer, &symbols->answers, compare_answers) : NULL;
        if (node == NULL)
            free(answer);
    }
    *ret = node != NULL ? (*node)->frames : &unknown;
    return node != NULL ? (*node)->count : 1;
}
