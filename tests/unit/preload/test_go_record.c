/* From goroutines, here made by hand, to rows of the recording. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "preload/blocked.h"
#include "preload/go_locks.h"
#include "preload/go_record.h"
#include "preload/go_table.h"
#include "preload/goscan/g.h"
#include "preload/goscan/scan.h"
#include "tests/unit/preload/goroutines_here.h"
#include "tests/unit/preload/recording_here.h"

static uint32_t live_tasks(void)
{
    uint32_t live = 0;
    for (uint32_t row = 1; row < recorder.header->tables[REC_TABLE_TASKS - 1].count; row++)
        live += recorder.tasks[row].state == REC_TASK_LIVE;
    return live;
}

static void assert_site(uint32_t row, const uint64_t *pcs, uint16_t count)
{
    assert_int_not_equal(row, 0);
    assert_int_equal(recorder.sites[row].pc_count, count);
    assert_memory_equal(&recorder.pcs[recorder.sites[row].first_pc], pcs, count * sizeof(*pcs));
}

static void recording__of_go__says_so(void **state)
{
    (void)state;
    assert_true(recorder.header->runtimes & REC_RUNTIME_GO);
    assert_string_equal(recorder.strings + recorder.header->go_version, "go1.24.3");
}

static void parked_goroutine__seen__is_a_task_with_its_wait(void **state)
{
    (void)state;
    struct go_goroutine it = here_parked(42, SEND);
    here_look_at(&it, 1);
    const struct rec_task *task = here_only_task();
    assert_int_equal(task->kind, REC_KIND_GOROUTINE);
    assert_int_equal(task->flags, REC_TASK_SCANNED);
    assert_int_equal(task->handle, it.g);
    assert_int_equal(task->runtime_id, 42);
    assert_int_equal(task->spawner, 1);
    assert_int_not_equal(task->gen, 0);
    assert_int_equal(task->gen, task->seq);
    assert_int_equal(task->seen_gen, task->gen);
    assert_int_equal(task->since_ns, here_now_ns);
    assert_int_equal(task->object, 0xc000700000);
    assert_int_equal(task->wait_flags, 0);
    assert_int_equal(task->detail_flags, REC_DETAIL_CHANNEL);
    assert_int_equal(task->detail_a, 7);
    assert_int_equal(task->detail_b, 3);
    const struct rec_call *call = &recorder.calls[task->call];
    assert_string_equal(recorder.strings + call->name, "chan send");
    assert_int_equal(call->op, REC_OP_CHAN_SEND);
    assert_int_equal(call->flags, REC_CALL_REASON);
    assert_site(task->wait_site, here_stack.pcs, 3);
    assert_site(task->spawn_site, &it.created_pc, 1);
    assert_int_equal(recorder.sites[task->spawn_site].flags, REC_SITE_CUT);
}

static void creators_stack__kept_by_the_runtime__is_the_spawn_stack(void **state)
{
    const uint64_t kept[] = {0x4004, 0x5005, 0x6006, 0x7007};
    (void)state;
    struct go_goroutine it = here_parked(42, SEND);
    it.ancestor_pcs = kept;
    it.ancestor_count = 4;
    here_look_at(&it, 1);
    assert_site(here_only_task()->spawn_site, kept + 1, 3);
    assert_int_equal(recorder.sites[here_only_task()->spawn_site].flags, 0);
}

static void wait__that_lasts__keeps_its_number_and_its_age(void **state)
{
    (void)state;
    struct go_goroutine it = here_parked(42, SEND);
    here_look_at(&it, 1);
    struct rec_task *task = here_only_task();
    uint32_t gen = task->gen;
    uint64_t since_ns = task->since_ns;
    it.waiting_since = (int64_t)here_now_ns + 1; /* the collector has seen it, later than we */
    it.channel.length = 4;
    it.channel.closed = true;
    here_look_at(&it, 1);
    assert_int_equal(task->gen, gen);
    assert_int_equal(task->seen_gen, gen);
    assert_int_equal(task->since_ns, since_ns);
    assert_int_equal(task->detail_b, 4);
    assert_int_equal(task->detail_flags, REC_DETAIL_CHANNEL | REC_DETAIL_CLOSED);
    assert_int_equal(recorder.header->spawned, 1);
}

