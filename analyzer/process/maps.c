#include "analyzer/process/maps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analyzer/base/text.h"
#include "analyzer/image/elf.h"
#include "analyzer/image/modules.h"
#include "analyzer/process/file.h"

#define MAX_MAPS_BYTES ((size_t)1 << 30)

/* "7f00-7f01 r-xp 00001000 fe:00 1234      /path": false: it is no such line. */
static bool parse_line(const char *line, struct image_mapping *ret)
{
    char *at;
    memset(ret, 0, sizeof(*ret));
    ret->start = strtoull(line, &at, 16);
    if (*at != '-')
        return false;
    ret->end = strtoull(at + 1, &at, 16);
    if (*at != ' ' || strlen(at) < 6 || ret->end <= ret->start)
        return false;
    ret->readable = at[1] == 'r';
    ret->writable = at[2] == 'w';
    ret->executable = at[3] == 'x';
    ret->file_offset = strtoull(at + 6, &at, 16);
    for (int skipped = 0; skipped < 2; skipped++) { /* the device, the inode */
        at += strspn(at, " ");
        at += strcspn(at, " ");
    }
    ret->name = at + strspn(at, " ");
    return true;
}

bool process_parse_maps(struct image *image, char *text)
{
    image->mapping_count = 0;
    bool ok = true;
    uint64_t end = 0;
    for (char *line = text, *next; ok && *line; line = next) {
        next = line + strcspn(line, "\n");
        if (*next)
            *next++ = '\0';
        struct image_mapping mapping;
        /* The list is not of one moment; what is looked up in it has to be in order. */
        if (!parse_line(line, &mapping) || mapping.start < end)
            continue;
        end = mapping.end;
        size_t bytes = text_undeleted(mapping.name);
        mapping.deleted = mapping.name[bytes] != '\0';
        ok = image_add_mapping(image, &mapping, bytes);
    }
    return ok;
}

bool process_read_maps(struct image *image, pid_t task)
{
    char path[64];
    size_t bytes;
    snprintf(path, sizeof(path), "/proc/%d/maps", (int)task);
    char *text = process_file_read(path, MAX_MAPS_BYTES, &bytes);
    if (!text)
        return false;
    bool ok = process_parse_maps(image, text);
    free(text);
    errno = ok ? ESRCH : ENOMEM;
    return ok && image->mapping_count > 0;
}

static bool is_same_file(const char *path, const struct stat *as)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && status.st_dev == as->st_dev &&
           status.st_ino == as->st_ino;
}

/* Whether the file at a path is the one that is loaded there, as far as that is asked for. */
static bool is_loaded_from(const char *path, const struct image_elf *loaded,
                           enum image_elf_likeness asked)
{
    struct image_elf elf;
    return image_elf_read_file(path, &elf) && image_elf_compare(&elf, loaded) >= asked;
}

/* Where a module's file is to be opened: at its own path where that is it (debug information is
 * found beside it), else through the process. What stands at the path of a file that was deleted is
 * another one: the same build only if its build-id says so. False: no memory. */
static bool find_file(struct image *image, struct image_module *module, pid_t task)
{
    char inside[4096], mapped[96], exe[64];
    struct image_elf loaded;
    struct stat through;
    const char *found = NULL;
    if (module->path[0] != '/' || !image_elf_read(image->memory, module->start, &loaded))
        return true;
    const struct image_mapping *first = image_mapping_at(image, module->start);
    enum image_elf_likeness asked = first && first->deleted ? IMAGE_ELF_SAME : IMAGE_ELF_ALIKE;
    snprintf(mapped, sizeof(mapped), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)task,
             module->start, first ? first->end : module->end);
    snprintf(exe, sizeof(exe), "/proc/%d/exe", (int)task);
    int length = snprintf(inside, sizeof(inside), "/proc/%d/root%s", (int)task, module->path);

    if (length < (int)sizeof(inside) && stat(inside, &through) == 0 &&
        is_loaded_from(inside, &loaded, asked))
        found = is_same_file(module->path, &through) ? module->path : inside;
    else if (is_loaded_from(module->path, &loaded, asked)) /* it changed its root folder */
        found = module->path;
    else if (is_loaded_from(mapped, &loaded, IMAGE_ELF_ALIKE))
        found = mapped;
    else if (module->is_exe && is_loaded_from(exe, &loaded, IMAGE_ELF_ALIKE))
        found = exe;
    else
        module->unsure = is_loaded_from(module->path, &loaded, IMAGE_ELF_ALIKE);
    if (found)
        module->file = image_text(image, found, strlen(found));
    return module->file != NULL;
}

bool process_find_files(struct image *image, pid_t task)
{
    for (size_t i = 1; i < image->module_count; i++) {
        if (!find_file(image, &image->modules[i], task))
            return false;
    }
    return true;
}
