#include "tests/e2e/kill_claims.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/e2e/harness.h"

static const struct {
    const char *op, *object, *function;
} ops[] = {
#define X(name, op, object, function) {op, object, function},
    BOOK_OPS(X)
#undef X
};

/* What is compared, and what came of it. */
struct comparison {
    const struct book_process *process;
    const struct kill_moment *moment;
    struct kill_counts *counts;
    unsigned falsehoods;
};

__attribute__((format(printf, 2, 3))) static void is_false(struct comparison *comparison,
                                                           const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("false: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    comparison->falsehoods++;
}

static int64_t number_at(const json_t *json, const char *path)
{
    return json_integer_value(json_at(json, path));
}

/* --- numbers --------------------------------------------------------------------------------- */

static void compare_number(struct comparison *comparison, const char *name, int64_t told,
                           struct kill_range range)
{
    if (told < range.low || told > range.high)
        is_false(comparison, "%s: %ld, and it was %ld to %ld", name, (long)told, (long)range.low,
                 (long)range.high);
}

/* What the book says of how a thread may be told: as live, as one that nobody joined, or not. */
struct kill_thread {
    bool live, unjoined, gone;
};

static struct kill_thread how_told(const struct book_process *process,
                                   const struct book_thread *thread)
{
    /* Recorded when it first waits, or starts another. */
    if (thread->flags & BOOK_MAIN)
        return (struct kill_thread){.live = true, .gone = !process->created || thread->returning};
    bool joinable = !(thread->flags & BOOK_DETACHED);
    return (struct kill_thread){
        .live = thread->creating && !thread->joined,
        .unjoined = joinable && thread->returning && !thread->joined,
        .gone = !thread->created || thread->joining || (!joinable && thread->returning),
    };
}

static uint32_t rows_of(const struct book_process *process)
{
    return process->threads < BOOK_THREADS ? process->threads : BOOK_THREADS;
}

static void compare_numbers(struct comparison *comparison, const json_t *json)
{
    const struct book_process *process = comparison->process;
    struct kill_range live = {0}, unjoined = {0}, both = {0};
    for (uint32_t i = 0; i < rows_of(process); i++) {
        struct kill_thread told = how_told(process, &process->thread[i]);
        live.low += told.live && !told.unjoined && !told.gone;
        live.high += told.live;
        unjoined.high += told.unjoined;
        both.low += (told.live || told.unjoined) && !told.gone;
        both.high += told.live || told.unjoined;
    }
    int64_t tasks = number_at(json, "totals.tasks"), ended = number_at(json, "totals.unjoined");
    compare_number(comparison, "tasks", tasks, live);
    compare_number(comparison, "unjoined", ended, unjoined);
    compare_number(comparison, "tasks and unjoined", tasks + ended, both);
    compare_number(
        comparison, "running and parked", tasks,
        (struct kill_range){number_at(json, "totals.running") + number_at(json, "totals.parked"),
                            number_at(json, "totals.running") + number_at(json, "totals.parked")});
    compare_number(comparison, "spawned", number_at(json, "totals.spawned"),
                   (struct kill_range){process->created + (process->created > 0),
                                       (int64_t)process->creating + 1});
    compare_number(comparison, "finished", number_at(json, "totals.finished"),
                   (struct kill_range){process->joined, process->returning});
    compare_number(comparison, "lost", number_at(json, "totals.lost"), (struct kill_range){0, 0});
}

/* --- groups ---------------------------------------------------------------------------------- */

static const struct book_thread *find_thread(const struct book_process *process, int64_t tid)
{
    for (uint32_t i = rows_of(process); i-- > 0;)
        if (process->thread[i].tid == tid)
            return &process->thread[i];
    return NULL;
}

/* A wait of a thread that a group tells of. */
struct claim {
    const char *op;
    uint64_t object;
    uint64_t since_ns; /* that it has lasted since then; 0: it does not say */
};

static bool is_that(const struct book_wait *wait, const struct claim *claim)
{
    return wait->op != BOOK_NOTHING && strcmp(ops[wait->op].op, claim->op) == 0 &&
           wait->object == claim->object && wait->begin_ns <= claim->since_ns;
}

static const struct book_wait *wait_of(const struct book_thread *thread, uint32_t age)
{
    return &thread->wait[(thread->waits - 1 - age) % BOOK_WAITS];
}

/* Whether a wait that the book has at `age` (0: the newest) may be told of. A lock that was free
 * when it was asked for, and that another thread took nevertheless, is told until the thread waits
 * again or the sampler sees it elsewhere; all others until they return. */
static bool may_tell(const struct book_thread *thread, uint32_t age)
{
    if (age == 0)
        return wait_of(thread, 0)->end_ns == 0 || wait_of(thread, 0)->op == BOOK_MUTEX;
    return age == 1 && wait_of(thread, 1)->op == BOOK_MUTEX && wait_of(thread, 0)->end_ns == 0;
}

static bool is_true(const struct book_thread *thread, const struct claim *claim)
{
    for (uint32_t age = 0; age < 2 && age < thread->waits; age++)
        if (is_that(wait_of(thread, age), claim) && may_tell(thread, age))
            return true;
    return false;
}

static void print_thread(const struct book_thread *thread)
{
    uint32_t known = thread->waits < BOOK_WAITS ? thread->waits : BOOK_WAITS;
    fprintf(stderr, "  thread %d, flags %u, created %u %u, returning %u, joined %u %u; waits:\n",
            thread->tid, thread->flags, thread->creating, thread->created, thread->returning,
            thread->joining, thread->joined);
    for (uint32_t age = 0; age < known; age++) {
        const struct book_wait *wait = wait_of(thread, age);
        fprintf(stderr, "    %s %#lx from %lu to %lu\n", ops[wait->op].op, (long)wait->object,
                (long)wait->begin_ns, (long)wait->end_ns);
    }
}

static bool is_in_stack(const json_t *stack, const char *function)
{
    size_t i;
    json_t *frame;
    json_array_foreach(stack, i, frame)
    {
        const char *name = json_string_value(json_object_get(frame, "function"));
        if (name && strcmp(name, function) == 0)
            return true;
    }
    return json_array_size(stack) == 0; /* it was not taken yet */
}

static const char *function_of(const char *op, const char *call)
{
    for (size_t i = 1; i < LENGTH(ops); i++)
        if (strcmp(ops[i].op, op) == 0 && strstr(call, ops[i].function + strlen("in_")))
            return ops[i].function;
    return "a function of the book's";
}

static void compare_wait(struct comparison *comparison, const json_t *group, const json_t *task,
                         const struct book_thread *thread)
{
    const char *verdict = json_string_value(json_object_get(group, "verdict"));
    const json_t *object = json_object_get(task, "object");
    int64_t parked_ns = number_at(task, "parked_ns");
    struct claim claim = {.op = json_string_value(json_object_get(group, "op")),
                          .since_ns = comparison->moment->now_ns - (uint64_t)parked_ns};
    if (parked_ns == 0)
        claim.since_ns = UINT64_MAX;
    if (object == NULL)
        object = json_object_get(group, "object");
    const char *address = json_string_value(json_object_get(object, "address"));
    claim.object = address ? strtoull(address, NULL, 16) : 0;
    comparison->counts->waits++;
    if (!is_true(thread, &claim)) {
        is_false(comparison, "%s of %#lx, since %lu (%ld ns)", claim.op, (long)claim.object,
                 (long)claim.since_ns, (long)parked_ns);
        print_thread(thread);
    }
    if (strcmp(verdict, "deadlocked") == 0) {
        comparison->counts->deadlocks++;
        if (!comparison->moment->shuffled &&
            (!(thread->flags & BOOK_DEADLOCKED) || thread->waits != 2)) {
            is_false(comparison, "thread %d is deadlocked", thread->tid);
            print_thread(thread);
        }
    }
    if (strcmp(claim.op, "sleep") == 0 && strcmp(verdict, "waiting") != 0)
        is_false(comparison, "a sleep is %s", verdict);
}

static void compare_task(struct comparison *comparison, const json_t *group, const json_t *task)
{
    const char *verdict = json_string_value(json_object_get(group, "verdict"));
    const char *op = json_string_value(json_object_get(group, "op"));
    const struct book_thread *thread = find_thread(comparison->process, number_at(task, "os_tid"));
    if (!thread) {
        is_false(comparison, "there is a thread %ld", (long)number_at(task, "os_tid"));
        return;
    }
    if (thread->flags & BOOK_MOVED) {
        comparison->counts->moved++;
        return;
    }
    struct kill_thread told = how_told(comparison->process, thread);
    if (strcmp(op, "exited") == 0) {
        comparison->counts->unjoined++;
        if (!told.unjoined) {
            is_false(comparison, "thread %d ended and was not joined", thread->tid);
            print_thread(thread);
        }
        return;
    }
    if (!told.live) {
        is_false(comparison, "thread %d is there", thread->tid);
        print_thread(thread);
    }
    if (strcmp(verdict, "unjoined") == 0 || strcmp(verdict, "leaked") == 0)
        is_false(comparison, "thread %d is %s", thread->tid, verdict);
    compare_wait(comparison, group, task, thread);
}

static void compare_group(struct comparison *comparison, const json_t *group)
{
    size_t i;
    json_t *task;
    const char *op = json_string_value(json_object_get(group, "op"));
    const char *call = json_string_value(json_object_get(group, "call"));
    json_array_foreach(json_object_get(group, "tasks"), i, task)
    {
        compare_task(comparison, group, task);
    }
    if (comparison->moment->copied)
        return;
    const char *function = call ? function_of(op, call) : NULL;
    if (function && !is_in_stack(json_object_get(group, "wait_stack"), function)) {
        char *text = json_dumps(json_object_get(group, "wait_stack"), JSON_INDENT(1));
        is_false(comparison, "a stack of %s without %s: %s", call, function, text);
        free(text);
    }
    if (!is_in_stack(json_object_get(group, "spawn_stack"), "spawn"))
        is_false(comparison, "a thread was not started in spawn");
}

/* --- all of it ------------------------------------------------------------------------------- */

unsigned kill_compare(const json_t *json, const struct book_process *process,
                      const struct kill_moment *moment, struct kill_counts *counts)
{
    static struct book_process nothing_yet;
    struct comparison comparison = {
        .process = process ? process : &nothing_yet, .moment = moment, .counts = counts};
    size_t i;
    json_t *group;
    counts->reports++;
    if (!moment->copied)
        compare_numbers(&comparison, json);
    json_array_foreach(json_object_get(json, "groups"), i, group)
    {
        compare_group(&comparison, group);
    }
    if (comparison.falsehoods) {
        char *text = json_dumps(json, JSON_COMPACT);
        fprintf(stderr, "in the report:\n%s\n", text);
        free(text);
    }
    return comparison.falsehoods;
}
