/* `limits_modules LIBRARY NUMBER`: loads as many copies of the library, all of which stay, and
 * starts a thread from within each. `limits_modules LIBRARY NUMBER storm`: four threads load and
 * unload copies, as often together. */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/e2e/check.h"
#include "tests/e2e/threads.h"

enum { STORMERS = 4 };

static void *do_nothing(void *arg)
{
    return arg;
}

static int spawn(void)
{
    return pthread_join(start_thread(do_nothing, NULL), NULL);
}

static char bytes[1 << 20]; /* the library */
static size_t count;

/* Of a name of its own: the loader would know the same file again. */
static void *load_copy(void)
{
    char path[] = "/tmp/leakspy-module.XXXXXX";
    int fd = mkstemp(path);
    CHECK(fd >= 0 && write(fd, bytes, count) == (ssize_t)count && close(fd) == 0);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    CHECK(unlink(path) == 0 && library);
    int (*call)(int (*)(void)) = (int (*)(int (*)(void)))dlsym(library, "module_call");
    CHECK(call && call(spawn) == 1);
    return library;
}

static void *come_and_go(void *number)
{
    for (int i = 0; i < *(int *)number / STORMERS; i++)
        CHECK(dlclose(load_copy()) == 0);
    return NULL;
}

static void storm(int number)
{
    pthread_t threads[STORMERS];
    for (int i = 0; i < STORMERS; i++)
        threads[i] = start_thread(come_and_go, &number);
    for (int i = 0; i < STORMERS; i++)
        join_thread(threads[i]);
}

int main(int argc, char **argv)
{
    CHECK(argc == 3 || argc == 4);
    int fd = open(argv[1], O_RDONLY);
    ssize_t read_bytes = read(fd, bytes, sizeof bytes);
    CHECK(fd >= 0 && read_bytes > 0 && read_bytes < (ssize_t)sizeof bytes);
    close(fd);
    count = (size_t)read_bytes;
    if (argc == 4)
        storm(atoi(argv[2]));
    for (int i = 0; argc == 3 && i < atoi(argv[2]); i++)
        load_copy();
    puts("done");
    return 0;
}
