/* What becomes of goroutines, as the scanner tells of them, in a snapshot; and what is said of
 * them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "analyzer/inspect/go_runtime.h"
#include "analyzer/inspect/go_tasks.h"
#include "analyzer/naming/waits.h"
#include "analyzer/verdict/verdict.h"

#define SECOND INT64_C(1000000000)
#define WAITING 4
#define SYSCALL 3
#define LEAKED 10

enum reason {
    SEND,
    RECEIVE,
    NIL_SEND,
    SELECT,
    MUTEX,
    RLOCK,
    LOCK,
    WAITGROUP,
    SLEEPING,
    IO,
    GC_WORKER,
    COROUTINE,
    REASONS
};

static const struct go_reason reasons[REASONS] = {
    [SEND] = {.text = "chan send", .op = REC_OP_CHAN_SEND, .object = GO_OBJECT_CHANNEL},
    [RECEIVE] = {.text = "chan receive", .op = REC_OP_CHAN_RECEIVE, .object = GO_OBJECT_CHANNEL},
    [NIL_SEND] = {.text = "chan send (nil chan)",
                  .op = REC_OP_CHAN_SEND,
                  .object = GO_OBJECT_CHANNEL},
    [SELECT] = {.text = "select", .op = REC_OP_SELECT, .object = GO_OBJECT_SELECT},
    [MUTEX] = {.text = "sync.Mutex.Lock", .op = REC_OP_MUTEX_LOCK, .object = GO_OBJECT_SEMAPHORE},
    [RLOCK] = {.text = "sync.RWMutex.RLock",
               .op = REC_OP_RWLOCK_RDLOCK,
               .object = GO_OBJECT_SEMAPHORE},
    [LOCK] = {.text = "sync.RWMutex.Lock",
              .op = REC_OP_RWLOCK_WRLOCK,
              .object = GO_OBJECT_SEMAPHORE},
    [WAITGROUP] = {.text = "sync.WaitGroup.Wait",
                   .op = REC_OP_WAITGROUP_WAIT,
                   .object = GO_OBJECT_SEMAPHORE},
    [SLEEPING] = {.text = "sleep", .op = REC_OP_SLEEP, .deadline = true},
    [IO] = {.text = "IO wait", .op = REC_OP_IO_WAIT, .object = GO_OBJECT_POLL},
    [GC_WORKER] = {.text = "GC worker (idle)", .op = REC_OP_IDLE, .idle = true},
    [COROUTINE] = {.text = "coroutine", .uncounted = true},
};

/* Memory from which labels are read: a text at each address. */
struct texts {
    struct mem_reader reader;
    char bytes[256];
    uint64_t labels[5]; /* of each g now, by the goroutine's id */
};

#define LABELS_OFFSET 0x158

static void read_texts(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    struct texts *texts = (struct texts *)reader;
    for (size_t i = 0; i < count; i++) {
        uint64_t id = (pieces[i].address - LABELS_OFFSET - 0xc000000000) / 0x1000;
        bool of_g = pieces[i].address >= 0xc000000000 && id < 5;
        pieces[i].ok = of_g || pieces[i].address + pieces[i].bytes <= sizeof(texts->bytes);
        if (of_g)
            memcpy(pieces[i].to, &texts->labels[id], sizeof(texts->labels[id]));
        else if (pieces[i].ok)
            memcpy(pieces[i].to, texts->bytes + pieces[i].address, pieces[i].bytes);
    }
}

struct fixture {
    struct snapshot snapshot;
    struct snapshot_builder *builder;
    struct image_thread threads[2];
    struct image image;
    struct go_stack stack;
    struct go_tasks tasks;
    struct waits waits;
    struct verdicts verdicts;
    bool judged;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    snapshot_init(&f->snapshot);
    f->snapshot.source = SNAPSHOT_PROCESS;
    f->builder = builder_create(&f->snapshot);
    f->threads[0] = (struct image_thread){
        .tid = 70, .parked = true, .call = 0 /* read */, .args = {5}, .parked_ns = 5 * SECOND};
    f->threads[1] = (struct image_thread){.tid = 71};
    f->image = (struct image){.threads = f->threads, .thread_count = 2};
    f->stack = (struct go_stack){.pcs = {0x1001, 0x2001, 0x3001}, .count = 3};
    assert_true(go_tasks_init(&f->tasks, f->builder, &f->image, reasons, REASONS));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    if (f->judged) {
        verdicts_deinit(&f->verdicts);
        waits_deinit(&f->waits);
    }
    go_tasks_deinit(&f->tasks);
    builder_destroy(f->builder);
    snapshot_deinit(&f->snapshot);
    free(f);
    return 0;
}