/* What differs between two looks at a goroutine that has run in between. */
static void wait_for_another_object(struct go_goroutine *it)
{
    it->object = it->channel.address = 0xc000800000;
}
static void wait_elsewhere(struct go_goroutine *it)
{
    static struct go_stack other;
    other = here_stack;
    other.pcs[1]++;
    it->stack = &other;
}
static void wait_for_something_else(struct go_goroutine *it)
{
    it->reason = SLEEP;
    it->op = REC_OP_SLEEP;
}
static void wait_since_later(struct go_goroutine *it)
{
    it->waiting_since += 10;
}

static void wait__of_one_that_ran_meanwhile__is_a_new_one(void **state)
{
    static void (*const changes[])(struct go_goroutine *) = {
        here_run_again,          wait_for_another_object, wait_elsewhere,
        wait_for_something_else, wait_since_later,
    };
    (void)state;
    for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
        struct go_goroutine it = here_parked(42, SEND);
        it.waiting_since = 5;
        it.wait_number += (uint32_t)i << 16;
        here_look_at(&it, 1);
        struct rec_task *task = here_only_task();
        uint32_t gen = task->gen;
        changes[i](&it);
        here_look_at(&it, 1);
        assert_ptr_equal(here_only_task(), task);
        assert_int_not_equal(task->gen, gen);
        assert_int_equal(task->seen_gen, task->gen);
    }
    assert_int_equal(recorder.header->spawned, 1);
}

/* One of 256 that ran has the number that it had. */
static void wait__with_the_number_of_another__is_told_by_its_channels(void **state)
{
    struct go_case cases[] = {{.channel = {.address = 0xa0}}, {.channel = {.address = 0xb0}}};
    (void)state;
    for (int reason = SEND; reason <= SELECT; reason++) {
        struct go_goroutine it = here_parked(42 + (uint64_t)reason, (uint16_t)reason);
        it.cases = cases;
        it.case_count = it.cases_given = reason == SELECT ? 2 : 0;
        if (reason == SELECT)
            it.object = 0;
        here_look_at(&it, 1);
        uint32_t seq = here_only_task()->seq;
        it.stack = NULL; /* nobody wanted it again */
        here_look_at(&it, 1);
        assert_int_equal(here_only_task()->seq, seq);
        it.channel.address = 0xc000800000;
        cases[1].channel.address++;
        here_look_at(&it, 1);
        assert_int_equal(here_only_task()->seq, seq + 1);
        it.stack = &here_stack;
        assert_true(here_scan.wants_stack(&it, NULL));
    }
}

/* Between two looks it may have run, and nothing would tell. */
static void wait__of_a_coroutine__has_no_age(void **state)
{
    (void)state;
    struct go_goroutine it = here_parked(42, COROUTINE);
    it.wait_number = 0;
    here_look_at(&it, 1);
    uint32_t gen = here_only_task()->gen;
    assert_int_not_equal(gen, 0);
    assert_int_equal(here_only_task()->since_ns, 0);
    assert_true(here_scan.wants_stack(&it, NULL));
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->gen, gen + 1);
    assert_int_equal(here_only_task()->since_ns, 0);
}

/* A thread that reads byte after byte, until there is none left. */
static struct byte_reader {
    pthread_t thread;
    int pipe[2];
    uint32_t tid;
} bytes_read;

static void *read_bytes(void *unused)
{
    char byte;
    (void)unused;
    __atomic_store_n(&bytes_read.tid, (uint32_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
    while (read(bytes_read.pipe[0], &byte, 1) == 1)
        ;
    return NULL;
}

/* Waits until it is in its call once more. */
static void await_reader(uint32_t sleeps_before)
{
    struct blocked_call call = {.running = true};
    uint32_t tid;
    while ((tid = __atomic_load_n(&bytes_read.tid, __ATOMIC_ACQUIRE)) == 0 ||
           blocked_sleeps(OWN_PROCESS, tid) == sleeps_before ||
           !blocked_call(OWN_PROCESS, tid, &call) || call.running || call.number != SYS_read)
        usleep(1000);
}

static struct go_goroutine in_system_call(uint64_t id)
{
    struct go_goroutine it = here_parked(id, SEND);
    it.parked = false;
    it.status = 3;
    it.os_tid = bytes_read.tid;
    return it;
}

static void start_reader(void)
{
    bytes_read = (struct byte_reader){0};
    assert_int_equal(pipe(bytes_read.pipe), 0);
    assert_int_equal(pthread_create(&bytes_read.thread, NULL, read_bytes, NULL), 0);
    await_reader(0);
}

static void end_reader(void)
{
    close(bytes_read.pipe[1]);
    pthread_join(bytes_read.thread, NULL);
    close(bytes_read.pipe[0]);
}

/* Its number as the runtime has it does not tell (Go 1.27). */
static void system_call__made_again_and_again__is_a_new_wait(void **state)
{
    (void)state;
    start_reader();
    here_scan.minor = 27;
    struct go_goroutine it = in_system_call(42);
    here_look_at(&it, 1);
    uint32_t gen = here_only_task()->gen;
    assert_int_not_equal(gen, 0);
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->gen, gen);
    uint32_t sleeps = blocked_sleeps(OWN_PROCESS, bytes_read.tid);
    assert_int_equal(write(bytes_read.pipe[1], "", 1), 1);
    await_reader(sleeps);
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->gen, gen + 1);
    assert_int_equal(here_only_task()->since_ns, here_now_ns);
    end_reader();
}

