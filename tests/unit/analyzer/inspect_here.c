#include "tests/unit/analyzer/inspect_here.h"

#include <sys/uio.h>
#include <unistd.h>

struct own_memory memory;
struct image image;
struct snapshot snapshot;
struct inspection inspection;

unsigned draw(void)
{
    memory.seed = memory.seed * 1103515245U + 12345U;
    return memory.seed >> 8;
}

static void read_own(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    (void)reader;
    memory.pieces += count;
    for (size_t i = 0; i < count; i++) {
        if (memory.before_read)
            memory.before_read(pieces[i].address, pieces[i].bytes);
        struct iovec to = {pieces[i].to, pieces[i].bytes};
        struct iovec from = {(void *)(uintptr_t)pieces[i].address, pieces[i].bytes};
        pieces[i].ok = process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)pieces[i].bytes;
        if (pieces[i].ok && pieces[i].bytes && memory.flip_one_in &&
            draw() % memory.flip_one_in == 0)
            ((unsigned char *)pieces[i].to)[draw() % pieces[i].bytes] ^=
                (unsigned char)(1U << draw() % 8);
    }
}

void inspection_begin(void)
{
    static char exe[] = "app";
    memory.reader.read = read_own;
    image = (struct image){.exe = exe, .live = true, .memory = &memory.reader};
    image.modules = calloc(1, sizeof(*image.modules));
    image.module_count = 1;
    snapshot_init(&snapshot);
    inspection = (struct inspection){.image = &image, .builder = builder_create(&snapshot)};
    assert_non_null(inspection.builder);
}

void inspection_end(void)
{
    debug_unwind_destroy(inspection.unwind);
    builder_destroy(inspection.builder);
    snapshot_deinit(&snapshot);
    free(image.modules);
    memory = (struct own_memory){0};
}

const struct snapshot_task *task_of(uint64_t id)
{
    for (size_t i = 0; i < snapshot.task_count; i++) {
        if (snapshot.tasks[i].id == id)
            return &snapshot.tasks[i];
    }
    fail_msg("no task %d", (int)id);
    return NULL;
}

uint32_t owner_row(const struct snapshot_task *task)
{
    return (uint32_t)(task - snapshot.tasks) + 1;
}

const char *op_of(const struct snapshot_task *task)
{
    return snapshot.calls[task->call].op;
}
