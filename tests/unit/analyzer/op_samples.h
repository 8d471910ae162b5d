/* Wait stacks as debuggers and our own demangler showed them for real programs, and what they are.
 */
#ifndef LEAKSPY_TESTS_OP_SAMPLES_H
#define LEAKSPY_TESTS_OP_SAMPLES_H

#include "analyzer/naming/op_rules.h"
#include "analyzer/naming/op_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct sample {
    const char *recorded; /* the op in the recording */
    const char *op;       /* what it is called in the report */
    const char *idle;     /* a part of the reason; op_for_an_answer; NULL: not idle */
    const char *stack[16];
};

/* A frame as a sample writes it: "function", "FILE!function", "FILE!", or "?" for one without a
 * name in the file "a", where all are that say no other. */
static inline struct op_frame frame_of(const char *text, char file[64])
{
    const char *mark = strchr(text, '!');
    if (mark == NULL)
        return (struct op_frame){strcmp(text, "?") == 0 ? NULL : text, "a"};
    memcpy(file, text, (size_t)(mark - text));
    file[mark - text] = '\0';
    return (struct op_frame){mark[1] != '\0' ? mark + 1 : NULL, file};
}

static inline void check(const struct sample *samples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct op_frame frames[16];
        char files[16][64];
        size_t frame_count = 0;
        for (; samples[i].stack[frame_count] != NULL; frame_count++)
            frames[frame_count] = frame_of(samples[i].stack[frame_count], files[frame_count]);
        struct op_name name = op_rules_apply(samples[i].recorded, frames, frame_count);
        assert_string_equal(name.op, samples[i].op);
        assert_int_equal(name.for_answer, samples[i].idle == op_for_an_answer);
        const char *idle = name.idle_because ? name.idle_because : "not idle";
        if (samples[i].idle == NULL || samples[i].idle == op_for_an_answer)
            assert_string_equal(idle, "not idle");
        else
            assert_non_null(strstr(idle, samples[i].idle));
    }
}

#define CHECK(samples) check(samples, sizeof(samples) / sizeof((samples)[0]))

#endif
