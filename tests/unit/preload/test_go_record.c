/* From goroutines, here made by hand, to rows of the recording. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "preload/blocked.h"
#include "preload/go_record.h"
#include "preload/go_table.h"
#include "preload/goscan/g.h"
#include "preload/goscan/scan.h"
#include "tests/unit/preload/recording_here.h"

enum { SEND, SELECT, MUTEX, IDLE, SLEEP, IO, COROUTINE };

static struct goscan scan;
static struct go_stack stack;
static struct go_totals totals;

static int open_with_go(void **state)
{
    static const struct go_reason reasons[] = {
        [SEND] = {.text = "chan send", .op = REC_OP_CHAN_SEND, .object = GO_OBJECT_CHANNEL},
        [SELECT] = {.text = "select", .op = REC_OP_SELECT, .object = GO_OBJECT_SELECT},
        [MUTEX] = {.text = "sync.Mutex.Lock",
                   .op = REC_OP_MUTEX_LOCK,
                   .object = GO_OBJECT_SEMAPHORE},
        [IDLE] = {.text = "GC worker (idle)", .op = REC_OP_IDLE, .idle = true},
        [SLEEP] = {.text = "sleep", .op = REC_OP_SLEEP, .deadline = true},
        [IO] = {.text = "IO wait", .op = REC_OP_IO_WAIT, .object = GO_OBJECT_POLL},
        [COROUTINE] = {.text = "coroutine", .uncounted = true},
    };
    if (here_open(state) != 0)
        return 1;
    memset(&scan, 0, sizeof(scan));
    memset(&totals, 0, sizeof(totals));
    strcpy(scan.version, "go1.24.3");
    memcpy(scan.reasons, reasons, sizeof(reasons));
    scan.reason_count = sizeof(reasons) / sizeof(*reasons);
    stack = (struct go_stack){.pcs = {0x1001, 0x2002, 0x3003}, .count = 3};
    bool ready = go_record_reset();
    go_record_start(&scan);
    return !ready;
}

/* A goroutine that has waited since the last look at most. */
static struct go_goroutine parked(uint64_t id, uint16_t reason)
{
    return (struct go_goroutine){
        .g = 0xc000000000 + id * 448,
        .id = id,
        .parent_id = 1,
        .created_pc = 0x5005,
        .wait_number = 0x101,
        .status = G_WAITING,
        .reason = reason,
        .op = scan.reasons[reason].op,
        .parked = true,
        .object = 0xc000700000,
        .channel = {.address = 0xc000700000, .capacity = 7, .length = 3, .known = true},
        .stack = &stack,
    };
}

static uint64_t now_ns = 1000000;

static void look_at(const struct go_goroutine *all, size_t count)
{
    go_record_begin(now_ns += 1000000);
    for (size_t i = 0; i < count; i++)
        assert_true(go_record_visit(&all[i], &scan));
    go_record_end(&scan, GO_OK, &totals);
}

static struct rec_task *only_task(void)
{
    struct rec_task *found = NULL;
    for (uint32_t row = 1; row < recorder.header->tables[REC_TABLE_TASKS - 1].count; row++) {
        if (recorder.tasks[row].state != REC_TASK_LIVE)
            continue;
        assert_null(found);
        found = &recorder.tasks[row];
    }
    assert_non_null(found);
    return found;
}

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
    struct go_goroutine it = parked(42, SEND);
    look_at(&it, 1);
    const struct rec_task *task = only_task();
    assert_int_equal(task->kind, REC_KIND_GOROUTINE);
    assert_int_equal(task->flags, REC_TASK_SCANNED);
    assert_int_equal(task->handle, it.g);
    assert_int_equal(task->runtime_id, 42);
    assert_int_equal(task->spawner, 1);
    assert_int_not_equal(task->gen, 0);
    assert_int_equal(task->gen, task->seq);
    assert_int_equal(task->seen_gen, task->gen);
    assert_int_equal(task->since_ns, now_ns);
    assert_int_equal(task->object, 0xc000700000);
    assert_int_equal(task->wait_flags, 0);
    assert_int_equal(task->detail_flags, REC_DETAIL_CHANNEL);
    assert_int_equal(task->detail_a, 7);
    assert_int_equal(task->detail_b, 3);
    const struct rec_call *call = &recorder.calls[task->call];
    assert_string_equal(recorder.strings + call->name, "chan send");
    assert_int_equal(call->op, REC_OP_CHAN_SEND);
    assert_int_equal(call->flags, REC_CALL_REASON);
    assert_site(task->wait_site, stack.pcs, 3);
    assert_site(task->spawn_site, &it.created_pc, 1);
    assert_int_equal(recorder.sites[task->spawn_site].flags, REC_SITE_CUT);
}

