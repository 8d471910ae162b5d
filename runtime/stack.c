/* Tasks and their stacks: memory, guards, free lists.
 *
 * A task's struct and its stack are made together and stay together for good. Stacks come in size
 * classes (16 KiB and its doubles) and are cut out of slabs of one class; structs lie in slabs of
 * their own, side by side, so that a tool can walk a million of them quickly. Neither is ever
 * unmapped: a tool may read a task of this process at any time. Physical memory is given back, when
 * more than WARM_TASKS free stacks hold some, and when the runtime ends.
 *
 * Guards. Below each stack are GUARD_BYTES that fault. Three ways, the first that works:
 *   1. MADV_GUARD_INSTALL (Linux 6.13): costs no mapping of its own, so a million stacks are a few
 *      thousand mappings and vm.max_map_count (65,530 by default) is no limit;
 *   2. mprotect: splits the slab's mapping, two mappings a stack; used until half of
 *      vm.max_map_count is spent;
 *   3. no guard: the lowest CANARY_BYTES of the stack must stay zero, as they come from the kernel.
 *      Checked whenever the task gives up its thread; if they are not, the process is aborted with
 * a message. An overrun may have damaged the stack below before it is seen. TASKRT_GUARD=mprotect
 * or canary begins the search further down.
 */
#include "runtime/internal.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#if RT_ASAN
#include <sanitizer/asan_interface.h>
#endif
#if RT_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define CLASSES 20 /* 16 KiB to 8 GiB */
#define CLASS_MIN_BYTES 16384UL
#define DEFAULT_STACK_BYTES 65536UL
#define DEFAULT_CLASS 2
/* More than a page: a frame with a big array should not step over it. */
#define GUARD_BYTES 16384UL
#define SLAB_BYTES (16UL << 20) /* of stacks; at least one */
#define TASK_SLAB_BYTES (1UL << 20)
#define WARM_TASKS 4096 /* free tasks a class whose stacks keep their memory */
#define CANARY_BYTES 64

enum guard_kind { GUARD_MADVISE, GUARD_MPROTECT, GUARD_CANARY };

struct slab { /* of stacks; remembered to give its memory back */
    struct slab *next;
    char *base;
    size_t used_bytes;
    size_t bytes;
};

struct stack_class {
    struct rt_lock lock;
    struct taskrt_task *warm; /* free lists, through link */
    struct taskrt_task *cold;
    size_t warm_count;
    struct slab *slabs; /* the first one has room, the others are used up */
};

static struct stack_class classes[CLASSES];

static struct {
    struct rt_lock lock;
    char *next; /* of the current slab of structs */
    char *end;
} structs;

static _Atomic int guard_kind = GUARD_MADVISE;
#define NOT_LOOKED_UP LONG_MIN                   /* no counting down leads there */
static _Atomic long guards_left = NOT_LOOKED_UP; /* by mprotect */

static void *map_slab(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    madvise(memory, bytes, MADV_NOHUGEPAGE); /* a stack touches one page, not 2 MiB */
    return memory;
}

static long mprotect_budget(void)
{
    long maximum = 65530;
    FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
    if (file) {
        if (fscanf(file, "%ld", &maximum) != 1)
            maximum = 65530;
        fclose(file);
    }
    return maximum / 2 / 2; /* half of the mappings, two a guard */
}

/* Whether reading the memory really faults: some emulators accept any advice and do nothing. Asks
 * the kernel to read eight bytes there, for a call that has no effect when they are zero. */
static bool faults(const char *memory)
{
    int saved = errno;
    bool fault = syscall(SYS_rt_sigprocmask, SIG_BLOCK, memory, NULL, 8) < 0 && errno == EFAULT;
    errno = saved;
    return fault;
}

