#include "preload/frames.h"

#include "preload/goscan/hash.h"
#include "preload/memory.h"
#include "preload/recorder.h"

/* Addresses that have a row in the frame table; open addressing. */
#define SEEN_ROWS (1U << 19)
static uint64_t *seen;
static uint32_t next_site;

/* Updates for which those behind wait for a site that is just being stored. One that a handler left
 * by a jump in the middle of that is never whole. */
#define PATIENCE 50
static uint32_t waited;

/* As many as are named at once: a file is read once for all of them. */
#define BATCH 256
static struct frames_new batch[BATCH];
static uint32_t batch_count;

static bool first_time(uint64_t pc, uint32_t epoch)
{
    uint64_t key = (pc ^ (uint64_t)epoch << 48) | UINT64_C(1) << 63;
    uint64_t hash = hash_word(key) >> 20;
    for (uint32_t i = 0; i < SEEN_ROWS; i++) {
        uint64_t *row = &seen[(hash + i) & (SEEN_ROWS - 1)];
        if (*row == key)
            return false;
        if (*row == 0) {
            *row = key;
            return true;
        }
    }
    return false;
}

/* Writes the rows of the batch, all of one module, with what is known of them. */
static void flush(const struct frames_source *source)
{
    if (batch_count == 0)
        return;
    source->name(batch, batch_count);
    for (uint32_t i = 0; i < batch_count; i++) {
        struct rec_frame *frame = &recorder.frames[batch[i].row];
        frame->module = batch[i].module;
        frame->function = batch[i].name;
        frame->function_start = batch[i].name != 0 ? batch[i].start : 0;
        __atomic_store_n(&frame->pc, batch[i].pc, __ATOMIC_RELEASE);
    }
    batch_count = 0;
}

static void add(uint64_t pc, uint32_t module)
{
    uint32_t row = recorder_take(REC_TABLE_FRAMES, 1);
    if (row != 0)
        batch[batch_count++] = (struct frames_new){.row = row, .module = module, .pc = pc};
}

static bool is_whole(uint32_t site)
{
    return __atomic_load_n(&recorder.sites[site].hash, __ATOMIC_ACQUIRE) != 0;
}

enum progress { ALL_NAMED, ONE_NAMED, BROKEN_OFF };

/* One module's addresses of the sites from `first` on that are not known yet. Sorted by module, a
 * file is read once a batch: modules are few, so look through the sites once for each that occurs.
 */
static enum progress name_module(const struct frames_source *source, uint32_t first,
                                 bool (*go_on)(void))
{
    uint64_t start = 0, end = 0;
    uint32_t module = 0;
    bool any = false;
    for (uint32_t row = first; row < next_site; row++) {
        const struct rec_site *site = &recorder.sites[row];
        uint32_t pc_count = is_whole(row) ? site->pc_count : 0;
        for (uint32_t i = 0; i < pc_count; i++) {
            uint64_t pc = recorder.pcs[site->first_pc + i];
            if (any && (pc - 1 < start || pc - 1 >= end))
                continue;
            if (batch_count == BATCH) {
                flush(source);
                if (!go_on())
                    return BROKEN_OFF;
            }
            if (!first_time(pc, site->epoch))
                continue;
            if (!any) {
                start = pc - 1;
                end = pc;
                module = source->module(pc - 1, &start, &end);
                any = true;
            }
            add(pc, module);
        }
    }
    flush(source);
    if (!any)
        return ALL_NAMED;
    return go_on() ? ONE_NAMED : BROKEN_OFF;
}

static bool always(void)
{
    return true;
}

void frames_update(const struct frames_source *source, bool (*go_on)(void))
{
    uint32_t count = recorder_rows(REC_TABLE_SITES);
    uint32_t first = next_site;
    if (seen == NULL || first >= count)
        return;
    for (; next_site < count && (is_whole(next_site) || waited == PATIENCE); next_site++)
        waited = 0;
    waited += next_site < count;
    if (go_on == NULL)
        go_on = always;
    enum progress progress = go_on() ? ONE_NAMED : BROKEN_OFF;
    while (progress == ONE_NAMED)
        progress = name_module(source, first, go_on);
    if (progress == BROKEN_OFF)
        next_site = first; /* what was named of them is not looked at again */
}

void frames_reset(void)
{
    if (seen == NULL)
        seen = memory_reserve_unforked(SEEN_ROWS * sizeof(*seen));
    else
        memory_clear(seen, SEEN_ROWS * sizeof(*seen));
    next_site = 1;
    waited = 0;
    batch_count = 0;
}
