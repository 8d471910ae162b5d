/* What the rows are compared with: the table of what is intercepted. */
#include "tests/conformance/complete.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static const char *const intercepted[] = {
#define WAIT(result, name, ...) #name,
#define TASK(result, name, ...)
#define HAND(result, name, symbol, ...) symbol,
#define OLD(result, name, symbol, ...)
#include "preload/hooks.def"
};

/* What each may wait for, in the same order; "NONE": nothing. */
static const char *const waits_for[] = {
#undef WAIT
#undef HAND
#define WAIT(result, name, parameters, arguments, op, ...) #op,
#define HAND(result, name, symbol, parameters, arguments, op, ...) #op,
#define OLD(result, name, symbol, ...)
#include "preload/hooks.def"
};
_Static_assert(LENGTH(waits_for) == LENGTH(intercepted), "one of each");

static bool is_of_libc(const char *symbol)
{
    static const char *const others[] = {"taskrt_", "runtime.", "sync.", "time.", "__go_"};
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

size_t count_without_scenarios(const char *list)
{
    static const char *const scenarios[] = {"open", "interrupted", "cancelled"};
    size_t count = 0;
    for (size_t i = 0; i < LENGTH(intercepted) * LENGTH(scenarios); i++) {
        size_t function = i / LENGTH(scenarios);
        const char *scenario = scenarios[i % LENGTH(scenarios)];
        if (!is_of_libc(intercepted[function]) || strcmp(waits_for[function], "NONE") == 0 ||
            has_row(list, intercepted[function], scenario))
            continue;
        fprintf(stderr, "%s: is never %s\n", intercepted[function], scenario);
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

/* ---- errors ---- */

static const struct said {
    const char *functions, *errors, *reason;
} documented[] =
    {
#define DOCUMENTED(functions, errors) {functions, errors, ""},
#define NOT_PROVOKED(functions, errors, reason)
#include "tests/conformance/documented.def"
},
  explained[] =
      {
#define DOCUMENTED(functions, errors)
#define NOT_PROVOKED(functions, errors, reason) {functions, errors, reason},
#include "tests/conformance/documented.def"
},
  explained_by_rights[] = {
#define DOCUMENTED(functions, errors)
#define NOT_PROVOKED(functions, errors, reason)
#define FOR_ROOT(functions, errors, reason) {functions, errors, reason},
#include "tests/conformance/documented.def"
};

/* Is the word one of those of a text? */
static bool has_word(const char *text, size_t n, const char *word)
{
    size_t word_n = strlen(word);
    for (size_t at = 0; at < n;) {
        size_t length = strcspn(text + at, " \n");
        length = length < n - at ? length : n - at;
        if (length == word_n && strncmp(text + at, word, word_n) == 0)
            return true;
        at += length + 1;
    }
    return false;
}

static bool is_among(const struct said *table, size_t count, const char *function,
                     const char *error)
{
    for (size_t i = 0; i < count; i++)
        if (has_word(table[i].functions, strlen(table[i].functions), function) &&
            (error == NULL || has_word(table[i].errors, strlen(table[i].errors), error)))
            return true;
    return false;
}

/* A row for that error, and it is what came of it. */
static bool is_provoked(const char *lines, const char *function, const char *error)
{
    char begin[96];
    size_t begin_n = (size_t)snprintf(begin, sizeof begin, "%s, %s, ", function, error);
    for (const char *line = lines; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
        line += *line == '\n';
        size_t name_n = strcspn(line, ":\n"), n = strcspn(line, "\n");
        if (strncmp(line, begin, begin_n) == 0 && has_word(line + name_n, n - name_n, error))
            return true;
    }
    return false;
}

static size_t check_error(const char *lines, const char *function, const char *error)
{
    bool provoked = is_provoked(lines, function, error);
    bool expected = !is_among(explained, LENGTH(explained), function, error);
    bool not_permitted = geteuid() != 0 && is_among(explained_by_rights,
                                                    LENGTH(explained_by_rights), function, error);
    if (not_permitted || provoked == expected)
        return 0;
    fprintf(stderr, "%s, %s: %s\n", function, error,
            provoked ? "provoked, and said not to be" : "not provoked");
    return 1;
}

/* What is explained is documented, else it was written wrong. */
static size_t check_explained(const char *lines, const char *function, const char *error)
{
    (void)lines;
    if (is_among(documented, LENGTH(documented), function, error))
        return 0;
    fprintf(stderr, "%s, %s: explained, and not documented\n", function, error);
    return 1;
}

/* Each function with each error. */
static size_t check_all(const struct said *said, const char *lines,
                        size_t (*check)(const char *lines, const char *function, const char *error))
{
    size_t count = 0;
    char *functions = strdup(said->functions), *at = functions, *function, *error;
    while ((function = strsep(&at, " ")) != NULL) {
        char *errors = strdup(said->errors), *of = errors;
        while ((error = strsep(&of, " ")) != NULL)
            count += error[0] == '\0' ? 0 : check(lines, function, error);
        free(errors);
    }
    free(functions);
    return count;
}

size_t count_not_provoked(const char *lines)
{
    size_t count = 0;
    for (size_t i = 0; i < LENGTH(documented); i++)
        count += check_all(&documented[i], lines, check_error);
    for (size_t i = 0; i < LENGTH(explained); i++)
        count += check_all(&explained[i], lines, check_explained);
    for (size_t i = 0; i < LENGTH(intercepted); i++)
        if (is_of_libc(intercepted[i]) &&
            !is_among(documented, LENGTH(documented), intercepted[i], NULL)) {
            fprintf(stderr, "%s: not in documented.def\n", intercepted[i]);
            count++;
        }
    return count;
}
