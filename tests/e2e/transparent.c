#include "tests/e2e/transparent.h"

#include <string.h>

char **scenario_argv;

static const struct {
    const char *name;
    int (*run)(void);
} scenarios[] = {
#define SCENARIO(name) {#name, name},
#include "tests/e2e/transparent.def"
};

void sleep_ms(int ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

int main(int argc, char **argv)
{
    scenario_argv = argv + 2;
    for (size_t i = 0; argc >= 2 && i < sizeof scenarios / sizeof *scenarios; i++)
        if (strcmp(scenarios[i].name, argv[1]) == 0)
            return scenarios[i].run();
    fprintf(stderr, "usage: transparent NAME\n");
    return 64;
}
