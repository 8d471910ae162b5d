#include "tests/unit/analyzer/core_builder.h"

#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>

struct buffer {
    unsigned char *bytes;
    size_t count, room;
};

struct core_builder {
    Elf64_Ehdr header;
    struct buffer segments; /* Elf64_Phdr, offsets from the start of `memory` */
    struct buffer memory, notes, files, paths, all;
    uint64_t file_count;
};

static void put(struct buffer *to, const void *bytes, size_t count)
{
    while (to->count + count > to->room) {
        to->room = to->room ? 2 * to->room : 4096;
        to->bytes = realloc(to->bytes, to->room);
        if (!to->bytes)
            abort();
    }
    if (count)
        memcpy(to->bytes + to->count, bytes, count);
    to->count += count;
}

static void pad(struct buffer *to, size_t align)
{
    static const unsigned char zeroes[4096];
    put(to, zeroes, (align - to->count % align) % align);
}

static void put_note(struct core_builder *b, uint32_t type, const void *bytes, size_t count)
{
    Elf64_Nhdr note = {5, (uint32_t)count, type};
    put(&b->notes, &note, sizeof(note));
    put(&b->notes, "CORE\0\0\0", 8);
    put(&b->notes, bytes, count);
    pad(&b->notes, 4);
}

struct core_builder *core_builder_create(void)
{
    struct core_builder *b = calloc(1, sizeof(*b));
    if (!b)
        abort();
    b->header = (Elf64_Ehdr){
        .e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_CORE,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_phoff = sizeof(Elf64_Ehdr),
        .e_ehsize = sizeof(Elf64_Ehdr),
        .e_phentsize = sizeof(Elf64_Phdr),
    };
    return b;
}

void core_builder_destroy(struct core_builder *b)
{
    free(b->segments.bytes);
    free(b->memory.bytes);
    free(b->notes.bytes);
    free(b->files.bytes);
    free(b->paths.bytes);
    free(b->all.bytes);
    free(b);
}

Elf64_Ehdr *core_builder_header(struct core_builder *b)
{
    return &b->header;
}

void core_builder_load(struct core_builder *b, uint64_t address, uint64_t memory_bytes,
                       const void *bytes, size_t file_bytes, uint32_t flags)
{
    Elf64_Phdr segment = {
        .p_type = PT_LOAD,
        .p_flags = flags,
        .p_offset = b->memory.count,
        .p_vaddr = address,
        .p_filesz = file_bytes,
        .p_memsz = memory_bytes,
        .p_align = 4096,
    };
    put(&b->segments, &segment, sizeof(segment));
    put(&b->memory, bytes, file_bytes);
}

void core_builder_file(struct core_builder *b, uint64_t start, uint64_t end, uint64_t offset,
                       const char *path)
{
    uint64_t row[3] = {start, end, offset / 4096};
    put(&b->files, row, sizeof(row));
    put(&b->paths, path, strlen(path) + 1);
    b->file_count++;
}

void core_builder_thread(struct core_builder *b, const struct core_builder_thread *thread)
{
    struct elf_prstatus status = {.pr_pid = (pid_t)thread->tid, .pr_cursig = (short)thread->signal};
    uint64_t user[27] = {
        [15] = (uint64_t)thread->call,
        [10] = (uint64_t)thread->result,
        [16] = thread->pc,
        [19] = thread->sp,
        [21] = thread->thread_pointer,
        [14] = thread->args[0],
        [13] = thread->args[1],
        [12] = thread->args[2],
        [7] = thread->args[3],
        [9] = thread->args[4],
        [8] = thread->args[5],
    };
    memcpy(&status.pr_reg, user, sizeof(user));
    put_note(b, NT_PRSTATUS, &status, sizeof(status));
}

void core_builder_process(struct core_builder *b, uint32_t pid, const char *name,
                          const char *arguments)
{
    struct elf_prpsinfo info = {.pr_pid = (pid_t)pid};
    strncpy(info.pr_fname, name, sizeof(info.pr_fname) - 1);
    strncpy(info.pr_psargs, arguments, sizeof(info.pr_psargs) - 1);
    put_note(b, NT_PRPSINFO, &info, sizeof(info));
}

void core_builder_vector(struct core_builder *b, const uint64_t (*pairs)[2], size_t count)
{
    put_note(b, NT_AUXV, pairs, count * sizeof(*pairs));
}

const unsigned char *core_builder_finish(struct core_builder *b, int many, size_t *ret_bytes)
{
    if (b->file_count) {
        struct buffer files = {0};
        uint64_t head[2] = {b->file_count, 4096};
        put(&files, head, sizeof(head));
        put(&files, b->files.bytes, b->files.count);
        put(&files, b->paths.bytes, b->paths.count);
        put_note(b, NT_FILE, files.bytes, files.count);
        free(files.bytes);
    }
    size_t loads = b->segments.count / sizeof(Elf64_Phdr);
    Elf64_Shdr section = {.sh_info = (uint32_t)loads + 1};
    uint64_t notes_at =
        sizeof(b->header) + (loads + 1) * sizeof(Elf64_Phdr) + (many ? sizeof(section) : 0);
    uint64_t memory_at = (notes_at + b->notes.count + 15) / 16 * 16;
    Elf64_Phdr notes = {
        .p_type = PT_NOTE, .p_offset = notes_at, .p_filesz = b->notes.count, .p_align = 4};

    b->header.e_phnum = many ? PN_XNUM : (uint16_t)(loads + 1);
    if (many) {
        b->header.e_shoff = sizeof(b->header) + (loads + 1) * sizeof(Elf64_Phdr);
        b->header.e_shnum = 1;
        b->header.e_shentsize = sizeof(section);
    }
    put(&b->all, &b->header, sizeof(b->header));
    put(&b->all, &notes, sizeof(notes));
    for (size_t i = 0; i < loads; i++) {
        Elf64_Phdr segment;
        memcpy(&segment, b->segments.bytes + i * sizeof(segment), sizeof(segment));
        segment.p_offset += memory_at;
        put(&b->all, &segment, sizeof(segment));
    }
    if (many)
        put(&b->all, &section, sizeof(section));
    put(&b->all, b->notes.bytes, b->notes.count);
    pad(&b->all, 16);
    put(&b->all, b->memory.bytes, b->memory.count);
    *ret_bytes = b->all.count;
    return b->all.bytes;
}