static void creators_stack__kept_by_the_runtime__is_the_spawn_stack(void **state)
{
    const uint64_t kept[] = {0x4004, 0x5005, 0x6006, 0x7007};
    (void)state;
    struct go_goroutine it = parked(42, SEND);
    it.ancestor_pcs = kept;
    it.ancestor_count = 4;
    look_at(&it, 1);
    assert_site(only_task()->spawn_site, kept + 1, 3);
    assert_int_equal(recorder.sites[only_task()->spawn_site].flags, 0);
}

static void wait__that_lasts__keeps_its_number_and_its_age(void **state)
{
    (void)state;
    struct go_goroutine it = parked(42, SEND);
    look_at(&it, 1);
    struct rec_task *task = only_task();
    uint32_t gen = task->gen;
    uint64_t since_ns = task->since_ns;
    it.waiting_since = (int64_t)now_ns + 1; /* the collector has seen it, later than we */
    it.channel.length = 4;
    it.channel.closed = true;
    look_at(&it, 1);
    assert_int_equal(task->gen, gen);
    assert_int_equal(task->seen_gen, gen);
    assert_int_equal(task->since_ns, since_ns);
    assert_int_equal(task->detail_b, 4);
    assert_int_equal(task->detail_flags, REC_DETAIL_CHANNEL | REC_DETAIL_CLOSED);
    assert_int_equal(recorder.header->spawned, 1);
}

/* What differs between two looks at a goroutine that has run in between. */
static void run_again(struct go_goroutine *it)
{
    it->wait_number = 0x102;
}
static void wait_for_another_object(struct go_goroutine *it)
{
    it->object = it->channel.address = 0xc000800000;
}
static void wait_elsewhere(struct go_goroutine *it)
{
    static struct go_stack other;
    other = stack;
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
        run_again,        wait_for_another_object, wait_elsewhere, wait_for_something_else,
        wait_since_later,
    };
    (void)state;
    for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
        struct go_goroutine it = parked(42, SEND);
        it.waiting_since = 5;
        it.wait_number += (uint32_t)i << 16;
        look_at(&it, 1);
        struct rec_task *task = only_task();
        uint32_t gen = task->gen;
        changes[i](&it);
        look_at(&it, 1);
        assert_ptr_equal(only_task(), task);
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
        struct go_goroutine it = parked(42 + (uint64_t)reason, (uint16_t)reason);
        it.cases = cases;
        it.case_count = it.cases_given = reason == SELECT ? 2 : 0;
        if (reason == SELECT)
            it.object = 0;
        look_at(&it, 1);
        uint32_t seq = only_task()->seq;
        it.stack = NULL; /* nobody wanted it again */
        look_at(&it, 1);
        assert_int_equal(only_task()->seq, seq);
        it.channel.address = 0xc000800000;
        cases[1].channel.address++;
        look_at(&it, 1);
        assert_int_equal(only_task()->seq, seq + 1);
        it.stack = &stack;
        assert_true(scan.wants_stack(&it, NULL));
    }
}

