#include "analyzer/base/rows.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

bool rows_grow(void *rows_pointer, size_t count, size_t row_bytes)
{
    void *rows; /* of any type: copied, since a pointer to void may not alias another's */
    memcpy(&rows, rows_pointer, sizeof(rows));
    if (rows && (count & (count - 1)) != 0)
        return true;
    if (count > SIZE_MAX / 2 / row_bytes)
        return false;
    void *more = realloc(rows, (count ? 2 * count : 1) * row_bytes);
    if (!more)
        return false;
    memcpy(rows_pointer, &more, sizeof(more));
    return true;
}
