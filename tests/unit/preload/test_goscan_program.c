/* What the scanner says of the goroutines of a running program is what the program itself says, in
 * whichever way it was built; with no hints, so as of a stripped one. */
#include "preload/goscan/goscan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "preload/goscan/find.h"
#include "preload/recording.h"
#include "tests/unit/goroutines.h"

#define AT_ONCE 8 /* several batches */

static const char *const op_names[] = {
#define X(name, number, text, object, class) [number] = text,
    REC_OPS(X)
#undef X
};

/* A copy of what was told of one. */
struct seen {
    struct go_goroutine it;
    struct go_case cases[GO_MAX_CASES];
    struct go_stack stack;
    char names[4096]; /* of the functions on its stack: "main.f;main.g;" */
    uint64_t ancestors[GO_MAX_ANCESTORS];
};

struct sight {
    struct goroutines goroutines;
    struct page_reader reader;
    struct goscan scan;
    struct go_totals totals;
    void *scratch;
    struct seen *seen;
    size_t seen_count;
};

#define MAX_SEEN 128

static void name_calls(struct sight *sight, const uint64_t *pcs, uint32_t pc_count, char *names,
                       size_t bytes)
{
    static struct pclntab_call calls[PCLNTAB_MAX_INLINED];
    for (uint32_t i = 0; i < pc_count; i++) {
        size_t count = pclntab_calls(&sight->scan.functions, pcs[i] - 1, calls);
        for (size_t k = 0; k < count; k++) {
            if (strlen(names) + strlen(calls[k].function) + 2 > bytes)
                return;
            strcat(strcat(names, calls[k].function), ";");
        }
    }
}

static void name_frames(struct sight *sight, struct seen *seen)
{
    name_calls(sight, seen->stack.pcs, seen->stack.count, seen->names, sizeof(seen->names));
}

static bool remember(const struct go_goroutine *it, void *arg)
{
    struct sight *sight = arg;
    assert_in_range(sight->seen_count, 0, MAX_SEEN - 1);
    struct seen *seen = &sight->seen[sight->seen_count++];
    seen->it = *it;
    if (it->case_count > 0)
        memcpy(seen->cases, it->cases, it->case_count * sizeof(*it->cases));
    if (it->stack)
        seen->stack = *it->stack;
    if (it->ancestor_count > 0)
        memcpy(seen->ancestors, it->ancestor_pcs, it->ancestor_count * sizeof(*it->ancestor_pcs));
    seen->it.ancestor_pcs = seen->ancestors;
    return true;
}

static void look_with(struct sight *sight, const char *mode, const char *debug)
{
    if (!goroutines_is_there(mode))
        skip();
    memset(sight, 0, sizeof(*sight));
    goroutines_start(&sight->goroutines, mode, debug);
    process_reader_init(&sight->reader, sight->goroutines.pid);
    size_t bytes = goscan_scratch_bytes(AT_ONCE);
    sight->scratch = calloc(1, bytes);
    sight->seen = calloc(MAX_SEEN, sizeof(*sight->seen));
    assert_true(sight->scratch && sight->seen);
    assert_int_equal(goscan_open(&sight->scan, &sight->reader.reader, sight->goroutines.ranges,
                                 sight->goroutines.range_count, NULL, sight->scratch, bytes),
                     GO_OK);
    assert_int_equal(goscan_run(&sight->scan, remember, sight, &sight->totals), GO_OK);
    assert_true(goscan_count(&sight->scan) >= sight->totals.seen);
    for (size_t i = 0; i < sight->seen_count; i++)
        name_frames(sight, &sight->seen[i]);
}

static void look(struct sight *sight, const char *mode)
{
    look_with(sight, mode, "tracebackancestors=3");
}

static void look_away(struct sight *sight)
{
    goroutines_end(&sight->goroutines);
    free(sight->scratch);
    free(sight->seen);
}

