/* The program: which rows there are, and a process for each. */
#include "tests/conformance/conform.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { AT_ONCE = 12, LINE_ROOM = 65536 - 8, PATIENCE_S = 60, SAY_FD = 100 };

/* The line of a row, in memory that is shared with all its processes. */
struct line {
    atomic_uint used;
    atomic_int state; /* of enum state */
    char text[LINE_ROOM];
};
enum state { NOT_BEGUN, BEGUN, ENDED };
static struct line *line;

struct row {
    char text[160];
    struct line *line;
    int status;
    bool alone, chosen, ended, hung;
};

struct rows {
    long at, wanted, until; /* wanted -1: list them all; else those from it on, to the one before */
    bool alone;
    sigset_t signals; /* blocked in a row */
    const struct family *family;
    struct row *all;
};

/* A process, and the rows that it runs one after the other. */
struct runner {
    pid_t pid; /* 0: none */
    long first, until, ended;
    time_t moved_s; /* when it ended one */
};

static const struct family {
    const char *name;
    family_fn *fn;
    void (*renew)(void); /* as a new process has it; NULL: each row has one for itself */
} families[] = {
    {"life", family_life, NULL},
    {"locks", family_locks, renew_locks},
    {"shared", family_shared, NULL},
    {"pointers", family_pointers, renew_pointers},
    {"calls", family_calls, renew_calls},
    {"contexts", family_contexts, NULL},
    {"errors", family_errors, renew_errors},
};

/* Between two rows of a process: nothing of the one is there for the other. Children end when the
 * pipe is closed that they read from. */
static void tidy(struct rows *rows)
{
    alarm(0);
    close_range(3, SAY_FD - 1, 0);
    close_range(SAY_FD + 1, ~0U, 0);
    while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
        ;
    for (int signal = 1; signal < NSIG; signal++) /* what is pending is dropped */
        sigaction(signal, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    for (int signal = 1; signal < NSIG; signal++)
        sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    CHECK(sigprocmask(SIG_SETMASK, &rows->signals, NULL) == 0);
    rows->family->renew();
}

static void begin_row(struct rows *rows, long number)
{
    if (number > rows->wanted) {
        atomic_store(&line->state, ENDED);
        tidy(rows);
        line++;
    }
    atomic_store(&line->state, BEGUN);
}

bool row_begins(struct rows *rows, const char *function, const char *what, ...)
{
    long number = rows->at++;
    if (rows->wanted >= 0) {
        bool mine = number >= rows->wanted && number < rows->until;
        if (mine)
            begin_row(rows, number);
        return mine;
    }
    char text[sizeof rows->all->text - 64];
    va_list args;
    va_start(args, what);
    vsnprintf(text, sizeof text, what, args);
    va_end(args);
    rows->all = realloc(rows->all, (size_t)(number + 1) * sizeof *rows->all);
    CHECK(rows->all != NULL);
    rows->all[number] = (struct row){.alone = rows->alone || rows->family->renew == NULL};
    snprintf(rows->all[number].text, sizeof rows->all->text, "%s, %s", function, text);
    return false;
}

void rows_alone(struct rows *rows, bool alone)
{
    rows->alone = alone;
}

/* --- what a row says ------------------------------------------------------------------------- */

void say(const char *format, ...)
{
    int saved = errno;
    char text[256];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text - 2, format, args);
    va_end(args);
    if (n > (int)sizeof text - 3)
        n = sizeof text - 3;
    if (text[0] != '\n') { /* a line of its own */
        memmove(text + 1, text, (size_t)n++);
        text[0] = ' ';
    }
    unsigned at = atomic_fetch_add(&line->used, (unsigned)n);
    if (at + (unsigned)n < LINE_ROOM)
        memcpy(line->text + at, text, (size_t)n);
    errno = saved;
}

void say_result(long result, int error)
{
    say("%ld", result);
    if (error != 0)
        say("%s", strerrorname_np(error));
}

