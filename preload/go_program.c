#include "preload/go_program.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>

#include "preload/goscan/build_info.h"
#include "preload/sys.h"

#define MAX_SECTIONS 128
#define NAMES_BYTES 4096
#define BUILD_INFO_ALIGNMENT 16

/* Sections that only Go programs have. Those of position-independent ones have other names, since
 * they hold relocated addresses; the C linker hides the table in sections of its own, and some
 * builds leave out the first: one of them is enough. */
static const struct {
    const char *name;
    size_t hint; /* offset of an address in struct go_hints */
} sections[] = {
    {".go.buildinfo", offsetof(struct go_hints, build_info)},
    {".gopclntab", offsetof(struct go_hints, pclntab)},
    {".data.rel.ro.gopclntab", offsetof(struct go_hints, pclntab)},
};

/* False: the file has none. */
static bool take_sections(long fd, uint64_t bias, struct go_hints *hints)
{
    static ElfW(Shdr) headers[MAX_SECTIONS];
    static char names[NAMES_BYTES];
    ElfW(Ehdr) elf;
    if (!sys_read_at(fd, &elf, sizeof(elf), 0) || memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0)
        return true;
    if (elf.e_shoff == 0 || elf.e_shnum == 0)
        return false;
    if (elf.e_shentsize != sizeof(headers[0]) || elf.e_shnum > MAX_SECTIONS ||
        elf.e_shstrndx >= elf.e_shnum ||
        !sys_read_at(fd, headers, elf.e_shnum * sizeof(headers[0]), elf.e_shoff))
        return true;
    const ElfW(Shdr) *strings = &headers[elf.e_shstrndx];
    size_t bytes = strings->sh_size < NAMES_BYTES ? strings->sh_size : NAMES_BYTES;
    if (!sys_read_at(fd, names, bytes, strings->sh_offset) || bytes == 0)
        return true;
    names[bytes - 1] = '\0';
    for (size_t i = 0; i < elf.e_shnum; i++)
        for (size_t k = 0; k < sizeof(sections) / sizeof(*sections); k++)
            if (headers[i].sh_name < bytes && headers[i].sh_addr != 0 &&
                strcmp(names + headers[i].sh_name, sections[k].name) == 0)
                *(uint64_t *)((char *)hints + sections[k].hint) = headers[i].sh_addr + bias;
    return true;
}

void go_program_take_segments(struct go_program *ret, const ElfW(Phdr) * headers, size_t count,
                              uint64_t bias)
{
    for (size_t i = 0; i < count; i++) {
        const ElfW(Phdr) *header = &headers[i];
        if (header->p_type == PT_TLS)
            ret->tls_bytes = (header->p_memsz + header->p_align - 1) & -header->p_align;
        if (header->p_type != PT_LOAD || ret->range_count == GO_PROGRAM_RANGES)
            continue;
        ret->ranges[ret->range_count++] = (struct go_range){
            .start = (bias + header->p_vaddr) & ~UINT64_C(4095),
            .end = (bias + header->p_vaddr + header->p_memsz + 4095) & ~UINT64_C(4095),
            .readable = header->p_flags & PF_R,
            .writable = header->p_flags & PF_W,
            .executable = header->p_flags & PF_X,
        };
    }
}

/* Those of the executable, as the kernel mapped them. */
static uint64_t take_segments(struct go_program *ret)
{
    const ElfW(Phdr) *headers = (const ElfW(Phdr) *)getauxval(AT_PHDR);
    size_t count = getauxval(AT_PHNUM);
    uint64_t bias = 0;
    if (headers == NULL)
        return 0;
    for (size_t i = 0; i < count; i++)
        if (headers[i].p_type == PT_PHDR)
            bias = (uint64_t)headers - headers[i].p_vaddr;
    go_program_take_segments(ret, headers, count, bias);
    return bias;
}

/* Where no section says it: by the build info, among the variables that have their values from the
 * file. 0: there is none. */
static uint64_t search_build_info(uint64_t bias)
{
    const ElfW(Phdr) *headers = (const ElfW(Phdr) *)getauxval(AT_PHDR);
    size_t count = headers != NULL ? getauxval(AT_PHNUM) : 0;
    for (size_t i = 0; i < count; i++) {
        const ElfW(Phdr) *header = &headers[i];
        const unsigned variables = PF_R | PF_W;
        if (header->p_type != PT_LOAD || (header->p_flags & variables) != variables)
            continue;
        uint64_t at = bias + header->p_vaddr, end = at + header->p_filesz;
        at = (at + BUILD_INFO_ALIGNMENT - 1) & -(uint64_t)BUILD_INFO_ALIGNMENT;
        for (; at + BUILD_INFO_ALIGNMENT <= end; at += BUILD_INFO_ALIGNMENT)
            if (go_build_begins((const void *)at))
                return at;
    }
    return 0;
}

bool go_program_find(struct go_program *ret)
{
    *ret = (struct go_program){0};
    long fd = sys_call(SYS_openat, AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    uint64_t bias = take_segments(ret);
    if (!take_sections(fd, bias, &ret->hints))
        ret->hints.build_info = search_build_info(bias);
    sys_call(SYS_close, fd);
    return ret->hints.build_info != 0 || ret->hints.pclntab != 0;
}
