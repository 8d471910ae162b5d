/* leakspy's own clock: looks in a line each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <elf.h>
#include <stdlib.h>
#include <unistd.h>

#include "analyzer/process/process.h"
#include "analyzer/snapshot/builder.h"
#include "analyzer/source/watch.h"
#include "analyzer/verdict/verdict.h"
#include "tests/unit/analyzer/child.h"

#define SECOND INT64_C(1000000000)
#define MILLISECOND INT64_C(1000000)
#define START_NS (UINT64_C(1000) * 1000000000)
#define NOBODY_KNOWS SNAPSHOT_AGE_UNKNOWN

static struct watch *watch;
static struct snapshot now;
static struct snapshot_builder *rows;
static enum snapshot_source looked_at = SNAPSHOT_PROCESS;

static void begin_look(void)
{
    snapshot_init(&now);
    now.source = looked_at;
    now.end = SNAPSHOT_RUNNING;
    now.exe = strdup("app");
    rows = builder_create(&now);
    assert_non_null(rows);
}

/* Ends a look that took 1 ms, `at_ns` after the start. */
static void end_look(int64_t at_ns)
{
    uint64_t begin_ns = START_NS + (uint64_t)at_ns;
    assert_true(builder_is_complete(rows));
    builder_destroy(rows);
    assert_true(watch_look(watch, &now, begin_ns, begin_ns + 1000000));
}

static void forget_look(void)
{
    snapshot_deinit(&now);
}

/* A task that is parked in `call` on `object` at the stack {place, 2}. */
static struct snapshot_task *park(uint64_t id, const char *call, uint64_t object, uint64_t place,
                                  int64_t parked_ns)
{
    uint32_t row = builder_add_call(rows, call, REC_OP_CHAN_SEND, false);
    uint32_t site = place ? builder_add_site(rows, (uint64_t[]){place, 2}, 2, 0) : 0;
    struct snapshot_task *task = builder_add_task(rows);
    assert_non_null(task);
    task->id = id;
    task->kind = REC_KIND_GOROUTINE;
    task->flags = SNAPSHOT_PARKED;
    task->call = row;
    task->object = object;
    task->wait_site = site;
    task->parked_ns = parked_ns;
    return task;
}

static const struct snapshot_task *task_of(uint64_t id)
{
    for (size_t i = 0; i < now.task_count; i++) {
        if (now.tasks[i].id == id)
            return &now.tasks[i];
    }
    fail_msg("no task %d", (int)id);
    return NULL;
}

/* Looks every second from 0 to `last`; `see` adds the tasks of each look. */
static void look_each_second(int last, void (*see)(int second))
{
    watch = watch_create();
    assert_non_null(watch);
    for (int second = 0; second <= last; second++) {
        begin_look();
        see(second);
        end_look(second * SECOND);
        if (second < last)
            forget_look();
    }
    assert_true(watch_tell(watch, &now));
}

static void done(void)
{
    forget_look();
    watch_destroy(watch);
}

static void see_one_that_stays(int second)
{
    /* Rows of the snapshots differ: other calls and sites come first. */
    for (int i = 0; i < second; i++)
        park(100 + (uint64_t)i, "other", 7, 50 + (uint64_t)i, NOBODY_KNOWS);
    park(1, "chan send", 0xc000, 10, NOBODY_KNOWS);
}

static void parked_at_every_look__is_parked_for_as_long(void **state)
{
    (void)state;
    look_each_second(5, see_one_that_stays);
    const struct snapshot_task *task = task_of(1);
    assert_int_equal(task->parked_ns, 5 * SECOND - MILLISECOND);
    assert_int_equal(task->flags,
                     SNAPSHOT_PARKED | SNAPSHOT_AT_LEAST | SNAPSHOT_STAYED | SNAPSHOT_SETTLED);
    assert_int_equal(now.watched_ns, 5 * SECOND - MILLISECOND);
    assert_int_equal(now.looks, 6);
    done();
}