static uint32_t told_waits(void)
{
    uint32_t told = 0;
    for (uint32_t row = 1; row < recorder.header->tables[REC_TABLE_TASKS - 1].count; row++)
        told += recorder.tasks[row].gen == 1;
    return told;
}

/* A look asks the kernel about 256 threads, the next one about others. */
static void system_calls__of_many__are_told_in_turns_and_stay(void **state)
{
    static struct go_goroutine all[600];
    (void)state;
    start_reader();
    for (uint64_t i = 0; i < 600; i++)
        all[i] = in_system_call(i + 1);
    static const uint32_t told[] = {256, 512, 600, 600, 600};
    for (size_t i = 0; i < sizeof(told) / sizeof(*told); i++) {
        here_look_at(all, 600);
        assert_int_equal(told_waits(), told[i]);
    }
    here_run_again(&all[0]); /* it is the turn of the last ones */
    here_look_at(all, 600);
    assert_int_equal(told_waits(), 599);
    end_reader();
}

static void stack__is_wanted_only_of_waits_that_are_new(void **state)
{
    (void)state;
    struct go_goroutine it = here_parked(42, MUTEX);
    assert_true(here_scan.wants_stack(&it, NULL));
    here_look_at(&it, 1);
    assert_false(here_scan.wants_stack(&it, NULL));
    uint32_t gen = here_only_task()->gen;
    it.stack = NULL; /* and what it tells: which lock that is */
    it.object = 0;
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->gen, gen);
    assert_int_equal(here_only_task()->object, 0xc000700000);
    here_run_again(&it);
    assert_true(here_scan.wants_stack(&it, NULL));
    it.id = 43;
    assert_true(here_scan.wants_stack(&it, NULL));
}

static void collectors_clock__earlier_than_our_look__is_the_beginning(void **state)
{
    (void)state;
    struct go_goroutine it = here_parked(42, SEND);
    it.waiting_since = (int64_t)here_now_ns - 5;
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->since_ns, it.waiting_since);
}

static void stack__that_cannot_be_read__is_counted_once(void **state)
{
    (void)state;
    struct go_goroutine it = here_parked(42, SEND);
    it.stack = NULL;
    here_look_at(&it, 1);
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->wait_site, 0);
    assert_true(here_only_task()->detail_flags & REC_DETAIL_NO_STACK);
    assert_int_equal(recorder.header->lost_stacks, 1);
}

static void goroutine__that_runs__has_no_wait(void **state)
{
    (void)state;
    struct go_goroutine it = here_parked(42, SEND);
    here_look_at(&it, 1);
    it.parked = false;
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->gen, 0);
    it.parked = it.moved = true; /* it never stood still: what was read of it means nothing */
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->gen, 0);
}

static void goroutine__not_found_any_more__has_ended(void **state)
{
    (void)state;
    struct go_goroutine all[] = {here_parked(1, SEND), here_parked(2, SEND), here_parked(3, SEND)};
    here_look_at(all, 3);
    assert_int_equal(live_tasks(), 3);
    here_look_at(all, 2);
    assert_int_equal(live_tasks(), 2);
    assert_int_equal(recorder.header->spawned, 3);
    assert_int_equal(recorder.header->finished, 1);
    all[2] = here_parked(4, SEND);
    here_look_at(all, 3); /* takes the slot of the one that ended */
    assert_int_equal(recorder.header->tables[REC_TABLE_TASKS - 1].count, 4);
    assert_int_equal(recorder.tasks[3].runtime_id, 4);
}

