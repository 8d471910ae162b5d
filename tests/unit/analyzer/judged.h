/* Recordings that a test builds in a line or two, read and judged. */
#ifndef LEAKSPY_TESTS_JUDGED_H
#define LEAKSPY_TESTS_JUDGED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "analyzer/verdict/verdict.h"
#include "tests/unit/analyzer/recording_builder.h"

struct judged {
    struct snapshot snapshot;
    struct waits waits;
    struct verdicts verdicts;
};

/* Reads what was built and judges it; the builder goes. `idle`, when not NULL, is why the waits
 * in the first call's stack are expected, as the rules over stacks would say. */
void judge(struct judged *j, struct builder *b, int64_t threshold_ns, const char *idle);
/* The same, of what was read after `change` had its way with it. */
void judge_changed(struct judged *j, struct builder *b, int64_t threshold_ns,
                   void (*change)(struct snapshot *snapshot));
void done(struct judged *j);

/* The group of that number, and its sentences. */
void assert_group(const struct judged *j, size_t number, enum verdict verdict, size_t count,
                  const char *op);
void assert_evidence(const struct judged *j, size_t number, const char *expected);
void assert_no_evidence(const struct judged *j, size_t number, const char *unexpected);

/* A thread that waits for a mutex held by another one. */
void wait_for(struct builder *b, struct rec_task *task, const struct rec_task *owner,
              uint64_t mutex);

#endif
