/* What is known of a program's runtime where its version, or its debug information, says what is
 * not so. Programs that say they were built with a version of Go that leakspy cannot read, too old,
 * or newer than any that it knows: whichever way it is looked at, the report says so instead of
 * "nothing found"; and where debug information tells of the newer one, its goroutines are told. So
 * they are where the version is another one that it knows, since debug information comes first; and
 * where that is damaged, by the table of versions. They are programs of this Go that were changed.
 */
#include "tests/e2e/harness.h"

#include <elf.h>
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
    .spawn_function = "main.main",
};

#define ANOTHER "another" /* version that is known, of which the runtime is laid out otherwise */

static void empty_it(char *info, size_t bytes)
{
    memset(info, 0, bytes);
}

/* Changes all of some bytes, into as many others. Behind the name of a member and its NUL is its
 * offset, in two bytes. */
static void replace(char *info, size_t bytes, const char *name, const char *to, size_t to_bytes)
{
    size_t changed = 0;
    const char *end = info + bytes, *found;
    for (char *at = info; (found = memmem(at, (size_t)(end - at), name, strlen(name) + 1));) {
        at = info + (found - info) + to_bytes;
        assert_true(at <= end);
        if ((uint8_t)found[strlen(name) + 1] < 0x80) /* of another structure: in one byte */
            continue;
        memcpy(at - to_bytes, to, to_bytes);
        changed++;
    }
    assert_int_not_equal(changed, 0);
}

static void move_id_far_away(char *info, size_t bytes)
{
    replace(info, bytes, "goid", "goid\0\xff\x7f", 7);
}

static void move_status_elsewhere(char *info, size_t bytes)
{
    replace(info, bytes, "atomicstatus", "atomicstatus\0\x84\x01", 15); /* 132 */
}

static void rename_id(char *info, size_t bytes)
{
    replace(info, bytes, "goid", "goix\0", 5);
}

static void rename_unread(char *info, size_t bytes)
{
    replace(info, bytes, "gofunc", "gofunx\0", 7);
}

static const struct row {
    const char *name, *mode, *minor; /* NULL: its own */
    enum { BY_PID, BY_PRELOAD, BY_RUN } way;
    const char *says;                         /* NULL: its goroutines are told */
    void (*change)(char *info, size_t bytes); /* its debug information */
} rows[] = {
    {"too_old__by_pid", "cgo", "17", BY_PID, "of versions before go1.18 cannot be told", NULL},
    {"too_old_stripped__by_pid", "stripped", "17", BY_PID,
     "of versions before go1.18 cannot be told", NULL},
    {"too_old__by_preload", "cgo", "17", BY_PRELOAD, "of versions before go1.18 cannot be told",
     NULL},
    {"too_old__by_run", "static", "17", BY_RUN, "a version of Go that is too old (before 1.18)",
     NULL},
    {"newer__by_pid", "cgo", "99", BY_PID, NULL, NULL},
    {"newer_stripped__by_pid", "stripped", "99", BY_PID, "it has no debug information", NULL},
    {"newer__by_preload", "cgo", "99", BY_PRELOAD, "the library that recorded it does not know",
     NULL},
    {"newer__by_run", "static", "99", BY_RUN, NULL, NULL},
    {"newer_stripped__by_run", "static_stripped", "99", BY_RUN,
     "a version of Go that is newer than this leakspy knows", NULL},
    {"another__by_pid", "cgo", ANOTHER, BY_PID, NULL, NULL},
    {"another_static__by_pid", "static", ANOTHER, BY_PID, NULL, NULL},
    {"another__by_run", "static", ANOTHER, BY_RUN, NULL, NULL},
    {"emptied__by_pid", "static", NULL, BY_PID, NULL, empty_it},
    {"emptied__by_run", "static", NULL, BY_RUN, NULL, empty_it},
    {"far_away__by_pid", "static_unpacked", NULL, BY_PID, NULL, move_id_far_away},
    {"elsewhere__by_pid", "static_unpacked", NULL, BY_PID, NULL, move_status_elsewhere},
    {"renamed__by_pid", "static_unpacked", NULL, BY_PID, NULL, rename_id},
    {"newer_far_away__by_pid", "static_unpacked", "99", BY_PID,
     "its debug information makes no sense", move_id_far_away},
    {"newer_renamed__by_pid", "static_unpacked", "99", BY_PID, "its debug information lacks g_id",
     rename_id},
    {"newer_renamed_unread__by_pid", "static_unpacked", "99", BY_PID, NULL, rename_unread},
};

