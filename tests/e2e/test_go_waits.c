/* Goroutines of Go's own compiler: every way to park, what each waits on, and who created it,
 * compared with what the program says of itself (go_waits.go).
 *
 * Usage: test_go_waits PROGRAM WAY. PROGRAM: a path, or a name in LEAKSPY_TARGETS. WAY: pid (a
 * running process), core (a dump by gcore), preload (a recording by the library), run (a recording
 * by leakspy run). */
#include "tests/e2e/harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum way { BY_PID, BY_CORE, BY_PRELOAD, BY_RUN };

static const char *const way_names[] = {"pid", "core", "preload", "run"};

/* Where the goroutines of go_waits come from. */
enum needs { ALWAYS, NEEDS_C, GO_1_23, SYNCTEST };

/* `where` is what the marks in the source call the wait. The op is what the program's own runtime
 * calls it. */
static const struct row {
    const char *where, *function, *by; /* by NULL: created by the runtime */
    const char *verdict;               /* NULL: any */
    const char *object;                /* NULL: any; "none": null */
    int capacity, length;              /* of the channel; -1: it waits on none */
    enum { NO_TIMER, TIMER } timer;
    enum needs needs;
} rows[] = {
    {"chanSend", "main.chanSend", "main.main", "stuck", "channel", 0, 0, NO_TIMER, ALWAYS},
    {"chanSendFull", "main.chanSendFull", "main.main", "stuck", "channel", 3, 3, NO_TIMER, ALWAYS},
    {"chanReceive", "main.chanReceive", "main.main", "stuck", "channel", 0, 0, NO_TIMER, ALWAYS},
    {"chanBuffered", "main.chanBuffered", "main.main", "stuck", "channel", 5, 0, NO_TIMER, ALWAYS},
    {"chanRange", "main.chanRange", "main.main", "stuck", "channel", 0, 0, NO_TIMER, ALWAYS},
    {"chanSendNil", "main.chanSendNil", "main.main", "leaked", NULL, -1, 0, NO_TIMER, ALWAYS},
    {"chanReceiveNil", "main.chanReceiveNil", "main.main", "leaked", NULL, -1, 0, NO_TIMER, ALWAYS},
    {"selectNone", "main.selectNone", "main.main", "leaked", "none", -1, 0, NO_TIMER, ALWAYS},
    {"selectMany", "main.selectMany", "main.main", "stuck", "none", -1, 0, NO_TIMER, ALWAYS},
    {"selectNil", "main.selectNil", "main.main", "leaked", "none", -1, 0, NO_TIMER, ALWAYS},
    {"selectOne", "main.selectOne", "main.main", "stuck", "channel", 0, 0, NO_TIMER, ALWAYS},
    {"selectTimeout", "main.selectTimeout", "main.main", NULL, "none", -1, 0, TIMER, ALWAYS},
    {"mutexLock", "main.mutexLock", "main.main", "stuck", "mutex", -1, 0, NO_TIMER, ALWAYS},
    {"rwmutexRead", "main.rwmutexRead", "main.main", "stuck", "rwlock", -1, 0, NO_TIMER, ALWAYS},
    {"rwmutexWrite", "main.rwmutexWrite", "main.main", "stuck", "rwlock", -1, 0, NO_TIMER, ALWAYS},
    {"rwmutexQueue", "main.rwmutexQueue", "main.main", "stuck", NULL, -1, 0, NO_TIMER, ALWAYS},
    {"waitGroup", "main.waitGroup", "main.main", "stuck", "waitgroup", -1, 0, NO_TIMER, ALWAYS},
    {"condWait", "main.condWait", "main.main", "stuck", "cond", -1, 0, NO_TIMER, ALWAYS},
    {"onceFirst", "main.prepare.func1", "main.prepare", "stuck", "channel", 0, 0, NO_TIMER, ALWAYS},
    {"onceDo", "main.onceDo", "main.main", "stuck", "mutex", -1, 0, NO_TIMER, ALWAYS},
    {"sleep", "main.sleep", "main.main", "waiting", "none", -1, 0, TIMER, ALWAYS},
    {"timerAfter", "main.timerAfter", "main.main", NULL, "channel", -1, 0, TIMER, ALWAYS},
    {"timerReceive", "main.timerReceive", "main.main", NULL, "channel", -1, 0, TIMER, ALWAYS},
    {"tickerReceive", "main.tickerReceive", "main.main", NULL, "channel", -1, 0, TIMER, ALWAYS},
    {"accept", "main.accept", "main.main", "waiting", "fd", -1, 0, NO_TIMER, ALWAYS},
    {"netRead", "main.netRead", "main.main", "stuck", "fd", -1, 0, NO_TIMER, ALWAYS},
    {"netReadUntil", "main.netReadUntil", "main.main", "waiting", "fd", -1, 0, TIMER, ALWAYS},
    {"descriptorLock", "main.descriptorLock", "main.main", "stuck", NULL, -1, 0, NO_TIMER, ALWAYS},
    {"packetRead", "main.packetRead", "main.main", "stuck", "fd", -1, 0, NO_TIMER, ALWAYS},
    {"pipeRead", "main.pipeRead", "main.main", "stuck", "fd", -1, 0, NO_TIMER, ALWAYS},
    {"pipeWrite", "main.pipeWrite", "main.main", "stuck", "fd", -1, 0, NO_TIMER, ALWAYS},
    {"syscallRead", "main.syscallRead", "main.main", NULL, NULL, -1, 0, NO_TIMER, ALWAYS},
    {"inInit", "main.init.0.func1", "main.init.0", "stuck", "channel", 0, 0, NO_TIMER, ALWAYS},
    {"deep", "main.deep.func1", "main.startMore", "stuck", "channel", 0, 0, NO_TIMER, ALWAYS},
    {"inlined", "main.innermost", "main.startMore", "stuck", "channel", 0, 0, NO_TIMER, ALWAYS},
    {"generic", "main.take[...]", "main.startMore", "stuck", "channel", 0, 0, NO_TIMER, ALWAYS},
    {"genericMethod", "main.(*queue[...]).pop", "main.startMore", "stuck", "channel", 0, 0,
     NO_TIMER, ALWAYS},
    {"method", "main.(*worker).run", "main.startMore", "stuck", "channel", 0, 0, NO_TIMER, ALWAYS},
    {"byValue", "main.byValue.run", "main.startMore", "stuck", "channel", 0, 0, NO_TIMER, ALWAYS},
    {"inDefer", "main.inDefer.func1", "main.startMore", "stuck", "channel", 0, 0, NO_TIMER, ALWAYS},
    {"inRecover", "main.inRecover.func1", "main.startMore", "stuck", "channel", 0, 0, NO_TIMER,
     ALWAYS},
    {"inPanic", "main.inPanic.func1", "main.startMore", "stuck", "channel", 0, 0, NO_TIMER, ALWAYS},
    {"inGoexit", "main.inGoexit.func1", "main.startMore", "stuck", "channel", 0, 0, NO_TIMER,
     ALWAYS},
    {"inManyDefers", "main.inManyDefers.func1", "main.startMore", "stuck", "channel", 0, 0,
     NO_TIMER, ALWAYS},
    {"nested", "main.nested.func1.1.1", "main.startMore", "stuck", "channel", 0, 0, NO_TIMER,
     ALWAYS},
    {"reflectSelect", "main.reflectSelect", "main.startMore", "stuck", "none", -1, 0, NO_TIMER,
     ALWAYS},
    {"selectWide", "main.selectOver", "main.startMore", "stuck", "none", -1, 0, NO_TIMER, ALWAYS},
    {"selectHuge", "main.selectOver", "main.startMore", "stuck", "none", -1, 0, NO_TIMER, ALWAYS},
    {"reflectCall", "main.reflectCall.func1", "main.startMore", "stuck", "channel", 0, 0, NO_TIMER,
     ALWAYS},
    {"locked", "main.locked", "main.startMore", "stuck", "channel", 0, 0, NO_TIMER, ALWAYS},
    {"labelled", "main.labelled.func1", "main.startMore", "stuck", "channel", 0, 0, NO_TIMER,
     ALWAYS},
    {"contextDone", "main.contextDone", "main.startMore", "waiting", "channel", 0, 0, TIMER,
     ALWAYS},
    {"contextCancel", "main.contextCancel", "main.startTimers", "stuck", "channel", 0, 0, NO_TIMER,
     ALWAYS},
    {"contextChild", "main.contextChild", "main.startTimers", "waiting", "channel", 0, 0, TIMER,
     ALWAYS},
    {"contextValue", "main.contextValue", "main.startTimers", "waiting", "channel", 0, 0, TIMER,
     ALWAYS},
    {"contextLater", "main.contextLater", "main.startTimers", "waiting", "channel", 0, 0, TIMER,
     ALWAYS},
    {"contextEarlier", "main.contextEarlier", "main.startTimers", "waiting", "channel", 0, 0, TIMER,
     ALWAYS},
    {"contextOfMany", "main.contextOfMany", "main.startTimers", "waiting", "channel", 0, 0, TIMER,
     ALWAYS},
    {"contextDetached", "main.contextDetached", "main.startTimers", "stuck", "channel", 0, 0,
     NO_TIMER, ALWAYS},
    {"contextSelect", "main.contextSelect", "main.startTimers", "waiting", "none", -1, 0, TIMER,
     ALWAYS},
    {"contextBeside", "main.contextBeside", "main.startTimers", "stuck", "none", -1, 0, NO_TIMER,
     ALWAYS},
    {"calledFunction", "main.calledFunction", "main.startTimers", "stuck", "channel", 0, 0,
     NO_TIMER, ALWAYS},
    {"timerStopped", "main.timerStopped", "main.startTimers", "stuck", "channel", -1, 0, NO_TIMER,
     ALWAYS},
    {"netReadCleared", "main.netReadCleared", "main.startTimers", "stuck", "fd", -1, 0, NO_TIMER,
     ALWAYS},
    {"netReadOnly", "main.netReadOnly", "main.startTimers", "stuck", "fd", -1, 0, NO_TIMER, ALWAYS},
    {"netReadBoth", "main.netReadBoth", "main.startTimers", "waiting", "fd", -1, 0, TIMER, ALWAYS},
    {"netWriteUntil", "main.netWriteUntil", "main.startTimers", "waiting", "fd", -1, 0, TIMER,
     ALWAYS},
    {"acceptUntil", "main.acceptUntil", "main.startTimers", "waiting", "fd", -1, 0, TIMER, ALWAYS},
    {"variadic", "main.variadic", "main.startMore", "stuck", "channel", 0, 0, NO_TIMER, ALWAYS},
    {"grandchild", "main.spawnGrandchild", "main.spawnGrandchild", "stuck", "channel", 0, 0,
     NO_TIMER, ALWAYS},
    {"timerCall", "main.startMore.func1", "time.goFunc", "stuck", "channel", 0, 0, NO_TIMER,
     ALWAYS},
    {"spawnedDeep", "main.startMore.func2.1", "main.startMore.func2", "stuck", "channel", 0, 0,
     NO_TIMER, ALWAYS},
    {"finalizer", "main.blockFinalizers.func1", NULL, "stuck", "channel", 0, 0, NO_TIMER, ALWAYS},
    {"cgoCall", "main.cgoCall", NULL, NULL, NULL, -1, 0, NO_TIMER, NEEDS_C},
    {"cgoCallback", "main.callGo", NULL, "stuck", "channel", 0, 0, NO_TIMER, NEEDS_C},
    {"coroutine", "main.iterator", NULL, "stuck", NULL, -1, 0, NO_TIMER, GO_1_23},
    {"callsCoroutine", "main.callsIterator", NULL, "stuck", NULL, -1, 0, NO_TIMER, GO_1_23},
    {"inCoroutine", "main.waitingIterator", NULL, "stuck", "channel", 0, 0, NO_TIMER, GO_1_23},
    {"rangeOverFunc", "main.rangeOverFunc-range1", NULL, "stuck", "channel", 0, 0, NO_TIMER,
     GO_1_23},
    {"bubbleTest", "main.bubbleTest", NULL, NULL, NULL, -1, 0, NO_TIMER, SYNCTEST},
    {"bubbleWait", "main.inBubble", NULL, NULL, NULL, -1, 0, NO_TIMER, SYNCTEST},
    {"bubbleReceive", "main.inBubble.func1", NULL, "stuck", "channel", 0, 0, NO_TIMER, SYNCTEST},
    {"bubbleSend", "main.inBubble.func2", NULL, "stuck", "channel", 1, 1, NO_TIMER, SYNCTEST},
    {"bubbleWaitGroup", "main.inBubble.func3", NULL, "stuck", NULL, -1, 0, NO_TIMER, SYNCTEST},
    {"bubbleSelect", "main.inBubble.func4", NULL, "stuck", NULL, -1, 0, NO_TIMER, SYNCTEST},
    {"bubbleSleep", "main.inBubble.func5", NULL, "waiting", "none", -1, 0, TIMER, SYNCTEST},
    {"bubbleOutside", "main.inBubble.func6", NULL, "stuck", "channel", 0, 0, NO_TIMER, SYNCTEST},
};

