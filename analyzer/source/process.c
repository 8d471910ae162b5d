#include "analyzer/source/process.h"

#include "analyzer/image/kept_stacks.h"
#include "analyzer/inspect/inspect.h"
#include "analyzer/process/image.h"

bool source_process_read(pid_t pid, struct kept_stacks *kept, struct snapshot *ret, struct err *err)
{
    struct image image;
    if (!image_open_process(&image, pid, err))
        return false;
    image.kept = kept;
    if (kept)
        kept_stacks_begin_look(kept, &image);
    bool ok = inspect_image(&image, ret, err);
    if (kept)
        kept_stacks_end_look(kept, &image);
    image_close(&image);
    return ok;
}