/* The versions are as far from each other as their layouts. */
static const char *another(const char *minor)
{
    return strncmp(minor, "23", 2) < 0 ? "25" : "22";
}

/* Changes every "go1.NN" into "go1.`minor`". */
static void change_version(char *text, size_t bytes, const char *minor)
{
    size_t changed = 0;
    for (char *at = text; (at = memmem(at, bytes - (size_t)(at - text), "go1.", 4)) != NULL;) {
        at += 4;
        if (text + bytes - at >= 2 && strspn((char[]){at[0], at[1], '\0'}, "0123456789") == 2) {
            memcpy(at, strcmp(minor, ANOTHER) == 0 ? another(at) : minor, 2);
            changed++;
        }
    }
    assert_true(changed > 0);
}

static void change_debug_information(char *text, size_t bytes,
                                     void (*change)(char *info, size_t bytes))
{
    Elf64_Ehdr header;
    Elf64_Shdr sections[64];
    memcpy(&header, text, sizeof header);
    assert_in_range(header.e_shnum, 1, LENGTH(sections));
    memcpy(sections, text + header.e_shoff, header.e_shnum * sizeof *sections);
    const char *names = text + sections[header.e_shstrndx].sh_offset;
    for (size_t i = 0; i < header.e_shnum; i++) {
        if (strcmp(names + sections[i].sh_name, ".debug_info") != 0)
            continue;
        assert_in_range(sections[i].sh_offset + sections[i].sh_size, 1, bytes);
        change(text + sections[i].sh_offset, sections[i].sh_size);
        return;
    }
    fail_msg("there is no debug information");
}

/* The program of a row, changed. */
static void make_copy(const struct row *row)
{
    char path[512];
    struct stat status;
    snprintf(path, sizeof path, "%s/go_waits_%s", LEAKSPY_TARGETS, row->mode);
    int from = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(from >= 0);
    assert_int_equal(fstat(from, &status), 0);
    size_t bytes = (size_t)status.st_size, done = 0;
    char *text = malloc(bytes);
    assert_non_null(text);
    assert_int_equal(read(from, text, bytes), bytes);
    close(from);
    if (row->minor)
        change_version(text, bytes, row->minor);
    if (row->change)
        change_debug_information(text, bytes, row->change);
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
    struct target *target = start(row->way == BY_PRELOAD, LIST(copy));
    assert_told(target->pid_text, row);
    if (row->says)
        assert_no_all_clear(target->pid_text);
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
        wait_for_recording(recording);
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
    make_copy(row);
    if (row->way == BY_RUN)
        record_from_outside(row);
    else
        look_at_process(row);
}

/* A runtime that was built in another way than its version is: by the table, a Cond and descriptors
 * would not be found, nor deadlines. */
static void runtime_with_longer_locks__is_read_by_its_dwarf(void **state)
{
    static const struct expected_group groups[] = {
        {.wait_function = "main.condWait", .object_kind = "cond", .deadline = NO_DEADLINE},
        {.wait_function = "main.read", .object_kind = "fd", .deadline = NO_DEADLINE},
        {.wait_function = "main.readUntil", .object_kind = "fd", .deadline = WITH_DEADLINE},
    };
    (void)state;
    struct target *target = start(false, LIST(LEAKSPY_TARGETS "/go_ranked"));
    size_t found = 0;
    for (int64_t deadline_ms = now_ms() + PATIENCE_MS; found < LENGTH(groups); sleep_ms(20)) {
        json_t *json = report(target->pid_text, "0", LIST("--all"));
        for (found = 0; found < LENGTH(groups) && find_group(json, &groups[found]);)
            found++;
        json_decref(json);
        if (found < LENGTH(groups) && now_ms() > deadline_ms)
            fail_msg("%s is not told", groups[found].wait_function);
    }
    target_end(target);
}

int main(void)
{
    static struct CMUnitTest tests[LENGTH(rows) + 1];
    for (size_t i = 0; i < LENGTH(rows); i++)
        tests[i] = (struct CMUnitTest){rows[i].name, version__is_told, NULL, remove_copy,
                                       (void *)(uintptr_t)&rows[i]};
    tests[LENGTH(rows)] = (struct CMUnitTest)cmocka_unit_test_teardown(
        runtime_with_longer_locks__is_read_by_its_dwarf, end_all_targets);
    return _cmocka_run_group_tests("go_versions", tests, LENGTH(tests), NULL, NULL);
}
