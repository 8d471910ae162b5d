/* Threads that free the memory of their own handle, or put something else there, before the call
 * that makes them is back: only the C library has written there. Then they are joined, or end. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/e2e/check.h"
#include "tests/e2e/late_create.h"

enum { PAGE = 4096 };

static void *page;
static pthread_t handle; /* what the page had */

static void go_on(void)
{
    __atomic_store_n(&late_create_may_return, 1, __ATOMIC_RELEASE);
}

static void *unmap(void *arg)
{
    memcpy(&handle, page, sizeof handle);
    CHECK(munmap(page, PAGE) == 0);
    go_on();
    return arg;
}

static void *overwrite(void *arg)
{
    memcpy(&handle, page, sizeof handle);
    memset(page, 0x5a, PAGE);
    go_on();
    return arg;
}

static int c11_unmap(void *arg)
{
    unmap(arg);
    return 3;
}

static void map(void)
{
    page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
}

static void spawn(void *(*start)(void *), bool detached)
{
    pthread_attr_t attributes;
    map();
    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setdetachstate(&attributes, detached) == 0);
    CHECK(pthread_create(page, &attributes, start, NULL) == 0);
    CHECK(detached || pthread_join(handle, NULL) == 0);
}

int main(void)
{
    int result;
    spawn(unmap, true);
    spawn(unmap, false);
    spawn(overwrite, true);
    spawn(overwrite, false);
    map();
    CHECK(thrd_create(page, c11_unmap, NULL) == thrd_success);
    CHECK(thrd_join(handle, &result) == thrd_success && result == 3);
    puts("five threads");
    return 0;
}
