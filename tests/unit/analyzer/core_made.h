/* A core that a test builds, in a file of its own; and the test's own program, which may be what
 * the core is of. */
#ifndef LEAKSPY_TESTS_CORE_MADE_H
#define LEAKSPY_TESTS_CORE_MADE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "analyzer/image/image.h"
#include "tests/unit/analyzer/core_builder.h"

/* Where what is loaded is, and a stack. */
#define BASE UINT64_C(0x7f0000000000)
#define STACK UINT64_C(0x7ffe00000000)

/* That a system call was broken off by a signal, as registers have it negated. */
#define ERESTARTSYS 512

extern struct made_core {
    struct core_builder *builder;
    int fd;        /* of its file */
    char path[64]; /* by which it can be opened */
} made_core;

/* For single tests: begins an empty core, and forgets it. */
int core_start(void **state);
int core_end(void **state);

/* Adds a thread that is in no system call; `signal`: of which it died, or 0. */
void add_thread(uint32_t tid, int signal);

/* The file has these bytes, or the core that was built. */
void write_bytes(const void *bytes, size_t count);
void write_core(void);

/* Opens the file; `exe`: the program that is named for it, or NULL. To be closed by image_close. */
void open_core(struct image *image, const char *exe);

/* That it is not opened, for such a reason; and that an image has a note that says `what`. */
void assert_refused(const char *exe, enum err_kind kind, const char *why);
void assert_noted(const struct image *image, const char *what);

/* The file of the test's own program. */
extern struct own_program {
    char path[4096];
    unsigned char *bytes;
    size_t count;
    const Elf64_Ehdr *header;
    const Elf64_Phdr *segments;
} own;

/* For whole programs: reads it, and frees it. */
int read_own_program(void **state);
int free_own_program(void **state);

/* Where the page begins in which an address is. */
uint64_t page_of(uint64_t address);

#endif
