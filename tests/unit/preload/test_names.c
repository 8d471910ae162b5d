/* Modules that come and go, and the names of the functions in them. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "preload/modules.h"
#include "preload/names.h"
#include "preload/sites.h"
#include "preload/unwind.h"
#include "preload/unwind_rules.h"
#include "tests/unit/preload/recording_here.h"

static void copy_file(const char *from, const char *to)
{
    char buffer[65536];
    char next[300];
    snprintf(next, sizeof(next), "%s.new", to);
    FILE *in = fopen(from, "r"), *out = fopen(next, "w");
    assert_non_null(in);
    assert_non_null(out);
    for (size_t got; (got = fread(buffer, 1, sizeof(buffer), in)) > 0;)
        assert_int_equal(fwrite(buffer, 1, got, out), got);
    fclose(in);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(rename(next, to), 0);
}

/* Loads a copy of the fixture; a site with its function stands in the recording. */
static void *load(uint64_t *function)
{
    copy_file(FIXTURE_ONE, here_path("fixture.so"));
    void *library = dlopen(here_path("fixture.so"), RTLD_NOW | RTLD_LOCAL);
    assert_non_null(library);
    *function = (uint64_t)dlsym(library, "fixture_function");
    uint64_t pcs[] = {*function + 1};
    assert_int_equal(site_store(pcs, 1, 0), 1);
    return library;
}

static void function__of_a_loaded_file__is_named(void **state)
{
    uint64_t function;
    void *library = load(&function);
    (void)state;
    names_update(NULL);
    names_update(NULL); /* once an address */
    const struct rec_frame *frame = &recorder.frames[1];
    assert_int_equal(recorder.header->tables[REC_TABLE_FRAMES - 1].count, 2);
    assert_int_equal(frame->pc, function + 1);
    assert_string_equal(recorder.strings + frame->function, "fixture_function");
    assert_int_equal(frame->function_start, function);
    assert_string_equal(recorder.strings + recorder.modules[frame->module].path,
                        here_path("fixture.so"));
    assert_in_range(recorder.modules[frame->module].build_id_bytes, 8, 32);
    dlclose(library);
}

/* As a handler leaves it that jumps out of the storing of a site. */
static void function__behind_a_site_that_is_never_whole__is_named_in_the_end(void **state)
{
    uint64_t function;
    uint32_t half = recorder_take(REC_TABLE_SITES, 1);
    recorder.sites[half].pc_count = 3;
    copy_file(FIXTURE_ONE, here_path("fixture.so"));
    void *library = dlopen(here_path("fixture.so"), RTLD_NOW | RTLD_LOCAL);
    (void)state;
    assert_non_null(library);
    function = (uint64_t)dlsym(library, "fixture_function");
    assert_int_equal(site_store((uint64_t[]){function + 1}, 1, 0), half + 1);
    names_update(NULL);
    assert_int_equal(recorder_rows(REC_TABLE_FRAMES), 1); /* it may be whole the next time */
    for (int i = 0; i < 100 && recorder_rows(REC_TABLE_FRAMES) == 1; i++)
        names_update(NULL);
    assert_int_equal(recorder_rows(REC_TABLE_FRAMES), 2);
    assert_int_equal(recorder.frames[1].pc, function + 1);
    assert_string_equal(recorder.strings + recorder.frames[1].function, "fixture_function");
    dlclose(library);
}

static int questions, answers; /* of the latter, so many say that it is to go on */

static bool go_on(void)
{
    return questions++ < answers;
}

static const char *name_of(uint64_t pc)
{
    for (uint32_t row = 1; row < recorder_rows(REC_TABLE_FRAMES); row++)
        if (recorder.frames[row].pc == pc)
            return recorder.strings + recorder.frames[row].function;
    return NULL;
}

/* Somebody waits for that in between, again and again. */
static void functions__of_several_files__are_named_in_several_turns(void **state)
{
    uint64_t function;
    void *library = load(&function);
    uint64_t here = (uint64_t)&copy_file;
    (void)state;
    assert_int_equal(site_store((uint64_t[]){here + 1, function + 2}, 2, 0), 2);
    questions = answers = 0;
    names_update(go_on);
    assert_int_equal(recorder_rows(REC_TABLE_FRAMES), 1);
    questions = 0;
    answers = 1;
    names_update(go_on);
    assert_string_equal(name_of(function + 1), "fixture_function");
    assert_string_equal(name_of(function + 2), "fixture_function");
    assert_null(name_of(here + 1));
    names_update(NULL);
    names_update(NULL);
    assert_string_equal(name_of(here + 1), "copy_file");
    assert_int_equal(recorder_rows(REC_TABLE_FRAMES), 1 + 3);
    dlclose(library);
}

/* As many of one file as are not named at once. */
static void
functions__of_more_frames_than_are_named_at_once__are_named_in_several_turns(void **state)
{
    enum { SITES = 20, FRAMES = 30 };
    uint64_t pcs[FRAMES];
    (void)state;
    for (uint64_t i = 0; i < SITES * FRAMES; i++) {
        pcs[i % FRAMES] = (uint64_t)&copy_file + 1 + i;
        if (i % FRAMES == FRAMES - 1)
            assert_int_not_equal(site_store(pcs, FRAMES, 0), 0);
    }
    questions = 0;
    answers = 1;
    names_update(go_on);
    assert_in_range(recorder_rows(REC_TABLE_FRAMES), 2, SITES * FRAMES);
    names_update(NULL);
    assert_int_equal(recorder_rows(REC_TABLE_FRAMES), 1 + SITES * FRAMES);
    for (uint64_t i = 0; i < SITES * FRAMES; i++)
        assert_non_null(name_of((uint64_t)&copy_file + 1 + i));
}

