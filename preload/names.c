#include "preload/names.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>

#include "preload/frames.h"
#include "preload/modules.h"
#include "preload/recorder.h"
#include "preload/sys.h"
#include "preload/unwind.h"

void (*names_runtime)(struct frames_new *frames, uint32_t count);

/* Frames of one file, while its symbol table is read. */
#define BATCH 256
static struct wanted {
    uint64_t address; /* in the file's own numbering */
    uint64_t start;   /* of the function; 0: none found yet */
    uint32_t name;    /* offset in the file's string table */
    struct frames_new *frame;
} wanted[BATCH];
static uint32_t wanted_count;

/* Is the file still the one that was loaded? What has no build-id is believed. */
static bool same_build(long fd, const ElfW(Ehdr) * elf, const struct rec_module *module)
{
    ElfW(Phdr) header;
    uint8_t notes[1024];
    if (module->build_id_bytes == 0)
        return true;
    for (uint32_t i = 0; i < elf->e_phnum; i++) {
        if (!sys_read_at(fd, &header, sizeof(header), elf->e_phoff + i * sizeof(header)))
            return false;
        if (header.p_type != PT_NOTE)
            continue;
        size_t bytes = header.p_filesz < sizeof(notes) ? header.p_filesz : sizeof(notes);
        if (sys_read_at(fd, notes, bytes, header.p_offset) &&
            memmem(notes, bytes, module->build_id, module->build_id_bytes) != NULL)
            return true;
    }
    return false;
}

static void match(const ElfW(Sym) * symbol)
{
    if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC || symbol->st_shndx == SHN_UNDEF)
        return;
    for (uint32_t i = 0; i < wanted_count; i++)
        if (symbol->st_value <= wanted[i].address &&
            wanted[i].address - symbol->st_value < symbol->st_size &&
            symbol->st_value >= wanted[i].start) {
            wanted[i].start = symbol->st_value;
            wanted[i].name = symbol->st_name;
        }
}

/* The full symbol table, or else the dynamic one. */
static bool find_table(long fd, const ElfW(Ehdr) * elf, ElfW(Shdr) * symbols, ElfW(Shdr) * strings)
{
    bool found = false;
    for (uint32_t i = 0; i < elf->e_shnum; i++) {
        ElfW(Shdr) section;
        if (!sys_read_at(fd, &section, sizeof(section), elf->e_shoff + i * sizeof(section)))
            return false;
        if (section.sh_type != SHT_SYMTAB && (section.sh_type != SHT_DYNSYM || found))
            continue;
        *symbols = section;
        found = section.sh_link < elf->e_shnum &&
                sys_read_at(fd, strings, sizeof(*strings),
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
    if (!sys_read_at(fd, &elf, sizeof(elf), 0) || memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 ||
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

static void look_up(const struct rec_module *module)
{
    static char name[1024];
    ElfW(Shdr) strings = {0};
    long fd = sys_call(SYS_openat, AT_FDCWD, recorder.strings + module->path,
                       O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return;
    match_all(fd, module, &strings);
    for (uint32_t i = 0; i < wanted_count; i++) {
        if (wanted[i].start == 0 || wanted[i].name >= strings.sh_size)
            continue;
        long got =
            sys_call(SYS_pread64, fd, name, sizeof(name) - 1, strings.sh_offset + wanted[i].name);
        name[got > 0 ? got : 0] = '\0';
        wanted[i].frame->name = recorder_add_string(name, strlen(name));
        wanted[i].frame->start = module->bias + wanted[i].start;
    }
    sys_call(SYS_close, fd);
}

static void name_frames(struct frames_new *frames, uint32_t count)
{
    const struct rec_module *module = &recorder.modules[frames[0].module];
    if (frames[0].module == 0)
        return;
    for (uint32_t done = 0; done < count;) {
        for (wanted_count = 0; done < count && wanted_count < BATCH; done++)
            if (frames[done].name == 0)
                wanted[wanted_count++] = (struct wanted){
                    .address = frames[done].pc - 1 - module->bias, .frame = &frames[done]};
        if (wanted_count > 0)
            look_up(module);
    }
}

/* Go's own table comes first: it is in memory, and stripped programs have nothing else. */
static void name_all(struct frames_new *frames, uint32_t count)
{
    if (names_runtime != NULL)
        names_runtime(frames, count);
    name_frames(frames, count);
}

static uint32_t module_of(uint64_t address, uint64_t *ret_start, uint64_t *ret_end)
{
    struct module_range range;
    unwind_lock();
    uint32_t row = module_record(address);
    unwind_unlock();
    if (module_find(address, &range)) {
        *ret_start = range.start;
        *ret_end = range.end;
    }
    return row;
}

void names_update(bool (*go_on)(void))
{
    static const struct frames_source files = {.module = module_of, .name = name_all};
    frames_update(&files, go_on);
}