/* Who holds the lock that it waits for was read when the sampler looked, which may be rarely. */
static void wait_in_a_recording__that_the_sampler_saw_once__is_not_settled(void **state)
{
    (void)state;
    looked_at = SNAPSHOT_RECORDING;
    look_each_second(5, see_one_that_stays);
    looked_at = SNAPSHOT_PROCESS;
    assert_int_equal(task_of(1)->parked_ns, 5 * SECOND - MILLISECOND);
    assert_int_equal(task_of(1)->flags, SNAPSHOT_PARKED | SNAPSHOT_AT_LEAST | SNAPSHOT_STAYED);
    done();
}

/* A thread that has ended and is not joined, as by PID. */
static void end_thread(uint64_t id, uint64_t start)
{
    uint32_t site = builder_add_site(rows, (uint64_t[]){start}, 1, SNAPSHOT_SITE_START);
    struct snapshot_task *task = builder_add_task(rows);
    assert_non_null(task);
    task->id = task->handle = id;
    task->kind = REC_KIND_THREAD;
    task->flags = SNAPSHOT_FINISHED | SNAPSHOT_JOINABLE;
    task->spawn_site = site;
}

static void see_ends(int second)
{
    end_thread(0x1000, 0x10);
    end_thread(0x2000, second < 3 ? 0x10 : 0x20); /* from then on, another thread */
    if (second == 5)
        end_thread(0x3000, 0x10);
}

static void ended_at_every_look__has_ended_for_as_long(void **state)
{
    (void)state;
    look_each_second(5, see_ends);
    assert_int_equal(task_of(0x1000)->parked_ns, 5 * SECOND - MILLISECOND);
    assert_int_equal(task_of(0x1000)->flags,
                     SNAPSHOT_FINISHED | SNAPSHOT_JOINABLE | SNAPSHOT_AT_LEAST);
    assert_int_equal(task_of(0x2000)->parked_ns, 2 * SECOND - MILLISECOND);
    assert_int_equal(task_of(0x3000)->parked_ns, 0);
    assert_int_equal(now.before_count, 0);
    done();
}

/* The recording says itself since when, or that nobody knows. */
static void ended_in_a_recording__is_as_old_as_that_says(void **state)
{
    (void)state;
    looked_at = SNAPSHOT_RECORDING;
    look_each_second(5, see_ends);
    looked_at = SNAPSHOT_PROCESS;
    assert_int_equal(task_of(0x1000)->parked_ns, NOBODY_KNOWS);
    done();
}

static void see_one_that_comes(int second)
{
    park(1, "chan send", 0xc000, 10, NOBODY_KNOWS);
    if (second >= 2)
        park(2, "chan send", 0xc000, 10, NOBODY_KNOWS);
    if (second >= 5)
        park(3, "chan send", 0xc000, 10, NOBODY_KNOWS);
}

static void parked_since_a_later_look__is_no_lower_bound(void **state)
{
    (void)state;
    look_each_second(5, see_one_that_comes);
    assert_int_equal(task_of(2)->parked_ns, 3 * SECOND - MILLISECOND);
    assert_int_equal(task_of(2)->flags, SNAPSHOT_PARKED | SNAPSHOT_SETTLED);
    assert_int_equal(task_of(3)->parked_ns, 0);
    assert_int_equal(task_of(3)->flags, SNAPSHOT_PARKED);
    done();
}

static void see_one_on_another_object(int second)
{
    park(1, "chan send", second < 3 ? 0xc000 : 0xd000, 10, NOBODY_KNOWS);
    park(2, "chan send", 0xc000, second < 3 ? 10 : 20, NOBODY_KNOWS);
    park(3, second < 3 ? "chan send" : "chan receive", 0xc000, 10, NOBODY_KNOWS);
    if (second != 3)
        park(4, "chan send", 0xc000, 10, NOBODY_KNOWS);
}

