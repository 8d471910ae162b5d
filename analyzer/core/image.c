#include "analyzer/core/image.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyzer/base/file_reader.h"
#include "analyzer/base/ranges.h"
#include "analyzer/core/file.h"
#include "analyzer/core/memory.h"
#include "analyzer/core/modules.h"
#include "analyzer/core/words.h"
#include "analyzer/image/elf.h"
#include "analyzer/image/modules.h"

struct own {
    struct core_file core;
    struct core_memory memory;
};

/* ---- mappings ---- */

/* The row of a mapped file around an address; one without an end: there is none. */
static const struct core_name *name_at(const struct core_file *core, uint64_t address)
{
    static const struct core_name none = {.path = ""};
    size_t row = ranges_at(core->names, core->name_count, sizeof(*core->names), address);
    return row < core->name_count ? &core->names[row] : &none;
}

/* What was dumped, and what was mapped but left out: of the latter, how it may be accessed is not
 * known until the headers of its file say so. */
static bool take_mappings(struct image *image, const struct core_file *core)
{
    struct image_mapping *rows = calloc(core->range_count + core->name_count + 1, sizeof(*rows));
    size_t count = 0;
    if (!rows)
        return false;
    for (size_t i = 0; i < core->range_count; i++) {
        const struct core_range *range = &core->ranges[i];
        const struct core_name *name = name_at(core, range->start);
        rows[count++] = (struct image_mapping){
            .start = range->start,
            .end = range->end,
            .file_offset = name->end ? name->file_offset + (range->start - name->start) : 0,
            .readable = range->readable,
            .writable = range->writable,
            .executable = range->executable,
            .name = name->path,
        };
    }
    for (size_t i = 0; i < core->name_count; i++) {
        const struct core_name *name = &core->names[i];
        const struct core_range *next = core_file_next(core, name->start);
        bool last = next == core->ranges + core->range_count;
        if (core_file_range(core, name->start) || (!last && next->start < name->end))
            continue;
        rows[count++] = (struct image_mapping){
            .start = name->start,
            .end = name->end,
            .file_offset = name->file_offset,
            .readable = true,
            .executable = true,
            .name = name->path,
        };
    }
    count = ranges_sort(rows, count, sizeof(*rows));
    bool ok = true;
    for (size_t i = 0; i < count && ok; i++)
        ok = image_add_mapping(image, &rows[i], strlen(rows[i].name));
    free(rows);
    return ok;
}

/* How what was left out was mapped. */
static void take_access(struct image *image, const struct core_file *core)
{
    struct image_elf elf;
    uint32_t known = 0;
    for (size_t i = 0; i < image->mapping_count; i++) {
        struct image_mapping *mapping = &image->mappings[i];
        if (core_file_range(core, mapping->start))
            continue;
        if (mapping->module != known) {
            uint64_t start = image->modules[mapping->module].start;
            known = image_elf_read(image->memory, start, &elf) ? mapping->module : 0;
        }
        if (!known)
            continue;
        for (uint32_t j = 0; j < elf.segment_count; j++) {
            const Elf64_Phdr *segment = &elf.segments[j];
            uint64_t start = (elf.bias + segment->p_vaddr) & ~UINT64_C(4095);
            if (segment->p_type != PT_LOAD || mapping->start < start ||
                mapping->start >= elf.bias + segment->p_vaddr + segment->p_memsz)
                continue;
            mapping->readable = (segment->p_flags & PF_R) != 0;
            mapping->writable = (segment->p_flags & PF_W) != 0;
            mapping->executable = (segment->p_flags & PF_X) != 0;
        }
    }
}

static void take_files(struct image *image, const struct core_module_file *files)
{
    for (const struct core_module_file *file = files; file && file->path; file++) {
        uint32_t row = image_module_at(image, file->start);
        if (row && image->modules[row].start == file->start) {
            image->modules[row].file = file->path;
            image->modules[row].is_exe = image->modules[row].is_exe || file->is_exe;
        }
    }
}

/* ---- threads ---- */

/* Whether a system call had not returned: what it would return tells the kernel to begin it anew
 * (include/linux/errno.h), or that something came between. */
static bool is_inside_call(struct image *image, const struct core_thread *thread)
{
    int64_t call = (int64_t)thread->user[USER_ORIG_RAX];
    int64_t result = (int64_t)thread->user[USER_RAX];
    uint64_t pc = thread->user[USER_RIP];
    uint8_t instruction[2];
    bool pending = result == -EINTR || (result <= -512 && result >= -516);
    if (call < 0 || call > UINT16_MAX || !pending)
        return false;
    /* "syscall" is 0f 05; code is not always to be had. */
    return !mem_read(image->memory, pc - 2, instruction, sizeof(instruction)) ||
           (instruction[0] == 0x0f && instruction[1] == 0x05);
}

