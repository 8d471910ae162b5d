#include "analyzer/snapshot/builder.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/base/large.h"
#include "analyzer/base/table.h"

#define TEXT_CHUNK_BYTES 65536
#define CALL_LAST ((UINT32_C(1) << 24) - 1) /* that a task can refer to */

/* A table of the snapshot that grows; row 0 is never used. */
struct rows {
    void **rows;
    size_t *count;
    size_t row_bytes, room;
};

struct snapshot_builder {
    struct snapshot *snapshot;
    bool failed;
    struct snapshot_extra nowhere; /* what is filled where there is no memory */
    struct rows modules, calls, sites, pcs, cases, object_texts, label_sets, labels;
    /* Rows that begin a chain of those with the same hash, and each row's next in its chain. */
    struct table call_heads, site_heads, label_heads, text_heads;
    uint32_t *call_next, *site_next, *label_next;
    size_t call_next_room, site_next_room, label_next_room, text_next_room;
    const char **texts; /* by number, from 1 */
    uint32_t *text_next;
    size_t text_count, text_room;
};

static uint64_t hash_bytes(const void *bytes, size_t count, uint64_t hash)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

#define HASH_START UINT64_C(0xcbf29ce484222325)

static bool grow(struct snapshot_builder *builder, void **rows, size_t *room, size_t wanted,
                 size_t row_bytes)
{
    if (wanted <= *room)
        return true;
    bool ok = wanted <= UINT32_MAX && large_grow(rows, room, *room, wanted, row_bytes);
    builder->failed = builder->failed || !ok;
    return ok;
}

/* `count` new rows, all zeroes; the first one's number. 0: no memory. */
static uint32_t take(struct snapshot_builder *builder, struct rows *rows, size_t count)
{
    size_t first = *rows->count ? *rows->count : 1;
    if (!grow(builder, rows->rows, &rows->room, first + count, rows->row_bytes))
        return 0;
    *rows->count = first + count;
    return (uint32_t)first;
}

/* Puts `row` in front of the chain that begins at `head`. */
static void chain(struct snapshot_builder *builder, uint32_t *head, uint32_t **next, size_t *room,
                  uint32_t row)
{
    if (!grow(builder, (void **)next, room, (size_t)row + 1, sizeof(**next)))
        return;
    (*next)[row] = *head;
    *head = row;
}

static uint32_t *head_of(struct snapshot_builder *builder, struct table *heads, uint64_t hash)
{
    static uint32_t nowhere;
    uint32_t *head = table_at(heads, (struct table_key){hash, 0});
    if (head)
        return head;
    builder->failed = true;
    nowhere = 0;
    return &nowhere;
}

struct snapshot_builder *builder_create(struct snapshot *snapshot)
{
    struct snapshot_builder *builder = calloc(1, sizeof(*builder));
    if (!builder)
        return NULL;
    builder->snapshot = snapshot;
#define ROWS(rows, count) {(void **)&snapshot->rows, &snapshot->count, sizeof(*snapshot->rows), 0}
    builder->modules = (struct rows)ROWS(modules, module_count);
    builder->calls = (struct rows)ROWS(calls, call_count);
    builder->sites = (struct rows)ROWS(sites, site_count);
    builder->pcs = (struct rows)ROWS(pcs, pc_count);
    builder->cases = (struct rows)ROWS(cases, case_count);
    builder->object_texts = (struct rows)ROWS(object_texts, object_text_count);
    builder->label_sets = (struct rows)ROWS(label_sets, label_set_count);
    builder->labels = (struct rows)ROWS(labels, label_count);
#undef ROWS
    if (!table_init(&builder->call_heads, 16) || !table_init(&builder->site_heads, 64) ||
        !table_init(&builder->label_heads, 16) || !table_init(&builder->text_heads, 64)) {
        builder_destroy(builder);
        return NULL;
    }
    return builder;
}

void builder_destroy(struct snapshot_builder *builder)
{
    if (!builder)
        return;
    table_deinit(&builder->call_heads);
    table_deinit(&builder->site_heads);
    table_deinit(&builder->label_heads);
    table_deinit(&builder->text_heads);
    free(builder->call_next);
    free(builder->site_next);
    free(builder->label_next);
    free(builder->text_next);
    free(builder->texts);
    free(builder);
}