static void parked_on_something_else__is_parked_since_then(void **state)
{
    (void)state;
    look_each_second(5, see_one_on_another_object);
    for (uint64_t id = 1; id <= 3; id++) {
        assert_int_equal(task_of(id)->parked_ns, 2 * SECOND - MILLISECOND);
        assert_int_equal(task_of(id)->flags, SNAPSHOT_PARKED | SNAPSHOT_SETTLED);
    }
    assert_int_equal(task_of(4)->parked_ns, SECOND - MILLISECOND);
    done();
}

static void see_one_that_parks_again(int second)
{
    struct snapshot_task *task = park(1, "chan send", 0xc000, 10, NOBODY_KNOWS);
    task->wait_number = second < 3 ? 7 : 8;
    /* Its stack was not read at first: the number says that it is the same wait. */
    task = park(2, "chan send", 0xc000, second ? 10 : 0, second ? 0 : NOBODY_KNOWS);
    task->wait_number = 7;
}

static void parked_again_on_the_same_thing__has_moved(void **state)
{
    (void)state;
    look_each_second(5, see_one_that_parks_again);
    assert_int_equal(task_of(1)->parked_ns, 2 * SECOND - MILLISECOND);
    assert_false(task_of(1)->flags & SNAPSHOT_STAYED);
    assert_int_equal(task_of(2)->parked_ns, 5 * SECOND - MILLISECOND);
    assert_true(task_of(2)->flags & SNAPSHOT_STAYED);
    done();
}

static void see_short_numbers(int second)
{
    const uint16_t noted = SNAPSHOT_AT_LEAST | SNAPSHOT_NOTED;
    bool later = second >= 3;
    struct snapshot_task *tasks[] = {
        park(1, "chan send", 0xc000, 10, NOBODY_KNOWS),
        park(2, "chan send", 0xc000, later ? 20 : 10, NOBODY_KNOWS),
        /* The collector had seen it, and has not any more; has seen it, but later. */
        park(3, "chan send", 0xc000, 10, later ? NOBODY_KNOWS : (5 + second) * SECOND),
        park(4, "chan send", 0xc000, 10, later ? (second - 3) * SECOND : (5 + second) * SECOND),
        /* Nothing in the process ran for a while; then something did. */
        park(5, "chan send", 0xc000, 10, later ? NOBODY_KNOWS : (5 + second) * SECOND),
        park(6, "chan send", 0xc000, 10, later ? (second - 3) * SECOND : (5 + second) * SECOND),
        park(7, "chan send", 0xc000, 10, later ? (5 + second) * SECOND : NOBODY_KNOWS),
    };
    for (int i = 0; i < 7; i++)
        tasks[i]->wait_number = 0x142;
    tasks[2]->flags |= later ? 0 : noted;
    tasks[3]->flags |= noted;
    tasks[4]->flags |= later ? 0 : SNAPSHOT_AT_LEAST;
    tasks[5]->flags |= SNAPSHOT_AT_LEAST;
    tasks[6]->flags |= later ? noted : 0;
}

/* One busy worker of 256 has the number of the look before. */
static void number_of_8_bits__that_is_the_same__proves_nothing(void **state)
{
    (void)state;
    look_each_second(5, see_short_numbers);
    for (uint64_t id = 1; id <= 7; id++) {
        bool stays = id == 1 || id >= 5;
        assert_int_equal(task_of(id)->flags & SNAPSHOT_STAYED, stays ? SNAPSHOT_STAYED : 0);
    }
    done();
}

static void see_uncounted(int second)
{
    struct snapshot_task *tasks[] = {
        park(1, "coroutine", 0, 10, NOBODY_KNOWS),
        /* Nothing in the process ran since before the watch; since second 3. */
        park(2, "coroutine", 0, 10, (60 + second) * SECOND),
        park(3, "coroutine", 0, 10, second < 3 ? (60 + second) * SECOND : (second - 3) * SECOND),
    };
    for (int i = 0; i < 3; i++)
        tasks[i]->wait_number = SNAPSHOT_WAITS_UNCOUNTED;
}