static bool take_threads(struct image *image, const struct core_file *core)
{
    /* syscall(2) */
    static const enum user_register arguments[6] = {USER_RDI, USER_RSI, USER_RDX,
                                                    USER_R10, USER_R8,  USER_R9};
    image->threads = calloc(core->thread_count, sizeof(*image->threads));
    if (!image->threads)
        return false;
    image->thread_count = core->thread_count;
    for (size_t i = 0; i < core->thread_count; i++) {
        const struct core_thread *from = &core->threads[i];
        struct image_thread *thread = &image->threads[i];
        thread->tid = from->tid;
        thread->first = from->tid == core->pid;
        thread->call = -1;
        thread->parked_ns = -1;
        thread->thread_pointer = from->user[USER_FS_BASE];
        image_take_registers(from->user, &thread->registers);
        if (!is_inside_call(image, from))
            continue;
        thread->parked = true;
        thread->call = (int64_t)from->user[USER_ORIG_RAX];
        for (unsigned j = 0; j < 6; j++)
            thread->args[j] = from->user[arguments[j]];
    }
    return true;
}

/* ---- the whole ---- */

static bool stop_thread(struct image *image, struct image_thread *thread, struct image_stop *ret)
{
    (void)image;
    (void)thread;
    (void)ret;
    return false; /* all of its registers are there already */
}

static bool describe_fd(struct image *image, uint32_t tid, int fd, char *to, size_t bytes,
                        bool *ret_listening)
{
    (void)image;
    (void)tid;
    (void)fd;
    (void)to;
    (void)bytes;
    (void)ret_listening;
    errno = ENOTSUP; /* a core does not say */
    return false;
}

static bool refresh(struct image *image, struct err *err)
{
    (void)image;
    (void)err;
    return true; /* nothing moves any more */
}

static bool check(struct image *image, struct err *err)
{
    const struct own *own = image->own;
    (void)err;
    if (own->memory.misses) {
        const struct image_mapping *mapping = image_mapping_at(image, own->memory.first_miss);
        bool named = mapping && mapping->name[0];
        image_note(image,
                   "memory is not in the core: %" PRIu64
                   " %s of what was to be read, the first at %#" PRIx64 "%s%s",
                   own->memory.misses, own->memory.misses == 1 ? "piece" : "pieces",
                   own->memory.first_miss, named ? " in " : "", named ? mapping->name : "");
    }
    return true;
}

static void close_core(struct image *image)
{
    struct own *own = image->own;
    core_memory_deinit(&own->memory);
    core_file_close(&own->core);
    free(own);
}

static const struct image_functions core_functions = {
    .stop_thread = stop_thread,
    .describe_fd = describe_fd,
    .refresh = refresh,
    .check = check,
    .close = close_core,
};

static bool take_all(struct image *image, const char *exe, struct err *err)
{
    struct own *own = image->own;
    struct core_file *core = &own->core;
    struct core_module_file *files;
    if (!core_find_files(image, core, &own->memory, exe, &files, err))
        return false;
    bool ok = take_mappings(image, core) && image_find_modules(image, core->phdr);
    if (ok)
        take_files(image, files);
    free(files);
    if (!ok)
        return err_system(err, image->path, ENOMEM);
    take_access(image, core);
    own->memory.misses = 0; /* so far, it was only looked around */

    const char *name = core->program;
    uint32_t row = image_exe_module(image);
    const struct core_name *phdr = name_at(core, core->phdr ? core->phdr : core->entry);
    if (row || phdr->end)
        name = row ? image->modules[row].path : phdr->path;
    image->exe = strdup(name);
    image->cmdline = core_words(core, &own->memory.reader);
    if (!image->exe || !image->cmdline || !take_threads(image, core))
        return err_system(err, image->path, ENOMEM);
    if (core->missing_bytes) {
        char text[96];
        int bytes = snprintf(text, sizeof(text),
                             "the core is cut short: %" PRIu64 " bytes of it are missing",
                             core->missing_bytes);
        image->doubt = image_text(image, text, (size_t)bytes);
    }
    return true;
}

bool image_is_core(const char *path)
{
    unsigned char start[4];
    int fd = file_open(path, NULL);
    if (fd < 0)
        return false;
    bool is = pread(fd, start, sizeof(start), 0) == sizeof(start) && core_file_resembles(start);
    close(fd);
    return is;
}

bool image_open_core(struct image *ret, const char *path, const char *exe, struct err *err)
{
    struct stat status;
    memset(ret, 0, sizeof(*ret));
    struct own *own = calloc(1, sizeof(*own));
    if (!own)
        return err_system(err, path, ENOMEM);
    if (!core_file_open(&own->core, path, err)) {
        free(own);
        return false;
    }
    core_memory_init(&own->memory, &own->core);
    *ret = (struct image){
        .path = strdup(path),
        .pid = (pid_t)own->core.pid,
        .signal = own->core.signal,
        .memory = &own->memory.reader,
        .own = own,
        .functions = &core_functions,
    };
    if (fstat(own->core.fd, &status) == 0)
        ret->taken_unix_ns =
            (int64_t)status.st_mtim.tv_sec * INT64_C(1000000000) + status.st_mtim.tv_nsec;
    bool ok = ret->path ? take_all(ret, exe, err) : err_system(err, path, ENOMEM);
    if (!ok)
        image_close(ret);
    return ok;
}