static void function__of_a_file_that_was_replaced__has_no_name(void **state)
{
    uint64_t function;
    void *library = load(&function);
    (void)state;
    copy_file(FIXTURE_TWO, here_path("fixture.so"));
    names_update(NULL);
    assert_int_equal(recorder.frames[1].pc, function + 1);
    assert_int_not_equal(recorder.frames[1].module, 0);
    assert_int_equal(recorder.frames[1].function, 0);
    dlclose(library);
}

static void module__unloaded__is_marked_in_a_new_epoch(void **state)
{
    uint64_t function;
    void *library = load(&function);
    (void)state;
    unwind_lock();
    uint32_t row = module_record(function);
    unwind_unlock();
    assert_int_equal(recorder.modules[row].loaded_epoch, 1);
    dlclose(library);
    unwind_lock();
    bool gone = module_sweep(), again = module_sweep();
    unwind_unlock();
    assert_true(gone);
    assert_false(again);
    assert_int_equal(recorder.modules[row].unloaded_epoch, 2);
    assert_int_equal(recorder.header->epoch, 2);
}

static uint32_t record(uint64_t pc)
{
    unwind_lock();
    uint32_t row = module_record(pc);
    unwind_unlock();
    assert_int_not_equal(row, 0);
    return row;
}

/* Closes a library whose module was recorded, and loads the other build, of the same size, from
 * `path`. Returns its module, which lies where that of the first lay. */
static const struct rec_module *replace(void *library, uint32_t row, const char *path)
{
    const struct rec_module *old = &recorder.modules[row];
    copy_file(FIXTURE_TWO, path);
    uint32_t flushes = rule_flushes();
    assert_int_equal(dlclose(library), 0);
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(library);
    uint64_t function = (uint64_t)dlsym(library, "fixture_function");
    const struct rec_module *new = &recorder.modules[record(function)];
    assert_ptr_equal(&recorder.modules[record(function)], new);
    assert_ptr_not_equal(new, old);
    assert_int_equal(new->start, old->start);
    assert_int_equal(rule_flushes(), flushes + 1);
    dlclose(library);
    return new;
}

/* A stack belongs to one of the two: by its epoch. */
static void module__loaded_where_another_was__begins_a_new_epoch(void **state)
{
    uint64_t function;
    char path[300];
    (void)state;
    void *library = load(&function);
    uint32_t row = record(function);
    snprintf(path, sizeof(path), "%s", here_path("other-fixture-with-a-longer-name.so"));
    const struct rec_module *new = replace(library, row, path);
    assert_int_equal(recorder.modules[row].unloaded_epoch, 2);
    assert_int_equal(new->loaded_epoch, 2);
    assert_int_equal(recorder.header->epoch, 2);
}

static void module__loaded_where_another_of_its_size_and_name_was__is_another(void **state)
{
    uint64_t function;
    char path[300];
    (void)state;
    void *library = load(&function);
    uint32_t row = record(function);
    snprintf(path, sizeof(path), "%s", here_path("fixture.so"));
    const struct rec_module *new = replace(library, row, path);
    assert_int_equal(recorder.modules[row].unloaded_epoch, new->loaded_epoch);
    assert_memory_not_equal(recorder.modules[row].build_id, new->build_id,
                            recorder.modules[row].build_id_bytes);
}

/* Nobody has asked for an address in it yet. */
static void module__replaced_by_another_of_its_size_and_name__is_gone(void **state)
{
    uint64_t function;
    (void)state;
    void *library = load(&function);
    uint32_t row = record(function);
    copy_file(FIXTURE_TWO, here_path("fixture.so"));
    assert_int_equal(dlclose(library), 0);
    library = dlopen(here_path("fixture.so"), RTLD_NOW | RTLD_LOCAL);
    assert_non_null(library);
    bool gone = false;
    unwind_lock();
    for (uint32_t i = 0; i < recorder_rows(REC_TABLE_MODULES) && !gone; i++)
        gone = module_sweep();
    unwind_unlock();
    assert_true(gone);
    assert_int_equal(recorder.modules[row].unloaded_epoch, 2);
    dlclose(library);
}

#define WITH_RECORDING(test) cmocka_unit_test_setup_teardown(test, here_open, here_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RECORDING(function__of_a_loaded_file__is_named),
        WITH_RECORDING(function__behind_a_site_that_is_never_whole__is_named_in_the_end),
        WITH_RECORDING(functions__of_several_files__are_named_in_several_turns),
        WITH_RECORDING(
            functions__of_more_frames_than_are_named_at_once__are_named_in_several_turns),
        WITH_RECORDING(function__of_a_file_that_was_replaced__has_no_name),
        WITH_RECORDING(module__unloaded__is_marked_in_a_new_epoch),
        WITH_RECORDING(module__loaded_where_another_was__begins_a_new_epoch),
        WITH_RECORDING(module__loaded_where_another_of_its_size_and_name_was__is_another),
        WITH_RECORDING(module__replaced_by_another_of_its_size_and_name__is_gone),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
