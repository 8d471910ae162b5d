/* leakspy dump: a recording as text, table by table, as it stands in the file: nothing is judged.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/base/limits.h"
#include "analyzer/base/output.h"
#include "analyzer/base/text.h"
#include "analyzer/commands.h"
#include "analyzer/recording/descriptors.h"
#include "analyzer/recording/file.h"
#include "analyzer/snapshot/snapshot.h"

#define CHUNK_ROWS 1024
#define MAX_STRING 4096 /* longer ones are cut */

struct dump {
    struct rec_file file;
    FILE *out;
    struct err *err;
};

/* Prints a string of the table, quoted; offsets that are not in it are shown as such. */
static void put_string(struct dump *dump, uint32_t offset)
{
    uint64_t bytes = rec_file_rows(&dump->file, REC_TABLE_STRINGS);
    char text[MAX_STRING + 1] = "";
    if (offset == 0) {
        fputs("-", dump->out);
        return;
    }
    if (offset >= bytes) {
        fprintf(dump->out, "<no string at %" PRIu32 ">", offset);
        return;
    }
    size_t count = bytes - offset < MAX_STRING ? (size_t)(bytes - offset) : MAX_STRING;
    rec_file_read(&dump->file, REC_TABLE_STRINGS, offset, count, text, 1, NULL);
    char *printable = text_printable_dup(text);
    fprintf(dump->out, "\"%s\"", printable ? printable : "?");
    free(printable);
}

static void put_bytes(FILE *out, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%02x", bytes[i]);
}

static void put_header(struct dump *dump)
{
    const struct rec_header *header = &dump->file.header;
    static const char *const states[] = {"starting", "running", "exited", "signalled", "exec"};
    FILE *out = dump->out;

    fprintf(out, "header\n");
    fprintf(out, "  version %u.%u, %" PRIu64 " bytes\n", header->major, header->minor,
            header->file_bytes);
    fprintf(out, "  state %s, exit_code %" PRId32 "\n",
            header->state < sizeof(states) / sizeof(states[0]) ? states[header->state] : "unknown",
            header->exit_code);
    fprintf(out,
            "  pid %" PRIu32 ", parent %" PRIu32 ", uid %" PRIu32 ", start_ticks %" PRIu64 "\n",
            header->pid, header->parent_pid, header->uid, header->process_start_ticks);
    fprintf(out,
            "  started_unix_ns %" PRIu64 ", started_ns %" PRIu64 ", sample_period_ns %" PRIu64 "\n",
            header->started_unix_ns, header->started_ns, header->sample_period_ns);
    fprintf(out, "  last_walk_ns %" PRIu64 ", ended_ns %" PRIu64 ", epoch %" PRIu32 "\n",
            header->last_walk_ns, header->ended_ns, header->epoch);
    fprintf(out, "  rest_ns %" PRIu64 ", boot_id ", header->rest_ns);
    put_bytes(out, header->boot_id, sizeof(header->boot_id));
    fputc('\n', out);
    fprintf(out, "  op_classes %#" PRIx32 ", runtimes %#" PRIx32 "\n", header->op_classes,
            header->runtimes);
    fprintf(out, "  exe ");
    put_string(dump, header->exe);
    fprintf(out, "\n  cmdline %" PRIu32 " bytes, from ", header->cmdline_bytes);
    put_string(dump, header->cmdline);
    if (header->go_version) {
        fprintf(out, "\n  go ");
        put_string(dump, header->go_version);
    }
    fprintf(out, "\n  spawned %" PRIu64 ", finished %" PRIu64 ", last_id %" PRIu64 "\n",
            header->spawned, header->finished, header->last_id);
    fprintf(out, "  free_list %" PRIu32 ", tag %" PRIu32 "\n", (uint32_t)header->free_list,
            (uint32_t)(header->free_list >> 32));
    fprintf(out,
            "  lost: tasks %" PRIu64 ", sites %" PRIu64 ", stacks %" PRIu64
            "; unreadable tasks %" PRIu64 "\n",
            header->lost_tasks, header->lost_sites, header->lost_stacks, header->unreadable_tasks);
    for (unsigned id = 1; id <= REC_TABLE_COUNT; id++) {
        const struct rec_table *table = &dump->file.tables[id];
        if (table->stride)
            fprintf(out,
                    "  table %u: version %" PRIu32 ", offset %" PRIu64 ", stride %" PRIu32
                    ", capacity %" PRIu32 ", count %" PRIu32 ", lost %" PRIu32 "\n",
                    id, table->version, table->offset, table->stride, table->capacity, table->count,
                    table->lost);
    }
}

static bool is_zero(const void *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (((const unsigned char *)bytes)[i])
            return false;
    }
    return true;
}

