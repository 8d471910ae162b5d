#include "analyzer/base/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How many bytes the UTF-8 character at `from` has; 0: it is none. Reads no further than `bytes`.
 * Overlong forms, surrogates and values past U+10FFFF are none. */
static size_t utf8_length(const unsigned char *from, size_t bytes)
{
    static const struct {
        unsigned char lead_mask, lead, length;
        uint32_t least;
    } forms[] = {
        {0x80, 0x00, 1, 0x0},
        {0xe0, 0xc0, 2, 0x80},
        {0xf0, 0xe0, 3, 0x800},
        {0xf8, 0xf0, 4, 0x10000},
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if ((from[0] & forms[i].lead_mask) != forms[i].lead)
            continue;
        if (bytes < forms[i].length)
            return 0;
        uint32_t value = from[0] & (unsigned char)~forms[i].lead_mask;
        for (size_t k = 1; k < forms[i].length; k++) {
            if ((from[k] & 0xc0) != 0x80)
                return 0;
            value = value << 6 | (from[k] & 0x3f);
        }
        if (value < forms[i].least || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
            return 0;
        return forms[i].length;
    }
    return 0;
}

/* What a terminal may take for an order, or shows otherwise than it stands there: C0, DEL and C1
 * controls, the ends of lines and paragraphs of Unicode, and what turns the direction of writing.
 */
static bool is_control(const unsigned char *from, size_t length)
{
    static const struct {
        unsigned char length, first[4], last[4];
    } ranges[] = {
        {1, {0x00}, {0x1f}},
        {1, {0x7f}, {0x7f}},
        {2, {0xc2, 0x80}, {0xc2, 0x9f}},
        {2, {0xd8, 0x9c}, {0xd8, 0x9c}},             /* U+061C */
        {3, {0xe2, 0x80, 0x8e}, {0xe2, 0x80, 0x8f}}, /* U+200E, U+200F */
        {3, {0xe2, 0x80, 0xa8}, {0xe2, 0x80, 0xae}}, /* U+2028 to U+202E */
        {3, {0xe2, 0x81, 0xa6}, {0xe2, 0x81, 0xa9}}, /* U+2066 to U+2069 */
    };
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        if (length == ranges[i].length && memcmp(from, ranges[i].first, length) >= 0 &&
            memcmp(from, ranges[i].last, length) <= 0)
            return true;
    }
    return false;
}

char *text_printable(const char *from, char *to, size_t bytes)
{
    const unsigned char *in = (const unsigned char *)from;
    size_t left = strlen(from);
    size_t out = 0;

    while (left && bytes) {
        size_t length = utf8_length(in, left);
        if (length && !is_control(in, length)) {
            if (out + length >= bytes)
                break;
            memcpy(to + out, in, length);
            out += length;
        } else {
            length = 1;
            if (out + 4 >= bytes)
                break;
            out += (size_t)sprintf(to + out, "\\x%02x", in[0]);
        }
        in += length;
        left -= length;
    }
    if (bytes)
        to[out] = '\0';
    return to;
}

char *text_printable_dup(const char *from)
{
    size_t bytes = 4 * strlen(from) + 1;
    char *to = malloc(bytes);
    return to ? text_printable(from, to, bytes) : NULL;
}

char *text_utf8_dup(const char *from, size_t bytes)
{
    char *to = malloc(3 * bytes + 1);
    if (!to)
        return NULL;

    size_t out = 0;
    for (size_t in = 0; in < bytes;) {
        size_t length = utf8_length((const unsigned char *)from + in, bytes - in);
        if (length && from[in] != '\0') {
            memcpy(to + out, from + in, length);
            out += length;
            in += length;
        } else {
            memcpy(to + out, "\xef\xbf\xbd", 3);
            out += 3;
            in++;
        }
    }
    to[out] = '\0';
    return to;
}

char *text_duration(int64_t duration_ns, char to[32])
{
    static const struct {
        int64_t unit_ns, part_ns;
        const char *unit, *part;
    } steps[] = {
        {INT64_C(86400000000000), INT64_C(3600000000000), "d", "h"},
        {INT64_C(3600000000000), INT64_C(60000000000), "h", "m"},
        {INT64_C(60000000000), INT64_C(1000000000), "m", "s"},
        {INT64_C(1000000000), 0, "s", NULL},
        {INT64_C(1000000), 0, "ms", NULL},
        {INT64_C(1000), 0, "us", NULL},
        {INT64_C(1), 0, "ns", NULL},
    };
    if (duration_ns < 0)
        return strcpy(to, "unknown time");
    if (duration_ns == 0)
        return strcpy(to, "0s");
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (duration_ns < steps[i].unit_ns)
            continue;
        int whole = (int)(duration_ns / steps[i].unit_ns);
        int64_t rest = duration_ns % steps[i].unit_ns;
        if (steps[i].part && rest >= steps[i].part_ns)
            snprintf(to, 32, "%d%s %d%s", whole, steps[i].unit, (int)(rest / steps[i].part_ns),
                     steps[i].part);
        else if (!steps[i].part && whole < 10 && rest * 10 / steps[i].unit_ns)
            snprintf(to, 32, "%d.%d%s", whole, (int)(rest * 10 / steps[i].unit_ns), steps[i].unit);
        else
            snprintf(to, 32, "%d%s", whole, steps[i].unit);
        return to;
    }
    return to;
}

char *text_rfc3339(int64_t unix_ns, char to[40])
{
    int64_t seconds = unix_ns / INT64_C(1000000000);
    int64_t rest = unix_ns % INT64_C(1000000000);
    if (rest < 0) {
        rest += INT64_C(1000000000);
        seconds--;
    }
    time_t when = (time_t)seconds;
    struct tm utc;
    gmtime_r(&when, &utc);
    size_t length = strftime(to, 40, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(to + length, 40 - length, ".%03dZ", (int)(rest / 1000000));
    return to;
}

size_t text_plain_function(const char *symbol, const char **ret)
{
    if (strncmp(symbol, "__GI_", 5) == 0)
        symbol += 5;
    symbol += strspn(symbol, "_");
    if (strncmp(symbol, "libc_", 5) == 0)
        symbol += 5;
    *ret = symbol;
    size_t length = strcspn(symbol, "@");
    if (length > 4 && strncmp(symbol + length - 4, "_chk", 4) == 0)
        length -= 4;
    return length;
}

size_t text_undeleted(const char *path)
{
    static const char deleted[] = " (deleted)";
    size_t bytes = strlen(path), most = sizeof(deleted) - 1;
    bool has_it = path[0] == '/' && bytes > most && strcmp(path + bytes - most, deleted) == 0;
    return has_it ? bytes - most : bytes;
}

const char *text_basename(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}
