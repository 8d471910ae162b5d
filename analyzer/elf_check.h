/* Whether a program will load a preloaded library: looked at before it is started. */
#ifndef LEAKSPY_ANALYZER_ELF_CHECK_H
#define LEAKSPY_ANALYZER_ELF_CHECK_H

#include <stddef.h>

enum elf_answer {
    ELF_RECORDS,        /* nothing speaks against it */
    ELF_RECORDS_PARTLY, /* it loads the library, but parks in ways that cannot be intercepted */
    ELF_RECORDS_SHELL,  /* it is no program: the shell runs it, and loads the library */
    ELF_RECORDS_FROM_OUTSIDE, /* it loads no library, but its goroutines can be looked at */
    ELF_CANNOT_RECORD,
    ELF_NOT_A_PROGRAM, /* it cannot be read or executed: exec will say why */
};

/* Looks at the file at `path` (scripts: at their interpreters). `why` is told in words, a clause
 * ("it is statically linked"), unless the answer is ELF_RECORDS. */
enum elf_answer elf_check(const char *path, char *why, size_t why_bytes);

/* The path that execvp would execute for `name`: NULL when there is none; to be freed. Of several
 * hits that are not executable, the first. */
char *elf_find_program(const char *name);

#endif
