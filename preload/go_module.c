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
static struct go_program first; /* without a range: there is none yet */

static bool is_same(const struct module_range *a, const struct module_range *b)
{
    return a->start == b->start && a->end == b->end && a->eh_frame_hdr == b->eh_frame_hdr;
}

/* Ends the search where it finds some. */
static bool note_build_info(void *found, uint64_t address, const uint8_t *bytes, size_t count)
{
    for (size_t i = -address % BUILD_INFO_ALIGNMENT; i + BUILD_INFO_ALIGNMENT <= count;
         i += BUILD_INFO_ALIGNMENT)
        if (go_build_begins(bytes + i)) {
            *(uint64_t *)found = address + i;
            return false;
        }
    return true;
}

/* Go's linker puts it among the variables that have their values from the file. 0: it is not there.
 */
static uint64_t find_build_info(uint64_t start, uint64_t end)
{
    uint64_t found = 0;
    static uint8_t buffer[SEARCH_BUFFER_BYTES] __attribute__((aligned(8)));
    struct mem_reader memory = memory_reader();
    struct search search = {&memory, buffer};
    start &= -(uint64_t)BUILD_INFO_ALIGNMENT; /* so that none lies across two pieces */
    search_memory(&search, start, end, 0, note_build_info, &found);
    return found;
}

struct headers {
    ElfW(Phdr) rows[MAX_SEGMENTS];
    size_t count;
};

/* The program headers, which are mapped at the file's start. False: they cannot be read. */
static bool read_headers(const struct module_range *range, struct headers *ret)
{
    ElfW(Ehdr) elf;
    if (!memory_read(range->start, &elf, sizeof(elf)) ||
        memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 || elf.e_phentsize != sizeof(ret->rows[0]) ||
        elf.e_phnum > MAX_SEGMENTS)
        return false;
    ret->count = elf.e_phnum;
    return memory_read(range->start + elf.e_phoff, ret->rows, ret->count * sizeof(ret->rows[0]));
}

/* By those. False: they cannot be read, or name nothing that is loaded. */
static bool look_through(const struct module_range *range, bool *ret)
{
    const unsigned variables = PF_R | PF_W;
    struct headers headers;
    size_t load = 0;
    if (!read_headers(range, &headers))
        return false;
    while (load < headers.count && headers.rows[load].p_type != PT_LOAD)
        load++;
    if (load == headers.count)
        return false;
    uint64_t bias = range->start - (headers.rows[load].p_vaddr & -(uint64_t)4096);
    uint64_t build_info = 0;
    for (size_t i = load; i < headers.count && build_info == 0; i++) {
        const ElfW(Phdr) *segment = &headers.rows[i];
        uint64_t start = bias + segment->p_vaddr;
        if (segment->p_type == PT_LOAD && (segment->p_flags & variables) == variables)
            build_info = find_build_info(start, start + segment->p_filesz);
    }
    *ret = build_info != 0;
    if (build_info != 0 && first.range_count == 0) {
        go_program_take_segments(&first, headers.rows, headers.count, bias);
        first.hints.build_info = build_info;
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

bool go_module_first(struct go_program *ret)
{
    *ret = first;
    return first.range_count != 0;
}

void go_module_reset(void)
{
    memset(known, 0, sizeof(known));
    memset(&first, 0, sizeof(first));
}
