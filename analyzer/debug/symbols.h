/* From addresses to functions, files and lines. What is read with libdw is behind file.h; the
 * functions of Go's own compiler are told by go_file.h, in Go's spelling.
 *
 * A module is looked up by the path that was recorded and trusted only while its build-id is the
 * recorded one; when that file is gone or has changed, the debug file of the recorded build-id
 * (/usr/lib/debug/.build-id) is used instead, and failing that the name in the recording. Nothing
 * is ever fetched from the network. Files are opened at the first address that needs them and stay
 * open; an answer is worked out once for each module and address.
 *
 * A struct symbols is used by one thread at a time.
 */
#ifndef LEAKSPY_ANALYZER_DEBUG_SYMBOLS_H
#define LEAKSPY_ANALYZER_DEBUG_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symbols;

/* A loaded file, as a recording or /proc/PID/maps describes it. */
struct symbol_module {
    const char *path;        /* NULL or "": no file (memory that was never in one) */
    const uint8_t *build_id; /* may be NULL when build_id_bytes is 0 */
    size_t build_id_bytes;   /* 0: the loaded file had none, or it is not known */
    uint64_t bias;           /* address in memory minus address in the file's own numbering */
    enum symbol_file {
        SYMBOL_FILE_UNSURE, /* what is at `path` may have changed, if there is no build-id */
        SYMBOL_FILE_SAME,   /* the caller knows that it is the loaded file */
        SYMBOL_FILE_OTHER,  /* the caller knows that it is not, or that there is none */
    } at_path;
    bool go_names; /* recorded names are as Go's own compiler spells them */
};

/* What a function is to Go's tracebacks; others are all plain. */
enum symbol_role {
    SYMBOL_PLAIN,
    SYMBOL_WRAPPER, /* made by the compiler: told only where it called a SYMBOL_PANIC */
    SYMBOL_PANIC,
};

/* One function at one place. Strings belong to the struct symbols, live as long as it does, and
 * equal strings are the same pointer. */
struct symbol_frame {
    const char *function; /* demangled; NULL: not known */
    const char *file;     /* with its folder where that is recorded; NULL: not known */
    int line;             /* 0: not known */
    bool inlined;         /* the code of this call stands inside the frame that follows */
    enum symbol_role role;
};

/* Create an empty table of modules. debug_folders: where separate debug files are looked for, as
 * for debug_file_open; NULL: where distributions put them. Returns NULL when there is no memory
 * (errno ENOMEM). */
struct symbols *symbols_create(const char *debug_folders);

/* Close all files and release all strings and frames. NULL is fine. */
void symbols_destroy(struct symbols *symbols);

/* Compare a file with what was recorded of it: that `recorded_function` was at `pc`, which is as
 * for symbols_resolve. A file without a build-id that was built by Go's own compiler, whose table
 * says otherwise, has changed, and is not used any more. To be called before anything is asked of
 * the module. */
void symbols_compare(struct symbols *symbols, const struct symbol_module *module, uint64_t pc,
                     const char *recorded_function);

/* Say what function, file and line `pc` belongs to.
 *
 * module: where `pc` was mapped; may be NULL when it was in no module. It is compared by its
 * contents, so the caller may build it on the stack for every call. pc: a return address as a
 * recording holds it: the call itself is at pc - 1. In the target's numbering. recorded_function:
 * the linker's name in the recording, or NULL; used when the module's file cannot say. ret: an
 * array of frames, innermost first: inlined calls, then the physical function, which has inlined =
 * false. It lives as long as `symbols`.
 *
 * Returns how many frames there are, at least 1; a place that nothing is known of has one frame of
 * NULL, NULL and 0. */
size_t symbols_resolve(struct symbols *symbols, const struct symbol_module *module, uint64_t pc,
                       const char *recorded_function, const struct symbol_frame **ret);

/* Why files and lines of a module are missing, as text to show, or NULL when they should be there:
 * "the file is gone", "the file has changed (build-id differs)", "the file has changed (its
 * functions are others)", "the file is gone, or has changed", "no debug information", "no build-id
 * to compare, the file may have changed", "the file cannot be read". Of a file of Go's own compiler
 * no debug information is missed. Opens the module's file when that has not happened. The text
 * lives as long as the program. */
const char *symbols_module_note(struct symbols *symbols, const struct symbol_module *module);

#endif
