/* A program that spawns, blocks, wakes and ends goroutines as fast as it can, and grows their
 * stacks (go_churn.go), is scanned again and again, without being stopped: never an error, never a
 * stack that the program cannot have, and never a wrong result of the program's own.
 *
 * Usage: test_go_churn [PROGRAM [SCANS [REPORTS]]]    (go_churn_cgo, 10000, 100) */
#include "tests/e2e/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "analyzer/image/image.h"
#include "analyzer/inspect/go_runtime.h"
#include "analyzer/process/image.h"

static const char *program = "go_churn_cgo";
static int scan_count = 10000, report_count = 100;

/* What a function of the program may wait for; "" ends the list. Until Go 1.19 all locks are
 * "semacquire". */
static const struct leaf {
    const char *function;
    const char *ops[4];
} leaves[] = {
    {"main.blockSend", {"chan send"}},
    {"main.blockReceive", {"chan receive"}},
    {"main.blockSelect", {"select"}},
    {"main.blockMutex", {"semacquire", "sync.Mutex.Lock"}},
    {"main.blockCond", {"sync.Cond.Wait", "semacquire", "sync.Mutex.Lock"}},
    {"main.blockRead", {"semacquire", "sync.RWMutex.RLock"}},
    {"main.blockWrite", {"semacquire", "sync.RWMutex.Lock", "sync.Mutex.Lock"}},
    {"main.blockSleep", {"sleep"}},
    {"main.blockGroup", {"semacquire", "sync.WaitGroup.Wait"}},
    {"main.worker", {"semacquire", "sync.WaitGroup.Wait"}},
    {"main.churn", {"semacquire", "sync.WaitGroup.Wait"}},
    {"main.main", {"IO wait", "syscall", "semacquire", "sync.WaitGroup.Wait"}},
};

/* Any of its functions may come to help the collector, or be stopped by it. */
static const char *const any_ops[] = {
    "GC assist wait",     "GC assist marking",     "preempted",
    "wait for GC cycle",  "garbage collection",    "garbage collection scan",
    "stopping the world", "GC mark termination",   "flushing proc caches",
    "GC sweep wait",      "GC weak to strong wait"};

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* What the compiler makes of a go or defer statement in `function`: "main.spawn.func1",
 * "main.spawn.gowrap1". */
static bool is_made_in(const char *name, const char *function)
{
    size_t bytes = strlen(function);
    return strncmp(name, function, bytes) == 0 &&
           (begins(name + bytes, ".func") || begins(name + bytes, ".gowrap") ||
            begins(name + bytes, ".deferwrap") || begins(name + bytes, ".\302\267dwrap"));
}

/* Whether `caller` may call `callee`; NULL: nothing of the program did. */
static bool may_call(const char *caller, const char *callee)
{
    int depth, below;
    if (sscanf(callee, "main.descend%d", &depth) == 1)
        return caller &&
               ((sscanf(caller, "main.descend%d", &below) == 1 && depth == (below + 1) % 8) ||
                (depth == 0 && strcmp(caller, "main.worker") == 0));
    if (begins(callee, "main.block") && !is_made_in(callee, "main.blockGroup"))
        return caller && begins(caller, "main.descend");
    if (strcmp(callee, "main.worker") == 0)
        return !caller || strcmp(caller, "main.worker") == 0 || is_made_in(caller, "main.spawn");
    if (strcmp(callee, "main.churn") == 0)
        return !caller || is_made_in(caller, "main.main");
    if (strcmp(callee, "main.finish") == 0)
        return !caller || is_made_in(caller, "main.blockGroup");
    if (strcmp(callee, "main.main") == 0 || is_made_in(callee, "main.main") ||
        is_made_in(callee, "main.spawn") || is_made_in(callee, "main.blockGroup"))
        return !caller;
    if (strcmp(callee, "main.room") == 0)
        return caller && begins(caller, "main.descend");
    if (strcmp(callee, "main.newExchange") == 0 || strcmp(callee, "main.spawn") == 0)
        return caller && (strcmp(caller, "main.worker") == 0 || strcmp(caller, "main.churn") == 0);
    if (is_made_in(callee, "main.worker"))
        return caller && strcmp(caller, "main.worker") == 0;
    if (is_made_in(callee, "main.churn"))
        return caller && strcmp(caller, "main.churn") == 0;
    return false;
}

