/* The benchmark: prints what the preload costs, a line a kind of work. Each number is the median of
 * the ratios of pairs of runs, one preloaded and one bare, taken in turns so that whatever else the
 * machine does meets both. It judges nothing: the bound beside each line is what we aim at.
 *
 *   bench [--pairs N] [NAME...]     all lines, or those whose names begin so
 */
#include <errno.h>
#include <glob.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_PAIRS 101
#define NOT_PINNED (-1)

static int pairs = 21;

static void die(const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    exit(2);
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* Keeps the calling process on one of the processors that it may use, a different one for each
 * `number`. */
static void keep_to_one_processor(int number)
{
    cpu_set_t allowed, one;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        die("sched_getaffinity");
    int left = number % CPU_COUNT(&allowed), processor = 0;
    while (!CPU_ISSET(processor, &allowed) || left-- > 0)
        processor++;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    if (sched_setaffinity(0, sizeof one, &one) != 0)
        die("sched_setaffinity");
}

/* Starts a command, its stdout in *ret_out and its stdin at *ret_in (NULL: /dev/null), kept to a
 * processor if `pinned` is its number (NOT_PINNED: to none). */
static pid_t start(bool preload, int pinned, const char *const *argv, FILE **ret_out, int *ret_in)
{
    int out[2], in[2] = {-1, -1};
    if (pipe(out) != 0 || (ret_in && pipe(in) != 0))
        die("pipe");
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        if (ret_in)
            dup2(in[0], 0), close(in[1]);
        else if (!freopen("/dev/null", "r", stdin))
            _exit(127);
        dup2(out[1], 1);
        close(out[0]);
        if (pinned >= 0)
            keep_to_one_processor(pinned);
        if (preload) {
            setenv("LD_PRELOAD", BENCH_PRELOAD, 1);
            setenv("LEAKSPY_OUT", BENCH_RECORDING, 1);
        }
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    close(out[1]);
    if (ret_in)
        close(in[0]), *ret_in = in[1];
    *ret_out = fdopen(out[0], "r");
    return pid;
}

static void finish(pid_t pid, FILE *out, struct rusage *ret)
{
    int status;
    struct rusage usage;
    fclose(out);
    if (wait4(pid, &status, 0, ret ? ret : &usage) != pid)
        die("wait4");
}

/* That of the command, and those of its children. */
static void remove_recordings(void)
{
    glob_t found;
    if (glob(BENCH_RECORDING "*", 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            unlink(found.gl_pathv[i]);
    globfree(&found);
}

/* The number that a command prints. */
static double number_of(bool preload, int pinned, const char *const *argv)
{
    FILE *out;
    double number = 0;
    pid_t pid = start(preload, pinned, argv, &out, NULL);
    if (fscanf(out, "%lf", &number) != 1 || number <= 0) {
        fprintf(stderr, "bench: %s %s: no number%s\n", argv[0], argv[1],
                preload ? " under the preload" : "");
        number = 0;
    }
    finish(pid, out, NULL);
    remove_recordings();
    return number;
}

struct measured {
    double bare;              /* median of the runs without the preload */
    double low, middle, high; /* of the ratios of those with it to those without */
};

/* Runs in pairs, each way first in turns. `run` gives a number, or 0 where there is none. False:
 * that came. */
static bool measure(double (*run)(bool preload, int pair, const void *what), const void *what,
                    struct measured *ret)
{
    double ratios[MAX_PAIRS], bare[MAX_PAIRS];
    for (int i = 0; i < pairs; i++) {
        double with = 0;
        if (i % 2)
            with = run(true, i, what);
        bare[i] = run(false, i, what);
        if (i % 2 == 0)
            with = run(true, i, what);
        if (with == 0 || bare[i] == 0)
            return false;
        ratios[i] = with / bare[i];
    }
    ret->bare = median(bare, pairs);
    ret->middle = median(ratios, pairs); /* which sorts them */
    ret->low = ratios[pairs / 4];
    ret->high = ratios[pairs - 1 - pairs / 4];
    return true;
}

/* --- ratios of nanoseconds -----------------------------------------------------------------------
 */

/* Where nothing runs side by side, both runs of a pair are kept to the same processor: those that
 * have neighbours differ in speed. */
enum processors { ALL_PROCESSORS, ONE_PROCESSOR };

#define WORKLOADS BENCH_DIR "/workloads"
#define LIBGO BENCH_DIR "/bench_libgo"
#define TASKRT BENCH_DIR "/bench_taskrt"

/* A run takes 0.1 s to a second: what two threads do to each other comes in phases, and a short run
 * sees but one of them. */
static const struct line {
    const char *name;
    const char *program, *work, *count;
    double bound; /* 0: none */
    enum processors processors;
} lines[] = {
    {"mutex lock+unlock, uncontended", WORKLOADS, "mutex_uncontended", "20000000", 1.25,
     ONE_PROCESSOR},
    {"mutex, two threads contending", WORKLOADS, "mutex_contended", "5000000", 1.05,
     ALL_PROCESSORS},
    {"the same, with 50 ns of work", WORKLOADS, "mutex_working", "2000000", 1.05, ALL_PROCESSORS},
    {"condition ping-pong", WORKLOADS, "cond_pingpong", "20000", 1.05, ALL_PROCESSORS},
    {"semaphore ping-pong", WORKLOADS, "sem_pingpong", "30000", 1.05, ALL_PROCESSORS},
    {"pthread create+join", WORKLOADS, "create_join", "6000", 1.05, ALL_PROCESSORS},
    {"fork+_exit+wait", WORKLOADS, "fork_exit", "300", 0, ALL_PROCESSORS},
    {"the same, with a lock in the child", WORKLOADS, "fork_lock", "300", 0, ALL_PROCESSORS},
    {"the same, in a program with threads", WORKLOADS, "fork_threads", "300", 0, ALL_PROCESSORS},
    {"fork+exec of /bin/true", WORKLOADS, "fork_exec", "200", 0, ALL_PROCESSORS},
    {"pipe write+read, 1 byte", WORKLOADS, "pipe_byte", "100000", 1.03, ONE_PROCESSOR},
    {"stat", WORKLOADS, "file_state", "200000", 0, ONE_PROCESSOR},
    {"open+close", WORKLOADS, "file_open", "100000", 0, ONE_PROCESSOR},
#ifdef BENCH_GO
    {"libgo channel ping-pong", LIBGO, "pingpong", "500000", 1.10, ALL_PROCESSORS},
    {"libgo go+exit", LIBGO, "spawn", "3000000", 1.25, ALL_PROCESSORS},
#endif
    {"libtaskrt channel ping-pong", TASKRT, "pingpong", "2000000", 1.10, ALL_PROCESSORS},
    {"libtaskrt spawn+exit", TASKRT, "spawn", "500000", 1.5, ALL_PROCESSORS},
};

static double line_time(bool preload, int pair, const void *what)
{
    const struct line *line = what;
    const char *const argv[] = {line->program, line->work, line->count, NULL};
    return number_of(preload, line->processors == ONE_PROCESSOR ? pair / 2 : NOT_PINNED, argv);
}

static void run_line(const struct line *line)
{
    struct measured measured;
    if (!measure(line_time, line, &measured))
        return;
    printf("| %-32s | %8.1f ns | %5.3f | %5.3f to %5.3f |", line->name, measured.bare,
           measured.middle, measured.low, measured.high);
    if (line->bound > 0)
        printf(" <= %.2f |\n", line->bound);
    else
        printf(" |\n");
    fflush(stdout);
}

/* --- redis ---------------------------------------------------------------------------------------
 */

#define REDIS_PORT "16399"

/* Requests a second, of GET and SET together. */
static double redis_rate(bool preload, int pair, const void *unused)
{
    (void)pair, (void)unused;
    static const char *const server[] = {
        "redis-server", "--port", REDIS_PORT, "--bind",  "127.0.0.1",    "--save", "",
        "--appendonly", "no",     "--dir",    BENCH_DIR, "--io-threads", "1",      NULL};
    static const char *const client[] = {"redis-benchmark", "-p", REDIS_PORT, "-q", "--csv", "-t",
                                         "get,set",         "-n", "100000",   NULL};
    char text[512];
    double rate = 0, one;
    FILE *out, *answers;
    pid_t pid = start(preload, NOT_PINNED, server, &out, NULL);
    while (fgets(text, sizeof text, out) && !strstr(text, "eady to accept"))
        ;
    pid_t asker = start(false, NOT_PINNED, client, &answers, NULL);
    while (fgets(text, sizeof text, answers))
        if (sscanf(text, "\"%*[^\"]\",\"%lf\"", &one) == 1)
            rate += one;
    finish(asker, answers, NULL);
    kill(pid, SIGKILL);
    finish(pid, out, NULL);
    remove_recordings();
    return rate;
}

static void run_redis(void)
{
    struct measured measured;
    if (system("command -v redis-server redis-benchmark > /dev/null") != 0) {
        printf("| %-32s | not installed\n", "redis-benchmark throughput");
        return;
    }
    if (!measure(redis_rate, NULL, &measured)) {
        fprintf(stderr, "bench: redis-benchmark gave no rate\n");
        return;
    }
    printf("| %-32s | %7.0f /s | %5.3f | %5.3f to %5.3f | >= 0.98 |\n",
           "redis-benchmark throughput", measured.bare, measured.middle, measured.low,
           measured.high);
    fflush(stdout);
}

/* --- a million parked tasks ----------------------------------------------------------------------
 */

static double recording_bytes(void)
{
    struct stat file;
    return stat(BENCH_RECORDING, &file) == 0 ? (double)file.st_blocks * 512 : 0;
}

/* Runs the report; does it show all tasks as one group, stacks and all? */
static bool report_million(struct rusage *usage, double *ret_s)
{
    static const char *const report[] = {BENCH_LEAKSPY, "report",        "--threshold",
                                         "100ms",       BENCH_RECORDING, NULL};
    char text[256];
    bool whole = false;
    FILE *out;
    double begun = now_s();
    pid_t pid = start(false, NOT_PINNED, report, &out, NULL);
    while (fgets(text, sizeof text, out))
        whole |= strstr(text, "  1000000 tasks in chan send") != NULL;
    finish(pid, out, usage);
    *ret_s = now_s() - begun;
    return whole;
}

static void run_million(void)
{
    static const char *const park[] = {BENCH_DIR "/bench_taskrt", "park", "1000000", NULL};
    char text[256];
    double times[MAX_PAIRS], took;
    struct rusage usage = {0};
    FILE *out;
    int in;
    pid_t pid = start(true, NOT_PINNED, park, &out, &in);
    while (fgets(text, sizeof text, out) && !strstr(text, "ready"))
        ;
    double ready = now_s();
    while (!report_million(&usage, &took) && now_s() - ready < 120)
        sleep(1);
    double looked = now_s() - ready;
    for (int i = 0; i < pairs; i++)
        report_million(&usage, &times[i]);
    printf("| 1,000,000 parked tasks: recording | %.1f bytes a task | <= 160 |\n",
           recording_bytes() / 1e6);
    printf("| 1,000,000 parked tasks: report | %.2f s | <= 1 s |\n", median(times, pairs));
    printf("| 1,000,000 parked tasks: report | %.0f MB | <= 400 MB |\n",
           (double)usage.ru_maxrss / 1024);
    printf("| 1,000,000 parked tasks: until all stacks are recorded | %.0f s | |\n", looked);
    close(in);
    kill(pid, SIGKILL);
    finish(pid, out, NULL);
    remove_recordings();
}

/* -------------------------------------------------------------------------------------------------
 */

static bool wanted(const char *name, int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strncmp(name, argv[i], strlen(argv[i])) == 0)
            return true;
    return argc == 0;
}

int main(int argc, char **argv)
{
    argc--, argv++;
    if (argc >= 2 && strcmp(argv[0], "--pairs") == 0) {
        pairs = atoi(argv[1]);
        argc -= 2, argv += 2;
    }
    if (pairs < 1 || pairs > MAX_PAIRS) {
        fprintf(stderr, "usage: bench [--pairs 1..%d] [NAME...]\n", MAX_PAIRS);
        return 64;
    }
    printf("| work | bare | preloaded/bare | middle half | aim |\n|---|---|---|---|---|\n");
    fflush(stdout);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (wanted(lines[i].name, argc, argv))
            run_line(&lines[i]);
    if (wanted("redis", argc, argv))
        run_redis();
    if (wanted("million", argc, argv))
        run_million();
    return 0;
}
