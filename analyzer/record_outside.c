#include "analyzer/record_outside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analyzer/base/clock.h"
#include "analyzer/base/text.h"
#include "analyzer/elf_check.h"
#include "analyzer/inspect/go_runtime.h"
#include "analyzer/process/image.h"
#include "analyzer/process/process.h"
#include "preload/writer.h"

#define FIRST_PAUSE_NS UINT64_C(1000000) /* of the search for a runtime that is starting */

static struct {
    enum { IDLE, SEARCHING, LOOKING } state;
    pid_t child;
    bool has_image, has_runtime;
    struct image image;
    struct go_runtime runtime;
    uint64_t pause_ns; /* of the search */
    uint64_t next_ns;  /* when the next look is due */
    bool recorded;     /* there is a file, open or closed */
    bool found;        /* a runtime was found in the program that runs */
    char path[WRITER_PATH_BYTES];
} outside;

static void say(const char *why)
{
    char printable[256];
    char *program = process_exe(outside.child);
    fprintf(stderr, "leakspy: cannot record %s: %s\n",
            text_printable(program ? program : "it", printable, sizeof(printable)), why);
    free(program);
}

static void forget_image(void)
{
    if (outside.has_runtime)
        go_runtime_close(&outside.runtime);
    if (outside.has_image)
        image_close(&outside.image);
    outside.has_runtime = outside.has_image = false;
}

/* Nothing can be recorded of this program. */
static void give_up(const char *why)
{
    writer_close(REC_STATE_RUNNING, 0);
    unlink(outside.path);
    say(why);
    outside.recorded = false;
    outside.state = IDLE;
}

static void begin(void)
{
    int error = writer_open((uint32_t)outside.child, (uint32_t)getpid(), outside.path);
    outside.recorded = error == 0;
    outside.found = false;
    outside.state = error == 0 ? SEARCHING : IDLE;
    outside.pause_ns = FIRST_PAUSE_NS;
    outside.next_ns = 0;
    if (error != 0) {
        char why[WRITER_PATH_BYTES + 64], printable[WRITER_PATH_BYTES];
        snprintf(why, sizeof(why), "%s: %s",
                 text_printable(outside.path, printable, sizeof(printable)), strerror(-error));
        say(why);
    }
}

void record_outside_open(pid_t child)
{
    memset(&outside, 0, sizeof(outside));
    outside.child = child;
    begin();
}

static void tell_modules(void)
{
    for (size_t i = 1; i < outside.image.module_count; i++) {
        const struct image_module *module = &outside.image.modules[i];
        writer_add_module(&(struct writer_module){
            .start = module->start,
            .end = module->end,
            .bias = module->bias,
            .path = module->path,
            .build_id = module->build_id,
            .build_id_bytes = module->build_id_bytes,
        });
    }
}

static void search_again_later(void)
{
    forget_image();
    outside.next_ns = clock_ns(CLOCK_MONOTONIC) + outside.pause_ns;
    outside.pause_ns *= 2;
    if (outside.pause_ns > writer_pause_ns())
        outside.pause_ns = writer_pause_ns();
}

/* A program that starts has no list of goroutines for a moment, and before that no memory. */
static void search(void)
{
    struct err err = {0};
    char too_old[96];
    outside.has_image = image_open_process(&outside.image, outside.child, &err);
    if (!outside.has_image && err.kind == ERR_NOT_PERMITTED) {
        give_up(err.why);
        return;
    }
    outside.has_runtime = outside.has_image && go_runtime_open(&outside.runtime, &outside.image);
    if (!outside.has_runtime) {
        search_again_later();
        return;
    }
    switch (outside.runtime.result) {
    case GO_OK:
        if (!outside.found)
            tell_modules();
        writer_start(&outside.runtime.scan);
        outside.state = LOOKING;
        setpriority(PRIO_PROCESS, 0, 19); /* from now on there is time */
        outside.found = true;
        break;
    case GO_TOO_OLD:
        snprintf(too_old, sizeof(too_old),
                 "it was built with a version of Go that is too old (before 1.%d)",
                 GO_MINOR_OLDEST);
        give_up(too_old);
        break;
    case GO_UNKNOWN_VERSION:
        give_up("it was built with a version of Go that is newer than this leakspy knows, and has "
                "no debug information that tells enough");
        break;
    default:
        search_again_later();
    }
    if (outside.state == IDLE)
        forget_image();
}

/* The process runs another program now, which may be of the same sort. */
static void begin_again(void)
{
    char why[512];
    char *program = process_exe(outside.child);
    forget_image();
    writer_close(REC_STATE_EXEC, 0);
    outside.state = IDLE;
    if (program && elf_check(program, why, sizeof(why)) == ELF_RECORDS_FROM_OUTSIDE)
        begin();
    free(program);
}

int64_t record_outside_rest_ns(void)
{
    uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
    if (outside.state == IDLE)
        return -1;
    return outside.next_ns > now_ns ? (int64_t)(outside.next_ns - now_ns) : 0;
}

void record_outside_look(bool (*go_on)(void))
{
    struct err err = {0};
    if (outside.state == SEARCHING)
        search();
    if (outside.state != LOOKING)
        return;
    bool same = outside.image.functions->check(&outside.image, &err);
    if (!same && err.kind != ERR_PROCESS_ENDED) {
        begin_again();
        return;
    }
    if (same && writer_look(go_on) == GO_NOT_FOUND &&
        outside.image.functions->check(&outside.image, &err)) {
        outside.state = SEARCHING;
        search_again_later();
        return;
    }
    outside.next_ns = clock_ns(CLOCK_MONOTONIC) + writer_pause_ns();
}

const char *record_outside_close(int status)
{
    if (outside.state != IDLE)
        writer_close(WIFSIGNALED(status) ? REC_STATE_SIGNALLED : REC_STATE_EXITED,
                     WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    if (outside.state == SEARCHING && !outside.found)
        fprintf(stderr, "leakspy: the command: ended before its goroutines were found\n");
    forget_image();
    outside.state = IDLE;
    return outside.recorded ? outside.path : NULL;
}
