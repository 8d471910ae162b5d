/* Names of every kind that leakspy meets, as the linker has them and as a person wants them. */
#include "analyzer/debug/demangle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct name {
    const char *linker;
    const char *readable;
};

#define assert_all_demangle(names)                                                                 \
    demangle_all(names, sizeof(names) / sizeof((names)[0]), __FILE__, __LINE__)

static void demangle_all(const struct name *names, size_t count, const char *file, int line)
{
    for (size_t i = 0; i < count; i++) {
        char *text = demangle(names[i].linker);
        _assert_string_equal(text, names[i].readable, file, line);
        free(text);
    }
}

/* Namespaces and template arguments stay, parameters go; constructors, lambdas, operators. */
static void cplus_name__demangle__drops_parameters(void **state)
{
    (void)state;
    static const struct name names[] = {
        {"_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE",
         "std::condition_variable::wait"},
        {"_Z3fooIiEvT_", "foo<int>"},
        {"_ZN12_GLOBAL__N_13runEv", "(anonymous namespace)::run"},
        {"_ZN3FooC4Ev", "Foo::Foo"},
        {"_ZNK3FoocvbEv", "Foo::operator bool"},
        {"_ZZ4mainENKUlvE_clEv", "main::{lambda()#1}::operator()"},
        {"_ZNSt6thread11_State_implINS_8_InvokerISt5tupleIJPFvvEEEEEE6_M_runEv",
         "std::thread::_State_impl<std::thread::_Invoker<std::tuple<void (*)()> > >::_M_run"},
    };
    assert_all_demangle(names);
}

/* The 17 characters at the end of a legacy name are a hash. */
static void legacy_rust_name__demangle__drops_hash(void **state)
{
    (void)state;
    static const struct name names[] = {
        {"_ZN4core3ops8function6FnOnce9call_once17h0123456789abcdefE",
         "core::ops::function::FnOnce::call_once"},
        {"_ZN3std4sync4mpmc4list16Channel$LT$T$GT$4recv28_$u7b$$u7b$closure$u7d$$u7d$"
         "17h3f6a1b2c9d0e4857E",
         "std::sync::mpmc::list::Channel<T>::recv::{{closure}}"},
        {"_ZN50_$LT$T$u20$as$u20$core..convert..Into$LT$U$GT$$GT$4into17h8dc12f47939b1c86E",
         "<T as core::convert::Into<U>>::into"},
    };
    assert_all_demangle(names);
}

/* As rustc 1.95 wrote them for a program of ours. */
static void v0_rust_name__demangle__drops_crate_hashes(void **state)
{
    (void)state;
    static const struct name names[] = {
        {"_RNvMsr_NtCs3ssYzQotkvD_3std4pathNtB5_7PathBuf3newCs15kBYyAo9fc_7mycrate",
         "<std::path::PathBuf>::new"},
        {"_RNCNvMs1_NtNtNtCsjrHSEGnQ3l9_3std4sync4mpmc4listINtB7_7ChannellE4recvs_0"
         "Cs6xxl1lAjzDf_1a",
         "<std::sync::mpmc::list::Channel<i32>>::recv::{closure#1}"},
        {"_RINvMNtNtNtCsjrHSEGnQ3l9_3std4sync6poison7condvarNtB3_7Condvar4waitb"
         "ECs6xxl1lAjzDf_1a",
         "<std::sync::poison::condvar::Condvar>::wait::<bool>"},
    };
    assert_all_demangle(names);
}

/* Names from `nm` of libgo.so.21 and of programs built with gccgo 12. */
static void gccgo_name__demangle__is_spelt_as_in_go(void **state)
{
    (void)state;
    static const struct name names[] = {
        {"main.main", "main.main"},
        {"main.T.Run", "main.T.Run"},
        {"main.gen__x__y", "main.gen_x_y"},
        {"main.F_u00fcnf", "main.F\xc3\xbcnf"},
        {"net_1http.HandlerFunc.ServeHTTP", "net/http.HandlerFunc.ServeHTTP"},
        {"golang_0org_1x_1sys_1cpu.Name", "golang.org/x/sys/cpu.Name"},
        {"internal_1poll.runtime__pollWait", "internal/poll.runtime_pollWait"},
        {"main.main..func1", "main.main.func1"},
        {"main.T.inner..func1..func2", "main.T.inner.func1.func2"},
        {"main._0go..func1", "main.glob..func1"},
        {"main.go..thunk1", "main.go.thunk1"},
        {"main.E.Val..stub", "main.E.Val"},
        {"encoding_1gob.catchError..r", "encoding/gob.catchError"},
        {"fmt.fmt_0pp_0catchPanic..r", "fmt.pp.catchPanic"},
        {"main.main..init0", "main.init.0"},
        {"golang_0org_1x_1sys_1cpu.golang_0org_1x_1sys_1cpu..init0", "golang.org/x/sys/cpu.init.0"},
        {"main._6122_7uintptr..eq", "main.[122]uintptr.eq"},
        {"net_1http.readRequest.part.0", "net/http.readRequest"},
    };
    assert_all_demangle(names);
}

