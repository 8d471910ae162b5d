/* The loop of a watch: when to look, and when to stop. */
#include "analyzer/source/watch.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "analyzer/base/clock.h"
#include "analyzer/base/text.h"
#include "analyzer/process/process.h"

#define SHORTEST_NS UINT64_C(100000000)
#define LONGEST_NS UINT64_C(2000000000)

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

uint64_t watch_next_look(uint64_t begin_ns, uint64_t end_ns, uint64_t last_ns, int64_t duration_ns)
{
    uint64_t look_ns = end_ns - begin_ns;
    uint64_t period_ns = (uint64_t)duration_ns / 10;
    if (period_ns < SHORTEST_NS)
        period_ns = SHORTEST_NS;
    if (period_ns > LONGEST_NS)
        period_ns = LONGEST_NS;
    uint64_t next_ns = begin_ns + period_ns;
    if (next_ns < end_ns + look_ns)
        next_ns = end_ns + look_ns;
    /* A look that would run into the last one says less than it costs. */
    return next_ns + 2 * look_ns >= last_ns ? last_ns : next_ns;
}

/* False: it was interrupted. */
static bool sleep_until(uint64_t when_ns)
{
    struct timespec when = {(time_t)(when_ns / UINT64_C(1000000000)),
                            (long)(when_ns % UINT64_C(1000000000))};
    while (!interrupted && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) == EINTR)
        ;
    return !interrupted;
}

static const char process_ended[] = "it ended while it was watched";
static const char other_program[] = "it executed another program while it was watched";

struct loop {
    struct watch *watch;
    const struct watch_source *source;
    struct snapshot latest;
    uint64_t begin_ns, end_ns; /* of the latest look */
    uint64_t start_ticks;      /* of the process that is watched */
    uint64_t random;           /* where the kernel put 16 random bytes: differs with every exec */
    const char *ended;         /* why there is nothing more to be seen; NULL: there is */
    bool goes_on;              /* though nobody could look at it any more */
};

/* A program that executes itself has another recording, in which all numbers begin again. */
static bool is_same_recording(const struct snapshot *one, const struct snapshot *other)
{
    if (!one->path || !other->path)
        return one->path == other->path;
    return strcmp(one->path, other->path) == 0 && one->started_unix_ns == other->started_unix_ns;
}

/* Whether the process has executed something, perhaps its own program, since the first look. False
 * also where that may not be read. */
static bool has_executed(const struct loop *loop)
{
    uint64_t random = process_auxv((pid_t)loop->latest.pid, AT_RANDOM);
    return random && loop->random && random != loop->random;
}

/* Whether a later look is at what the first one was at. */
static bool is_same(struct loop *loop, const struct snapshot *now)
{
    /* A recording that has ended with the exec tells all there was. */
    bool executed = now->end == SNAPSHOT_RUNNING && has_executed(loop);
    uint64_t ticks;
    process_look((pid_t)now->pid, &ticks);
    if (now->pid != loop->latest.pid ||
        (ticks && loop->start_ticks && ticks != loop->start_ticks)) {
        loop->ended = process_ended;
    } else if (executed || strcmp(now->exe, loop->latest.exe) != 0 ||
               !is_same_recording(now, &loop->latest)) {
        bool same_kind = !now->path == !loop->latest.path;
        loop->ended = executed || same_kind
                          ? other_program
                          : "its recording began or was removed while it was watched";
        loop->goes_on = true;
    }
    return !loop->ended;
}

/* One look, before it is known whether it is to be taken. */
struct look {
    struct snapshot snapshot;
    uint64_t begin_ns, end_ns;
};

static bool read_once(const struct loop *loop, struct look *ret, struct err *err)
{
    snapshot_init(&ret->snapshot);
    ret->begin_ns = clock_ns(CLOCK_MONOTONIC);
    if (!loop->source->read(loop->source->arg, &ret->snapshot, err)) {
        snapshot_deinit(&ret->snapshot);
        return false;
    }
    ret->end_ns = clock_ns(CLOCK_MONOTONIC);
    return true;
}

