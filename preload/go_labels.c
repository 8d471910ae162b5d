#include "preload/go_labels.h"

#include <string.h>

#include "preload/recorder.h"

/* What is cut or left out is counted as lost, once a set. */
#define TEXT_BYTES 256 /* of a key or a value, the NUL included; longer ones are cut */
#define SET_BYTES 4096 /* of all labels of a goroutine; those that do not fit are left out */
/* Rows of the table of different sets of labels, half of which are stored at most: goroutines with
 * yet another set have no labels, which is counted once a set as far as a quarter of the rows goes.
 */
#define SETS (1U << 12)
#define SETS_STORED (SETS / 2)
#define SETS_COUNTED (SETS_STORED + SETS / 4)
#define MAX_READ_SETS 1000 /* sets that are read in one scan; the others wait for the next */
#define RECENT (1U << 10)

static struct set {
    uint64_t hash;          /* 0: free */
    uint32_t offset, bytes; /* offset 0: there was no place for its text, or no key to tell */
    bool cut;               /* it is not all that there was, and that was not counted yet */
} sets[SETS];
static uint32_t set_count;

/* What stands at an address does not change while one scan lasts and somebody has it. */
static struct {
    uint64_t address;
    struct set *set; /* NULL: none, or there is no place for one more */
} recent[RECENT];
static uint32_t read_count;
static bool unread;       /* some row has labels that were not read yet */
static uint32_t next_row; /* the first one that the last scan left to the next */

static char text[SET_BYTES];

void go_labels_reset(void)
{
    memset(sets, 0, sizeof(sets));
    set_count = 0;
    unread = false;
    next_row = 0;
}

void go_labels_begin(void)
{
    memset(recent, 0, sizeof(recent));
    read_count = 0;
}

static void count_lost(void)
{
    __atomic_fetch_add(&recorder.header->tables[REC_TABLE_STRINGS - 1].lost, 1, __ATOMIC_RELAXED);
}

/* Puts the text into a row that is free: stored, or counted as lost. NULL: it stays free. */
static struct set *store_new(struct set *row, uint64_t hash, uint32_t bytes, bool cut)
{
    struct set new = {.hash = hash, .bytes = bytes, .cut = cut};
    if (set_count >= SETS_COUNTED)
        return NULL;
    if (set_count >= SETS_STORED) {
        count_lost();
        new.cut = false;
    } else if (bytes > 1) {
        new.offset = recorder_add_string(text, bytes);
        if (new.offset == 0)
            return NULL;
    }
    *row = new;
    set_count++;
    return row;
}

/* The row of the text, which is stored once. NULL: no room. */
static struct set *store(uint32_t bytes, bool cut)
{
    uint64_t hash = 0xcbf29ce484222325ULL;
    for (uint32_t i = 0; i < bytes; i++)
        hash = (hash ^ (uint8_t)text[i]) * 0x100000001b3ULL;
    hash |= 1;
    for (uint32_t i = 0; i < SETS; i++) {
        struct set *row = &sets[((uint32_t)(hash >> 32) + i) & (SETS - 1)];
        if (row->hash == 0)
            return store_new(row, hash, bytes, cut);
        if (row->hash == hash && row->bytes == bytes &&
            (row->offset == 0 || memcmp(recorder.strings + row->offset, text, bytes) == 0))
            return row;
    }
    return NULL;
}

/* Adds a text and its NUL to the set. False: it does not fit, or cannot be read; or it is an empty
 * key, which would end the set. */
static bool add(struct goscan *scan, const struct go_text *part, size_t *used, bool may_be_empty)
{
    size_t bytes = part->bytes < TEXT_BYTES ? (size_t)part->bytes : TEXT_BYTES - 1;
    if ((bytes == 0 && !may_be_empty) || bytes + 2 > sizeof(text) - *used ||
        (bytes > 0 && !mem_read(scan->reader, part->address, text + *used, bytes)))
        return false;
    /* A NUL inside would end it. */
    bytes = strnlen(text + *used, bytes);
    if (bytes == 0 && !may_be_empty)
        return false;
    *used += bytes;
    text[(*used)++] = '\0';
    return true;
}

static struct set *read_set(struct goscan *scan, uint64_t address)
{
    static struct go_text pairs[2 * GO_MAX_LABELS];
    size_t count = goscan_labels(scan, address, pairs), used = 0;
    bool cut = count > GO_MAX_LABELS;
    for (size_t i = 0; i < count && i < GO_MAX_LABELS; i++) {
        const struct go_text *key = &pairs[2 * i], *value = key + 1;
        size_t before = used;
        cut |= key->bytes >= TEXT_BYTES || value->bytes >= TEXT_BYTES;
        if (!add(scan, key, &used, false) || !add(scan, value, &used, true)) {
            used = before;
            cut = true;
        }
    }
    if (used == 0 && !cut)
        return NULL;
    if (used == 0)
        text[used++] = '\0';           /* no key can be told: a row for it, to be counted once */
    return store((uint32_t)used, cut); /* what follows is a NUL: the empty key */
}

void go_labels_drop_old(const struct go_row *row, struct rec_task *task, uint64_t address)
{
    if (row->labels != address && task->labels != 0)
        __atomic_store_n(&task->labels, 0, __ATOMIC_RELAXED);
}

void go_labels_note(struct go_row *row, uint64_t address, bool ran)
{
    if (row->labels == address && !ran)
        return; /* one that stays parked keeps what it has */
    row->labels = address;
    row->labels_unread = address != 0;
    unread |= row->labels_unread;
}

/* Has it had these labels all the time since the scan saw them? Else their memory may have been
 * given to something else before it was read. */
static bool has_still(const struct goscan *scan, const struct go_row *row)
{
    uint64_t labels;
    return mem_read(scan->reader, row->g + scan->layout.g_labels, &labels, sizeof(labels)) &&
           labels == row->labels;
}

/* False: it is left to the next scan. */
static bool read_row(struct go_row *row, struct goscan *scan)
{
    if (!row->labels_unread || row->task == 0 || row->id == 0)
        return true;
    uint32_t at = (uint32_t)(row->labels >> 4) & (RECENT - 1);
    if (recent[at].address != row->labels) {
        if (read_count == MAX_READ_SETS) {
            unread = true;
            return false;
        }
        read_count++;
        recent[at].set = read_set(scan, row->labels);
        recent[at].address = row->labels;
    }
    uint32_t offset = 0;
    struct set *set = recent[at].set;
    row->labels_unread = !has_still(scan, row);
    if (row->labels_unread) {
        unread = true; /* the next scan says what it has then */
    } else if (set != NULL) {
        offset = set->offset;
        if (set->cut)
            count_lost();
        set->cut = false;
    }
    __atomic_store_n(&recorder.tasks[row->task].labels, offset, __ATOMIC_RELAXED);
    return true;
}

void go_labels_read(struct goscan *scan)
{
    uint32_t count = go_table_count(), first = next_row;
    bool all = true;
    if (!unread)
        return;
    unread = false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = (first + i) % count;
        bool read = read_row(go_table_at(number), scan);
        if (all && !read)
            next_row = number;
        all &= read;
    }
}
