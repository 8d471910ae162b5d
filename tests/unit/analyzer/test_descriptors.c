/* What recordings tell of the descriptors that tasks wait for, in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>

#include "analyzer/base/descriptor_text.h"
#include "analyzer/recording/descriptors.h"
#include "tests/unit/analyzer/recording_read.h"

/* ---- words ---- */

static void assert_text(const struct rec_descriptor *row, bool listens, const char *expected)
{
    char text[RECORDING_DESCRIPTOR_TEXT];
    assert_true(recording_descriptor_text(row, listens, text));
    assert_string_equal(text, expected);
}

static void file__is_called_as_proc_has_it(void **state)
{
    static const struct {
        const char *name, *text;
    } rows[] = {
        {"/run/log", "/run/log"},
        {"pipe:[1234]", "pipe"},
        {"socket:[1234]", "socket"}, /* which could not be asked */
        {"anon_inode:[eventfd]", "eventfd"},
        {"anon_inode:inotify", "inotify"},
        {"/tmp/\033[31m", "/tmp/\\x1b[31m"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rec_descriptor row = {.wait = 1};
        memcpy(row.name, rows[i].name, strlen(rows[i].name));
        assert_text(&row, false, rows[i].text);
    }
}

static void path__of_which_the_end_is_missing__says_so(void **state)
{
    struct rec_descriptor row = {.wait = 1};
    char text[RECORDING_DESCRIPTOR_TEXT];
    (void)state;
    memset(row.name, 'x', sizeof(row.name));
    row.name[0] = '/';
    assert_true(recording_descriptor_text(&row, false, text));
    assert_int_equal(strlen(text), sizeof(row.name) - 1 + 3);
    assert_string_equal(text + sizeof(row.name) - 1, "...");
}

static void path__longer_than_its_place__says_so(void **state)
{
    static const struct {
        const char *link, *text;
    } rows[] = {
        {"/a/path", "/a/path"},
        {"/a/longer", "/a/l..."},
        {"/a/\n\n", "/a/..."}, /* no half of \x0a */
        {"/a/b\xc3\xa4\xc3\xa4", "/a/b..."},
        {"anon_inode:[eventfd]", "eventfd"},
        {"anon_inode:[eventpoll]", "even..."},
    };
    char text[8];
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        descriptor_text_link(rows[i].link, text, sizeof(text));
        assert_string_equal(text, rows[i].text);
    }
}

static void address__longer_than_its_place__says_so(void **state)
{
    static const struct {
        const char *local, *peer, *text;
        bool listens;
    } rows[] = {
        {"/x", "", "unix /x", false},          {"", "/x", "unix -> /x", false},
        {"/x", "", "unix /x ...", true},       {"/a/longer", "", "unix /a/...", false},
        {"/a\n\n", "", "unix /a...", false}, /* no half of \x0a */
        {"", "/longer", "unix -> ...", false},
    };
    char text[12];
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        descriptor_text_socket("unix", rows[i].local, rows[i].peer, rows[i].listens, text,
                               sizeof(text));
        assert_string_equal(text, rows[i].text);
    }
}

/* One of a socket with these addresses. */
static struct rec_descriptor socket_row(int protocol, const void *local, size_t local_bytes,
                                        const void *peer, size_t peer_bytes)
{
    struct rec_descriptor row = {.wait = 1,
                                 .protocol = (uint16_t)protocol,
                                 .local_bytes = (uint8_t)local_bytes,
                                 .peer_bytes = (uint8_t)peer_bytes};
    memcpy(row.name, local, local_bytes);
    memcpy(row.name + local_bytes, peer, peer_bytes);
    return row;
}

static void socket_of_the_internet__is_called_by_both_ends(void **state)
{
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons(80)};
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(5123)};
    struct sockaddr_in6 local6 = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
    struct sockaddr_in unbound = {.sin_family = AF_INET};
    (void)state;
    local.sin_addr.s_addr = htonl(0x7f000001);
    peer.sin_addr.s_addr = htonl(0x0a000007);
    local6.sin6_addr = in6addr_loopback;
    struct rec_descriptor row = socket_row(IPPROTO_TCP, &local, sizeof(local), &peer, sizeof(peer));
    assert_text(&row, false, "tcp 127.0.0.1:80 -> 10.0.0.7:5123");
    row = socket_row(IPPROTO_TCP, &local6, sizeof(local6), &local6, sizeof(local6));
    assert_text(&row, false, "tcp [::1]:443 -> [::1]:443");
    row = socket_row(IPPROTO_TCP, &local, sizeof(local), "", 0);
    assert_text(&row, true, "tcp 127.0.0.1:80 listening");
    row = socket_row(IPPROTO_UDP, &local, sizeof(local), "", 0);
    assert_text(&row, false, "udp 127.0.0.1:80");
    row = socket_row(IPPROTO_UDP, &unbound, sizeof(unbound), "", 0);
    assert_text(&row, false, "udp");
    row = socket_row(IPPROTO_SCTP, &local, sizeof(local), "", 0);
    assert_text(&row, false, "socket");
}

