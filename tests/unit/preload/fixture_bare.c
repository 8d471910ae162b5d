/* A library that makes a system call by itself. FIXTURE_GO: and looks like one of Go's compiler. */
#include "tests/e2e/bare_read.h"

long fixture_read(int fd, void *to, size_t bytes);

#ifdef FIXTURE_GO
extern char fixture_build_info[32];
/* As Go's linker writes it: how many bytes a pointer has, and that the text follows. */
__attribute__((aligned(16))) char fixture_build_info[32] = "\xff Go buildinf:\x08\x02";
#endif

long fixture_read(int fd, void *to, size_t bytes)
{
    return bare_read(fd, to, bytes);
}