/* What the program says of each row. */
static struct own_words {
    long id; /* 0: it has no such goroutine */
    char state[64], address[32];
    bool locked;
} words[LENGTH(rows)];

static const char *program;
static enum way way;
static struct target *waits;
static json_t *seen; /* the last report */
static char source[160];

/* ---- the program ---- */

static size_t row_of(const char *name)
{
    size_t i = 0;
    while (i < LENGTH(rows) && strcmp(rows[i].where, name) != 0)
        i++;
    return i;
}

/* A goroutine in the words of the program. */
static void take_words(const char *line)
{
    json_t *json = json_loads(line, 0, NULL);
    assert_non_null(json);
    size_t row = row_of(json_string_value(json_object_get(json, "name")));
    if (row < LENGTH(rows)) {
        struct own_words *own = &words[row];
        const char *state = json_string_value(json_object_get(json, "state"));
        own->id = (long)json_integer_value(json_object_get(json, "id"));
        own->locked = strstr(state, "locked to thread") != NULL;
        snprintf(own->address, sizeof own->address, "%s",
                 json_string_value(json_object_get(json, "address")));
        /* "chan receive (durable), 2 minutes, locked to thread" */
        snprintf(own->state, sizeof own->state, "%.*s", (int)strcspn(state, ","), state);
        char *durable = strstr(own->state, " (durable)");
        if (durable)
            *durable = '\0';
    }
    json_decref(json);
}

