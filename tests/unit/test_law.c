/* The law of the folders. Arrows point left: runtime <- preload <- analyzer, whose own folders are
 * layers; and some libraries only one module may know. Looks at every include of the source tree.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* An include of `what` in a file of `where` is allowed only in the files of `except`. First match
 * counts; patterns are of fnmatch, and "*" goes across folders. */
static const struct law {
    const char *where;
    const char *what;
    const char *except[4];
} laws[] = {
    /* Every include shows its room: it is relative to the root, and goes straight there. */
    {"*", "../*", {NULL}},
    {"*", "./*", {NULL}},
    {"*", "*/../*", {NULL}},
    {"*", "*/./*", {NULL}},
    {"runtime/*", "preload/*", {NULL}},
    {"runtime/*", "analyzer/*", {NULL}},
    {"preload/*", "analyzer/*", {NULL}},
    {"preload/*", "runtime/taskrt.h", {"preload/*"}},
    {"preload/*", "runtime/taskrt_inspect.h", {"preload/*"}},
    {"preload/*", "runtime/*", {NULL}},
    {"analyzer/*", "preload/recording.h", {"analyzer/*"}},
    {"analyzer/*", "preload/goscan/*", {"analyzer/*"}},
    {"analyzer/*", "preload/writer.h", {"analyzer/*"}},
    {"preload/goscan/*", "preload/recording.h", {"preload/goscan/*"}},
    {"preload/goscan/*", "preload/goscan/*", {"preload/goscan/*"}},
    {"preload/goscan/*", "preload/*", {NULL}},
    {"analyzer/*", "preload/*", {NULL}},
    {"analyzer/*", "runtime/taskrt_inspect.h", {"analyzer/*"}},
    {"analyzer/*", "runtime/*", {NULL}},
    {"*", "elfutils/*", {"analyzer/debug/*"}},
    {"*", "dwarf.h", {"analyzer/debug/*"}},
    {"*", "zlib.h", {"analyzer/debug/*"}},
    {"analyzer/*", "sys/ptrace.h", {"analyzer/process/*"}},
    {"*", "libunwind*", {"preload/arch.h"}},
    {"*", "tests/*", {NULL}},
    {"*", "samples/*", {NULL}},
};

/* The folders of the analyzer: each includes its own files and those of folders before it. The
 * commands, in no folder of their own, include all. */
static const char *const layers[] = {
    "base",    "image",     "debug",  "process", "core",    "snapshot",
    "inspect", "recording", "source", "naming",  "verdict", "report",
};
#define LAYERS (sizeof(layers) / sizeof(*layers))
#define NOWHERE (LAYERS + 1)

/* Of a file in the analyzer. LAYERS: the commands; NOWHERE: a folder that the law does not know. */
static size_t layer_of(const char *file)
{
    size_t layer = 0;
    if (fnmatch("analyzer/*/*", file, 0) != 0)
        return LAYERS;
    for (; layer < LAYERS; layer++) {
        char pattern[64];
        snprintf(pattern, sizeof(pattern), "analyzer/%s/*", layers[layer]);
        if (fnmatch(pattern, file, FNM_PATHNAME) == 0)
            return layer;
    }
    return NOWHERE;
}

/* Of two files of the analyzer. */
static bool climbs(const char *file, const char *included)
{
    return layer_of(included) > layer_of(file) || layer_of(file) == NOWHERE;
}

static bool breaks(const char *file, const char *included)
{
    if (fnmatch("analyzer/*", included, 0) == 0 && climbs(file, included))
        return true;
    for (size_t i = 0; i < sizeof(laws) / sizeof(*laws); i++) {
        if (fnmatch(laws[i].where, file, 0) != 0 || fnmatch(laws[i].what, included, 0) != 0)
            continue;
        for (size_t j = 0; j < 4 && laws[i].except[j] != NULL; j++)
            if (fnmatch(laws[i].except[j], file, 0) == 0)
                return false;
        return true;
    }
    return false;
}

/* What an include line names; NULL: it is none. */
static const char *included_by(char *line)
{
    char *at = line + strspn(line, " \t");
    if (*at++ != '#')
        return NULL;
    at += strspn(at, " \t");
    if (strncmp(at, "include", 7) != 0)
        return NULL;
    at += 7;
    at += strspn(at, " \t");
    if (*at != '"' && *at != '<')
        return NULL;
    at[1 + strcspn(at + 1, "\">")] = '\0';
    return at + 1;
}

struct tally {
    unsigned files, includes, broken, bare;
    unsigned of_layer[NOWHERE + 1]; /* files in the analyzer */
};

/* Quoted includes name a room, so that the law can be read off them. */
static bool names_a_room(const char *included)
{
    return fnmatch("runtime/*", included, 0) == 0 || fnmatch("preload/*", included, 0) == 0 ||
           fnmatch("analyzer/*", included, 0) == 0;
}

static void look_at_file(const char *file, struct tally *tally)
{
    char path[1024], line[4096];
    snprintf(path, sizeof(path), "%s/%s", LEAKSPY_SOURCE_DIR, file);
    FILE *stream = fopen(path, "r");
    assert_non_null(stream);
    tally->files++;
    tally->of_layer[layer_of(file)]++;
    for (unsigned number = 1; fgets(line, sizeof(line), stream) != NULL; number++) {
        const char *included = included_by(line);
        if (included == NULL)
            continue;
        tally->includes++;
        if (breaks(file, included)) {
            print_error("%s:%u includes %s\n", file, number, included);
            tally->broken++;
        }
        if (included[-1] == '"' && !names_a_room(included)) {
            print_error("%s:%u includes %s, which does not say of which room\n", file, number,
                        included);
            tally->bare++;
        }
    }
    fclose(stream);
}

