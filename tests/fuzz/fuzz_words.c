/* Words that people and programs write: durations, sizes, counts; linkers' names; text for a
 * terminal and for JSON. */
#include <stdlib.h>

#include "analyzer/args.h"
#include "analyzer/base/text.h"
#include "analyzer/debug/demangle.h"
#include "tests/fuzz/fuzz.h"

static void read_numbers(const char *word)
{
    int64_t duration = -1;
    uint64_t number = UINT64_MAX;
    struct err err = {0};
    FUZZ_CHECK(args_duration("--threshold", word, &duration, &err) ? duration >= 0
                                                                   : err.kind == ERR_USAGE);
    err = (struct err){0};
    FUZZ_CHECK(args_size("--size", word, &number, &err) ? number <= INT64_MAX
                                                        : err.kind == ERR_USAGE);
    err = (struct err){0};
    FUZZ_CHECK(args_count("--count", word, 1, &number, &err) ? number >= 1 && number <= INT64_MAX
                                                             : err.kind == ERR_USAGE);
    fuzz_check_text(err.why, strlen(err.why));
}

static void show(const char *word, size_t bytes)
{
    char small[16];
    char *printable = text_printable_dup(word), *valid = text_utf8_dup(word, bytes);
    FUZZ_CHECK(printable && valid);
    fuzz_check_text(printable, strlen(printable));
    FUZZ_CHECK(!strchr(printable, '\n'));
    text_printable(word, small, sizeof(small));
    fuzz_check_text(small, strlen(small));
    char *again = text_utf8_dup(valid, strlen(valid));
    FUZZ_CHECK(again && strcmp(again, valid) == 0);
    free(again);
    free(valid);
    free(printable);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *word = malloc(bytes + 1);
    FUZZ_CHECK(word);
    memcpy(word, data, bytes);
    word[bytes] = '\0';
    read_numbers(word);
    show(word, bytes);
    free(demangle(word));
    free(demangle_go_spelling(word));
    free(word);
    return 0;
}
