#include "preload/goscan/layout.h"

const struct go_layout_field go_layout_fields[] = {
#define FIELD(name, type, path, optional, ...)                                                     \
    {#name, type, path, offsetof(struct go_layout, name), optional},
#include "preload/goscan/layout.def"
#undef FIELD
};

const size_t go_layout_field_count = sizeof(go_layout_fields) / sizeof(*go_layout_fields);

static const uint16_t columns[][GO_MINOR_NEWEST - GO_MINOR_OLDEST + 1] = {
#define FIELD(name, type, path, optional, ...) {__VA_ARGS__},
#include "preload/goscan/layout.def"
#undef FIELD
};

bool go_layout_of(unsigned minor, struct go_layout *ret)
{
    bool known = minor >= GO_MINOR_OLDEST && minor <= GO_MINOR_NEWEST;
    unsigned nearest = minor < GO_MINOR_OLDEST   ? GO_MINOR_OLDEST
                       : minor > GO_MINOR_NEWEST ? GO_MINOR_NEWEST
                                                 : minor;
    for (size_t i = 0; i < go_layout_field_count; i++)
        *(uint16_t *)((char *)ret + go_layout_fields[i].offset) =
            columns[i][nearest - GO_MINOR_OLDEST];
    ret->minor = (uint16_t)minor;
    return known;
}

size_t go_layout_reach(const uint16_t *fields, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        if (fields[i] != GO_ABSENT && fields[i] + sizeof(uint64_t) > bytes)
            bytes = fields[i] + sizeof(uint64_t);
    }
    return bytes;
}
