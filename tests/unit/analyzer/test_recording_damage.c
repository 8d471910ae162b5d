/* Recordings that are damaged, cut, foreign, or of other versions of the format. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyzer/base/clock.h"
#include "tests/unit/analyzer/recording_read.h"

static void assert_refused(const char *path, enum err_kind kind, const char *part_of_why)
{
    struct snapshot snapshot;
    struct err err;
    bool ok = recording_read(path, &snapshot, &err);
    snapshot_deinit(&snapshot);
    if (ok)
        fail_msg("%s was read, instead of: %s", path, part_of_why);
    if (!strstr(err.why, part_of_why))
        fail_msg("the error is '%s', without '%s'", err.why, part_of_why);
    assert_int_equal(err.kind, kind);
    assert_string_equal(err.what, path);
}

static void assert_bytes_refused(const void *bytes, size_t count, enum err_kind kind,
                                 const char *part_of_why)
{
    const char *path = builder_path("refused.rec");
    builder_write_bytes(path, bytes, count);
    assert_refused(path, kind, part_of_why);
}

static void foreign_file__is_refused(void **state)
{
    (void)state;
    char zeroes[8192] = {0};
    assert_bytes_refused("", 0, ERR_NOT_A_RECORDING, "is empty");
    assert_bytes_refused("hello", 5, ERR_NOT_A_RECORDING, "is not a recording");
    assert_bytes_refused("hello, hello, hello", 19, ERR_NOT_A_RECORDING, "is not a recording");
    assert_bytes_refused(zeroes, sizeof(zeroes), ERR_NOT_A_RECORDING, "not begun yet");
    assert_refused("/proc/self/exe", ERR_NOT_A_RECORDING, "is not a recording");
    assert_refused("/dev/null", ERR_NOT_A_RECORDING, "is not a regular file");
    assert_refused("/", ERR_NOT_A_RECORDING, "is not a regular file");
    assert_refused("/nowhere/at/all.rec", ERR_NOT_FOUND, "No such file");
    const char *fifo = builder_path("fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_refused(fifo, ERR_NOT_A_RECORDING, "is not a regular file");
}

static void other_version__is_refused_with_both_numbers(void **state)
{
    (void)state;
    struct builder *b = recording_full();
    struct rec_header *header = builder_header(b);
    size_t count;
    const char *bytes = builder_bytes(b, &count);

    header->major = 2;
    header->minor = REC_MINOR + 1;
    assert_bytes_refused(bytes, count, ERR_NEWER_VERSION, "version 2.10, a newer version than 1.9");
    header->major = 0;
    assert_bytes_refused(bytes, count, ERR_CORRUPT, "version 0");
    header->major = 1;
    header->minor = REC_MINOR + 1;
    builder_table(b, REC_TABLE_TASKS)->version = 3;
    assert_bytes_refused(bytes, count, ERR_NEWER_VERSION, "tasks of version 3");
    builder_table(b, REC_TABLE_TASKS)->version = 1;
    header->magic = __builtin_bswap64(header->magic);
    assert_bytes_refused(bytes, count, ERR_NOT_A_RECORDING, "other byte order");
    recording_builder_destroy(b);
}

static void newer_minor_version__is_read(void **state)
{
    (void)state;
    struct builder *b = recording_full();
    builder_header(b)->minor = REC_MINOR + 1;
    builder_header(b)->tables[7].id = 99; /* a table that nobody knows yet, instead of the cases */

    struct snapshot s;
    recording_read_built(b, &s);
    assert_int_equal(s.task_count, 5);
    recording_use(&s);
    snapshot_deinit(&s);
}

