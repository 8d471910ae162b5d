/* `limits_modules LIBRARY NUMBER`: loads as many copies of the library, all of which stay, and
 * starts a thread from within each. */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/e2e/check.h"

static void *do_nothing(void *arg)
{
    return arg;
}

static int spawn(void)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, do_nothing, NULL) == 0);
    return pthread_join(thread, NULL);
}

/* Of a name of its own: the loader would know the same file again. */
static void load_copy(const char *bytes, size_t count)
{
    char path[] = "/tmp/leakspy-module.XXXXXX";
    int fd = mkstemp(path);
    CHECK(fd >= 0 && write(fd, bytes, count) == (ssize_t)count && close(fd) == 0);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    CHECK(unlink(path) == 0 && library);
    int (*call)(int (*)(void)) = (int (*)(int (*)(void)))dlsym(library, "module_call");
    CHECK(call && call(spawn) == 1);
}

int main(int argc, char **argv)
{
    static char bytes[1 << 20];
    CHECK(argc == 3);
    int fd = open(argv[1], O_RDONLY);
    ssize_t count = read(fd, bytes, sizeof bytes);
    CHECK(fd >= 0 && count > 0 && count < (ssize_t)sizeof bytes);
    close(fd);
    for (int i = 0; i < atoi(argv[2]); i++)
        load_copy(bytes, (size_t)count);
    puts("done");
    return 0;
}
