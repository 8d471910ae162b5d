/* Stacks are stored once: by one thread, and by many that come with the same ones. */
#include <pthread.h>
#include <string.h>

#include "preload/sites.h"
#include "tests/unit/preload/recording_here.h"

static const uint64_t stack[] = {0x401000, 0x402000, 0x403000};

static void stack__stored_again__is_the_same_site(void **state)
{
    (void)state;
    uint32_t site = site_store(stack, 3, 0);
    assert_int_equal(site, 1);
    assert_int_equal(site_store(stack, 3, 0), site);
    assert_int_equal(recorder.sites[site].pc_count, 3);
    assert_int_equal(recorder.sites[site].flags, 0);
    assert_int_equal(recorder.sites[site].epoch, 1);
    assert_memory_equal(&recorder.pcs[recorder.sites[site].first_pc], stack, sizeof(stack));
    assert_int_equal(recorder.header->tables[REC_TABLE_SITES - 1].count, 2);
}

static void stacks__that_differ_in_anything__are_sites_of_their_own(void **state)
{
    static const uint64_t other[] = {0x401000, 0x402000, 0x403001};
    (void)state;
    assert_int_equal(site_store(stack, 3, 0), 1);
    assert_int_equal(site_store(stack, 2, 0), 2);
    assert_int_equal(site_store(other, 3, 0), 3);
    assert_int_equal(site_store(stack, 3, REC_SITE_CUT), 4);
    assert_int_equal(recorder.sites[4].flags, REC_SITE_CUT);
    recorder.header->epoch = 2; /* other modules may be at the same addresses now */
    assert_int_equal(site_store(stack, 3, 0), 5);
    assert_int_equal(recorder.sites[5].epoch, 2);
}

static void empty_stack__stored__is_no_site(void **state)
{
    (void)state;
    assert_int_equal(site_store(stack, 0, 0), 0);
    assert_int_equal(recorder.header->lost_sites, 0);
}

static void new_recording__stored_into__knows_no_site_of_the_old(void **state)
{
    (void)state;
    assert_int_equal(site_store(stack, 3, 0), 1);
    here_close(NULL);
    assert_int_equal(here_open(NULL), 0);
    assert_int_equal(recorder.header->tables[REC_TABLE_SITES - 1].count, 1);
    assert_int_equal(site_store(stack, 2, 0), 1);
    assert_int_equal(site_store(stack, 3, 0), 2);
}

static void full_table__stored_into__counts_the_loss(void **state)
{
    struct rec_table *table = &recorder.header->tables[REC_TABLE_SITES - 1];
    (void)state;
    assert_int_equal(site_store(stack, 3, 0), 1);
    assert_int_not_equal(recorder_take(REC_TABLE_SITES, table->capacity - table->count), 0);
    assert_int_equal(site_store(stack, 2, 0), 0);
    assert_int_equal(recorder.header->lost_sites, 1);
    assert_int_equal(site_store(stack, 3, 0), 1); /* what is there is still found */
    assert_int_equal(recorder.header->lost_sites, 1);
}

/* Eight threads bring the same stacks, each in another order. */
enum { THREADS = 8, STACKS = 2000 };
static uint32_t answers[THREADS][STACKS];
static pthread_barrier_t start;

static void *store_all(void *arg)
{
    uint32_t *answer = arg;
    uint32_t first = (uint32_t)((uint32_t(*)[STACKS])arg - answers) * 37;
    pthread_barrier_wait(&start);
    for (uint32_t i = 0; i < STACKS; i++) {
        uint32_t number = (i + first) % STACKS;
        uint64_t pcs[5] = {0x1000 + number / 100, number, number * 3, 4, 5};
        answer[number] = site_store(pcs, 2 + number % 4, 0);
    }
    return NULL;
}

static void stacks__stored_by_many_threads__are_one_site_each(void **state)
{
    pthread_t threads[THREADS];
    (void)state;
    pthread_barrier_init(&start, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, store_all, answers[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&start);
    for (uint32_t i = 0; i < STACKS; i++) {
        const struct rec_site *site = &recorder.sites[answers[0][i]];
        assert_int_not_equal(answers[0][i], 0);
        assert_int_equal(recorder.pcs[site->first_pc + 1], i);
        assert_int_equal(site->pc_count, 2 + i % 4);
        for (int j = 1; j < THREADS; j++)
            assert_int_equal(answers[j][i], answers[0][i]);
    }
    assert_int_equal(recorder.header->lost_sites, 0);
}

#define WITH_RECORDING(test) cmocka_unit_test_setup_teardown(test, here_open, here_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RECORDING(stack__stored_again__is_the_same_site),
        WITH_RECORDING(stacks__that_differ_in_anything__are_sites_of_their_own),
        WITH_RECORDING(empty_stack__stored__is_no_site),
        WITH_RECORDING(new_recording__stored_into__knows_no_site_of_the_old),
        WITH_RECORDING(full_table__stored_into__counts_the_loss),
        WITH_RECORDING(stacks__stored_by_many_threads__are_one_site_each),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
