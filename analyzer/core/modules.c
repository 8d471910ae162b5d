#include "analyzer/core/modules.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyzer/base/ranges.h"
#include "analyzer/image/elf.h"

struct finder {
    struct image *image;
    struct core_file *core;
    struct core_memory *memory;
    const char *exe; /* of --exe */
    struct core_module_file *files;
    size_t file_count;
    size_t missing, unchecked;
    const char *first_missing, *first_unchecked;
    struct err *err;
};

static bool no_memory(struct finder *finder)
{
    return err_system(finder->err, "core", ENOMEM);
}

enum answer {
    NO_FILE,   /* it is not to be had */
    GOOD_FILE, /* path and elf are filled */
    FAILED,    /* err is filled, or there is no memory */
};

/* ---- the executable, where the core does not name it ---- */

static bool is_exe(const struct core_file *core, uint64_t start, uint64_t end)
{
    uint64_t inside = core->phdr ? core->phdr : core->entry;
    return inside != 0 && inside >= start && inside < end;
}

/* A core without NT_FILE: the segments of --exe tell what was mapped where. */
static bool name_exe(struct finder *finder)
{
    struct core_file *core = finder->core;
    struct image_elf elf;
    if (!image_elf_read_file(finder->exe, &elf))
        return true; /* said later */
    uint64_t bias = 0;
    if (elf.header.e_type == ET_DYN && !core->phdr && !core->entry) {
        image_note(finder->image,
                   "where %s was loaded is not known: the core does not have what the kernel told "
                   "the program (NT_AUXV)",
                   finder->exe);
        return true;
    }
    if (elf.header.e_type == ET_DYN)
        bias = core->phdr ? core->phdr - elf.header.e_phoff - elf.start
                          : core->entry - elf.header.e_entry;
    const char *path = image_text(finder->image, finder->exe, strlen(finder->exe));
    struct core_name *names =
        reallocarray(core->names, core->name_count + elf.segment_count + 1, sizeof(*names));
    core->names = names ? names : core->names;
    if (!names || !path)
        return false;
    for (uint32_t i = 0; i < elf.segment_count; i++) {
        const Elf64_Phdr *segment = &elf.segments[i];
        uint64_t page = segment->p_vaddr % 4096;
        if (segment->p_type != PT_LOAD || segment->p_filesz == 0 || page > segment->p_offset)
            continue;
        uint64_t start = bias + segment->p_vaddr - page;
        uint64_t end = bias + ((segment->p_vaddr + segment->p_filesz + 4095) & ~UINT64_C(4095));
        if (start < end)
            names[core->name_count++] =
                (struct core_name){start, end, segment->p_offset - page, path, false};
    }
    core->name_count = ranges_sort(names, core->name_count, sizeof(*names));
    return true;
}

/* ---- one file ---- */

/* Whether a file may be what was mapped: it was there when the core was written. */
static bool is_older(const char *path, int64_t taken_unix_ns)
{
    struct stat status;
    return stat(path, &status) == 0 &&
           (int64_t)status.st_mtim.tv_sec * INT64_C(1000000000) + status.st_mtim.tv_nsec <=
               taken_unix_ns;
}

static void put_build_id(const struct image_elf *elf, char to[65])
{
    to[0] = '\0';
    for (uint32_t i = 0; i < elf->build_id_bytes; i++)
        sprintf(to + 2 * i, "%02x", elf->build_id[i]);
}

/* `dumped`: the headers as the core has them; NULL: it does not. */
static enum answer take_option(struct finder *finder, const struct image_elf *dumped,
                               struct image_elf *elf)
{
    char ours[65], theirs[65];
    if (access(finder->exe, R_OK) != 0) {
        err_system(finder->err, finder->exe, errno);
        return FAILED;
    }
    if (!image_elf_read_file(finder->exe, elf)) {
        err_set(finder->err, ERR_UNSUPPORTED, finder->exe, "it is no program for x86-64");
        return FAILED;
    }
    if (!dumped || image_elf_compare(elf, dumped) != IMAGE_ELF_OTHER)
        return GOOD_FILE;
    put_build_id(elf, ours);
    put_build_id(dumped, theirs);
    err_set(finder->err, ERR_OTHER_BUILD, finder->exe,
            "it is another build than the core's executable%s%s%s%s%s",
            ours[0] ? " (build-id " : "", ours, theirs[0] ? ", the core's is " : "", theirs,
            ours[0] ? ")" : "");
    return FAILED;
}