static int start_waits(void **state)
{
    char path[512], recording[96] = "";
    (void)state;
    snprintf(path, sizeof path, "%s%s", program[0] == '/' ? "" : LEAKSPY_TARGETS "/", program);
    if (way == BY_RUN) {
        snprintf(recording, sizeof recording, "%s/target.rec", scratch_folder());
        waits = target_start(false, LIST(LEAKSPY_COMMAND, "run", "-o", recording, "--", path),
                             LIST("LEAKSPY_SAMPLE=20ms"));
    } else {
        waits = target_start(way == BY_PRELOAD, LIST(path), NULL);
    }
    for (const char *line; strcmp(line = target_wait_line(waits, ""), "ready") != 0;)
        if (line[0] == '{')
            take_words(line);
    if (way == BY_RUN)
        snprintf(waits->recording, sizeof waits->recording, "%s", recording);
    if (way == BY_PID)
        snprintf(source, sizeof source, "%s", waits->pid_text);
    else if (way == BY_CORE)
        snprintf(source, sizeof source, "%s", target_write_core(waits, waits->dir));
    else {
        snprintf(source, sizeof source, "%s", waits->recording);
        target_wait_walks(waits, 3, 0);
    }
    return 0;
}

static int end_waits(void **state)
{
    json_decref(seen);
    target_end(waits);
    return end_all_targets(state);
}

