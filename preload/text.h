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

/* Reads decimal digits from *at on, and moves it past them. False: there are none, or too many. */
static inline bool text_parse_number(const char **at, uint64_t *ret)
{
    const char *start = *at;
    uint64_t number = 0;
    while (**at >= '0' && **at <= '9') {
        if (number > (UINT64_MAX - 9) / 10)
            return false;
        number = number * 10 + (uint64_t)(*(*at)++ - '0');
    }
    *ret = number;
    return *at != start;
}

/* What stands behind "NAME:" in one of the lines after the first. NULL: there is no such line, or
 * no end of it. */
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
    *ret_bytes = (size_t)(end - at);
    return at;
}

/* What a hexadecimal digit stands for; negative: it is none. */
static inline int text_hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#endif
