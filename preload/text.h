/* Text without libc: for paths and numbers, in any context. A text that does not fit is cut, and
 * stays NUL-terminated. */
#ifndef LEAKSPY_TEXT_H
#define LEAKSPY_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
    char *at;
    size_t room; /* bytes left, the NUL included */
};

static inline void text_char(struct text *text, char c)
{
    if (text->room > 1) {
        *text->at++ = c;
        *text->at = '\0';
        text->room--;
    }
}

static inline void text_string(struct text *text, const char *string)
{
    while (*string)
        text_char(text, *string++);
}

static inline void text_number(struct text *text, uint64_t number)
{
    char digits[20];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    while (count)
        text_char(text, digits[--count]);
}

static inline bool text_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads decimal digits from *at on, and moves it past them. False: there are none, or too many. */
static inline bool text_parse_number(const char **at, uint64_t *ret)
{
    const char *start = *at;
    uint64_t number = 0;
    while (text_is_digit(**at)) {
        if (number > (UINT64_MAX - 9) / 10)
            return false;
        number = number * 10 + (uint64_t)(*(*at)++ - '0');
    }
    *ret = number;
    return *at != start;
}

/* Reads "12", "1.5" or ".5" and the unit behind it, in ns, and moves *at past them. `alone`: the
 * unit may be missing, and is s then. */
static inline bool text_parse_time(const char **at, bool alone, uint64_t *ret_ns)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {
        {"ns", 1},
        {"us", 1000},
        {"ms", 1000000},
        {"s", UINT64_C(1000000000)},
        {"m", UINT64_C(60000000000)},
        {"h", UINT64_C(3600000000000)},
        {"d", UINT64_C(86400000000000)},
        {"", UINT64_C(1000000000)},
    };
    uint64_t whole = 0;
    bool digits = text_parse_number(at, &whole);
    const char *fraction = *at;
    if (*fraction == '.') {
        fraction++;
        for ((*at)++; text_is_digit(**at); (*at)++)
            digits = true;
    }
    for (size_t i = 0; digits && i < sizeof(units) / sizeof(*units); i++) {
        uint64_t ns = units[i].ns;
        size_t length = strlen(units[i].name);
        if (strncmp(*at, units[i].name, length) != 0)
            continue;
        char next = (*at)[length];
        if (next != '\0' && next != '.' && !text_is_digit(next))
            continue;
        *at += length;
        if (whole > INT64_MAX / ns || (length == 0 && (!alone || next != '\0')))
            return false;
        *ret_ns = whole * ns;
        for (ns /= 10; text_is_digit(*fraction); ns /= 10)
            *ret_ns += (uint64_t)(*fraction++ - '0') * ns;
        return true;
    }
    return false;
}

/* Reads a duration as the command does (args_duration): "500ms", "1.5s", "1h30m"; a number alone is
 * of seconds. At most 292 years. */
static inline bool text_parse_duration(const char *text, uint64_t *ret_ns)
{
    const char *at = text;
    uint64_t sum = 0, part;
    do {
        if (!text_parse_time(&at, at == text, &part) || part > INT64_MAX - sum)
            return false;
        sum += part;
    } while (*at != '\0');
    *ret_ns = sum;
    return true;
}

/* What stands behind "NAME:" and blanks in one of the lines after the first. NULL: there is no such
 * line, or no end of it. */
static inline const char *text_line(const char *text, const char *name, size_t *ret_bytes)
{
    size_t name_bytes = strlen(name);
    const char *at = text;
    while ((at = strchr(at, '\n')) != NULL) {
        at++;
        if (strncmp(at, name, name_bytes) == 0 && at[name_bytes] == ':')
            break;
    }
    const char *end = at != NULL ? strchr(at, '\n') : NULL;
    *ret_bytes = 0;
    if (end == NULL)
        return NULL;
    at += name_bytes + 1;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    *ret_bytes = (size_t)(end - at);
    return at;
}

/* What a hexadecimal digit stands for; negative: it is none. */
static inline int text_hex_digit(char c)
{
    return text_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The number whose hexadecimal digits stand at `at`; 0: none do. */
static inline uint64_t text_parse_hex(const char *at)
{
    uint64_t value = 0;
    for (int digit; (digit = text_hex_digit(*at)) >= 0; at++)
        value = value << 4 | (uint64_t)digit;
    return value;
}

#endif