/* The goroutine that is in main.FUNCTION. */
static const struct seen *find(const struct sight *sight, const char *function)
{
    char name[80];
    const struct seen *found = NULL;
    snprintf(name, sizeof(name), "main.%s;", function);
    for (size_t i = 0; i < sight->seen_count; i++) {
        if (strstr(sight->seen[i].names, name)) {
            assert_null(found);
            found = &sight->seen[i];
        }
    }
    if (!found)
        fail_msg("no goroutine is in %s", name);
    return found;
}

static void assert_has_case(const struct seen *seen, const struct told_wait *told)
{
    bool send = strcmp(told->op, "case send") == 0;
    for (uint32_t i = 0; i < seen->it.case_count; i++) {
        if (seen->cases[i].channel.address == told->object && seen->cases[i].send == send) {
            assert_true(seen->cases[i].channel.known);
            return;
        }
    }
    fail_msg("%s: %s %#lx is not among its cases", told->function, told->op, told->object);
}

static void assert_waits(const struct sight *sight, const struct told_wait *told)
{
    const struct seen *seen = find(sight, told->function);
    assert_true(seen->it.parked);
    assert_false(seen->it.system);
    assert_false(seen->stack.broken);
    if (strncmp(told->op, "case ", 5) == 0) {
        assert_has_case(seen, told);
        return;
    }
    if (strcmp(op_names[seen->it.op], told->op) != 0)
        fail_msg("%s: %s, and not %s", told->function, op_names[seen->it.op], told->op);
    if (!told->any && seen->it.object != told->object)
        fail_msg("%s: object %#lx, and not %#lx", told->function, seen->it.object, told->object);
}

static bool has_deadline(const char *function)
{
    static const char *const functions[] = {"selectTimeout",     "sleepLong",      "receiveAfter",
                                            "acceptDeadline",    "contextTimeout", "contextChild",
                                            "contextGrandchild", "contextOfMany",  "contextSelect"};
    for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
        if (strcmp(functions[i], function) == 0)
            return true;
    }
    return false;
}

static void goroutines__of_a_program__are_parked_as_it_says(void **state)
{
    struct sight sight;
    look(&sight, *state);
    for (size_t i = 0; i < sight.goroutines.told_count; i++) {
        const struct told_wait *told = &sight.goroutines.told[i];
        assert_waits(&sight, told);
        assert_int_equal(find(&sight, told->function)->it.deadline, has_deadline(told->function));
    }
    assert_int_equal(sight.totals.unreadable, 0);
    assert_int_equal(sight.totals.seen, sight.seen_count);
    assert_false(sight.totals.timers_unknown);
    look_away(&sight);
}

/* Until 1.22, and where a go.mod names such a version, a channel does not know its timer. */
static void timers__that_their_channels_do_not_know__are_found(void **state)
{
    struct sight sight;
    if (GO_MINOR >= 27) /* it does not take the setting any more */
        skip();
    look_with(&sight, *state, "asynctimerchan=1");
    assert_true(find(&sight, "receiveAfter")->it.deadline);
    assert_true(find(&sight, "selectTimeout")->it.deadline);
    assert_false(find(&sight, "receiveStoppedTimer")->it.deadline);
    assert_false(sight.totals.timers_unknown);
    look_away(&sight);
}

static void selects__of_a_program__have_their_cases(void **state)
{
    struct sight sight;
    look(&sight, *state);
    assert_int_equal(find(&sight, "selectSome")->it.cases_given, 4);
    assert_int_equal(find(&sight, "selectSome")->it.case_count, 4);
    assert_int_equal(find(&sight, "selectTimeout")->it.cases_given, 2);
    assert_int_equal(find(&sight, "selectNil")->it.cases_given, 0);
    look_away(&sight);
}

static void channels__of_a_program__have_capacity_and_length(void **state)
{
    struct sight sight;
    look(&sight, *state);
    const struct seen *receiver = find(&sight, "receiveFrom");
    assert_true(receiver->it.channel.known);
    assert_false(receiver->it.channel.closed);
    assert_int_equal(receiver->it.channel.capacity, 3);
    assert_int_equal(receiver->it.channel.length, 0);
    assert_int_equal(find(&sight, "sendTo")->it.channel.capacity, 0);
    look_away(&sight);
}

