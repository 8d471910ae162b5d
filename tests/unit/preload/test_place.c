/* Where a recording goes, and what may stand there already. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "preload/place.h"
#include "preload/proc.h"
#include "tests/unit/preload/recording_here.h"

static char path[PLACE_ROOM];
static uint64_t ticks;

/* A recording of another process at `name`, as far as its header says. */
static const char *put_recording(const char *name, uint32_t pid, uint64_t start, uint32_t how)
{
    struct rec_header header = {
        .magic = REC_MAGIC, .pid = pid, .process_start_ticks = start, .state = how};
    const char *at = here_path(name);
    int fd = open(at, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, &header, sizeof(header)), sizeof(header));
    close(fd);
    return at;
}

static void assert_created(bool fork_child, const char *expected)
{
    struct stat stat_of_file;
    long fd = place_create((uint32_t)getpid(), ticks, fork_child, path);
    assert_in_range(fd, 0, 1000);
    close((int)fd);
    assert_string_equal(path, expected);
    assert_int_equal(stat(path, &stat_of_file), 0);
    assert_int_equal(stat_of_file.st_mode & 07777, 0600);
    assert_int_equal(stat_of_file.st_size, 0);
    unlink(path);
}

static const char *numbered(const char *out, int n)
{
    static char name[512];
    snprintf(name, sizeof(name), "%s.%d-%d", out, (int)getpid(), n);
    return name;
}

static void out__that_is_free__is_taken(void **state)
{
    char out[256];
    (void)state;
    snprintf(out, sizeof(out), "%s", here_path("free"));
    here_options(out);
    assert_created(false, out);
    assert_created(true, numbered(out, 0)); /* a fork child never takes its parent's name */
}

static void out__under_a_umask_that_leaves_nothing__is_its_users(void **state)
{
    char out[256];
    (void)state;
    snprintf(out, sizeof(out), "%s", here_path("masked"));
    here_options(out);
    mode_t before = umask(0777);
    assert_created(false, out);
    assert_created(true, numbered(out, 0));
    assert_int_equal(umask(before), 0777); /* it is the program's */
}

static void out__of_a_process_that_lives__is_left_alone(void **state)
{
    char out[256];
    (void)state;
    uint32_t parent = (uint32_t)getppid();
    snprintf(out, sizeof(out), "%s",
             put_recording("live", parent, proc_start_ticks(parent), REC_STATE_RUNNING));
    here_options(out);
    assert_created(false, numbered(out, 0));
    assert_int_equal(access(out, F_OK), 0);
    /* Of the program that it ran before, too. */
    put_recording("live", parent, proc_start_ticks(parent), REC_STATE_EXEC);
    assert_created(false, numbered(out, 0));
    assert_int_equal(access(out, F_OK), 0);
}

/* Also one that had to take another name than LEAKSPY_OUT. */
static void ancestor__is_found_by_any_name_of_its_recording(void **state)
{
    char name[64], out[256];
    (void)state;
    uint32_t parent = (uint32_t)getppid();
    snprintf(out, sizeof(out), "%s", here_path("family"));
    snprintf(name, sizeof(name), "family.%u-0", parent);
    here_options(out);
    assert_false(place_has_recorded_ancestor());
    put_recording("family", parent, proc_start_ticks(parent), REC_STATE_EXEC);
    assert_true(place_has_recorded_ancestor());
    unlink(out);
    const char *further = put_recording(name, parent, proc_start_ticks(parent), REC_STATE_RUNNING);
    assert_true(place_has_recorded_ancestor());
    unlink(further);
    assert_false(place_has_recorded_ancestor());
}

static void out__of_a_process_that_is_gone__is_replaced(void **state)
{
    char out[256];
    (void)state;
    uint32_t parent = (uint32_t)getppid();
    snprintf(out, sizeof(out), "%s", /* the pid was given again */
             put_recording("dead", parent, proc_start_ticks(parent) + 1, REC_STATE_RUNNING));
    here_options(out);
    assert_created(false, out);
    put_recording("dead", parent, proc_start_ticks(parent), REC_STATE_EXITED);
    assert_created(false, out);
}

