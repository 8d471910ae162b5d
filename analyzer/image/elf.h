/* What the start of a loaded ELF file says: where it lies, and which build it is. */
#ifndef LEAKSPY_ANALYZER_IMAGE_ELF_H
#define LEAKSPY_ANALYZER_IMAGE_ELF_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>

#include "preload/goscan/reader.h"

#define IMAGE_ELF_SECTIONS 4096 /* in a file at most: one that says more is damaged */
#define IMAGE_ELF_HEADERS 128   /* program headers at most; what comes behind is not looked at */

struct image_elf {
    Elf64_Ehdr header;
    Elf64_Phdr segments[IMAGE_ELF_HEADERS];
    uint32_t segment_count;
    uint64_t bias;  /* address in memory minus address in the file's numbering; of a file: 0 */
    uint64_t start; /* of the page that the headers are in */
    uint64_t end;   /* first address past what it occupies in memory, a multiple of 4096 */
    uint32_t build_id_bytes;
    uint8_t build_id[32]; /* of GNU: ld --build-id */
    uint64_t go_build_id; /* a hash of the note that Go's linker writes; 0: there is none */
};

/* Reads the headers of the ELF file whose start is at `address` in memory. False: there is none,
 * it is not of 64 bits and x86-64, or cannot be read. */
bool image_elf_read(struct mem_reader *memory, uint64_t address, struct image_elf *ret);

/* The same of the file at `path` (no device, no pipe). */
bool image_elf_read_file(const char *path, struct image_elf *ret);

enum image_elf_likeness {
    IMAGE_ELF_OTHER, /* two builds */
    IMAGE_ELF_ALIKE, /* no build-id to compare, but the same headers */
    IMAGE_ELF_SAME,  /* the same build-id */
};

enum image_elf_likeness image_elf_compare(const struct image_elf *a, const struct image_elf *b);

#endif
