/* The clocks of CPUs, also of one that has no time for us. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "analyzer/base/clock.h"
#include "analyzer/process/cpu_clocks.h"
#include "tests/unit/analyzer/child.h"

#define NO_CPU 4095
#define BUSY_NS UINT64_C(3000000000)
#define SOON_NS UINT64_C(500000000)

static void lines_of_sched__give_the_last_time(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t last_ns;
    } rows[] = {
        {"app (1, #threads: 1)\n---\nse.exec_start        :      12345.678901\n", 12345678901},
        {"app (1, #threads: 1)\nse.exec_start : 7\n", 7000000},
        {"app (1, #threads: 1)\nse.exec_start : 7.9999999\n", 0},
        {"app (1, #threads: 1)\nse.exec_start\n", 0},
        {"app (1, #threads: 1)\nnr_switches : 12345\n", 0},
        {"se.exec_start:9 (1, #threads: 1)\n---\nse.exec_start : 7\n", 7000000},
        {"\nse.exec_start: (1, #threads: 1)\n---\nse.exec_start : 7\n", 7000000},
        {" (1, #threads: 1)\nse.exec_start : 7\n", 7000000},
        {"123456789abcdef (1, #threads: 1)\nse.exec_start : 7\n", 7000000},
        {"se.exec_start:9 (1, #threads: 1)\n", 0},
        {"se.exec", 0},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(cpu_clocks_last_ns(rows[i].text), rows[i].last_ns);
}

static void clock_of_a_cpu__is_read_once_and_from_where_we_are(void **state)
{
    (void)state;
    cpu_set_t before, after;
    if (access("/proc/self/sched", R_OK) != 0)
        skip(); /* this kernel tells none */
    struct cpu_clocks *clocks = cpu_clocks_create(), *later = cpu_clocks_create();
    assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET((unsigned)cpu, &before))
            continue;
        int64_t now_ns = cpu_clocks_now_ns(clocks, cpu);
        int64_t later_ns = cpu_clocks_now_ns(later, cpu);
        assert_int_equal(cpu_clocks_now_ns(clocks, cpu), now_ns);
        if (now_ns > 0 && later_ns > 0)
            assert_true(later_ns > now_ns);
    }
    assert_int_equal(cpu_clocks_now_ns(clocks, NO_CPU), -1);
    assert_int_equal(cpu_clocks_now_ns(clocks, NO_CPU + 1), -1);
    assert_int_equal(cpu_clocks_now_ns(clocks, -1), -1);
    assert_int_equal(sched_getaffinity(0, sizeof(after), &after), 0);
    assert_true(CPU_EQUAL(&before, &after));
    cpu_clocks_destroy(clocks);
    cpu_clocks_destroy(later);
}

static int busy_cpu;

/* Takes a CPU for itself, as far as it may. */
static void run_on_alone(void)
{
    const struct sched_param urgent = {.sched_priority = 1};
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((unsigned)busy_cpu, &set);
    shared->error =
        sched_setaffinity(0, sizeof(set), &set) || sched_setscheduler(0, SCHED_FIFO, &urgent);
    child_ready();
    uint64_t until_ns = clock_ns(CLOCK_MONOTONIC) + BUSY_NS;
    while (!shared->error && clock_ns(CLOCK_MONOTONIC) < until_ns)
        continue;
    for (;;)
        pause();
}

/* The last of the CPUs that we may run on is for it, and another one for us. False: there is only
 * one. */
static bool make_room(const cpu_set_t *all)
{
    cpu_set_t own;
    int other = -1;
    busy_cpu = -1;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET((unsigned)cpu, all))
            continue;
        other = busy_cpu;
        busy_cpu = cpu;
    }
    CPU_ZERO(&own);
    if (other >= 0)
        CPU_SET((unsigned)other, &own);
    return other >= 0 && sched_setaffinity(0, sizeof(own), &own) == 0;
}

/* Who waits for such a CPU does so for ever, or, where the kernel leaves others a twentieth of its
 * time, for most of a second. */
static void cpu_that_has_no_time__is_not_waited_for(void **state)
{
    (void)state;
    cpu_set_t all;
    assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
    if (!make_room(&all))
        skip();
    pid_t pid = child_start(run_on_alone);
    bool is_busy = shared->error == 0;
    assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0); /* as a command may run there */
    uint64_t longest_ns = 0;
    for (int i = 0; is_busy && i < 3; i++) {
        struct cpu_clocks *clocks = cpu_clocks_create();
        uint64_t began_ns = clock_ns(CLOCK_MONOTONIC);
        cpu_clocks_now_ns(clocks, busy_cpu);
        uint64_t took_ns = clock_ns(CLOCK_MONOTONIC) - began_ns;
        longest_ns = took_ns > longest_ns ? took_ns : longest_ns;
        cpu_clocks_destroy(clocks);
    }
    child_end(pid);
    if (!is_busy)
        skip(); /* that is not allowed */
    assert_true(longest_ns < SOON_NS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_sched__give_the_last_time),
        cmocka_unit_test(clock_of_a_cpu__is_read_once_and_from_where_we_are),
        cmocka_unit_test(cpu_that_has_no_time__is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