static void out__of_this_process_before_exec__is_closed_as_such(void **state)
{
    char out[256];
    struct rec_header header;
    (void)state;
    snprintf(out, sizeof(out), "%s",
             put_recording("own", (uint32_t)getpid(), ticks, REC_STATE_RUNNING));
    here_options(out);
    assert_created(false, numbered(out, 0));
    int fd = open(out, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, &header, sizeof(header)), sizeof(header));
    close(fd);
    assert_int_equal(header.state, REC_STATE_EXEC);
    assert_int_not_equal(header.ended_ns, 0);
}

/* Which the program before had, and which would end one that writes beyond it. */
static void close_own_under_limit(void)
{
    char out[256];
    struct rec_header header = {0};
    uint32_t pid = (uint32_t)getpid();
    uint64_t start = proc_start_ticks(pid);
    snprintf(out, sizeof(out), "%s", put_recording("limited", pid, start, REC_STATE_RUNNING));
    here_options(out);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &(struct rlimit){0, 0}), 0);
    CHECK_INT(place_create(pid, start, false, path) >= 0, 1);
    proc_read_file(out, (char *)&header, sizeof(header));
    CHECK_INT(header.state, REC_STATE_EXEC);
    CHECK_INT(header.ended_ns != 0, 1);
}

static void out__of_this_process_under_a_limit_of_file_size__is_closed_too(void **state)
{
    (void)state;
    assert_int_equal(here_in_child(close_own_under_limit), HERE_CHILD_FINE);
}

static void out__that_is_no_recording__is_never_touched(void **state)
{
    char out[256], target[256], text[16] = "";
    (void)state;
    snprintf(out, sizeof(out), "%s", here_path("letter"));
    FILE *file = fopen(out, "w");
    fputs("dear reader", file);
    fclose(file);
    here_options(out);
    assert_int_equal(place_create((uint32_t)getpid(), ticks, false, path), -EEXIST);
    assert_int_equal(proc_read_file(out, text, sizeof(text)), 11);
    assert_string_equal(text, "dear reader");
    /* A link is not followed, not even to a recording that is over, and not to nothing. */
    snprintf(target, sizeof(target), "%s", put_recording("over", 1, 1, REC_STATE_EXITED));
    unlink(out);
    assert_int_equal(symlink(target, out), 0);
    assert_int_equal(place_create((uint32_t)getpid(), ticks, false, path), -EEXIST);
    assert_int_equal(access(target, F_OK), 0);
    unlink(target);
    assert_int_equal(place_create((uint32_t)getpid(), ticks, false, path), -EEXIST);
    assert_int_equal(access(target, F_OK), -1);
    unlink(out);
    assert_int_equal(mkfifo(out, 0600), 0);
    assert_int_equal(place_create((uint32_t)getpid(), ticks, false, path), -EEXIST);
}

static void out__in_no_folder__says_why(void **state)
{
    (void)state;
    here_options("/nowhere/at/all");
    assert_int_equal(place_create((uint32_t)getpid(), ticks, false, path), -ENOENT);
}

/* --- the user's folder: in a /dev/shm of the test's own ------------------------------------------
 */

static char folder[64];

static void own_shm(void)
{
    here_own_mounts();
    here_mount_tmpfs("/dev/shm", "size=64m");
    snprintf(folder, sizeof(folder), "/dev/shm/leakspy-%u", geteuid());
    here_options(NULL);
}

static void create_in_folder(void)
{
    char expected[128];
    struct stat stat_of_folder;
    own_shm();
    for (int i = 0; i < 3; i++) {
        long fd =
            place_create((uint32_t)getpid(), proc_start_ticks((uint32_t)getpid()), i == 2, path);
        CHECK_INT(fd >= 0, 1);
        snprintf(expected, sizeof(expected), "%s/%d-%d.rec", folder, (int)getpid(), i);
        CHECK_STRING(path, expected);
    }
    CHECK_INT(lstat(folder, &stat_of_folder), 0);
    CHECK_INT(stat_of_folder.st_mode & 07777, 0700);
}

static void create_in_folder_under_umask(void)
{
    umask(0777);
    create_in_folder();
    CHECK_INT(chmod(folder, 0), 0); /* as a program before may have left it */
    CHECK_INT(place_create((uint32_t)getpid(), 1, false, path) >= 0, 1);
    struct stat stat_of_folder;
    CHECK_INT(lstat(folder, &stat_of_folder), 0);
    CHECK_INT(stat_of_folder.st_mode & 07777, 0700);
    CHECK_INT(umask(0), 0777);
}

