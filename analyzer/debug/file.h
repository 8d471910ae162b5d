/* One ELF file with its debug information: what stands at an address of it. Knows libdw; keeps
 * nothing between questions but indexes of the file's units, functions and symbols.
 *
 * Files are not trusted: what libdw refuses is no answer, and what could go round in circles or
 * unfold without end is counted. Addresses are in the file's own numbering.
 */
#ifndef LEAKSPY_ANALYZER_DEBUG_FILE_H
#define LEAKSPY_ANALYZER_DEBUG_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct debug_file;
struct Dwarf; /* libdw's */

enum debug_file_result {
    DEBUG_FILE_OK,
    DEBUG_FILE_GONE,       /* there is no such file */
    DEBUG_FILE_CHANGED,    /* it has another build-id, or none where one was asked for */
    DEBUG_FILE_UNREADABLE, /* not permitted, not an ELF file, or damaged */
};

/* A function at an address. The strings live as long as the debug_file. */
struct debug_frame {
    const char *name; /* NULL: not known */
    enum debug_name {
        DEBUG_NAME_LINKER, /* to be demangled */
        DEBUG_NAME_SOURCE, /* as in the source */
        DEBUG_NAME_GO,     /* as gccgo spells it in debug information */
    } name_kind;
    const char *scope;  /* of a DEBUG_NAME_SOURCE: namespaces and classes around it; NULL: none */
    const char *file;   /* NULL: not known */
    const char *folder; /* what a relative `file` is relative to; may be NULL */
    int line;           /* 0: not known */
    bool inlined;
};

/* Where distributions put separate debug files. */
#define DEBUG_FILE_FOLDERS ":.debug:/usr/lib/debug"

/* At most this many frames of one address are told. */
#define DEBUG_FILE_MAX_FRAMES 64

/* Open a file and check that it is the wanted one.
 *
 * build_id, build_id_bytes: what it must have; 0 bytes: anything will do.
 * debug_folders: where separate debug files are looked for, as elfutils writes it:
 *   DEBUG_FILE_FOLDERS is beside the file, in its folder .debug, and in that tree, by
 *   build-id too. Not changed; must outlive the debug_file.
 * ret: set when the result is DEBUG_FILE_OK; for debug_file_close. */
enum debug_file_result debug_file_open(const char *path, const uint8_t *build_id,
                                       size_t build_id_bytes, char *debug_folders,
                                       struct debug_file **ret);

/* Close the file, and what was opened because of it. NULL is fine. */
void debug_file_close(struct debug_file *file);

/* Whether there is debug information, in the file or beside it. Looks for it the first time. */
bool debug_file_has_lines(struct debug_file *file);

/* The debug information itself, of the file or of the separate one that belongs to it; NULL: there
 * is none. *ret_bias, which may be NULL: address in the file minus address in it. Good until the
 * file is closed. */
struct Dwarf *debug_file_dwarf(struct debug_file *file, uint64_t *ret_bias);

/* The functions at an address, innermost first: inlined calls, then the physical function.
 * Returns how many of `frames` were filled; 0: the debug information does not know the address. */
size_t debug_file_frames(struct debug_file *file, uint64_t address,
                         struct debug_frame frames[DEBUG_FILE_MAX_FRAMES]);

/* The linker's name of the function at an address, from the symbol tables. NULL: none covers it. */
const char *debug_file_symbol(struct debug_file *file, uint64_t address);

#endif