/* ---- what is said of it ---- */

/* The group and the task of a goroutine; false: not in the report. */
static bool find_goroutine(const json_t *json, long id, const json_t **ret_group,
                           const json_t **ret_task)
{
    size_t i, j;
    json_t *group, *task;
    char name[24];
    snprintf(name, sizeof name, "%ld", id);
    json_array_foreach(json_object_get(json, "groups"), i, group)
    {
        if (strcmp(json_string_value(json_object_get(group, "kind")), "goroutine") != 0)
            continue;
        json_array_foreach(json_object_get(group, "tasks"), j, task)
        {
            const char *called = json_string_value(json_object_get(task, "name"));
            if (called ? strcmp(called, name) != 0
                       : json_integer_value(json_object_get(task, "id")) != id)
                continue;
            *ret_group = group;
            *ret_task = task;
            return true;
        }
    }
    return false;
}

/* The goroutine of a row in a report that is taken until it is in it as it should be: the sampler
 * may not have looked at it twice yet. */
static void see(size_t row, const json_t **ret_group, const json_t **ret_task)
{
    const struct own_words *own = &words[row];
    for (int64_t deadline_ms = now_ms() + PATIENCE_MS;;) {
        if (seen && find_goroutine(seen, own->id, ret_group, ret_task)) {
            const char *op = json_string_value(json_object_get(*ret_group, "op"));
            const char *verdict = json_string_value(json_object_get(*ret_group, "verdict"));
            size_t bytes = strlen(own->state); /* without the " (durable)" of newer ones */
            if (strncmp(op, own->state, bytes) == 0 &&
                (op[bytes] == '\0' || strcmp(op + bytes, " (durable)") == 0) &&
                (!rows[row].verdict || strcmp(verdict, rows[row].verdict) == 0))
                return;
        }
        if (now_ms() > deadline_ms || (seen && way == BY_CORE))
            break;
        if (way == BY_PRELOAD || way == BY_RUN)
            while (access(source, F_OK) != 0 && now_ms() < deadline_ms)
                sleep_ms(5);
        json_decref(seen);
        seen = report(source, "0", LIST("--all", "--max-tasks", "1000"));
    }
    char *text = json_dumps(seen, JSON_INDENT(1));
    fprintf(stderr, "goroutine %ld (%s) should be in \"%s\", %s; the report:\n%s\n", own->id,
            rows[row].where, own->state, rows[row].verdict ? rows[row].verdict : "any verdict",
            text);
    free(text);
    fail();
}