static bool is_source(const char *name)
{
    static const char *const patterns[] = {"*.c", "*.h", "*.S", "*.def", "*.cc"};
    for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++)
        if (fnmatch(patterns[i], name, 0) == 0)
            return true;
    return false;
}

static bool is_folder(const char *inner)
{
    char path[1024];
    struct stat status;
    snprintf(path, sizeof(path), "%s/%s", LEAKSPY_SOURCE_DIR, inner);
    assert_int_equal(stat(path, &status), 0);
    return S_ISDIR(status.st_mode);
}

static void look_at_folder(const char *folder, int depth, struct tally *tally)
{
    char path[1024];
    assert_in_range(depth, 0, 8);
    snprintf(path, sizeof(path), "%s/%s", LEAKSPY_SOURCE_DIR, folder);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char inner[512];
        if (entry->d_name[0] == '.')
            continue;
        int length = snprintf(inner, sizeof(inner), "%s/%s", folder, entry->d_name);
        assert_in_range(length, 1, sizeof(inner) - 1); /* it was not cut */
        if (is_folder(inner))
            look_at_folder(inner, depth + 1, tally);
        else if (is_source(entry->d_name))
            look_at_file(inner, tally);
    }
    closedir(dir);
}

static struct tally assert_keeps_the_law(const char *room)
{
    struct tally tally = {0};
    look_at_folder(room, 0, &tally);
    assert_in_range(tally.files, 5, 1000); /* it was this folder that was looked at */
    assert_in_range(tally.includes, 20, 100000);
    assert_int_equal(tally.broken, 0);
    assert_int_equal(tally.bare, 0);
    return tally;
}

static void runtime__includes__nothing_of_the_others(void **state)
{
    (void)state;
    assert_keeps_the_law("runtime");
}

static void preload__includes__nothing_of_the_analyzer(void **state)
{
    (void)state;
    assert_keeps_the_law("preload");
}

static void analyzer__includes__what_it_may_of_preload_and_lower_layers(void **state)
{
    (void)state;
    struct tally tally = assert_keeps_the_law("analyzer");
    for (size_t layer = 0; layer <= LAYERS; layer++)
        assert_in_range(tally.of_layer[layer], 2, 1000);
    assert_int_equal(tally.of_layer[NOWHERE], 0);
}

/* The format is shared by two sides, and so needs nothing of either. */
static void recording_format__includes__stdint_alone(void **state)
{
    char line[4096], all[256] = "";
    (void)state;
    FILE *stream = fopen(LEAKSPY_SOURCE_DIR "/preload/recording.h", "r");
    assert_non_null(stream);
    while (fgets(line, sizeof(line), stream) != NULL) {
        const char *included = included_by(line);
        if (included != NULL)
            snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s ", included);
    }
    fclose(stream);
    assert_string_equal(all, "stdint.h ");
}

/* The judge itself. */
static void law__asked__knows_good_from_bad(void **state)
{
    static const struct {
        const char *file, *line;
        bool bad;
    } cases[] = {
        {"runtime/chan.c", "#include \"preload/recording.h\"\n", true},
        {"runtime/chan.c", "#include \"runtime/chan.h\"\n", false},
        {"preload/sites.c", "#  include \"analyzer/base/text.h\"\n", true},
        {"preload/hooks.h", "#include \"runtime/taskrt.h\"\n", false},
        {"preload/hooks.h", "#include \"runtime/internal.h\"\n", true},
        {"analyzer/verdict/verdict.c", "#include \"preload/recording.h\"\n", false},
        {"analyzer/verdict/verdict.c", "#include \"preload/recorder.h\"\n", true},
        {"analyzer/record_outside.c", "#include \"preload/writer.h\"\n", false},
        {"analyzer/record_outside.c", "#include \"preload/recording_file.h\"\n", true},
        {"analyzer/verdict/verdict.c", " # include <elfutils/libdw.h>\n", true},
        {"analyzer/debug/file.c", "#include <elfutils/libdw.h>\n", false},
        {"analyzer/image/image.c", "#include \"analyzer/process/maps.h\"\n", true},
        {"analyzer/process/image.c", "#include \"analyzer/image/image.h\"\n", false},
        {"analyzer/base/text.c", "#include \"analyzer/commands.h\"\n", true},
        {"analyzer/main.c", "#include \"analyzer/source/core.h\"\n", false},
        {"analyzer/base/text.c", "#include \"analyzer/base/../main.h\"\n", true},
        {"analyzer/new/new.c", "#include \"analyzer/base/text.h\"\n", true},
        {"analyzer/base/text.c", "#include \"analyzer/new/new.h\"\n", true},
        {"preload/sampler.c", "#include <libunwind.h>\n", true},
        {"preload/arch.h", "#include <libunwind-x86_64.h>\n", false},
        {"analyzer/x/y.c", "#include \"../preload/sites.h\"\n", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char line[128];
        snprintf(line, sizeof(line), "%s", cases[i].line);
        const char *included = included_by(line);
        assert_non_null(included);
        assert_int_equal(breaks(cases[i].file, included), cases[i].bad);
    }
    char comment[] = "/* #include \"preload/recording.h\" */";
    assert_null(included_by(comment));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runtime__includes__nothing_of_the_others),
        cmocka_unit_test(preload__includes__nothing_of_the_analyzer),
        cmocka_unit_test(analyzer__includes__what_it_may_of_preload_and_lower_layers),
        cmocka_unit_test(recording_format__includes__stdint_alone),
        cmocka_unit_test(law__asked__knows_good_from_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