static void look__that_was_not_whole__ends_nobody(void **state)
{
    (void)state;
    struct go_goroutine all[] = {here_parked(1, SEND), here_parked(2, SEND)};
    here_look_at(all, 2);
    here_totals.unreadable = 1;
    here_look_at(all, 1);
    assert_int_equal(live_tasks(), 2);
    assert_int_equal(recorder.header->unreadable_tasks, 1);
    here_totals.unreadable = 0;
    go_record_begin(here_now_ns);
    go_record_end(&here_scan, GO_UNREADABLE, &here_totals);
    assert_int_equal(live_tasks(), 2);
    assert_int_equal(recorder.header->unreadable_tasks, 0);
}

/* While a runtime starts, something else may be taken for its list. */
static void list__without_one_goroutine__is_to_be_looked_for_again(void **state)
{
    (void)state;
    go_record_begin(here_now_ns += 1000000);
    here_totals.unreadable = 6;
    assert_int_equal(go_record_end(&here_scan, GO_OK, &here_totals), GO_NOT_FOUND);
    here_totals.seen = 1;
    assert_int_equal(go_record_end(&here_scan, GO_OK, &here_totals), GO_OK);
    assert_int_equal(recorder.header->unreadable_tasks, 6);
    here_totals.seen = here_totals.unreadable = 0;
    assert_int_equal(go_record_end(&here_scan, GO_UNREADABLE, &here_totals), GO_UNREADABLE);
}

static void g__given_to_another_goroutine__is_another_task(void **state)
{
    (void)state;
    struct go_goroutine it = here_parked(42, SEND);
    here_look_at(&it, 1);
    uint64_t id = here_only_task()->id;
    it.id = 77; /* in the same g, waiting at the same place */
    here_look_at(&it, 1);
    assert_int_not_equal(here_only_task()->id, id);
    assert_int_equal(here_only_task()->runtime_id, 77);
    assert_int_equal(recorder.header->spawned, 2);
    assert_int_equal(recorder.header->finished, 1);
}

static void table__that_is_full__loses_each_goroutine_once(void **state)
{
    static struct go_goroutine all[HERE_TASKS + 10];
    (void)state;
    for (uint64_t i = 0; i < HERE_TASKS + 10; i++)
        all[i] = here_parked(i + 1, SEND);
    for (int i = 0; i < 3; i++)
        here_look_at(all, HERE_TASKS + 10);
    assert_int_equal(live_tasks(), HERE_TASKS);
    assert_int_equal(recorder.header->lost_tasks, 10);
    assert_int_equal(recorder.header->spawned, HERE_TASKS + 10);
    assert_int_equal(recorder.header->tables[REC_TABLE_TASKS - 1].lost, 10);
    here_look_at(all + 4, HERE_TASKS + 6); /* four are gone; what was lost is tried again */
    here_look_at(all + 4, HERE_TASKS + 6);
    assert_int_equal(live_tasks(), HERE_TASKS);
    assert_int_equal(recorder.header->lost_tasks, 6);
}

static void select__is_recorded_with_its_cases(void **state)
{
    const struct go_case cases[] = {
        {.channel = {.address = 0xa0, .capacity = 1, .known = true}, .send = true},
        {.channel = {.address = 0xb0}},
        {.channel = {.address = 0xc0, .known = true, .closed = true}},
    };
    (void)state;
    struct go_goroutine it = here_parked(42, SELECT);
    it.object = 0;
    it.cases = cases;
    it.case_count = it.cases_given = 3;
    here_look_at(&it, 1);
    const struct rec_task *task = here_only_task();
    const struct rec_case *rows = &recorder.cases[task->case_first];
    assert_int_equal(task->case_count, 3);
    assert_int_equal(task->arg, 1 << 16 | 2);
    assert_int_equal(task->wait_flags, REC_WAIT_CASES);
    assert_int_equal(rows[0].object, 0xa0);
    assert_int_equal(rows[0].op, REC_OP_CHAN_SEND);
    assert_int_equal(rows[0].capacity, 1);
    assert_int_equal(rows[0].detail_flags, REC_DETAIL_CHANNEL);
    assert_int_equal(rows[1].op, REC_OP_CHAN_RECEIVE);
    assert_int_equal(rows[1].detail_flags, 0);
    assert_int_equal(rows[2].detail_flags, REC_DETAIL_CHANNEL | REC_DETAIL_CLOSED);
}