static struct go_goroutine parked(struct fixture *f, uint64_t id, enum reason reason)
{
    return (struct go_goroutine){
        .g = 0xc000000000 + id * 0x1000,
        .id = id,
        .parent_id = 1,
        .created_pc = 0x4001,
        .status = WAITING,
        .reason = (uint16_t)reason,
        .parked = true,
        .op = reasons[reason].op,
        .stack = &f->stack,
    };
}

static const struct snapshot_task *add(struct fixture *f, const struct go_goroutine *it)
{
    assert_true(go_tasks_add(it, &f->tasks));
    return &f->snapshot.tasks[f->snapshot.task_count - 1];
}

static const struct group *judge(struct fixture *f, int64_t threshold_ns)
{
    const struct verdict_options options = {threshold_ns, 100};
    go_tasks_date(&f->tasks, 1000 * SECOND);
    assert_true(waits_init(&f->waits, &f->snapshot));
    assert_true(verdicts_init(&f->verdicts, &f->snapshot, &f->waits, &options));
    f->judged = true;
    assert_int_equal(f->verdicts.count, 1);
    return &f->verdicts.groups[0];
}

/* What a task has beside the others stays its own, however the tables grow. */
static void extras__of_every_second_task__are_its_own(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 1; i <= 1000; i++) {
        struct go_goroutine it = {.id = i, .os_tid = i % 2 ? 10000 + i : 0};
        add(f, &it);
    }
    assert_int_equal(f->snapshot.task_count, 1000);
    for (uint32_t i = 1; i <= 1000; i++) {
        const struct snapshot_task *task = &f->snapshot.tasks[i - 1];
        assert_int_equal(task->id, i);
        assert_int_equal(task->extra != 0, i % 2);
        assert_int_equal(snapshot_extra(&f->snapshot, task)->os_tid, i % 2 ? 10000 + i : 0);
    }
}

static void assert_evidence(const struct group *group, const char *wanted)
{
    for (size_t i = 0; i < group->evidence_count; i++) {
        if (strcmp(group->evidence[i], wanted) == 0)
            return;
    }
    for (size_t i = 0; i < group->evidence_count; i++)
        print_error("it says: %s\n", group->evidence[i]);
    fail_msg("no evidence says: %s", wanted);
}

static void parked_sender__is_told_with_its_channel(void **state)
{
    struct fixture *f = *state;
    struct go_goroutine it = parked(f, 7, SEND);
    it.channel = (struct go_channel){.address = 0xc000076120, .known = true};
    it.waiting_since = 980 * SECOND;
    it.locked = true;
    const struct snapshot_task *task = add(f, &it);
    assert_int_equal(task->id, 7);
    assert_int_equal(task->kind, REC_KIND_GOROUTINE);
    assert_int_equal(task->spawner, 1);
    assert_int_equal(task->object, 0xc000076120);
    assert_int_equal(task->flags, SNAPSHOT_PARKED | SNAPSHOT_SETTLED | SNAPSHOT_LOCKED |
                                      SNAPSHOT_AT_LEAST | SNAPSHOT_NOTED);
    assert_string_equal(f->snapshot.calls[task->call].op, "chan send");
    assert_int_equal(f->snapshot.sites[task->wait_site].pc_count, 3);
    assert_int_equal(f->snapshot.pcs[f->snapshot.sites[task->spawn_site].first_pc], 0x4001);

    const struct group *group = judge(f, 10 * SECOND);
    assert_int_equal(group->verdict, VERDICT_STUCK);
    assert_int_equal(group->oldest_ns, 20 * SECOND);
    assert_evidence(group,
                    "channel 0xc000076120: unbuffered, 1 sender waiting, no receiver waiting");
}

static void goroutines_of_one_place__share_a_group(void **state)
{
    struct fixture *f = *state;
    for (uint64_t id = 10; id < 60; id++) {
        struct go_goroutine it = parked(f, id, SEND);
        it.channel = (struct go_channel){.address = 0xc000000000 + id, .known = true};
        add(f, &it);
    }
    const struct group *group = judge(f, 0);
    assert_int_equal(group->count, 50);
    assert_int_equal(group->verdict, VERDICT_STUCK);
    assert_evidence(group, "different channels: all unbuffered, no receiver waiting on any");
}

