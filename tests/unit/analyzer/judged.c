#include "tests/unit/analyzer/judged.h"

#include <string.h>

#include "tests/unit/analyzer/recording_read.h"

static void judge_read(struct judged *j, int64_t threshold_ns, const char *idle)
{
    const struct verdict_options options = {threshold_ns, 3};
    assert_true(waits_init(&j->waits, &j->snapshot));
    if (idle)
        j->waits.rows[1].idle_because = idle;
    assert_true(verdicts_init(&j->verdicts, &j->snapshot, &j->waits, &options));
}

void judge(struct judged *j, struct builder *b, int64_t threshold_ns, const char *idle)
{
    recording_read_built(b, &j->snapshot);
    judge_read(j, threshold_ns, idle);
}

void judge_changed(struct judged *j, struct builder *b, int64_t threshold_ns,
                   void (*change)(struct snapshot *snapshot))
{
    recording_read_built(b, &j->snapshot);
    change(&j->snapshot);
    judge_read(j, threshold_ns, NULL);
}

void done(struct judged *j)
{
    verdicts_deinit(&j->verdicts);
    waits_deinit(&j->waits);
    snapshot_deinit(&j->snapshot);
}

void assert_group(const struct judged *j, size_t number, enum verdict verdict, size_t count,
                  const char *op)
{
    if (number >= j->verdicts.count)
        fail_msg("there are %zu groups", j->verdicts.count);
    const struct group *group = &j->verdicts.groups[number];
    assert_string_equal(verdict_name(group->verdict), verdict_name(verdict));
    assert_int_equal(group->count, count);
    assert_string_equal(group->op, op);
}

void assert_evidence(const struct judged *j, size_t number, const char *expected)
{
    const struct group *group = &j->verdicts.groups[number];
    for (size_t i = 0; i < group->evidence_count; i++) {
        if (strstr(group->evidence[i], expected))
            return;
    }
    for (size_t i = 0; i < group->evidence_count; i++)
        print_message("evidence: %s\n", group->evidence[i]);
    fail_msg("no evidence says: %s", expected);
}

void assert_no_evidence(const struct judged *j, size_t number, const char *unexpected)
{
    const struct group *group = &j->verdicts.groups[number];
    for (size_t i = 0; i < group->evidence_count; i++) {
        if (strstr(group->evidence[i], unexpected))
            fail_msg("evidence says: %s", group->evidence[i]);
    }
}

void wait_for(struct builder *b, struct rec_task *task, const struct rec_task *owner,
              uint64_t mutex)
{
    builder_park(b, task, "pthread_mutex_lock", REC_OP_MUTEX_LOCK, mutex, 15 * SECOND, 0);
    builder_owner(task, owner);
}
