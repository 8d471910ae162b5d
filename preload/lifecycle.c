#include "preload/lifecycle.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/single_threaded.h>
#include <sys/stat.h>

#include "preload/adapter_go.h"
#include "preload/asleep.h"
#include "preload/descriptor.h"
#include "preload/early.h"
#include "preload/filter.h"
#include "preload/hooks.h"
#include "preload/libgo.h"
#include "preload/memory.h"
#include "preload/modules.h"
#include "preload/options.h"
#include "preload/own_tid.h"
#include "preload/place.h"
#include "preload/recorder.h"
#include "preload/sampler.h"
#include "preload/sampler_tls.h"
#include "preload/signals.h"
#include "preload/sys.h"
#include "preload/unwind.h"

/* RECORDED: this process, or the one that it was forked from. */
static enum { UNRECORDED, WAITS_FOR_THREAD, BEGINS, RECORDED } life;
static bool forked; /* it is not the process that executed the program */

/* True: this process knows that it is one of its own. In memory that a fork child finds empty; NULL
 * where that cannot be had. */
static bool *known;

static void at_exit(int status, void *unused)
{
    (void)unused;
    if (life == WAITS_FOR_THREAD)
        life = UNRECORDED; /* the end would not be told of what began now */
    if (recorder_thread.unwatched != NULL)
        sampler_ensure(); /* for that walk */
    if (!recorder_quiet)
        sampler_last_walk();
    recorder_close(REC_STATE_EXITED, status & 0xff);
}

static void at_quickly_exit(void)
{
    recorder_close(REC_STATE_EXITED, hooks_quick_status & 0xff);
}

/* Nobody may be inside libunwind when the process is copied. */
static void before_fork(void)
{
    if (life == RECORDED && !recorder_quiet)
        unwind_before_fork();
}

static void after_fork_parent(void)
{
    unwind_after_fork(false);
}

/* Signals are blocked until the parent's recording is forgotten. */
static void after_fork_child(void)
{
    lifecycle_forked();
    unwind_after_fork(true);
}

/* A program may run the handlers of pthread_atfork itself, after a clone() of which we know:
 * Firefox does, and has its executable collect them. What is forgotten twice is the child's own. */
void lifecycle_forked(void)
{
    if (known != NULL && *known)
        return;
    if (known != NULL)
        *known = true;
    recorder_forget();
    forked = true;
    if (life == BEGINS || (life == WAITS_FOR_THREAD && !recorder_options.children))
        life = UNRECORDED;
}

bool lifecycle_forget_for_thread(void)
{
    if (known == NULL)
        return false;
    lifecycle_forked();
    return recorder.header == NULL;
}

/* Where the library may make its system calls. */
static void know_self(void)
{
    known = memory_reserve(sizeof(*known));
    if (known != NULL && memory_wipe_on_fork(known, sizeof(*known)))
        *known = true;
    else
        known = NULL;
}

static void watch_life(void)
{
    on_exit(at_exit, NULL);
    (void)at_quick_exit(at_quickly_exit); /* else the end is not told */
    pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

/* False: there is no recording, for the reason that was said with VERBOSE. */
static bool begin(bool may_open_unwinder)
{
    options_make_absolute();
    bool unwinder = unwind_init(may_open_unwinder);
    sampler_tls_init();
    own_stack_init();
    own_tid_init();
    asleep_init(hooks_find_in_libc("pthread_mutex_lock"));
    descriptor_know_input();
    if (hooks_has("runtime.gopark"))
        libgo_init();
    bool is_go = adapter_go_init();
    if (!recorder_options.children && place_has_recorded_ancestor())
        return false;
    if (!recorder_open(forked))
        return false;
    know_self();
    if (!unwinder)
        recorder_say("cannot be loaded; stacks follow frame pointers only", "libunwind", 0);
    /* Go's runtime need not call anything of libc's, nor need the threads that there are. */
    if (is_go || recorder.header->spawned > 0)
        sampler_ensure();
    return true;
}

/* --- under a filter of the program's own ------------------------------------------------------ */

/* The folder "/", by the calls with which ld.so opens libraries. */
struct root {
    uint64_t device, inode;
    bool known;
};
static struct root first_root;

static struct root root_now(void)
{
    struct stat stat;
    struct root root = {.known = false};
    long fd = sys_call(SYS_openat, AT_FDCWD, "/", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return root;
    if (fstat((int)fd, &stat) == 0)
        root = (struct root){.device = stat.st_dev, .inode = stat.st_ino, .known = true};
    sys_call(SYS_close, fd);
    return root;
}

/* Which takes memory, and another allocator may be about to start a thread of its own, with its
 * locks taken. */
static bool allocator_is_libcs(void)
{
    struct module_range allocator, libc;
    return module_find((uint64_t)dlsym(RTLD_DEFAULT, "malloc"), &allocator) &&
           module_find((uint64_t)dlsym(RTLD_DEFAULT, "gnu_get_libc_version"), &libc) &&
           allocator.start == libc.start;
}

/* Not in a folder that the program has gone into since (chroot), which somebody else may fill; and
 * not while a thread of libc's own may open descriptors (set_up of unwind_rules.c). */
static bool may_still_open_unwinder(void)
{
    if (!__libc_single_threaded || !allocator_is_libcs())
        return false;
    struct root root = root_now();
    return root.known && first_root.known && root.device == first_root.device &&
           root.inode == first_root.inode;
}

/* The program will change its environment, its folder and its descriptors; what depends on these is
 * read now, if it takes no other system calls than any start does. */
static void wait_for_thread(void)
{
    options_read();
    sampler_tls_look_at_start();
    first_root = root_now();
    watch_life();
    life = WAITS_FOR_THREAD;
    recorder_say("nothing is recorded before it starts a thread", "system call filter", 0);
}

bool lifecycle_begin_for_thread(void)
{
    __typeof__(life) was = WAITS_FOR_THREAD;
    if (recorder_quiet || !__atomic_compare_exchange_n(&life, &was, BEGINS, false, __ATOMIC_ACQ_REL,
                                                       __ATOMIC_RELAXED))
        return false;
    int error = errno;
    uint64_t before = signals_block(); /* as the C library does now */
    bool begun = filter_lets_us(FILTER_SPECIAL) && begin(may_still_open_unwinder());
    __atomic_store_n(&life, begun ? RECORDED : UNRECORDED, __ATOMIC_RELEASE);
    signals_restore(before);
    errno = error;
    return begun;
}

void lifecycle_started_unrecorded(const void *place)
{
    if (life == UNRECORDED)
        early_note(place);
}

/* --- start ----------------------------------------------------------------------------------- */

__attribute__((constructor(101))) static void start(void)
{
    hooks_resolve();
    if (getauxval(AT_SECURE))
        return;
    options_read_verbose();
    enum filter_kind filter = filter_look();
    if (filter == FILTER_SPECIAL && __libc_single_threaded) { /* else a library has started one */
        wait_for_thread();
        return;
    }
    if (filter != FILTER_NONE && !filter_lets_us(filter))
        return;
    options_read();
    if (!begin(true))
        return;
    watch_life();
    life = RECORDED;
}
