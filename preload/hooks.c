/* Expands hooks.def: the wrappers, the real functions, the table of calls. */
#include "preload/hooks.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

#include "preload/credentials.h"
#include "preload/goscan/waited.h"
#include "preload/libgo.h"
#include "preload/modules.h"
#include "preload/polled.h"
#include "preload/sampler.h"
#include "preload/thread_count.h"

/* --- the real functions ---------------------------------------------------------------------- */

static long missing(void)
{
    errno = ENOSYS;
    return -1;
}

static void resolve(int row);

/* A program's allocator may be the first to call us, before the constructor ran and in the middle
 * of its own start: then nothing is looked up but the function that is called, which is there,
 * since to look for what is not there would allocate. */
#define EARLY(result, name, params, args)                                                          \
    static result early_##name params                                                              \
    {                                                                                              \
        resolve(CALL_##name - 1);                                                                  \
        if (hooks_real.name == early_##name)                                                       \
            return (result)missing();                                                              \
        return hooks_real.name args;                                                               \
    }
#define WAIT(result, name, params, args, op, object, arg, flags, version)                          \
    EARLY(result, name, params, args)
#define TASK(result, name, params, args, op, object, arg, flags) EARLY(result, name, params, args)
#define HAND(result, name, symbol, params, args, op, version) EARLY(result, name, params, args)
#include "preload/hooks.def"
#undef WAIT
#undef TASK
#undef HAND

struct hooks_real hooks_real = {
#define WAIT(result, name, params, args, op, object, arg, flags, version) .name = early_##name,
#define TASK(result, name, params, args, op, object, arg, flags) .name = early_##name,
#define HAND(result, name, symbol, params, args, op, version) .name = early_##name,
#include "preload/hooks.def"
#undef WAIT
#undef TASK
#undef HAND
};

static const struct {
    const char *symbol;
    const char *version;
    void **pointer;
    void *early;
    uint16_t op;
} rows[] = {
#define ROW(symbol, version, name, op)                                                             \
    {symbol, version, (void **)&hooks_real.name, early_##name, REC_OP_##op},
#define WAIT(result, name, params, args, op, object, arg, flags, version)                          \
    ROW(#name, version, name, op)
#define TASK(result, name, params, args, op, object, arg, flags) ROW(#name, NULL, name, op)
#define HAND(result, name, symbol, params, args, op, version) ROW(symbol, version, name, op)
#include "preload/hooks.def"
#undef WAIT
#undef TASK
#undef HAND
};
enum { ROWS = sizeof(rows) / sizeof(*rows) };
_Static_assert(ROWS == CALL_COUNT - 1, "one row a call");

/* Runtimes that programs may be linked with, or load after they started, out of sight of RTLD_NEXT:
 * how the names of their functions begin, and that of their file. */
static const struct {
    const char *prefix;
    const char *file;
    const char *soname;
} runtimes[] = {
    {"taskrt_", "libtaskrt.so", "libtaskrt.so.1"}, {"runtime.", "libgo.so", "libgo.so.21"},
    {"sync.", "libgo.so", "libgo.so.21"},          {"internal_1poll.", "libgo.so", "libgo.so.21"},
    {"time.", "libgo.so", "libgo.so.21"},          {"__go_", "libgo.so", "libgo.so.21"},
};
enum { RUNTIMES = sizeof(runtimes) / sizeof(*runtimes) };

/* Which of them a function belongs to; RUNTIMES: to libc. */
static int runtime_of(const char *symbol)
{
    int i = 0;
    while (i < RUNTIMES && strncmp(symbol, runtimes[i].prefix, strlen(runtimes[i].prefix)) != 0)
        i++;
    return i;
}

static bool is_of_same_file(void *one, void *other)
{
    struct module_range a, b;
    return module_find((uint64_t)one, &a) && module_find((uint64_t)other, &b) && a.start == b.start;
}

/* Libc's own functions that look others up, for which RTLD_NEXT is what comes after us. Those that
 * a program or another library has would pass it on as what comes after them: before us, that is
 * our own wrapper. Libc's have a version, by which they are found through such ones, too. */
static __typeof__(&dlsym) libc_dlsym;
static __typeof__(&dlvsym) libc_dlvsym;

static void find_lookups(void)
{
    static const char version[] = "GLIBC_2.34"; /* when they came into libc */
    void *plain = dlvsym(RTLD_NEXT, "dlsym", version);
    void *versioned = dlvsym(RTLD_NEXT, "dlvsym", version);
    libc_dlsym = plain != NULL ? (__typeof__(&dlsym))plain : dlsym;
    libc_dlvsym = versioned != NULL ? (__typeof__(&dlvsym))versioned : dlvsym;
}

/* What the program would call without us. A library between it and libc, as the runtime of a
 * sanitizer, may have the function without a version: that is for every call, whichever version the
 * caller is bound to (ld.so), but dlvsym passes it by. The aliases that libc has, with `__`, are
 * not to be found without their version, and to look for what is not there would allocate. */
static void *find_next(const char *symbol, const char *version)
{
    if (libc_dlsym == NULL || libc_dlvsym == NULL)
        find_lookups();
    if (version == NULL)
        return libc_dlsym(RTLD_NEXT, symbol);
    void *found = libc_dlvsym(RTLD_NEXT, symbol, version);
    if (found == NULL || symbol[0] == '_')
        return found;
    void *any = libc_dlsym(RTLD_NEXT, symbol);
    return is_of_same_file(any, found) ? found : any;
}

void *hooks_find_in_libc(const char *symbol)
{
    if (libc_dlvsym == NULL)
        find_lookups();
    return libc_dlvsym(RTLD_NEXT, symbol, HOOK_OLDEST);
}

void *hooks_find(const char *symbol, const char *version)
{
    int runtime = runtime_of(symbol);
    void *found = find_next(symbol, version);
    if (found == NULL && runtime != RUNTIMES) {
        /* What is found there is kept for good, and so is the library. */
        void *library = dlopen(runtimes[runtime].soname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
        if (library == NULL)
            return NULL;
        found = dlsym(library, symbol);
        dlclose(library);
    }
    return found;
}

/* What was there at start; libc is. */
static bool loaded[RUNTIMES + 1] = {[RUNTIMES] = true};

static int note_loaded(struct dl_phdr_info *info, size_t bytes, void *arg)
{
    const char *slash = strrchr(info->dlpi_name, '/');
    const char *file = slash != NULL ? slash + 1 : info->dlpi_name;
    (void)bytes, (void)arg;
    for (int i = 0; i < RUNTIMES; i++)
        loaded[i] |= strncmp(file, runtimes[i].file, strlen(runtimes[i].file)) == 0;
    return 0;
}

static void resolve(int row)
{
    int saved = errno;
    if (*rows[row].pointer == rows[row].early) {
        void *found = hooks_find(rows[row].symbol, rows[row].version);
        if (found == NULL && rows[row].version != NULL)
            found = hooks_find(rows[row].symbol, NULL); /* another processor, another version */
        if (found != NULL)
            *rows[row].pointer = found;
    }
    errno = saved;
}

void hooks_resolve(void)
{
    /* To look in vain is dear, and most programs have neither runtime. */
    dl_iterate_phdr(note_loaded, NULL);
    for (int row = 0; row < ROWS; row++)
        if (loaded[runtime_of(rows[row].symbol)])
            resolve(row);
}

bool hooks_has(const char *symbol)
{
    return loaded[runtime_of(symbol)];
}

void hooks_add_calls(void)
{
    for (int i = 0; i < ROWS; i++)
        recorder_add_call(rows[i].symbol, rows[i].op, 0);
    libgo_add_calls();
}

/* --- what a wait is on ----------------------------------------------------------------------- */

#define POLL_FLAGS(deadline)                                                                       \
    ((uint16_t)(REC_WAIT_FDS | REC_WAIT_ASIDE | ((deadline) ? REC_WAIT_DEADLINE : 0)))
#define UNTIL(deadline_ns) ((deadline_ns) == TASKRT_NEVER ? 0 : REC_WAIT_DEADLINE)

/* --- the wrappers ---------------------------------------------------------------------------- */

/* Where the call is left by cancellation, the wait stays published until the thread has ended, or
 * waits again; to take it back there would want a personality routine, and so a library besides
 * libc. What is to be taken back stays in registers; a wait that interrupts another goes the longer
 * way. */
#define PARK(slot, result, name, params, args, op, object, arg, flags)                             \
    __attribute__((noinline, cold)) static result nested_##name params                             \
    {                                                                                              \
        struct wait published;                                                                     \
        wait_begin(&published, slot, CALL_##name, flags, (uint64_t)(object), arg);                 \
        result done = hooks_real.name args;                                                        \
        wait_end(&published);                                                                      \
        return done;                                                                               \
    }                                                                                              \
    result hook_##name params                                                                      \
    {                                                                                              \
        if (unlikely(!HOOK_RECORDS(op)))                                                           \
            return hooks_real.name args;                                                           \
        struct rec_task *slot_ = slot;                                                             \
        if (unlikely(SHARED_GET(slot_->gen) != 0))                                                 \
            return nested_##name args;                                                             \
        wait_publish(slot_, CALL_##name, flags, (uint64_t)(object), arg);                          \
        result done = hooks_real.name args;                                                        \
        __atomic_store_n(&slot_->gen, 0, __ATOMIC_RELEASE);                                        \
        return done;                                                                               \
    }
#define WAIT(result, name, params, args, op, object, arg, flags, version)                          \
    PARK(recorder_self(), result, name, params, args, op, object, arg, flags)
#define TASK(result, name, params, args, op, object, arg, flags)                                   \
    PARK(taskrt_slot(), result, name, params, args, op, object, arg, flags)
#define KEPT CREDENTIALS_KEPT
#define UNKNOWN CREDENTIALS_UNKNOWN
#define WAY_BACK(real, saved) credentials_have_way_back(real, saved)
#define ALONE(result, name, params, args, undone)                                                  \
    result hook_##name params                                                                      \
    {                                                                                              \
        enum sampler_change change = SAMPLER_UNTOUCHED;                                            \
        if (recorder.header != NULL && !recorder_quiet)                                            \
            change = sampler_before_change(undone);                                                \
        result done = hooks_real.name args;                                                        \
        sampler_after_change(change);                                                              \
        return done;                                                                               \
    }
/* A path can be read once the kernel has. */
#define COUNT(result, name, params, args, folder, version)                                         \
    result hook_##name params                                                                      \
    {                                                                                              \
        result done = hooks_real.name args;                                                        \
        if (unlikely(done == 0 && thread_count_may_be_told(path)) &&                               \
            thread_count_asked(folder, path))                                                      \
            done = hooks_real.name args;                                                           \
        return done;                                                                               \
    }
/* A thread that has never waited is not made known for this: what a child of fork does before it
 * executes another program is to open files. */
#define OPENS(result, name, params, args, op, fd)                                                  \
    result hook_##name params                                                                      \
    {                                                                                              \
        struct wait published = {.task = NULL};                                                    \
        if (REC_OP_##op != REC_OP_NONE && likely(HOOK_RECORDS(op)))                                \
            published.task = recorder_own()->task;                                                 \
        if (published.task != NULL)                                                                \
            wait_begin(&published, published.task, CALL_##name, 0, 0, 0);                          \
        result done = hooks_real.name args;                                                        \
        if (published.task != NULL)                                                                \
            wait_end(&published);                                                                  \
        int opened = fd;                                                                           \
        if (unlikely(opened >= 0 && thread_count_may_be_told(path)))                               \
            thread_count_opened(opened, path);                                                     \
        return done;                                                                               \
    }
#define HAND(result, name, symbol, params, args, op, version)
#include "preload/hooks.def"
