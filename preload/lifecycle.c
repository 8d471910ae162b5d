/* Start, fork and exit of the target. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/auxv.h>

#include "preload/adapter_go.h"
#include "preload/filter.h"
#include "preload/hooks.h"
#include "preload/libgo.h"
#include "preload/options.h"
#include "preload/place.h"
#include "preload/recorder.h"
#include "preload/sampler.h"
#include "preload/unwind.h"

static void at_exit(int status, void *unused)
{
    (void)unused;
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
    if (!recorder_quiet)
        unwind_before_fork();
}

static void after_fork_parent(void)
{
    unwind_after_fork();
}

/* Signals are blocked until the parent's recording is forgotten. */
static void after_fork_child(void)
{
    recorder_forget();
    unwind_after_fork();
}

__attribute__((constructor(101))) static void start(void)
{
    hooks_resolve();
    if (getauxval(AT_SECURE))
        return;
    options_read_verbose();
    if (!filter_lets_us())
        return;
    options_read();
    bool unwinder = unwind_init();
    sampler_init();
    own_stack_init();
    if (hooks_has("runtime.gopark"))
        libgo_init();
    bool is_go = adapter_go_init();
    if (!recorder_options.children && place_has_recorded_ancestor())
        return;
    if (!recorder_open(false))
        return;
    if (!unwinder)
        recorder_say("cannot be loaded; stacks follow frame pointers only", "libunwind", 0);
    if (is_go)
        sampler_ensure(); /* its runtime need not call anything of libc's */
    on_exit(at_exit, NULL);
    at_quick_exit(at_quickly_exit);
    pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}
