#include "analyzer/inspect/preloaded.h"

#include <string.h>

#include "analyzer/base/text.h"
#include "analyzer/image/symbols.h"

bool preloaded_is_library(const char *path)
{
    return strncmp(text_basename(path), "libleakspy.so", 13) == 0;
}

static void read_word(struct image *image, uint64_t address, void *ret, size_t bytes)
{
    if (address == 0 || !mem_read(image->memory, address, ret, bytes))
        memset(ret, 0, bytes);
}

/* The library says which thread is its own (preload/sampler_thread.c). */
static void find_thread(struct preloaded *ret, struct image *image)
{
    struct image_symbol symbols[] = {{.name = "leakspy_sampler_tid"},
                                     {.name = "leakspy_sampler_thread_pointer"}};
    image_exported(image, ret->module, symbols, sizeof(symbols) / sizeof(symbols[0]));
    read_word(image, symbols[0].address, &ret->tid, sizeof(ret->tid));
    read_word(image, symbols[1].address, &ret->thread_pointer, sizeof(ret->thread_pointer));
}

void preloaded_find(struct preloaded *ret, struct image *image)
{
    *ret = (struct preloaded){0};
    for (uint32_t i = 1; i < image->module_count && ret->module == 0; i++) {
        if (preloaded_is_library(image->modules[i].path))
            ret->module = i;
    }
    if (ret->module)
        find_thread(ret, image);
}

/* A core that was written outside of the process's pid namespace has other ids for its threads. */
bool preloaded_is_thread(const struct preloaded *preloaded, const struct image_thread *thread)
{
    if (preloaded->tid == 0)
        return false;
    return thread->thread_pointer ? thread->thread_pointer == preloaded->thread_pointer
                                  : thread->tid == preloaded->tid;
}

bool preloaded_is_code(const struct preloaded *preloaded, const struct image *image,
                       uint64_t address)
{
    return preloaded->module && image_module_at(image, address) == preloaded->module;
}
