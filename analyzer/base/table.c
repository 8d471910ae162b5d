#include "analyzer/base/table.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/base/large.h"

bool table_init(struct table *table, size_t expected)
{
    table->room = 64;
    while (table->room < expected * 2)
        table->room *= 2;
    table->count = 0;
    table->slots = large_calloc(table->room, sizeof(*table->slots));
    return table->slots != NULL;
}

void table_deinit(struct table *table)
{
    free(table->slots);
    memset(table, 0, sizeof(*table));
}

/* Mixes so that every bit of the key moves every bit of the result: addresses differ in few bits.
 */
static uint64_t hash(struct table_key key)
{
    uint64_t x = key.a * UINT64_C(0x9e3779b97f4a7c15) ^ key.b;
    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return x ^ x >> 32;
}

static struct table_slot *slot_of(const struct table *table, struct table_key key)
{
    size_t i = hash(key) & (table->room - 1);
    for (;; i = (i + 1) & (table->room - 1)) {
        struct table_slot *slot = &table->slots[i];
        if (!slot->used || (slot->key.a == key.a && slot->key.b == key.b))
            return slot;
    }
}

static bool grow(struct table *table)
{
    struct table larger = {.room = table->room * 2, .count = table->count};
    larger.slots = large_calloc(larger.room, sizeof(*larger.slots));
    if (!larger.slots)
        return false;
    for (size_t i = 0; i < table->room; i++) {
        if (table->slots[i].used)
            *slot_of(&larger, table->slots[i].key) = table->slots[i];
    }
    free(table->slots);
    *table = larger;
    return true;
}

uint32_t *table_at(struct table *table, struct table_key key)
{
    if (table->count * 3 >= table->room * 2 && !grow(table))
        return NULL;
    struct table_slot *slot = slot_of(table, key);
    if (!slot->used) {
        slot->used = 1;
        slot->key = key;
        table->count++;
    }
    return &slot->value;
}

void table_prefetch(const struct table *table, struct table_key key)
{
    __builtin_prefetch(&table->slots[hash(key) & (table->room - 1)], 1);
}

uint32_t *table_find(const struct table *table, struct table_key key)
{
    struct table_slot *slot = slot_of(table, key);
    return slot->used ? &slot->value : NULL;
}
