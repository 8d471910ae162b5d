/* What a process leaves that ends at any moment, by SIGKILL or by itself, can be read, and nothing
 * in it is false: `test_kill [KILLS [SEED [ENDS [COPIED]]]]`. Each run of the program `killed`
 * (killed.c) keeps a book of what its threads are in; what is reported of each recording is
 * compared with it (kill_claims.c).
 *
 * KILLS are runs that are killed, in all modes and moments in turns (KILLS_USUALLY of them), ENDS
 * are those that end by themselves (a quarter as many), COPIED those whose recording is copied
 * COPIES times while it is written (one for 25). LEAKSPY_KILLS=1000 sets KILLS too. A thousand take
 * some minutes; `test_kill 0 1 1000 0` runs the ends alone. A seed that is printed repeats the same
 * programs and moments, as far as a machine repeats anything.
 */
#include "tests/e2e/harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "preload/recording.h"
#include "tests/e2e/kill_claims.h"

enum { KILLS_USUALLY = 36 };

static int kills, own_ends, copied_runs;
static unsigned long seed;

/* What a process does when it is killed. */
static const struct mode {
    const char *name;
    const char *sample;
} modes[] = {
    {"spawn", "LEAKSPY_SAMPLE=5ms"},  {"park", "LEAKSPY_SAMPLE=5ms"},
    {"sample", "LEAKSPY_SAMPLE=1ms"}, {"fork", "LEAKSPY_SAMPLE=5ms"},
    {"exec", "LEAKSPY_SAMPLE=5ms"},   {"exit", "LEAKSPY_SAMPLE=5ms"},
};

/* Those that end by themselves, in time for the last of the moments. */
static const struct mode ends[] = {
    {"exit", "LEAKSPY_SAMPLE=5ms"},  {"abort", "LEAKSPY_SAMPLE=5ms"},
    {"segv", "LEAKSPY_SAMPLE=5ms"},  {"handler", "LEAKSPY_SAMPLE=1ms"},
    {"child", "LEAKSPY_SAMPLE=5ms"},
};

/* When it is killed: so many microseconds after it was started, or began its book, or after the
 * sampler was seen to have walked so often. */
static const struct moment {
    bool begun;
    int walks;
    unsigned from_us, to_us;
} moments[] = {
    {false, 0, 0, 20000}, {true, 0, 0, 10000}, {true, 0, 5000, 60000}, {true, 8, 0, 20000}};

static unsigned below(unsigned most)
{
    static uint64_t state;
    state = (state ^ seed) * 6364136223846793005U + 1442695040888963407U;
    return (unsigned)(state >> 33) % most;
}

/* --- a run ----------------------------------------------------------------------------------- */

struct run {
    struct target *target;
    const char *mode;
    pid_t pid;
    int status; /* of the first process */
    char book_path[64];
    struct book *book;
    unsigned falsehoods;
};

static struct kill_counts counts;
static unsigned recordings, not_begun;

static void run_start(struct run *run, const struct mode *mode)
{
    char path[512], seed_text[16];
    *run = (struct run){.mode = mode->name, .book_path = "/tmp/leakspy-book.XXXXXX"};
    int fd = mkstemp(run->book_path);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, sizeof *run->book), 0);
    run->book = mmap(NULL, sizeof *run->book, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(run->book != MAP_FAILED);
    close(fd);
    snprintf(path, sizeof path, "%s/killed", LEAKSPY_TARGETS);
    snprintf(seed_text, sizeof seed_text, "%u", below(1000000));
    run->target =
        target_start(true, LIST(path, mode->name, run->book_path, seed_text), LIST(mode->sample));
    run->pid = run->target->pid;
}

/* Children and their children are ours when their parents are gone. */
static void run_wait(struct run *run)
{
    struct outcome outcome = target_wait(run->target);
    run->status = outcome.status;
    /* NULL: it was killed before it had a file for it. */
    if ((outcome.err && outcome.err[0]) || (outcome.out && outcome.out[0])) {
        fprintf(stderr, "false: it printed:\n%s%s\n", outcome.out, outcome.err);
        run->falsehoods++;
    }
    outcome_deinit(&outcome);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        kill(-run->pid, SIGKILL);
}

static void run_end(struct run *run)
{
    target_end(run->target);
    munmap(run->book, sizeof *run->book);
    unlink(run->book_path);
}

/* --- its recordings -------------------------------------------------------------------------- */

enum { MAX_RECORDINGS = 2 * BOOK_PROCESSES };

struct recording {
    char path[512];
    struct rec_header header;
};

static bool begins_before(const struct recording *a, const struct recording *b)
{
    return a->header.started_ns < b->header.started_ns;
}

static int compare_begin(const void *a, const void *b)
{
    return begins_before(b, a) - begins_before(a, b);
}

