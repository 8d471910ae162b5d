/* Opens a plugin that leaves a task parked in libtaskrt, closes it, and lets a while pass; twice.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/e2e/check.h"

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    for (int i = 0; i < 2; i++) {
        void *plugin = dlopen(argv[1], RTLD_NOW);
        CHECK(plugin != NULL);
        int (*leave_a_task)(void) = (int (*)(void))dlsym(plugin, "leave_a_task");
        CHECK(leave_a_task != NULL && leave_a_task() == 0);
        CHECK(dlclose(plugin) == 0);
        usleep(200000); /* for the sampler to look at what is left */
    }
    puts("closed twice");
    return 0;
}
