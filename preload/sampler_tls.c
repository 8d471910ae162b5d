#include "preload/sampler_tls.h"

#include <link.h>
#include <string.h>

#include "preload/arch.h"
#include "preload/memory.h"
#include "preload/recorder.h"

#define LIBC_BYTES 4096               /* of libc's record of a thread, at the thread pointer */
#define MAX_BYTES (INT64_C(64) << 20) /* where there is more, there is no sampler */
#define ADDED (64 << 10)              /* that libraries opened since the start may have beside it */

static uint64_t below, above;        /* bytes of storage below and above the thread pointer */
static int64_t farthest = MAX_BYTES; /* what is farther away was allocated elsewhere */
static char *fresh;                  /* of all of them, what a new thread finds there */
static bool known;                   /* ours is among them */

/* Of a module that has such storage: what describes it, and where it begins, counted from the
 * thread pointer. NULL: it has none, or it was allocated elsewhere, when a thread first wanted it.
 */
static const ElfW(Phdr) * storage_of(const struct dl_phdr_info *info, size_t bytes, int64_t *from)
{
    if (bytes < offsetof(struct dl_phdr_info, dlpi_tls_data) + sizeof(info->dlpi_tls_data) ||
        info->dlpi_tls_data == NULL)
        return NULL;
    *from = (char *)info->dlpi_tls_data - arch_thread_pointer();
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_TLS)
            return *from >= -farthest && *from + (int64_t)header->p_memsz <= farthest ? header
                                                                                      : NULL;
    }
    return NULL;
}

static int measure(struct dl_phdr_info *info, size_t bytes, void *unused)
{
    int64_t from;
    const ElfW(Phdr) *header = storage_of(info, bytes, &from);
    (void)unused;
    if (header == NULL)
        return 0;
    int64_t to = from + (int64_t)header->p_memsz;
    if (from < 0 && (uint64_t)-from > below)
        below = (uint64_t)-from;
    if (to > 0 && (uint64_t)to > above)
        above = (uint64_t)to;
    return 0;
}

/* What a module's storage holds when a thread begins. */
static int copy(struct dl_phdr_info *info, size_t bytes, void *unused)
{
    int64_t from;
    const ElfW(Phdr) *header = storage_of(info, bytes, &from);
    (void)unused;
    if (header != NULL && from >= -(int64_t)below &&
        from + (int64_t)header->p_memsz <= (int64_t)above) /* it was there when it was measured */
        memcpy(fresh + (int64_t)below + from, (char *)info->dlpi_addr + header->p_vaddr,
               header->p_filesz);
    return 0;
}

void sampler_tls_look_at_start(void)
{
    dl_iterate_phdr(measure, NULL);
    farthest = (int64_t)(below > above ? below : above) + ADDED;
}

void sampler_tls_init(void)
{
    /* The storage itself lies on one side of the thread pointer, libc's record of the thread on the
     * other; of that, this much covers what may be read. */
#if defined(__x86_64__)
    above = LIBC_BYTES;
#else
    below = LIBC_BYTES;
#endif
    dl_iterate_phdr(measure, NULL);
    below = (below + 63) & ~UINT64_C(63);
    fresh = memory_reserve(below + above);
    if (fresh == NULL)
        return;
    dl_iterate_phdr(copy, NULL);
    int64_t own = (char *)&recorder_thread - arch_thread_pointer();
    known = own >= -(int64_t)below && own < (int64_t)above;
}

char *sampler_tls_make(char *at)
{
    char *from = arch_thread_pointer();
    char *to = at + below;
#if defined(__x86_64__)
    memcpy(at, fresh, below);
    memory_read_some((uint64_t)from, to, LIBC_BYTES); /* as much of it as there is */
    ((char **)to)[0] = to;                            /* tcbhead_t.tcb */
    ((char **)to)[2] = to;                            /* tcbhead_t.self */
#else
    memory_read_some((uint64_t)from - LIBC_BYTES, to - LIBC_BYTES, LIBC_BYTES);
    memcpy(to, fresh + below, above);
#endif
    struct recorder_thread *own = (void *)(to + ((char *)&recorder_thread - from));
    own->task = &own->sink;
    own->sampler = true;
    return to;
}

uint64_t sampler_tls_bytes(void)
{
    return below + above;
}

bool sampler_tls_is_known(void)
{
    return known;
}