static void longer_rows__are_read(void **state)
{
    (void)state;
    struct builder *b = recording_full();
    size_t count;
    const char *bytes = builder_bytes(b, &count);
    size_t longer = count + 65536;
    char *file = calloc(1, longer);
    memcpy(file, bytes, count);

    /* The tasks again, behind everything, in rows of 192 bytes. */
    struct rec_header *header = (struct rec_header *)file;
    struct rec_table *table = &header->tables[REC_TABLE_TASKS - 1];
    for (uint32_t i = 0; i < table->count; i++)
        memcpy(file + count + i * 192, bytes + table->offset + i * 128, 128);
    table->offset = count;
    table->stride = 192;
    header->file_bytes = longer;
    const char *path = builder_path("longer.rec");
    builder_write_bytes(path, file, longer);
    free(file);
    recording_builder_destroy(b);

    struct snapshot s;
    struct err err;
    if (!recording_read(path, &s, &err))
        fail_msg("%s", err.why);
    assert_int_equal(s.task_count, 5);
    assert_string_equal(snapshot_extra(&s, &s.tasks[1])->name, "worker");
    snapshot_deinit(&s);
}

static void impossible_tables__are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        size_t offset; /* of the field in the first table (tasks) */
        uint64_t value;
        size_t bytes;
    } rows[] = {
        {"its table of tasks is impossible", offsetof(struct rec_table, stride), 64, 4},
        {"its table of tasks is impossible", offsetof(struct rec_table, stride), 1 << 20, 4},
        {"its table of tasks is impossible", offsetof(struct rec_table, offset), 17, 8},
        {"its table of tasks is impossible", offsetof(struct rec_table, offset), 0, 8},
        {"its table of tasks is impossible", offsetof(struct rec_table, version), 0, 4},
        {"ends past the end", offsetof(struct rec_table, offset), UINT64_MAX - 4095, 8},
        {"ends past the end", offsetof(struct rec_table, capacity), UINT32_MAX, 4},
        {"no table of tasks", offsetof(struct rec_table, id), 77, 4},
        {"two tables of sites", offsetof(struct rec_table, id), REC_TABLE_SITES, 4},
    };
    struct builder *b = recording_full();
    size_t count;
    const char *bytes = builder_bytes(b, &count);
    char *copy = malloc(count);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memcpy(copy, bytes, count);
        memcpy(copy + offsetof(struct rec_header, tables) + rows[i].offset, &rows[i].value,
               rows[i].bytes);
        assert_bytes_refused(copy, count, ERR_CORRUPT, rows[i].what);
    }
    memcpy(copy, bytes, count);
    ((struct rec_header *)copy)->table_count = UINT32_MAX;
    assert_bytes_refused(copy, count, ERR_CORRUPT, "tables");
    memcpy(copy, bytes, count);
    ((struct rec_header *)copy)->state = REC_STATE_STARTING;
    assert_bytes_refused(copy, count, ERR_NOT_A_RECORDING, "only just begun");
    free(copy);
    recording_builder_destroy(b);
}

/* A table that says it has 4,000,000,000 rows in a file that is one hole. */
static void huge_sparse_file__is_read_at_once(void **state)
{
    (void)state;
    struct builder *b = recording_full();
    size_t count;
    const char *bytes = builder_bytes(b, &count);
    const char *path = builder_path("sparse.rec");
    struct rec_header *header = builder_header(b);
    struct rec_table *tasks = builder_table(b, REC_TABLE_TASKS);
    struct rec_table *strings = builder_table(b, REC_TABLE_STRINGS);
    struct rec_table *sites = builder_table(b, REC_TABLE_SITES);
    uint64_t tasks_at = 1 << 20;
    *tasks = (struct rec_table){REC_TABLE_TASKS, 1, tasks_at, 128, 4000000000U, 4000000000U, 0};
    *sites = (struct rec_table){REC_TABLE_SITES, 1, tasks_at, 24, 4000000000U, 4000000000U, 0};
    (void)strings;
    header->file_bytes = tasks_at + UINT64_C(4000000000) * 128;
    builder_write_bytes(path, bytes, count);
    if (truncate(path, (off_t)header->file_bytes) != 0)
        skip(); /* the file system does not take such files */
    recording_builder_destroy(b);

    struct snapshot s;
    struct err err;
    bool ok = recording_read(path, &s, &err);
    if (!ok)
        assert_int_equal(err.kind, ERR_MEMORY);
    else
        assert_int_equal(s.task_count, 0);
    if (ok)
        assert_true(s.loss.unreadable > 0); /* rows beyond what is looked at, and it says so */
    snapshot_deinit(&s);
}

