/* The memory of a program with tasks of libtaskrt (odd lengths) or goroutines of gccgo (even ones):
 * their tables are at the beginning. */
#include <stdlib.h>

#include "analyzer/debug/unwind.h"
#include "analyzer/inspect/libgo.h"
#include "analyzer/inspect/taskrt.h"
#include "analyzer/inspect/taskrt_list.h"
#include "analyzer/snapshot/builder.h"
#include "tests/fuzz/fuzz.h"

static void tell_taskrt(struct inspection *inspection, uint8_t *copy)
{
    struct taskrt_inspect found;
    uint32_t version;
    const struct taskrt_inspect head = {
        .magic = TASKRT_INSPECT_MAGIC, .version = TASKRT_INSPECT_VERSION, .bytes = sizeof(head)};
    memcpy(copy, &head, offsetof(struct taskrt_inspect, head));
    if (taskrt_read_table(inspection->image, FUZZ_ADDRESS, &found, &version) == TASKRT_FOUND)
        FUZZ_CHECK(inspect_taskrt_tell(inspection, &found));
}

static void tell_libgo(struct inspection *inspection, const uint8_t *copy)
{
    static struct libgo_runtime runtime;
    runtime = (struct libgo_runtime){
        .all_g_pointer = FUZZ_ADDRESS,
        .all_g_count = FUZZ_ADDRESS + 8,
        .all_m = FUZZ_ADDRESS + 16,
        .all_p = FUZZ_ADDRESS + 24,
        .send_time = word_at(copy, 48),
        .reason_count = 3,
    };
    static const char *const reasons[] = {"select", "chan receive", "semacquire"};
    for (size_t i = 0; i < 3; i++) {
        strcpy(runtime.reasons[i].text, reasons[i]);
        go_reason_explain(&runtime.reasons[i]);
    }
    FUZZ_CHECK(inspect_libgo_tell(inspection, &runtime));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static char exe[] = "app";
    struct image_module module = {0};
    struct image_mapping mapping = {.start = FUZZ_ADDRESS,
                                    .end = FUZZ_ADDRESS + bytes,
                                    .readable = true,
                                    .writable = true,
                                    .name = ""};
    struct snapshot snapshot;
    if (bytes < sizeof(struct taskrt_inspect))
        return 0;
    uint8_t *copy = malloc(bytes);
    FUZZ_CHECK(copy);
    memcpy(copy, data, bytes);
    struct image image = {.exe = exe,
                          .live = true,
                          .memory = fuzz_memory(copy, bytes),
                          .modules = &module,
                          .module_count = 1,
                          .mappings = &mapping,
                          .mapping_count = 1};
    snapshot_init(&snapshot);
    struct inspection inspection = {.image = &image, .builder = builder_create(&snapshot)};
    FUZZ_CHECK(inspection.builder);
    if (bytes % 2)
        tell_taskrt(&inspection, copy);
    else
        tell_libgo(&inspection, copy);
    for (size_t i = 0; i < image.note_count; i++)
        free(image.notes[i]);
    free(image.notes);
    debug_unwind_destroy(inspection.unwind);
    builder_destroy(inspection.builder);
    snapshot_deinit(&snapshot);
    free(copy);
    return 0;
}