/* "/usr/lib/debug/.build-id/ab/cdef…SUFFIX": false: it is not there. */
static bool find_by_build_id(const struct image_elf *dumped, const char *suffix, char *to,
                             size_t bytes, struct image_elf *elf)
{
    char hex[65];
    if (!dumped || dumped->build_id_bytes < 2)
        return false;
    put_build_id(dumped, hex);
    snprintf(to, bytes, "/usr/lib/debug/.build-id/%.2s/%s%s", hex, hex + 2, suffix);
    return image_elf_read_file(to, elf) && image_elf_compare(elf, dumped) == IMAGE_ELF_SAME;
}

/* Finds the file that was mapped as `name`; *ret_symbols: it has names only, and no memory. */
static enum answer find_file(struct finder *finder, const struct core_name *name,
                             const struct image_elf *dumped, bool exe, const char **ret_path,
                             struct image_elf *elf, bool *ret_symbols)
{
    struct image *image = finder->image;
    char path[512];
    *ret_symbols = false;
    if (exe && finder->exe) {
        *ret_path = image_text(image, finder->exe, strlen(finder->exe));
        enum answer answer = take_option(finder, dumped, elf);
        if (answer == GOOD_FILE && !dumped)
            image_note(image,
                       "whether %s is the core's executable was not checked: the core has "
                       "no build-id",
                       finder->exe);
        return *ret_path ? answer : FAILED;
    }
    *ret_path = image_text(image, name->path, strlen(name->path));
    if (!*ret_path)
        return FAILED;
    if (image_elf_read_file(*ret_path, elf)) {
        enum image_elf_likeness likeness =
            dumped ? image_elf_compare(elf, dumped) : IMAGE_ELF_OTHER;
        bool known = name->deleted ? likeness == IMAGE_ELF_SAME : likeness != IMAGE_ELF_OTHER;
        if (known)
            return GOOD_FILE;
        if (!dumped && !name->deleted && is_older(*ret_path, image->taken_unix_ns)) {
            if (finder->unchecked++ == 0)
                finder->first_unchecked = *ret_path;
            return GOOD_FILE;
        }
    }
    bool found = find_by_build_id(dumped, "", path, sizeof(path), elf);
    if (!found)
        *ret_symbols = found = find_by_build_id(dumped, ".debug", path, sizeof(path), elf);
    if (!found)
        return NO_FILE;
    *ret_path = image_text(image, path, strlen(path));
    return *ret_path ? GOOD_FILE : FAILED;
}

/* ---- all of them ---- */

/* Whether a file with such headers was loaded at `start`: its code lies where they want it. */
static bool is_loaded(const struct core_file *core, const struct core_name *first,
                      const struct image_elf *elf)
{
    uint64_t bias = elf->bias + (first->start - elf->start);
    for (uint32_t i = 0; i < elf->segment_count; i++) {
        const Elf64_Phdr *segment = &elf->segments[i];
        uint64_t page = segment->p_vaddr % 4096;
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X))
            continue;
        for (const struct core_name *row = first; row < core->names + core->name_count; row++) {
            uint64_t address = bias + segment->p_vaddr - page;
            if (address >= row->start && address < row->end)
                return strcmp(row->path, first->path) == 0 &&
                       row->file_offset + (address - row->start) == segment->p_offset - page;
        }
        /* Code may have been moved to anonymous memory, for huge pages. */
        const struct core_range *range = core_file_range(core, bias + segment->p_vaddr);
        if (range && range->executable)
            return true;
    }
    return false;
}

/* The end of the rows of one file that begin with `first`. */
static uint64_t end_of_rows(const struct core_file *core, const struct core_name *first)
{
    const struct core_name *row = first;
    while (row + 1 < core->names + core->name_count && strcmp(row[1].path, first->path) == 0)
        row++;
    return row->end;
}

