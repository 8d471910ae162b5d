/* Modules that come and go, and the names of the functions in them. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "preload/modules.h"
#include "preload/names.h"
#include "preload/sites.h"
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
    names_update();
    names_update(); /* once an address */
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

static void function__of_a_file_that_was_replaced__has_no_name(void **state)
{
    uint64_t function;
    void *library = load(&function);
    (void)state;
    copy_file(FIXTURE_TWO, here_path("fixture.so"));
    names_update();
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

#define WITH_RECORDING(test) cmocka_unit_test_setup_teardown(test, here_open, here_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RECORDING(function__of_a_loaded_file__is_named),
        WITH_RECORDING(function__of_a_file_that_was_replaced__has_no_name),
        WITH_RECORDING(module__unloaded__is_marked_in_a_new_epoch),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
