#include "preload/go_names.h"

#include <string.h>

#include "preload/recorder.h"

void go_names_fill(const struct pclntab *functions, struct frames_new *frames, uint32_t count)
{
    static char name[PCLNTAB_NAME_BYTES];
    for (uint32_t i = 0; i < count; i++) {
        struct pclntab_function function;
        uint64_t call = frames[i].pc - 1;
        if (frames[i].name != 0 || call < functions->text || call >= functions->etext ||
            !pclntab_find(functions, call, &function) ||
            !pclntab_name(functions, &function, name, sizeof(name)))
            continue;
        frames[i].name = recorder_add_string(name, strnlen(name, sizeof(name)));
        frames[i].start = function.entry;
    }
}
