#include "tests/unit/analyzer/recording_builder.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct builder {
    char *bytes;
    size_t count;
    uint64_t next_id;
    uint32_t threads;
};

static void must(int condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "recording_builder: %s\n", what);
    abort();
}

static size_t stride_of(enum rec_table_id id)
{
    static const size_t strides[REC_TABLE_COUNT + 1] = {
        [REC_TABLE_TASKS] = sizeof(struct rec_task),
        [REC_TABLE_SITES] = sizeof(struct rec_site),
        [REC_TABLE_PCS] = sizeof(uint64_t),
        [REC_TABLE_FRAMES] = sizeof(struct rec_frame),
        [REC_TABLE_STRINGS] = 1,
        [REC_TABLE_MODULES] = sizeof(struct rec_module),
        [REC_TABLE_CALLS] = sizeof(struct rec_call),
        [REC_TABLE_CASES] = sizeof(struct rec_case),
        [REC_TABLE_DESCRIPTORS] = sizeof(struct rec_descriptor),
        [REC_TABLE_ASLEEP] = sizeof(struct rec_asleep),
    };
    return strides[id];
}

struct rec_header *builder_header(struct builder *builder)
{
    return (struct rec_header *)builder->bytes;
}

struct rec_table *builder_table(struct builder *builder, enum rec_table_id id)
{
    return &builder_header(builder)->tables[id - 1];
}

/* The row of that number. */
static void *row_at(struct builder *builder, enum rec_table_id id, uint32_t row)
{
    const struct rec_table *table = builder_table(builder, id);
    return builder->bytes + table->offset + (size_t)row * table->stride;
}

/* Takes `rows` rows; the number of the first. */
static uint32_t take(struct builder *builder, enum rec_table_id id, uint32_t rows)
{
    struct rec_table *table = builder_table(builder, id);
    must(rows <= table->capacity - table->count, "a table is full");
    uint32_t first = table->count;
    table->count += rows;
    return first;
}

static void lay_out(struct builder *builder, uint32_t tasks)
{
    uint64_t offset = REC_HEADER_BYTES;
    struct rec_table tables[REC_TABLE_COUNT];
    for (unsigned id = 1; id <= REC_TABLE_COUNT; id++) {
        uint32_t rows = (uint32_t)(4096 / stride_of(id));
        if (id == REC_TABLE_TASKS && tasks + 1 > rows)
            rows = tasks + 1;
        tables[id - 1] = (struct rec_table){
            .id = id,
            .version = 1,
            .offset = offset,
            .stride = (uint32_t)stride_of(id),
            .capacity = rows,
            .count = 1,
        };
        offset += (rows * stride_of(id) + 4095) / 4096 * 4096;
    }
    builder->count = offset;
    builder->bytes = calloc(1, offset);
    must(builder->bytes != NULL, "no memory");
    memcpy(builder_header(builder)->tables, tables, sizeof(tables));
}

struct builder *builder_create_for(uint32_t tasks)
{
    struct builder *builder = calloc(1, sizeof(*builder));
    must(builder != NULL, "no memory");
    lay_out(builder, tasks);

    struct rec_header *header = builder_header(builder);
    header->magic = REC_MAGIC;
    header->major = REC_MAJOR;
    header->minor = REC_MINOR;
    header->header_bytes = REC_HEADER_BYTES;
    header->byte_order = REC_BYTE_ORDER;
    header->state = REC_STATE_RUNNING;
    header->file_bytes = builder->count;
    header->table_count = REC_TABLE_COUNT;
    header->pid = 0x7ffffff0; /* above the kernel's limit: nobody has it */
    header->uid = getuid();
    header->process_start_ticks = 12345;
    header->started_unix_ns = BUILDER_STARTED_UNIX_NS;
    header->started_ns = BUILDER_STARTED_NS;
    header->sample_period_ns = 100 * MILLISECOND;
    header->last_walk_ns = BUILDER_NOW_NS;
    header->op_classes = REC_CLASS_ALL;
    header->runtimes = REC_RUNTIME_PTHREAD;
    header->epoch = 1;
    header->exe = builder_string(builder, "/opt/app/server");
    header->cmdline = builder_string(builder, "./server");
    builder_string(builder, "--port=1");
    header->cmdline_bytes = sizeof("./server") + sizeof("--port=1");
    return builder;
}

struct builder *recording_builder_create(void)
{
    return builder_create_for(1);
}