static void read_header(const char *path, struct rec_header *ret)
{
    memset(ret, 0, sizeof *ret);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(read(fd, ret, sizeof *ret) >= 0);
    close(fd);
}

static size_t find_recordings(const struct run *run, struct recording *ret)
{
    size_t count = 0;
    DIR *dir = opendir(run->target->dir);
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (strncmp(entry->d_name, "target.rec", strlen("target.rec")) != 0)
            continue;
        assert_true(count < MAX_RECORDINGS);
        snprintf(ret[count].path, sizeof ret->path, "%s/%s", run->target->dir, entry->d_name);
        read_header(ret[count].path, &ret[count].header);
        count++;
    }
    closedir(dir);
    qsort(ret, count, sizeof *ret, compare_begin);
    return count;
}

static const struct book_process *find_process(const struct run *run, uint32_t pid, int image)
{
    for (uint32_t i = 0; i < run->book->processes && i < BOOK_PROCESSES; i++)
        if ((uint32_t)run->book->process[i].pid == pid && run->book->process[i].image == image)
            return &run->book->process[i];
    return NULL;
}

static bool has_begun(const struct rec_header *header)
{
    return header->magic == REC_MAGIC && header->state != REC_STATE_STARTING;
}

/* One that was killed while it made its recording: that is said, and nothing else. */
static void check_not_begun(struct run *run, const struct recording *recording)
{
    struct outcome outcome =
        run_program(false, LIST(LEAKSPY_COMMAND, "report", recording->path), NULL);
    not_begun++;
    if (!WIFEXITED(outcome.status) || WEXITSTATUS(outcome.status) != 2 || outcome.out[0] != '\0' ||
        strncmp(outcome.err, "leakspy: ", 9) != 0) {
        fprintf(stderr, "false: of one that had not begun: status %#x\n%s%s\n", outcome.status,
                outcome.out, outcome.err);
        run->falsehoods++;
    }
    outcome_deinit(&outcome);
}

/* How the process ended, as far as that can be known: by the book what it was about to do, by the
 * next one what it had done. */
static void check_end(struct run *run, const json_t *json, const struct book_process *process,
                      bool has_next)
{
    const char *end = json_string_value(json_at(json, "source.end"));
    json_int_t code = json_integer_value(json_at(json, "source.exit_code"));
    uint32_t planned = process ? process->end : BOOK_RUNS;
    bool ended = process && process->pid == run->pid && WIFEXITED(run->status) && !has_next;
    bool is_right = strcmp(end, "vanished") == 0 && !ended && !has_next;
    if (planned == BOOK_EXITS && strcmp(end, "exited") == 0)
        is_right = code == process->exit_code;
    if (planned == BOOK_EXECS && strcmp(end, "exec") == 0)
        is_right = true;
    if (is_right)
        return;
    fprintf(stderr, "false: end %s %lld; book: %u %d; status %#x%s\n", end, (long long)code,
            planned, process ? process->exit_code : 0, run->status,
            has_next ? ", and went on" : "");
    run->falsehoods++;
}

static void check_recording(struct run *run, const struct recording *recording, int image)
{
    const struct rec_header *header = &recording->header;
    const struct book_process *process = find_process(run, header->pid, image);
    bool has_next = find_process(run, header->pid, image + 1) != NULL;
    struct kill_moment moment = {.now_ns = header->last_walk_ns > header->ended_ns
                                               ? header->last_walk_ns
                                               : header->ended_ns};
    if (!process && header->pid != (uint32_t)run->pid) {
        fprintf(stderr, "false: a recording of %u\n", header->pid);
        run->falsehoods++;
        return;
    }
    json_t *json =
        report(recording->path, below(2) ? "0" : "20ms", LIST("--all", "--max-tasks", "100000"));
    recordings++;
    check_end(run, json, process, has_next);
    run->falsehoods += kill_compare(json, process, &moment, &counts);
    json_decref(json);
}

static void check_recordings(struct run *run)
{
    static struct recording found[MAX_RECORDINGS];
    size_t count = find_recordings(run, found);
    for (size_t i = 0; i < count; i++) {
        int image = 0;
        for (size_t before = 0; before < i; before++)
            image +=
                has_begun(&found[before].header) && found[before].header.pid == found[i].header.pid;
        if (has_begun(&found[i].header))
            check_recording(run, &found[i], image);
        else
            check_not_begun(run, &found[i]);
    }
}

/* --- the tests ------------------------------------------------------------------------------- */

static void finish(struct run *run, int number, unsigned after_us)
{
    check_recordings(run);
    if (run->falsehoods)
        fprintf(stderr, "%u false in run %d: %s, killed after %u us (0: it was not); seed %lu\n",
                run->falsehoods, number, run->mode, after_us, seed);
    unsigned falsehoods = run->falsehoods;
    run_end(run);
    assert_int_equal(falsehoods, 0);
}

