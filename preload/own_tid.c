#include "preload/own_tid.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>

#include "preload/memory.h"
#include "preload/sys.h"

#define MAX_OFFSET 4096 /* a thread's descriptor is smaller */

/* One of the C library's fields, as it describes them to debuggers. */
struct described_field {
    uint32_t bits, count, offset;
};

static uint32_t offset; /* in the thread's descriptor; 0: not known */

static uint32_t tid_at(uint32_t place)
{
    return *(const uint32_t *)((uintptr_t)pthread_self() + place);
}

static uint32_t ask_kernel(void)
{
    return (uint32_t)sys_call(SYS_gettid, 0);
}

void own_tid_init(void)
{
    const struct described_field *field = dlsym(RTLD_DEFAULT, "_thread_db_pthread_tid");
    if (field == NULL || field->bits != 32 || field->count != 1 || field->offset == 0 ||
        field->offset % sizeof(uint32_t) != 0 || field->offset > MAX_OFFSET)
        return;
    if (tid_at(field->offset) == ask_kernel())
        offset = field->offset;
}

bool own_tid_is_known(void)
{
    return offset != 0;
}

uint32_t own_tid(void)
{
    uint32_t tid = offset != 0 ? tid_at(offset) : 0;
    return tid != 0 ? tid : ask_kernel();
}

uint32_t own_tid_of(uint64_t handle)
{
    uint32_t tid;
    return offset != 0 && memory_read(handle + offset, &tid, sizeof(tid)) ? tid : 0;
}