void recording_builder_destroy(struct builder *builder)
{
    free(builder->bytes);
    free(builder);
}

uint32_t builder_string(struct builder *builder, const char *text)
{
    uint32_t bytes = (uint32_t)strlen(text) + 1;
    uint32_t at = take(builder, REC_TABLE_STRINGS, bytes);
    memcpy(row_at(builder, REC_TABLE_STRINGS, at), text, bytes);
    return at;
}

uint32_t builder_module(struct builder *builder, const char *path, uint64_t start, uint64_t end)
{
    uint32_t number = take(builder, REC_TABLE_MODULES, 1);
    struct rec_module *module = row_at(builder, REC_TABLE_MODULES, number);
    *module = (struct rec_module){
        .start = start,
        .end = end,
        .bias = start,
        .path = builder_string(builder, path),
        .build_id_bytes = 4,
        .build_id = {0xde, 0xad, 0xbe, 0xef},
        .loaded_epoch = 1,
        .loaded_ns = BUILDER_STARTED_NS,
    };
    return number;
}

uint32_t builder_site(struct builder *builder, const uint64_t *pcs, uint16_t count)
{
    uint32_t number = take(builder, REC_TABLE_SITES, 1);
    struct rec_site *site = row_at(builder, REC_TABLE_SITES, number);
    site->first_pc = take(builder, REC_TABLE_PCS, count);
    site->pc_count = count;
    site->epoch = 1;
    site->hash = 0x1234567890 + number;
    memcpy(row_at(builder, REC_TABLE_PCS, site->first_pc), pcs, count * sizeof(*pcs));
    return number;
}

void builder_flag_site(struct builder *builder, uint32_t site, uint16_t flags)
{
    ((struct rec_site *)row_at(builder, REC_TABLE_SITES, site))->flags |= flags;
}

void builder_cut_site(struct builder *builder, uint32_t site)
{
    builder_flag_site(builder, site, REC_SITE_CUT);
}

void builder_frame(struct builder *builder, uint64_t pc, uint32_t module, const char *function)
{
    struct rec_frame *frame = row_at(builder, REC_TABLE_FRAMES, take(builder, REC_TABLE_FRAMES, 1));
    *frame = (struct rec_frame){pc, module, builder_string(builder, function), pc - 4};
}

uint32_t builder_call(struct builder *builder, const char *name, enum rec_op op, uint16_t flags)
{
    uint32_t count = builder_table(builder, REC_TABLE_CALLS)->count;
    for (uint32_t i = 1; i < count; i++) {
        const struct rec_call *call = row_at(builder, REC_TABLE_CALLS, i);
        const char *known = row_at(builder, REC_TABLE_STRINGS, call->name);
        if (call->op == op && call->flags == flags && strcmp(known, name) == 0)
            return i;
    }
    uint32_t number = take(builder, REC_TABLE_CALLS, 1);
    struct rec_call *call = row_at(builder, REC_TABLE_CALLS, number);
    *call = (struct rec_call){builder_string(builder, name), op, flags};
    return number;
}

uint32_t builder_case(struct builder *builder, enum rec_op op, uint64_t channel)
{
    uint32_t number = take(builder, REC_TABLE_CASES, 1);
    struct rec_case *row = row_at(builder, REC_TABLE_CASES, number);
    *row = (struct rec_case){.object = channel, .op = op, .detail_flags = REC_DETAIL_CHANNEL};
    return number;
}

struct rec_task *builder_task(struct builder *builder, enum rec_kind kind, const char *name)
{
    struct rec_task *task = row_at(builder, REC_TABLE_TASKS, take(builder, REC_TABLE_TASKS, 1));
    task->id = ++builder->next_id;
    task->kind = kind;
    task->state = REC_TASK_LIVE;
    task->handle = 0x90000 + task->id * 0x100;
    snprintf(task->name, sizeof(task->name), "%s", name);
    builder_header(builder)->spawned++;
    builder_header(builder)->last_id = task->id;
    return task;
}

struct rec_task *builder_thread(struct builder *builder, const char *name)
{
    struct rec_task *task = builder_task(builder, REC_KIND_THREAD, name);
    builder->threads++;
    task->flags = REC_TASK_JOINABLE;
    task->os_tid = 1000 + builder->threads;
    task->handle = 0x7000 + builder->threads;
    return task;
}