/* How many runs there were of each mode, and how many of them a signal ended. */
struct tally {
    unsigned runs, signalled;
};

static void count_run(struct tally *tally, const struct run *run)
{
    tally->runs++;
    tally->signalled += WIFSIGNALED(run->status);
}

static void print_tallies(const struct mode *mode, const struct tally *tally, size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf("%s%s %u, %u by a signal", i ? "; " : "", mode[i].name, tally[i].runs,
               tally[i].signalled);
    printf("\n");
}

static void print_counts(void)
{
    printf("%u recordings, %u of which had not begun; %u waits, %u of them in a deadlock, %u of "
           "threads that moved meanwhile; %u ended and unjoined\n",
           recordings + not_begun, not_begun, counts.waits, counts.deadlocks, counts.moved,
           counts.unjoined);
    counts = (struct kill_counts){0};
    recordings = not_begun = 0;
}

/* Programs that end or become another one before it comes are not waited for long. */
static void wait_for_moment(const struct run *run, const struct moment *moment)
{
    struct rec_header header = {0};
    uint64_t walk_ns = 0;
    int64_t deadline_ms = now_ms() + (moment->walks ? 2000 : PATIENCE_MS);
    while (moment->begun && __atomic_load_n(&run->book->processes, __ATOMIC_ACQUIRE) == 0 &&
           now_ms() < deadline_ms)
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    for (int walks = 0; walks < moment->walks && now_ms() < deadline_ms;) {
        read_header(run->target->recording, &header);
        walks += header.last_walk_ns != walk_ns;
        walk_ns = header.last_walk_ns;
        if (header.state > REC_STATE_RUNNING)
            break;
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
}

static void what_sigkill_leaves_at_any_moment_is_true(void **state)
{
    struct tally tally[LENGTH(modes)] = {0};
    (void)state;
    for (int i = 0; i < kills; i++) {
        const struct moment *moment = &moments[(size_t)i / LENGTH(modes) % LENGTH(moments)];
        unsigned after_us = moment->from_us + below(moment->to_us - moment->from_us);
        struct run run;
        run_start(&run, &modes[(size_t)i % LENGTH(modes)]);
        wait_for_moment(&run, moment);
        nanosleep(&(struct timespec){.tv_nsec = after_us * 1000L}, NULL);
        kill(-run.pid, SIGKILL);
        run_wait(&run);
        count_run(&tally[(size_t)i % LENGTH(modes)], &run);
        finish(&run, i, after_us);
    }
    print_tallies(modes, tally, LENGTH(modes));
    print_counts();
}

static void what_is_left_by_abort_faults_and_exits_anywhere_is_true(void **state)
{
    struct tally tally[LENGTH(ends)] = {0};
    (void)state;
    for (int i = 0; i < own_ends; i++) {
        struct run run;
        run_start(&run, &ends[(size_t)i % LENGTH(ends)]);
        run_wait(&run);
        count_run(&tally[(size_t)i % LENGTH(ends)], &run);
        finish(&run, i, 0);
    }
    print_tallies(ends, tally, LENGTH(ends));
    print_counts();
}

/* --- copies ---------------------------------------------------------------------------------- */

enum { COPIES = 12, RESTS = 10, PAGE = 4096, MAX_PAGES = 1 << 16 };

/* The places of the pages of a file that hold something. */
static size_t find_pages(int fd, off_t pages[MAX_PAGES])
{
    size_t count = 0;
    off_t at = 0;
    while ((at = lseek(fd, at, SEEK_DATA)) >= 0) {
        off_t end = lseek(fd, at, SEEK_HOLE);
        for (; at < end; at += PAGE) {
            assert_true(count < MAX_PAGES);
            pages[count++] = at;
        }
    }
    return count;
}

static void shuffle(off_t *pages, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t other = below((unsigned)i);
        off_t page = pages[i - 1];
        pages[i - 1] = pages[other];
        pages[other] = page;
    }
}

/* Page by page, in order or not, with rests between them: what one page says may be long over when
 * the next one is read. */
static void copy_file(const char *from, const char *to, bool shuffled)
{
    static off_t pages[MAX_PAGES];
    char page[PAGE];
    struct stat status;
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(in >= 0 && out >= 0 && fstat(in, &status) == 0);
    assert_int_equal(ftruncate(out, status.st_size), 0);
    size_t count = find_pages(in, pages);
    if (shuffled)
        shuffle(pages, count);
    for (size_t i = 0; i < count; i++) {
        if (below((unsigned)count) < RESTS)
            nanosleep(&(struct timespec){.tv_nsec = below(2000000)}, NULL);
        ssize_t bytes = pread(in, page, PAGE, pages[i]);
        assert_true(bytes > 0 && pwrite(out, page, (size_t)bytes, pages[i]) == bytes);
    }
    close(in);
    close(out);
}

