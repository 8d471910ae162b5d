#include "analyzer/inspect/inspect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/inspect/thread_ids.h"

/* In this order: a runtime marks the threads that are its workers before threads are told of. */
static const struct inspector *const inspectors[] = {
    &inspect_go, &inspect_libgo, &inspect_taskrt, &inspect_threads, NULL,
};

struct debug_unwind *inspection_unwind(struct inspection *inspection)
{
    if (!inspection->unwind)
        inspection->unwind = debug_unwind_create(inspection->image);
    return inspection->unwind;
}

struct c_library *inspection_c_library(struct inspection *inspection)
{
    if (!inspection->libc)
        inspection->libc = c_library_create(inspection->image);
    return inspection->libc;
}

/* Of a process, the kernel told them. */
static bool take_thread_ids(struct inspection *inspection)
{
    struct image *image = inspection->image;
    if (image->live)
        return true;
    const struct c_library *libc = inspection_c_library(inspection);
    return libc && thread_ids_take_own(image, libc);
}

static bool take_modules(struct inspection *inspection)
{
    const struct image *image = inspection->image;
    inspection->module_rows = calloc(image->module_count + 1, sizeof(*inspection->module_rows));
    if (!inspection->module_rows)
        return false;
    for (size_t i = 1; i < image->module_count; i++) {
        const struct image_module *module = &image->modules[i];
        struct snapshot_module row = {
            .start = module->start,
            .end = module->end,
            .bias = module->bias,
            .path = module->path,
            .file = module->unsure ? NULL : module->file,
            .build_id_bytes = module->build_id_bytes,
        };
        memcpy(row.build_id, module->build_id, sizeof(row.build_id));
        inspection->module_rows[i] = builder_add_module(inspection->builder, &row);
    }
    return true;
}

static bool take_process(struct snapshot *snapshot, const struct image *image)
{
    size_t words = 0;
    while (image->cmdline && image->cmdline[words])
        words++;
    snapshot->cmdline = calloc(words + 1, sizeof(*snapshot->cmdline));
    bool ok = snapshot->cmdline != NULL;
    for (size_t i = 0; ok && i < words; i++)
        ok = (snapshot->cmdline[i] = strdup(image->cmdline[i])) != NULL;
    snapshot->exe = strdup(image->exe ? image->exe : "");
    snapshot->path = image->path ? strdup(image->path) : NULL;
    snapshot->source = image->live ? SNAPSHOT_PROCESS : SNAPSHOT_CORE;
    snapshot->pid = (uint32_t)image->pid;
    snapshot->started_unix_ns = image->started_unix_ns;
    snapshot->taken_unix_ns = image->taken_unix_ns;
    snapshot->looked_unix_ns = image->taken_unix_ns;
    snapshot->end = SNAPSHOT_RUNNING; /* gcore's process ran, and may still do */
    if (!image->live && image->signal) {
        snapshot->end = SNAPSHOT_SIGNALLED;
        snapshot->signal = image->signal;
    }
    return ok && snapshot->exe && (!image->path || snapshot->path);
}

/* What is to be said of how the picture came about. False: it is of no one program. */
static bool finish(struct inspection *inspection, struct err *err)
{
    struct image *image = inspection->image;
    struct err ended = {0};
    if (!image->functions->check(image, &ended)) {
        if (ended.kind != ERR_PROCESS_ENDED ||
            builder_snapshot(inspection->builder)->task_count == 0)
            return err_set(err, ended.kind, ended.what, "%s", ended.why);
        builder_doubt(inspection->builder, "%s, and is not known whole", ended.why);
    }
    if (image->doubt)
        builder_doubt(inspection->builder, "%s", image->doubt);
    /* Nothing moved while a core was written: it is of one moment. */
    struct snapshot *snapshot = builder_snapshot(inspection->builder);
    for (size_t i = 0; !image->live && i < snapshot->task_count; i++) {
        if (snapshot->tasks[i].flags & SNAPSHOT_PARKED)
            snapshot->tasks[i].flags |= SNAPSHOT_SETTLED;
    }
    for (size_t i = 0; i < image->note_count; i++)
        builder_note(inspection->builder, "%s", image->notes[i]);
    return true;
}

bool inspect_image(struct image *image, struct snapshot *ret, struct err *err)
{
    struct inspection inspection = {.image = image, .builder = builder_create(ret)};
    bool ok = inspection.builder && take_process(ret, image) && take_modules(&inspection) &&
              take_thread_ids(&inspection);
    if (!ok)
        err_system(err, image->exe, ENOMEM);
    for (size_t i = 0; ok && inspectors[i]; i++)
        ok = inspectors[i]->inspect(&inspection, err);
    ok = ok && finish(&inspection, err);
    if (ok && !builder_is_complete(inspection.builder))
        ok = err_system(err, image->exe, ENOMEM);
    c_library_destroy(inspection.libc);
    debug_unwind_destroy(inspection.unwind);
    free(inspection.module_rows);
    builder_destroy(inspection.builder);
    return ok;
}
