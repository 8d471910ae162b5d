#include "preload/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "preload/clock.h"
#include "preload/frames.h"
#include "preload/go_names.h"
#include "preload/go_record.h"
#include "preload/options.h"
#include "preload/recorder.h"
#include "preload/recording_file.h"
#include "preload/sys.h"
#include "preload/text.h"

#define LOOK_SHARE 20                    /* a look takes one part in this many of the time, */
#define LONGEST_PAUSE_NS (10 * NS_PER_S) /* unless that would make it too rare */

_Static_assert(WRITER_PATH_BYTES == PLACE_ROOM, "recording_file_make fills it");

static struct goscan *scan;
static uint64_t look_ns; /* what the last look took of a processor */

int writer_open(uint32_t pid, uint32_t parent_pid, char path[WRITER_PATH_BYTES])
{
    char proc[32];
    struct text text = {.at = proc, .room = sizeof(proc)};
    text_string(&text, "/proc/");
    text_number(&text, pid);
    const struct recorded_process process = {.pid = pid, .parent_pid = parent_pid, .proc = proc};
    options_read();
    options_make_absolute();
    look_ns = 0;
    int error = recording_file_make(&process, false, path);
    if (error != 0)
        return error;
    recorder.header->runtimes = 0; /* its threads are not recorded */
    frames_reset();
    if (!go_record_reset()) {
        recording_file_detach(true);
        recording_file_forget();
        sys_call(SYS_unlinkat, AT_FDCWD, path, 0);
        return -ENOMEM;
    }
    recording_file_begin(path);
    return 0;
}

uint64_t writer_pause_ns(void)
{
    uint64_t pause_ns = look_ns * (LOOK_SHARE - 1);
    if (pause_ns > LONGEST_PAUSE_NS)
        pause_ns = LONGEST_PAUSE_NS;
    return pause_ns > recorder_options.sample_period_ns ? pause_ns
                                                        : recorder_options.sample_period_ns;
}

void writer_add_module(const struct writer_module *from)
{
    uint32_t row = recorder_take(REC_TABLE_MODULES, 1);
    if (row == 0)
        return;
    struct rec_module *module = &recorder.modules[row];
    module->end = from->end;
    module->bias = from->bias;
    module->path = recorder_add_string(from->path, strlen(from->path));
    module->loaded_epoch = recorder.header->epoch;
    module->loaded_ns = clock_now_ns();
    if (from->build_id_bytes <= sizeof(module->build_id)) {
        memcpy(module->build_id, from->build_id, from->build_id_bytes);
        module->build_id_bytes = from->build_id_bytes;
    }
    __atomic_store_n(&module->start, from->start, __ATOMIC_RELEASE);
}

void writer_start(struct goscan *goroutines)
{
    scan = goroutines;
    go_record_start(scan);
}

static uint32_t module_of(uint64_t address, uint64_t *ret_start, uint64_t *ret_end)
{
    uint32_t count = recorder_rows(REC_TABLE_MODULES);
    for (uint32_t row = 1; row < count; row++) {
        const struct rec_module *module = &recorder.modules[row];
        if (address < module->start || address >= module->end)
            continue;
        *ret_start = module->start;
        *ret_end = module->end;
        return row;
    }
    return 0;
}

static void name(struct frames_new *frames, uint32_t count)
{
    go_names_fill(&scan->functions, frames, count);
}

enum go_result writer_look(bool (*go_on)(void))
{
    static const struct frames_source source = {.module = module_of, .name = name};
    uint64_t start_ns = clock_own_cpu_ns();
    enum go_result result = go_record_scan(scan, go_on);
    if (result == GO_OK)
        __atomic_store_n(&recorder.header->last_walk_ns, clock_now_ns(), __ATOMIC_RELEASE);
    frames_update(&source, NULL); /* the command may have ended, and this be the last look */
    look_ns = clock_own_cpu_ns() - start_ns;
    __atomic_store_n(&recorder.header->rest_ns, writer_pause_ns(), __ATOMIC_RELAXED);
    return result;
}

void writer_close(enum rec_state state, int exit_code)
{
    recording_file_end(state, exit_code);
    recording_file_detach(true);
    recording_file_forget();
}