static void uncounted_wait__is_another_one_unless_nothing_ran(void **state)
{
    (void)state;
    look_each_second(5, see_uncounted);
    assert_int_equal(task_of(1)->parked_ns, NOBODY_KNOWS);
    assert_int_equal(task_of(2)->parked_ns, 65 * SECOND);
    assert_int_equal(task_of(3)->parked_ns, 2 * SECOND);
    for (uint64_t id = 1; id <= 3; id++)
        assert_int_equal(task_of(id)->flags & SNAPSHOT_STAYED, id == 2 ? SNAPSHOT_STAYED : 0);
    done();
}

static void see_ages_of_the_source(int second)
{
    /* Known all along, and older than the watch. */
    park(1, "chan send", 0xc000, 10, (60 + second) * SECOND);
    /* The collector comes by at second 3. */
    struct snapshot_task *task =
        park(2, "chan send", 0xc000, 10, second < 3 ? NOBODY_KNOWS : (second - 3) * SECOND);
    if (second >= 3)
        task->flags |= SNAPSHOT_AT_LEAST;
    /* It ran after the second look: what the collector had seen is gone. */
    task = park(3, "chan send", 0xc000, 10, second < 2 ? (5 + second) * SECOND : NOBODY_KNOWS);
    if (second < 2)
        task->flags |= SNAPSHOT_AT_LEAST;
    /* It ran, and the source knows since when it is parked again. */
    park(4, "chan send", 0xc000, 10, second < 3 ? (5 + second) * SECOND : (second - 3) * SECOND);
}

static void ages_of_the_source__are_never_lowered_and_tell_who_moved(void **state)
{
    (void)state;
    look_each_second(5, see_ages_of_the_source);
    assert_int_equal(task_of(1)->parked_ns, 65 * SECOND);
    assert_int_equal(task_of(1)->flags & (SNAPSHOT_AT_LEAST | SNAPSHOT_STAYED), SNAPSHOT_STAYED);
    assert_int_equal(task_of(2)->parked_ns, 5 * SECOND - MILLISECOND);
    assert_int_equal(task_of(2)->flags & (SNAPSHOT_AT_LEAST | SNAPSHOT_STAYED),
                     SNAPSHOT_AT_LEAST | SNAPSHOT_STAYED);
    assert_int_equal(task_of(3)->parked_ns, 3 * SECOND - MILLISECOND);
    assert_false(task_of(3)->flags & (SNAPSHOT_AT_LEAST | SNAPSHOT_STAYED));
    assert_int_equal(task_of(4)->parked_ns, 2 * SECOND);
    assert_false(task_of(4)->flags & SNAPSHOT_STAYED);
    done();
}

static void see_ids_that_are_not(int second)
{
    (void)second;
    park(1, "chan send", 0xc000, 10, NOBODY_KNOWS);
    park(1, "chan receive", 0xd000, 20, NOBODY_KNOWS);
    struct snapshot_task *thread = park(1, "chan send", 0xe000, 10, NOBODY_KNOWS);
    thread->kind = REC_KIND_THREAD;
}

static void ids__are_those_of_a_kind(void **state)
{
    (void)state;
    look_each_second(2, see_ids_that_are_not);
    assert_int_equal(now.tasks[0].parked_ns, 2 * SECOND - MILLISECOND);
    assert_int_equal(now.tasks[2].parked_ns, 2 * SECOND - MILLISECOND);
    done();
}

/* ---- What grew ---- */

static struct waits waits;
static struct verdicts verdicts;

static void judge(void)
{
    const struct verdict_options options = {SECOND, 10};
    assert_true(waits_init(&waits, &now));
    assert_true(verdicts_init(&verdicts, &now, &waits, &options));
}

static void done_judging(void)
{
    verdicts_deinit(&verdicts);
    waits_deinit(&waits);
    done();
}

static const struct group *group_at(uint64_t place)
{
    for (size_t i = 0; i < verdicts.count; i++) {
        const struct wait *wait = verdicts.groups[i].wait;
        if (wait && now.pcs[now.sites[wait->site].first_pc] == place)
            return &verdicts.groups[i];
    }
    fail_msg("no group at %d", (int)place);
    return NULL;
}

