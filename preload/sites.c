#include "preload/sites.h"

#include <string.h>

#include "preload/memory.h"
#include "preload/recorder.h"

/* Open addressing: hash -> site. An entry is set once, from 0. It is private memory: what is in the
 * recording is only the sites. */
#define INDEX_BITS 20
#define INDEX_ROWS (1U << INDEX_BITS)
static uint32_t *site_index;

static uint64_t hash_stack(const uint64_t *pcs, size_t count, uint64_t seed)
{
    uint64_t hash = seed * 0x9e3779b97f4a7c15ULL + count;
    for (size_t i = 0; i < count; i++) {
        hash = (hash ^ pcs[i]) * 0xff51afd7ed558ccdULL;
        hash ^= hash >> 32;
    }
    return hash | 1; /* never 0: the key of a row that is not there */
}

static bool site_is(uint32_t row, uint64_t hash, const uint64_t *pcs, size_t count)
{
    const struct rec_site *site = &recorder.sites[row];
    return __atomic_load_n(&site->hash, __ATOMIC_ACQUIRE) == hash && site->pc_count == count &&
           memcmp(&recorder.pcs[site->first_pc], pcs, count * sizeof(*pcs)) == 0;
}

static uint32_t site_add(uint64_t hash, const uint64_t *pcs, size_t count, uint16_t flags,
                         uint32_t epoch)
{
    uint32_t first = recorder_take(REC_TABLE_PCS, (uint32_t)count);
    uint32_t row = first != 0 ? recorder_take(REC_TABLE_SITES, 1) : 0;
    if (row == 0) {
        recorder_count(&recorder.header->lost_sites);
        return 0;
    }
    memcpy(&recorder.pcs[first], pcs, count * sizeof(*pcs));
    struct rec_site *site = &recorder.sites[row];
    site->first_pc = first;
    site->pc_count = (uint16_t)count;
    site->flags = flags;
    site->epoch = epoch;
    __atomic_store_n(&site->hash, hash, __ATOMIC_RELEASE);
    return row;
}

uint32_t site_store(const uint64_t *pcs, size_t count, uint16_t flags)
{
    if (count == 0 || site_index == NULL || recorder.header == NULL)
        return 0;
    uint32_t epoch = __atomic_load_n(&recorder.header->epoch, __ATOMIC_ACQUIRE);
    uint64_t hash = hash_stack(pcs, count, ((uint64_t)epoch << 16) + flags);
    uint32_t own = 0;
    for (uint32_t i = 0; i < INDEX_ROWS; i++) {
        uint32_t *entry = &site_index[((hash >> 12) + i) & (INDEX_ROWS - 1)];
        uint32_t row = __atomic_load_n(entry, __ATOMIC_ACQUIRE);
        if (row == 0) {
            if (own == 0)
                own = site_add(hash, pcs, count, flags, epoch);
            if (own == 0)
                return 0;
            if (__atomic_compare_exchange_n(entry, &row, own, false, __ATOMIC_ACQ_REL,
                                            __ATOMIC_ACQUIRE))
                return own;
        }
        /* Where another thread was first with the same stack, our own row stays behind, unused. */
        if (site_is(row, hash, pcs, count))
            return row;
    }
    return own;
}

void site_reset(void)
{
    if (site_index == NULL)
        site_index = memory_reserve_unforked(INDEX_ROWS * sizeof(*site_index));
    else
        memory_clear(site_index, INDEX_ROWS * sizeof(*site_index));
}