/* Between two looks it may have run, and nothing would tell. */
static void wait__of_a_coroutine__has_no_age(void **state)
{
    (void)state;
    struct go_goroutine it = parked(42, COROUTINE);
    it.wait_number = 0;
    look_at(&it, 1);
    uint32_t gen = only_task()->gen;
    assert_int_not_equal(gen, 0);
    assert_int_equal(only_task()->since_ns, 0);
    assert_true(scan.wants_stack(&it, NULL));
    look_at(&it, 1);
    assert_int_equal(only_task()->gen, gen + 1);
    assert_int_equal(only_task()->since_ns, 0);
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
    struct go_goroutine it = parked(id, SEND);
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
    scan.minor = 27;
    struct go_goroutine it = in_system_call(42);
    look_at(&it, 1);
    uint32_t gen = only_task()->gen;
    assert_int_not_equal(gen, 0);
    look_at(&it, 1);
    assert_int_equal(only_task()->gen, gen);
    uint32_t sleeps = blocked_sleeps(OWN_PROCESS, bytes_read.tid);
    assert_int_equal(write(bytes_read.pipe[1], "", 1), 1);
    await_reader(sleeps);
    look_at(&it, 1);
    assert_int_equal(only_task()->gen, gen + 1);
    assert_int_equal(only_task()->since_ns, now_ns);
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
        look_at(all, 600);
        assert_int_equal(told_waits(), told[i]);
    }
    run_again(&all[0]); /* it is the turn of the last ones */
    look_at(all, 600);
    assert_int_equal(told_waits(), 599);
    end_reader();
}

/* Memory of a program with one g, which has labels in a list of equal pairs. */
static struct {
    struct mem_reader reader;
    uint64_t g_labels;
    uint64_t pairs, key_bytes, value_bytes;
    char value[512];
} memory;

#define LABELS 0xc000900000
#define LABELS_OFFSET 352

static void read_memory(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    const uint64_t list[] = {LABELS + 0x100, memory.pairs};
    const uint64_t pair[] = {LABELS + 0x1000, memory.key_bytes, LABELS + 0x2000,
                             memory.value_bytes};
    const struct {
        uint64_t address;
        const void *bytes;
    } parts[] = {
        {LABELS, list},
        {LABELS + 0x100, pair},
        {LABELS + 0x1000, "key"},
        {LABELS + 0x2000, memory.value},
        {0xc000000000 + 42 * 448 + LABELS_OFFSET, &memory.g_labels},
    };
    (void)reader;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < sizeof(parts) / sizeof(*parts); k++)
            if (pieces[i].address == parts[k].address ||
                (parts[k].bytes == pair && pieces[i].bytes == sizeof(pair) &&
                 (pieces[i].address - parts[k].address) / sizeof(pair) < memory.pairs)) {
                memcpy(pieces[i].to, parts[k].bytes, pieces[i].bytes);
                pieces[i].ok = true;
            }
}

static struct go_goroutine labelled(void)
{
    struct go_goroutine it = parked(42, SEND);
    memory.reader.read = read_memory;
    strcpy(memory.value, "shop");
    memory.pairs = 1;
    memory.key_bytes = 3;
    memory.value_bytes = 4;
    scan.reader = &memory.reader;
    scan.minor = 24;
    scan.layout.g_labels = LABELS_OFFSET;
    it.labels = memory.g_labels = LABELS;
    return it;
}

static void assert_value(const char *value)
{
    const char *labels = recorder.strings + only_task()->labels;
    assert_int_not_equal(only_task()->labels, 0);
    assert_string_equal(labels, "key");
    assert_string_equal(labels + 4, value);
}

static void labels__of_one_that_ran__are_read_again(void **state)
{
    (void)state;
    struct go_goroutine it = labelled();
    look_at(&it, 1);
    assert_value("shop");
    strcpy(memory.value, "sold"); /* another map at the same address */
    look_at(&it, 1);
    assert_value("shop");
    run_again(&it);
    look_at(&it, 1);
    assert_value("sold");
}