static void locks__of_a_program__say_what_they_wait_for(void **state)
{
    static const struct {
        const char *function;
        bool negative; /* the state: a writer has the RWMutex, or waits for readers */
        int32_t state; /* else */
        int32_t leaving;
    } rows[] = {
        {"waitGroup", false, 1, 0}, {"lockMutex", false, GO_MUTEX_LOCKED | GO_MUTEX_WAITER, 0},
        {"lockRead", true, 0, 0},   {"lockWriteAfter", true, 0, 0},
        {"lockWrite", true, 0, 1},
    };
    struct sight sight;
    look(&sight, *state);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct go_lock_words *words = &find(&sight, rows[i].function)->it.words;
        assert_true(words->known);
        if (rows[i].negative)
            assert_true(words->state < 0);
        else
            assert_int_equal(words->state, rows[i].state);
        assert_int_equal(words->leaving, rows[i].leaving);
    }
    assert_false(find(&sight, "waitCond")->it.words.known);
    assert_false(find(&sight, "sendTo")->it.words.known);
    look_away(&sight);
}

static void stacks__of_a_program__are_whole(void **state)
{
    struct sight sight;
    look(&sight, *state);
    const struct seen *deep = find(&sight, "recurse");
    assert_true(deep->stack.cut);
    assert_int_equal(deep->stack.count, GO_STACK_DEPTH);
    const struct seen *wide = find(&sight, "wideStack"); /* its outermost function */
    assert_false(wide->stack.cut);
    assert_in_range(wide->stack.count, 54, 64);
    assert_non_null(strstr(wide->names, "runtime.goexit;"));
    look_away(&sight);
}

static void goroutine__in_a_system_call__has_a_stack(void **state)
{
    struct sight sight;
    look(&sight, *state);
    const struct seen *reader = find(&sight, "readCall");
    assert_false(reader->it.parked);
    assert_false(reader->stack.broken);
    assert_non_null(strstr(reader->names, "syscall.Read;main.readCall;"));
    assert_int_not_equal(reader->it.os_tid, 0);
    look_away(&sight);
}

static void goroutine__locked_to_its_thread__says_so(void **state)
{
    struct sight sight;
    look(&sight, *state);
    const struct seen *locked = find(&sight, "lockThread");
    assert_true(locked->it.locked);
    assert_int_not_equal(locked->it.os_tid, 0);
    assert_false(find(&sight, "labelled")->it.locked);
    look_away(&sight);
}

static void labels__of_a_goroutine__are_all_told(void **state)
{
    struct sight sight;
    bool key_seen[20] = {false};
    struct go_text pairs[2 * GO_MAX_LABELS];
    look(&sight, *state);
    size_t count = goscan_labels(&sight.scan, find(&sight, "labelled")->it.labels, pairs);
    assert_int_equal(count, 20);
    for (size_t i = 0; i < count; i++) {
        char key[16] = "", value[16] = "";
        int number, other;
        assert_in_range(pairs[2 * i].bytes, 4, 5);
        assert_true(mem_read(&sight.reader.reader, pairs[2 * i].address, key, pairs[2 * i].bytes));
        assert_in_range(pairs[2 * i + 1].bytes, 7, 8);
        assert_true(mem_read(&sight.reader.reader, pairs[2 * i + 1].address, value,
                             pairs[2 * i + 1].bytes));
        assert_int_equal(sscanf(key, "key%d", &number), 1);
        assert_int_equal(sscanf(value, "value %d", &other), 1);
        assert_in_range(number, 0, 19);
        assert_int_equal(number, other);
        assert_false(key_seen[number]);
        key_seen[number] = true;
    }
    assert_int_equal(goscan_labels(&sight.scan, find(&sight, "sendTo")->it.labels, pairs), 0);
    look_away(&sight);
}