struct snapshot *builder_snapshot(struct snapshot_builder *builder)
{
    return builder->snapshot;
}

bool builder_is_complete(const struct snapshot_builder *builder)
{
    return !builder->failed;
}

/* A copy of a text that lives as long as the snapshot. NULL: no memory. */
static const char *keep_text(struct snapshot_builder *builder, const char *text, size_t bytes)
{
    struct snapshot_text *chunk = builder->snapshot->texts;
    if (!chunk || chunk->room - chunk->bytes <= bytes) {
        size_t room = bytes + 1 > TEXT_CHUNK_BYTES ? bytes + 1 : TEXT_CHUNK_BYTES;
        chunk = malloc(sizeof(*chunk) + room);
        if (!chunk) {
            builder->failed = true;
            return NULL;
        }
        *chunk = (struct snapshot_text){.next = builder->snapshot->texts, .room = room};
        builder->snapshot->texts = chunk;
    }
    char *to = chunk->text + chunk->bytes;
    memcpy(to, text, bytes);
    to[bytes] = '\0';
    chunk->bytes += bytes + 1;
    return to;
}

const char *builder_text(struct snapshot_builder *builder, const char *text, size_t bytes)
{
    bytes = strnlen(text, bytes);
    if (bytes == 0)
        return "";
    uint32_t *head = head_of(builder, &builder->text_heads, hash_bytes(text, bytes, HASH_START));
    for (uint32_t i = *head; i; i = builder->text_next[i]) {
        const char *known = builder->texts[i];
        if (strncmp(known, text, bytes) == 0 && known[bytes] == '\0')
            return known;
    }
    const char *kept = keep_text(builder, text, bytes);
    if (!kept || !grow(builder, (void **)&builder->texts, &builder->text_room,
                       builder->text_count + 2, sizeof(kept)))
        return kept ? kept : "";
    builder->texts[++builder->text_count] = kept;
    chain(builder, head, &builder->text_next, &builder->text_next_room,
          (uint32_t)builder->text_count);
    return kept;
}

uint32_t builder_add_module(struct snapshot_builder *builder, const struct snapshot_module *module)
{
    uint32_t row = take(builder, &builder->modules, 1);
    if (!row)
        return 0;
    struct snapshot_module *to = &builder->snapshot->modules[row];
    *to = *module;
    to->path = builder_text(builder, module->path, SIZE_MAX);
    to->file = module->file ? builder_text(builder, module->file, SIZE_MAX) : NULL;
    return row;
}

uint32_t builder_add_call(struct snapshot_builder *builder, const char *name, enum rec_op op,
                          bool reason)
{
    const char *shown = reason || op == REC_OP_NONE ? name : snapshot_op_name(op);
    return builder_add_call_as(builder, name, op, shown);
}

uint32_t builder_add_call_as(struct snapshot_builder *builder, const char *name, enum rec_op op,
                             const char *shown)
{
    struct snapshot *snapshot = builder->snapshot;
    uint64_t hash = hash_bytes(name, strlen(name), HASH_START + op);
    uint32_t *head = head_of(builder, &builder->call_heads, hash_bytes(shown, strlen(shown), hash));
    for (uint32_t i = *head; i; i = builder->call_next[i]) {
        const struct snapshot_call *known = &snapshot->calls[i];
        if (known->number == op && strcmp(known->name, name) == 0 && strcmp(known->op, shown) == 0)
            return i;
    }
    uint32_t row = take(builder, &builder->calls, 1);
    if (!row || row > CALL_LAST) {
        builder->failed = true;
        return 0;
    }
    const char *kept = builder_text(builder, name, SIZE_MAX);
    const char *kept_shown = shown == name ? kept : builder_text(builder, shown, SIZE_MAX);
    snapshot->calls[row] = (struct snapshot_call){kept, kept_shown, (uint16_t)op};
    chain(builder, head, &builder->call_next, &builder->call_next_room, row);
    return row;
}