static void labels__of_too_many_kinds__are_lost_once_each(void **state)
{
    const struct rec_table *strings = &recorder.header->tables[REC_TABLE_STRINGS - 1];
    (void)state;
    struct go_goroutine it = labelled();
    for (unsigned i = 0; i < 2 * 2060; i++) {
        snprintf(memory.value, sizeof(memory.value), "%04u", i % 2060);
        it.wait_number = 0x100 | (i & 0xff);
        look_at(&it, 1);
        if (i % 2060 < 2048)
            assert_value(memory.value);
        else
            assert_int_equal(only_task()->labels, 0);
    }
    assert_int_equal(strings->lost, 12);
}

static void labels__that_are_not_told_whole__are_lost_once_a_set(void **state)
{
    const struct rec_table *strings = &recorder.header->tables[REC_TABLE_STRINGS - 1];
    static const struct {
        const char *value;
        uint64_t pairs, key_bytes, value_bytes;
        uint32_t lost;
    } rows[] = {
        {"all", GO_MAX_LABELS, 3, 3, 0}, {"more", GO_MAX_LABELS + 1, 3, 4, 1},
        {"long", 1, 3, 255, 1},          {"cut", 1, 3, 256, 2},
        {"room", 20, 3, 255, 3},         {"no key", 1, 0, 6, 4},
    };
    (void)state;
    struct go_goroutine it = labelled();
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        memset(memory.value, 'x', sizeof(memory.value));
        memcpy(memory.value, rows[i].value, strlen(rows[i].value));
        memory.pairs = rows[i].pairs;
        memory.key_bytes = rows[i].key_bytes;
        memory.value_bytes = rows[i].value_bytes;
        for (int look = 0; look < 2; look++) {
            it.wait_number++; /* it ran */
            look_at(&it, 1);
            assert_int_equal(strings->lost, rows[i].lost);
            assert_int_equal(only_task()->labels != 0, rows[i].key_bytes > 0);
        }
    }
}

static void labels__that_it_has_no_more__are_not_told(void **state)
{
    (void)state;
    struct go_goroutine it = labelled();
    memory.g_labels = 0; /* since the scan was there */
    look_at(&it, 1);
    assert_int_equal(only_task()->labels, 0);
    memory.g_labels = LABELS;
    look_at(&it, 1);
    assert_value("shop");
}

static void stack__is_wanted_only_of_waits_that_are_new(void **state)
{
    (void)state;
    struct go_goroutine it = parked(42, MUTEX);
    assert_true(scan.wants_stack(&it, NULL));
    look_at(&it, 1);
    assert_false(scan.wants_stack(&it, NULL));
    uint32_t gen = only_task()->gen;
    it.stack = NULL; /* and what it tells: which lock that is */
    it.object = 0;
    look_at(&it, 1);
    assert_int_equal(only_task()->gen, gen);
    assert_int_equal(only_task()->object, 0xc000700000);
    run_again(&it);
    assert_true(scan.wants_stack(&it, NULL));
    it.id = 43;
    assert_true(scan.wants_stack(&it, NULL));
}

static void collectors_clock__earlier_than_our_look__is_the_beginning(void **state)
{
    (void)state;
    struct go_goroutine it = parked(42, SEND);
    it.waiting_since = (int64_t)now_ns - 5;
    look_at(&it, 1);
    assert_int_equal(only_task()->since_ns, it.waiting_since);
}

static void stack__that_cannot_be_read__is_counted_once(void **state)
{
    (void)state;
    struct go_goroutine it = parked(42, SEND);
    it.stack = NULL;
    look_at(&it, 1);
    look_at(&it, 1);
    assert_int_equal(only_task()->wait_site, 0);
    assert_true(only_task()->detail_flags & REC_DETAIL_NO_STACK);
    assert_int_equal(recorder.header->lost_stacks, 1);
}

static void goroutine__that_runs__has_no_wait(void **state)
{
    (void)state;
    struct go_goroutine it = parked(42, SEND);
    look_at(&it, 1);
    it.parked = false;
    look_at(&it, 1);
    assert_int_equal(only_task()->gen, 0);
    it.parked = it.moved = true; /* it never stood still: what was read of it means nothing */
    look_at(&it, 1);
    assert_int_equal(only_task()->gen, 0);
}

