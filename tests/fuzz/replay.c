/* Runs a fuzz target over files that are kept: TARGET FILE... With no file it fails. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"

int main(int argc, char **argv)
{
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        FILE *in = fopen(argv[i], "rb");
        if (!in || fseek(in, 0, SEEK_END) != 0) {
            perror(argv[i]);
            return 1;
        }
        size_t bytes = (size_t)ftell(in);
        rewind(in);
        uint8_t *data = malloc(bytes + 1);
        if (!data || fread(data, 1, bytes, in) != bytes)
            return 1;
        fclose(in);
        LLVMFuzzerTestOneInput(data, bytes);
        free(data);
    }
    printf("%d inputs\n", argc - 1);
    return argc > 1 ? 0 : 1;
}
