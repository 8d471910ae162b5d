/* What is said of tasks that wait for channels, and in selects over them. */
#include "tests/unit/analyzer/judged.h"

/* A select over two nil channels and one more, of which so many were recorded. */
static void judge_select(struct judged *j, enum rec_kind kind, uint64_t third, uint16_t recorded,
                         int64_t parked_ns)
{
    struct builder *b = recording_builder_create();
    struct rec_task *task = builder_task(b, kind, "f");
    builder_park(b, task, "select", REC_OP_SELECT, 0xc000010000, parked_ns, 0);
    uint32_t first = builder_case(b, REC_OP_CHAN_SEND, 0);
    builder_case(b, REC_OP_CHAN_RECEIVE, 0);
    builder_case(b, REC_OP_CHAN_RECEIVE, third);
    builder_select(task, first, recorded);
    task->arg = kind == REC_KIND_GOROUTINE ? 1U << 16 | 2 : 3;
    judge(j, b, 10 * SECOND, NULL);
}

static void select__of_a_task_without_cases__is_leaked(void **state)
{
    struct judged j;
    struct builder *b = recording_builder_create();
    (void)state;
    builder_park(b, builder_task(b, REC_KIND_TASK, "f"), "taskrt_select", REC_OP_SELECT, 0x7ffe10,
                 20 * SECOND, 0);
    judge(&j, b, 10 * SECOND, NULL);
    assert_group(&j, 0, VERDICT_LEAKED, 1, "select");
    done(&j);
}

static void select__of_a_goroutine_without_cases__is_leaked_only_when_they_were_read(void **state)
{
    (void)state;
    for (int known = 0; known <= 1; known++) {
        struct judged j;
        struct builder *b = recording_builder_create();
        struct rec_task *task = builder_task(b, REC_KIND_GOROUTINE, "f");
        builder_park(b, task, "select", REC_OP_SELECT, 0, 20 * SECOND, 0);
        if (known)
            task->wait_flags |= REC_WAIT_CASES;
        judge(&j, b, 10 * SECOND, NULL);
        assert_group(&j, 0, known ? VERDICT_LEAKED : VERDICT_STUCK, 1, "select");
        if (!known)
            assert_no_evidence(&j, 0, "nothing can wake it");
        done(&j);
    }
}

static void select__leaked_only_when_all_cases_are_nil(void **state)
{
    (void)state;
    struct judged j;
    for (enum rec_kind kind = REC_KIND_TASK; kind <= REC_KIND_GOROUTINE; kind++) {
        judge_select(&j, kind, 0, 3, 20 * SECOND);
        assert_group(&j, 0, VERDICT_LEAKED, 1, "select");
        assert_evidence(&j, 0,
                        "the select has no case that could ever be ready: nothing can wake it");
        done(&j);
        judge_select(&j, kind, 0x600, 3, 20 * SECOND);
        assert_group(&j, 0, VERDICT_STUCK, 1, "select");
        done(&j);
        judge_select(&j, kind, 0x600, 2, 20 * SECOND); /* the third is not in the recording */
        assert_group(&j, 0, VERDICT_STUCK, 1, "select");
        done(&j);
        judge_select(&j, kind, 0, 3, 0); /* the cases may be those of an earlier wait */
        assert_group(&j, 0, VERDICT_WAITING, 1, "select");
        done(&j);
    }
}

static void select__of_which_not_all_cases_were_recorded__says_more(void **state)
{
    (void)state;
    struct judged j;
    for (enum rec_kind kind = REC_KIND_TASK; kind <= REC_KIND_GOROUTINE; kind++) {
        judge_select(&j, kind, 0x600, 2, 20 * SECOND);
        assert_evidence(
            &j, 0, "more than 2 cases, no task waiting on the other side of any that is known");
        done(&j);
        judge_select(&j, kind, 0x600, 3, 20 * SECOND);
        assert_evidence(&j, 0, "3 cases, no task waiting on the other side of any");
        assert_no_evidence(&j, 0, "known");
        done(&j);
    }
}

/* Tasks that wait on the same channels are told with these; else how many cases each has. */
static void cases__are_named_as_far_as_all_tasks_have_the_same(void **state)
{
    (void)state;
    const char *const said[] = {
        "cases: chan receive 0x600, chan send 0x700, chan send of a nil channel",
        "cases of each: 1 chan receive, 2 chan send", NULL};
    for (int differ = 0; differ < 3; differ++) {
        struct judged j;
        struct builder *b = recording_builder_create();
        for (uint64_t i = 0; i < 2; i++) {
            struct rec_task *task = builder_task(b, REC_KIND_TASK, "f");
            builder_park(b, task, "taskrt_select", REC_OP_SELECT, 0x7ffe10, 20 * SECOND, 0);
            uint32_t first = builder_case(b, REC_OP_CHAN_RECEIVE, differ == 1 ? 0x600 + i : 0x600);
            builder_case(b, REC_OP_CHAN_SEND, 0x700);
            builder_case(b, differ == 2 && i == 1 ? REC_OP_CHAN_RECEIVE : REC_OP_CHAN_SEND, 0);
            builder_select(task, first, 3);
            task->arg = 3;
        }
        judge(&j, b, 10 * SECOND, NULL);
        assert_evidence(&j, 0, "3 cases, no task waiting on the other side of any");
        if (said[differ])
            assert_evidence(&j, 0, said[differ]);
        else
            assert_no_evidence(&j, 0, "cases:");
        done(&j);
    }
}

