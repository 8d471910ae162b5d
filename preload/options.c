#include "preload/options.h"

#include <stdlib.h>
#include <string.h>

#include "preload/clock.h"
#include "preload/place.h"
#include "preload/recorder.h"
#include "preload/sys.h"
#include "preload/text.h"

#define OUT_ENDING 32 /* bytes that children add to LEAKSPY_OUT */
#define MAX_SHOWN 64  /* bytes of a value that cannot be used */

/* "chan,lock": a list of classes. */
static bool parse_classes(const char *text, uint32_t *ret)
{
    static const struct {
        const char *name;
        uint32_t bit;
    } classes[] = {
#define X(name, bit, text) {text, bit},
        REC_CLASSES(X)
#undef X
            {"all", REC_CLASS_ALL},
    };
    uint32_t found = 0;
    while (*text != '\0') {
        size_t length = strcspn(text, ","), i = 0;
        while (i < sizeof(classes) / sizeof(*classes) &&
               (strlen(classes[i].name) != length || strncmp(text, classes[i].name, length) != 0))
            i++;
        if (i == sizeof(classes) / sizeof(*classes))
            return false;
        found |= classes[i].bit;
        text += length + (text[length] == ',');
    }
    *ret = found;
    return found != 0;
}

static bool parse_bool(const char *text, bool *ret)
{
    static const struct {
        const char *text;
        bool value;
    } words[] = {{"1", true},  {"yes", true}, {"on", true},   {"true", true},
                 {"0", false}, {"no", false}, {"off", false}, {"false", false}};
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (strcmp(text, words[i].text) == 0) {
            *ret = words[i].value;
            return true;
        }
    return false;
}

static bool parse_sample(const char *text)
{
    uint64_t ns;
    if (!text_parse_duration(text, &ns) || ns < 1000000 || ns > 3600 * NS_PER_S)
        return false;
    recorder_options.sample_period_ns = ns;
    return true;
}

static bool parse_ops(const char *text)
{
    return parse_classes(text, &recorder_options.classes);
}

static bool parse_max_tasks(const char *text)
{
    uint64_t number;
    if (!text_parse_number(&text, &number) || *text != '\0' || number < 64 || number > 1U << 28)
        return false;
    recorder_options.max_tasks = (uint32_t)number;
    return true;
}

static bool parse_children(const char *text)
{
    return parse_bool(text, &recorder_options.children);
}

static char out[PLACE_ROOM];

/* Copied, since programs write over their environment. */
static bool parse_out(const char *text)
{
    size_t bytes = strlen(text) + 1;
    if (bytes == 1 || bytes > sizeof(out) - OUT_ENDING)
        return false;
    memcpy(out, text, bytes);
    recorder_options.out = out;
    return true;
}

static const struct option {
    const char *name;
    bool (*parse)(const char *text);
} options[] = {
    {"LEAKSPY_OUT", parse_out},           {"LEAKSPY_SAMPLE", parse_sample},
    {"LEAKSPY_OPS", parse_ops},           {"LEAKSPY_MAX_TASKS", parse_max_tasks},
    {"LEAKSPY_CHILDREN", parse_children},
};

/* Whoever sets it to whatever wants to be told: only a word for no means that. */
void options_read_verbose(void)
{
    const char *verbose = secure_getenv("LEAKSPY_VERBOSE");
    if (verbose != NULL && !parse_bool(verbose, &recorder_options.verbose))
        recorder_options.verbose = *verbose != '\0';
}

/* What a terminal does not obey, of a value that may be anything, and be of any length. */
static void put_printable(struct text *text, const char *value)
{
    static const char digits[] = "0123456789abcdef";
    size_t shown = 0;
    for (; *value != '\0' && shown < MAX_SHOWN; value++, shown++) {
        unsigned char c = (unsigned char)*value;
        if (c >= ' ' && c <= '~') {
            text_char(text, *value);
            continue;
        }
        text_string(text, "\\x");
        text_char(text, digits[c >> 4]);
        text_char(text, digits[c & 15]);
    }
    if (*value != '\0')
        text_string(text, "...");
}

static void say_unusable(const char *name, const char *value)
{
    char line[4 * MAX_SHOWN + 64];
    struct text text = {.at = line, .room = sizeof(line)};
    text_char(&text, '\'');
    put_printable(&text, value);
    text_string(&text, "' is not a value that it can have; the default is used");
    recorder_say(line, name, 0);
}

void options_read(void)
{
    recorder_options = (struct recorder_options){
        .sample_period_ns = 100000000,
        .classes = REC_CLASS_ALL,
        .max_tasks = 1U << 20,
        .children = true,
    };
    options_read_verbose();
    for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
        const struct recorder_options before = recorder_options;
        const char *text = secure_getenv(options[i].name);
        if (text == NULL || options[i].parse(text))
            continue;
        recorder_options = before;
        say_unusable(options[i].name, text);
    }
}

void options_make_absolute(void)
{
    static char path[PLACE_ROOM];
    struct text text = {.at = path, .room = sizeof(path) - OUT_ENDING};
    if (recorder_options.out == NULL || *recorder_options.out == '/')
        return;
    size_t length = sys_call(SYS_getcwd, path, sizeof(path)) > 0 ? strlen(path) : sizeof(path);
    if (length + 1 + strlen(out) >= text.room) {
        recorder_options.out = NULL;
        say_unusable("LEAKSPY_OUT", out);
        return;
    }
    text.at += length;
    text.room -= length;
    text_char(&text, '/');
    text_string(&text, out);
    recorder_options.out = path;
}
