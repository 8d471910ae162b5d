#include "analyzer/report/frames.h"

#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/base/text.h"

/* Patterns of source files; the first that matches counts. No program's own code is installed
 * among headers. */
static const struct {
    const char *pattern, *library;
} files[] = {
    {"*/include/c++/*", "the standard library"},
    {"*/include/*-linux-*/c++/*", "the standard library"},
    {"*/libstdc++-v3/*", "the standard library"},
    {"/rustc/*/library/*", "the standard library"},
    {"*/rustc-*/library/*", "the standard library"},
    {"*/rustlib/src/rust/library/*", "the standard library"},
    {"/rust/deps/*", "the standard library"}, /* what that is made with */
    {"*/include/boost/*", "Boost"},
    {"*/include/boost-[0-9]*/*", "Boost"},
    {"*/boost_[0-9]*/boost/*", "Boost"},
    {"*/include/asio/*", "Asio"},
    {"/usr/include/*", "libraries"},
    {"/usr/local/include/*", "libraries"},
};

/* Where cargo keeps crates, its own and those of Debian's packages. */
static const char *const crates[] = {
    "*/registry/src/*",
    "/usr/share/cargo/registry/*",
    "*/.cargo/git/checkouts/*",
};

/* Modules where the file is not known. */
static const struct {
    const char *pattern, *library;
} modules[] = {
    {"libstdc++.so*", "the standard library"},
    {"libc++.so*", "the standard library"},
    {"libboost_*.so*", "Boost"},
};

/* How the paths of Go's standard packages begin, and of those that it brings with it. Those of
 * others begin with the name of a server, which has a dot, or are a program's own: few are called
 * so. */
static const char *const go_packages[] = {
    "archive",  "bufio",   "bytes",  "cmp",      "compress", "container", "context", "crypto",
    "database", "debug",   "embed",  "encoding", "errors",   "expvar",    "flag",    "fmt",
    "go",       "hash",    "html",   "image",    "index",    "internal",  "io",      "iter",
    "log",      "maps",    "math",   "mime",     "net",      "os",        "path",    "reflect",
    "regexp",   "runtime", "slices", "sort",     "strconv",  "strings",   "sync",    "syscall",
    "testing",  "text",    "time",   "unicode",  "unique",   "vendor",    "weak",
};

/* "net/http.(*conn).serve" in a file of Go. */
static bool is_of_go(const struct frame *frame)
{
    size_t path = frame->file ? strlen(frame->file) : 0;
    if (!frame->function || path < 3 || strcmp(frame->file + path - 3, ".go") != 0)
        return false;
    size_t bytes = strcspn(frame->function, "/.");
    for (size_t i = 0; i < sizeof(go_packages) / sizeof(go_packages[0]); i++) {
        if (strlen(go_packages[i]) == bytes && memcmp(go_packages[i], frame->function, bytes) == 0)
            return true;
    }
    return false;
}

/* What the compiler of Rust makes for catch_unwind, which has no file. */
static bool is_rust_try(const struct frame *frame)
{
    return frame->function && !frame->file && strcmp(frame->function, "__rust_try") == 0;
}

const char *frames_library(const struct frame *frame)
{
    if (is_of_go(frame) || is_rust_try(frame))
        return "the standard library";
    for (size_t i = 0; frame->file && i < sizeof(files) / sizeof(files[0]); i++) {
        if (fnmatch(files[i].pattern, frame->file, 0) == 0)
            return files[i].library;
    }
    if (!frame->module)
        return NULL;
    const char *name = text_basename(frame->module->path);
    for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
        if (fnmatch(modules[i].pattern, name, 0) == 0)
            return modules[i].library;
    }
    return NULL;
}

static bool is_of_crate(const struct frame *frame)
{
    for (size_t i = 0; frame->file && i < sizeof(crates) / sizeof(crates[0]); i++) {
        if (fnmatch(crates[i], frame->file, 0) == 0)
            return true;
    }
    return false;
}

/* Whether crates are libraries in this stack: a program may be one that was installed as a crate
 * itself. Then none of its code has a file elsewhere. */
static bool crates_are_libraries(const struct stack *stack)
{
    const struct snapshot_module *program = NULL;
    bool crate = false;
    for (size_t i = 0; i < stack->count && !crate; i++) {
        crate = is_of_crate(&stack->frames[i]);
        program = stack->frames[i].module;
    }
    for (size_t i = 0; i < stack->count && crate; i++) {
        const struct frame *frame = &stack->frames[i];
        if (frame->file && frame->module == program && !is_of_crate(frame) &&
            !frames_library(frame))
            return true;
    }
    return false;
}

