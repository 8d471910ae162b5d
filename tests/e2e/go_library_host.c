/* go_library_host LIBRARY...: loads libraries made of go_library.go, and has each start goroutines:
 * 7 the first one, 14 the second. Ends at the end of stdin. */
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    char byte;
    for (int i = 1; i < argc; i++) {
        void *library = dlopen(argv[i], RTLD_NOW);
        void (*start)(int) = NULL;
        if (library)
            *(void **)&start = dlsym(library, "StartGoroutines");
        if (!start) {
            fprintf(stderr, "go_library_host: %s\n", dlerror());
            return 70;
        }
        start(7 * i);
    }
    printf("ready\n");
    fflush(stdout);
    return read(0, &byte, 1) == 0 ? 0 : 70;
}