/* Makes the memory fault; false: it could not be done, the stack needs a canary. */
static bool install_guard(char *guard)
{
    int kind = atomic_load_explicit(&guard_kind, memory_order_relaxed);
    if (kind == GUARD_MADVISE) {
        static _Atomic bool checked;
        bool installed = madvise(guard, GUARD_BYTES, MADV_GUARD_INSTALL) == 0;
        if (installed && !atomic_load_explicit(&checked, memory_order_relaxed)) {
            installed = faults(guard);
            atomic_store_explicit(&checked, installed, memory_order_relaxed);
        }
        if (installed)
            return true;
        atomic_store_explicit(&guard_kind, kind = GUARD_MPROTECT, memory_order_relaxed);
    }
    if (kind == GUARD_MPROTECT) {
        long unknown = NOT_LOOKED_UP;
        if (atomic_load(&guards_left) == unknown)
            atomic_compare_exchange_strong(&guards_left, &unknown, mprotect_budget());
        if (atomic_fetch_sub(&guards_left, 1) > 0 && mprotect(guard, GUARD_BYTES, PROT_NONE) == 0)
            return true;
        atomic_store_explicit(&guard_kind, GUARD_CANARY, memory_order_relaxed);
    }
    return false;
}

static void choose_guard(void)
{
    const char *wish = secure_getenv("TASKRT_GUARD");
    if (wish && strcmp(wish, "mprotect") == 0)
        atomic_store(&guard_kind, GUARD_MPROTECT);
    else if (wish && strcmp(wish, "canary") == 0)
        atomic_store(&guard_kind, GUARD_CANARY);
}

static struct taskrt_task *new_struct(void)
{
    rt_lock(&structs.lock);
    if (structs.next == structs.end) {
        char *memory =
            mmap(NULL, TASK_SLAB_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            rt_unlock(&structs.lock);
            return NULL;
        }
        if (!structs.end)
            choose_guard();
        structs.next = memory;
        structs.end =
            memory + TASK_SLAB_BYTES / sizeof(struct taskrt_task) * sizeof(struct taskrt_task);
    }
    struct taskrt_task *task = (struct taskrt_task *)structs.next;
    structs.next += sizeof *task;
    rt_unlock(&structs.lock);
    return task;
}

static void return_struct(struct taskrt_task *task)
{
    rt_lock(&structs.lock);
    if (structs.next == (char *)(task + 1))
        structs.next = (char *)task; /* else lost: out of memory, and in a race */
    rt_unlock(&structs.lock);
}

/* Cuts a stack out of the class's slab. The caller holds the lock of the class. */
static char *new_slot(struct stack_class *class, size_t stack_bytes)
{
    size_t slot_bytes = GUARD_BYTES + stack_bytes;
    struct slab *slab = class->slabs;
    if (!slab || slab->bytes - slab->used_bytes < slot_bytes) {
        size_t count = SLAB_BYTES / slot_bytes;
        if (count == 0)
            count = 1;
        slab = malloc(sizeof *slab);
        if (!slab)
            return NULL;
        slab->bytes = count * slot_bytes;
        slab->used_bytes = 0;
        slab->base = map_slab(slab->bytes);
        if (!slab->base) {
            free(slab);
            return NULL;
        }
        slab->next = class->slabs;
        class->slabs = slab;
    }
    char *slot = slab->base + slab->used_bytes;
    slab->used_bytes += slot_bytes;
    return slot;
}

/* A new task of the class, on the list of all tasks, FREE. */
static struct taskrt_task *new_task(unsigned int number)
{
    struct stack_class *class = &classes[number];
    size_t stack_bytes = CLASS_MIN_BYTES << number;
    struct taskrt_task *task = new_struct();
    if (!task)
        return NULL;
    rt_lock(&class->lock);
    char *slot = new_slot(class, stack_bytes);
    rt_unlock(&class->lock);
    if (!slot) {
        return_struct(task);
        return NULL;
    }
    task->canary = !install_guard(slot);
    task->stack_low = (uintptr_t)slot + GUARD_BYTES;
    task->stack_high = task->stack_low + stack_bytes;
    task->stack_class = (uint8_t)number;

    _Atomic uint64_t *head = (_Atomic uint64_t *)&taskrt_inspect.head;
    uint64_t first = atomic_load(head);
    do {
        RT_SET(task->next_all, (struct taskrt_task *)(uintptr_t)first);
    } while (!atomic_compare_exchange_weak(head, &first, (uint64_t)(uintptr_t)task));
    return task;
}

static struct taskrt_task *pop_free(struct stack_class *class)
{
    struct taskrt_task *task = class->warm;
    if (task) {
        class->warm = task->link;
        class->warm_count--;
        return task;
    }
    task = class->cold;
    if (task) {
        class->cold = task->link;
        task->cold = false;
    }
    return task;
}

