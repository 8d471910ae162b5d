/* A core as a file: which memory it holds, and what its notes say. Nothing in it is trusted.
 *
 * Layout: core(5), elf(5); notes as Linux writes them (fs/binfmt_elf.c) and gdb's gcore does.
 */
#ifndef LEAKSPY_ANALYZER_CORE_FILE_H
#define LEAKSPY_ANALYZER_CORE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/base/err.h"
#include "analyzer/image/registers.h"

/* A piece of the process's memory (PT_LOAD). They are sorted and do not overlap. */
struct core_range {
    uint64_t start, end;
    uint64_t offset;       /* in the core */
    uint64_t dumped_bytes; /* how many, from `start` on, were dumped */
    uint64_t file_bytes;   /* how many of those the core really has; fewer where it is cut short */
    bool readable, writable, executable;
};

/* A mapped file (NT_FILE), sorted by start. */
struct core_name {
    uint64_t start, end;
    uint64_t file_offset; /* bytes */
    const char *path;     /* in core_file.names_text */
    bool deleted;         /* there was no such file any more */
};

struct core_thread {
    uint32_t tid;
    uint64_t user[USER_REGISTERS]; /* struct user_regs_struct */
};

struct core_file {
    int fd;
    uint64_t file_bytes;
    uint64_t missing_bytes; /* that its headers speak of, past the end of the file */
    struct core_range *ranges;
    size_t range_count;
    struct core_name *names;
    size_t name_count;
    char *names_text;
    struct core_thread *threads; /* the one that a signal ended first, if there was one */
    size_t thread_count;
    int signal; /* 0: it was dumped alive, or that is not known */
    uint32_t pid;
    char program[17];     /* by the kernel: the start of the name */
    char arguments[81];   /* of the command line, as far as the kernel keeps it */
    uint64_t phdr, entry; /* AT_PHDR, AT_ENTRY; 0: not known */
    uint64_t in_stack;    /* an address in the stack that the program began with; 0: not known */
    uint64_t vector[2];   /* the first row of the vector that the kernel gave to the program */
};

/* Whether a file that begins so is to be read as a core: it is one, packed perhaps, or a program
 * that was taken for one; core_file_open says which. */
bool core_file_resembles(const unsigned char start[4]);

/* Errors: the file cannot be read; it is no core, packed, of another machine, of 32 bits; it tells
 * of no thread (truncated, or damaged). */
bool core_file_open(struct core_file *ret, const char *path, struct err *err);
void core_file_close(struct core_file *core);

/* The range around an address; NULL: none. */
const struct core_range *core_file_range(const struct core_file *core, uint64_t address);

/* The first range that begins after an address, or the end of the table. */
const struct core_range *core_file_next(const struct core_file *core, uint64_t address);

/* Reads bytes of the core itself, from wherever; false: the file ends before. */
bool core_file_read(const struct core_file *core, uint64_t offset, void *to, size_t bytes);

/* Reads the notes of a segment; called by core_file_open. False: no memory. */
bool core_file_read_notes(struct core_file *core, uint64_t offset, uint64_t bytes, uint64_t align);

#endif
