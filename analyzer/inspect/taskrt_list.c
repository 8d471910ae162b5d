#include "analyzer/inspect/taskrt_list.h"

#include <string.h>

#include "analyzer/image/symbols.h"

#define MAX_TASKS (UINT64_C(1) << 26)
#define MAX_EXPECTED (UINT64_C(1) << 22)
#define MAX_TASK_BYTES 8192U
#define MAX_CONTEXT_BYTES 4096U
#define MAX_CHAN_OFFSET 4096U

/* ---- The table ---- */

static bool fits(uint32_t offset, uint32_t bytes, uint32_t of)
{
    return offset <= of && bytes <= of - offset && offset % (bytes < 8 ? 4 : 8) == 0;
}

static bool is_sound(const struct taskrt_inspect *table)
{
    const uint32_t words[] = {table->next_all,    table->object,     table->wait_count,
                              table->deadline_ns, table->parked_ns,  table->id,
                              table->start,       table->spawner_id, table->stack_low,
                              table->stack_high,  table->context_sp};
    const uint32_t halves[] = {table->state, table->reason, table->object_count};
    uint32_t bytes = table->task_bytes;
    bool ok = bytes >= sizeof(uint64_t) && bytes <= MAX_TASK_BYTES;
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        ok = ok && fits(words[i], 8, bytes);
    for (size_t i = 0; i < sizeof(halves) / sizeof(*halves); i++)
        ok = ok && fits(halves[i], 4, bytes);
    return ok && fits(table->name, 32, bytes) && table->context_bytes <= MAX_CONTEXT_BYTES &&
           fits(table->context_fp, 8, table->context_bytes) &&
           fits(table->context_pc, 8, table->context_bytes) &&
           fits(table->chan_capacity, 8, MAX_CHAN_OFFSET) &&
           fits(table->chan_length, 8, MAX_CHAN_OFFSET) &&
           fits(table->chan_closed, 4, MAX_CHAN_OFFSET) &&
           fits(table->mutex_owner, 8, MAX_CHAN_OFFSET) && table->case_bytes >= 16 &&
           table->case_bytes <= TASKRT_MAX_CASE_BYTES;
}

enum taskrt_found taskrt_read_table(struct image *image, uint64_t address,
                                    struct taskrt_inspect *ret, uint32_t *ret_version)
{
    struct taskrt_inspect table;
    if (!mem_read(image->memory, address, &table, sizeof(table)) ||
        table.magic != TASKRT_INSPECT_MAGIC)
        return TASKRT_NONE;
    *ret_version = table.version;
    if (table.version != TASKRT_INSPECT_VERSION || table.bytes < sizeof(table) || !is_sound(&table))
        return TASKRT_UNKNOWN;
    if (table.head == 0) /* a library whose data the program keeps, or that was never run */
        return TASKRT_NONE;
    *ret = table;
    return TASKRT_FOUND;
}

/* Where the object called `name` is: the program's own, if it has one (a library's is then unused),
 * and also that of a runtime which is linked into a program that exports nothing. Calls
 * visit(address, arg) until that returns true. */
static bool each_object(struct image *image, const char *name,
                        bool (*visit)(uint64_t address, void *arg), void *arg)
{
    struct image_symbol symbol = {.name = name};
    uint32_t exe = image_exe_module(image);
    if (exe && image_exported(image, exe, &symbol, 1) && visit(symbol.address, arg))
        return true;
    for (uint32_t i = 1; i < image->module_count; i++) {
        if (i != exe && image_exported(image, i, &symbol, 1) && visit(symbol.address, arg))
            return true;
    }
    return exe && image_all_symbols(image, exe, &symbol, 1) && visit(symbol.address, arg);
}

struct search {
    struct image *image;
    struct taskrt_inspect *table;
    uint32_t *version;
    enum taskrt_found result;
};

static bool visit_table(uint64_t address, void *arg)
{
    struct search *search = arg;
    enum taskrt_found found =
        taskrt_read_table(search->image, address, search->table, search->version);
    if (found != TASKRT_NONE)
        search->result = found;
    return found == TASKRT_FOUND;
}

enum taskrt_found taskrt_find(struct image *image, struct taskrt_inspect *ret,
                              uint32_t *ret_version)
{
    struct search search = {image, ret, ret_version, TASKRT_NONE};
    each_object(image, "taskrt_inspect", visit_table, &search);
    return search.result;
}

