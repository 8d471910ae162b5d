/* JSON as all commands write it. */
#ifndef LEAKSPY_ANALYZER_REPORT_JSON_H
#define LEAKSPY_ANALYZER_REPORT_JSON_H

#include <jansson.h>

/* Nothing but ASCII: a terminal takes some other characters for orders, or shows them where they do
 * not stand. */
#define REPORT_JSON_LINE (JSON_COMPACT | JSON_ENSURE_ASCII)

/* Text that may hold any bytes. NULL gives null; NULL is returned where there is no memory. */
json_t *report_json_text(const char *bytes);

#endif