/* Both on the same channel: a task does not wake itself. */
static void select__that_sends_and_receives__is_no_partner_of_its_own(void **state)
{
    (void)state;
    for (int others = 0; others <= 1; others++) {
        struct judged j;
        struct builder *b = recording_builder_create();
        struct rec_task *task = builder_task(b, REC_KIND_TASK, "t");
        builder_park(b, task, "taskrt_select", REC_OP_SELECT, 0x700, 20 * SECOND, 0);
        uint32_t first = builder_case(b, REC_OP_CHAN_SEND, 0x600);
        builder_case(b, REC_OP_CHAN_RECEIVE, 0x600);
        builder_select(task, first, 2);
        task->arg = 2;
        if (others)
            builder_park(b, builder_task(b, REC_KIND_TASK, "s"), "taskrt_send", REC_OP_CHAN_SEND,
                         0x600, 0, 0);
        judge(&j, b, 10 * SECOND, NULL);
        assert_group(&j, 0, VERDICT_STUCK, 1, "select");
        assert_evidence(&j, 0,
                        others ? "2 cases, another task waiting on the other side of one"
                               : "2 cases, no task waiting on the other side of any");
        done(&j);
    }
}

static void nil_channel__leaked(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *task = builder_task(b, REC_KIND_TASK, "t");
    builder_park(b, task, "taskrt_send", REC_OP_CHAN_SEND, 0, 20 * SECOND, 0);
    struct rec_task *goroutine = builder_task(b, REC_KIND_GOROUTINE, "");
    builder_park(b, goroutine, "chan receive (nil chan)", REC_OP_CHAN_RECEIVE, 0, 20 * SECOND, 0);
    struct rec_task *chooser = builder_task(b, REC_KIND_TASK, "c");
    builder_park(b, chooser, "taskrt_select", REC_OP_SELECT, 0, 20 * SECOND, 0);
    builder_select(chooser, builder_case(b, REC_OP_CHAN_SEND, 0), 1);
    chooser->arg = 1;
    chooser->arg = 1;
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_int_equal(j.verdicts.totals.by_verdict[VERDICT_LEAKED], 3);
    assert_evidence(&j, 0, "nothing can wake it");
    done(&j);
}

static void channel__evidence_says_who_else_waits(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *sender = builder_task(b, REC_KIND_TASK, "s");
    builder_park(b, sender, "taskrt_send", REC_OP_CHAN_SEND, 0x500, 20 * SECOND, 0);
    builder_channel(sender, 0, 0);
    struct rec_task *full = builder_task(b, REC_KIND_TASK, "f");
    builder_park(b, full, "taskrt_send", REC_OP_CHAN_SEND, 0x600, 20 * SECOND,
                 builder_site(b, (uint64_t[]){0x10}, 1));
    builder_channel(full, 4, 4);
    struct rec_task *chooser = builder_task(b, REC_KIND_TASK, "c");
    builder_park(b, chooser, "taskrt_select", REC_OP_SELECT, 0, 20 * SECOND, 0);
    builder_select(chooser, builder_case(b, REC_OP_CHAN_RECEIVE, 0x600), 1);
    chooser->arg = 1;
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_int_equal(j.verdicts.count, 3);
    assert_evidence(&j, 0, "channel 0x500: unbuffered, 1 sender waiting, no receiver waiting");
    assert_evidence(&j, 1, "channel 0x600: 4 of 4 buffered, 1 sender waiting, 1 receiver waiting");
    done(&j);
}

static void many_channels__evidence_says_what_they_share(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    for (unsigned i = 0; i < 3; i++) {
        struct rec_task *task = builder_task(b, REC_KIND_TASK, "s");
        builder_park(b, task, "taskrt_send", REC_OP_CHAN_SEND, 0x500 + i, 20 * SECOND, 0);
        builder_channel(task, 0, 0);
    }
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_group(&j, 0, VERDICT_STUCK, 3, "chan send");
    assert_false(j.verdicts.groups[0].same_object);
    assert_evidence(&j, 0, "different channels: all unbuffered, no receiver waiting on any");
    done(&j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(select__of_a_task_without_cases__is_leaked),
        cmocka_unit_test(select__of_a_goroutine_without_cases__is_leaked_only_when_they_were_read),
        cmocka_unit_test(select__leaked_only_when_all_cases_are_nil),
        cmocka_unit_test(select__of_which_not_all_cases_were_recorded__says_more),
        cmocka_unit_test(cases__are_named_as_far_as_all_tasks_have_the_same),
        cmocka_unit_test(select__that_sends_and_receives__is_no_partner_of_its_own),
        cmocka_unit_test(nil_channel__leaked),
        cmocka_unit_test(channel__evidence_says_who_else_waits),
        cmocka_unit_test(many_channels__evidence_says_what_they_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