static void goroutine__not_found_any_more__has_ended(void **state)
{
    (void)state;
    struct go_goroutine all[] = {parked(1, SEND), parked(2, SEND), parked(3, SEND)};
    look_at(all, 3);
    assert_int_equal(live_tasks(), 3);
    look_at(all, 2);
    assert_int_equal(live_tasks(), 2);
    assert_int_equal(recorder.header->spawned, 3);
    assert_int_equal(recorder.header->finished, 1);
    all[2] = parked(4, SEND);
    look_at(all, 3); /* takes the slot of the one that ended */
    assert_int_equal(recorder.header->tables[REC_TABLE_TASKS - 1].count, 4);
    assert_int_equal(recorder.tasks[3].runtime_id, 4);
}

static void look__that_was_not_whole__ends_nobody(void **state)
{
    (void)state;
    struct go_goroutine all[] = {parked(1, SEND), parked(2, SEND)};
    look_at(all, 2);
    totals.unreadable = 1;
    look_at(all, 1);
    assert_int_equal(live_tasks(), 2);
    assert_int_equal(recorder.header->unreadable_tasks, 1);
    totals.unreadable = 0;
    go_record_begin(now_ns);
    go_record_end(&scan, GO_UNREADABLE, &totals);
    assert_int_equal(live_tasks(), 2);
    assert_int_equal(recorder.header->unreadable_tasks, 0);
}

/* While a runtime starts, something else may be taken for its list. */
static void list__without_one_goroutine__is_to_be_looked_for_again(void **state)
{
    (void)state;
    go_record_begin(now_ns += 1000000);
    totals.unreadable = 6;
    assert_int_equal(go_record_end(&scan, GO_OK, &totals), GO_NOT_FOUND);
    totals.seen = 1;
    assert_int_equal(go_record_end(&scan, GO_OK, &totals), GO_OK);
    assert_int_equal(recorder.header->unreadable_tasks, 6);
    totals.seen = totals.unreadable = 0;
    assert_int_equal(go_record_end(&scan, GO_UNREADABLE, &totals), GO_UNREADABLE);
}

static void g__given_to_another_goroutine__is_another_task(void **state)
{
    (void)state;
    struct go_goroutine it = parked(42, SEND);
    look_at(&it, 1);
    uint64_t id = only_task()->id;
    it.id = 77; /* in the same g, waiting at the same place */
    look_at(&it, 1);
    assert_int_not_equal(only_task()->id, id);
    assert_int_equal(only_task()->runtime_id, 77);
    assert_int_equal(recorder.header->spawned, 2);
    assert_int_equal(recorder.header->finished, 1);
}

static void table__that_is_full__loses_each_goroutine_once(void **state)
{
    static struct go_goroutine all[HERE_TASKS + 10];
    (void)state;
    for (uint64_t i = 0; i < HERE_TASKS + 10; i++)
        all[i] = parked(i + 1, SEND);
    for (int i = 0; i < 3; i++)
        look_at(all, HERE_TASKS + 10);
    assert_int_equal(live_tasks(), HERE_TASKS);
    assert_int_equal(recorder.header->lost_tasks, 10);
    assert_int_equal(recorder.header->spawned, HERE_TASKS + 10);
    assert_int_equal(recorder.header->tables[REC_TABLE_TASKS - 1].lost, 10);
    look_at(all + 4, HERE_TASKS + 6); /* four are gone; what was lost is tried again */
    look_at(all + 4, HERE_TASKS + 6);
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
    struct go_goroutine it = parked(42, SELECT);
    it.object = 0;
    it.cases = cases;
    it.case_count = it.cases_given = 3;
    look_at(&it, 1);
    const struct rec_task *task = only_task();
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
        struct go_goroutine it = parked(42, SELECT);
        it.wait_number += i;
        it.cases = cases;
        it.case_count = it.cases_given = i % 2 ? 2 : 9;
        look_at(&it, 1);
        assert_int_equal(only_task()->case_count, it.case_count);
    }
    assert_int_equal(recorder.header->tables[REC_TABLE_CASES - 1].count, 1 + 9);
}

