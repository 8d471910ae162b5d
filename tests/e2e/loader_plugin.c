/* A library that deadlocks when it is loaded: it waits for a thread, which waits for the loader. */
#include <dlfcn.h>

#include "tests/e2e/threads.h"

static void *load_another(void *unused)
{
    dlopen("libm.so.6", RTLD_NOW); /* waits here: loader */
    return unused;
}

__attribute__((constructor)) static void load(void)
{
    join_thread(start_thread(load_another, NULL));
}