/* Makes it the latest one, which owns its snapshot now, also where there is no memory. */
static bool take(struct loop *loop, const struct look *look, struct err *err)
{
    bool ok = watch_look(loop->watch, &look->snapshot, look->begin_ns, look->end_ns);
    snapshot_deinit(&loop->latest);
    loop->latest = look->snapshot;
    loop->begin_ns = look->begin_ns;
    loop->end_ns = look->end_ns;
    return ok || err_system(err, "--watch", ENOMEM);
}

static bool first_look(struct loop *loop, struct err *err)
{
    struct look look;
    if (!read_once(loop, &look, err))
        return false;
    process_look((pid_t)look.snapshot.pid, &loop->start_ticks);
    loop->random = process_auxv((pid_t)look.snapshot.pid, AT_RANDOM);
    if (!take(loop, &look, err))
        return false;
    const struct snapshot *now = &loop->latest;
    if (now->end == SNAPSHOT_RUNNING)
        return true;
    return err_set(err, ERR_USAGE, "--watch", "nothing moves in %s: its process does not run",
                   now->path ? now->path : now->exe);
}

/* Says why there is nothing to be seen any more. */
static void end_unread(struct loop *loop)
{
    loop->goes_on = process_look((pid_t)loop->latest.pid, NULL) == PROCESS_ALIVE;
    if (!loop->goes_on)
        loop->ended = process_ended;
    else if (has_executed(loop))
        loop->ended = other_program;
    else
        loop->ended = "it could not be read any more while it was watched";
}

/* False: no memory. */
static bool later_look(struct loop *loop, struct err *err)
{
    struct look look;
    if (!read_once(loop, &look, err)) {
        if (err->kind == ERR_MEMORY)
            return false;
        memset(err, 0, sizeof(*err));
        end_unread(loop);
        return true;
    }
    if (!is_same(loop, &look.snapshot)) {
        snapshot_deinit(&look.snapshot);
        return true;
    }
    if (!take(loop, &look, err))
        return false;
    if (loop->latest.end != SNAPSHOT_RUNNING)
        loop->ended = process_ended;
    return true;
}

/* The latest snapshot is the caller's, also where it fails. */
static bool run(struct loop *loop, int64_t duration_ns, struct err *err)
{
    if (!first_look(loop, err))
        return false;
    uint64_t last_ns = loop->end_ns + (uint64_t)duration_ns;
    uint64_t next_ns = watch_next_look(loop->begin_ns, loop->end_ns, last_ns, duration_ns);
    bool done = false;
    while (!done && !loop->ended && sleep_until(next_ns)) {
        if (!later_look(loop, err))
            return false;
        done = next_ns >= last_ns;
        next_ns = watch_next_look(loop->begin_ns, loop->end_ns, last_ns, duration_ns);
    }
    if (!watch_tell(loop->watch, &loop->latest))
        return err_system(err, "--watch", ENOMEM);
    char age[32];
    text_duration(loop->latest.watched_ns, age);
    if (loop->goes_on)
        (void)snapshot_doubt(&loop->latest, "%s, after %s", loop->ended, age);
    else if (loop->ended)
        (void)snapshot_note(&loop->latest, "%s, after %s", loop->ended, age);
    else if (!done)
        (void)snapshot_note(&loop->latest, "the watch was interrupted after %s", age);
    return true;
}

bool watch_run(const struct watch_source *source, int64_t duration_ns, struct snapshot *ret,
               struct err *err)
{
    struct loop loop = {.watch = watch_create(), .source = source};
    if (!loop.watch)
        return err_system(err, "--watch", ENOMEM);
    snapshot_init(&loop.latest);

    struct sigaction before, action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};
    interrupted = 0;
    sigaction(SIGINT, NULL, &before);
    bool caught = before.sa_handler != SIG_IGN;
    if (caught)
        sigaction(SIGINT, &action, NULL);
    bool ok = run(&loop, duration_ns, err);
    if (caught)
        sigaction(SIGINT, &before, NULL);
    watch_destroy(loop.watch);
    if (ok)
        *ret = loop.latest;
    else
        snapshot_deinit(&loop.latest);
    return ok;
}
