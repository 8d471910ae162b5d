#include "preload/names.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>

#include "preload/memory.h"
#include "preload/modules.h"
#include "preload/recorder.h"
#include "preload/sys.h"
#include "preload/unwind.h"

/* Addresses that have a row in the frame table; open addressing. */
#define SEEN_ROWS (1U << 19)
static uint64_t *seen;
static uint32_t next_site;

/* Frames that wait for their names: as many as one reading of a symbol table serves. */
#define BATCH 256
static struct pending {
    uint32_t row;
    uint32_t module;
    uint64_t pc;
    uint64_t address; /* in the file's own numbering */
    uint64_t start;   /* of the function; 0: none found yet */
    uint32_t name;    /* offset in the file's string table */
} batch[BATCH];
static uint32_t batch_count;

static bool first_time(uint64_t pc, uint32_t epoch)
{
    uint64_t key = (pc ^ (uint64_t)epoch << 48) | UINT64_C(1) << 63;
    uint64_t hash = key * 0x9e3779b97f4a7c15ULL >> 20;
    for (uint32_t i = 0; i < SEEN_ROWS; i++) {
        uint64_t *row = &seen[(hash + i) & (SEEN_ROWS - 1)];
        if (*row == key)
            return false;
        if (*row == 0) {
            *row = key;
            return true;
        }
    }
    return false;
}

static bool read_at(long fd, void *buffer, size_t bytes, uint64_t offset)
{
    return sys_call(SYS_pread64, fd, buffer, bytes, offset) == (long)bytes;
}

/* Is the file still the one that was loaded? What has no build-id is believed. */
static bool same_build(long fd, const ElfW(Ehdr) * elf, const struct rec_module *module)
{
    ElfW(Phdr) header;
    uint8_t notes[1024];
    if (module->build_id_bytes == 0)
        return true;
    for (uint32_t i = 0; i < elf->e_phnum; i++) {
        if (!read_at(fd, &header, sizeof(header), elf->e_phoff + i * sizeof(header)))
            return false;
        if (header.p_type != PT_NOTE)
            continue;
        size_t bytes = header.p_filesz < sizeof(notes) ? header.p_filesz : sizeof(notes);
        if (read_at(fd, notes, bytes, header.p_offset) &&
            memmem(notes, bytes, module->build_id, module->build_id_bytes) != NULL)
            return true;
    }
    return false;
}

static void match(const ElfW(Sym) * symbol)
{
    if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC || symbol->st_shndx == SHN_UNDEF)
        return;
    for (uint32_t i = 0; i < batch_count; i++)
        if (symbol->st_value <= batch[i].address &&
            batch[i].address - symbol->st_value < symbol->st_size &&
            symbol->st_value >= batch[i].start) {
            batch[i].start = symbol->st_value;
            batch[i].name = symbol->st_name;
        }
}

/* The full symbol table, or else the dynamic one. */
static bool find_table(long fd, const ElfW(Ehdr) * elf, ElfW(Shdr) * symbols, ElfW(Shdr) * strings)
{
    bool found = false;
    for (uint32_t i = 0; i < elf->e_shnum; i++) {
        ElfW(Shdr) section;
        if (!read_at(fd, &section, sizeof(section), elf->e_shoff + i * sizeof(section)))
            return false;
        if (section.sh_type != SHT_SYMTAB && (section.sh_type != SHT_DYNSYM || found))
            continue;
        *symbols = section;
        found = section.sh_link < elf->e_shnum &&
                read_at(fd, strings, sizeof(*strings),
                        elf->e_shoff + section.sh_link * sizeof(section));
        if (found && section.sh_type == SHT_SYMTAB)
            return true;
    }
    return found;
}

