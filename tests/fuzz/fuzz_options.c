/* What the environment asks of the library: a line for each variable. */
#include <stdio.h>
#include <stdlib.h>

#include "preload/clock.h"
#include "preload/options.h"
#include "preload/place.h"
#include "preload/recorder.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const char *const names[] = {"LEAKSPY_SAMPLE", "LEAKSPY_OPS", "LEAKSPY_MAX_TASKS",
                                        "LEAKSPY_CHILDREN", "LEAKSPY_OUT"};
    char *text = malloc(bytes + 1);
    FUZZ_CHECK(text);
    if (bytes)
        memcpy(text, data, bytes);
    text[bytes] = '\0';
    char *line = text;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        char *next = line + strcspn(line, "\n");
        if (*next)
            *next++ = '\0';
        FUZZ_CHECK((*line ? setenv(names[i], line, 1) : unsetenv(names[i])) == 0);
        line = next;
    }
    options_read();
    options_make_absolute();
    const struct recorder_options *read = &recorder_options;
    FUZZ_CHECK(read->sample_period_ns >= NS_PER_S / 1000);
    FUZZ_CHECK(read->sample_period_ns <= 3600 * NS_PER_S);
    FUZZ_CHECK(read->max_tasks >= 64 && read->max_tasks <= 1U << 28);
    FUZZ_CHECK(read->classes != 0 && (read->classes & ~(uint32_t)REC_CLASS_ALL) == 0);
    FUZZ_CHECK(!read->out || (read->out[0] == '/' && strlen(read->out) < PLACE_ROOM - 32));
    free(text);
    return 0;
}
