#include "preload/recording_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "preload/clock.h"
#include "preload/proc.h"
#include "preload/sites.h"
#include "preload/sys.h"
#include "preload/tables.h"
#include "preload/text.h"

struct recorder recorder;
struct recorder_options recorder_options;
bool recorder_quiet;
const uint8_t recorder_op_classes[REC_OP_COUNT] = {
#define X(name, number, text, object, class) [number] = REC_CLASS_##class,
    REC_OPS(X)
#undef X
};
__thread struct recorder_thread recorder_thread __attribute__((tls_model("initial-exec")));

static struct {
    void *base;
    uint64_t bytes;
} mapping;

void recorder_say(const char *what, const char *about, long error)
{
    char line[PLACE_ROOM + 128];
    struct text text = {.at = line, .room = sizeof(line)};
    if (!recorder_options.verbose)
        return;
    text_string(&text, "leakspy: ");
    text_string(&text, about);
    text_string(&text, ": ");
    text_string(&text, what);
    if (error != 0) {
        text_string(&text, ": error ");
        text_number(&text, (uint64_t)-error);
    }
    text_char(&text, '\n');
    sys_call(SYS_write, 2, line, (size_t)(text.at - line));
}

static void fill_header(struct rec_header *header, const struct recorded_process *process,
                        const struct rec_table *tables, uint64_t bytes, uint64_t ticks)
{
    header->magic = REC_MAGIC;
    header->major = REC_MAJOR;
    header->minor = REC_MINOR;
    header->header_bytes = REC_HEADER_BYTES;
    header->byte_order = REC_BYTE_ORDER;
    header->file_bytes = bytes;
    header->table_count = REC_TABLE_COUNT;
    header->pid = process->pid;
    header->parent_pid = process->parent_pid;
    header->uid = (uint32_t)sys_call(SYS_geteuid, 0);
    header->process_start_ticks = ticks;
    header->started_unix_ns = clock_read_ns(CLOCK_REALTIME);
    header->started_ns = clock_now_ns();
    header->sample_period_ns = recorder_options.sample_period_ns;
    header->op_classes = recorder_options.classes;
    header->runtimes = REC_RUNTIME_PTHREAD;
    header->epoch = 1;
    proc_boot_id(header->boot_id);
    memcpy(header->tables, tables, sizeof(header->tables));
}

static void in_proc(char path[64], const struct recorded_process *process, const char *name)
{
    struct text text = {.at = path, .room = 64};
    text_string(&text, process->proc);
    text_string(&text, name);
}

static void fill_names(struct rec_header *header, const struct recorded_process *process)
{
    char buffer[PLACE_ROOM], name[64];
    in_proc(name, process, "/exe");
    long bytes = sys_call(SYS_readlinkat, AT_FDCWD, name, buffer, sizeof(buffer));
    if (bytes > 0)
        header->exe = recorder_add_string(buffer, (size_t)bytes);
    in_proc(name, process, "/cmdline");
    bytes = (long)proc_read_file(name, buffer, sizeof(buffer));
    header->cmdline = recorder_add_string(buffer, (size_t)bytes);
    header->cmdline_bytes = header->cmdline != 0 ? (uint32_t)bytes : 0;
}

static bool memory_is_promised; /* vm.overcommit_memory is 2: the kernel promises what there is */

static void learn_promises(void)
{
    static bool known;
    char text[8];
    if (known)
        return;
    known = true;
    proc_read_file("/proc/sys/vm/overcommit_memory", text, sizeof(text));
    memory_is_promised = text[0] == '2';
}

int recording_file_make(const struct recorded_process *process, bool fork_child,
                        char path[PLACE_ROOM])
{
    struct rec_table tables[REC_TABLE_COUNT];
    uint64_t bytes = 0;
    learn_promises();
    uint64_t ticks = proc_start_ticks(process->pid);
    long fd = place_create(process->pid, ticks, fork_child, path);
    if (fd < 0) {
        recorder_say("no recording: the file cannot be made", path, fd);
        return (int)fd;
    }
    struct rec_header *header;
    long error = tables_map(fd, tables, &header, &bytes);
    sys_call(SYS_close, fd);
    if (error != 0) {
        recorder_say("no recording: no room for it", path, error);
        sys_call(SYS_unlinkat, AT_FDCWD, path, 0);
        return (int)error;
    }
    mapping.base = header;
    mapping.bytes = bytes;
    fill_header(header, process, tables, bytes, ticks);
    char *base = (char *)header;
    recorder = (struct recorder){
        .classes = recorder_options.classes,
        .tasks = (void *)(base + tables[REC_TABLE_TASKS - 1].offset),
        .sites = (void *)(base + tables[REC_TABLE_SITES - 1].offset),
        .pcs = (void *)(base + tables[REC_TABLE_PCS - 1].offset),
        .frames = (void *)(base + tables[REC_TABLE_FRAMES - 1].offset),
        .strings = base + tables[REC_TABLE_STRINGS - 1].offset,
        .modules = (void *)(base + tables[REC_TABLE_MODULES - 1].offset),
        .calls = (void *)(base + tables[REC_TABLE_CALLS - 1].offset),
        .cases = (void *)(base + tables[REC_TABLE_CASES - 1].offset),
        .descriptors = (void *)(base + tables[REC_TABLE_DESCRIPTORS - 1].offset),
        .asleep = (void *)(base + tables[REC_TABLE_ASLEEP - 1].offset),
    };
    /* Last: a thread of a fork child may ask for it meanwhile. */
    __atomic_store_n(&recorder.header, header, __ATOMIC_RELEASE);
    site_reset();
    fill_names(header, process);
    return 0;
}

void recording_file_begin(const char *path)
{
    __atomic_store_n(&recorder.header->state, REC_STATE_RUNNING, __ATOMIC_RELEASE);
    recorder_say("recording", path, 0);
}

void recording_file_end(enum rec_state state, int exit_code)
{
    struct rec_header *header = recorder.header;
    uint32_t running = REC_STATE_RUNNING;
    if (header == NULL || header->state != REC_STATE_RUNNING)
        return;
    header->exit_code = exit_code;
    header->ended_ns = recorder_quiet ? clock_now_quietly_ns() : clock_now_ns();
    __atomic_compare_exchange_n(&header->state, &running, (uint32_t)state, false, __ATOMIC_ACQ_REL,
                                __ATOMIC_RELAXED);
}

/* Lays an empty file there, which takes longer: as memory of its own, the whole would count as
 * data, and, where memory is promised, as used. No core shall have it. */
static bool lay_empty_file(void)
{
    if (!memory_is_promised && tables_limit(RLIMIT_DATA) == RLIM_INFINITY)
        return false;
    if (mapping.bytes > tables_limit(RLIMIT_FSIZE))
        return false; /* it would raise SIGXFSZ */
    long fd = sys_call(SYS_memfd_create, "leakspy", MFD_CLOEXEC);
    if (fd < 0)
        return false;
    bool laid = sys_call(SYS_ftruncate, fd, mapping.bytes) == 0 &&
                sys_call(SYS_mmap, mapping.base, mapping.bytes, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_FIXED, fd, 0) == (long)mapping.base;
    if (laid)
        sys_call(SYS_madvise, mapping.base, mapping.bytes, MADV_DONTDUMP);
    sys_call(SYS_close, fd);
    return laid;
}

void recording_file_detach(bool may_make_file)
{
    if (mapping.base != NULL && !(may_make_file && lay_empty_file()))
        sys_call(SYS_mmap, mapping.base, mapping.bytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

void recording_file_forget(void)
{
    mapping.base = NULL;
    recorder = (struct recorder){.classes = 0};
}