static void put_task(struct dump *dump, const void *row)
{
    const struct rec_task *task = row;
    static const char *const states[] = {"free", "live", "finished", "ending"};
    char name[sizeof(task->name) + 1] = "";
    char printable[4 * sizeof(name)];
    memcpy(name, task->name, sizeof(task->name));
    text_printable(name, printable, sizeof(printable));
    fprintf(dump->out,
            "id %" PRIu64 " %s %s flags %#x tid %" PRIu32 " handle %#" PRIx64 " spawn_site %" PRIu32
            " name \"%s\"",
            task->id, snapshot_kind_name(task->kind),
            task->state < sizeof(states) / sizeof(states[0]) ? states[task->state] : "unknown",
            task->flags, task->os_tid, task->handle, task->spawn_site, printable);
    if (task->state == REC_TASK_FREE)
        fprintf(dump->out, " next_free %" PRIu32, task->next_free);
    if (task->flags & REC_TASK_SCANNED) {
        fprintf(dump->out,
                "\n        runtime_id %" PRIu64 " spawner %" PRIu64 " labels at %" PRIu64,
                task->runtime_id, task->spawner, task->labels);
    }
    if (rec_task_wait(task) == 0) {
        fprintf(dump->out, " seq %" PRIu32, task->seq);
        return;
    }
    bool asleep = task->detail_flags & REC_DETAIL_ASLEEP;
    fprintf(dump->out,
            "\n        %s gen %" PRIu32 " seq %" PRIu32 " call %u flags %#x arg %" PRIu32
            " object %#" PRIx64,
            asleep ? "asleep; published" : "wait", task->gen, task->seq, task->call,
            task->wait_flags, task->arg, task->object);
    if (!(task->flags & REC_TASK_SCANNED))
        fprintf(dump->out, " cfa %#" PRIx64 " fp %#" PRIx64, task->cfa, task->fp);
    fprintf(dump->out,
            "\n        seen gen %" PRIu32 " since_ns %" PRIu64 " wait_site %" PRIu32
            " detail %#x %" PRIu32 " %" PRIu32 " cases %" PRIu32 "+%u",
            task->seen_gen, task->since_ns, task->wait_site, task->detail_flags, task->detail_a,
            task->detail_b, task->case_first, task->case_count);
}

static void put_site(struct dump *dump, const void *row)
{
    const struct rec_site *site = row;
    fprintf(dump->out, "hash %016" PRIx64 " epoch %" PRIu32 "%s%s", site->hash, site->epoch,
            site->flags & REC_SITE_CUT ? " cut" : "",
            site->flags & REC_SITE_BROKEN ? " broken" : "");
    uint64_t rows = rec_file_rows(&dump->file, REC_TABLE_PCS);
    if (site->first_pc > rows || site->pc_count > rows - site->first_pc) {
        fprintf(dump->out, " <no pcs at %" PRIu32 "+%u>", site->first_pc, site->pc_count);
        return;
    }
    uint64_t pcs[64];
    for (unsigned done = 0; done < site->pc_count;) {
        size_t count = site->pc_count - done < 64U ? site->pc_count - done : 64U;
        if (!rec_file_read(&dump->file, REC_TABLE_PCS, site->first_pc + done, count, pcs,
                           sizeof(*pcs), NULL))
            return;
        for (size_t i = 0; i < count; i++)
            fprintf(dump->out, " %#" PRIx64, pcs[i]);
        done += (unsigned)count;
    }
}

static void put_frame(struct dump *dump, const void *row)
{
    const struct rec_frame *frame = row;
    fprintf(dump->out, "pc %#" PRIx64 " module %" PRIu32 " start %#" PRIx64 " function ", frame->pc,
            frame->module, frame->function_start);
    put_string(dump, frame->function);
}

static void put_module(struct dump *dump, const void *row)
{
    const struct rec_module *module = row;
    fprintf(dump->out,
            "%#" PRIx64 "-%#" PRIx64 " bias %#" PRIx64 " epochs %" PRIu32 "-%" PRIu32 " ",
            module->start, module->end, module->bias, module->loaded_epoch, module->unloaded_epoch);
    put_string(dump, module->path);
    fprintf(dump->out, " build-id ");
    size_t kept = sizeof(module->build_id);
    put_bytes(dump->out, module->build_id,
              module->build_id_bytes < kept ? module->build_id_bytes : kept);
    if (module->build_id_bytes > kept)
        fprintf(dump->out, " <of %" PRIu32 " bytes>", module->build_id_bytes);
    else if (module->build_id_bytes == 0)
        fputs("-", dump->out);
    fprintf(dump->out, " loaded_ns %" PRIu64, module->loaded_ns);
}

static void put_call(struct dump *dump, const void *row)
{
    const struct rec_call *call = row;
    fprintf(dump->out, "%s%s ", snapshot_op_name(call->op),
            call->flags & REC_CALL_REASON ? " (reason)" : "");
    put_string(dump, call->name);
}

static void put_case(struct dump *dump, const void *row)
{
    const struct rec_case *one = row;
    fprintf(dump->out,
            "%s object %#" PRIx64 " capacity %" PRIu32 " length %" PRIu32 " detail %#x"
            " room %" PRIu32,
            snapshot_op_name(one->op), one->object, one->capacity, one->length, one->detail_flags,
            one->room);
}

