#include "analyzer/debug/head.h"

#include <dwarf.h>
#include <elf.h>
#include <elfutils/libdw.h>
#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "analyzer/base/file_reader.h"

#define MAX_BYTES (UINT64_C(256) << 20) /* of .debug_info, unfolded */
#define MAX_ABBREVIATIONS (UINT64_C(4) << 20)
#define MAX_INFLATION 64                /* no compiler's output comes near, see file.c */
#define STEP_BYTES (UINT64_C(64) << 10) /* that are unfolded at least */
#define READ_BYTES 65536
#define UNIT_START_BYTES 12 /* the longest form of a unit's length */

/* ---- Reading and unfolding ---- */

struct source {
    int fd;
    uint64_t at, left; /* in the file */
    uint64_t claimed;  /* bytes that come out of it, as it says */
    bool packed, begun;
    z_stream stream;
    uint8_t input[READ_BYTES];
};

/* How long it is when it is unfolded stands before what is compressed. */
static bool read_packing(struct source *source, enum debug_packing packing)
{
    static const char gnu[4] = "ZLIB";
    union {
        Elf64_Chdr elf;
        uint8_t gnu[12];
    } header;
    size_t bytes = packing == DEBUG_PACKING_ELF ? sizeof(header.elf) : sizeof(header.gnu);
    if (source->left < bytes ||
        file_read_at(source->fd, source->at, &header, bytes) != (ssize_t)bytes)
        return false;
    source->at += bytes;
    source->left -= bytes;
    if (packing == DEBUG_PACKING_ELF) {
        source->claimed = header.elf.ch_size;
        return header.elf.ch_type == ELFCOMPRESS_ZLIB;
    }
    source->claimed = 0;
    for (size_t i = sizeof(gnu); i < bytes; i++)
        source->claimed = source->claimed << 8 | header.gnu[i];
    return memcmp(header.gnu, gnu, sizeof(gnu)) == 0;
}

static bool source_open(struct source *source, int fd, const struct debug_section *section,
                        uint64_t most)
{
    source->fd = fd;
    source->at = section->offset;
    source->left = source->claimed = section->bytes;
    source->packed = section->packing != DEBUG_PACKING_NONE;
    source->begun = false;
    if (section->bytes == 0 || section->bytes > INT64_MAX || section->offset > INT64_MAX)
        return false;
    if (source->packed) {
        if (!read_packing(source, section->packing) ||
            source->claimed / MAX_INFLATION > section->bytes)
            return false;
        memset(&source->stream, 0, sizeof(source->stream));
        source->begun = inflateInit(&source->stream) == Z_OK;
    }
    if (source->claimed > most)
        source->claimed = most;
    return source->claimed > 0 && source->begun == source->packed;
}

static void source_close(struct source *source)
{
    if (source->begun)
        inflateEnd(&source->stream);
    source->begun = false;
}

static size_t read_some(struct source *source, uint8_t *to, size_t most)
{
    size_t wanted = source->left < most ? (size_t)source->left : most;
    ssize_t got = file_read_at(source->fd, source->at, to, wanted);
    if (got <= 0)
        return 0;
    source->at += (uint64_t)got;
    source->left -= (uint64_t)got;
    return (size_t)got;
}

/* Returns how many of the next bytes there are. */
static size_t unfold(struct source *source, uint8_t *to, size_t count)
{
    size_t done = 0;
    for (size_t got = 1; !source->packed && done < count && got > 0; done += got)
        got = read_some(source, to + done, count - done);
    z_stream *stream = &source->stream;
    stream->next_out = to;
    stream->avail_out = (uInt)count;
    for (int status = Z_OK; source->packed && stream->avail_out > 0 && status == Z_OK;) {
        if (stream->avail_in == 0) {
            stream->next_in = source->input;
            stream->avail_in = (uInt)read_some(source, source->input, sizeof(source->input));
        }
        status = stream->avail_in > 0 ? inflate(stream, Z_NO_FLUSH) : Z_BUF_ERROR;
    }
    return source->packed ? count - stream->avail_out : done;
}

/* ---- The file in memory ---- */

enum { SECTION_NONE, SECTION_ABBREVIATIONS, SECTION_INFO, SECTION_NAMES, SECTION_COUNT };

static const char section_names[] = "\0.debug_abbrev\0.debug_info\0.shstrtab";
static const uint32_t name_of[SECTION_COUNT] = {0, 1, 15, 27};

struct file_start {
    Elf64_Ehdr header;
    Elf64_Shdr sections[SECTION_COUNT];
    char names[sizeof(section_names)];
};

struct debug_head {
    int fd;
    struct source info;
    uint8_t *image;
    size_t image_room;
    uint64_t abbreviation_bytes;
    uint64_t info_at;    /* offset in the image */
    uint64_t info_bytes; /* that are there */
    uint64_t next;       /* offset of the unit that is looked at next */
    Elf *elf;
    Dwarf *dwarf;
};

static void describe(struct debug_head *head)
{
    struct file_start start = {
        .header =
            {
                .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
                            EV_CURRENT},
                .e_type = ET_EXEC,
                .e_machine = EM_X86_64,
                .e_version = EV_CURRENT,
                .e_shoff = offsetof(struct file_start, sections),
                .e_ehsize = sizeof(Elf64_Ehdr),
                .e_shentsize = sizeof(Elf64_Shdr),
                .e_shnum = SECTION_COUNT,
                .e_shstrndx = SECTION_NAMES,
            },
    };
    const struct {
        uint32_t type;
        uint64_t offset, bytes;
    } rows[SECTION_COUNT] = {
        [SECTION_ABBREVIATIONS] = {SHT_PROGBITS, sizeof(start), head->abbreviation_bytes},
        [SECTION_INFO] = {SHT_PROGBITS, head->info_at, head->info_bytes},
        [SECTION_NAMES] = {SHT_STRTAB, offsetof(struct file_start, names), sizeof(section_names)},
    };
    for (size_t i = 0; i < SECTION_COUNT; i++)
        start.sections[i] = (Elf64_Shdr){.sh_name = name_of[i],
                                         .sh_type = rows[i].type,
                                         .sh_offset = rows[i].offset,
                                         .sh_size = rows[i].bytes,
                                         .sh_addralign = 1};
    memcpy(start.names, section_names, sizeof(section_names));
    memcpy(head->image, &start, sizeof(start));
}

