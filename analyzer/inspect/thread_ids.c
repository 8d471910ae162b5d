#include "analyzer/inspect/thread_ids.h"

#include "analyzer/base/table.h"
#include "analyzer/inspect/thread_locks.h"

/* The id that glibc has for a thread; 0: none. */
static uint32_t own_id(const struct image *image, const struct image_thread *thread,
                       uint32_t offset)
{
    uint64_t descriptor = thread->thread_pointer;
    uint32_t tid;
    bool ok = descriptor && thread_is_descriptor(descriptor, image->memory) &&
              mem_read(image->memory, descriptor + offset, &tid, sizeof(tid));
    return ok ? tid : 0;
}

/* A core of the kernel's, or one that was written from inside the namespace. */
static bool has_own_ids(const struct image *image, uint32_t offset)
{
    for (size_t i = 0; i < image->thread_count; i++) {
        if (image->threads[i].tid == own_id(image, &image->threads[i], offset))
            return true;
    }
    return false;
}

/* Threads that were made past glibc have their maker's descriptor, or a copy of it, as the sampler
 * of the preload library has. So an id is given once: to the first thread of the process before
 * others. */
static bool take_id(struct image *image, struct image_thread *thread, uint32_t offset,
                    struct table *taken)
{
    uint32_t tid = own_id(image, thread, offset);
    if (tid == 0)
        return true;
    uint32_t *is_taken = table_at(taken, (struct table_key){tid, 1});
    if (is_taken && !*is_taken) {
        thread->tid = tid;
        *is_taken = 1;
    }
    return is_taken != NULL;
}

bool thread_ids_take_own(struct image *image, const struct c_library *libc)
{
    uint32_t offset = c_library_layout(libc).tid;
    struct table taken;
    if (offset == 0 || has_own_ids(image, offset))
        return true;
    bool ok = table_init(&taken, image->thread_count);
    for (int first = 1; first >= 0; first--) {
        for (size_t i = 0; ok && i < image->thread_count; i++) {
            if (image->threads[i].first == first)
                ok = take_id(image, &image->threads[i], offset, &taken);
        }
    }
    table_deinit(&taken);
    return ok;
}