static void put_descriptor(struct dump *dump, const void *row)
{
    const struct rec_descriptor *descriptor = row;
    char text[RECORDING_DESCRIPTOR_TEXT];
    bool whole = recording_descriptor_text(descriptor, false, text);
    fprintf(dump->out, "task %" PRIu64 " wait %" PRIu32 " protocol %u addresses %u %u %s",
            descriptor->task, descriptor->wait, descriptor->protocol, descriptor->local_bytes,
            descriptor->peer_bytes, whole ? text : "<damaged>");
}

static void put_asleep(struct dump *dump, const void *row)
{
    const struct rec_asleep *asleep = row;
    fprintf(dump->out,
            "task %" PRIu64 " wait %" PRIu32 " call %u flags %#x arg %" PRIu32 " object %#" PRIx64,
            asleep->task, asleep->wait, asleep->call, asleep->wait_flags, asleep->arg,
            asleep->object);
}

static const struct {
    const char *name;
    enum rec_table_id id;
    size_t row_bytes;
    void (*put)(struct dump *dump, const void *row);
} tables[] = {
    {"modules", REC_TABLE_MODULES, sizeof(struct rec_module), put_module},
    {"calls", REC_TABLE_CALLS, sizeof(struct rec_call), put_call},
    {"sites", REC_TABLE_SITES, sizeof(struct rec_site), put_site},
    {"frames", REC_TABLE_FRAMES, sizeof(struct rec_frame), put_frame},
    {"tasks", REC_TABLE_TASKS, sizeof(struct rec_task), put_task},
    {"cases", REC_TABLE_CASES, sizeof(struct rec_case), put_case},
    {"descriptors", REC_TABLE_DESCRIPTORS, sizeof(struct rec_descriptor), put_descriptor},
    {"asleep", REC_TABLE_ASLEEP, sizeof(struct rec_asleep), put_asleep},
};
#define TABLE_COUNT (sizeof(tables) / sizeof(tables[0]))

/* Rows of zeroes were never written, and are left out. */
static bool put_table(struct dump *dump, size_t which)
{
    enum rec_table_id id = tables[which].id;
    size_t row_bytes = tables[which].row_bytes;
    uint64_t rows = rec_file_rows(&dump->file, id);
    char *chunk = malloc(CHUNK_ROWS * row_bytes);
    if (!chunk)
        return err_set(dump->err, ERR_MEMORY, dump->file.path, "not enough memory");

    bool ok = true;
    fprintf(dump->out, "%s\n", tables[which].name);
    for (uint64_t row = rec_file_next_data(&dump->file, id, 0); ok && row < rows;) {
        size_t count = rows - row < CHUNK_ROWS ? (size_t)(rows - row) : CHUNK_ROWS;
        ok = rec_file_read(&dump->file, id, row, count, chunk, row_bytes, dump->err);
        for (size_t i = 0; ok && i < count; i++) {
            if (is_zero(chunk + i * row_bytes, row_bytes))
                continue;
            fprintf(dump->out, "  %6" PRIu64 " ", row + i);
            tables[which].put(dump, chunk + i * row_bytes);
            fputc('\n', dump->out);
        }
        ok = ok && !ferror(dump->out);
        row = rec_file_next_data(&dump->file, id, row + count);
    }
    free(chunk);
    return ok;
}

static bool put_all(struct dump *dump, const char *table)
{
    if (!table || strcmp(table, "header") == 0)
        put_header(dump);
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        if ((!table || strcmp(table, tables[i].name) == 0) && !put_table(dump, i))
            return false;
    }
    return true;
}

static bool is_table(const char *name)
{
    bool found = strcmp(name, "header") == 0;
    for (size_t i = 0; i < TABLE_COUNT; i++)
        found = found || strcmp(name, tables[i].name) == 0;
    return found;
}

enum { OPTION_TABLE = OPTION_OTHERS };

int cmd_dump(int argc, char **argv, struct err *err)
{
    static const struct option options[] = {
        {"table", required_argument, NULL, OPTION_TABLE},
        {"output", required_argument, NULL, OPTION_OUTPUT},
        COMMAND_OPTIONS,
        {NULL, 0, NULL, 0},
    };
    const char *table = NULL;
    const char *output = NULL;
    int option;
    while ((option = getopt_long(argc, argv, ":o:", options, NULL)) != -1) {
        if (command_answer(option, "dump")) {
            return EXIT_DONE;
        } else if (option == 'o' || option == OPTION_OUTPUT) {
            output = optarg;
        } else if (option == OPTION_TABLE && is_table(optarg)) {
            table = optarg;
        } else if (option == OPTION_TABLE) {
            err_set(err, ERR_USAGE, "--table", "no such table: %s", optarg);
            return EXIT_USAGE;
        } else {
            command_bad_option(err, argv, option);
            return EXIT_USAGE;
        }
    }
    if (optind + 1 != argc) {
        err_set(err, ERR_USAGE, "dump", "needs one recording");
        return EXIT_USAGE;
    }

    limits_begin();
    struct dump dump = {.err = err};
    if (!rec_file_open(&dump.file, argv[optind], err))
        return EXIT_CANNOT_SAY;
    dump.out = output_open(output, err);
    if (dump.out) {
        put_all(&dump, table);
        output_close(dump.out, output, err);
    }
    rec_file_close(&dump.file);
    return EXIT_DONE;
}
