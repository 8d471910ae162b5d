/* What `leakspy report` is asked for. */
#ifndef LEAKSPY_ANALYZER_REPORT_REQUEST_H
#define LEAKSPY_ANALYZER_REPORT_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/base/err.h"
#include "analyzer/image/kept_stacks.h"
#include "analyzer/recording/recordings.h"
#include "analyzer/report/report.h"

struct request {
    struct report_options report;
    struct verdict_options verdict;
    const struct report_format *format;
    const char *output;
    const char *color;
    const char *source;
    const char *exe;          /* of a core; NULL: the one that it names */
    bool no_recording;        /* of a process, what was recorded of it does not matter */
    int64_t watch_ns;         /* 0: one look */
    struct kept_stacks *kept; /* of a watch, from one look to the next; NULL: there is one look */
    bool has_threshold;
    bool has_relatives; /* what was found to report on was started by others, or started them */
    struct recording_list started; /* of programs that the one reported on started */
    bool exit_code;
    int ask; /* OPTION_HELP or OPTION_VERSION, where that is all that is wanted */
};

/* Fills *request from the command line. False: wrong usage. */
bool report_request_read(struct request *request, int argc, char **argv, struct err *err);

/* Whether a source is the number of a process. */
bool report_request_is_pid(const char *source);

#endif
