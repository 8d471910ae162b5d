#include "tests/e2e/libgo_rows.h"

#include <stdio.h>
#include <string.h>

const struct libgo_row libgo_rows[] = {
    {"chanSend", "stuck", "chan send", "channel", "main.chanSend", 0, 0, false},
    {"chanSendFull", "stuck", "chan send", "channel", "main.chanSendFull", 3, 3, false},
    {"chanReceive", "stuck", "chan receive", "channel", "main.chanReceive", 0, 0, false},
    {"chanBuffered", "stuck", "chan receive", "channel", "main.chanBuffered", 5, 0, false},
    {"chanSendNil", "leaked", "chan send (nil chan)", NULL, "main.chanSendNil", -1, 0, false},
    {"chanReceiveNil", "leaked", "chan receive (nil chan)", NULL, "main.chanReceiveNil", -1, 0,
     false},
    {"selectNone", "leaked", "select (no cases)", "none", "main.selectNone", -1, 0, false},
    {"selectMany", "stuck", "select", "none", "main.selectMany", -1, 0, false},
    {"selectNil", "leaked", "select", "none", "main.selectNil", -1, 0, false},
    {"mutexLock", "stuck", "semacquire", "mutex", "main.mutexLock", -1, 0, false},
    {"rwmutexRead", "stuck", "semacquire", "rwlock", "main.rwmutexRead", -1, 0, false},
    {"rwmutexWrite", "stuck", "semacquire", "rwlock", "main.rwmutexWrite", -1, 0, false},
    {"waitGroup", "stuck", "semacquire", "waitgroup", "main.waitGroup", -1, 0, false},
    {"condWait", "stuck", "sync.Cond.Wait", "cond", "main.condWait", -1, 0, false},
    {"sleep", "waiting", "sleep", "none", "main.sleep", -1, 0, true},
    {"accept", "waiting", "IO wait", "fd", "main.accept", -1, 0, false},
    {"netRead", "stuck", "IO wait", "fd", "main.netRead", -1, 0, false},
    {"netReadUntil", "waiting", "IO wait", "fd", "main.netReadUntil", -1, 0, true},
    {"pipeRead", "stuck", "IO wait", "fd", "main.pipeRead", -1, 0, false},
    {"deep", "stuck", "chan send", "channel", "main.atTheBottom", 0, 0, false},
    {"inDefer", "stuck", "chan receive", "channel", "main.inDefer.func1", 0, 0, false},
    {"inRecover", "stuck", "chan receive", "channel", "main.inRecover.func1", 0, 0, false},
    {"spawnedDeep", "stuck", "chan send", "channel", "main.main.func2", 0, 0, false},
};

_Static_assert(LENGTH(libgo_rows) == LIBGO_ROWS, "as many as the header says");

static char addresses[LIBGO_ROWS][32];

struct target *libgo_start(bool preload)
{
    struct target *target = target_start(preload, LIST(LEAKSPY_TARGETS "/libgo_waits"), NULL);
    for (const char *line; strcmp(line = target_wait_line(target, ""), "ready") != 0;) {
        char name[32], address[32];
        if (sscanf(line, "object %31s %31s", name, address) != 2)
            continue;
        for (size_t i = 0; i < LIBGO_ROWS; i++)
            if (strcmp(libgo_rows[i].where, name) == 0)
                memcpy(addresses[i], address, sizeof address);
    }
    return target;
}

int libgo_line(const char *what, const char *where)
{
    char mark[64];
    snprintf(mark, sizeof mark, "%s %s.", what, where);
    return line_of("tests/e2e/libgo_waits.go", mark);
}

struct expected_group libgo_group(const struct libgo_row *row)
{
    const char *address = addresses[row - libgo_rows];
    return (struct expected_group){
        .verdict = row->verdict,
        .kind = "goroutine",
        .op = row->op,
        .object_kind = row->object,
        .object_address = address[0] != '\0' ? address : NULL,
        .count = 1,
        .wait_function = row->function,
        .wait_file = "libgo_waits.go",
        .wait_line = libgo_line("parks in", row->where),
        .spawn_function = strcmp(row->where, "spawnedDeep") == 0 ? "main.main.func1" : "main.main",
        .spawn_file = "libgo_waits.go",
        .spawn_line = libgo_line("spawns", row->where),
        .deadline = row->deadline ? WITH_DEADLINE : NO_DEADLINE,
    };
}

/* `side`: "object.senders" or "object.receivers". */
static void assert_waiting(const json_t *group, const char *side, bool one)
{
    assert_true(json_is_integer(json_at(group, side)));
    assert_int_equal(json_integer_value(json_at(group, side)), one);
}

const json_t *assert_libgo_row(json_t *report, const struct libgo_row *row)
{
    struct expected_group expected = libgo_group(row);
    assert_group(report, &expected);
    const json_t *group = find_group(report, &expected);
    if (row->capacity >= 0) {
        assert_int_equal(json_integer_value(json_at(group, "object.capacity")), row->capacity);
        assert_int_equal(json_integer_value(json_at(group, "object.length")), row->length);
        assert_true(json_is_false(json_at(group, "object.closed")));
        /* Each waits on a channel of its own. */
        bool sends = strcmp(row->op, "chan send") == 0;
        assert_waiting(group, "object.senders", sends);
        assert_waiting(group, "object.receivers", !sends);
    }
    return group;
}

size_t libgo_findings(void)
{
    size_t findings = 0;
    for (size_t i = 0; i < LIBGO_ROWS; i++)
        findings += strcmp(libgo_rows[i].verdict, "waiting") != 0;
    return findings;
}