void builder_park(struct builder *builder, struct rec_task *task, const char *call, enum rec_op op,
                  uint64_t object, int64_t parked_ns, uint32_t wait_site)
{
    task->gen = task->seq = 7;
    task->seen_gen = 7;
    task->call = (uint16_t)builder_call(builder, call, op, 0);
    task->object = object;
    task->since_ns = builder_header(builder)->last_walk_ns - (uint64_t)parked_ns;
    task->wait_site = wait_site;
    if (wait_site == 0)
        task->detail_flags |= REC_DETAIL_NO_STACK;
}

void builder_owner(struct rec_task *task, const struct rec_task *owner)
{
    task->detail_flags |= REC_DETAIL_OWNER;
    task->detail_a = owner->os_tid;
}

void builder_channel(struct rec_task *task, uint32_t capacity, uint32_t length)
{
    task->detail_flags |= REC_DETAIL_CHANNEL;
    task->detail_a = capacity;
    task->detail_b = length;
}

void builder_select(struct rec_task *task, uint32_t first_case, uint16_t count)
{
    task->case_first = first_case;
    task->case_count = count;
}

/* The row beside that of the task in a table that has one for each of the first. */
static void *row_beside(struct builder *builder, enum rec_table_id id, const struct rec_task *task)
{
    struct rec_table *table = builder_table(builder, id);
    const struct rec_task *tasks = row_at(builder, REC_TABLE_TASKS, 0);
    uint32_t number = (uint32_t)(task - tasks);
    must(number < table->capacity, "a table is full");
    table->count = number < table->count ? table->count : number + 1;
    return row_at(builder, id, number);
}

struct rec_descriptor *builder_descriptor(struct builder *builder, const struct rec_task *task)
{
    struct rec_descriptor *row = row_beside(builder, REC_TABLE_DESCRIPTORS, task);
    row->task = task->id;
    row->wait = task->gen;
    return row;
}

struct rec_asleep *builder_asleep(struct builder *builder, struct rec_task *task)
{
    struct rec_asleep *row = row_beside(builder, REC_TABLE_ASLEEP, task);
    *row = (struct rec_asleep){
        .task = task->id,
        .wait = task->seen_gen,
        .call = task->call,
        .wait_flags = task->wait_flags,
        .object = task->object,
        .arg = task->arg,
    };
    task->gen = 0;
    task->what = task->object = task->cfa = task->fp = 0;
    task->detail_flags |= REC_DETAIL_PASSING | REC_DETAIL_ASLEEP | REC_DETAIL_WAITS;
    task->detail_b = rec_asleep_key(task);
    return row;
}

void builder_finish(struct rec_task *task, int64_t ended_ns)
{
    task->state = REC_TASK_FINISHED;
    task->seen_gen = REC_SEEN_FINISHED;
    task->since_ns = BUILDER_NOW_NS - (uint64_t)ended_ns;
}

const char *builder_bytes(struct builder *builder, size_t *ret_bytes)
{
    *ret_bytes = builder->count;
    return builder->bytes;
}

void builder_write_bytes(const char *path, const void *bytes, size_t count)
{
    FILE *file = fopen(path, "w");
    must(file != NULL && fwrite(bytes, 1, count, file) == count && fclose(file) == 0,
         "the file cannot be written");
}

void builder_write(struct builder *builder, const char *path)
{
    builder_write_bytes(path, builder->bytes, builder->count);
}

const char *recording_builder_end(struct builder *builder, const char *path)
{
    builder_write(builder, path);
    recording_builder_destroy(builder);
    return path;
}

void builder_map(const char *path)
{
    int fd = open(path, O_RDWR);
    must(fd >= 0 && mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED &&
             close(fd) == 0,
         "the file cannot be mapped");
}

static char folder[] = "/tmp/leakspy-test-XXXXXX";
static pid_t folder_owner;

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void remove_folder(void)
{
    if (getpid() == folder_owner)
        nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *builder_path(const char *name)
{
    static char paths[128][128];
    static unsigned count;
    if (!folder_owner) {
        must(mkdtemp(folder) != NULL, "no folder for the test's files");
        folder_owner = getpid();
        atexit(remove_folder);
    }
    unsigned i = 0;
    while (i < count && strcmp(paths[i] + sizeof(folder), name) != 0)
        i++;
    must(i < 128, "too many files");
    count = i == count ? count + 1 : count;
    snprintf(paths[i], sizeof(paths[0]), "%s/%s", folder, name);
    return paths[i];
}
