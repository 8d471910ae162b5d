/* Says its arguments, and after "ready" waits for the end of its stdin; linked statically and
 * dynamically. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        puts(argv[i]);
    fflush(stdout);
    char byte;
    while (argc > 1 && strcmp(argv[argc - 1], "ready") == 0 && read(0, &byte, 1) > 0)
        continue;
    return 17;
}
