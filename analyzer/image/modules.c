#include "analyzer/image/modules.h"

#include <string.h>

#include "analyzer/base/rows.h"
#include "analyzer/image/elf.h"

/* What a table may grow to: the kernel's own limit of mappings (vm.max_map_count) is 65530 unless
 * somebody raises it. */
#define MAX_MAPPINGS (1u << 24)

bool image_add_mapping(struct image *image, const struct image_mapping *mapping, size_t name_bytes)
{
    if (image->mapping_count >= MAX_MAPPINGS)
        return true;
    const char *name = image_text(image, mapping->name, name_bytes);
    if (!name || !rows_grow(&image->mappings, image->mapping_count, sizeof(*image->mappings)))
        return false;
    struct image_mapping *row = &image->mappings[image->mapping_count++];
    *row = *mapping;
    row->name = name;
    row->module = 0;
    return true;
}

/* Files are also mapped to be looked at. One is loaded when its code lies where its headers want
 * it. (Code may have been moved to anonymous memory, for huge pages.) */
static bool is_loaded(const struct image *image, const struct image_mapping *first,
                      const struct image_elf *elf)
{
    for (uint32_t i = 0; i < elf->segment_count; i++) {
        const Elf64_Phdr *segment = &elf->segments[i];
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X))
            continue;
        const struct image_mapping *code = image_mapping_at(image, elf->bias + segment->p_vaddr);
        if (code && code->executable &&
            (strcmp(code->name, first->name) == 0 || code->name[0] != '/'))
            return true;
    }
    return false;
}

static bool add_module(struct image *image, const struct image_mapping *first,
                       const struct image_elf *elf)
{
    if (!rows_grow(&image->modules, image->module_count, sizeof(*image->modules)))
        return false;
    struct image_module *row = &image->modules[image->module_count++];
    *row = (struct image_module){
        .start = first->start,
        .end = elf->end,
        .bias = elf->bias,
        .path = first->name,
        .file = "",
        .build_id_bytes = elf->build_id_bytes,
    };
    memcpy(row->build_id, elf->build_id, sizeof(row->build_id));
    return true;
}

bool image_find_modules(struct image *image, uint64_t phdr)
{
    image->module_count = 0;
    if (!rows_grow(&image->modules, 0, sizeof(*image->modules)))
        return false;
    memset(&image->modules[image->module_count++], 0, sizeof(*image->modules));

    for (size_t i = 0; i < image->mapping_count; i++) {
        const struct image_mapping *mapping = &image->mappings[i];
        struct image_elf elf;
        struct image_module *last = &image->modules[image->module_count - 1];
        bool named = mapping->name[0] == '/' || strcmp(mapping->name, "[vdso]") == 0;
        if (!named || mapping->file_offset != 0 || !mapping->readable ||
            !image_elf_read(image->memory, mapping->start, &elf) ||
            !is_loaded(image, mapping, &elf))
            continue;
        /* They do not overlap, whatever a damaged header says. */
        if (last->end > mapping->start)
            last->end = mapping->start;
        if (!add_module(image, mapping, &elf))
            return false;
    }
    if (phdr && image_module_at(image, phdr))
        image->modules[image_module_at(image, phdr)].is_exe = true;
    for (size_t i = 0; i < image->mapping_count; i++)
        image->mappings[i].module = image_module_at(image, image->mappings[i].start);
    return true;
}
