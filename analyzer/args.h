/* Values of options: read the same way by every command. */
#ifndef LEAKSPY_ANALYZER_ARGS_H
#define LEAKSPY_ANALYZER_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/base/err.h"

/* Each reads all of `text` and fails with ERR_USAGE about `what` (an option's name) otherwise.
 *
 * A duration: "500ms", "1.5s", "2m", "1h30m"; units are ns, us, ms, s, m, h, d; a number alone is
 * of seconds. At most 292 years. */
bool args_duration(const char *what, const char *text, int64_t *ret_ns, struct err *err);

/* A size in bytes: a number, perhaps with a fraction and a unit: K, M, G, T (powers of 1024, also
 * written KiB, MiB …) or B. */
bool args_size(const char *what, const char *text, uint64_t *ret_bytes, struct err *err);

/* A count: decimal digits, at least `least`. */
bool args_count(const char *what, const char *text, uint64_t least, uint64_t *ret, struct err *err);

#endif
