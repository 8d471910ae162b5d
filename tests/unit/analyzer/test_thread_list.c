/* Descriptors of threads, and the list that glibc has of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzer/inspect/thread_list.h"
#include "analyzer/inspect/thread_locks.h"
#include "tests/unit/analyzer/memory_here.h"

/* A descriptor is found by what it says of itself; the offset is that of our own id in it. */
static void descriptor__find__is_pthread_self(void **state)
{
    (void)state;
    uint64_t self = (uint64_t)pthread_self();
    uint32_t tid = (uint32_t)gettid();
    struct thread_layout layout = {0};
    unsigned char memory[2048];
    assert_true(thread_is_descriptor(self, &here_memory));
    assert_false(thread_is_descriptor(self + 16, &here_memory));
    assert_false(thread_is_descriptor(16, &here_memory));
    memcpy(memory, (const void *)self, sizeof(memory) / 2);
    for (uint32_t at = 64; at < sizeof(memory) / 2 && layout.tid == 0; at += 4) {
        if (memcmp(memory + at, &tid, sizeof(tid)) == 0)
            layout.tid = at;
    }
    assert_int_not_equal(layout.tid, 0);
    memset(memory, 0x5a, sizeof(memory));
    memcpy(memory + 512, (const void *)self, 1024);
    assert_int_equal(thread_find_descriptor(&layout, memory, self - 512, sizeof(memory), tid),
                     self);
    assert_int_equal(thread_find_descriptor(&layout, memory, self - 512, sizeof(memory), tid + 1),
                     0);
    assert_int_equal(thread_find_descriptor(&layout, memory, self - 500, sizeof(memory), tid), 0);
    assert_int_equal(thread_find_descriptor(&layout, memory, self - 512, 600, tid), 0);
    assert_int_equal(thread_find_descriptor(&layout, memory, self - 512, 0, tid), 0);
}

/* The offset of the id is what the process says: it may be lower than that of the pointers. */
static void descriptor__find__reads_nothing_behind_the_memory(void **state)
{
    (void)state;
    const struct thread_layout layout = {.tid = 8};
    const uint64_t address = 64 * HERE_FIRST_PAGE;
    const uint32_t tid = 77;
    const uint64_t descriptor[] = {address, tid, address};
    assert_int_equal(thread_find_descriptor(&layout, descriptor, address, sizeof(descriptor), tid),
                     address);
    for (size_t bytes = 0; bytes < sizeof(descriptor); bytes++)
        assert_int_equal(thread_find_descriptor(&layout, descriptor, address, bytes, tid), 0);
}

struct link {
    struct link *next, *previous;
};

/* A descriptor as thread_list.c sees it. */
struct descriptor {
    _Alignas(64) uint64_t self;
    uint64_t vector, self_again;
    uint64_t start_routine;
    struct link link;
    uint32_t tid;
    int state;
};

static const struct thread_list_layout *layout_of(const struct link *head)
{
    static struct thread_list_layout layout;
    layout = (struct thread_list_layout){
        .heads = {(uint64_t)head},
        .list = offsetof(struct descriptor, link),
        .tid = offsetof(struct descriptor, tid),
        .cancelhandling = offsetof(struct descriptor, state),
        .start_routine = offsetof(struct descriptor, start_routine),
    };
    return &layout;
}

static void threads_on_the_list__read__are_those_that_began(void **state)
{
    (void)state;
    static struct descriptor threads[3];
    struct link head = {&threads[0].link, &threads[2].link};
    for (size_t i = 0; i < 3; i++) {
        threads[i].self = threads[i].self_again = (uint64_t)&threads[i];
        threads[i].start_routine = 100 + i;
        threads[i].link.next = i < 2 ? &threads[i + 1].link : &head;
    }
    threads[0].tid = 77;
    threads[1].state = 0;    /* being made */
    threads[2].state = 0x10; /* has ended */
    struct listed_thread *list;
    assert_int_equal(thread_list_read(layout_of(&head), &here_memory, &list), 2);
    assert_int_equal(list[0].descriptor, (uint64_t)&threads[0]);
    assert_int_equal(list[0].tid, 77);
    assert_int_equal(list[1].descriptor, (uint64_t)&threads[2]);
    assert_int_equal(list[1].tid, 0);
    assert_int_equal(list[1].start_routine, 102);
    free(list);

    threads[1].self_again++; /* no descriptor: the list is changing, or it is none */
    assert_int_equal(thread_list_read(layout_of(&head), &here_memory, &list), 0);
    assert_null(list);
    threads[1].self_again--;
    threads[1].link.next = (struct link *)16;
    assert_int_equal(thread_list_read(layout_of(&head), &here_memory, &list), 0);
    assert_null(list);
    threads[1].link.next = &threads[0].link; /* round and round */
    assert_int_equal(thread_list_read(layout_of(&head), &here_memory, &list), 0);
    assert_null(list);
    assert_int_equal(thread_list_read(layout_of(NULL), &here_memory, &list), 0);
    assert_null(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptor__find__is_pthread_self),
        cmocka_unit_test(descriptor__find__reads_nothing_behind_the_memory),
        cmocka_unit_test(threads_on_the_list__read__are_those_that_began),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
