/* The command line of a process, out of its core. */
#ifndef LEAKSPY_ANALYZER_CORE_WORDS_H
#define LEAKSPY_ANALYZER_CORE_WORDS_H

#include "analyzer/core/file.h"
#include "preload/goscan/reader.h"

/* The words of the command line, NULL-terminated, one allocation each: from the stack that the
 * program began with, else as far as the kernel noted them. NULL: no memory. */
char **core_words(const struct core_file *core, struct mem_reader *memory);

#endif