static void truncated__at_every_length__is_refused(void **state)
{
    (void)state;
    struct builder *b = recording_full();
    size_t count;
    const char *bytes = builder_bytes(b, &count);
    const char *path = builder_path("short.rec");
    builder_write_bytes(path, bytes, count);
    for (size_t left = count; left-- > 0;) {
        struct snapshot s;
        struct err err;
        assert_int_equal(truncate(path, (off_t)left), 0);
        bool ok = recording_read(path, &s, &err);
        snapshot_deinit(&s);
        if (ok)
            fail_msg("%zu of %zu bytes were read as a recording", left, count);
        if (err.kind != ERR_TRUNCATED && err.kind != ERR_NOT_A_RECORDING)
            fail_msg("%zu of %zu bytes: kind %d, %s", left, count, err.kind, err.why);
    }
    recording_builder_destroy(b);
}

/* Flips every bit of a range: what comes out is an error in words or a snapshot that can be used.
 */
static void flip_range(struct builder *b, uint64_t from, uint64_t to, unsigned *read,
                       unsigned *refused)
{
    size_t count;
    const char *bytes = builder_bytes(b, &count);
    const char *path = builder_path("flipped.rec");
    builder_write_bytes(path, bytes, count);
    int fd = open(path, O_WRONLY);
    for (uint64_t at = from; at < to; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            char flipped = (char)(bytes[at] ^ (1 << bit));
            struct snapshot s;
            struct err err;
            assert_int_equal(pwrite(fd, &flipped, 1, (off_t)at), 1);
            if (recording_read(path, &s, &err)) {
                recording_use(&s);
                ++*read;
            } else {
                assert_int_not_equal(err.kind, ERR_NONE);
                assert_string_not_equal(err.why, "");
                ++*refused;
            }
            snapshot_deinit(&s);
        }
        assert_int_equal(pwrite(fd, &bytes[at], 1, (off_t)at), 1);
    }
    close(fd);
}

static void flipped_bits_of_the_header__never_crash(void **state)
{
    (void)state;
    struct builder *b = recording_full();
    unsigned read = 0, refused = 0;
    flip_range(b, 0, sizeof(struct rec_header), &read, &refused);
    assert_int_equal(read + refused, 8 * sizeof(struct rec_header));
    assert_in_range(refused, 8 * 20, 8 * sizeof(struct rec_header)); /* magic, tables … */
    recording_builder_destroy(b);
}

static void flipped_bits_of_the_tables__never_crash(void **state)
{
    (void)state;
    struct builder *b = recording_full();
    unsigned read = 0, refused = 0, bits = 0;
    for (unsigned id = 1; id <= REC_TABLE_COUNT; id++) {
        const struct rec_table *table = builder_table(b, id);
        uint64_t bytes = (uint64_t)table->count * table->stride;
        flip_range(b, table->offset, table->offset + bytes, &read, &refused);
        bits += (unsigned)(8 * bytes);
    }
    assert_int_equal(refused, 0); /* rows that make no sense are left out, the others are read */
    assert_int_equal(read, bits);
    recording_builder_destroy(b);
}

static void damaged_rows__are_left_out_and_counted(void **state)
{
    (void)state;
    struct builder *b = recording_full();
    struct rec_task *tasks =
        (struct rec_task *)((char *)builder_header(b) + builder_table(b, REC_TABLE_TASKS)->offset);
    tasks[1].kind = 200;
    tasks[2].call = 5000;
    tasks[3].case_count = 9999;
    tasks[4].spawn_site = 77777;

    struct snapshot s;
    recording_read_built(b, &s);
    assert_int_equal(s.task_count, 4);
    assert_int_equal(s.loss.unreadable, 4);
    assert_false(s.tasks[0].flags & SNAPSHOT_PARKED);
    assert_int_equal(snapshot_extra(&s, &s.tasks[1])->case_count, 0);
    assert_int_equal(s.tasks[2].spawn_site, 0);
    recording_use(&s);
    snapshot_deinit(&s);
}