struct copy {
    char path[512];
    bool shuffled;
    struct book_process process; /* the book, too */
};

/* When the newest wait of a thread ended, how many it began, and how far it is in its life. */
struct progress {
    uint32_t waits, life;
    uint64_t end_ns;
};

static struct progress progress_of(const struct book_thread *thread)
{
    uint32_t waits = __atomic_load_n(&thread->waits, __ATOMIC_ACQUIRE);
    const struct book_wait *newest = &thread->wait[(waits - 1) % BOOK_WAITS];
    /* Each becomes 1 in its turn, and stays so. */
    uint32_t life = __atomic_load_n(&thread->creating, __ATOMIC_ACQUIRE) +
                    __atomic_load_n(&thread->created, __ATOMIC_ACQUIRE) +
                    __atomic_load_n(&thread->returning, __ATOMIC_ACQUIRE) +
                    __atomic_load_n(&thread->joining, __ATOMIC_ACQUIRE) +
                    __atomic_load_n(&thread->joined, __ATOMIC_ACQUIRE);
    return (struct progress){waits, life, __atomic_load_n(&newest->end_ns, __ATOMIC_ACQUIRE)};
}

static void make_copy(const struct run *run, struct copy *copy, int number)
{
    static struct progress before[BOOK_THREADS];
    const struct book_process *process = &run->book->process[0];
    copy->shuffled = number % 2;
    snprintf(copy->path, sizeof copy->path, "%s/copy.%d", run->target->dir, number);
    for (uint32_t i = 0; i < BOOK_THREADS; i++)
        before[i] = progress_of(&process->thread[i]);
    copy_file(run->target->recording, copy->path, copy->shuffled);
    copy->process = *process;
    for (uint32_t i = 0; i < BOOK_THREADS; i++) {
        struct progress after = progress_of(&process->thread[i]);
        if (after.waits != before[i].waits || after.end_ns != before[i].end_ns ||
            after.life != before[i].life)
            copy->process.thread[i].flags |= BOOK_MOVED;
    }
}

static void check_copy(struct run *run, const struct copy *copy)
{
    struct rec_header header;
    read_header(copy->path, &header);
    const struct kill_moment moment = {
        .now_ns = header.last_walk_ns, .copied = true, .shuffled = copy->shuffled};
    json_t *json = report(copy->path, below(2) ? "0" : "20ms", LIST("--all"));
    recordings++;
    if (strcmp(json_string_value(json_at(json, "source.end")), "vanished") != 0) {
        fprintf(stderr, "false: the end of a copy\n");
        run->falsehoods++;
    }
    run->falsehoods += kill_compare(json, &copy->process, &moment, &counts);
    json_decref(json);
}

static void what_is_copied_while_it_is_written_is_true(void **state)
{
    static const struct mode copied[] = {{"park", "LEAKSPY_SAMPLE=5ms"},
                                         {"sample", "LEAKSPY_SAMPLE=1ms"},
                                         {"spawn", "LEAKSPY_SAMPLE=5ms"},
                                         {"fork", "LEAKSPY_SAMPLE=5ms"}};
    static struct copy copies[COPIES];
    (void)state;
    for (int i = 0; i < copied_runs; i++) {
        struct run run;
        run_start(&run, &copied[(seed + (unsigned)i) % LENGTH(copied)]);
        target_wait_walks(run.target, 1 + (int)below(10), 0);
        for (int number = 0; number < COPIES; number++)
            make_copy(&run, &copies[number], number);
        kill(-run.pid, SIGKILL);
        run_wait(&run);
        for (int number = 0; number < COPIES; number++)
            check_copy(&run, &copies[number]);
        finish(&run, i, 0);
    }
    print_counts();
}

int main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_sigkill_leaves_at_any_moment_is_true, end_all_targets),
        cmocka_unit_test_teardown(what_is_left_by_abort_faults_and_exits_anywhere_is_true,
                                  end_all_targets),
        cmocka_unit_test_teardown(what_is_copied_while_it_is_written_is_true, end_all_targets),
    };
    const char *number = argc > 1 ? argv[1] : getenv("LEAKSPY_KILLS");
    kills = number ? atoi(number) : KILLS_USUALLY;
    seed = argc > 2 ? strtoul(argv[2], NULL, 10) : (unsigned long)time(NULL) + (unsigned)getpid();
    own_ends = argc > 3 ? atoi(argv[3]) : kills / 4;
    copied_runs = argc > 4 ? atoi(argv[4]) : kills / 25;
    printf("%d kills, %d ends, %d copied runs; seed %lu\n", kills, own_ends, copied_runs, seed);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
