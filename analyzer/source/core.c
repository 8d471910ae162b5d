#include "analyzer/source/core.h"

#include "analyzer/core/image.h"
#include "analyzer/inspect/inspect.h"

bool source_core_read(const char *path, const char *exe, struct snapshot *ret, struct err *err)
{
    struct image image;
    if (!image_open_core(&image, path, exe, err))
        return false;
    bool ok = inspect_image(&image, ret, err);
    image_close(&image);
    return ok;
}
