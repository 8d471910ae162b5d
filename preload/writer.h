/* Writes the recording of another process, whose goroutines are looked at from outside: what
 * `leakspy run` does where no library can be loaded. It is made of the same parts as libleakspy.so,
 * so that what comes out is the same.
 *
 * One recording a process, from one thread. Needs no allocation.
 */
#ifndef LEAKSPY_WRITER_H
#define LEAKSPY_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/goscan/goscan.h"
#include "preload/recording.h"

#define WRITER_PATH_BYTES 4096

struct writer_module {
    uint64_t start, end; /* lowest mapped address, first address past it */
    uint64_t bias;       /* address in memory minus address in the file's own numbering */
    const char *path;
    const uint8_t *build_id;
    uint32_t build_id_bytes; /* 32 at most; 0: it has none */
};

/* Makes the recording of the process `pid`, a child of `parent_pid`; where, how often, how much:
 * as the environment says (LEAKSPY_OUT, LEAKSPY_SAMPLE, LEAKSPY_MAX_TASKS, LEAKSPY_OPS). `path`
 * says which file it is, or would have been. Returns 0, or a negative errno value. */
int writer_open(uint32_t pid, uint32_t parent_pid, char path[WRITER_PATH_BYTES]);

/* How long to rest after the last look, in ns: the period asked for, or more where looks would take
 * too large a share of a processor. */
uint64_t writer_pause_ns(void);

/* Tells of a loaded file, whose texts are copied. No room for it, or for its path: that is counted.
 */
void writer_add_module(const struct writer_module *module);

/* Begins with the goroutines of a scanner that was opened; it has to outlive the recording. */
void writer_start(struct goscan *scan);

/* Looks at all goroutines once, and names what is new in their stacks. `go_on`: see go_record.h. */
enum go_result writer_look(bool (*go_on)(void));

/* Writes how the process ended, and leaves the file. exit_code: what state says. */
void writer_close(enum rec_state state, int exit_code);

#endif
