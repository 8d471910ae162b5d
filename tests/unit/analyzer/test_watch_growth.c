/* What grew, left or stayed while it was watched. */
#include <string.h>

#include "analyzer/verdict/verdict.h"
#include "tests/unit/analyzer/watched.h"

static struct waits waits;
static struct verdicts verdicts;

static void judge(void)
{
    const struct verdict_options options = {SECOND, 10};
    assert_true(waits_init(&waits, &last_look));
    assert_true(verdicts_init(&verdicts, &last_look, &waits, &options));
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
        if (wait && last_look.pcs[last_look.sites[wait->site].first_pc] == place)
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
    assert_int_equal(last_look.looks, 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups__are_counted_at_the_first_look_and_the_last),
        cmocka_unit_test(one_look__says_nothing_of_growth),
        cmocka_unit_test(tasks_that_left_from_one_of_two_groups__are_not_counted_for_either),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