/* What the debug information of gccgo calls functions is decoded but for the suffixes. */
static void go_name_of_debug_information__respell__keeps_underscores(void **state)
{
    (void)state;
    static const struct name names[] = {
        {"main.gen_0x_y", "main.gen_0x_y"},
        {"main.T.inner..func3", "main.T.inner.func3"},
        {"main..go..func1", "main.glob..func1"},
        {"archive/tar.archive/tar..init0", "archive/tar.init.0"},
        {"fmt.fmt.pp.catchPanic..r", "fmt.pp.catchPanic"},
        {"", ""},
        {".", "."},
        {"..", ".."},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *text = demangle_go_spelling(names[i].linker);
        assert_string_equal(text, names[i].readable);
        free(text);
    }
}

/* C, assembly, Go's own toolchain, other languages; escapes that gccgo does not write. */
static void other_name__demangle__is_unchanged(void **state)
{
    (void)state;
    static const char *const names[] = {
        "main",       "",
        "_",          "__libc_start_main_impl",
        "inner.0",    "my_func.avx2",
        "a_b.avx2",   "net/http.(*Server).Serve",
        "main.do_it", "main.a_1b_6",
        "main.a_xzz", "main.a_ud800",
        "main.a_u00", "camlStdlib__List.iter_507",
        ".hidden",    "a.",
        "_Z",         "_ZN",
        "_R",         "_RNvC",
        "_ZN3foo",    "\xff\xfe.\x01",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *text = demangle(names[i]);
        assert_string_equal(text, names[i]);
        free(text);
    }
}

static void name_of_a_copy__demangle__is_that_of_the_function(void **state)
{
    (void)state;
    static const struct name names[] = {
        {"run.part.0.constprop.3", "run"},
        {"run.cold", "run"},
        {"run.isra.0", "run"},
        {"_ZN3FooC2Ev.cold", "Foo::Foo"},
        {"read@@GLIBC_2.2.5", "read"},
        {"read@GLIBC_2.2.5", "read"},
        {".cold", ".cold"},
        {"run.7", "run.7"},
    };
    assert_all_demangle(names);
}

static char *repeat(const char *head, const char *piece, size_t bytes, const char *tail)
{
    size_t piece_bytes = strlen(piece);
    char *text = malloc(strlen(head) + bytes + piece_bytes + strlen(tail) + 1);
    assert_non_null(text);
    char *to = stpcpy(text, head);
    for (size_t done = 0; done < bytes; done += piece_bytes)
        to = stpcpy(to, piece);
    strcpy(to, tail);
    return text;
}

/* Deep, long and endless names: the answer is the name itself or a text of bounded length. */
static void hostile_name__demangle__is_bounded(void **state)
{
    (void)state;
    static const struct {
        const char *head, *piece, *tail;
    } shapes[] = {
        {"_Z1f", "P", "i"},        {"_Z1f", "F", "vE"},
        {"_ZN", "1a", "E"},        {"_Z1fIX", "nt", "Li0EEE"},
        {"_Z1f", "I", ""},         {"_Z", "Z1f", ""},
        {"_R", "I", ""},           {"_RNv", "Nt", "C1a1b"},
        {"_RINvC1a1b", "R", "aE"}, {"_RINvC1a1b", "TRB1_", ""},
        {"a.", "a.", "a"},         {"", "_0", ".a"},
        {"a.a", ".part.0", ""},    {"a.", "..go..func", "1"},
        {"a.", "_Uffffffff", ""},
    };
    static const size_t sizes[] = {100, 1000, 4000, 8000, 60000, 70000};
    for (size_t shape = 0; shape < sizeof(shapes) / sizeof(shapes[0]); shape++) {
        for (size_t size = 0; size < sizeof(sizes) / sizeof(sizes[0]); size++) {
            char *name =
                repeat(shapes[shape].head, shapes[shape].piece, sizes[size], shapes[shape].tail);
            char *text = demangle(name);
            assert_non_null(text);
            assert_in_range(strlen(text), 1, 2 * DEMANGLE_MAX_BYTES);
            free(text);
            free(name);
        }
    }
}

/* Each type of this name is a pair of the one before: 2^60 words if it were written out. */
static void name_that_stands_for_terabytes__demangle__comes_back_unchanged(void **state)
{
    (void)state;
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    char name[2048] = "_RINvC1a1bTaaE";
    size_t previous = sizeof("INvC1a1b") - 1;
    for (int pair = 0; pair < 60; pair++) {
        /* A back reference is a number of base 62, less one, to a place behind the "_R". */
        char reference[8];
        size_t number = previous - 1;
        size_t at = 0;
        reference[at++] = 'B';
        if (number >= 62)
            reference[at++] = digits[number / 62];
        reference[at++] = digits[number % 62];
        reference[at++] = '_';
        reference[at] = '\0';
        previous = strlen(name) - 2;
        strcat(strcat(strcat(strcat(name, "T"), reference), reference), "E");
    }
    strcat(name, "E");
    char *text = demangle(name);
    assert_string_equal(text, name);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cplus_name__demangle__drops_parameters),
        cmocka_unit_test(legacy_rust_name__demangle__drops_hash),
        cmocka_unit_test(v0_rust_name__demangle__drops_crate_hashes),
        cmocka_unit_test(gccgo_name__demangle__is_spelt_as_in_go),
        cmocka_unit_test(go_name_of_debug_information__respell__keeps_underscores),
        cmocka_unit_test(other_name__demangle__is_unchanged),
        cmocka_unit_test(name_of_a_copy__demangle__is_that_of_the_function),
        cmocka_unit_test(hostile_name__demangle__is_bounded),
        cmocka_unit_test(name_that_stands_for_terabytes__demangle__comes_back_unchanged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