static void match_all(long fd, const struct rec_module *module, ElfW(Shdr) * strings)
{
    static ElfW(Sym) chunk[2048];
    ElfW(Ehdr) elf;
    ElfW(Shdr) symbols;
    if (!read_at(fd, &elf, sizeof(elf), 0) || memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 ||
        elf.e_phentsize != sizeof(ElfW(Phdr)) || elf.e_shentsize != sizeof(ElfW(Shdr)) ||
        !same_build(fd, &elf, module) || !find_table(fd, &elf, &symbols, strings))
        return;
    for (uint64_t done = 0; done < symbols.sh_size;) {
        long got = sys_call(SYS_pread64, fd, chunk, sizeof(chunk), symbols.sh_offset + done);
        if (got < (long)sizeof(chunk[0]))
            return;
        uint64_t count = (uint64_t)got / sizeof(chunk[0]);
        if (count > (symbols.sh_size - done) / sizeof(chunk[0]))
            count = (symbols.sh_size - done) / sizeof(chunk[0]);
        if (count == 0)
            return;
        for (uint64_t i = 0; i < count; i++)
            match(&chunk[i]);
        done += count * sizeof(chunk[0]);
    }
}

/* Writes the rows of the batch, all of one module, with what was found. */
static void flush(void)
{
    static char name[1024];
    ElfW(Shdr) strings = {0};
    if (batch_count == 0)
        return;
    const struct rec_module *module = &recorder.modules[batch[0].module];
    long fd = -1;
    if (batch[0].module != 0)
        fd = sys_call(SYS_openat, AT_FDCWD, recorder.strings + module->path,
                      O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0)
        match_all(fd, module, &strings);
    for (uint32_t i = 0; i < batch_count; i++) {
        struct rec_frame *frame = &recorder.frames[batch[i].row];
        frame->module = batch[i].module;
        if (batch[i].start != 0 && batch[i].name < strings.sh_size) {
            long got = sys_call(SYS_pread64, fd, name, sizeof(name) - 1,
                                strings.sh_offset + batch[i].name);
            name[got > 0 ? got : 0] = '\0';
            frame->function = recorder_add_string(name, strlen(name));
            frame->function_start = module->bias + batch[i].start;
        }
        __atomic_store_n(&frame->pc, batch[i].pc, __ATOMIC_RELEASE);
    }
    if (fd >= 0)
        sys_call(SYS_close, fd);
    batch_count = 0;
}

static void add(uint64_t pc)
{
    unwind_lock();
    uint32_t module = module_record(pc - 1);
    unwind_unlock();
    if (batch_count == BATCH || (batch_count > 0 && batch[0].module != module))
        flush();
    uint32_t row = recorder_take(REC_TABLE_FRAMES, 1);
    if (row != 0)
        batch[batch_count++] = (struct pending){
            .row = row,
            .module = module,
            .pc = pc,
            .address = pc - 1 - (module != 0 ? recorder.modules[module].bias : 0),
        };
}

void names_update(void)
{
    uint32_t count =
        __atomic_load_n(&recorder.header->tables[REC_TABLE_SITES - 1].count, __ATOMIC_ACQUIRE);
    uint32_t first = next_site;
    if (seen == NULL || first >= count)
        return;
    while (next_site < count &&
           __atomic_load_n(&recorder.sites[next_site].hash, __ATOMIC_ACQUIRE) != 0)
        next_site++;
    /* Sorted by module, a file is read once a batch: modules are few, so look through the sites
     * once for each that occurs. */
    for (;;) {
        uint64_t start = 0, end = 0;
        bool any = false;
        for (uint32_t row = first; row < next_site; row++) {
            const struct rec_site *site = &recorder.sites[row];
            for (uint32_t i = 0; i < site->pc_count; i++) {
                uint64_t pc = recorder.pcs[site->first_pc + i];
                struct module_range range;
                if (any && (pc - 1 < start || pc - 1 >= end))
                    continue;
                if (!first_time(pc, site->epoch))
                    continue;
                if (!any && module_find(pc - 1, &range)) {
                    start = range.start;
                    end = range.end;
                    any = true;
                } else if (!any) {
                    start = pc - 1;
                    end = pc;
                    any = true;
                }
                add(pc);
            }
        }
        flush();
        if (!any)
            return;
    }
}

void names_reset(void)
{
    if (seen == NULL)
        seen = memory_reserve(SEEN_ROWS * sizeof(*seen));
    else
        sys_call(SYS_madvise, seen, SEEN_ROWS * sizeof(*seen), MADV_DONTNEED);
    next_site = 1;
    batch_count = 0;
}
