/* `leakspy dump` of a recording. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "analyzer/commands.h"
#include "tests/fuzz/fuzz.h"

/* Of main.c and cmd_help.c, which are not part of this program. */
bool command_answer(int option, const char *name)
{
    (void)option, (void)name;
    return false;
}

bool command_bad_option(struct err *err, char **argv, int result)
{
    (void)result;
    return err_set(err, ERR_USAGE, argv[0], "no such option");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static char out[64], name[] = "dump", option[] = "-o";
    char path[64];
    struct err err = {0};
    if (!out[0]) {
        snprintf(out, sizeof(out), "/tmp/leakspy-fuzz-dump.%d", (int)getpid());
    }
    snprintf(path, sizeof(path), "%s", fuzz_file(data, bytes));
    char *argv[] = {name, option, out, path, NULL};
    optind = 0;
    cmd_dump(4, argv, &err);
    FILE *in = fopen(out, "r");
    if (in) {
        char text[4096];
        size_t got;
        while ((got = fread(text, 1, sizeof(text), in)) > 0)
            fuzz_check_text(text, got);
        fclose(in);
        unlink(out);
    }
    return 0;
}