/* Where the mark is: "parks in chanSend." */
static bool find_mark(const char *what, const char *where, const char **ret_file, int *ret_line)
{
    static const char *const files[] = {"go_waits.go",        "go_waits_more.go",
                                        "go_waits_timers.go", "go_waits_cgo.go",
                                        "go_waits_iter.go",   "go_waits_synctest.go"};
    char mark[64];
    snprintf(mark, sizeof mark, "%s %s.", what, where);
    for (size_t i = 0; i < LENGTH(files); i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/tests/e2e/%s", LEAKSPY_SOURCE_DIR, files[i]);
        char *text = read_file(path);
        assert_non_null(text);
        const char *at = strstr(text, mark);
        *ret_file = files[i];
        *ret_line = 1;
        for (const char *c = text; at && c < at; c++)
            *ret_line += *c == '\n';
        free(text);
        if (at)
            return true;
    }
    return false;
}

static const json_t *frame_of(const json_t *stack, const char *function)
{
    size_t i;
    json_t *frame;
    json_array_foreach(stack, i, frame)
    {
        const char *name = json_string_value(json_object_get(frame, "function"));
        if (name && strcmp(name, function) == 0)
            return frame;
    }
    return NULL;
}

static void assert_frame(const json_t *group, const char *stack, const char *function,
                         const char *what, const char *where)
{
    const char *file;
    int line;
    const json_t *frame = frame_of(json_object_get(group, stack), function);
    if (!frame) {
        char *text = json_dumps(group, JSON_INDENT(1));
        fprintf(stderr, "%s has no %s:\n%s\n", stack, function, text);
        free(text);
    }
    assert_non_null(frame);
    if (!find_mark(what, where, &file, &line))
        return;
    const char *path = json_string_value(json_object_get(frame, "file"));
    assert_non_null(path);
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    assert_string_equal(name, file);
    assert_int_equal(json_integer_value(json_object_get(frame, "line")), line);
}

static bool expects_goroutine(const struct row *row)
{
    int minor = go_minor(seen);
    switch (row->needs) {
    case ALWAYS:
        return true;
    case NEEDS_C:
        return strstr(program, "static") == NULL;
    case GO_1_23:
        return minor >= 23;
    case SYNCTEST: /* 1.24 has it as an experiment */
        return minor >= 25 || strstr(program, "bubble") != NULL;
    }
    return false;
}

static void assert_object(const struct row *row, const struct own_words *own, const json_t *group)
{
    const json_t *object = json_object_get(group, "object");
    if (row->object && strcmp(row->object, "none") == 0) {
        assert_true(json_is_null(object));
        return;
    }
    if (row->object) {
        assert_true(json_is_object(object));
        assert_string_equal(json_string_value(json_object_get(object, "kind")), row->object);
        if (own->address[0] != '\0')
            assert_string_equal(json_string_value(json_object_get(object, "address")),
                                own->address);
    }
    if (row->capacity >= 0) {
        assert_int_equal(json_integer_value(json_object_get(object, "capacity")), row->capacity);
        assert_int_equal(json_integer_value(json_object_get(object, "length")), row->length);
        assert_true(json_is_false(json_object_get(object, "closed")));
    }
}

