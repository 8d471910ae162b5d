#include "analyzer/image/quiet.h"

#include <stdlib.h>
#include <string.h>

static bool is_quiet(const struct image_thread *thread)
{
    return thread->state != 'R' && thread->switches != 0 && thread->parked_ns > 0;
}

void image_quiet_begin(struct image_quiet *ret, const struct image *image)
{
    *ret = (struct image_quiet){.count = image->thread_count,
                                .quiet = image->live && image->functions &&
                                         image->functions->refresh && image->thread_count > 0};
    for (size_t i = 0; ret->quiet && i < image->thread_count; i++)
        ret->quiet = is_quiet(&image->threads[i]);
    ret->threads = ret->quiet ? calloc(ret->count, sizeof(*ret->threads)) : NULL;
    ret->quiet = ret->threads != NULL;
    if (ret->quiet)
        memcpy(ret->threads, image->threads, ret->count * sizeof(*ret->threads));
}

int64_t image_quiet_end(struct image_quiet *quiet, struct image *image)
{
    int64_t quiet_ns = INT64_MAX;
    struct err err = {0};
    bool ok = quiet->quiet && image->functions->refresh(image, &err) &&
              image->thread_count == quiet->count;
    for (size_t i = 0; ok && i < quiet->count; i++) {
        const struct image_thread *was = &quiet->threads[i], *is = &image->threads[i];
        ok = is_quiet(is) && is->tid == was->tid && is->switches == was->switches;
        if (is->parked_ns < quiet_ns)
            quiet_ns = is->parked_ns;
    }
    free(quiet->threads);
    return ok ? quiet_ns : 0;
}
