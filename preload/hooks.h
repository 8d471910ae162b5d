/* The intercepted functions: numbers of their calls, pointers to the real ones, and what the
 * wrappers that are written by hand share. The list is hooks.def. */
#ifndef LEAKSPY_HOOKS_H
#define LEAKSPY_HOOKS_H

#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>

#include "preload/arch.h"
#include "preload/own_stack.h"
#include "preload/waits.h"
#include "runtime/taskrt.h"

struct sembuf;
__extension__ typedef __int128 libgo_pair; /* two results of a Go function, in two registers */
struct mmsghdr;

/* The number of each call: its row in the recording's table of calls. */
enum hook_call {
    CALL_NONE = 0,
#define WAIT(result, name, params, args, op, object, arg, flags, version) CALL_##name,
#define TASK(result, name, params, args, op, object, arg, flags) CALL_##name,
#define HAND(result, name, symbol, params, args, op, version) CALL_##name,
#include "preload/hooks.def"
#undef WAIT
#undef TASK
#undef HAND
    CALL_COUNT
};

/* The real functions. They may be called at any time: before the constructor ran, each entry holds
 * a function that looks up the real one first. */
struct hooks_real {
#define WAIT(result, name, params, args, op, object, arg, flags, version) result(*name) params;
#define TASK(result, name, params, args, op, object, arg, flags) result(*name) params;
#define HAND(result, name, symbol, params, args, op, version) result(*name) params;
#include "preload/hooks.def"
#undef WAIT
#undef TASK
#undef HAND
};
extern HIDDEN struct hooks_real hooks_real;

/* Looks up the real functions. In the constructor. */
void hooks_resolve(void);

/* Was the runtime that `symbol` belongs to there when hooks_resolve ran? True for libc. */
bool hooks_has(const char *symbol);

/* Looks one up: next in the program's order, or in a library that was loaded later. NULL: there is
 * none. */
void *hooks_find(const char *symbol, const char *version);

/* Looks up a function of libc's oldest version, past libraries between us and libc that have one of
 * that name without a version. NULL: there is none. */
void *hooks_find_in_libc(const char *symbol);

/* Writes the intercepted functions into a new recording's table of calls. */
void hooks_add_calls(void);

/* The class of an op, as a constant. */
enum {
#define X(name, number, text, object, class) HOOK_CLASS_##name = REC_CLASS_##class,
    REC_OPS(X)
#undef X
};

/* For wrappers: are waits of this op recorded at all? */
#define HOOK_RECORDS(op) (recorder.classes & HOOK_CLASS_##op)

/* The version of symbols that are there only for programs linked long ago. */
#if defined(__x86_64__)
#define HOOK_OLDEST "GLIBC_2.2.5"
#define HOOK_FXSTATAT64 "GLIBC_2.4"
#else
#define HOOK_OLDEST "GLIBC_2.17"
#define HOOK_FXSTATAT64 "GLIBC_2.17"
#endif

#define HOOK_EXPORT __attribute__((visibility("default")))

/* Wrappers have names of their own and take the intercepted symbol only in the object file: what
 * libc's headers say of a function (nonnull, fortified, variadic) does not apply to a wrapper. */
#define WAIT(result, name, params, args, op, object, arg, flags, version)                          \
    HOOK_EXPORT result hook_##name params __asm__(#name);
#define TASK(result, name, params, args, op, object, arg, flags)                                   \
    HOOK_EXPORT result hook_##name params __asm__(#name);
#define HAND(result, name, symbol, params, args, op, version)                                      \
    HOOK_EXPORT result hook_##name params __asm__(symbol);
#define OLD(result, name, symbol, params, args, op, version)                                       \
    HOOK_EXPORT result hook_##name params __asm__(#name);
#include "preload/hooks.def"
#undef WAIT
#undef TASK
#undef HAND

/* The stack of the wrapper's caller, as a site; 0: none. To be used in the wrapper itself. `high`
 * is the end of the stack's memory: up to there it is read as it is, elsewhere with care, which
 * costs a system call a word. HOOK_OWN_STACK: that of the running thread. */
#define HOOK_SPAWN_SITE(high)                                                                      \
    hooks_spawn_site((uint64_t)__builtin_return_address(0), (uint64_t)__builtin_dwarf_cfa(),       \
                     *(const uint64_t *)__builtin_frame_address(0), high)
#define HOOK_OWN_STACK own_stack_end((uint64_t)__builtin_dwarf_cfa())
uint32_t hooks_spawn_site(uint64_t pc, uint64_t sp, uint64_t fp, uint64_t high);

/* syscall() with a number of which hook_syscall.c says that it is handled. */
long hooks_handle_syscall(long number, long a, long b, long c, long d, long e, long f);

/* What quick_exit was called with. */
extern int hooks_quick_status;

/* What wrappers have to know of libtaskrt, to find the slot of the running task. Written by its
 * adapter, `current` last. */
struct taskrt_known {
    int64_t current; /* what taskrt_inspect_current() says; 0: there is no libtaskrt that we know,
                        so far */
    uint32_t tool;   /* where in a task the word for tools is */
};
extern HIDDEN struct taskrt_known taskrt_known;

/* The same as taskrt_slot, where the runtime is not known yet, or the task has no slot. */
struct rec_task *taskrt_find_slot(void);

/* The libtaskrt task that the thread runs; NULL: none. */
__attribute__((always_inline)) static inline struct taskrt_task *taskrt_current(void)
{
    int64_t where = __atomic_load_n(&taskrt_known.current, __ATOMIC_ACQUIRE);
    return likely(where != 0) ? arch_thread_word(where) : NULL;
}

/* The slot of the running libtaskrt task, for wrappers. Never NULL. */
__attribute__((always_inline)) static inline struct rec_task *taskrt_slot(void)
{
    struct taskrt_task *self = taskrt_current();
    struct rec_task *task =
        likely(self != NULL) ? *(struct rec_task **)((char *)self + taskrt_known.tool) : NULL;
    return likely(task != NULL) ? task : taskrt_find_slot();
}

#endif
