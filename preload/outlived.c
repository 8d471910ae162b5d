#include "preload/outlived.h"

#include <errno.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "preload/recorder.h"
#include "preload/sampler_thread.h"
#include "preload/sys.h"

/* It has no memory any more. */
bool outlived_thread(uint32_t os_tid)
{
    char byte;
    struct iovec to = {.iov_base = &byte, .iov_len = 1};
    struct iovec from = {.iov_base = &recorder, .iov_len = 1};
    return sys_call(SYS_process_vm_readv, os_tid, &to, 1, &from, 1, 0) == -ESRCH;
}

static bool is_left(const struct rec_task *task)
{
    uint8_t state = __atomic_load_n(&task->state, __ATOMIC_ACQUIRE);
    uint32_t os_tid = __atomic_load_n(&task->os_tid, __ATOMIC_RELAXED);
    return task->kind == REC_KIND_THREAD && (state == REC_TASK_LIVE || state == REC_TASK_ENDING) &&
           (os_tid == 0 || !outlived_thread(os_tid)); /* 0: it is about to begin */
}

bool outlived_all(int *ret_status)
{
    const struct rec_header *header = recorder.header;
    if (!outlived_thread(header->pid))
        return false;
    uint32_t count = recorder_rows(REC_TABLE_TASKS);
    for (uint32_t row = 1; row < count; row++)
        if (is_left(&recorder.tasks[row]))
            return false;
    *ret_status = sampler_last_status();
    return true;
}
