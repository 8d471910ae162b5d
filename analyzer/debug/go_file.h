/* A file that Go's own compiler (gc) built: what stands at an address of its Go code, from the
 * table that the program keeps for its own tracebacks (see preload/goscan/pclntab.h). Needs neither
 * sections nor symbols nor debug information: `go build -ldflags="-s -w"` and strip(1) leave that
 * table. Files are not trusted. Addresses are in the file's own numbering.
 *
 * Layouts: System V ABI (segments, relocations), src/debug/buildinfo/buildinfo.go,
 * src/runtime/symtab.go (moduledata) of Go 1.18 to 1.27. Used by one thread at a time.
 */
#ifndef LEAKSPY_ANALYZER_DEBUG_GO_FILE_H
#define LEAKSPY_ANALYZER_DEBUG_GO_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/goscan/pclntab.h"

struct go_file;

/* Opens a regular file. NULL: it is not to be read, not for 64 bits, no Go program or library, one
 * from before Go 1.18, or there is no memory. Files that are not Go's cost a few reads. */
struct go_file *go_file_open(const char *path);

/* NULL is fine. */
void go_file_close(struct go_file *file);

/* The calls at the address of an instruction (return address - 1), innermost first, as
 * pclntab_calls tells them. 0: the address is not in Go code. */
size_t go_file_calls(struct go_file *file, uint64_t address,
                     struct pclntab_call calls[PCLNTAB_MAX_INLINED]);

/* Whether the function at the address has another name, by the table. False: it has that name, or
 * there is none of Go's. */
bool go_file_contradicts(const struct go_file *file, uint64_t address, const char *name);

/* The table, as long as the file is open. */
const struct pclntab *go_file_table(const struct go_file *file);

/* The version that built it: "go1.24.3", as it is written there; "": not known. */
const char *go_file_version(const struct go_file *file);

#endif
