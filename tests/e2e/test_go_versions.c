/* Programs that say they were built with a version of Go that leakspy cannot read: too old, or
 * newer than any that it knows. Whichever way it is looked at, the report says so instead of
 * "nothing found"; and where debug information tells of the newer one, its goroutines are told.
 * They are programs of this Go whose texts were changed. */
#include "tests/e2e/harness.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char copy[64]; /* the changed program */

static const struct expected_group parked = {
    .kind = "goroutine",
    .op = "chan send",
    .wait_function = "main.chanSend",
};

static const struct row {
    const char *name, *mode, *minor;
    enum { BY_PID, BY_PRELOAD, BY_RUN } way;
    const char *says; /* NULL: its goroutines are told */
} rows[] = {
    {"too_old__by_pid", "cgo", "17", BY_PID, "of versions before go1.18 cannot be told"},
    {"too_old_stripped__by_pid", "stripped", "17", BY_PID,
     "of versions before go1.18 cannot be told"},
    {"too_old__by_preload", "cgo", "17", BY_PRELOAD, "of versions before go1.18 cannot be told"},
    {"too_old__by_run", "static", "17", BY_RUN, "a version of Go that is too old (before 1.18)"},
    {"newer__by_pid", "cgo", "99", BY_PID, NULL},
    {"newer_stripped__by_pid", "stripped", "99", BY_PID, "it has no debug information"},
    {"newer__by_preload", "cgo", "99", BY_PRELOAD, "the library that recorded it does not know"},
    {"newer__by_run", "static", "99", BY_RUN, NULL},
    {"newer_stripped__by_run", "static_stripped", "99", BY_RUN,
     "a version of Go that is newer than this leakspy knows"},
};

/* The program of a mode, with every "go1.NN" in it changed into "go1.`minor`". */
static void make_copy(const char *mode, const char *minor)
{
    char path[512];
    struct stat status;
    snprintf(path, sizeof path, "%s/go_waits_%s", LEAKSPY_TARGETS, mode);
    int from = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(from >= 0);
    assert_int_equal(fstat(from, &status), 0);
    size_t bytes = (size_t)status.st_size, done = 0, changed = 0;
    char *text = malloc(bytes);
    assert_non_null(text);
    assert_int_equal(read(from, text, bytes), bytes);
    close(from);
    for (char *at = text; (at = memmem(at, bytes - (size_t)(at - text), "go1.", 4)) != NULL;) {
        at += 4;
        if (text + bytes - at >= 2 && strspn((char[]){at[0], at[1], '\0'}, "0123456789") == 2) {
            memcpy(at, minor, 2);
            changed++;
        }
    }
    assert_true(changed > 0);
    strcpy(copy, "/tmp/leakspy-go-version.XXXXXX");
    int to = mkostemp(copy, O_CLOEXEC);
    assert_true(to >= 0);
    for (ssize_t got; done < bytes; done += (size_t)got)
        assert_true((got = write(to, text + done, bytes - done)) > 0);
    assert_int_equal(fchmod(to, 0755), 0);
    close(to);
    free(text);
}

static int remove_copy(void **state)
{
    unlink(copy);
    return end_all_targets(state);
}

/* A report that says why it tells no goroutines, or tells them. The sampler may not have looked
 * yet. */
static void assert_told(const char *source, const struct row *row)
{
    for (int64_t deadline_ms = now_ms() + PATIENCE_MS;; sleep_ms(20)) {
        json_t *json = report(source, "0", LIST("--all"));
        bool told = find_group(json, &parked) != NULL;
        bool said = row->says && has_note(json, row->says);
        bool last = now_ms() > deadline_ms;
        if (last && told != !row->says)
            json_dumpf(json, stderr, JSON_INDENT(1));
        json_decref(json);
        if (row->says ? said : told) {
            assert_int_equal(told, !row->says);
            return;
        }
        assert_false(last);
    }
}

static struct target *start(bool preload, const char *const argv[])
{
    struct target *target = target_start(preload, argv, LIST("LEAKSPY_SAMPLE=20ms"));
    target_wait_line(target, "ready");
    return target;
}

static void look_at_process(const struct row *row)
{
    char source[16];
    struct target *target = start(row->way == BY_PRELOAD, LIST(copy));
    snprintf(source, sizeof source, "%d", target->pid);
    assert_told(source, row);
    if (row->says)
        assert_no_all_clear(source);
    target_end(target);
}

/* `leakspy run` says on stderr that it cannot, while the program runs on. */
static void wait_until_said(const struct target *target, const char *says)
{
    char path[128];
    snprintf(path, sizeof path, "%s/stderr", target->dir);
    for (int64_t deadline_ms = now_ms() + PATIENCE_MS;; sleep_ms(20)) {
        char *text = read_file(path);
        bool said = text && strstr(text, says);
        free(text);
        if (said)
            return;
        assert_true(now_ms() < deadline_ms);
    }
}

static void record_from_outside(const struct row *row)
{
    char recording[96];
    snprintf(recording, sizeof recording, "%s.rec", copy);
    struct target *target = start(false, LIST(LEAKSPY_COMMAND, "run", "-o", recording, "--", copy));
    if (row->says) {
        wait_until_said(target, row->says);
        assert_int_not_equal(access(recording, F_OK), 0);
    } else {
        for (int64_t deadline_ms = now_ms() + PATIENCE_MS; access(recording, F_OK) != 0;) {
            assert_true(now_ms() < deadline_ms);
            sleep_ms(20);
        }
        assert_told(recording, row);
    }
    struct outcome outcome = target_wait(target);
    unlink(recording);
    assert_true(WIFEXITED(outcome.status));
    assert_int_equal(WEXITSTATUS(outcome.status), 0);
    outcome_deinit(&outcome);
}

static void version__is_told(void **state)
{
    const struct row *row = *state;
    make_copy(row->mode, row->minor);
    if (row->way == BY_RUN)
        record_from_outside(row);
    else
        look_at_process(row);
}

int main(void)
{
    static struct CMUnitTest tests[LENGTH(rows)];
    for (size_t i = 0; i < LENGTH(rows); i++)
        tests[i] = (struct CMUnitTest){rows[i].name, version__is_told, NULL, remove_copy,
                                       (void *)(uintptr_t)&rows[i]};
    return _cmocka_run_group_tests("go_versions", tests, LENGTH(rows), NULL, NULL);
}