void say_error(int error)
{
    say("%s", error == 0 ? "0" : error < 0 ? "negative" : strerrorname_np(error));
}

void say_seconds(struct timespec time)
{
    if (time.tv_sec == 0 && time.tv_nsec == 0)
        say("no time");
    else
        say(time.tv_sec >= 1800 ? "most of an hour" : "a while");
}

/* --- help for rows --------------------------------------------------------------------------- */

void sleep_ms(int ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    while (nanosleep(&time, &time) != 0 && errno == EINTR)
        ;
}

/* proc(5): "running", or the system call and its arguments. */
static bool read_call(pid_t tid, char text[256])
{
    snprintf(text, 256, "/proc/%d/syscall", tid);
    int fd = open(text, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, 255) : 0;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    return text[0] >= '0' && text[0] <= '9';
}

void await_blocked(pid_t tid, const atomic_int *ended)
{
    char now[256], before[256] = "";
    while (ended == NULL || !atomic_load(ended)) {
        bool blocked = read_call(tid, now);
        if (blocked && strcmp(now, before) == 0)
            return;
        strcpy(before, blocked ? now : "");
        sleep_ms(2);
    }
}

void await_gone(pid_t tid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d", tid);
    while (access(path, F_OK) == 0)
        sleep_ms(1);
}

struct timespec in_an_hour(clockid_t clock)
{
    struct timespec time;
    CHECK(clock_gettime(clock, &time) == 0);
    time.tv_sec += 3600;
    return time;
}

void run_again(const char *mode, const char *argument)
{
    fcntl(SAY_FD, F_SETFD, 0);
    execl("/proc/self/exe", "conformance", mode, argument, NULL);
    say("cannot run again");
    _exit(71);
}

/* --- rows and their processes ---------------------------------------------------------------- */

static struct line *map_lines(int fd, long count)
{
    size_t bytes = (size_t)count * sizeof(struct line);
    struct line *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(map != MAP_FAILED);
    return map;
}

/* A process for the rows from `first` on. */
static void start(struct rows *rows, struct runner *runner, long first, long until)
{
    int fd = memfd_create("line", MFD_CLOEXEC);
    CHECK(fd >= 0 && ftruncate(fd, (until - first) * (off_t)sizeof(struct line)) == 0);
    struct line *lines = map_lines(fd, until - first);
    for (long i = first; i < until; i++)
        rows->all[i].line = &lines[i - first];
    *runner = (struct runner){.first = first, .until = until, .moved_s = time(NULL)};
    runner->pid = fork();
    CHECK(runner->pid >= 0);
    if (runner->pid == 0) {
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setrlimit(RLIMIT_CORE, &(struct rlimit){1, 1}); /* 0 would not hold a pipe off */
        CHECK(sigprocmask(SIG_SETMASK, &rows->signals, NULL) == 0);
        line = lines;
        CHECK(dup3(fd, SAY_FD, O_CLOEXEC) == SAY_FD && close(fd) == 0);
        rows->wanted = first;
        rows->until = until;
        rows->at = 0;
        rows->family->fn(rows);
        atomic_store(&line->state, ENDED);
        _exit(0);
    }
    close(fd);
}

static void print(const struct row *row)
{
    printf("%s:%s", row->text, row->line->text);
    if (row->hung)
        printf(" hung");
    else if (WIFSIGNALED(row->status))
        printf(" killed by %s", sigabbrev_np(WTERMSIG(row->status)));
    else if (WEXITSTATUS(row->status) != 0)
        printf(" exit %d", WEXITSTATUS(row->status));
    putchar('\n');
}

static long count_ended(const struct rows *rows, const struct runner *runner)
{
    long i = runner->first;
    while (i < runner->until && atomic_load(&rows->all[i].line->state) == ENDED)
        i++;
    return i - runner->first;
}

/* Has it ended, or does it not move? What came of its rows then; those that it did not come to are
 * for another process. */
