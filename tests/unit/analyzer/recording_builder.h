/* Builds recordings for tests: tasks and waits in a line each.
 *
 *     struct builder *b = recording_builder_create();
 *     uint32_t wait = builder_site(b, (uint64_t[]){0x1010, 0x1020}, 2);
 *     struct rec_task *task = builder_thread(b, "worker");
 *     builder_park(b, task, "pthread_mutex_lock", REC_OP_MUTEX_LOCK, 0x500, 12 * SECOND, wait);
 *     builder_write(b, path);
 *
 * What is not said has a plausible value: the process has vanished, the sampler walked last at
 * BUILDER_NOW_NS, and looks every 100 ms. Running out of room ends the test.
 */
#ifndef LEAKSPY_RECORDING_BUILDER_H
#define LEAKSPY_RECORDING_BUILDER_H

#include <stddef.h>
#include <stdint.h>

#include "preload/recording.h"

#define MILLISECOND INT64_C(1000000)
#define SECOND INT64_C(1000000000)
#define BUILDER_STARTED_NS UINT64_C(1000000000000)
#define BUILDER_NOW_NS UINT64_C(1100000000000) /* 100 s after the start */
#define BUILDER_STARTED_UNIX_NS UINT64_C(1795000000000000000)

struct builder;

struct builder *recording_builder_create(void);
struct builder *builder_create_for(uint32_t tasks); /* with room for so many */
void recording_builder_destroy(struct builder *builder);

/* Rows to be changed at will before the recording is written. */
struct rec_header *builder_header(struct builder *builder);
struct rec_table *builder_table(struct builder *builder, enum rec_table_id id);

uint32_t builder_string(struct builder *builder, const char *text);
uint32_t builder_module(struct builder *builder, const char *path, uint64_t start, uint64_t end);
uint32_t builder_site(struct builder *builder, const uint64_t *pcs, uint16_t count);
void builder_cut_site(struct builder *builder, uint32_t site); /* longer than what was kept */
void builder_flag_site(struct builder *builder, uint32_t site, uint16_t flags);
void builder_frame(struct builder *builder, uint64_t pc, uint32_t module, const char *function);
uint32_t builder_call(struct builder *builder, const char *name, enum rec_op op, uint16_t flags);
uint32_t builder_case(struct builder *builder, enum rec_op op, uint64_t channel);

/* A live task that runs, with the next id; the n-th thread has tid 1000 + n and handle 0x7000 + n.
 */
struct rec_task *builder_task(struct builder *builder, enum rec_kind kind, const char *name);
struct rec_task *builder_thread(struct builder *builder, const char *name);

/* Makes it wait, as the sampler has seen it twice. wait_site 0: its stack could not be unwound. */
void builder_park(struct builder *builder, struct rec_task *task, const char *call, enum rec_op op,
                  uint64_t object, int64_t parked_ns, uint32_t wait_site);
void builder_owner(struct rec_task *task, const struct rec_task *owner);
void builder_channel(struct rec_task *task, uint32_t capacity, uint32_t length);
void builder_select(struct rec_task *task, uint32_t first_case, uint16_t count);

/* The row of the descriptor that it waits for, to be filled; after builder_park. */
struct rec_descriptor *builder_descriptor(struct builder *builder, const struct rec_task *task);

/* Makes a parked thread one that is ASLEEP in that call, of which it has published nothing. Its
 * row, to be changed at will. */
struct rec_asleep *builder_asleep(struct builder *builder, struct rec_task *task);

/* Makes it ended and not joined, for so long. */
void builder_finish(struct rec_task *task, int64_t ended_ns);

/* The bytes of the file; valid until the builder changes or goes. */
const char *builder_bytes(struct builder *builder, size_t *ret_bytes);
void builder_write(struct builder *builder, const char *path);

/* The same, and the builder goes. Returns the path. */
const char *recording_builder_end(struct builder *builder, const char *path);

/* Maps a file as the library maps what it records to, until the process ends: a recording of this
 * process counts as one that it writes. */
void builder_map(const char *path);
void builder_write_bytes(const char *path, const void *bytes, size_t count);

/* A path in a folder of this test program, which is removed when the program ends. The
 * same name gives the same path, which stays valid. */
const char *builder_path(const char *name);

#endif