static void selects__of_one_goroutine__use_the_same_rows(void **state)
{
    static const struct go_case cases[GO_MAX_CASES] = {{.send = true}};
    (void)state;
    for (uint32_t i = 0; i < 100; i++) {
        struct go_goroutine it = here_parked(42, SELECT);
        it.wait_number += i;
        it.cases = cases;
        it.case_count = it.cases_given = i % 2 ? 2 : 9;
        here_look_at(&it, 1);
        assert_int_equal(here_only_task()->case_count, it.case_count);
    }
    assert_int_equal(recorder.header->tables[REC_TABLE_CASES - 1].count, 1 + 9);
}

static void cases_of_a_select__are_not_those_of_the_next_wait(void **state)
{
    static const struct go_case cases[] = {{.send = true}, {.send = false}};
    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        struct go_goroutine it = here_parked(42, i % 2 ? SEND : SELECT);
        it.wait_number += i;
        it.cases = cases;
        it.case_count = it.cases_given = i % 2 ? 0 : 2;
        here_look_at(&it, 1);
        assert_int_equal(here_only_task()->case_count, it.case_count);
    }
    assert_int_equal(recorder.header->tables[REC_TABLE_CASES - 1].count, 1 + 2);
}

static void select__of_as_many_cases_as_are_told__keeps_its_rows(void **state)
{
    static const struct go_case cases[GO_MAX_CASES] = {{.send = true}};
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        struct go_goroutine it = here_parked(42, SELECT);
        it.wait_number += i;
        it.cases = cases;
        it.case_count = it.cases_given = GO_MAX_CASES;
        here_look_at(&it, 1);
        assert_int_equal(here_only_task()->case_count, GO_MAX_CASES);
    }
    assert_int_equal(recorder.header->tables[REC_TABLE_CASES - 1].count, 1 + GO_MAX_CASES);
}

static void deadline_and_thread__of_a_wait__are_recorded(void **state)
{
    (void)state;
    struct go_goroutine it = here_parked(42, SLEEP);
    it.deadline = true;
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->wait_flags, REC_WAIT_DEADLINE);
    it = here_parked(42, SEND);
    it.locked = true;
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->wait_flags, REC_WAIT_LOCKED);
}

/* What is not found once may have been missed. */
static void deadline__set_or_stopped_meanwhile__is_recorded(void **state)
{
    (void)state;
    struct go_goroutine it = here_parked(42, SEND);
    here_look_at(&it, 1);
    uint32_t gen = here_only_task()->gen;
    assert_int_equal(here_only_task()->wait_flags, 0);
    it.stack = NULL;
    const struct {
        bool found, told;
    } looks[] = {{true, true},   {false, true},  {true, true}, {false, true},
                 {false, false}, {false, false}, {true, true}, {false, true}};
    for (size_t i = 0; i < sizeof(looks) / sizeof(*looks); i++) {
        it.deadline = looks[i].found;
        here_look_at(&it, 1);
        assert_int_equal(here_only_task()->wait_flags, looks[i].told ? REC_WAIT_DEADLINE : 0);
    }
    assert_int_equal(here_only_task()->gen, gen);
}

/* The collector says so by the status, which its next run takes back. */
static void finding_of_the_collector__is_recorded_while_it_stands(void **state)
{
    (void)state;
    struct go_goroutine it = here_parked(42, MUTEX);
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->detail_flags, 0);
    uint32_t gen = here_only_task()->gen;
    it.stack = NULL;
    for (int i = 0; i < 2; i++) {
        it.status = G_LEAKED;
        here_look_at(&it, 1);
        assert_int_equal(here_only_task()->detail_flags, REC_DETAIL_LEAKED);
        it.status = G_WAITING;
        here_look_at(&it, 1);
        assert_int_equal(here_only_task()->detail_flags, 0);
    }
    assert_int_equal(here_only_task()->gen, gen);
}

/* Without the stack nobody looks at what a descriptor's deadline is. */
static void deadline__that_was_not_looked_for__stays(void **state)
{
    (void)state;
    struct go_goroutine it = here_parked(42, IO);
    it.object_known = true;
    it.deadline = true;
    here_look_at(&it, 1);
    it.object_known = it.deadline = false;
    it.stack = NULL;
    for (int i = 0; i < 3; i++)
        here_look_at(&it, 1);
    assert_int_equal(here_only_task()->wait_flags, REC_WAIT_DEADLINE);
}