static bool make_room(struct debug_head *head, uint64_t bytes)
{
    if (bytes <= head->image_room)
        return true;
    uint8_t *larger = realloc(head->image, bytes);
    if (!larger)
        return false;
    head->image = larger;
    head->image_room = bytes;
    return true;
}

static void end_dwarf(struct debug_head *head)
{
    dwarf_end(head->dwarf);
    elf_end(head->elf);
    head->dwarf = NULL;
    head->elf = NULL;
}

/* libdw over what is there. */
static bool begin_dwarf(struct debug_head *head)
{
    if (head->dwarf)
        return true;
    describe(head);
    head->elf = elf_memory((char *)head->image, head->info_at + head->info_bytes);
    head->dwarf = head->elf ? dwarf_begin_elf(head->elf, DWARF_C_READ, NULL) : NULL;
    if (!head->dwarf)
        end_dwarf(head);
    return head->dwarf;
}

static bool read_abbreviations(struct debug_head *head, const struct debug_section *section)
{
    struct source *source = &head->info; /* it is not needed yet */
    uint64_t most = MAX_ABBREVIATIONS;
    bool ok = source_open(source, head->fd, section, most) &&
              make_room(head, sizeof(struct file_start) + source->claimed + STEP_BYTES);
    if (ok) {
        head->abbreviation_bytes = source->claimed;
        head->info_at = (sizeof(struct file_start) + source->claimed + 15) & ~UINT64_C(15);
        ok = unfold(source, head->image + sizeof(struct file_start), source->claimed) ==
             source->claimed;
    }
    source_close(source);
    return ok;
}

struct debug_head *debug_head_open(const char *path, const struct debug_sections *sections)
{
    struct debug_head *head = NULL;
    int fd = sections->info.bytes ? file_open(path, NULL) : -1;
    if (fd >= 0 && !(head = calloc(1, sizeof(*head))))
        close(fd);
    if (!head)
        return NULL;
    elf_version(EV_CURRENT);
    head->fd = fd;
    if (!read_abbreviations(head, &sections->abbreviations) ||
        !source_open(&head->info, fd, &sections->info, MAX_BYTES)) {
        debug_head_close(head);
        return NULL;
    }
    return head;
}

void debug_head_close(struct debug_head *head)
{
    if (!head)
        return;
    end_dwarf(head);
    source_close(&head->info);
    close(head->fd);
    free(head->image);
    free(head);
}

/* ---- Units ---- */

/* Whether there are so many bytes of .debug_info; unfolds them, and some more, if they are not
 * there yet. */
static bool has(struct debug_head *head, uint64_t bytes)
{
    uint64_t there = head->info_bytes;
    if (bytes <= there)
        return true;
    if (bytes > head->info.claimed)
        return false;
    uint64_t wanted = there + there / 16 + STEP_BYTES;
    wanted = wanted < bytes ? bytes : wanted;
    wanted = wanted < head->info.claimed ? wanted : head->info.claimed;
    end_dwarf(head);
    if (!make_room(head, head->info_at + wanted))
        return false;
    head->info_bytes +=
        unfold(&head->info, head->image + head->info_at + there, (size_t)(wanted - there));
    if (head->info_bytes < wanted)
        head->info.claimed = head->info_bytes;
    return bytes <= head->info_bytes;
}

/* Where the unit at an offset ends; 0: it is not there as a whole. */
static uint64_t unit_end(struct debug_head *head, uint64_t at)
{
    const uint32_t is_long = 0xffffffff;
    if (!has(head, at + UNIT_START_BYTES))
        return 0;
    const uint8_t *unit = head->image + head->info_at + at;
    uint64_t bytes = half_at(unit, 0), before = sizeof(uint32_t);
    if (bytes == is_long) {
        bytes = word_at(unit, sizeof(uint32_t));
        before = UNIT_START_BYTES;
    }
    return bytes <= MAX_BYTES && has(head, at + before + bytes) ? at + before + bytes : 0;
}

/* The entry of the unit at an offset, if it is of that language. */
static bool is_of(struct debug_head *head, uint64_t at, int language, Dwarf_Die *ret)
{
    Dwarf_Off next;
    size_t bytes; /* before the entry */
    return begin_dwarf(head) &&
           dwarf_next_unit(head->dwarf, at, &next, &bytes, NULL, NULL, NULL, NULL, NULL, NULL) ==
               0 &&
           dwarf_offdie(head->dwarf, at + bytes, ret) && dwarf_tag(ret) == DW_TAG_compile_unit &&
           dwarf_srclang(ret) == language;
}

struct Dwarf *debug_head_next(struct debug_head *head, int language, const void *bytes,
                              size_t count, uint64_t *ret_die)
{
    for (uint64_t at = head->next, end; (end = unit_end(head, at)) != 0; at = end) {
        Dwarf_Die die;
        const uint8_t *unit = head->image + head->info_at + at;
        if (!memmem(unit, end - at, bytes, count) || !is_of(head, at, language, &die))
            continue;
        *ret_die = dwarf_dieoffset(&die);
        head->next = end;
        return head->dwarf;
    }
    return NULL;
}
