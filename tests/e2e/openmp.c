/* A region of OpenMP with three threads: `openmp hung`, of which one waits for what never comes, or
 * `openmp idle`, which is over. Says "ready" before or after it, and ends with stdin. */
#include <omp.h>
#include <string.h>
#include <unistd.h>

#include "samples/sample.h"
#include "tests/e2e/check.h"

int main(int argc, char **argv)
{
    int ends[2];
    char byte;
    CHECK(argc == 2 && pipe(ends) == 0);
    bool hangs = strcmp(argv[1], "hung") == 0;
    if (hangs)
        sample_ready();
#pragma omp parallel num_threads(3)
    {
        /* Not 0, which began it, and waits for the others. */
        if (hangs && omp_get_thread_num() == 1)
            CHECK(read(ends[0], &byte, 1) == 1);
    }
    if (!hangs)
        sample_ready();
    sample_hold();
    return 0;
}
