/* libgo's goroutines and their slots. */
#include "preload/libgo.h"

#include <dlfcn.h>

#include "preload/arch.h"
#include "preload/hooks.h"
#include "preload/memory.h"

#define MAX_PROBES 256

struct libgo libgo;

/* Thread-local variables of what was loaded at start lie at the same distance from every thread's
 * pointer; of what came later, they need not. */
static int64_t thread_offset(const char *symbol)
{
    const char *at = dlsym(RTLD_DEFAULT, symbol);
    return at != NULL ? at - arch_thread_pointer() : 0;
}

static bool make_table(void)
{
    uint64_t rows = 1 << 20; /* also where few shall be recorded, many may come and go */
    while (rows < 2 * (uint64_t)recorder_options.max_tasks)
        rows *= 2;
    libgo.table = memory_reserve(rows * sizeof(*libgo.table));
    libgo.mask = rows - 1;
    return libgo.table != NULL;
}

bool libgo_attach(void)
{
    void *(*get_g)(void) = (void *(*)(void))hooks_find("runtime.getg", NULL);
    if (get_g == NULL || hooks_find("runtime.gopark", NULL) == NULL)
        return false;
    void *known = dlopen("libgo.so.21", RTLD_LAZY | RTLD_NOLOAD);
    if (known != NULL) {
        libgo.layout_known = dlsym(known, "runtime.getg") == (void *)get_g;
        dlclose(known);
    }
    libgo_timers_init();
    libgo.get_g = get_g;
    if (dlsym(RTLD_DEFAULT, "runtime.getg") != NULL) {
        libgo.g_offset = thread_offset("runtime.g");
        libgo.segment_offset = thread_offset("__morestack_current_segment");
    }
    return make_table();
}

struct goroutine *libgo_row(uint64_t g)
{
    if (g == 0)
        return NULL;
    for (uint64_t probe = 0; probe < MAX_PROBES; probe++) {
        struct goroutine *row = &libgo.table[((g >> 11) + probe) & libgo.mask];
        uint64_t key = __atomic_load_n(&row->g, __ATOMIC_RELAXED);
        if (key == 0 && __atomic_compare_exchange_n(&row->g, &key, g, false, __ATOMIC_RELAXED,
                                                    __ATOMIC_RELAXED))
            return row;
        if (key == g)
            return row;
    }
    return NULL;
}

struct rec_task *libgo_adopt(struct goroutine *self)
{
    if (self->lost)
        return NULL;
    self->task = recorder_spawn(REC_KIND_GOROUTINE, REC_TASK_ADOPTED, 0, self->g, NULL);
    self->lost = self->task == NULL;
    return self->task;
}
