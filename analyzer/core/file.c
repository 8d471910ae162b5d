#include "analyzer/core/file.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzer/base/file_reader.h"
#include "analyzer/base/ranges.h"

#define MAX_RANGES (UINT64_C(1) << 22)
#define ADDRESS_END (UINT64_C(1) << 56) /* above is nothing of a program's */

bool core_file_read(const struct core_file *core, uint64_t offset, void *to, size_t bytes)
{
    return offset <= core->file_bytes && bytes <= core->file_bytes - offset &&
           file_read_at(core->fd, offset, to, bytes) == (ssize_t)bytes;
}

const struct core_range *core_file_range(const struct core_file *core, uint64_t address)
{
    size_t row = ranges_at(core->ranges, core->range_count, sizeof(*core->ranges), address);
    return row < core->range_count ? &core->ranges[row] : NULL;
}

const struct core_range *core_file_next(const struct core_file *core, uint64_t address)
{
    size_t row = ranges_after(core->ranges, core->range_count, sizeof(*core->ranges), address);
    if (row < core->range_count && core->ranges[row].start <= address)
        row++;
    return core->ranges + row;
}

/* What stands in the first bytes of files that are taken for cores. */
static const char *packed_by(const unsigned char *bytes)
{
    static const struct {
        unsigned char magic[4];
        const char *name;
    } rows[] = {
        {{0x28, 0xb5, 0x2f, 0xfd}, "zstd"},
        {{0x04, 0x22, 0x4d, 0x18}, "lz4"},
        {{0xfd, '7', 'z', 'X'}, "xz"},
        {{0x1f, 0x8b, 0x08, 0}, "gzip"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        size_t count = rows[i].magic[3] ? 4 : 3;
        if (memcmp(bytes, rows[i].magic, count) == 0)
            return rows[i].name;
    }
    return NULL;
}

bool core_file_resembles(const unsigned char start[4])
{
    return memcmp(start, ELFMAG, SELFMAG) == 0 || packed_by(start);
}

static bool check_header(const Elf64_Ehdr *header, size_t bytes, const char *path, struct err *err)
{
    const char *packer = bytes >= 4 ? packed_by(header->e_ident) : NULL;
    if (packer)
        return err_set(err, ERR_NOT_A_CORE, path,
                       "it is packed by %s: unpack it first (coredumpctl dump does)", packer);
    if (bytes < 20 || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
        return err_set(err, ERR_NOT_A_CORE, path, "it is not a core: it is no ELF file");
    if (header->e_ident[EI_DATA] != ELFDATA2LSB)
        return err_set(err, ERR_UNSUPPORTED, path,
                       "it is of another machine; leakspy knows x86-64");
    if (header->e_type != ET_CORE)
        return err_set(err, ERR_NOT_A_CORE, path,
                       "it is not a core, but a program or a library; 'leakspy report CORE --exe "
                       "FILE' reads the two together");
    if (header->e_machine != EM_X86_64 && header->e_machine != EM_386)
        return err_set(err, ERR_UNSUPPORTED, path,
                       "it is of another machine (ELF machine %u); leakspy knows x86-64",
                       (unsigned)header->e_machine);
    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_machine != EM_X86_64)
        return err_set(err, ERR_UNSUPPORTED, path,
                       "it is of a program of 32 bits; leakspy knows those of 64 bits");
    if (bytes < sizeof(*header))
        return err_set(err, ERR_TRUNCATED, path, "it is cut short in its first header");
    return true;
}

/* How many program headers there are: more than 65534 stand in the first section header (elf(5),
 * PN_XNUM). */
static uint64_t header_count(const struct core_file *core, const Elf64_Ehdr *header)
{
    uint64_t count = header->e_phnum;
    Elf64_Shdr section;
    if (count == PN_XNUM && core_file_read(core, header->e_shoff, &section, sizeof(section)))
        count = section.sh_info;
    uint64_t room = header->e_phoff < core->file_bytes
                        ? (core->file_bytes - header->e_phoff) / sizeof(Elf64_Phdr)
                        : 0;
    count = count < room ? count : room;
    return count < MAX_RANGES ? count : MAX_RANGES;
}

static void add_range(struct core_file *core, const Elf64_Phdr *segment)
{
    uint64_t bytes = segment->p_filesz < segment->p_memsz ? segment->p_filesz : segment->p_memsz;
    if (segment->p_memsz == 0 || segment->p_vaddr >= ADDRESS_END ||
        segment->p_memsz > ADDRESS_END - segment->p_vaddr)
        return;
    uint64_t there =
        segment->p_offset < core->file_bytes ? core->file_bytes - segment->p_offset : 0;
    if (bytes > there)
        core->missing_bytes += bytes - there;
    core->ranges[core->range_count++] = (struct core_range){
        .start = segment->p_vaddr,
        .end = segment->p_vaddr + segment->p_memsz,
        .offset = segment->p_offset,
        .dumped_bytes = bytes,
        .file_bytes = bytes < there ? bytes : there,
        .readable = (segment->p_flags & PF_R) != 0,
        .writable = (segment->p_flags & PF_W) != 0,
        .executable = (segment->p_flags & PF_X) != 0,
    };
}

static bool read_segments(struct core_file *core, const Elf64_Ehdr *header)
{
    uint64_t count = header_count(core, header);
    core->ranges = calloc(count + 1, sizeof(*core->ranges));
    if (!core->ranges)
        return false;
    for (uint64_t i = 0; i < count; i++) {
        Elf64_Phdr segment;
        if (!core_file_read(core, header->e_phoff + i * sizeof(segment), &segment, sizeof(segment)))
            break;
        if (segment.p_type == PT_LOAD)
            add_range(core, &segment);
        if (segment.p_type != PT_NOTE)
            continue;
        uint64_t there =
            segment.p_offset < core->file_bytes ? core->file_bytes - segment.p_offset : 0;
        if (segment.p_filesz > there)
            core->missing_bytes += segment.p_filesz - there;
        if (!core_file_read_notes(core, segment.p_offset,
                                  segment.p_filesz < there ? segment.p_filesz : there,
                                  segment.p_align == 8 ? 8 : 4))
            return false;
    }
    core->range_count = ranges_sort(core->ranges, core->range_count, sizeof(*core->ranges));
    return true;
}

bool core_file_open(struct core_file *ret, const char *path, struct err *err)
{
    Elf64_Ehdr header = {0};
    memset(ret, 0, sizeof(*ret));
    ret->fd = file_open(path, &ret->file_bytes);
    if (ret->fd < 0)
        return errno
                   ? err_system(err, path, errno)
                   : err_set(err, ERR_NOT_A_CORE, path, "it is not a core: it is no regular file");
    ssize_t bytes = file_read_at(ret->fd, 0, &header, sizeof(header));
    bool ok =
        bytes < 0 ? err_system(err, path, errno) : check_header(&header, (size_t)bytes, path, err);
    if (ok && !read_segments(ret, &header))
        ok = err_system(err, path, ENOMEM);
    if (ok && ret->thread_count == 0) {
        /* gcore writes the notes last. */
        if (ret->missing_bytes || ret->range_count == 0)
            ok = err_set(err, ERR_TRUNCATED, path,
                         "it is cut short: what it said of the threads is missing");
        else
            ok = err_set(err, ERR_CORRUPT, path, "it tells of no thread");
    }
    if (!ok)
        core_file_close(ret);
    return ok;
}

void core_file_close(struct core_file *core)
{
    if (core->fd >= 0)
        close(core->fd);
    free(core->ranges);
    free(core->names);
    free(core->names_text);
    free(core->threads);
    memset(core, 0, sizeof(*core));
    core->fd = -1;
}