static void unix_socket__is_called_by_its_name_or_that_of_its_peer(void **state)
{
    const size_t path_at = offsetof(struct sockaddr_un, sun_path);
    struct sockaddr_un named = {.sun_family = AF_UNIX, .sun_path = "/run/x"};
    struct sockaddr_un abstract = {.sun_family = AF_UNIX, .sun_path = "\0name"};
    (void)state;
    struct rec_descriptor row = socket_row(0, &named, path_at, &named, path_at);
    assert_text(&row, false, "unix socket");
    row = socket_row(0, &named, path_at + sizeof("/run/x"), &named, path_at);
    assert_text(&row, false, "unix socket /run/x");
    assert_text(&row, true, "unix socket /run/x listening");
    row = socket_row(0, &named, path_at, &named, path_at + sizeof("/run/x"));
    assert_text(&row, false, "unix socket -> /run/x");
    row = socket_row(0, &abstract, path_at + 5, "", 0);
    assert_text(&row, false, "unix socket @name");
}

static void addresses__of_any_length_and_family__are_survived(void **state)
{
    struct rec_descriptor row = {.wait = 1};
    char text[RECORDING_DESCRIPTOR_TEXT];
    (void)state;
    for (int family = 0; family <= AF_MAX; family++) {
        for (size_t local = 0; local <= UINT8_MAX; local++) {
            memset(row.name, 0xe2, sizeof(row.name));
            memcpy(row.name, &(sa_family_t){(sa_family_t)family}, sizeof(sa_family_t));
            row.local_bytes = (uint8_t)local;
            row.peer_bytes = (uint8_t)(sizeof(row.name) - local);
            bool fits = local <= sizeof(row.name);
            assert_int_equal(recording_descriptor_text(&row, true, text), fits);
            row.peer_bytes++;
            assert_false(recording_descriptor_text(&row, true, text));
        }
    }
}

/* ---- rows ---- */

static struct rec_task *reader(struct builder *b, const char *name)
{
    struct rec_task *task = builder_thread(b, name);
    builder_park(b, task, "read", REC_OP_IO_WAIT, 7, 12 * SECOND, 0);
    strcpy(builder_descriptor(b, task)->name, "pipe:[1234]");
    return task;
}

static const char *text_of(const struct snapshot *s, size_t task)
{
    uint32_t row = snapshot_extra(s, &s->tasks[task])->object_text;
    return row ? s->object_texts[row] : NULL;
}

static void descriptor__of_another_task_or_wait__is_not_told(void **state)
{
    struct snapshot s;
    (void)state;
    struct builder *b = recording_builder_create();
    reader(b, "it");
    builder_descriptor(b, reader(b, "later wait"))->wait--;
    builder_descriptor(b, reader(b, "later task"))->task--;
    reader(b, "not looked at since")->seen_gen--;
    builder_thread(b, "without");
    recording_read_built(b, &s);
    assert_int_equal(s.task_count, 5);
    assert_string_equal(text_of(&s, 0), "pipe");
    for (size_t i = 1; i < 5; i++)
        assert_null(text_of(&s, i));
    assert_int_equal(snapshot_lost(&s), 0);
    snapshot_deinit(&s);
}

static void descriptor__that_contradicts_itself__is_counted(void **state)
{
    struct snapshot s;
    (void)state;
    struct builder *b = recording_builder_create();
    builder_descriptor(b, reader(b, "damaged"))->local_bytes = UINT8_MAX;
    recording_read_built(b, &s);
    assert_null(text_of(&s, 0));
    assert_int_equal(s.loss.rows, 1);
    snapshot_deinit(&s);
}

/* As the library writes them: there are fewer rows than tasks, and none at all before 1.5. */
static void task__without_a_row__is_told_without_its_descriptor(void **state)
{
    struct snapshot s;
    (void)state;
    for (int tables = REC_TABLE_DESCRIPTORS; tables >= REC_TABLE_DESCRIPTORS - 1; tables--) {
        struct builder *b = recording_builder_create();
        reader(b, "first");
        reader(b, "second");
        builder_table(b, REC_TABLE_DESCRIPTORS)->capacity = 2;
        builder_header(b)->table_count = (uint32_t)tables;
        recording_read_built(b, &s);
        assert_int_equal(text_of(&s, 0) != NULL, tables == REC_TABLE_DESCRIPTORS);
        assert_null(text_of(&s, 1));
        assert_int_equal(snapshot_lost(&s), 0);
        snapshot_deinit(&s);
    }
}

/* Written since the file was opened, which had none then. */
static void descriptor__that_the_header_does_not_count_yet__is_told(void **state)
{
    struct snapshot s;
    (void)state;
    struct builder *b = recording_builder_create();
    reader(b, "it");
    builder_table(b, REC_TABLE_DESCRIPTORS)->count = 0;
    recording_read_built(b, &s);
    assert_string_equal(text_of(&s, 0), "pipe");
    snapshot_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file__is_called_as_proc_has_it),
        cmocka_unit_test(path__of_which_the_end_is_missing__says_so),
        cmocka_unit_test(path__longer_than_its_place__says_so),
        cmocka_unit_test(address__longer_than_its_place__says_so),
        cmocka_unit_test(socket_of_the_internet__is_called_by_both_ends),
        cmocka_unit_test(unix_socket__is_called_by_its_name_or_that_of_its_peer),
        cmocka_unit_test(addresses__of_any_length_and_family__are_survived),
        cmocka_unit_test(descriptor__of_another_task_or_wait__is_not_told),
        cmocka_unit_test(descriptor__that_contradicts_itself__is_counted),
        cmocka_unit_test(descriptor__that_the_header_does_not_count_yet__is_told),
        cmocka_unit_test(task__without_a_row__is_told_without_its_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