static void parked__is_reported(void **state)
{
    const struct row *row = *state;
    const struct own_words *own = &words[row - rows];
    const json_t *group, *task;
    if (!seen)
        see(row_of("chanSend"), &group, &task);
    if (own->id == 0) {
        assert_false(expects_goroutine(row));
        skip();
    }
    see((size_t)(row - rows), &group, &task);
    assert_frame(group, "wait_stack", row->function, "parks in", row->where);
    if (row->by)
        assert_frame(group, "spawn_stack", row->by, "spawns", row->where);
    assert_object(row, own, group);
    const char *verdict = json_string_value(json_object_get(group, "verdict"));
    bool timer = row->timer == TIMER;
    assert_int_equal(json_is_true(json_object_get(task, "deadline")), timer);
    if (timer)
        assert_string_equal(verdict, "waiting");
    assert_int_equal(json_is_true(json_object_get(task, "locked_to_thread")), own->locked);
}

/* ---- what has more to it ---- */

/* The wait reasons of the table that this program shows are told as the table says. */
static void reasons__as_in_the_table__are_told(void **state)
{
    static const struct {
        const char *reason;
        int from, to; /* versions of Go */
        const char *where;
    } reasons[] = {
#define WAITS(reason, from, to, where) {reason, from, to, where},
#include "tests/e2e/go_reasons.def"
    };
    const json_t *group, *task;
    (void)state;
    see(row_of("chanSend"), &group, &task);
    int minor = go_minor(seen);
    for (size_t i = 0; i < LENGTH(reasons); i++) {
        size_t row = row_of(reasons[i].where);
        assert_true(row < LENGTH(rows));
        if (minor < reasons[i].from || minor > reasons[i].to)
            continue;
        if (words[row].id == 0) {
            assert_false(expects_goroutine(&rows[row]));
            continue;
        }
        see(row, &group, &task);
        assert_string_equal(json_string_value(json_object_get(group, "op")), reasons[i].reason);
    }
}

static const json_t *task_where(const char *where)
{
    const json_t *group, *task;
    see(row_of(where), &group, &task);
    return task;
}

static void select__its_cases__are_reported(void **state)
{
    (void)state;
    const json_t *cases = json_object_get(task_where("selectMany"), "cases");
    size_t sends = 0, receives = 0, i;
    json_t *one;
    /* Nil channels wait nowhere: of those the runtime keeps nothing. */
    json_array_foreach(cases, i, one)
    {
        if (json_is_null(json_object_get(one, "address")))
            continue;
        bool send = strcmp(json_string_value(json_object_get(one, "op")), "chan send") == 0;
        assert_case(cases, i, send ? "chan send" : "chan receive", false);
        sends += send;
        receives += !send;
    }
    assert_int_equal(sends, 1);
    assert_int_equal(receives, 1);
    cases = json_object_get(task_where("reflectSelect"), "cases");
    assert_int_equal(json_array_size(cases), 2);
}

/* Every case as long as nobody can have written them down; else it is said that there are more. */
static void select__of_many_cases__has_them_all_or_says_so(void **state)
{
    const json_t *group, *task;
    json_t *one;
    size_t i;
    bool seen_capacity[100] = {false};
    (void)state;
    see(row_of("selectWide"), &group, &task);
    const json_t *cases = json_object_get(task, "cases");
    assert_int_equal(json_array_size(cases), LENGTH(seen_capacity));
    assert_int_equal(json_integer_value(json_object_get(task, "cases_omitted")), 0);
    json_array_foreach(cases, i, one)
    {
        json_int_t capacity = json_integer_value(json_object_get(one, "capacity"));
        assert_in_range(capacity, 0, LENGTH(seen_capacity) - 1);
        assert_false(seen_capacity[capacity]);
        seen_capacity[capacity] = true;
    }
    see(row_of("selectHuge"), &group, &task);
    size_t told = json_array_size(json_object_get(task, "cases"));
    char more[32];
    snprintf(more, sizeof more, "more than %zu cases", told);
    assert_in_range(told, LENGTH(seen_capacity), 999);
    assert_in_range(json_integer_value(json_object_get(task, "cases_omitted")), 1, 1000 - told);
    const json_t *evidence = json_array_get(json_object_get(group, "evidence"), 0);
    assert_non_null(strstr(json_string_value(evidence), more));
}