/* In the midst of helping the collector: what that waits for is the runtime's business. */
static bool collects(const char *function)
{
    return strcmp(function, "runtime.gcAssistAlloc") == 0 ||
           strcmp(function, "runtime.gcStart") == 0;
}

static bool may_wait_for(const char *innermost, const char *op)
{
    for (size_t i = 0; i < LENGTH(any_ops); i++)
        if (strcmp(any_ops[i], op) == 0)
            return true;
    for (size_t i = 0; i < LENGTH(leaves); i++)
        for (size_t j = 0; strcmp(leaves[i].function, innermost) == 0 && j < 4 && leaves[i].ops[j];
             j++)
            if (strcmp(leaves[i].ops[j], op) == 0)
                return true;
    return false;
}

/* What is wrong with a stack of the program (innermost first), or NULL. */
static const char *fault_of(const char *const *functions, size_t count, const char *op)
{
    const char *callee = NULL;
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        any = any || collects(functions[i]);
        if (!begins(functions[i], "main."))
            continue;
        if (!callee && !any && !may_wait_for(functions[i], op))
            return "it cannot wait for that there";
        if (callee && !may_call(functions[i], callee))
            return "it does not call that";
        callee = functions[i];
    }
    if (callee && !may_call(NULL, callee))
        return "it does not begin there";
    return NULL;
}

static void fail_with(const char *fault, const char *const *functions, size_t count, const char *op,
                      int round)
{
    fprintf(stderr, "look %d: %s: a goroutine in \"%s\" at\n", round, fault, op);
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, "  %s\n", functions[i]);
    fail();
}

/* ---- scans ---- */

enum { NAME_ROOM = 8192, MAX_FRAMES = 1024 };

/* Names of the functions at an address, worked out once. */
struct named {
    uint64_t pc;
    size_t count;
    char *functions[8];
};

struct scans {
    struct go_runtime runtime;
    struct named names[NAME_ROOM]; /* a hash table */
    int round;
    uint64_t parked, moved, cut;
    size_t deepest;
};

static const struct named *names_at(struct scans *scans, uint64_t pc)
{
    static struct pclntab_call calls[PCLNTAB_MAX_INLINED];
    size_t at = (size_t)(pc * 0x9e3779b97f4a7c15U >> 51);
    while (scans->names[at].pc && scans->names[at].pc != pc)
        at = (at + 1) % NAME_ROOM;
    struct named *named = &scans->names[at];
    if (!named->pc) {
        named->pc = pc;
        size_t count = pclntab_calls(&scans->runtime.scan.functions, pc, calls);
        for (size_t i = 0; i < count && i < LENGTH(named->functions); i++)
            named->functions[named->count++] = strdup(calls[i].function);
    }
    return named;
}

static bool look(const struct go_goroutine *it, void *arg)
{
    struct scans *scans = arg;
    const char *functions[MAX_FRAMES] = {NULL};
    size_t count = 0;
    scans->moved += it->moved;
    if (!it->parked || it->system)
        return true;
    scans->parked++;
    const char *op = scans->runtime.scan.reasons[it->reason].text;
    for (uint32_t i = 0; i < it->stack->count; i++) {
        const struct named *named = names_at(scans, it->stack->pcs[i] - (i > 0));
        if (named->count == 0)
            fail_with("an address of no function", functions, count, op, scans->round);
        for (size_t j = 0; j < named->count && count < MAX_FRAMES; j++)
            functions[count++] = named->functions[j];
    }
    if (count > scans->deepest)
        scans->deepest = count;
    if (it->stack->broken)
        fail_with("a stack without an end", functions, count, op, scans->round);
    scans->cut += it->stack->cut;
    const char *fault = fault_of(functions, count, op);
    if (fault)
        fail_with(fault, functions, count, op, scans->round);
    return true;
}

/* ---- tests ---- */

