/* Layouts: elf(5); notes: "Executable and Linking Format", figure 2-3; NT_GNU_BUILD_ID: ld(1). */
#include "analyzer/image/elf.h"

#include <string.h>

#include "analyzer/base/file_reader.h"

#define MAX_NOTE_BYTES 4096 /* of one segment; build-ids stand at its start */
#define NOTE_GO_BUILD_ID 4  /* type of the note that cmd/link names "Go" */
#define ADDRESS_END (UINT64_C(1) << 56)

static uint64_t page_down(uint64_t address)
{
    return address & ~UINT64_C(4095);
}

/* FNV-1a. */
static uint64_t hash(const uint8_t *bytes, size_t count)
{
    uint64_t value = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < count; i++)
        value = (value ^ bytes[i]) * UINT64_C(1099511628211);
    return value ? value : 1;
}

static void take_notes(struct image_elf *elf, const uint8_t *bytes, size_t count, size_t align)
{
    for (size_t at = 0; at + sizeof(Elf64_Nhdr) <= count;) {
        Elf64_Nhdr note;
        memcpy(&note, bytes + at, sizeof(note));
        size_t name = at + sizeof(note);
        size_t text = name + ((size_t)note.n_namesz + align - 1) / align * align;
        if (text > count || note.n_descsz > count - text)
            return;
        const uint8_t *described = bytes + text;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
            memcmp(bytes + name, "GNU", 4) == 0 && note.n_descsz > 0 &&
            note.n_descsz <= sizeof(elf->build_id) && elf->build_id_bytes == 0) {
            elf->build_id_bytes = note.n_descsz;
            memcpy(elf->build_id, described, note.n_descsz);
        }
        if (note.n_type == NOTE_GO_BUILD_ID && note.n_namesz == 4 &&
            memcmp(bytes + name, "Go\0", 4) == 0)
            elf->go_build_id = hash(described, note.n_descsz);
        at = text + ((size_t)note.n_descsz + align - 1) / align * align;
    }
}

/* `file`: addresses are offsets in the file. */
static bool read_elf(struct mem_reader *memory, uint64_t address, bool file, struct image_elf *ret)
{
    memset(ret, 0, sizeof(*ret));
    Elf64_Ehdr *header = &ret->header;
    if (!mem_read(memory, address, header, sizeof(*header)) ||
        memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
        header->e_ident[EI_DATA] != ELFDATA2LSB || header->e_machine != EM_X86_64 ||
        (header->e_type != ET_EXEC && header->e_type != ET_DYN) ||
        header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phoff > ADDRESS_END)
        return false;
    ret->segment_count = header->e_phnum < IMAGE_ELF_HEADERS ? header->e_phnum : IMAGE_ELF_HEADERS;
    if (ret->segment_count == 0 || !mem_read(memory, address + header->e_phoff, ret->segments,
                                             ret->segment_count * sizeof(*ret->segments)))
        return false;

    bool known = false;
    uint64_t first = 0, end = 0;
    for (uint32_t i = 0; i < ret->segment_count; i++) {
        const Elf64_Phdr *segment = &ret->segments[i];
        if (segment->p_type != PT_LOAD || segment->p_vaddr > ADDRESS_END ||
            segment->p_memsz > ADDRESS_END)
            continue;
        if (page_down(segment->p_offset) == 0 && !known) {
            first = page_down(segment->p_vaddr);
            known = true;
        }
        if (segment->p_vaddr + segment->p_memsz > end)
            end = segment->p_vaddr + segment->p_memsz;
    }
    if (!known || end <= first || (!file && end - first > ADDRESS_END - address))
        return false;
    ret->bias = file ? 0 : address - first;
    ret->start = ret->bias + first;
    ret->end = page_down(ret->bias + end + 4095);

    for (uint32_t i = 0; i < ret->segment_count; i++) {
        const Elf64_Phdr *segment = &ret->segments[i];
        uint8_t notes[MAX_NOTE_BYTES];
        if (segment->p_type != PT_NOTE || segment->p_filesz == 0)
            continue;
        size_t bytes =
            segment->p_filesz < sizeof(notes) ? (size_t)segment->p_filesz : sizeof(notes);
        if (mem_read(memory, file ? segment->p_offset : ret->bias + segment->p_vaddr, notes, bytes))
            take_notes(ret, notes, bytes, segment->p_align == 8 ? 8 : 4);
    }
    return true;
}

bool image_elf_read(struct mem_reader *memory, uint64_t address, struct image_elf *ret)
{
    return read_elf(memory, address, false, ret);
}

bool image_elf_read_file(const char *path, struct image_elf *ret)
{
    struct file_reader file;
    if (!file_reader_open(&file, path))
        return false;
    bool ok = read_elf(&file.reader, 0, true, ret);
    file_reader_close(&file);
    return ok;
}

enum image_elf_likeness image_elf_compare(const struct image_elf *a, const struct image_elf *b)
{
    if (a->build_id_bytes || b->build_id_bytes) {
        bool same = a->build_id_bytes == b->build_id_bytes &&
                    memcmp(a->build_id, b->build_id, a->build_id_bytes) == 0;
        return same ? IMAGE_ELF_SAME : IMAGE_ELF_OTHER;
    }
    if (a->go_build_id || b->go_build_id)
        return a->go_build_id == b->go_build_id ? IMAGE_ELF_SAME : IMAGE_ELF_OTHER;
    /* Where the section headers begin follows from the sizes of all that stands before. */
    bool alike = memcmp(&a->header, &b->header, sizeof(a->header)) == 0 &&
                 a->segment_count == b->segment_count &&
                 memcmp(a->segments, b->segments, a->segment_count * sizeof(*a->segments)) == 0;
    return alike ? IMAGE_ELF_ALIKE : IMAGE_ELF_OTHER;
}