/* Not all timers could be read. */
static void deadline__that_may_have_been_missed__stays(void **state)
{
    (void)state;
    static struct scan_state scanned;
    bool unknown = true;
    scanned.scan_timers.unknown = &unknown;
    here_scan.scratch = &scanned;
    struct go_goroutine it = here_parked(42, SEND);
    it.deadline = true;
    here_look_at(&it, 1);
    it.deadline = false;
    it.stack = NULL;
    for (int i = 0; i < 3; i++)
        here_look_at(&it, 1);
    assert_int_equal(here_only_task()->wait_flags, REC_WAIT_DEADLINE);
    unknown = false;
    for (int i = 0; i < 2; i++)
        here_look_at(&it, 1);
    assert_int_equal(here_only_task()->wait_flags, 0);
    here_scan.scratch = NULL;
}

static void operations__that_are_not_asked_for__are_not_recorded(void **state)
{
    (void)state;
    recorder.classes = REC_CLASS_LOCK;
    struct go_goroutine it = here_parked(42, SEND);
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->gen, 0);
    it = here_parked(42, MUTEX);
    here_look_at(&it, 1);
    assert_int_not_equal(here_only_task()->gen, 0);
}

static void runtimes_own_goroutine__is_marked_while_it_is_that(void **state)
{
    (void)state;
    struct go_goroutine it = here_parked(42, IDLE);
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->flags, REC_TASK_SCANNED | REC_TASK_SYSTEM);
    it = here_parked(42, SEND); /* a finalizer of the program's */
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->flags, REC_TASK_SCANNED);
    it.system = true;
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->flags, REC_TASK_SCANNED | REC_TASK_SYSTEM);
}

static void listening_socket__waited_for__is_noticed(void **state)
{
    (void)state;
    int sockets[2] = {socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
                      socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_un name = {.sun_family = AF_UNIX}; /* the kernel gives it one */
    assert_int_equal(bind(sockets[0], (struct sockaddr *)&name, sizeof(name.sun_family)), 0);
    assert_int_equal(listen(sockets[0], 1), 0);
    for (int i = 0; i < 2; i++) {
        struct go_goroutine it = here_parked(42, IO);
        it.wait_number += (uint32_t)i;
        it.object = (uint64_t)sockets[i];
        it.object_known = true;
        here_look_at(&it, 1);
        here_look_at(&it, 1); /* what was noticed stays */
        assert_int_equal(here_only_task()->detail_flags, i == 0 ? REC_DETAIL_LISTENING : 0);
        close(sockets[i]);
    }
}

/* What another look finds of a goroutine changes nothing of what its socket says. */
static void socket_with_a_timeout__waited_for_in_a_call__stays_noticed(void **state)
{
    (void)state;
    const struct timeval hour = {.tv_sec = 3600};
    start_reader();
    int sockets[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
    assert_int_equal(setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &hour, sizeof(hour)), 0);
    assert_int_equal(dup2(sockets[0], bytes_read.pipe[0]), bytes_read.pipe[0]);
    struct go_goroutine it = in_system_call(42);
    here_look_at(&it, 1);
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->detail_flags, REC_DETAIL_TIMES_OUT);
    end_reader();
    close(sockets[0]);
    close(sockets[1]);
}

static struct go_goroutine in_lock(uint64_t id, int32_t state, int32_t leaving)
{
    struct go_goroutine it = here_parked(id, MUTEX);
    it.lock = GO_LOCK_RWLOCK_READ;
    it.words =
        (struct go_lock_words){.known = true, .state = state, .leaving = leaving, .asked = true};
    return it;
}

static void assert_words(bool known, int32_t state, int32_t leaving)
{
    const struct rec_task *task = here_only_task();
    assert_int_equal(task->detail_flags, known ? REC_DETAIL_LOCK_WORDS : 0);
    assert_int_equal((int32_t)task->detail_a, known ? state : 0);
    assert_int_equal((int32_t)task->detail_b, known ? leaving : 0);
}

