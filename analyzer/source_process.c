#include "analyzer/source_process.h"

#include "analyzer/image.h"
#include "analyzer/inspect.h"

bool source_process_read(pid_t pid, struct snapshot *ret, struct err *err)
{
    struct image image;
    if (!image_open_process(&image, pid, err))
        return false;
    bool ok = inspect_image(&image, ret, err);
    image_close(&image);
    return ok;
}
