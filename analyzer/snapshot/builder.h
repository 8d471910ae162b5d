/* Fills a snapshot row by row: what sources other than recordings build theirs with. Calls, sites,
 * strings, label sets are stored once. */
#ifndef LEAKSPY_ANALYZER_SNAPSHOT_BUILDER_H
#define LEAKSPY_ANALYZER_SNAPSHOT_BUILDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/snapshot/snapshot.h"

struct snapshot_builder;

/* `snapshot` is initialized and empty, and outlives the builder. NULL: no memory. */
struct snapshot_builder *builder_create(struct snapshot *snapshot);
void builder_destroy(struct snapshot_builder *builder);

struct snapshot *builder_snapshot(struct snapshot_builder *builder);

/* False once there was no memory for something: the snapshot is not to be used then. */
bool builder_is_complete(const struct snapshot_builder *builder);

/* Every function below returns the row (0: there was nothing to store, or no memory). Addresses of
 * rows are good until the next row of that table is added. */

/* The text is kept as long as the snapshot. Never NULL. */
const char *builder_text(struct snapshot_builder *builder, const char *text, size_t bytes);

/* `module`'s strings are copied. */
uint32_t builder_add_module(struct snapshot_builder *builder, const struct snapshot_module *module);

/* name: what was called, or the runtime's wait reason. reason: it is that, and shown as the op. */
uint32_t builder_add_call(struct snapshot_builder *builder, const char *name, enum rec_op op,
                          bool reason);

/* The same, shown as the op `shown`. */
uint32_t builder_add_call_as(struct snapshot_builder *builder, const char *name, enum rec_op op,
                             const char *shown);

/* A stack of `count` return addresses, innermost first; flags: enum rec_site_flag and
 * snapshot_site_flag. */
uint32_t builder_add_site(struct snapshot_builder *builder, const uint64_t *pcs, size_t count,
                          uint16_t flags);

/* `count` cases side by side; the first one's row. */
uint32_t builder_add_cases(struct snapshot_builder *builder, const struct snapshot_case *cases,
                           size_t count);

/* A set of labels: key, value, key, value …, as texts of builder_text. */
uint32_t builder_add_labels(struct snapshot_builder *builder, const char *const *pairs,
                            size_t pair_count);

/* What the object of a task is, for snapshot_extra.object_text. */
uint32_t builder_add_object_text(struct snapshot_builder *builder, const char *text);
/* The same of a rwlock: "held for reading 2 times". */
uint32_t builder_add_readers_text(struct snapshot_builder *builder, uint32_t readers);

/* A new task (see snapshot_add_task); NULL: no memory. */
struct snapshot_task *builder_add_task(struct snapshot_builder *builder);

/* What else a task has, to be filled (see snapshot_extra_for). Never NULL: without memory, a row
 * that nobody reads. */
struct snapshot_extra *builder_extra(struct snapshot_builder *builder, struct snapshot_task *task);

/* A sentence about the picture as a whole that every report shows. */
void builder_note(struct snapshot_builder *builder, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same, and that there may be tasks of which nothing is known because of that: "nothing found"
 * is then not said. */
void builder_doubt(struct snapshot_builder *builder, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