static void ancestors__where_they_are_kept__are_told(void **state)
{
    char names[1024] = "";
    uint32_t count;
    bool cut;
    struct sight sight;
    look(&sight, *state);
    const struct go_goroutine *child = &find(&sight, "child")->it;
    assert_int_equal(child->parent_id, find(&sight, "parent")->it.id);
    const uint64_t *pcs = goscan_spawn_pcs(child, &count, &cut);
    name_calls(&sight, pcs, count, names, sizeof(names));
    assert_string_equal(names, "main.startChild;main.callInlined;main.parent;runtime.goexit;");
    assert_false(cut);
    look_away(&sight);
}

static void goroutine__that_is_the_runtimes__says_so(void **state)
{
    struct sight sight;
    size_t system = 0;
    look(&sight, *state);
    for (size_t i = 0; i < sight.seen_count; i++)
        system += sight.seen[i].it.system;
    assert_in_range(system, 3, 16);
    for (size_t i = 0; i < sight.seen_count; i++)
        assert_int_equal(sight.seen[i].it.system,
                         strstr(sight.seen[i].names, "main.") == NULL && sight.seen[i].it.parked);
    look_away(&sight);
}

/* By two looks at once: a goroutine that does not run keeps its number. */
static void wait_number__of_a_parked_goroutine__stays(void **state)
{
    struct sight sight;
    look(&sight, *state);
    size_t count = sight.seen_count;
    uint32_t before = find(&sight, "sendTo")->it.wait_number;
    struct seen *first = sight.seen;
    sight.seen = calloc(MAX_SEEN, sizeof(*sight.seen));
    sight.seen_count = 0;
    assert_int_equal(goscan_run(&sight.scan, remember, &sight, &sight.totals), GO_OK);
    assert_int_equal(sight.seen_count, count);
    for (size_t i = 0; i < sight.seen_count; i++)
        name_frames(&sight, &sight.seen[i]);
    assert_int_equal(find(&sight, "sendTo")->it.wait_number, before);
    free(first);
    look_away(&sight);
}

static bool refuse_all(const struct go_goroutine *it, void *arg)
{
    (void)arg;
    assert_null(it->stack);
    assert_int_not_equal(it->wait_number, 0);
    return false;
}

static void stacks__that_are_not_wanted__are_not_told(void **state)
{
    struct sight sight;
    look(&sight, *state);
    sight.scan.wants_stack = refuse_all;
    sight.seen_count = 0;
    assert_int_equal(goscan_run(&sight.scan, remember, &sight, &sight.totals), GO_OK);
    for (size_t i = 0; i < sight.seen_count; i++)
        assert_true(sight.seen[i].it.stack == NULL || !sight.seen[i].it.parked);
    look_away(&sight);
}

static bool stop_at_once(const struct go_goroutine *it, void *arg)
{
    (void)it;
    ++*(size_t *)arg;
    return false;
}

static void visitor__that_has_enough__ends_the_run(void **state)
{
    struct sight sight;
    size_t visits = 0;
    look(&sight, *state);
    assert_int_equal(goscan_run(&sight.scan, stop_at_once, &visits, &sight.totals), GO_OK);
    assert_int_equal(visits, 1);
    look_away(&sight);
}

static void program__that_has_ended__is_unreadable(void **state)
{
    struct sight sight;
    look(&sight, *state);
    goroutines_end(&sight.goroutines);
    sight.seen_count = 0;
    assert_int_equal(goscan_run(&sight.scan, remember, &sight, &sight.totals), GO_UNREADABLE);
    assert_int_equal(sight.seen_count, 0);
    free(sight.scratch);
    free(sight.seen);
}