static bool says(const struct group *group, const char *words)
{
    for (size_t i = 0; i < group->evidence_count; i++) {
        if (strstr(group->evidence[i], words))
            return true;
    }
    return false;
}

static void see_groups(int second)
{
    for (uint64_t i = 0; i < 54 + 10 * (uint64_t)second; i++) /* all stay, more come */
        park(1 + i, "chan send", 0xc000 + i, 10, NOBODY_KNOWS);
    for (uint64_t i = 0; i < 8; i++) /* as many, but six others */
        park(1000 + (i < 2 ? i : i + 10 * (uint64_t)second), "chan send", 0xd000, 20, NOBODY_KNOWS);
    for (uint64_t i = (uint64_t)second; i < 6; i++) /* they leave */
        park(2000 + i, "chan send", 0xe000, 30, NOBODY_KNOWS);
    park(3000, "chan send", 0xf000, 40, NOBODY_KNOWS);
    if (second == 0)
        park(4000, "chan send", 0xf000, 50, NOBODY_KNOWS);
}

static void groups__are_counted_at_the_first_look_and_the_last(void **state)
{
    (void)state;
    look_each_second(5, see_groups);
    judge();
    const struct group *grown = group_at(10);
    assert_true(grown->watched);
    assert_int_equal(grown->count, 104);
    assert_int_equal(grown->first_count, 54);
    assert_int_equal(grown->stayed, 54);
    assert_int_equal(grown->grown, 50);
    assert_true(says(grown, "grew from 54 to 104 while it was watched (4.9s); 54 stayed parked"));
    const struct group *changed = group_at(20);
    assert_int_equal(changed->count, 8);
    assert_int_equal(changed->first_count, 8);
    assert_int_equal(changed->stayed, 2);
    assert_true(says(changed, "as many as when the watch began (4.9s before), of which 2 stayed"));
    const struct group *left = group_at(30);
    assert_int_equal(left->count, 1);
    assert_int_equal(left->first_count, 6);
    assert_int_equal(left->stayed, 1);
    assert_true(says(left, "went down from 6 to 1"));
    const struct group *one = group_at(40);
    assert_int_equal(one->first_count, 1);
    assert_true(says(one, "it was parked on the same thing all the while"));
    done_judging();
}

static void one_look__says_nothing_of_growth(void **state)
{
    (void)state;
    look_each_second(0, see_groups);
    judge();
    const struct group *group = group_at(10);
    assert_false(group->watched);
    assert_false(says(group, "watch"));
    assert_int_equal(now.looks, 0);
    assert_int_equal(task_of(1)->parked_ns, NOBODY_KNOWS);
    done_judging();
}

static void see_two_lots(int second)
{
    for (uint64_t i = second ? 1 : 0; i < 4; i++) {
        struct snapshot_task *task = park(1 + i, "chan send", 0xc000, 10, NOBODY_KNOWS);
        if (i == 3)
            task->flags |= SNAPSHOT_SYSTEM;
    }
}

static void tasks_that_left_from_one_of_two_groups__are_not_counted_for_either(void **state)
{
    (void)state;
    look_each_second(1, see_two_lots);
    judge();
    assert_int_equal(verdicts.count, 2);
    assert_false(verdicts.groups[0].watched);
    assert_false(verdicts.groups[1].watched);
    done_judging();
}

/* ---- When to look ---- */

static void next_look__is_a_tenth_later_within_bounds(void **state)
{
    const uint64_t soon = START_NS + (uint64_t)MILLISECOND;
    (void)state;
    assert_int_equal(watch_next_look(START_NS, soon, UINT64_MAX, 10 * SECOND),
                     START_NS + (uint64_t)SECOND);
    assert_int_equal(watch_next_look(START_NS, soon, UINT64_MAX, 3600 * SECOND),
                     START_NS + (uint64_t)(2 * SECOND));
    assert_int_equal(watch_next_look(START_NS, soon, UINT64_MAX, 300 * MILLISECOND),
                     START_NS + (uint64_t)(100 * MILLISECOND));
}

