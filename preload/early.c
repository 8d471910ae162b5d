#include "preload/early.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>

#include "preload/memory.h"
#include "preload/modules.h"
#include "preload/own_tid.h"
#include "preload/proc.h"
#include "preload/recorder.h"
#include "preload/sys.h"

#define MAX_THREADS 64
#define FRAMES_BYTES (64 << 10) /* of a stack, that the callers of a function have at most */

/* What keeps a thread from being given a slot: it asked for its own. */
static struct rec_task by_itself;

static struct early {
    uint64_t handle;       /* 0: not known */
    struct rec_task *task; /* NULL: nobody has asked for one yet */
    uint64_t id;           /* of that task */
    uint32_t tid;
} threads[MAX_THREADS];
static uint32_t count; /* threads; those beyond the table are not in it */

/* The thread may have ended, and freed what `place` is in: so it is read only where it cannot have,
 * among the caller's frames and the variables of loaded files. */
static bool may_read(const void *place)
{
    uint64_t address = (uint64_t)place, sp = (uint64_t)__builtin_frame_address(0);
    uint64_t self = (uint64_t)pthread_self(); /* above it, on a stack that libc has made */
    uint64_t end = sp < self ? self : getauxval(AT_EXECFN);
    struct module_range file;
    bool in_frames = address >= sp && address - sp < FRAMES_BYTES && address < end;
    return in_frames || module_find(address, &file);
}

void early_note(const void *place)
{
    uint32_t row = __atomic_fetch_add(&count, 1, __ATOMIC_RELAXED);
    if (row < MAX_THREADS && may_read(place))
        __atomic_store_n(&threads[row].handle, *(const uint64_t *)place, __ATOMIC_RELEASE);
}

/* The folder of this process's threads has a link for each, and two. */
uint32_t early_left(void)
{
    uint32_t early = __atomic_load_n(&count, __ATOMIC_RELAXED);
    struct stat tasks;
    if (early == 0 || sys_call(SYS_newfstatat, AT_FDCWD, "/proc/self/task", &tasks, 0) != 0)
        return early;
    uint64_t others = tasks.st_nlink - 3;
    return others < early ? (uint32_t)others : early;
}

/* One that ended may have had the same handle. */
static bool is_recorded(uint32_t tid)
{
    for (size_t row = 0; row < MAX_THREADS; row++)
        if (threads[row].tid == tid)
            return true;
    return false;
}

/* 0: it has ended, or has its slot. */
static uint32_t tid_of(uint64_t handle)
{
    uint32_t tid = own_tid_of(handle);
    bool lives = tid != 0 && sys_call(SYS_tgkill, recorder.header->pid, tid, 0) != -ESRCH;
    return lives && !is_recorded(tid) ? tid : 0;
}

static void read_name(uint32_t tid, char name[16])
{
    char path[64];
    struct text text = proc_path(path, sizeof(path), OWN_PROCESS);
    text_string(&text, "/task/");
    text_number(&text, tid);
    text_string(&text, "/comm");
    size_t bytes = proc_read_file(path, name, 16);
    if (bytes > 0 && name[bytes - 1] == '\n')
        name[bytes - 1] = '\0';
}

static void record(struct early *thread)
{
    char name[16] = "";
    struct rec_task *asked = NULL;
    uint64_t handle = __atomic_load_n(&thread->handle, __ATOMIC_ACQUIRE);
    uint32_t tid = handle != 0 ? tid_of(handle) : 0;
    if (tid == 0)
        return;
    read_name(tid, name);
    struct rec_task *task = recorder_spawn(REC_KIND_THREAD, REC_TASK_ADOPTED, 0, handle, name);
    if (task == NULL) {
        recorder_take_back_loss();
        return;
    }
    __atomic_store_n(&task->os_tid, tid, __ATOMIC_RELEASE);
    thread->id = task->id;
    thread->tid = tid;
    if (__atomic_compare_exchange_n(&thread->task, &asked, task, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        recorder_find_lost_thread();
    else
        recorder_take_back(task);
}

void early_record(void)
{
    uint32_t rows = __atomic_load_n(&count, __ATOMIC_RELAXED);
    for (uint32_t row = 0; row < rows && row < MAX_THREADS; row++)
        record(&threads[row]);
}

struct rec_task *early_own_task(uint32_t tid)
{
    uint64_t self = (uint64_t)pthread_self();
    uint32_t rows = __atomic_load_n(&count, __ATOMIC_RELAXED);
    for (uint32_t row = 0; row < rows && row < MAX_THREADS; row++) {
        struct early *thread = &threads[row];
        struct rec_task *task = NULL;
        if (__atomic_load_n(&thread->handle, __ATOMIC_ACQUIRE) != self)
            continue;
        __atomic_compare_exchange_n(&thread->task, &task, &by_itself, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE);
        /* One that ended may have had the same handle, and its slot may be another task's. */
        if (task != NULL && task != &by_itself && thread->tid == tid &&
            __atomic_load_n(&task->id, __ATOMIC_ACQUIRE) == thread->id)
            return task;
    }
    return NULL;
}

void early_forget(void)
{
    count = 0;
    memset(threads, 0, sizeof(threads));
}