static bool reap(struct rows *rows, struct runner *runner)
{
    siginfo_t info = {0};
    int status;
    CHECK(waitid(P_PID, (id_t)runner->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0);
    long ended = count_ended(rows, runner);
    if (ended != runner->ended)
        runner->moved_s = time(NULL);
    runner->ended = ended;
    bool hung = info.si_pid == 0 && time(NULL) - runner->moved_s > PATIENCE_S;
    if (info.si_pid == 0 && !hung)
        return false;
    kill(-runner->pid, SIGKILL); /* and what it left behind */
    CHECK(waitpid(runner->pid, &status, 0) == runner->pid);
    ended = count_ended(rows, runner);
    for (long i = runner->first; i < runner->first + ended; i++)
        rows->all[i].ended = true;
    long last = runner->first + ended - (ended == runner->until - runner->first);
    rows->all[last].ended = true;
    rows->all[last].status = status;
    rows->all[last].hung = hung;
    runner->first = last + 1;
    runner->pid = 0;
    return true;
}

/* Where the rows end that one process is to run, from `first` on: those that may share one, so many
 * that all processes have about the same number. */
static long end_of_batch(const struct rows *rows, long first, long count)
{
    const char *how = getenv("LEAKSPY_CONFORMANCE");
    bool alone = how != NULL && strcmp(how, "alone") == 0;
    long until = first + 1;
    while (!rows->all[first].alone && !alone && until < count && until - first <= count / AT_ONCE &&
           rows->all[until].chosen && !rows->all[until].alone)
        until++;
    return until;
}

static int run_family(const struct family *family, const char *only)
{
    struct rows rows = {.wanted = -1, .family = family};
    struct runner runners[AT_ONCE] = {0};
    family->fn(&rows);
    long count = rows.at, begun = 0, printed = 0;
    sigset_t child_ends;
    sigemptyset(&child_ends);
    sigaddset(&child_ends, SIGCHLD);
    CHECK(sigprocmask(SIG_BLOCK, &child_ends, &rows.signals) == 0);
    for (long i = 0; i < count; i++)
        rows.all[i].chosen = only == NULL || strcmp(rows.all[i].text, only) == 0;
    while (printed < count) {
        for (int i = 0; i < AT_ONCE; i++) {
            struct runner *runner = &runners[i];
            if (runner->pid != 0 && !reap(&rows, runner))
                continue;
            if (runner->first < runner->until) {
                start(&rows, runner, runner->first, runner->until);
                continue;
            }
            while (begun < count && !rows.all[begun].chosen)
                begun++;
            if (begun < count) {
                long until = end_of_batch(&rows, begun, count);
                start(&rows, runner, begun, until);
                begun = until;
            }
        }
        for (; printed < count && (rows.all[printed].ended || !rows.all[printed].chosen); printed++)
            if (rows.all[printed].chosen)
                print(&rows.all[printed]);
        if (printed < count) /* until one ends; one may have hung */
            sigtimedwait(&child_ends, NULL, &(struct timespec){.tv_nsec = 100000000});
    }
    free(rows.all);
    return 0;
}

static void list_family(const struct family *family)
{
    struct rows rows = {.wanted = -1, .family = family};
    family->fn(&rows);
    for (long i = 0; i < rows.at; i++)
        puts(rows.all[i].text);
    free(rows.all);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--partner") == 0)
        return mode_partner(argv[2]);
    if (argc == 3 && strcmp(argv[1], "--context") == 0)
        return mode_context(argv[2]);
    for (size_t i = 0; argc == 2 && strcmp(argv[1], "--list") == 0 && i < LENGTH(families); i++)
        list_family(&families[i]);
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; argc >= 2 && argc <= 3 && i < LENGTH(families); i++)
        if (strcmp(argv[1], families[i].name) == 0)
            return run_family(&families[i], argv[2]);
    fprintf(stderr, "usage: conformance FAMILY [ROW]\n");
    return 64;
}

__attribute__((constructor(101))) void find_line(void)
{
    if (line == NULL && fcntl(SAY_FD, F_GETFD) >= 0)
        line = map_lines(SAY_FD, 1);
}