static void next_look__rests_as_long_as_a_look_took(void **state)
{
    const uint64_t end = START_NS + (uint64_t)(1500 * MILLISECOND);
    (void)state;
    assert_int_equal(watch_next_look(START_NS, end, UINT64_MAX, 10 * SECOND),
                     START_NS + (uint64_t)(3 * SECOND));
    /* One that would not be over in time for the last is left out. */
    assert_int_equal(watch_next_look(START_NS, end, START_NS + (uint64_t)(5 * SECOND), 10 * SECOND),
                     START_NS + (uint64_t)(5 * SECOND));
}

/* ---- The loop ---- */

struct script {
    int looks, fail_at, end_at;
    const char *second_exe;
    const char *second_recording;
    bool late; /* it is the first one */
    pid_t pid; /* 0: this process */
};

/* A child that executes when it is told to. Without an environment: its stack begins elsewhere then
 * also where the kernel leaves nothing to chance. */
static void execute_when_told(void)
{
    child_ready();
    while (!shared->words[0])
        sleep_ms(1);
    execle("/bin/sleep", "sleep", "100", (char *)NULL, (char *[]){NULL});
}

static void tell_to_execute(pid_t pid)
{
    char *own = process_exe(pid);
    bool executed = false;
    assert_non_null(own);
    shared->words[0] = 1;
    for (int i = 0; i < 10000 && !executed; i++) {
        char *exe = process_exe(pid);
        executed = exe && strcmp(exe, own) != 0 && process_auxv(pid, AT_RANDOM);
        free(exe);
        sleep_ms(1);
    }
    free(own);
    assert_true(executed);
}

static bool read_script(void *arg, struct snapshot *ret, struct err *err)
{
    struct script *script = arg;
    int look = script->looks++;
    if (script->pid && look == 1)
        tell_to_execute(script->pid);
    if (look == script->fail_at)
        return err_set(err, ERR_NO_SUCH_PROCESS, "1", "is gone");
    ret->source = SNAPSHOT_PROCESS;
    ret->pid = (uint32_t)(script->pid ? script->pid : getpid());
    ret->exe = strdup(look && script->second_exe ? script->second_exe : "app");
    if (script->second_recording)
        ret->path = look           ? strdup(script->second_recording)
                    : script->late ? NULL
                                   : strdup("1-0.rec");
    ret->end = look == script->end_at ? SNAPSHOT_VANISHED : SNAPSHOT_RUNNING;
    rows = builder_create(ret);
    park(1, "chan send", 0xc000, 10, NOBODY_KNOWS);
    builder_destroy(rows);
    return true;
}

static bool run(struct script *script, struct err *err)
{
    const struct watch_source source = {read_script, script};
    memset(err, 0, sizeof(*err));
    return watch_run(&source, 150 * MILLISECOND, &now, err);
}

static void run__looks_until_the_time_is_over(void **state)
{
    (void)state;
    struct script script = {.fail_at = -1, .end_at = -1};
    struct err err;
    assert_true(run(&script, &err));
    assert_true(script.looks >= 2);
    assert_int_equal(now.looks, script.looks);
    assert_true(now.watched_ns >= 150 * MILLISECOND);
    assert_true(now.tasks[0].parked_ns >= 150 * MILLISECOND);
    assert_int_equal(now.note_count, 0);
    snapshot_deinit(&now);
}