struct worker_search {
    struct image *image;
    struct taskrt_inspect_workers *workers;
};

static bool visit_workers(uint64_t address, void *arg)
{
    const struct worker_search *search = arg;
    struct taskrt_inspect_workers workers;
    if (!mem_read(search->image->memory, address, &workers, sizeof(workers)) ||
        workers.magic != TASKRT_INSPECT_MAGIC || workers.version != TASKRT_INSPECT_VERSION ||
        workers.bytes < sizeof(workers) || workers.first == 0 ||
        !fits(workers.tid, 4, workers.stride) || !fits(workers.current, 8, workers.stride))
        return false;
    *search->workers = workers;
    return true;
}

bool taskrt_find_workers(struct image *image, struct taskrt_inspect_workers *ret)
{
    struct worker_search search = {image, ret};
    return each_object(image, "taskrt_inspect_workers", visit_workers, &search);
}

/* ---- The list ---- */

bool taskrt_list_init(struct taskrt_list *ret, struct mem_reader *memory,
                      const struct taskrt_inspect *table)
{
    memset(ret, 0, sizeof(*ret));
    ret->memory = memory;
    ret->table = table;
    ret->next = table->head;
    return table_init(&ret->rows, table->live < MAX_EXPECTED ? (size_t)table->live : 64);
}

void taskrt_list_deinit(struct taskrt_list *list)
{
    table_deinit(&list->rows);
}

/* The task's bytes among the pages at hand; NULL: they are not all there. */
static const unsigned char *at_hand(const struct taskrt_list *list, uint64_t address)
{
    uint64_t offset = address - list->first;
    uint64_t bytes = list->table->task_bytes;
    if (address < list->first || offset + bytes > sizeof(list->bytes))
        return NULL;
    for (uint64_t page = offset / TASKRT_LIST_PAGE_BYTES;
         page <= (offset + bytes - 1) / TASKRT_LIST_PAGE_BYTES; page++) {
        if (!list->there[page])
            return NULL;
    }
    return list->bytes + offset;
}

/* Reads the pages around a task: newer tasks lie above, older ones below it or the other way. */
static void fetch(struct taskrt_list *list, uint64_t address)
{
    struct mem_piece pieces[TASKRT_LIST_PAGES];
    uint64_t half = sizeof(list->bytes) / 2;
    uint64_t first = address > half ? address - half : 0;
    list->first = first / TASKRT_LIST_PAGE_BYTES * TASKRT_LIST_PAGE_BYTES;
    for (size_t i = 0; i < TASKRT_LIST_PAGES; i++)
        pieces[i] = (struct mem_piece){.address = list->first + i * TASKRT_LIST_PAGE_BYTES,
                                       .to = list->bytes + i * TASKRT_LIST_PAGE_BYTES,
                                       .bytes = TASKRT_LIST_PAGE_BYTES};
    list->memory->read(list->memory, pieces, TASKRT_LIST_PAGES);
    for (size_t i = 0; i < TASKRT_LIST_PAGES; i++)
        list->there[i] = pieces[i].ok;
}

size_t taskrt_list_next(struct taskrt_list *list, struct taskrt_entry *entries, size_t count,
                        bool *ret_failed)
{
    const struct taskrt_inspect *table = list->table;
    size_t filled = 0;
    *ret_failed = false;
    while (filled < count && list->next != 0) {
        uint64_t address = list->next;
        const unsigned char *task = NULL;
        if (address % sizeof(uint64_t) == 0 && address < UINT64_MAX - sizeof(list->bytes) &&
            list->seen < MAX_TASKS) {
            task = at_hand(list, address);
            if (!task) {
                fetch(list, address);
                task = at_hand(list, address);
            }
        }
        uint32_t *number = task ? table_at(&list->rows, (struct table_key){address, 0}) : NULL;
        *ret_failed = task && !number;
        if (!number || *number) { /* it leads nowhere, or back */
            list->broken = true;
            list->next = 0;
            break;
        }
        *number = (uint32_t)++list->seen;
        struct taskrt_entry *entry = &entries[filled++];
        entry->address = address;
        memcpy(&entry->wait_count, task + table->wait_count, sizeof(entry->wait_count));
        memcpy(&entry->state, task + table->state, sizeof(entry->state));
        memcpy(&list->next, task + table->next_all, sizeof(list->next));
    }
    return filled;
}
