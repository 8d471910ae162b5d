/* Loads argv[1], a library with goroutines, and waits for the end of stdin. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc != 2 || dlopen(argv[1], RTLD_NOW) == NULL) {
        fprintf(stderr, "libgo_late: %s\n", argc == 2 ? dlerror() : "usage: libgo_late LIBRARY");
        return 1;
    }
    puts("ready");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    return 0;
}
