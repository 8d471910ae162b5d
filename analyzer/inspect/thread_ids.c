#include "analyzer/inspect/thread_ids.h"

#include "analyzer/base/table.h"
#include "analyzer/inspect/thread_locks.h"

/* Threads that were made without a descriptor of their own have their maker's: `seen` lets only one
 * have its id. */
static bool take_id(struct image *image, struct image_thread *thread, uint32_t offset,
                    struct table *seen)
{
    uint64_t descriptor = thread->thread_pointer;
    uint32_t tid;
    if (!descriptor || !thread_is_descriptor(descriptor, image->memory) ||
        !mem_read(image->memory, descriptor + offset, &tid, sizeof(tid)) || tid == 0)
        return true;
    uint32_t *was_seen = table_at(seen, (struct table_key){descriptor, 1});
    if (was_seen && !*was_seen) {
        thread->tid = tid;
        *was_seen = 1;
    }
    return was_seen != NULL;
}

bool thread_ids_take_own(struct image *image, const struct thread_names *names)
{
    uint32_t offset = thread_names_layout(names).tid;
    struct table seen;
    if (offset == 0)
        return true;
    bool ok = table_init(&seen, image->thread_count);
    for (size_t i = 0; ok && i < image->thread_count; i++)
        ok = take_id(image, &image->threads[i], offset, &seen);
    table_deinit(&seen);
    return ok;
}