/* Recordings of one process in the folder, the first of them `age` seconds old. */
static void put_old(const char *kind, int count, uint64_t start, time_t age)
{
    struct rec_header header = {.magic = REC_MAGIC,
                                .pid = (uint32_t)getppid(),
                                .process_start_ticks = start,
                                .state = REC_STATE_RUNNING};
    for (int i = 0; i < count; i++) {
        char name[128];
        struct timespec times[2] = {{.tv_sec = time(NULL) - age + i}};
        times[1] = times[0];
        snprintf(name, sizeof(name), "%s/%s-%d.rec", folder, kind, i);
        int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        CHECK_INT(write(fd, &header, sizeof(header)), sizeof(header));
        CHECK_INT(futimens(fd, times), 0);
        close(fd);
    }
}

static int count_files(const char *kind)
{
    int count = 0;
    DIR *entries = opendir(folder);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;)
        count += strncmp(entry->d_name, kind, strlen(kind)) == 0;
    closedir(entries);
    return count;
}

static void make_room(void)
{
    own_shm();
    CHECK_INT(mkdir(folder, 0700), 0);
    uint64_t start = proc_start_ticks((uint32_t)getppid());
    put_old("lives", 100, start, 20000);
    put_old("gone", 600, start + 1, 10000);
    CHECK_INT(place_create((uint32_t)getpid(), 1, false, path) >= 0, 1);
    CHECK_INT(count_files("lives"), 100);
    CHECK_INT(count_files("gone") <= 512 - 100, 1);
    CHECK_INT(count_files("gone") > 300, 1);
}

static void old_recordings__behind_those_of_processes_that_live__make_room(void **state)
{
    (void)state;
    assert_int_equal(here_in_child(make_room), HERE_CHILD_FINE);
}

static void refuse_open_folder(void)
{
    own_shm();
    CHECK_INT(mkdir(folder, 0700), 0);
    CHECK_INT(chmod(folder, 0755), 0);
    CHECK_INT(place_create((uint32_t)getpid(), 1, false, path), -EACCES);
}

static void refuse_linked_folder(void)
{
    own_shm();
    CHECK_INT(mkdir("/dev/shm/elsewhere", 0700), 0);
    CHECK_INT(symlink("/dev/shm/elsewhere", folder), 0);
    CHECK_INT(place_create((uint32_t)getpid(), 1, false, path), -EACCES);
}

static void refuse_file_as_folder(void)
{
    own_shm();
    CHECK_INT(close(open(folder, O_CREAT | O_WRONLY, 0700)), 0);
    CHECK_INT(place_create((uint32_t)getpid(), 1, false, path), -EACCES);
}

static void refuse_folder_of_another(void)
{
    own_shm();
    CHECK_INT(mkdir(folder, 0700), 0);
    if (chown(folder, 12345, 12345) != 0)
        _exit(HERE_CHILD_SKIPS);
    CHECK_INT(place_create((uint32_t)getpid(), 1, false, path), -EACCES);
}

static void run_child(void (*function)(void))
{
    int status = here_in_child(function);
    if (status == HERE_CHILD_SKIPS)
        skip();
    assert_int_equal(status, HERE_CHILD_FINE);
}

static void own_folder__used__is_private_and_numbered(void **state)
{
    (void)state;
    run_child(create_in_folder);
    run_child(create_in_folder_under_umask);
}

static void folder__that_is_not_ours_alone__is_refused(void **state)
{
    (void)state;
    run_child(refuse_open_folder);
    run_child(refuse_linked_folder);
    run_child(refuse_file_as_folder);
    run_child(refuse_folder_of_another);
}

/* --- room
 * ----------------------------------------------------------------------------------------- */

static char out_of_child[256];

static void record_with_less(int resource, uint64_t bytes)
{
    struct rlimit limit = {.rlim_cur = bytes, .rlim_max = bytes};
    here_options(out_of_child);
    recorder_options.max_tasks = 1U << 20;
    CHECK_INT(setrlimit(resource, &limit), 0);
    CHECK_INT(recorder_open(false), 1);
    const struct rec_table *tasks = &recorder.header->tables[REC_TABLE_TASKS - 1];
    CHECK_INT(tasks->capacity < (1U << 20) && tasks->capacity > 64, 1);
    CHECK_INT(recorder.header->file_bytes < bytes, 1);
    CHECK_INT(recorder_spawn(REC_KIND_THREAD, 0, 0, 0, NULL) != NULL, 1);
}