static void words_of_a_lock__are_recorded_and_refreshed(void **state)
{
    (void)state;
    struct go_goroutine it = in_lock(42, -7, 3);
    here_look_at(&it, 1);
    assert_words(true, -7, 3);
    uint32_t gen = here_only_task()->gen;
    it.stack = NULL;
    it.words = (struct go_lock_words){0}; /* it was not its turn */
    here_look_at(&it, 1);
    assert_words(true, -7, 3);
    it.words = (struct go_lock_words){.known = true, .state = -8, .leaving = 2, .asked = true};
    here_look_at(&it, 1);
    assert_words(true, -8, 2);
    it.words = (struct go_lock_words){.asked = true}; /* the lock is being handed over */
    here_look_at(&it, 1);
    assert_words(false, 0, 0);
    it.words = (struct go_lock_words){0};
    here_look_at(&it, 1);
    assert_words(false, 0, 0);
    it.words = (struct go_lock_words){.known = true, .state = -9, .asked = true};
    here_look_at(&it, 1);
    assert_words(true, -9, 0);
    assert_int_equal(here_only_task()->gen, gen);
}

/* Also where they were read in the hope that the wait was the same. */
static void words_of_a_lock__are_not_those_of_the_next_wait(void **state)
{
    static const struct go_lock_words next[] = {
        {.known = false, .asked = false},
        {.known = false, .asked = true},
        {.known = true, .state = -8, .leaving = 2, .asked = true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(next) / sizeof(next[0]); i++) {
        for (int stack = 0; stack < 2; stack++) {
            struct go_goroutine it = in_lock(42, -7, 3);
            here_look_at(&it, 1);
            assert_words(true, -7, 3);
            uint32_t gen = here_only_task()->gen;
            here_run_again(&it);
            it.stack = stack ? &here_stack : NULL;
            it.words = next[i];
            here_look_at(&it, 1);
            assert_int_equal(here_only_task()->gen, gen + 1);
            assert_words(stack && next[i].known, -8, 2);
            it = here_parked(42, SLEEP);
            here_look_at(&it, 1);
            assert_words(false, 0, 0);
        }
    }
}

static void lock__whose_words_are_wanted__is_that_of_the_wait(void **state)
{
    (void)state;
    struct go_lock_place place;
    struct go_goroutine it = in_lock(42, -7, 3);
    here_look_at(&it, 1);
    assert_false(here_scan.wants_stack(&it, NULL));
    assert_true(here_scan.wants_lock(&it, &place, NULL));
    assert_int_equal(place.address, it.object);
    assert_int_equal(place.lock, GO_LOCK_RWLOCK_READ);
    static const enum go_lock none[] = {GO_LOCK_UNKNOWN, GO_LOCK_NONE};
    for (size_t i = 0; i < 2; i++) { /* a semaphore by itself, or of nobody knows what */
        it.lock = (uint8_t)none[i];
        here_run_again(&it);
        it.wait_number += (uint32_t)i;
        here_look_at(&it, 1);
        assert_false(here_scan.wants_lock(&it, &place, NULL));
    }
    it.lock = GO_LOCK_MUTEX;
    it.object = 0;
    it.wait_number++;
    here_look_at(&it, 1);
    assert_false(here_scan.wants_lock(&it, &place, NULL));
    it.lock = GO_LOCK_MUTEX;
    it.stack = NULL; /* which lock that is, nobody knows without it */
    it.object = 0x500;
    it.wait_number++;
    here_look_at(&it, 1);
    assert_false(here_scan.wants_lock(&it, &place, NULL));
}

#define MANY_LOCKS (2 * GO_LOCKS_A_LOOK + 100)

static int open_for_many_locks(void **state)
{
    (void)state;
    return here_open_go_for(MANY_LOCKS);
}

/* So many in a look; the next one goes on with the others. */
static void words_of_many_locks__are_wanted_in_turns(void **state)
{
    static struct go_goroutine all[MANY_LOCKS];
    static uint8_t wanted[MANY_LOCKS];
    (void)state;
    for (uint64_t i = 0; i < MANY_LOCKS; i++)
        all[i] = in_lock(i + 1, 1, 0);
    here_look_at(all, MANY_LOCKS);
    static const uint32_t told[] = {GO_LOCKS_A_LOOK, GO_LOCKS_A_LOOK, 100, GO_LOCKS_A_LOOK};
    for (size_t look = 0; look < sizeof(told) / sizeof(told[0]); look++) {
        uint32_t count = 0;
        go_record_begin(here_now_ns += 1000000);
        for (size_t i = 0; i < MANY_LOCKS; i++) {
            struct go_lock_place place;
            bool wants = here_scan.wants_lock(&all[i], &place, NULL);
            count += wants;
            wanted[i] += wants;
        }
        assert_int_equal(count, told[look]);
    }
    for (size_t i = 0; i < MANY_LOCKS; i++)
        assert_int_equal(wanted[i], i < GO_LOCKS_A_LOOK ? 2 : 1);
}

static uint32_t sites_at_touch, descriptor_at_touch;

static void look_beside_task(void)
{
    sites_at_touch = recorder_rows(REC_TABLE_SITES);
    descriptor_at_touch = recorder.descriptors[here_only_task() - recorder.tasks].wait;
}

/* Who reads meanwhile would be told that it runs: all that takes long was written before. */
static void wait__of_one_that_waited_before__takes_its_place_at_once(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct go_goroutine it = here_parked(42, IO);
    it.object = (uint64_t)ends[0];
    it.object_known = true;
    here_look_at(&it, 1);
    uint32_t seq = here_only_task()->seq, sites = recorder_rows(REC_TABLE_SITES);
    here_run_again(&it);
    here_stack.pcs[0]++;
    here_watch_page(recorder.tasks, PROT_READ, look_beside_task);
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->gen, seq + 1);
    assert_int_equal(sites_at_touch, sites + 1);
    assert_int_equal(descriptor_at_touch, seq + 1);
    assert_site(here_only_task()->wait_site, here_stack.pcs, 3);
    close(ends[0]);
    close(ends[1]);
}