static struct target *start_churn(void)
{
    char path[512];
    snprintf(path, sizeof path, "%s%s", program[0] == '/' ? "" : LEAKSPY_TARGETS "/", program);
    struct target *target = target_start(false, LIST(path), NULL);
    target_wait_line(target, "ready");
    return target;
}

/* It found nothing wrong with itself, and did not stand still. */
static long end_churn(struct target *target)
{
    long rounds = 0;
    struct outcome outcome = target_wait(target);
    if (outcome.status != 0)
        fprintf(stderr, "%s%s\n", outcome.out, outcome.err);
    assert_int_equal(outcome.status, 0);
    assert_int_equal(sscanf(strstr(outcome.out, "ok "), "ok %ld", &rounds), 1);
    outcome_deinit(&outcome);
    target_end(target);
    return rounds;
}

static void churn__many_scans__never_a_wrong_stack(void **state)
{
    (void)state;
    struct image image = {0};
    struct err err = {0};
    struct go_totals totals;
    uint64_t seen = 0, unreadable = 0;
    struct scans *scans = calloc(1, sizeof *scans);
    assert_non_null(scans);
    struct target *target = start_churn();
    assert_true(image_open_process(&image, target->pid, &err));
    assert_true(go_runtime_open(&scans->runtime, &image));
    assert_int_equal(scans->runtime.result, GO_OK);
    int64_t begun_ms = now_ms();
    for (scans->round = 1; scans->round <= scan_count; scans->round++) {
        assert_int_equal(goscan_run(&scans->runtime.scan, look, scans, &totals), GO_OK);
        assert_true(totals.seen > 0);
        seen += totals.seen;
        unreadable += totals.unreadable;
    }
    printf("%d scans in %ld ms: %lu goroutines, %lu parked, %lu moved, %lu unreadable, %lu cut; "
           "deepest %zu frames\n",
           scan_count, (long)(now_ms() - begun_ms), (unsigned long)seen,
           (unsigned long)scans->parked, (unsigned long)scans->moved, (unsigned long)unreadable,
           (unsigned long)scans->cut, scans->deepest);
    assert_true(scans->parked > 0);
    assert_int_equal(unreadable, 0);
    go_runtime_close(&scans->runtime);
    image_close(&image);
    long rounds = end_churn(target);
    printf("the program did %ld rounds meanwhile\n", rounds);
    assert_true(rounds > 0);
    for (size_t i = 0; i < NAME_ROOM; i++)
        for (size_t j = 0; j < scans->names[i].count; j++)
            free(scans->names[i].functions[j]);
    free(scans);
}

static void churn__many_reports__never_a_wrong_stack(void **state)
{
    (void)state;
    size_t looked_at = 0;
    struct target *target = start_churn();
    for (int round = 1; round <= report_count; round++) {
        size_t i, j;
        json_t *group, *frame;
        json_t *json = report(target->pid_text, "0", LIST("--all"));
        json_array_foreach(json_object_get(json, "groups"), i, group)
        {
            const char *functions[MAX_FRAMES];
            size_t count = 0;
            if (strcmp(json_string_value(json_object_get(group, "kind")), "goroutine") != 0)
                continue;
            json_array_foreach(json_object_get(group, "wait_stack"), j, frame)
            {
                const char *name = json_string_value(json_object_get(frame, "function"));
                if (count < MAX_FRAMES)
                    functions[count++] = name ? name : "main.(a frame without a function)";
            }
            const char *op = json_string_value(json_object_get(group, "op"));
            const char *fault = fault_of(functions, count, op);
            if (fault)
                fail_with(fault, functions, count, op, round);
            looked_at++;
        }
        json_decref(json);
    }
    assert_true(looked_at > 0);
    assert_true(end_churn(target) > 0);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        program = argv[1];
    if (argc > 2)
        scan_count = atoi(argv[2]);
    if (argc > 3)
        report_count = atoi(argv[3]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(churn__many_scans__never_a_wrong_stack, end_all_targets),
        cmocka_unit_test_teardown(churn__many_reports__never_a_wrong_stack, end_all_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