static void wait_of_unknown_age__is_past_no_threshold_but_zero(void **state)
{
    struct fixture *f = *state;
    struct go_goroutine it = parked(f, 7, SEND);
    it.channel.address = 0xc000076120;
    add(f, &it);
    const struct group *group = judge(f, 10 * SECOND);
    assert_int_equal(group->verdict, VERDICT_WAITING);
    assert_int_equal(group->oldest_ns, SNAPSHOT_AGE_UNKNOWN);
    assert_int_equal(f->verdicts.totals.undecided, 1);
    assert_evidence(group, "no deadline; nobody knows since when it is parked");
}

static void ages_known_in_part__are_told_apart(void **state)
{
    struct fixture *f = *state;
    for (uint64_t id = 1; id <= 3; id++) {
        struct go_goroutine it = parked(f, id, SEND);
        it.channel.address = 0xc000076120;
        it.waiting_since = id == 1 ? 900 * SECOND : 0;
        add(f, &it);
    }
    const struct group *group = judge(f, 10 * SECOND);
    assert_int_equal(group->verdict, VERDICT_STUCK);
    assert_int_equal(group->unknown_age, 2);
    assert_int_equal(f->verdicts.totals.undecided, 2);
    assert_evidence(group,
                    "no deadline; 1 of 3 are parked for 10s or longer, of 2 that is not known");
}

static void known_age__is_a_lower_bound_and_no_growth(void **state)
{
    struct fixture *f = *state;
    struct go_goroutine it = parked(f, 7, SEND);
    it.waiting_since = 999 * SECOND;
    add(f, &it);
    assert_int_equal(judge(f, 0)->grown, 0);
}

static void beginning_after_the_picture__is_no_age(void **state)
{
    struct fixture *f = *state;
    struct go_goroutine it = parked(f, 7, SEND);
    it.waiting_since = 1001 * SECOND;
    add(f, &it);
    assert_int_equal(judge(f, 0)->oldest_ns, 0);
}

static void quiet_process__says_how_long_at_least(void **state)
{
    struct fixture *f = *state;
    struct go_goroutine it = parked(f, 7, SEND);
    add(f, &it);
    it.id = 8;
    it.waiting_since = 900 * SECOND;
    add(f, &it);
    it.id = 9;
    it.moved = true;
    add(f, &it);
    go_tasks_date(&f->tasks, 1000 * SECOND);
    go_tasks_were_quiet(&f->tasks, 30 * SECOND);
    assert_int_equal(f->snapshot.tasks[0].parked_ns, 30 * SECOND);
    assert_true(f->snapshot.tasks[0].flags & SNAPSHOT_AT_LEAST);
    assert_int_equal(f->snapshot.tasks[1].parked_ns, 100 * SECOND);
    assert_int_equal(f->snapshot.tasks[2].parked_ns, SNAPSHOT_AGE_UNKNOWN);
}

static void lower_bound_below_the_threshold__decides_nothing(void **state)
{
    struct fixture *f = *state;
    struct go_goroutine it = parked(f, 7, SEND);
    it.waiting_since = 995 * SECOND;
    add(f, &it);
    const struct group *group = judge(f, 10 * SECOND);
    assert_int_equal(group->verdict, VERDICT_WAITING);
    assert_int_equal(f->verdicts.totals.undecided, 1);
    assert_evidence(group, "no deadline; whether parked for 10s or longer is not known");
}

static void nil_channel__is_leaked(void **state)
{
    struct fixture *f = *state;
    struct go_goroutine it = parked(f, 7, NIL_SEND);
    add(f, &it);
    const struct group *group = judge(f, 10 * SECOND);
    assert_int_equal(group->verdict, VERDICT_LEAKED);
    assert_string_equal(group->op, "chan send (nil chan)");
}

/* Also one that the collector saw only just now, whose age nobody knows. */
static void goroutine_that_nothing_can_reach__is_leaked(void **state)
{
    struct fixture *f = *state;
    for (uint64_t id = 1; id <= 3; id++) {
        struct go_goroutine it = parked(f, id, SEND);
        it.channel = (struct go_channel){.address = 0xc000076120, .known = true};
        it.status = LEAKED;
        add(f, &it);
    }
    const struct group *group = judge(f, 10 * SECOND);
    assert_int_equal(group->verdict, VERDICT_LEAKED);
    assert_int_equal(group->count, 3);
    assert_evidence(group, "Go's collector found that nothing that runs can reach what they wait "
                           "on: nothing can wake them");
}

/* The better sentence is the one that says why. */
static void nil_channel__found_by_the_collector__is_told_as_that(void **state)
{
    struct fixture *f = *state;
    struct go_goroutine it = parked(f, 7, NIL_SEND);
    it.status = LEAKED;
    add(f, &it);
    const struct group *group = judge(f, 10 * SECOND);
    assert_int_equal(group->verdict, VERDICT_LEAKED);
    assert_evidence(group, "the channel is nil: no other task can ever use it, nothing can wake "
                           "it");
}