uint32_t builder_add_site(struct snapshot_builder *builder, const uint64_t *pcs, size_t count,
                          uint16_t flags)
{
    struct snapshot *snapshot = builder->snapshot;
    if (count == 0)
        return 0;
    uint64_t hash = HASH_START + flags;
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ hash >> 29 ^ pcs[i]) * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t *head = head_of(builder, &builder->site_heads, hash);
    for (uint32_t i = *head; i; i = builder->site_next[i]) {
        const struct snapshot_site *known = &snapshot->sites[i];
        if (known->pc_count == count && known->flags == flags &&
            memcmp(&snapshot->pcs[known->first_pc], pcs, count * sizeof(*pcs)) == 0)
            return i;
    }
    uint32_t first = take(builder, &builder->pcs, count);
    uint32_t row = first ? take(builder, &builder->sites, 1) : 0;
    if (!row)
        return 0;
    memcpy(&snapshot->pcs[first], pcs, count * sizeof(*pcs));
    snapshot->sites[row] = (struct snapshot_site){first, (uint32_t)count, 0, flags};
    chain(builder, head, &builder->site_next, &builder->site_next_room, row);
    return row;
}

uint32_t builder_add_cases(struct snapshot_builder *builder, const struct snapshot_case *cases,
                           size_t count)
{
    uint32_t first = count ? take(builder, &builder->cases, count) : 0;
    if (first)
        memcpy(&builder->snapshot->cases[first], cases, count * sizeof(*cases));
    return first;
}

uint32_t builder_add_labels(struct snapshot_builder *builder, const char *const *pairs,
                            size_t pair_count)
{
    struct snapshot *snapshot = builder->snapshot;
    if (pair_count == 0)
        return 0;
    /* The texts are stored once, so that equal ones have one address. */
    uint32_t *head = head_of(builder, &builder->label_heads,
                             hash_bytes(pairs, 2 * pair_count * sizeof(*pairs), HASH_START));
    for (uint32_t i = *head; i; i = builder->label_next[i]) {
        const struct snapshot_label_set *known = &snapshot->label_sets[i];
        if (known->count == pair_count &&
            memcmp(&snapshot->labels[known->first], pairs, 2 * pair_count * sizeof(*pairs)) == 0)
            return i;
    }
    uint32_t first = take(builder, &builder->labels, pair_count);
    uint32_t row = first ? take(builder, &builder->label_sets, 1) : 0;
    if (!row)
        return 0;
    for (size_t i = 0; i < pair_count; i++)
        snapshot->labels[first + i] = (struct snapshot_label){pairs[2 * i], pairs[2 * i + 1]};
    snapshot->label_sets[row] = (struct snapshot_label_set){first, (uint32_t)pair_count};
    chain(builder, head, &builder->label_next, &builder->label_next_room, row);
    return row;
}

uint32_t builder_add_object_text(struct snapshot_builder *builder, const char *text)
{
    uint32_t row = text[0] ? take(builder, &builder->object_texts, 1) : 0;
    if (row)
        builder->snapshot->object_texts[row] = builder_text(builder, text, SIZE_MAX);
    return row;
}

uint32_t builder_add_readers_text(struct snapshot_builder *builder, uint32_t readers)
{
    char text[64];
    if (readers == 1)
        snprintf(text, sizeof(text), "held for reading once");
    else
        snprintf(text, sizeof(text), "held for reading %" PRIu32 " times", readers);
    return builder_add_object_text(builder, text);
}

struct snapshot_task *builder_add_task(struct snapshot_builder *builder)
{
    struct snapshot_task *task = snapshot_add_task(builder->snapshot);
    builder->failed = builder->failed || !task;
    return task;
}

struct snapshot_extra *builder_extra(struct snapshot_builder *builder, struct snapshot_task *task)
{
    struct snapshot_extra *extra = snapshot_extra_for(builder->snapshot, task);
    if (extra)
        return extra;
    builder->failed = true;
    return &builder->nowhere;
}

static void add_note(struct snapshot_builder *builder, const char *format, va_list arguments)
{
    if (!snapshot_vnote(builder->snapshot, format, arguments))
        builder->failed = true;
}

void builder_note(struct snapshot_builder *builder, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_note(builder, format, arguments);
    va_end(arguments);
}

void builder_doubt(struct snapshot_builder *builder, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (!snapshot_vdoubt(builder->snapshot, format, arguments))
        builder->failed = true;
    va_end(arguments);
}
