/* ptrace(2), and what signal(7) says of stops; tests/unit/analyzer/test_process_stop.c looks
 * whether the calls of the table notice one.
 *
 * Each stop has a tracer of its own, a thread of ours that ends with it: an interrupt that the
 * other thread has not obeyed yet cannot be taken back, and would stop it whenever it gets to run,
 * but the kernel drops it when the tracer is gone (kernel/ptrace.c, __ptrace_unlink). */
#include "analyzer/process/stop.h"

#include <elf.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "analyzer/base/clock.h"
#include "analyzer/image/registers.h"
#include "analyzer/process/calls.h"
#include "analyzer/process/process.h"
#include "analyzer/process/threads.h"

#define PATIENCE_NS UINT64_C(50000000) /* how long a thread is waited for */
#define SPIN_NS UINT64_C(200000)       /* of that, without sleeping */
#define SETTLED_NS INT64_C(20000000)   /* who parked later may be about to go on */
#define MAX_LATE_THREADS 4             /* threads that did not stop in time, before none is asked */
#define PAGE_BYTES 4096

void process_stops_init(struct process_stops *ret, pid_t pid)
{
    *ret = (struct process_stops){.pid = pid};
}

/* Lets a thread go that has stopped. A signal that it stopped for is delivered to it. */
static void let_go(pid_t tid, int status)
{
    long signal = WIFSTOPPED(status) && status >> 16 == 0 ? WSTOPSIG(status) : 0;
    ptrace(PTRACE_DETACH, tid, 0, signal);
}

/* Whether it is in such a call now, and neither stopped nor traced. */
static bool may_stop(struct process_stops *stops, const struct image_thread *thread)
{
    struct process_status status;
    struct image_thread now, again = *thread;
    pid_t tid = (pid_t)thread->host_tid;
    return thread->parked && !(thread->parked_ns >= 0 && thread->parked_ns < SETTLED_NS) &&
           process_read_status(tid, &status) && status.process == stops->pid &&
           status.tracer == 0 && !status.filtered && process_read_call(stops->pid, tid, &now) &&
           now.state == 'S' && now.parked && now.call == thread->call &&
           memcmp(now.args, thread->args, sizeof(now.args)) == 0 &&
           process_look_again(stops->pid, &again) && again.switches == thread->switches &&
           process_call_survives_stop(stops->pid, tid, now.call, now.args);
}

/* Waits until a thread has stopped. False: it has ended, or does not stop in time (*ret_late). */
static bool wait_stopped(pid_t tid, uint64_t began_ns, int *ret_status, bool *ret_late)
{
    for (;;) {
        pid_t got = waitpid(tid, ret_status, __WALL | WNOHANG);
        if (got != 0)
            return got == tid && WIFSTOPPED(*ret_status);
        uint64_t passed_ns = clock_ns(CLOCK_MONOTONIC) - began_ns;
        if (passed_ns > PATIENCE_NS) {
            *ret_late = true;
            return false;
        }
        if (passed_ns > SPIN_NS)
            nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
        else
            sched_yield();
    }
}

/* Copies the stack; what is behind its end cannot be read. */
static void copy_stack(const struct image *image, uint64_t end, struct image_stop *ret)
{
    uint64_t sp = ret->stack_address;
    size_t bytes = ret->stack_room;
    if (end > sp && end - sp < bytes)
        bytes = (size_t)(end - sp);
    if (mem_read(image->memory, sp, ret->stack, bytes)) {
        ret->stack_bytes = bytes;
        return;
    }
    while (ret->stack_bytes < bytes) {
        size_t part = PAGE_BYTES - (size_t)((sp + ret->stack_bytes) % PAGE_BYTES);
        if (part > bytes - ret->stack_bytes)
            part = bytes - ret->stack_bytes;
        if (!mem_read(image->memory, sp + ret->stack_bytes, (char *)ret->stack + ret->stack_bytes,
                      part))
            return;
        ret->stack_bytes += part;
    }
}

struct stop {
    struct image *image;
    struct image_thread *thread;
    struct image_stop *ret;
    uint64_t began_ns; /* 0: it was not asked to stop */
    uint64_t stack_end;
    pid_t tracer;
    bool let_go, late, ok;
};

/* The life of a tracer. */
static void *trace(void *arg)
{
    struct stop *stop = arg;
    struct image_stop *ret = stop->ret;
    pid_t tid = (pid_t)stop->thread->host_tid;
    uint64_t user[USER_REGISTERS];
    struct iovec to = {user, sizeof(user)};
    int status;

    stop->tracer = gettid();
    if (ptrace(PTRACE_SEIZE, tid, 0, 0) != 0)
        return NULL;
    stop->began_ns = clock_ns(CLOCK_MONOTONIC);
    if (ptrace(PTRACE_INTERRUPT, tid, 0, 0) != 0 ||
        !wait_stopped(tid, stop->began_ns, &status, &stop->late))
        return NULL;
    stop->ok =
        ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &to) == 0 && to.iov_len == sizeof(user);
    if (stop->ok) {
        image_take_registers(user, &ret->registers);
        ret->thread_pointer = user[USER_FS_BASE];
        ret->stack_address = ret->registers.value[IMAGE_REGISTER_SP];
        copy_stack(stop->image, stop->stack_end, ret);
    }
    let_go(tid, status);
    stop->let_go = true;
    ret->pause_ns = clock_ns(CLOCK_MONOTONIC) - stop->began_ns;
    return NULL;
}

/* A thread that was joined is gone for the kernel a little later. */
static void wait_let_go(const struct stop *stop)
{
    struct process_status status;
    while (process_read_status((pid_t)stop->thread->host_tid, &status) &&
           status.tracer == stop->tracer)
        nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
}

bool process_stop_thread(struct process_stops *stops, struct image *image,
                         struct image_thread *thread, struct image_stop *ret)
{
    const struct image_mapping *stack =
        image_mapping_at(image, thread->registers.value[IMAGE_REGISTER_SP]);
    struct stop stop = {
        .image = image, .thread = thread, .ret = ret, .stack_end = stack ? stack->end : 0};
    pthread_t tracer;

    ret->pause_ns = 0;
    ret->stack_bytes = 0;
    if (stops->late >= MAX_LATE_THREADS || !may_stop(stops, thread) ||
        pthread_create(&tracer, NULL, trace, &stop) != 0)
        return false;
    pthread_join(tracer, NULL);
    if (stop.began_ns && !stop.let_go) {
        wait_let_go(&stop);
        ret->pause_ns = clock_ns(CLOCK_MONOTONIC) - stop.began_ns;
    }
    stops->late += stop.late;
    if (stop.ok)
        thread->thread_pointer = ret->thread_pointer;
    return stop.ok;
}
