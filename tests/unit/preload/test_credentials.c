/* Which changes of credentials a program can undo. */
#include <linux/capability.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/credentials.h"
#include "tests/unit/preload/recording_here.h"

/* As in a container that has not all users of the system. */
static bool lacks_users(void)
{
    FILE *file = fopen("/proc/self/uid_map", "r");
    unsigned first = 1, outside = 1, count = 0;
    int got = file ? fscanf(file, "%u %u %u", &first, &outside, &count) : 0;
    if (file)
        fclose(file);
    return got != 3 || first != 0 || outside != 0 || count != UINT32_MAX;
}

static void ask_superuser(void)
{
    CHECK_INT(credentials_have_way_back(CREDENTIALS_KEPT, CREDENTIALS_KEPT), false);
    credentials_begin();
    CHECK_INT(credentials_have_way_back(CREDENTIALS_KEPT, CREDENTIALS_KEPT), true);
    CHECK_INT(credentials_have_way_back(0, 1000), true);
    CHECK_INT(credentials_have_way_back(1000, 0), true);
    CHECK_INT(credentials_have_way_back(1000, CREDENTIALS_KEPT), true);
    CHECK_INT(credentials_have_way_back(1000, 1000), false);
    CHECK_INT(credentials_have_way_back(1000, CREDENTIALS_UNKNOWN), false);
    CHECK_INT(seteuid(1000), 0); /* acts for a user, and may become the superuser again */
    CHECK_INT(credentials_have_way_back(CREDENTIALS_KEPT, CREDENTIALS_KEPT), true);
    credentials_forget();
    CHECK_INT(credentials_have_way_back(CREDENTIALS_KEPT, CREDENTIALS_KEPT), false);
}

/* A thread that may less than the one that started the sampler. */
static void ask_superuser_without_one_capability(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct words[2];
    credentials_begin();
    CHECK_INT(syscall(SYS_capget, &header, words), 0);
    words[0].permitted &= ~(1U << CAP_SYS_ADMIN);
    words[0].effective &= words[0].permitted;
    CHECK_INT(syscall(SYS_capset, &header, words), 0);
    CHECK_INT(credentials_have_way_back(CREDENTIALS_KEPT, CREDENTIALS_KEPT), false);
    credentials_begin(); /* of one that was started from here */
    CHECK_INT(credentials_have_way_back(CREDENTIALS_KEPT, CREDENTIALS_KEPT), true);
}

static void ask_superuser_without_rights(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct words[2];
    CHECK_INT(syscall(SYS_capget, &header, words), 0);
    words[0].permitted &= ~(1U << CAP_SETGID);
    words[0].effective &= words[0].permitted;
    CHECK_INT(syscall(SYS_capset, &header, words), 0);
    credentials_begin();
    CHECK_INT(credentials_have_way_back(CREDENTIALS_KEPT, CREDENTIALS_KEPT), false);
}

static void ask_user(void)
{
    credentials_begin();
    CHECK_INT(setresuid(1000, 1000, 1000), 0);
    CHECK_INT(credentials_have_way_back(CREDENTIALS_KEPT, CREDENTIALS_KEPT), false);
}

static void superuser__asked__has_a_way_back_while_it_stays_there(void **state)
{
    (void)state;
    if (geteuid() != 0 || lacks_users())
        skip();
    assert_int_equal(here_in_child(ask_superuser), 0);
    assert_int_equal(here_in_child(ask_superuser_without_one_capability), 0);
    assert_int_equal(here_in_child(ask_superuser_without_rights), 0);
    assert_int_equal(here_in_child(ask_user), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(superuser__asked__has_a_way_back_while_it_stays_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
