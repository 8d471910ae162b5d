#include "analyzer/report/frames.h"

#include <fnmatch.h>
#include <string.h>

#include "analyzer/base/text.h"

/* Patterns of source files; the first that matches counts. No program's own code is installed
 * among headers. Crates are not here: a program may be one that was installed as a crate. */
static const struct {
    const char *pattern, *library;
} files[] = {
    {"*/include/c++/*", "the standard library"},
    {"*/include/*-linux-*/c++/*", "the standard library"},
    {"*/libstdc++-v3/*", "the standard library"},
    {"/rustc/*/library/*", "the standard library"},
    {"*/rustc-*/library/*", "the standard library"},
    {"*/rustlib/src/rust/library/*", "the standard library"},
    {"*/include/boost/*", "Boost"},
    {"*/include/boost-[0-9]*/*", "Boost"},
    {"*/boost_[0-9]*/boost/*", "Boost"},
    {"*/include/asio/*", "Asio"},
    {"/usr/include/*", "libraries"},
    {"/usr/local/include/*", "libraries"},
};

/* Modules where the file is not known. */
static const struct {
    const char *pattern, *library;
} modules[] = {
    {"libstdc++.so*", "the standard library"},
    {"libc++.so*", "the standard library"},
    {"libboost_*.so*", "Boost"},
};

const char *frames_library(const struct frame *frame)
{
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

size_t frames_of_libraries(const struct stack *stack, size_t at, const char **ret)
{
    size_t end = at;
    *ret = NULL;
    while (at > 0 && end < stack->count) {
        const char *library = frames_library(&stack->frames[end]);
        if (!library)
            break;
        *ret = end > at && strcmp(*ret, library) != 0 ? "libraries" : library;
        end++;
    }
    /* What the program called of a library in which it waits is worth a line. */
    if (at == 1 && end > at && end < stack->count && frames_library(&stack->frames[0]))
        end--;
    return end - at;
}

bool frames_hide_others(const struct stack *stack)
{
    bool library = false;
    for (size_t i = 1; i < stack->count; i++) {
        if (frames_library(&stack->frames[i]))
            library = true;
        else if (library)
            return true;
    }
    return false;
}