static void losses__are_added_up(void **state)
{
    (void)state;
    struct builder *b = recording_full();
    builder_header(b)->lost_tasks = 5;
    builder_header(b)->lost_sites = 3;
    builder_header(b)->lost_stacks = 2;
    builder_table(b, REC_TABLE_TASKS)->lost = 9; /* some of them asked twice */
    builder_table(b, REC_TABLE_PCS)->lost = 7;
    builder_table(b, REC_TABLE_STRINGS)->lost = 1;

    struct snapshot s;
    recording_read_built(b, &s);
    assert_int_equal(s.loss.tasks, 5);
    assert_int_equal(s.loss.sites, 3);
    assert_int_equal(s.loss.stacks, 2);
    assert_int_equal(s.loss.rows, 1);
    assert_int_equal(snapshot_lost_tasks(&s), 5);
    assert_int_equal(snapshot_lost(&s), 11);
    snapshot_deinit(&s);
}

/* Every version that ever shipped has a file under tests/formats. */
static void shipped_formats__stay_readable(void **state)
{
    (void)state;
    DIR *dir = opendir(FORMATS_FOLDER);
    assert_non_null(dir);
    unsigned files = 0;
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        size_t length = strlen(entry->d_name);
        if (length < 4 || strcmp(entry->d_name + length - 4, ".rec") != 0)
            continue;
        char path[512];
        snprintf(path, sizeof(path), "%s/%s", FORMATS_FOLDER, entry->d_name);
        struct snapshot s;
        struct err err;
        if (!recording_read(path, &s, &err))
            fail_msg("%s: %s", path, err.why);
        assert_in_range(s.task_count, 1, 1000000);
        assert_string_not_equal(s.exe, "");
        assert_int_equal(snapshot_lost(&s), 0);
        assert_int_equal(s.note_count, 0);
        recording_use(&s);
        snapshot_deinit(&s);
        files++;
    }
    closedir(dir);
    assert_in_range(files, 1, 1000);
}

int main(int argc, char **argv)
{
    /* "test_recording_damage --write FILE" makes the file under tests/formats. */
    if (argc == 3 && strcmp(argv[1], "--write") == 0) {
        struct builder *b = recording_full();
        struct rec_task *late = builder_thread(b, "late");
        builder_park(b, late, "pthread_mutex_lock", REC_OP_MUTEX_LOCK, 0x500, 5 * SECOND, 0);
        late->wait_flags = REC_WAIT_PASSING;
        late->detail_flags |= REC_DETAIL_PASSING | REC_DETAIL_WAITS | REC_DETAIL_BEGAN;
        late->detail_b = rec_passing_key(late);
        late->gen = 0;
        struct rec_task *asleep = builder_thread(b, "asleep");
        builder_park(b, asleep, "read", REC_OP_IO_WAIT, 5, 5 * SECOND, 0);
        builder_asleep(b, asleep);
        builder_header(b)->state = REC_STATE_EXITED;
        recording_builder_end(b, argv[2]);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foreign_file__is_refused),
        cmocka_unit_test(other_version__is_refused_with_both_numbers),
        cmocka_unit_test(newer_minor_version__is_read),
        cmocka_unit_test(longer_rows__are_read),
        cmocka_unit_test(impossible_tables__are_refused),
        cmocka_unit_test(huge_sparse_file__is_read_at_once),
        cmocka_unit_test(truncated__at_every_length__is_refused),
        cmocka_unit_test(flipped_bits_of_the_header__never_crash),
        cmocka_unit_test(flipped_bits_of_the_tables__never_crash),
        cmocka_unit_test(damaged_rows__are_left_out_and_counted),
        cmocka_unit_test(losses__are_added_up),
        cmocka_unit_test(shipped_formats__stay_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