struct taskrt_task *rt_task_alloc(struct rt_task_cache *cache, size_t stack_bytes)
{
    if (stack_bytes == 0)
        stack_bytes = DEFAULT_STACK_BYTES;
    unsigned int number = 0;
    while (number < CLASSES && CLASS_MIN_BYTES << number < stack_bytes)
        number++;
    if (number == CLASSES)
        return NULL;
    struct taskrt_task *task;
    if (number == DEFAULT_CLASS && cache->first) {
        task = cache->first;
        cache->first = task->link;
        cache->count--;
        return task;
    }
    struct stack_class *class = &classes[number];
    rt_lock(&class->lock);
    task = pop_free(class);
    while (task && number == DEFAULT_CLASS && class->warm && cache->count < RT_CACHE_TASKS / 2) {
        struct taskrt_task *spare = pop_free(class);
        spare->link = cache->first;
        cache->first = spare;
        cache->count++;
    }
    rt_unlock(&class->lock);
    return task ? task : new_task(number);
}

static void give_back(struct taskrt_task *task)
{
#if RT_ASAN
    __asan_unpoison_memory_region((void *)task->stack_low, task->stack_high - task->stack_low);
#endif
    if (madvise((void *)task->stack_low, task->stack_high - task->stack_low, MADV_DONTNEED) == 0)
        task->cold = true;
}

void rt_task_free(struct rt_task_cache *cache, struct taskrt_task *task)
{
    if (task->stack_class == DEFAULT_CLASS && cache->count < RT_CACHE_TASKS) {
        task->link = cache->first;
        cache->first = task;
        cache->count++;
        return;
    }
    struct stack_class *class = &classes[task->stack_class];
    rt_lock(&class->lock);
    if (task->stack_class == DEFAULT_CLASS) { /* half of a full cache goes too */
        while (cache->count > RT_CACHE_TASKS / 2 && class->warm_count < WARM_TASKS) {
            struct taskrt_task *spare = cache->first;
            cache->first = spare->link;
            cache->count--;
            spare->link = class->warm;
            class->warm = spare;
            class->warm_count++;
        }
    }
    bool keep = class->warm_count < WARM_TASKS;
    if (keep) {
        task->link = class->warm;
        class->warm = task;
        class->warm_count++;
    }
    rt_unlock(&class->lock);
    if (keep)
        return;
    give_back(task);
    rt_lock(&class->lock);
    task->link = class->cold;
    class->cold = task;
    rt_unlock(&class->lock);
}

static void give_back_all(struct stack_class *class)
{
    class->warm = class->cold = NULL;
    class->warm_count = 0;
    for (struct slab *slab = class->slabs; slab; slab = slab->next) {
#if RT_ASAN
        __asan_unpoison_memory_region(slab->base, slab->used_bytes);
#endif
        madvise(slab->base, slab->used_bytes, MADV_DONTNEED); /* guards stay */
    }
}

void rt_tasks_reset(void)
{
    /* Before their stacks are zeroes: tools read a parked task's select cases there. */
    struct taskrt_task *first = (struct taskrt_task *)(uintptr_t)taskrt_inspect.head;
    for (struct taskrt_task *task = first; task; task = RT_GET(task->next_all))
        atomic_store_explicit(&task->state, TASKRT_STATE_FREE, memory_order_release);
    for (unsigned int i = 0; i < CLASSES; i++)
        give_back_all(&classes[i]);
    for (struct taskrt_task *task = first; task; task = RT_GET(task->next_all)) {
        struct stack_class *class = &classes[task->stack_class];
        task->cold = true;
        task->link = class->cold;
        class->cold = task;
        free(task->block);
        task->block = NULL;
#if RT_TSAN
        if (task->fiber)
            __tsan_destroy_fiber(task->fiber);
        task->fiber = NULL;
#endif
    }
    taskrt_inspect.live = 0;
}

void rt_canary_check(const struct taskrt_task *task)
{
    const uint64_t *words = (const uint64_t *)task->stack_low;
    uint64_t any = 0;
    for (unsigned int i = 0; i < CANARY_BYTES / sizeof *words; i++)
        any |= words[i];
    if (any == 0)
        return;
    fprintf(stderr, "taskrt: stack overflow in task %llu %s\n",
            (unsigned long long)RT_GET(task->id), task->name);
    abort();
}