static void locks__what_they_say__is_reported(void **state)
{
    static const struct {
        const char *where, *key;
        int value;
        const char *said;
    } locks[] = {
        {"waitGroup", "counter", 1, ": 1 task waiting; counter 1: Done is missing once"},
        {"rwmutexRead", "readers", 0, ": held for writing (by whom is not known); 1 waiting"},
        {"rwmutexWrite", "readers", 1, ": held for reading once (by whom is not known); 1 waiting"},
        {"rwmutexQueue", "readers", 0, ": held for writing (by whom is not known); 1 waiting"},
        {"mutexLock", "locked", 1, ": who holds it is not known; 1 waiting for it"},
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(locks); i++) {
        const json_t *group, *task;
        see(row_of(locks[i].where), &group, &task);
        const json_t *object = json_object_get(group, "object");
        const json_t *value = json_object_get(object, locks[i].key);
        assert_non_null(value);
        if (json_is_boolean(value))
            assert_int_equal(json_is_true(value), locks[i].value);
        else
            assert_int_equal(json_integer_value(value), locks[i].value);
        const json_t *evidence = json_array_get(json_object_get(group, "evidence"), 0);
        const char *sentence = json_string_value(evidence);
        if (!strstr(sentence, locks[i].said))
            fail_msg("%s: \"%s\" is not in \"%s\"", locks[i].where, locks[i].said, sentence);
    }
}

static void labels__are_reported(void **state)
{
    (void)state;
    const json_t *labels = json_object_get(task_where("labelled"), "labels");
    assert_int_equal(json_object_size(labels), 2);
    assert_string_equal(json_string_value(json_object_get(labels, "handler")), "orders");
    assert_string_equal(json_string_value(json_object_get(labels, "tenant")), "acme");
    assert_int_equal(json_object_size(json_object_get(task_where("method"), "labels")), 0);
}

/* The mutex of which nobody knows the holder: Go keeps none. But the runtime's own goroutines are
 * no finding, and nothing was lost. */
static void runtime__its_own_goroutines__are_no_finding(void **state)
{
    size_t i;
    json_t *group;
    (void)state;
    task_where("chanSend");
    json_array_foreach(json_object_get(seen, "groups"), i, group)
    {
        const json_t *by = json_array_get(json_object_get(group, "spawn_stack"), 0);
        const char *function = json_string_value(json_object_get(by, "function"));
        const json_t *at = json_object_get(group, "wait_stack");
        const json_t *last = json_array_get(at, json_array_size(at) - 1);
        const char *outermost = json_string_value(json_object_get(last, "function"));
        if (function && strncmp(function, "runtime.", 8) == 0 && outermost &&
            strncmp(outermost, "runtime.", 8) == 0 && !frame_of(at, "main.blockFinalizers.func1") &&
            !frame_of(at, "main.main"))
            assert_string_equal(json_string_value(json_object_get(group, "verdict")), "waiting");
    }
}

static void report__nothing__is_lost(void **state)
{
    (void)state;
    task_where("chanSend");
    assert_int_equal(json_integer_value(json_at(seen, "totals.lost")), 0);
}

int main(int argc, char **argv)
{
    static struct CMUnitTest tests[LENGTH(rows) + 7];
    size_t count = 0;
    if (argc != 3)
        return 64;
    program = argv[1];
    for (way = BY_PID; way < (enum way)LENGTH(way_names) && strcmp(way_names[way], argv[2]) != 0;)
        way++;
    if (way == (enum way)LENGTH(way_names))
        return 64;
    if (way == BY_CORE && !have_gcore())
        return 77;
    for (size_t i = 0; i < LENGTH(rows); i++)
        tests[count++] = (struct CMUnitTest){rows[i].where, parked__is_reported, NULL, NULL,
                                             (void *)(uintptr_t)&rows[i]};
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(reasons__as_in_the_table__are_told);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(select__its_cases__are_reported);
    tests[count++] =
        (struct CMUnitTest)cmocka_unit_test(select__of_many_cases__has_them_all_or_says_so);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(locks__what_they_say__is_reported);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(labels__are_reported);
    tests[count++] =
        (struct CMUnitTest)cmocka_unit_test(runtime__its_own_goroutines__are_no_finding);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(report__nothing__is_lost);
    return _cmocka_run_group_tests(argv[2], tests, count, start_waits, end_waits);
}