static void cases_of_a_select__are_not_those_of_the_next_wait(void **state)
{
    static const struct go_case cases[] = {{.send = true}, {.send = false}};
    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        struct go_goroutine it = parked(42, i % 2 ? SEND : SELECT);
        it.wait_number += i;
        it.cases = cases;
        it.case_count = it.cases_given = i % 2 ? 0 : 2;
        look_at(&it, 1);
        assert_int_equal(only_task()->case_count, it.case_count);
    }
    assert_int_equal(recorder.header->tables[REC_TABLE_CASES - 1].count, 1 + 2);
}

static void select__of_as_many_cases_as_are_told__keeps_its_rows(void **state)
{
    static const struct go_case cases[GO_MAX_CASES] = {{.send = true}};
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        struct go_goroutine it = parked(42, SELECT);
        it.wait_number += i;
        it.cases = cases;
        it.case_count = it.cases_given = GO_MAX_CASES;
        look_at(&it, 1);
        assert_int_equal(only_task()->case_count, GO_MAX_CASES);
    }
    assert_int_equal(recorder.header->tables[REC_TABLE_CASES - 1].count, 1 + GO_MAX_CASES);
}

static void deadline_and_thread__of_a_wait__are_recorded(void **state)
{
    (void)state;
    struct go_goroutine it = parked(42, SLEEP);
    it.deadline = true;
    look_at(&it, 1);
    assert_int_equal(only_task()->wait_flags, REC_WAIT_DEADLINE);
    it = parked(42, SEND);
    it.locked = true;
    look_at(&it, 1);
    assert_int_equal(only_task()->wait_flags, REC_WAIT_LOCKED);
}

/* What is not found once may have been missed. */
static void deadline__set_or_stopped_meanwhile__is_recorded(void **state)
{
    (void)state;
    struct go_goroutine it = parked(42, SEND);
    look_at(&it, 1);
    uint32_t gen = only_task()->gen;
    assert_int_equal(only_task()->wait_flags, 0);
    it.stack = NULL;
    const struct {
        bool found, told;
    } looks[] = {{true, true},   {false, true},  {true, true}, {false, true},
                 {false, false}, {false, false}, {true, true}, {false, true}};
    for (size_t i = 0; i < sizeof(looks) / sizeof(*looks); i++) {
        it.deadline = looks[i].found;
        look_at(&it, 1);
        assert_int_equal(only_task()->wait_flags, looks[i].told ? REC_WAIT_DEADLINE : 0);
    }
    assert_int_equal(only_task()->gen, gen);
}

/* The collector says so by the status, which its next run takes back. */
static void finding_of_the_collector__is_recorded_while_it_stands(void **state)
{
    (void)state;
    struct go_goroutine it = parked(42, MUTEX);
    look_at(&it, 1);
    assert_int_equal(only_task()->detail_flags, 0);
    uint32_t gen = only_task()->gen;
    it.stack = NULL;
    for (int i = 0; i < 2; i++) {
        it.status = G_LEAKED;
        look_at(&it, 1);
        assert_int_equal(only_task()->detail_flags, REC_DETAIL_LEAKED);
        it.status = G_WAITING;
        look_at(&it, 1);
        assert_int_equal(only_task()->detail_flags, 0);
    }
    assert_int_equal(only_task()->gen, gen);
}

/* Without the stack nobody looks at what a descriptor's deadline is. */
static void deadline__that_was_not_looked_for__stays(void **state)
{
    (void)state;
    struct go_goroutine it = parked(42, IO);
    it.object_known = true;
    it.deadline = true;
    look_at(&it, 1);
    it.object_known = it.deadline = false;
    it.stack = NULL;
    for (int i = 0; i < 3; i++)
        look_at(&it, 1);
    assert_int_equal(only_task()->wait_flags, REC_WAIT_DEADLINE);
}

