/* The list of a process's mappings, up to the first NUL, and the files that are loaded there, whose
 * memory is what follows. */
#include <stdlib.h>

#include "analyzer/image/modules.h"
#include "analyzer/process/maps.h"
#include "tests/fuzz/fuzz.h"

static void check(const struct image *image)
{
    uint64_t end = 0;
    for (size_t i = 0; i < image->mapping_count; i++) {
        const struct image_mapping *mapping = &image->mappings[i];
        FUZZ_CHECK(mapping->start >= end && mapping->end > mapping->start);
        FUZZ_CHECK(image_mapping_at(image, mapping->start) == mapping);
        FUZZ_CHECK(!strchr(mapping->name, '\n') && mapping->module < image->module_count);
        end = mapping->end;
    }
    for (size_t i = 1; i < image->module_count; i++) {
        const struct image_module *module = &image->modules[i];
        FUZZ_CHECK(module->start < module->end);
        FUZZ_CHECK(module->build_id_bytes <= sizeof(module->build_id));
        image_module_at(image, module->start);
    }
    FUZZ_CHECK(image_exe_module(image) < image->module_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const uint8_t *nul = bytes ? memchr(data, '\0', bytes) : NULL;
    size_t text_bytes = nul ? (size_t)(nul - data) : bytes;
    size_t rest = nul ? bytes - text_bytes - 1 : 0;
    char *text = malloc(text_bytes + 1);
    FUZZ_CHECK(text);
    if (text_bytes)
        memcpy(text, data, text_bytes);
    text[text_bytes] = '\0';
    struct image image = {.live = true};
    image.memory = fuzz_memory(nul ? nul + 1 : data, rest);
    FUZZ_CHECK(process_parse_maps(&image, text));
    FUZZ_CHECK(image_find_modules(&image, FUZZ_ADDRESS + 64));
    check(&image);
    free(text);
    image_close(&image);
    return 0;
}
