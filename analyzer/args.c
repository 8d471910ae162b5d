#include "analyzer/args.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Read "12", "1.5" or ".5" times the factor of the unit that follows. The fraction is kept to nine
 * digits. Returns false when it is no number, has no known unit, or does not fit below `most`. */
static bool read_quantity(const char **text, const struct unit *units, uint64_t most, uint64_t *ret)
{
    const char *at = *text;
    unsigned __int128 whole = 0;
    uint64_t fraction = 0;
    uint64_t scale = 1;
    bool digits = false;

    for (; is_digit(*at); at++) {
        whole = whole * 10 + (unsigned)(*at - '0');
        if (whole > most)
            return false;
        digits = true;
    }
    if (*at == '.') {
        for (at++; is_digit(*at); at++) {
            if (scale < UINT64_C(1000000000)) {
                fraction = fraction * 10 + (unsigned)(*at - '0');
                scale *= 10;
            }
            digits = true;
        }
    }
    if (!digits)
        return false;

    size_t length = 0;
    while (at[length] && !is_digit(at[length]) && at[length] != '.')
        length++;
    for (const struct unit *unit = units; unit->name; unit++) {
        if (strlen(unit->name) != length || strncmp(unit->name, at, length) != 0)
            continue;
        unsigned __int128 value =
            whole * unit->factor + (unsigned __int128)fraction * unit->factor / scale;
        if (value > most)
            return false;
        *ret = (uint64_t)value;
        *text = at + length;
        return true;
    }
    return false;
}

bool args_duration(const char *what, const char *text, int64_t *ret_ns, struct err *err)
{
    static const struct unit units[] = {
        {"ns", 1},
        {"us", 1000},
        {"ms", 1000000},
        {"s", UINT64_C(1000000000)},
        {"m", UINT64_C(60000000000)},
        {"h", UINT64_C(3600000000000)},
        {"d", UINT64_C(86400000000000)},
        {NULL, 0},
    };
    static const struct unit seconds[] = {{"", UINT64_C(1000000000)}, {NULL, 0}};
    const char *at = text;
    uint64_t sum = 0;
    if (read_quantity(&at, seconds, INT64_MAX, &sum) && !*at) {
        *ret_ns = (int64_t)sum;
        return true;
    }
    at = text;
    sum = 0;
    while (*at) {
        uint64_t part;
        if (!read_quantity(&at, units, INT64_MAX - sum, &part))
            break;
        sum += part;
    }
    if (*at || at == text)
        return err_set(err, ERR_USAGE, what,
                       "'%s' is not a duration (examples: 0, 500ms, 10s, 1.5s, 2m, 1h)", text);
    *ret_ns = (int64_t)sum;
    return true;
}

bool args_size(const char *what, const char *text, uint64_t *ret_bytes, struct err *err)
{
    static const struct unit units[] = {
        {"", 1},
        {"B", 1},
        {"K", UINT64_C(1) << 10},
        {"KiB", UINT64_C(1) << 10},
        {"M", UINT64_C(1) << 20},
        {"MiB", UINT64_C(1) << 20},
        {"G", UINT64_C(1) << 30},
        {"GiB", UINT64_C(1) << 30},
        {"T", UINT64_C(1) << 40},
        {"TiB", UINT64_C(1) << 40},
        {NULL, 0},
    };
    const char *at = text;
    if (!read_quantity(&at, units, INT64_MAX, ret_bytes) || *at)
        return err_set(err, ERR_USAGE, what, "'%s' is not a size (examples: 4096, 64K, 1.5G)",
                       text);
    return true;
}

bool args_count(const char *what, const char *text, uint64_t least, uint64_t *ret, struct err *err)
{
    unsigned __int128 value = 0;
    const char *at = text;
    for (; is_digit(*at) && value <= INT64_MAX; at++)
        value = value * 10 + (unsigned)(*at - '0');
    if (*at || at == text || value > INT64_MAX)
        return err_set(err, ERR_USAGE, what, "'%s' is not a count", text);
    if (value < least)
        return err_set(err, ERR_USAGE, what, "'%s' is less than %" PRIu64, text, least);
    *ret = (uint64_t)value;
    return true;
}