/* Not all timers could be read. */
static void deadline__that_may_have_been_missed__stays(void **state)
{
    (void)state;
    static struct scan_state scanned;
    bool unknown = true;
    scanned.scan_timers.unknown = &unknown;
    scan.scratch = &scanned;
    struct go_goroutine it = parked(42, SEND);
    it.deadline = true;
    look_at(&it, 1);
    it.deadline = false;
    it.stack = NULL;
    for (int i = 0; i < 3; i++)
        look_at(&it, 1);
    assert_int_equal(only_task()->wait_flags, REC_WAIT_DEADLINE);
    unknown = false;
    for (int i = 0; i < 2; i++)
        look_at(&it, 1);
    assert_int_equal(only_task()->wait_flags, 0);
    scan.scratch = NULL;
}

static void operations__that_are_not_asked_for__are_not_recorded(void **state)
{
    (void)state;
    recorder.classes = REC_CLASS_LOCK;
    struct go_goroutine it = parked(42, SEND);
    look_at(&it, 1);
    assert_int_equal(only_task()->gen, 0);
    it = parked(42, MUTEX);
    look_at(&it, 1);
    assert_int_not_equal(only_task()->gen, 0);
}

static void runtimes_own_goroutine__is_marked_while_it_is_that(void **state)
{
    (void)state;
    struct go_goroutine it = parked(42, IDLE);
    look_at(&it, 1);
    assert_int_equal(only_task()->flags, REC_TASK_SCANNED | REC_TASK_SYSTEM);
    it = parked(42, SEND); /* a finalizer of the program's */
    look_at(&it, 1);
    assert_int_equal(only_task()->flags, REC_TASK_SCANNED);
    it.system = true;
    look_at(&it, 1);
    assert_int_equal(only_task()->flags, REC_TASK_SCANNED | REC_TASK_SYSTEM);
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
        struct go_goroutine it = parked(42, IO);
        it.wait_number += (uint32_t)i;
        it.object = (uint64_t)sockets[i];
        it.object_known = true;
        look_at(&it, 1);
        look_at(&it, 1); /* what was noticed stays */
        assert_int_equal(only_task()->detail_flags, i == 0 ? REC_DETAIL_LISTENING : 0);
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
    look_at(&it, 1);
    look_at(&it, 1);
    assert_int_equal(only_task()->detail_flags, REC_DETAIL_TIMES_OUT);
    end_reader();
    close(sockets[0]);
    close(sockets[1]);
}

static void reason__that_the_table_lacks__is_said_to_be_unknown(void **state)
{
    (void)state;
    struct go_goroutine it = parked(42, SEND);
    it.reason = GO_MAX_REASONS + 5;
    it.op = REC_OP_NONE;
    look_at(&it, 1);
    const struct rec_call *call = &recorder.calls[only_task()->call];
    assert_string_equal(recorder.strings + call->name, "unknown wait reason");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_with_go, here_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(recording__of_go__says_so),
        TEST(parked_goroutine__seen__is_a_task_with_its_wait),
        TEST(creators_stack__kept_by_the_runtime__is_the_spawn_stack),
        TEST(wait__that_lasts__keeps_its_number_and_its_age),
        TEST(wait__of_one_that_ran_meanwhile__is_a_new_one),
        TEST(wait__with_the_number_of_another__is_told_by_its_channels),
        TEST(wait__of_a_coroutine__has_no_age),
        TEST(system_call__made_again_and_again__is_a_new_wait),
        TEST(system_calls__of_many__are_told_in_turns_and_stay),
        TEST(labels__of_one_that_ran__are_read_again),
        TEST(labels__of_too_many_kinds__are_lost_once_each),
        TEST(labels__that_are_not_told_whole__are_lost_once_a_set),
        TEST(labels__that_it_has_no_more__are_not_told),
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
        TEST(reason__that_the_table_lacks__is_said_to_be_unknown),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