/* As it is until the runtime has made its processors: what is zero at the start is zero yet. */
static void zero_bss(struct page_reader *pages, const struct goscan *scan)
{
    struct finder finder = {.search.reader = &pages->reader, .layout = &scan->layout};
    assert_true(find_sections(&finder, scan->found.module_data));
    for (uint64_t at = finder.sections.bss; at + 8 <= finder.sections.bss_end; at += 8) {
        uint8_t *word = page_reader_at(pages, at);
        if (word)
            memset(word, 0, 8);
    }
}

/* Its list of goroutines can be found then, that of its processors cannot: once found without that,
 * it would have no timers for ever. */
static void program__that_only_starts__is_not_found_yet(void **state)
{
    struct goroutines program;
    struct page_reader pages;
    struct goscan scan;
    (void)state;
    if (!goroutines_is_there("static_stripped"))
        skip();
    size_t bytes = goscan_scratch_bytes(AT_ONCE);
    void *scratch = calloc(1, bytes);
    goroutines_start(&program, "static_stripped", "");
    page_reader_init(&pages, program.pid);
    assert_int_equal(goscan_open(&scan, &pages.reader, program.ranges, program.range_count, NULL,
                                 scratch, bytes),
                     GO_OK);
    assert_int_not_equal(scan.found.all_ps, 0);
    zero_bss(&pages, &scan);
    memset(scratch, 0, bytes);
    assert_int_equal(goscan_open(&scan, &pages.reader, program.ranges, program.range_count, NULL,
                                 scratch, bytes),
                     GO_NOT_FOUND);
    page_reader_deinit(&pages);
    goroutines_end(&program);
    free(scratch);
}

static void program__of_c__is_not_go(void **state)
{
    (void)state;
    struct page_reader reader;
    struct goscan scan;
    size_t bytes = goscan_scratch_bytes(AT_ONCE);
    void *scratch = calloc(1, bytes);
    static uint64_t data[512];
    struct go_range range = {(uint64_t)data, (uint64_t)(data + 512), true, true, false};
    process_reader_init(&reader, getpid());
    assert_int_equal(goscan_open(&scan, &reader.reader, &range, 1, NULL, scratch, bytes),
                     GO_NOT_GO);
    free(scratch);
}

int main(void)
{
    static char modes[][16] = {"static",   "cgo", "static_stripped", "stripped",
                               "trimpath", "pie", "pie_external",    "race"};
    static char usual[] = "cgo";
    int failed = 0;
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_prestate(goroutines__of_a_program__are_parked_as_it_says, modes[i]),
            cmocka_unit_test_prestate(selects__of_a_program__have_their_cases, modes[i]),
            cmocka_unit_test_prestate(labels__of_a_goroutine__are_all_told, modes[i]),
            cmocka_unit_test_prestate(locks__of_a_program__say_what_they_wait_for, modes[i]),
        };
        failed += cmocka_run_group_tests_name(modes[i], tests, NULL, NULL);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(channels__of_a_program__have_capacity_and_length, usual),
        cmocka_unit_test_prestate(timers__that_their_channels_do_not_know__are_found, usual),
        cmocka_unit_test_prestate(stacks__of_a_program__are_whole, usual),
        cmocka_unit_test_prestate(goroutine__in_a_system_call__has_a_stack, usual),
        cmocka_unit_test_prestate(goroutine__locked_to_its_thread__says_so, usual),
        cmocka_unit_test_prestate(ancestors__where_they_are_kept__are_told, usual),
        cmocka_unit_test_prestate(goroutine__that_is_the_runtimes__says_so, usual),
        cmocka_unit_test_prestate(wait_number__of_a_parked_goroutine__stays, usual),
        cmocka_unit_test_prestate(stacks__that_are_not_wanted__are_not_told, usual),
        cmocka_unit_test_prestate(visitor__that_has_enough__ends_the_run, usual),
        cmocka_unit_test_prestate(program__that_has_ended__is_unreadable, usual),
        cmocka_unit_test(program__that_only_starts__is_not_found_yet),
        cmocka_unit_test(program__of_c__is_not_go),
    };
    return failed + cmocka_run_group_tests_name("goscan_program", tests, NULL, NULL);
}
