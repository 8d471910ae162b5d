/* Which files are those that a core's process had loaded. */
#ifndef LEAKSPY_ANALYZER_CORE_MODULES_H
#define LEAKSPY_ANALYZER_CORE_MODULES_H

#include "analyzer/base/err.h"
#include "analyzer/core/memory.h"
#include "analyzer/image/image.h"

struct core_module_file {
    uint64_t start;
    const char *path; /* of the image's texts */
    bool is_exe;
};

/* Looks for the file of each ELF file that the core's process had mapped, and lays it under the
 * core's memory where its build-id is that of the core, or where there is none to compare and it is
 * older than the core. exe: the file of the executable, by --exe; NULL: none. What is missing is
 * noted. *ret_files: a table (to be freed) of the files, by start of the module, ends with path
 * NULL. Errors: --exe names no such file, or one of another build; no memory. */
bool core_find_files(struct image *image, struct core_file *core, struct core_memory *memory,
                     const char *exe, struct core_module_file **ret_files, struct err *err);

#endif