static void run__ends_with_the_process_and_says_so(void **state)
{
    (void)state;
    static const char exec[] = "it executed another program";
    struct {
        struct script script;
        const char *words;
        bool goes_on; /* so that nothing found is no answer */
    } cases[] = {
        {{.fail_at = 1, .end_at = -1}, "while it was watched", true}, /* its number is this one's */
        {{.fail_at = -1, .end_at = 1}, "it ended while it was watched", false},
        {{.fail_at = -1, .end_at = -1, .second_exe = "other"}, exec, true},
        {{.fail_at = -1, .end_at = -1, .second_recording = "1-1.rec"}, exec, true},
        {{.fail_at = -1, .end_at = -1, .second_recording = "1-0.rec", .late = true},
         "its recording began",
         true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err;
        assert_true(run(&cases[i].script, &err));
        assert_int_equal(cases[i].script.looks, 2);
        assert_int_equal(now.note_count, 1);
        assert_non_null(strstr(now.notes[0], cases[i].words));
        assert_int_equal(now.doubt != NULL, cases[i].goes_on);
        assert_int_equal(err.kind, ERR_NONE);
        snapshot_deinit(&now);
    }
}

/* Nothing else may differ when a program executes itself, and its recording begins later. */
static void run__exec_of_the_same_program__said(void **state)
{
    (void)state;
    struct script cases[] = {
        {.fail_at = -1, .end_at = -1},
        {.fail_at = -1, .end_at = -1, .second_recording = "1-0.rec", .late = true},
        {.fail_at = 1, .end_at = -1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err;
        cases[i].pid = child_start(execute_when_told);
        assert_true(run(&cases[i], &err));
        child_end(cases[i].pid);
        assert_int_equal(cases[i].looks, 2);
        assert_int_equal(now.note_count, 1);
        assert_non_null(strstr(now.notes[0], "it executed another program while it was watched"));
        assert_non_null(now.doubt);
        snapshot_deinit(&now);
    }
}

/* Its recording, which tells so itself, is the last look. */
static void run__recording_that_ends_with_the_exec__is_told(void **state)
{
    (void)state;
    struct script script = {.fail_at = -1, .end_at = 1, .pid = child_start(execute_when_told)};
    struct err err;
    assert_true(run(&script, &err));
    child_end(script.pid);
    assert_int_equal(now.looks, 2);
    assert_non_null(strstr(now.notes[0], "it ended while it was watched"));
    snapshot_deinit(&now);
}

static void run__refuses_what_does_not_move(void **state)
{
    (void)state;
    struct script dead = {.fail_at = -1, .end_at = 0};
    struct script gone = {.fail_at = 0, .end_at = -1};
    struct err err;
    assert_false(run(&dead, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    assert_non_null(strstr(err.why, "does not run"));
    assert_false(run(&gone, &err));
    assert_int_equal(err.kind, ERR_NO_SUCH_PROCESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parked_at_every_look__is_parked_for_as_long),
        cmocka_unit_test(wait_in_a_recording__that_the_sampler_saw_once__is_not_settled),
        cmocka_unit_test(ended_at_every_look__has_ended_for_as_long),
        cmocka_unit_test(ended_in_a_recording__is_as_old_as_that_says),
        cmocka_unit_test(parked_since_a_later_look__is_no_lower_bound),
        cmocka_unit_test(parked_on_something_else__is_parked_since_then),
        cmocka_unit_test(parked_again_on_the_same_thing__has_moved),
        cmocka_unit_test(number_of_8_bits__that_is_the_same__proves_nothing),
        cmocka_unit_test(uncounted_wait__is_another_one_unless_nothing_ran),
        cmocka_unit_test(ages_of_the_source__are_never_lowered_and_tell_who_moved),
        cmocka_unit_test(ids__are_those_of_a_kind),
        cmocka_unit_test(groups__are_counted_at_the_first_look_and_the_last),
        cmocka_unit_test(one_look__says_nothing_of_growth),
        cmocka_unit_test(tasks_that_left_from_one_of_two_groups__are_not_counted_for_either),
        cmocka_unit_test(next_look__is_a_tenth_later_within_bounds),
        cmocka_unit_test(next_look__rests_as_long_as_a_look_took),
        cmocka_unit_test(run__looks_until_the_time_is_over),
        cmocka_unit_test(run__ends_with_the_process_and_says_so),
        cmocka_unit_test(run__exec_of_the_same_program__said),
        cmocka_unit_test(run__recording_that_ends_with_the_exec__is_told),
        cmocka_unit_test(run__refuses_what_does_not_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