static const char *library_of(const struct frame *frame, bool with_crates)
{
    return with_crates && is_of_crate(frame) ? "crates" : frames_library(frame);
}

size_t frames_of_libraries(const struct stack *stack, size_t at, const char **ret)
{
    bool with_crates = crates_are_libraries(stack);
    size_t end = at;
    *ret = NULL;
    while (at > 0 && end < stack->count) {
        const char *library = library_of(&stack->frames[end], with_crates);
        if (!library)
            break;
        *ret = end > at && strcmp(*ret, library) != 0 ? "libraries" : library;
        end++;
    }
    /* What the program called of a library in which it waits is worth a line. */
    if (at == 1 && end > at && end < stack->count && library_of(&stack->frames[0], with_crates))
        end--;
    return end - at;
}

bool frames_hide_others(const struct stack *stack)
{
    bool with_crates = crates_are_libraries(stack);
    bool library = false;
    for (size_t i = 1; i < stack->count; i++) {
        if (library_of(&stack->frames[i], with_crates))
            library = true;
        else if (library)
            return true;
    }
    return false;
}

#define MAX_DEPTH 16 /* of lists in lists: deeper ones are folded at once */
#define ELLIPSIS "…"

static bool begins_character(char byte)
{
    return ((unsigned char)byte & 0xc0) != 0x80;
}

size_t frames_columns(const char *text)
{
    size_t columns = 0;
    for (; *text; text++)
        columns += begins_character(*text);
    return columns;
}

#define MAX_OPERATOR 3 /* characters: <=> */

/* Whether a list of template arguments begins or ends there: 1, -1, else 0. Other brackets are
 * those of operators and arrows: operator<<, operator->, fn() -> T. */
static int bracket_at(const char *name, const char *at)
{
    const char *begin = at;
    if (*at != '<' && *at != '>')
        return 0;
    while (begin > name && at - begin < MAX_OPERATOR - 1 && strchr("<>=-", begin[-1]))
        begin--;
    if (begin - name >= 8 && memcmp(begin - 8, "operator", 8) == 0)
        return 0;
    if (*at == '>' && at > name && at[-1] == '-')
        return 0;
    return *at == '<' ? 1 : -1;
}

/* How deep lists stand in lists; 0: there are none, or brackets that are no pairs. */
static size_t list_depth(const char *name)
{
    size_t depth = 0, most = 0;
    for (const char *at = name; *at; at++) {
        int bracket = bracket_at(name, at);
        if (bracket < 0 && depth == 0)
            return 0;
        depth += bracket > 0;
        depth -= bracket < 0;
        most = depth > most ? depth : most;
    }
    return depth ? 0 : most;
}

/* The name without what stands in lists of that depth and deeper. */
static void fold_lists(const char *name, size_t from, char *to)
{
    size_t depth = 0;
    for (const char *at = name; *at; at++) {
        int bracket = bracket_at(name, at);
        depth += bracket > 0;
        if (depth < from)
            *to++ = *at;
        else if (depth == from && bracket > 0)
            to = stpcpy(to, "<" ELLIPSIS ">");
        depth -= bracket < 0;
    }
    *to = '\0';
}

static const char *skip_characters(const char *at, size_t count)
{
    for (; *at && (count > 0 || !begins_character(*at)); at++)
        count -= begins_character(*at);
    return at;
}

/* Both ends tell more than one of them: where it is, and what it is called. */
static char *cut_middle(const char *name, size_t columns)
{
    size_t tail = columns / 2;
    const char *head_end = skip_characters(name, columns - tail - 1);
    const char *tail_begin = skip_characters(name, frames_columns(name) - tail);
    char *cut;
    return asprintf(&cut, "%.*s" ELLIPSIS "%s", (int)(head_end - name), name, tail_begin) < 0 ? NULL
                                                                                              : cut;
}

char *frames_short_name(const char *name, size_t columns)
{
    if (frames_columns(name) <= columns)
        return strdup(name);
    char *folded = malloc(strlen(name) * 3 + 1); /* <> becomes five bytes */
    if (!folded)
        return NULL;
    size_t depth = list_depth(name);
    size_t least = *name == '<' ? 2 : 1; /* Rust's <Type as Trait>::method is no list */
    strcpy(folded, name);
    for (size_t from = depth < MAX_DEPTH ? depth : MAX_DEPTH;
         from >= least && frames_columns(folded) > columns; from--)
        fold_lists(name, from, folded);
    if (frames_columns(folded) <= columns)
        return folded;
    char *cut = cut_middle(folded, columns);
    free(folded);
    return cut;
}