static void reason__that_the_table_lacks__is_said_to_be_unknown(void **state)
{
    (void)state;
    struct go_goroutine it = here_parked(42, SEND);
    it.reason = GO_MAX_REASONS + 5;
    it.op = REC_OP_NONE;
    here_look_at(&it, 1);
    const struct rec_call *call = &recorder.calls[here_only_task()->call];
    assert_string_equal(recorder.strings + call->name, "unknown wait reason");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, here_open_go, here_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First, since the table of goroutines is made once: it has room for as many then. */
        cmocka_unit_test_setup_teardown(words_of_many_locks__are_wanted_in_turns,
                                        open_for_many_locks, here_close),
        TEST(recording__of_go__says_so),
        TEST(parked_goroutine__seen__is_a_task_with_its_wait),
        TEST(creators_stack__kept_by_the_runtime__is_the_spawn_stack),
        TEST(wait__that_lasts__keeps_its_number_and_its_age),
        TEST(wait__of_one_that_ran_meanwhile__is_a_new_one),
        TEST(wait__with_the_number_of_another__is_told_by_its_channels),
        TEST(wait__of_a_coroutine__has_no_age),
        TEST(system_call__made_again_and_again__is_a_new_wait),
        TEST(system_calls__of_many__are_told_in_turns_and_stay),
        TEST(stack__is_wanted_only_of_waits_that_are_new),
        TEST(collectors_clock__earlier_than_our_look__is_the_beginning),
        TEST(stack__that_cannot_be_read__is_counted_once),
        TEST(goroutine__that_runs__has_no_wait),
        TEST(goroutine__not_found_any_more__has_ended),
        TEST(look__that_was_not_whole__ends_nobody),
        TEST(list__without_one_goroutine__is_to_be_looked_for_again),
        TEST(g__given_to_another_goroutine__is_another_task),
        TEST(table__that_is_full__loses_each_goroutine_once),
        TEST(select__is_recorded_with_its_cases),
        TEST(selects__of_one_goroutine__use_the_same_rows),
        TEST(select__of_as_many_cases_as_are_told__keeps_its_rows),
        TEST(cases_of_a_select__are_not_those_of_the_next_wait),
        TEST(deadline_and_thread__of_a_wait__are_recorded),
        TEST(deadline__set_or_stopped_meanwhile__is_recorded),
        TEST(finding_of_the_collector__is_recorded_while_it_stands),
        TEST(deadline__that_was_not_looked_for__stays),
        TEST(deadline__that_may_have_been_missed__stays),
        TEST(operations__that_are_not_asked_for__are_not_recorded),
        TEST(runtimes_own_goroutine__is_marked_while_it_is_that),
        TEST(listening_socket__waited_for__is_noticed),
        TEST(socket_with_a_timeout__waited_for_in_a_call__stays_noticed),
        TEST(words_of_a_lock__are_recorded_and_refreshed),
        TEST(words_of_a_lock__are_not_those_of_the_next_wait),
        TEST(lock__whose_words_are_wanted__is_that_of_the_wait),
        TEST(wait__of_one_that_waited_before__takes_its_place_at_once),
        TEST(reason__that_the_table_lacks__is_said_to_be_unknown),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