/* Lays a file under the rows of its name. */
static bool lay(struct finder *finder, const struct core_name *first, uint64_t end,
                const char *path)
{
    const struct core_file *core = finder->core;
    for (const struct core_name *row = first;
         row < core->names + core->name_count && row->start < end; row++) {
        if (strcmp(row->path, first->path) != 0)
            continue;
        struct core_overlay overlay = {row->start, row->end, row->file_offset, path};
        if (!core_memory_overlay(finder->memory, &overlay))
            return false;
    }
    return true;
}

/* Finds the file of the module whose first row is `name`. *ret_end: where the module ends. */
static bool take_module(struct finder *finder, const struct core_name *name, uint64_t *ret_end)
{
    struct image_elf dumped, elf;
    const char *path;
    bool symbols;
    char magic[SELFMAG];
    bool has_headers = image_elf_read(&finder->memory->reader, name->start, &dumped);
    /* Other files than those of programs are mapped too. */
    if (!has_headers && mem_read(&finder->memory->reader, name->start, magic, sizeof(magic)))
        return true;
    if (has_headers && !is_loaded(finder->core, name, &dumped))
        return true;
    bool exe = is_exe(finder->core, name->start, end_of_rows(finder->core, name));
    enum answer answer =
        find_file(finder, name, has_headers ? &dumped : NULL, exe, &path, &elf, &symbols);
    if (answer == FAILED)
        return finder->err->kind == ERR_NONE ? no_memory(finder) : false;
    if (answer == NO_FILE) {
        if (exe)
            image_note(finder->image,
                       "the executable %s is not here, or is another build than the core's: name "
                       "it with --exe",
                       name->path);
        else if (has_headers && finder->missing++ == 0)
            finder->first_missing = name->path;
        *ret_end = has_headers ? dumped.end : name->end;
        return true;
    }
    if (!has_headers && !is_loaded(finder->core, name, &elf))
        return true;
    *ret_end = name->start + (elf.end - elf.start);
    struct core_module_file *files =
        reallocarray(finder->files, finder->file_count + 2, sizeof(*files));
    if (!files)
        return no_memory(finder);
    finder->files = files;
    files[finder->file_count++] = (struct core_module_file){name->start, path, exe};
    files[finder->file_count] = (struct core_module_file){0};
    return symbols || lay(finder, name, *ret_end, path) || no_memory(finder);
}

static void note_missing(const struct finder *finder)
{
    if (finder->missing)
        image_note(finder->image,
                   "%zu of the files that were loaded %s not here, or of another build (%s%s)",
                   finder->missing, finder->missing == 1 ? "is" : "are", finder->first_missing,
                   finder->missing == 1 ? "" : ", …");
    if (finder->unchecked)
        image_note(finder->image,
                   "%zu of the files that were loaded could not be compared with the core, which "
                   "has no build-id of %s (%s%s)",
                   finder->unchecked, finder->unchecked == 1 ? "it" : "them",
                   finder->first_unchecked, finder->unchecked == 1 ? "" : ", …");
}

bool core_find_files(struct image *image, struct core_file *core, struct core_memory *memory,
                     const char *exe, struct core_module_file **ret_files, struct err *err)
{
    struct err own = {0};
    struct finder finder = {
        .image = image, .core = core, .memory = memory, .exe = exe, .err = err ? err : &own};
    bool named = false, ok = true;
    finder.err->kind = ERR_NONE;
    for (size_t i = 0; i < core->name_count; i++)
        named = named || is_exe(core, core->names[i].start, core->names[i].end);
    if (exe && !named)
        ok = name_exe(&finder) || no_memory(&finder);

    uint64_t end = 0;
    for (size_t i = 0; ok && i < core->name_count; i++) {
        const struct core_name *name = &core->names[i];
        if (name->file_offset != 0 || name->start < end || name->path[0] != '/')
            continue;
        ok = take_module(&finder, name, &end);
    }
    note_missing(&finder);
    *ret_files = finder.files;
    if (!ok) {
        free(finder.files);
        *ret_files = NULL;
    }
    return ok;
}
