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

enum { AT_ONCE = 12, LINE_ROOM = 1020, PATIENCE_S = 60, SAY_FD = 100 };

/* The line of a row, in memory that is shared with all its processes. */
struct line {
    atomic_uint used;
    char text[LINE_ROOM];
};
static struct line *line;

struct rows {
    long at, wanted;  /* wanted -1: list them all */
    sigset_t signals; /* blocked in a row */
    struct row {
        char text[160];
        pid_t pid;
        struct line *line;
        time_t started_s;
        int status;
        bool ended, hung;
    } * all;
};

static const struct family {
    const char *name;
    family_fn *fn;
} families[] = {
    {"life", family_life},         {"locks", family_locks}, {"shared", family_shared},
    {"pointers", family_pointers}, {"calls", family_calls}, {"contexts", family_contexts},
    {"errors", family_errors},
};

bool row_begins(struct rows *rows, const char *function, const char *what, ...)
{
    long number = rows->at++;
    if (rows->wanted >= 0)
        return number == rows->wanted;
    char text[sizeof rows->all->text - 64];
    va_list args;
    va_start(args, what);
    vsnprintf(text, sizeof text, what, args);
    va_end(args);
    rows->all = realloc(rows->all, (size_t)(number + 1) * sizeof *rows->all);
    CHECK(rows->all != NULL);
    rows->all[number] = (struct row){0};
    snprintf(rows->all[number].text, sizeof rows->all->text, "%s, %s", function, text);
    return false;
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
    memmove(text + 1, text, (size_t)n);
    text[0] = ' ';
    unsigned at = atomic_fetch_add(&line->used, (unsigned)n + 1);
    if (at + (unsigned)n + 1 < LINE_ROOM)
        memcpy(line->text + at, text, (size_t)n + 1);
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
    snprintf(text, 256, "/proc/self/task/%d/syscall", tid);
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

static struct line *map_line(int fd)
{
    struct line *map = mmap(NULL, sizeof *map, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(map != MAP_FAILED);
    return map;
}

static void start(struct rows *rows, struct row *row, const struct family *family)
{
    int fd = memfd_create("line", MFD_CLOEXEC);
    CHECK(fd >= 0 && ftruncate(fd, sizeof(struct line)) == 0);
    row->line = map_line(fd);
    row->started_s = time(NULL);
    row->pid = fork();
    CHECK(row->pid >= 0);
    if (row->pid == 0) {
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setrlimit(RLIMIT_CORE, &(struct rlimit){1, 1}); /* 0 would not hold a pipe off */
        CHECK(sigprocmask(SIG_SETMASK, &rows->signals, NULL) == 0);
        line = row->line;
        CHECK(dup3(fd, SAY_FD, O_CLOEXEC) == SAY_FD && close(fd) == 0);
        rows->wanted = row - rows->all;
        rows->at = 0;
        family->fn(rows);
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

/* Ends rows that ended, or that do not end. Returns how many. */
static int reap(struct row *rows, long from, long to)
{
    int count = 0;
    for (long i = from; i < to; i++) {
        struct row *row = &rows[i];
        if (row->ended || row->pid == 0)
            continue;
        siginfo_t info = {0};
        CHECK(waitid(P_PID, (id_t)row->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0);
        row->hung = info.si_pid == 0 && time(NULL) - row->started_s > PATIENCE_S;
        if (info.si_pid == 0 && !row->hung)
            continue;
        kill(-row->pid, SIGKILL); /* and what it left behind */
        CHECK(waitpid(row->pid, &row->status, 0) == row->pid);
        row->ended = true;
        count++;
    }
    return count;
}

static int run_family(const struct family *family, const char *only)
{
    struct rows rows = {.wanted = -1};
    family->fn(&rows);
    long count = rows.at, begun = 0, printed = 0;
    int running = 0;
    sigset_t child_ends;
    sigemptyset(&child_ends);
    sigaddset(&child_ends, SIGCHLD);
    CHECK(sigprocmask(SIG_BLOCK, &child_ends, &rows.signals) == 0);
    while (printed < count) {
        for (; begun < count && running < AT_ONCE; begun++) {
            if (only != NULL && strcmp(rows.all[begun].text, only) != 0)
                continue;
            start(&rows, &rows.all[begun], family);
            running++;
        }
        running -= reap(rows.all, printed, begun);
        for (; printed < begun && (rows.all[printed].ended || rows.all[printed].pid == 0);
             printed++) {
            if (!rows.all[printed].ended)
                continue;
            print(&rows.all[printed]);
            munmap(rows.all[printed].line, sizeof(struct line));
        }
        if (running > 0) /* until one ends; one may have hung */
            sigtimedwait(&child_ends, NULL, &(struct timespec){.tv_nsec = 100000000});
    }
    free(rows.all);
    return 0;
}

static void list_family(const struct family *family)
{
    struct rows rows = {.wanted = -1};
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
        line = map_line(SAY_FD);
}
