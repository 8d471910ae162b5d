#include "preload/go_module.h"

#include <elf.h>
#include <link.h>
#include <string.h>

#include "preload/goscan/build_info.h"
#include "preload/goscan/search.h"
#include "preload/memory.h"
#include "preload/modules.h"

#define MAX_KNOWN 16
#define MAX_SEGMENTS 32
#define BUILD_INFO_ALIGNMENT 16

/* What was found out so far, and which one makes room for the next. Libraries of Go are never
 * unloaded; what comes to lie where another file was has other bounds, or its unwind table
 * elsewhere. */
static struct known {
    struct module_range range;
    bool is_go;
} known[MAX_KNOWN];
static unsigned next;

static bool is_same(const struct module_range *a, const struct module_range *b)
{
    return a->start == b->start && a->end == b->end && a->eh_frame_hdr == b->eh_frame_hdr;
}

/* Ends the search where it finds some. */
static bool is_elsewhere(void *unused, uint64_t address, const uint8_t *bytes, size_t count)
{
    (void)unused;
    for (size_t i = -address % BUILD_INFO_ALIGNMENT; i + BUILD_INFO_ALIGNMENT <= count;
         i += BUILD_INFO_ALIGNMENT)
        if (go_build_begins(bytes + i))
            return false;
    return true;
}

/* Go's linker puts it among the variables that have their values from the file. */
static bool has_build_info(uint64_t start, uint64_t end)
{
    static uint8_t buffer[SEARCH_BUFFER_BYTES] __attribute__((aligned(8)));
    struct mem_reader memory = memory_reader();
    struct search search = {&memory, buffer};
    start &= -(uint64_t)BUILD_INFO_ALIGNMENT; /* so that none lies across two pieces */
    return !search_memory(&search, start, end, 0, is_elsewhere, NULL);
}

/* By the program headers, which are mapped at the file's start. False: they cannot be read. */
static bool look_through(const struct module_range *range, bool *ret)
{
    const unsigned variables = PF_R | PF_W;
    ElfW(Ehdr) elf;
    ElfW(Phdr) segments[MAX_SEGMENTS];
    if (!memory_read(range->start, &elf, sizeof(elf)) ||
        memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 || elf.e_phentsize != sizeof(segments[0]) ||
        elf.e_phnum > MAX_SEGMENTS ||
        !memory_read(range->start + elf.e_phoff, segments, elf.e_phnum * sizeof(segments[0])))
        return false;
    size_t first = 0;
    while (first < elf.e_phnum && segments[first].p_type != PT_LOAD)
        first++;
    if (first == elf.e_phnum)
        return false;
    uint64_t bias = range->start - (segments[first].p_vaddr & -(uint64_t)4096);
    *ret = false;
    for (size_t i = first; i < elf.e_phnum && !*ret; i++) {
        uint64_t start = bias + segments[i].p_vaddr;
        *ret = segments[i].p_type == PT_LOAD && (segments[i].p_flags & variables) == variables &&
               has_build_info(start, start + segments[i].p_filesz);
    }
    return true;
}

bool go_module_has(uint64_t pc)
{
    struct known new;
    if (!module_find(pc, &new.range))
        return false; /* code that was made while the program runs */
    for (size_t i = 0; i < MAX_KNOWN; i++)
        if (is_same(&known[i].range, &new.range))
            return known[i].is_go;
    if (!look_through(&new.range, &new.is_go))
        return true;
    known[next++ % MAX_KNOWN] = new;
    return new.is_go;
}
