/* A report: a snapshot and its verdicts, written in one of several formats.
 *
 * To add a format: one file with one function, and one row in report.c. */
#ifndef LEAKSPY_ANALYZER_REPORT_REPORT_H
#define LEAKSPY_ANALYZER_REPORT_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "analyzer/naming/stacks.h"
#include "analyzer/snapshot/snapshot.h"
#include "analyzer/verdict/verdict.h"

struct report_options {
    int64_t threshold_ns;
    uint64_t min_count; /* smaller groups are left out */
    bool all;           /* `waiting` groups too */
    uint64_t frames;    /* of each stack in the text */
    bool colour;
};

struct report {
    const struct snapshot *snapshot;
    const struct verdicts *verdicts;
    struct stacks *stacks;
    const struct report_options *options;
};

struct report_format {
    const char *name;
    bool (*write)(const struct report *report, FILE *out); /* false: no memory */
};

/* Ends with a row whose name is NULL; the first is the default. */
extern const struct report_format report_formats[];

/* NULL: there is no format of that name. */
const struct report_format *report_format_find(const char *name);

/* Whether a group is to be shown. */
bool report_shows(const struct report *report, const struct group *group);

/* Whether a group's spawn site is no more than the function that its tasks began in. */
bool report_spawn_is_start(const struct report *report, const struct group *group);

/* How many groups other than `waiting` are shown. */
size_t report_findings(const struct report *report);

/* Calls visit(note, arg) with each sentence about the picture as a whole that a reader has to know
 * before they believe it. */
void report_notes(const struct report *report, void (*visit)(const char *note, void *arg),
                  void *arg);

/* Why it cannot be said that nothing is wrong where nothing was found; NULL: it can. */
const char *report_doubt(const struct report *report);

bool report_write_text(const struct report *report, FILE *out);
bool report_write_json(const struct report *report, FILE *out);

#endif
