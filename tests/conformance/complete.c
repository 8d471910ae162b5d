/* What the rows are compared with: the table of what is intercepted. */
#include "tests/conformance/complete.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static const char *const intercepted[] = {
#define WAIT(result, name, ...) #name,
#define TASK(result, name, ...)
#define HAND(result, name, symbol, ...) symbol,
#define OLD(result, name, symbol, ...)
#include "preload/hooks.def"
};

static bool is_of_libc(const char *symbol)
{
    static const char *const others[] = {"taskrt_", "runtime.", "sync.", "__go_"};
    for (size_t i = 0; i < LENGTH(others); i++)
        if (strncmp(symbol, others[i], strlen(others[i])) == 0)
            return false;
    return true;
}

/* Is there a line that begins with one and ends, before its colon, with the other ("": anything)?
 */
static bool has_line(const char *lines, const char *begin, const char *end)
{
    size_t begin_n = strlen(begin), end_n = strlen(end);
    for (const char *line = lines; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
        line += *line == '\n';
        size_t n = strcspn(line, ":\n");
        if (n >= begin_n + end_n && strncmp(line, begin, begin_n) == 0 &&
            strncmp(line + n - end_n, end, end_n) == 0)
            return true;
    }
    return false;
}

static bool has_row(const char *lines, const char *function, const char *context)
{
    char begin[96];
    snprintf(begin, sizeof begin, "%s, ", function);
    return has_line(lines, begin, context);
}

size_t count_without_rows(const char *list)
{
    size_t count = 0;
    for (size_t i = 0; i < LENGTH(intercepted); i++)
        if (is_of_libc(intercepted[i]) && !has_row(list, intercepted[i], "")) {
            fprintf(stderr, "%s: no row\n", intercepted[i]);
            count++;
        }
    return count;
}

/* ---- contexts ---- */

static const struct {
    const char *function, *context, *reason;
} left_out[] = {
#define LEFT_OUT(function, context, reason) {#function, context, reason},
#include "tests/conformance/left_out.def"
};

static bool is_left_out(const char *function, const char *context)
{
    for (size_t i = 0; i < LENGTH(left_out); i++)
        if (strcmp(left_out[i].function, function) == 0 &&
            strcmp(left_out[i].context, context) == 0 && left_out[i].reason[0] != '\0')
            return true;
    return false;
}

static size_t count_not_called_from(const char *lines, const char *context)
{
    size_t count = 0;
    for (size_t i = 0; i < LENGTH(intercepted); i++) {
        if (!is_of_libc(intercepted[i]) || has_row(lines, intercepted[i], context) ||
            is_left_out(intercepted[i], context))
            continue;
        fprintf(stderr, "%s, %s: not called\n", intercepted[i], context);
        count++;
    }
    return count;
}

size_t count_not_called(const char *lines)
{
    static const char row_of_context[] = "every call, ", begins[] = ": begins";
    size_t count = 0, contexts = 0;
    for (const char *at = lines; (at = strstr(at, row_of_context)) != NULL; at++) {
        const char *name = at + strlen(row_of_context), *end = strchr(name, ':');
        if (end == NULL || strncmp(end, begins, strlen(begins)) != 0)
            continue;
        char *context = strndup(name, (size_t)(end - name));
        count += count_not_called_from(lines, context);
        free(context);
        contexts++;
    }
    return contexts == 0 ? 1 : count;
}
