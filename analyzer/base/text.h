/* Text for people and for JSON, made of bytes that somebody else chose. */
#ifndef LEAKSPY_ANALYZER_BASE_TEXT_H
#define LEAKSPY_ANALYZER_BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Copy `from` to `to` (at most `bytes`, always terminated) so that a terminal shows it and obeys
 * nothing: control characters and bytes that are not UTF-8 become \xNN. Returns `to`. */
char *text_printable(const char *from, char *to, size_t bytes);

/* The same in memory of its own, of any length; to be freed. NULL when there is no memory. */
char *text_printable_dup(const char *from);

/* `from` as valid UTF-8, each byte that is none replaced by U+FFFD; to be freed. NULL when there is
 * no memory. `bytes` bytes are read, NUL not treated specially. */
char *text_utf8_dup(const char *from, size_t bytes);

/* A duration as a person says it, to about two digits: "0s", "350ms", "12s", "2m 5s", "3h 10m".
 * Negative: "unknown time". Returns `to`, which needs 32 bytes. */
char *text_duration(int64_t duration_ns, char to[32]);

/* A time of CLOCK_REALTIME in ns as RFC 3339 in UTC: "2026-11-23T10:00:00.123Z". */
char *text_rfc3339(int64_t unix_ns, char to[40]);

/* A function of the C library under the name that programs are written with, of whose bytes it
 * returns the number: "__GI___pthread_mutex_lock@@GLIBC_2.2.5" is pthread_mutex_lock, "__read_chk"
 * is read. *ret points into `symbol`. */
size_t text_plain_function(const char *symbol, const char **ret);

/* The length of a path without " (deleted)", which the kernel puts behind that of a file which has
 * been removed or replaced. Source: d_path in Linux's fs/d_path.c. */
size_t text_undeleted(const char *path);

/* The part of a path after its last '/'. */
const char *text_basename(const char *path);

#endif