/* Cases of nil channels are not told: nothing in the runtime points to them. */
static void select_over_nil_channels__is_leaked(void **state)
{
    struct fixture *f = *state;
    struct go_goroutine it = parked(f, 7, SELECT);
    add(f, &it);
    const struct group *group = judge(f, 10 * SECOND);
    assert_int_equal(group->verdict, VERDICT_LEAKED);
    assert_evidence(group, "the select has no case that could ever be ready: nothing can wake it");
}

static void select_whose_cases_were_not_read__is_not_leaked(void **state)
{
    struct fixture *f = *state;
    struct go_goroutine it = parked(f, 7, SELECT);
    it.cases_given = 2;
    add(f, &it);
    assert_int_equal(judge(f, 0)->verdict, VERDICT_STUCK);
}

static void select_with_cases_untold__is_not_leaked(void **state)
{
    struct fixture *f = *state;
    const struct go_case cases[] = {{.send = true}, {.send = false}};
    struct go_goroutine it = parked(f, 7, SELECT);
    it.cases = cases;
    it.case_count = 2;
    it.cases_given = 3;
    add(f, &it);
    assert_int_equal(judge(f, 0)->verdict, VERDICT_STUCK);
}

static void select__is_told_with_every_case(void **state)
{
    struct fixture *f = *state;
    const struct go_case cases[] = {
        {.channel = {.address = 0x500, .capacity = 4, .length = 4, .known = true}, .send = true},
        {.channel = {.address = 0x600, .known = true, .closed = true}},
        {.channel = {.address = 0x700}},
    };
    struct go_goroutine it = parked(f, 7, SELECT);
    it.cases = cases;
    it.case_count = it.cases_given = 3;
    const struct snapshot_task *task = add(f, &it);
    assert_int_equal(snapshot_extra(&f->snapshot, task)->arg, 1 << 16 | 2);
    assert_int_equal(snapshot_extra(&f->snapshot, task)->case_count, 3);
    const struct snapshot_case *rows =
        &f->snapshot.cases[snapshot_extra(&f->snapshot, task)->case_first];
    assert_int_equal(rows[0].op, REC_OP_CHAN_SEND);
    assert_int_equal(rows[0].capacity, 4);
    assert_int_equal(rows[1].op, REC_OP_CHAN_RECEIVE);
    assert_int_equal(rows[1].detail_flags, REC_DETAIL_CHANNEL | REC_DETAIL_CLOSED);
    assert_int_equal(rows[2].detail_flags, 0);
    const struct group *group = judge(f, 0);
    assert_evidence(group, "3 cases, no task waiting on the other side of any");
    assert_evidence(group, "cases: chan send 0x500, chan receive 0x600, chan receive 0x700");
}

#define WRITER (-(1 << 30)) /* that an RWMutex's count of readers has while there is one */

