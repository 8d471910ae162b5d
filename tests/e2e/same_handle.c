/* `same_handle MODE`: a thread has the handle of a detached one that is gone, whose spawn began
 * after its own, and it has not begun yet when it is joined: by who made it, or (another) by
 * somebody else before the call that makes it is back. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/e2e/check.h"
#include "tests/e2e/held_create.h"
#include "tests/e2e/threads.h"

static pthread_t thread, gone, joiner;
static pid_t gone_tid, joiner_tid;

static void *note_tid(void *tid)
{
    __atomic_store_n((pid_t *)tid, gettid(), __ATOMIC_RELEASE);
    return NULL;
}

static void make_one_that_goes(void)
{
    char path[64];
    pthread_attr_t attributes;
    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0);
    CHECK(pthread_create(&gone, &attributes, note_tid, &gone_tid) == 0);
    while (__atomic_load_n(&gone_tid, __ATOMIC_ACQUIRE) == 0)
        usleep(1000);
    snprintf(path, sizeof path, "/proc/self/task/%d", gone_tid);
    while (access(path, F_OK) == 0)
        usleep(1000);
}

static void *end(void *arg)
{
    return arg;
}

static void let_it_begin(void)
{
    __atomic_store_n(&held_create_holds, false, __ATOMIC_RELEASE);
}

static void *let_it_begin_when_joined(void *main_tid)
{
    wait_until_in_futex(*(pid_t *)main_tid);
    let_it_begin();
    return NULL;
}

static void *join_it(void *arg)
{
    note_tid(&joiner_tid);
    CHECK(pthread_join(thread, NULL) == 0);
    return arg;
}

static void nothing(void)
{
}

static void let_another_join_it(void)
{
    joiner = start_thread(join_it, NULL);
    while (__atomic_load_n(&joiner_tid, __ATOMIC_ACQUIRE) == 0)
        usleep(1000);
    wait_until_in_futex(joiner_tid);
    let_it_begin();
    join_thread(joiner);
}

int main(int argc, char *argv[])
{
    pid_t tid = gettid();
    bool another = argc > 1 && strcmp(argv[1], "another") == 0;
    held_create_before = make_one_that_goes;
    held_create_after = another ? let_another_join_it : nothing;
    CHECK(pthread_create(&thread, NULL, end, NULL) == 0);
    CHECK(pthread_equal(thread, gone));
    if (!another) { /* which is not the one that was made last */
        pthread_t helper = start_thread(let_it_begin_when_joined, &tid);
        CHECK(pthread_join(thread, NULL) == 0);
        join_thread(helper);
    }
    puts("joined");
    return 0;
}
