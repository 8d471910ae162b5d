#include "analyzer/report.h"

#include <string.h>

const struct report_format report_formats[] = {
    {"text", report_write_text},
    {"json", report_write_json},
    {NULL, NULL},
};

const struct report_format *report_format_find(const char *name)
{
    for (const struct report_format *format = report_formats; format->name; format++) {
        if (strcmp(format->name, name) == 0)
            return format;
    }
    return NULL;
}

bool report_shows(const struct report *report, const struct group *group)
{
    if (group->verdict == VERDICT_WAITING && !report->options->all)
        return false;
    return group->count >= report->options->min_count;
}

size_t report_findings(const struct report *report)
{
    size_t findings = 0;
    for (size_t i = 0; i < report->verdicts->count; i++) {
        const struct group *group = &report->verdicts->groups[i];
        findings += group->verdict != VERDICT_WAITING && report_shows(report, group);
    }
    return findings;
}