static void record_with_small_files(void)
{
    record_with_less(RLIMIT_FSIZE, UINT64_C(120) << 20);
}

static void record_without_room(void)
{
    here_own_mounts();
    here_mount_tmpfs("/dev/shm", "size=512k");
    here_options("/dev/shm/full.rec");
    /* Some of the tables have room and some have not: nothing faults, all is counted. */
    if (!recorder_open(false))
        CHECK_INT(access("/dev/shm/full.rec", F_OK), -1);
    else
        for (int i = 0; i < 100000; i++)
            recorder_take(REC_TABLE_CASES, 1);
    CHECK_INT(recorder.header == NULL || recorder.header->tables[REC_TABLE_CASES - 1].lost > 0, 1);
}

static void record_on_full_disk(void)
{
    here_own_mounts();
    here_mount_tmpfs("/dev/shm", "size=4k");
    FILE *file = fopen("/dev/shm/filler", "w");
    fputs("all there is", file);
    fclose(file);
    here_options("/dev/shm/full.rec");
    CHECK_INT(recorder_open(false), 0);
    CHECK_INT(recorder.header == NULL, 1);
    CHECK_INT(access("/dev/shm/full.rec", F_OK), -1);
}

static void recording__where_files_may_not_be_large__has_fewer_slots(void **state)
{
    (void)state;
    snprintf(out_of_child, sizeof(out_of_child), "%s", here_path("small"));
    run_child(record_with_small_files);
}

static void recording__without_room__is_none_or_counts_its_loss(void **state)
{
    (void)state;
    run_child(record_without_room);
    run_child(record_on_full_disk);
}

/* --- processes
 * -------------------------------------------------------------------------------------- */

static void start_ticks__asked__tell_processes_apart(void **state)
{
    (void)state;
    assert_int_not_equal(proc_start_ticks((uint32_t)getpid()), 0);
    assert_int_equal(proc_start_ticks((uint32_t)getpid()), ticks);
    assert_int_equal(proc_start_ticks(0x7ffffff0), 0);
}

static void child_with_a_strange_name(void)
{
    FILE *comm = fopen("/proc/self/comm", "w");
    uint64_t before = proc_start_ticks((uint32_t)getpid());
    fputs("a) 1 2 (b 3 4", comm);
    fclose(comm);
    CHECK_INT(proc_start_ticks((uint32_t)getpid()), before);
}

static void process__with_parentheses_in_its_name__is_read_right(void **state)
{
    (void)state;
    assert_int_equal(here_in_child(child_with_a_strange_name), HERE_CHILD_FINE);
}

static int start(void **state)
{
    ticks = proc_start_ticks((uint32_t)getpid());
    return here_start(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(out__that_is_free__is_taken),
        cmocka_unit_test(out__under_a_umask_that_leaves_nothing__is_its_users),
        cmocka_unit_test(out__of_a_process_that_lives__is_left_alone),
        cmocka_unit_test(out__of_a_process_that_is_gone__is_replaced),
        cmocka_unit_test(out__of_this_process_before_exec__is_closed_as_such),
        cmocka_unit_test(out__of_this_process_under_a_limit_of_file_size__is_closed_too),
        cmocka_unit_test(ancestor__is_found_by_any_name_of_its_recording),
        cmocka_unit_test(out__that_is_no_recording__is_never_touched),
        cmocka_unit_test(out__in_no_folder__says_why),
        cmocka_unit_test(own_folder__used__is_private_and_numbered),
        cmocka_unit_test(old_recordings__behind_those_of_processes_that_live__make_room),
        cmocka_unit_test(folder__that_is_not_ours_alone__is_refused),
        cmocka_unit_test(recording__where_files_may_not_be_large__has_fewer_slots),
        cmocka_unit_test(recording__without_room__is_none_or_counts_its_loss),
        cmocka_unit_test(start_ticks__asked__tell_processes_apart),
        cmocka_unit_test(process__with_parentheses_in_its_name__is_read_right),
    };
    return cmocka_run_group_tests(tests, start, here_stop);
}
