#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "analyzer/naming/stacks.h"
#include "analyzer/naming/waits.h"
#include "analyzer/report/report.h"
#include "analyzer/verdict/verdict.h"

const char *fuzz_file(const uint8_t *data, size_t bytes)
{
    static char path[64];
    static int fd = -1;
    if (fd >= 0)
        close(fd);
    fd = memfd_create("fuzz", MFD_CLOEXEC);
    FUZZ_CHECK(fd >= 0 && write(fd, data, bytes) == (ssize_t)bytes);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return path;
}

static struct {
    struct mem_reader reader;
    const uint8_t *data;
    size_t bytes;
} memory;

static void read_memory(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    (void)reader;
    for (size_t i = 0; i < count; i++) {
        uint64_t at = pieces[i].address - FUZZ_ADDRESS;
        pieces[i].ok = at <= memory.bytes && pieces[i].bytes <= memory.bytes - at;
        if (pieces[i].ok && pieces[i].bytes)
            memcpy(pieces[i].to, memory.data + at, pieces[i].bytes);
    }
}

struct mem_reader *fuzz_memory(const uint8_t *data, size_t bytes)
{
    memory.reader.read = read_memory;
    memory.data = data;
    memory.bytes = bytes;
    return &memory.reader;
}

void fuzz_check_text(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)text[i];
        FUZZ_CHECK(c == '\n' || (c >= 0x20 && c != 0x7f));
    }
}

static void write_as(const char *format, const struct report *report)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    FUZZ_CHECK(out && report_format_find(format)->write(report, out));
    fclose(out);
    if (format[0] == 'j') {
        json_t *json = json_loadb(text, bytes, 0, NULL);
        FUZZ_CHECK(json);
        json_decref(json);
    } else {
        fuzz_check_text(text, bytes);
    }
    free(text);
}

void fuzz_report(const struct snapshot *snapshot)
{
    struct waits waits;
    struct verdicts verdicts;
    struct verdict_options judging = {.threshold_ns = 1000000, .max_tasks = 100};
    struct report_options options = {
        .threshold_ns = 1000000, .min_count = 1, .frames = 8, .all = true};
    FUZZ_CHECK(waits_init(&waits, snapshot));
    struct stacks *stacks = stacks_create(snapshot);
    FUZZ_CHECK(stacks && waits_name(&waits, snapshot, stacks) &&
               verdicts_init(&verdicts, snapshot, &waits, &judging));
    struct report report = {snapshot, &verdicts, stacks, &options};
    write_as("text", &report);
    write_as("json", &report);
    verdicts_deinit(&verdicts);
    stacks_destroy(stacks);
    waits_deinit(&waits);
}
