/* Recordings that a test builds, and what the report says of them. */
#ifndef LEAKSPY_TESTS_REPORTED_H
#define LEAKSPY_TESTS_REPORTED_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <jansson.h>

#include "analyzer/report/report.h"
#include "tests/unit/analyzer/recording_builder.h"

/* What is stuck for 10 s, with 8 frames of a stack. */
extern const struct report_options usual;

/* Reads, judges and writes what was built, by way of builder_path("report.rec"); the builder goes,
 * and the caller frees the text. */
char *write_report(struct builder *b, const struct report_options *options, uint64_t max_tasks,
                   bool (*write)(const struct report *, FILE *));
json_t *write_json(struct builder *b, const struct report_options *options, uint64_t max_tasks);

/* Five senders on channels of their own, a mutex and its holder, one sleeper. */
struct builder *build_leak(void);

/* A thread of this process, which runs, parked where the sampler has not looked for so long;
 * negative: never. */
struct builder *build_unwatched(int64_t not_looked_ns);

#endif