/* Only what its words prove. */
static void lock__what_it_says_of_itself__is_evidence(void **state)
{
    static const struct {
        enum reason reason;
        int32_t state, leaving;
        const char *said;
    } rows[] = {
        {MUTEX, 9, 0, "mutex 0x500: who holds it is not known; 1 waiting for it"},
        {MUTEX, 13, 0,
         "mutex 0x500: in starvation mode; who holds it is not known; 1 waiting for it"},
        {MUTEX, 10, 0, "mutex 0x500: unlocked: the next one is about to take it; 1 waiting for it"},
        {MUTEX, 2, 0, "mutex 0x500: unlocked: the next one is about to take it; 1 waiting for it"},
        {MUTEX, 0, 0,
         "mutex 0x500: unlocked, and it counts no waiter: it was overwritten; 1 waiting for it"},
        {LOCK, WRITER + 2, 2,
         "rwlock 0x500: held for reading 2 times (by whom is not known); 1 waiting for it"},
        {LOCK, WRITER + 1, 1,
         "rwlock 0x500: held for reading once (by whom is not known); 1 waiting for it"},
        {RLOCK, WRITER + 3, 2,
         "rwlock 0x500: held for reading 2 times (by whom is not known), and a writer waits ahead; "
         "1 waiting for it"},
        {RLOCK, WRITER + 1, 0,
         "rwlock 0x500: held for writing (by whom is not known); 1 waiting for it"},
        /* A writer has just let it go; one is about to wait; the words of no RWMutex. */
        {RLOCK, 1, 0, "rwlock 0x500: who holds it is not known; 1 waiting for it"},
        {RLOCK, WRITER + 3, -1, "rwlock 0x500: who holds it is not known; 1 waiting for it"},
        {LOCK, 2, 2, "rwlock 0x500: who holds it is not known; 1 waiting for it"},
        {WAITGROUP, 3, 0, "waitgroup 0x500: 1 task waiting; counter 3: Done is missing 3 times"},
        {WAITGROUP, 1, 0, "waitgroup 0x500: 1 task waiting; counter 1: Done is missing once"},
        {WAITGROUP, 0, 0, "waitgroup 0x500: 1 task waiting; counter 0"},
        {WAITGROUP, -1, 0,
         "waitgroup 0x500: 1 task waiting; counter -1: Done was called too often"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture *f = *state;
        struct go_goroutine it = parked(f, 7, rows[i].reason);
        it.object = 0x500;
        it.words = (struct go_lock_words){
            .known = true, .state = rows[i].state, .leaving = rows[i].leaving};
        add(f, &it);
        const struct group *group = judge(f, 0);
        assert_int_equal(group->verdict, VERDICT_STUCK);
        assert_string_equal(group->evidence[0], rows[i].said);
        tear_down(state);
        set_up(state);
    }
}

static void lock__whose_words_were_not_read__says_nothing(void **state)
{
    struct fixture *f = *state;
    struct go_goroutine it = parked(f, 7, WAITGROUP);
    it.object = 0x500;
    const struct snapshot_task *task = add(f, &it);
    assert_int_equal(task->detail_flags & REC_DETAIL_LOCK_WORDS, 0);
    assert_string_equal(judge(f, 0)->evidence[0], "waitgroup 0x500: 1 task waiting");
}

static void waitgroups__of_several__tell_their_counters(void **state)
{
    static const struct {
        int32_t counters[3];
        bool known; /* that of the last one */
        const char *said;
    } rows[] = {
        {{1, 1, 1}, true, "on different objects (waitgroup), each with the counter 1"},
        {{2, 7, 1}, true, "on different objects (waitgroup), with counters of 1 to 7"},
        {{1, 1, 1}, false, "on different objects (waitgroup)"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture *f = *state;
        for (uint64_t id = 1; id <= 3; id++) {
            struct go_goroutine it = parked(f, id, WAITGROUP);
            it.object = 0x500 * id;
            it.words = (struct go_lock_words){.known = id < 3 || rows[i].known,
                                              .state = rows[i].counters[id - 1]};
            add(f, &it);
        }
        assert_string_equal(judge(f, 0)->evidence[0], rows[i].said);
        tear_down(state);
        set_up(state);
    }
}

static void locked_to_a_thread__is_said(void **state)
{
    struct fixture *f = *state;
    for (uint64_t id = 1; id <= 3; id++) {
        struct go_goroutine it = parked(f, id, MUTEX);
        it.locked = id != 2;
        add(f, &it);
    }
    assert_evidence(judge(f, 0), "2 of 3 are locked to their threads");
}

static void locked_to_its_thread__is_said(void **state)
{
    struct fixture *f = *state;
    struct go_goroutine it = parked(f, 7, MUTEX);
    it.locked = true;
    add(f, &it);
    assert_evidence(judge(f, 0), "locked to its thread");
}

static void timer__is_a_deadline(void **state)
{
    struct fixture *f = *state;
    struct go_goroutine it = parked(f, 7, RECEIVE);
    it.deadline = true;
    add(f, &it);
    const struct group *group = judge(f, 0);
    assert_int_equal(group->verdict, VERDICT_WAITING);
    assert_true(f->snapshot.tasks[group->members[0]].flags & SNAPSHOT_DEADLINE);
}

static void sleeper__has_a_deadline_by_its_reason(void **state)
{
    struct fixture *f = *state;
    struct go_goroutine it = parked(f, 7, SLEEPING);
    assert_true(add(f, &it)->flags & SNAPSHOT_DEADLINE);
}

static void goroutine_of_the_runtime__waits_as_expected(void **state)
{
    struct fixture *f = *state;
    struct go_goroutine it = parked(f, 7, GC_WORKER);
    add(f, &it);
    assert_int_equal(judge(f, 0)->verdict, VERDICT_WAITING);
}

static void coroutine__may_have_run_at_any_time(void **state)
{
    struct fixture *f = *state;
    struct go_goroutine it = parked(f, 7, COROUTINE);
    const struct snapshot_task *task = add(f, &it);
    assert_int_equal(task->wait_number, SNAPSHOT_WAITS_UNCOUNTED);
    assert_int_equal(judge(f, 10 * SECOND)->verdict, VERDICT_WAITING);
    assert_int_equal(f->verdicts.totals.undecided, 1);
}

static void moved_goroutine__runs(void **state)
{
    struct fixture *f = *state;
    struct go_goroutine it = parked(f, 7, SEND);
    it.moved = true;
    assert_false(add(f, &it)->flags & SNAPSHOT_PARKED);
    assert_int_equal(f->snapshot.tasks[0].wait_site, 0);
}

static void system_call__is_parked_as_its_thread_is(void **state)
{
    struct fixture *f = *state;
    struct go_goroutine it = parked(f, 7, SEND);
    it.parked = false;
    it.status = SYSCALL;
    it.os_tid = 70;
    const struct snapshot_task *task = add(f, &it);
    assert_true(task->flags & SNAPSHOT_PARKED);
    assert_string_equal(f->snapshot.calls[task->call].op, "syscall");
    assert_string_equal(f->snapshot.calls[task->call].name, "read");
    assert_int_equal(f->snapshot.calls[task->call].number, REC_OP_IO_WAIT);
    assert_int_equal(task->object, 5);
    go_tasks_date(&f->tasks, 1000 * SECOND);
    assert_int_equal(task->parked_ns, 5 * SECOND);
    assert_true(task->flags & SNAPSHOT_AT_LEAST);
    it.id = 8;
    it.os_tid = 71; /* which runs */
    assert_false(add(f, &it)->flags & SNAPSHOT_PARKED);
    it.os_tid = 72; /* which is not there */
    assert_false(add(f, &it)->flags & SNAPSHOT_PARKED);
}

/* The runtime's number may be that of the call before. */
static void system_call__goes_by_the_number_of_its_thread(void **state)
{
    struct fixture *f = *state;
    struct go_goroutine it = parked(f, 7, SEND);
    it.parked = false;
    it.status = SYSCALL;
    it.os_tid = 70;
    it.wait_number = 0x142;
    assert_int_equal(add(f, &it)->wait_number, 0x142);
    f->threads[0].switches = 0x123;
    uint32_t number = add(f, &it)->wait_number;
    assert_int_not_equal(number >> 8, 1); /* not taken for one of 8 bits */
    f->threads[0].switches++;
    assert_int_equal(add(f, &it)->wait_number, number + 1);
}

static struct image_thread now; /* thread 70 */

static bool look(struct image *image, struct image_thread *thread)
{
    (void)image;
    *thread = now;
    return now.tid == 70;
}

/* The threads were read before the goroutines. */
static void system_call__of_a_thread_that_moved_on__is_not_told(void **state)
{
    struct fixture *f = *state;
    const struct image_functions functions = {.look = look};
    f->image.functions = &functions;
    f->threads[0].switches = 7;
    struct go_goroutine it = parked(f, 7, SEND);
    it.parked = false;
    it.status = SYSCALL;
    it.os_tid = 70;
    now = f->threads[0];
    assert_true(add(f, &it)->flags & SNAPSHOT_PARKED);
    now.switches = 8;
    assert_false(add(f, &it)->flags & SNAPSHOT_PARKED);
    f->threads[0].switches = 0; /* not known, of one that was stopped */
    assert_true(add(f, &it)->flags & SNAPSHOT_PARKED);
    now.call = 202; /* futex */
    assert_false(add(f, &it)->flags & SNAPSHOT_PARKED);
    now = (struct image_thread){0}; /* it has ended */
    assert_false(add(f, &it)->flags & SNAPSHOT_PARKED);
}

static bool describe_fd(struct image *image, uint32_t tid, int fd, char *to, size_t bytes,
                        bool *ret_listening)
{
    (void)image;
    (void)tid;
    snprintf(to, bytes, "pipe %d", fd);
    *ret_listening = fd == 3;
    return fd < 100;
}

static void descriptors__are_described(void **state)
{
    struct fixture *f = *state;
    const struct image_functions functions = {.describe_fd = describe_fd};
    f->image.functions = &functions;
    struct go_goroutine it = parked(f, 7, IO);
    it.object_known = true; /* descriptor 0 */
    const struct snapshot_task *task = add(f, &it);
    assert_string_equal(f->snapshot.object_texts[snapshot_extra(&f->snapshot, task)->object_text],
                        "pipe 0");
    assert_false(task->detail_flags & REC_DETAIL_LISTENING);
    it.object = 3;
    assert_true(add(f, &it)->detail_flags & REC_DETAIL_LISTENING);
    it.object = 100;
    assert_int_equal(snapshot_extra(&f->snapshot, add(f, &it))->object_text, 0);
    it.object = UINT64_MAX;
    assert_int_equal(snapshot_extra(&f->snapshot, add(f, &it))->object_text, 0);
    it.object = 0;
    it.object_known = false;
    assert_int_equal(snapshot_extra(&f->snapshot, add(f, &it))->object_text, 0);
}

static void descriptor_0__is_told(void **state)
{
    struct fixture *f = *state;
    const struct image_functions functions = {.describe_fd = describe_fd};
    f->image.functions = &functions;
    struct go_goroutine it = parked(f, 7, IO);
    it.object_known = true;
    add(f, &it);
    assert_evidence(judge(f, 0), "descriptor 0 (pipe 0), in IO wait");
}

static void ancestors__are_the_stack_of_the_spawn(void **state)
{
    struct fixture *f = *state;
    const uint64_t kept[] = {0x9001, 0x4001, 0x5001, 0x6001};
    struct go_goroutine it = parked(f, 7, SEND);
    it.ancestor_pcs = kept;
    it.ancestor_count = 4;
    const struct snapshot_task *task = add(f, &it);
    const struct snapshot_site *site = &f->snapshot.sites[task->spawn_site];
    assert_int_equal(site->pc_count, 3);
    assert_int_equal(f->snapshot.pcs[site->first_pc + 2], 0x6001);
    assert_int_equal(site->flags, 0);
}

static void stack_that_could_not_be_read__is_counted(void **state)
{
    struct fixture *f = *state;
    struct go_goroutine it = parked(f, 7, SEND);
    it.stack = NULL;
    assert_int_equal(add(f, &it)->wait_site, 0);
    assert_int_equal(f->tasks.stacks_lost, 1);
}

static void unknown_reason_and_op__are_told_as_that(void **state)
{
    struct fixture *f = *state;
    struct go_goroutine it = parked(f, 7, SEND);
    it.reason = REASONS + 5;
    it.op = 9999;
    const struct snapshot_task *task = add(f, &it);
    assert_string_equal(f->snapshot.calls[task->call].op, "unknown wait reason");
    assert_int_equal(judge(f, 0)->verdict, VERDICT_STUCK);
}

static size_t read_labels(void *arg, uint64_t labels, struct go_text pairs[2 * GO_MAX_LABELS])
{
    ++*(unsigned *)arg;
    if (labels == 0xbad)
        return 0;
    pairs[0] = (struct go_text){0, 3};
    pairs[1] = (struct go_text){3, 4};
    pairs[2] = (struct go_text){10000, 4}; /* is not there */
    pairs[3] = (struct go_text){3, 4};
    return 2;
}

static void labels__are_read_once_a_set(void **state)
{
    struct fixture *f = *state;
    struct texts texts = {{read_texts}, "keyshop", {0, 0x100, 0x200, 0x100, 0xbad}};
    unsigned calls = 0;
    for (uint64_t id = 1; id <= 4; id++) {
        struct go_goroutine it = parked(f, id, SEND);
        it.labels = id == 4 ? 0xbad : 0x100;
        add(f, &it);
    }
    go_tasks_label(&f->tasks, read_labels, &calls, &texts.reader, LABELS_OFFSET);
    assert_int_equal(calls, 2);
    const struct snapshot_label_set *set =
        &f->snapshot.label_sets[snapshot_extra(&f->snapshot, &f->snapshot.tasks[0])->labels];
    assert_int_equal(set->count, 1);
    assert_string_equal(f->snapshot.labels[set->first].key, "key");
    assert_string_equal(f->snapshot.labels[set->first].value, "shop");
    assert_int_equal(snapshot_extra(&f->snapshot, &f->snapshot.tasks[2])->labels,
                     snapshot_extra(&f->snapshot, &f->snapshot.tasks[0])->labels);
    assert_int_equal(snapshot_extra(&f->snapshot, &f->snapshot.tasks[3])->labels, 0);
    /* The second one has others by now: what was read may have been anybody's. */
    assert_int_equal(snapshot_extra(&f->snapshot, &f->snapshot.tasks[1])->labels, 0);
}

/* As many as are told at 0x100; elsewhere more, and others. */
static size_t read_many_labels(void *arg, uint64_t labels, struct go_text pairs[2 * GO_MAX_LABELS])
{
    bool more = labels != 0x100;
    (void)arg;
    for (size_t i = 0; i < GO_MAX_LABELS; i++) {
        pairs[2 * i] = (struct go_text){0, more ? 3 : 0};
        pairs[2 * i + 1] = (struct go_text){3, 4};
    }
    return GO_MAX_LABELS + more;
}

static void labels__that_are_not_told_whole__are_lost_once_a_set(void **state)
{
    struct fixture *f = *state;
    struct texts texts = {{read_texts}, "keyshop", {0, 0x100, 0x100, 0x200, 0x300}};
    for (uint64_t id = 1; id <= 4; id++) {
        struct go_goroutine it = parked(f, id, SEND);
        it.labels = texts.labels[id];
        add(f, &it);
    }
    go_tasks_label(&f->tasks, read_many_labels, NULL, &texts.reader, LABELS_OFFSET);
    assert_int_equal(f->snapshot.loss.rows, 1);
}

/* A program that is linked statically, with cgo: Go's code, C's, and no library. */
static void threads_in_c__of_a_static_program__are_no_workers(void **state)
{
    enum { IN_GO, IN_C, IN_VDSO, ANYWHERE, THREADS };
    static const uint64_t pcs[THREADS] = {[IN_GO] = 0x1500, [IN_C] = 0x2500, [IN_VDSO] = 0x9500};
    struct image_mapping mappings[] = {{.start = 0x1000, .end = 0x3000, .module = 1},
                                       {.start = 0x9000, .end = 0xa000, .module = 2}};
    struct image_module modules[] = {{0}, {.path = "/app"}, {.path = "[vdso]"}, {.path = "/lib"}};
    struct go_runtime runtime = {.module = 1, .scan.functions = {.text = 0x1000, .etext = 0x2000}};
    (void)state;
    for (size_t count = 3; count <= 4; count++) {
        struct image_thread threads[THREADS] = {0};
        struct image image = {.mappings = mappings,
                              .mapping_count = 2,
                              .modules = modules,
                              .module_count = count,
                              .threads = threads,
                              .thread_count = THREADS};
        for (int i = 0; i < THREADS; i++) {
            threads[i].registers.value[IMAGE_REGISTER_PC] = pcs[i];
            threads[i].registers.known = pcs[i] ? 1U << IMAGE_REGISTER_PC : 0;
        }
        go_runtime_mark_threads(&runtime, &image);
        bool alone = count == 3; /* there is no library */
        assert_true(threads[IN_GO].runtime);
        assert_false(threads[IN_C].runtime);
        assert_int_equal(threads[IN_VDSO].runtime, alone);
        assert_int_equal(threads[ANYWHERE].runtime, alone);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(extras__of_every_second_task__are_its_own),
        TEST(parked_sender__is_told_with_its_channel),
        TEST(goroutines_of_one_place__share_a_group),
        TEST(wait_of_unknown_age__is_past_no_threshold_but_zero),
        TEST(ages_known_in_part__are_told_apart),
        TEST(known_age__is_a_lower_bound_and_no_growth),
        TEST(beginning_after_the_picture__is_no_age),
        TEST(quiet_process__says_how_long_at_least),
        TEST(lower_bound_below_the_threshold__decides_nothing),
        TEST(nil_channel__is_leaked),
        TEST(goroutine_that_nothing_can_reach__is_leaked),
        TEST(nil_channel__found_by_the_collector__is_told_as_that),
        TEST(select_over_nil_channels__is_leaked),
        TEST(select_whose_cases_were_not_read__is_not_leaked),
        TEST(select_with_cases_untold__is_not_leaked),
        TEST(select__is_told_with_every_case),
        TEST(lock__what_it_says_of_itself__is_evidence),
        TEST(lock__whose_words_were_not_read__says_nothing),
        TEST(waitgroups__of_several__tell_their_counters),
        TEST(locked_to_a_thread__is_said),
        TEST(locked_to_its_thread__is_said),
        TEST(timer__is_a_deadline),
        TEST(sleeper__has_a_deadline_by_its_reason),
        TEST(goroutine_of_the_runtime__waits_as_expected),
        TEST(coroutine__may_have_run_at_any_time),
        TEST(moved_goroutine__runs),
        TEST(system_call__is_parked_as_its_thread_is),
        TEST(system_call__goes_by_the_number_of_its_thread),
        TEST(system_call__of_a_thread_that_moved_on__is_not_told),
        TEST(descriptors__are_described),
        TEST(descriptor_0__is_told),
        TEST(ancestors__are_the_stack_of_the_spawn),
        TEST(stack_that_could_not_be_read__is_counted),
        TEST(unknown_reason_and_op__are_told_as_that),
        TEST(labels__are_read_once_a_set),
        TEST(labels__that_are_not_told_whole__are_lost_once_a_set),
        TEST(threads_in_c__of_a_static_program__are_no_workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
