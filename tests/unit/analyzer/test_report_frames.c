/* Stacks for people: whose a frame is, and which ones are folded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "analyzer/report/frames.h"

static void frame__library__told_by_its_file(void **state)
{
    static const struct {
        const char *file, *library;
    } rows[] = {
        {NULL, NULL},
        {"/usr/include/c++/12/bits/stl_vector.h", "the standard library"},
        {"/usr/include/x86_64-linux-gnu/c++/12/bits/gthr-default.h", "the standard library"},
        {"/usr/lib/llvm-14/include/c++/v1/__memory/shared_ptr.h", "the standard library"},
        {"/opt/gcc-13/include/c++/13.2.0/thread", "the standard library"},
        {"../../../../../src/libstdc++-v3/src/c++11/thread.cc", "the standard library"},
        {"/rustc/59807616e1fa/library/std/src/thread/mod.rs", "the standard library"},
        {"/usr/src/rustc-1.63.0/library/core/src/ops/function.rs", "the standard library"},
        {"/root/.rustup/toolchains/stable/lib/rustlib/src/rust/library/std/src/sync/mpsc/mod.rs",
         "the standard library"},
        {"/rust/deps/hashbrown-0.16.1/src/raw.rs", "the standard library"},
        {"/usr/share/cargo/registry/tokio-1.24.2/src/runtime/park.rs", NULL}, /* or a program */
        {"/usr/include/boost/thread/detail/thread.hpp", "Boost"},
        {"/opt/boost_1_80_0/boost/asio/read.hpp", "Boost"},
        {"/usr/local/include/boost-1_80/boost/bind.hpp", "Boost"},
        {"/usr/include/asio/detail/scheduler.ipp", "Asio"},
        {"/usr/include/uv.h", "libraries"},
        {"/usr/local/include/absl/synchronization/mutex.h", "libraries"},
        {"/home/me/app/cache.cc", NULL},
        {"/home/me/app/include/cache.h", NULL},
        {"/home/me/boost/engine.cc", NULL},
        {"/home/me/library/std/book.rs", NULL},
        {"/home/me/include/asio.h", NULL},
        {"cache.cc", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct frame frame = {.function = "std::f", .file = rows[i].file};
        const char *library = frames_library(&frame);
        if (!rows[i].library)
            assert_null(library);
        else
            assert_string_equal(library ? library : rows[i].file, rows[i].library);
    }
}

static void frame__of_a_go_file__told_by_its_package(void **state)
{
    static const struct {
        const char *function, *file;
        bool standard;
    } rows[] = {
        {"net/http.(*conn).serve", "/usr/lib/go-1.19/src/net/http/server.go", true},
        {"bufio.(*Writer).Flush", "bufio/bufio.go", true}, /* -trimpath */
        {"vendor/golang.org/x/net/http2.f", "vendor/golang.org/x/net/http2/x.go", true},
        {"runtime.gopark", "/root/sdk/go1.22/src/runtime/proc.go", true},
        {"main.(*app).report", "/home/me/app/main.go", false},
        {"golang.org/x/net/http2.(*ClientConn).f", "/root/go/pkg/mod/x/http2/h2.go", false},
        {"network/http.serve", "/home/me/network/http/serve.go", false},
        {"netx.Dial", "/home/me/netx/dial.go", false},
        {"net/http.serve", "/home/me/server.c", false},
        {"net/http.(*conn).serve", NULL, false},
        {NULL, "/usr/lib/go-1.19/src/net/http/server.go", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct frame frame = {.function = rows[i].function, .file = rows[i].file};
        assert_int_equal(frames_library(&frame) != NULL, rows[i].standard);
    }
}

/* A function of the standard library may be one that the program's own was inlined into. */
static void frame__without_a_file__told_by_its_module_alone(void **state)
{
    static const struct {
        struct snapshot_module module;
        const char *library;
    } rows[] = {
        {{.path = "/usr/lib/x86_64-linux-gnu/libstdc++.so.6.0.30"}, "the standard library"},
        {{.path = "/usr/lib/x86_64-linux-gnu/libc++.so.1"}, "the standard library"},
        {{.path = "/usr/lib/x86_64-linux-gnu/libboost_thread.so.1.74.0"}, "Boost"},
        {{.path = "/opt/app/server"}, NULL},
        {{.path = ""}, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct frame frame = {.function = "std::function<void ()>::operator()",
                                    .module = &rows[i].module};
        const char *library = frames_library(&frame);
        if (!rows[i].library)
            assert_null(library);
        else
            assert_string_equal(library ? library : rows[i].module.path, rows[i].library);
    }
    const struct frame made = {.function = "__rust_try", .module = &rows[3].module};
    const struct frame written = {.function = "__rust_try", .file = "app.c"};
    assert_string_equal(frames_library(&made), "the standard library");
    assert_null(frames_library(&written));
}

static const char *file_of(char letter)
{
    switch (letter) {
    case 's':
        return "/usr/include/c++/12/thread";
    case 'b':
        return "/usr/include/boost/thread.hpp";
    case 'c':
        return "/root/.cargo/registry/src/index.crates.io-6f17d22bba15001f/tokio-1.24.2/src/lib.rs";
    case 'd':
        return "/usr/share/cargo/registry/lock_api-0.4.9/src/rwlock.rs";
    case 'g':
        return "/home/me/.cargo/git/checkouts/book-1a2b3c4d5e6f7a8b/0123abc/src/lib.rs";
    case '?':
        return NULL;
    default:
        return "app.cc";
    }
}

/* Frames are letters: s of the standard library, b of Boost, c, d and g of crates, ? without a
 * file, others the program's own. */
static size_t run_of(const char *letters, size_t at, const char **ret_library, bool *ret_hide)
{
    struct frame frames[16] = {0};
    const struct stack stack = {frames, strlen(letters), 0};
    for (size_t i = 0; letters[i]; i++)
        frames[i].file = file_of(letters[i]);
    *ret_hide = frames_hide_others(&stack);
    return frames_of_libraries(&stack, at, ret_library);
}

static void runs_of_libraries__counted_without_what_was_called(void **state)
{
    static const struct {
        const char *letters;
        size_t at, count;
        const char *library;
        bool hide;
    } rows[] = {
        {"asssa", 0, 0, NULL, true},
        {"asssa", 1, 3, "the standard library", true},
        {"asssa", 2, 2, "the standard library", true},
        {"asssa", 4, 0, NULL, true},
        {"absba", 1, 3, "libraries", true},
        {"abbss", 1, 4, "libraries", false}, /* nothing is gained */
        {"asabb", 3, 2, "Boost", true},
        {"bbbba", 0, 0, NULL, true},
        {"bbbba", 1, 2, "Boost", true}, /* the last one is what the program called */
        {"bbbba", 3, 1, "Boost", true},
        {"bba", 1, 0, NULL, true},
        {"ssss", 1, 3, "the standard library", false},
        {"saaa", 1, 0, NULL, false},
        {"a", 0, 0, NULL, false},
        {"acdga", 1, 3, "crates", true},
        {"acsca", 1, 3, "libraries", true},
        {"scdca", 1, 2, "crates", true}, /* the last one is what the program called */
        {"cddca", 1, 2, "crates", true},
        {"cddcg", 1, 0, NULL, false}, /* the program is a crate, too */
        {"cd?ccss", 1, 0, NULL, false},
        {"cdssccc", 2, 2, "the standard library", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *library;
        bool hide;
        assert_int_equal(run_of(rows[i].letters, rows[i].at, &library, &hide), rows[i].count);
        assert_int_equal(hide, rows[i].hide);
        if (rows[i].count)
            assert_string_equal(library, rows[i].library);
    }
}

static void name_of_a_function__too_long__is_folded_from_within(void **state)
{
    static const struct {
        const char *name;
        size_t columns;
        const char *shown;
    } rows[] = {
        {"main", 10, "main"},
        {"f<int>::g", 9, "f<int>::g"},
        {"f<g<int>, h<char> >::run", 23, "f<g<…>, h<…> >::run"},
        {"f<g<int>, h<char> >::run", 18, "f<…>::run"},
        {"f<aaaa>::g<bbbb>::run", 15, "f<…>::g<…>::run"},
        {"a::operator<< <int>", 17, "a::operator<< <…>"},
        {"a<int>::operator->", 16, "a<…>::operator->"},
        {"a<int>::operator<=>", 17, "a<…>::operator<=>"},
        {"run<fn(i32) -> i64>::go", 10, "run<…>::go"},
        {"<vec::Vec<Item> as Trait>::go", 28, "<vec::Vec<…> as Trait>::go"},
        {"<vec::Vec<Item> as Trait>::go", 17, "<vec::Ve…ait>::go"},
        {"github.com/them/it.(*Engine).run", 21, "github.com…ngine).run"},
        {"a<b::c<0123456789", 11, "a<b::…56789"}, /* no pairs */
        {"äöüäöüäöü", 5, "äö…öü"},
        {"f<a<b<c<d<e<f<g<h<i<j<k<l<m<n<o<p<q<r<s>>>>>>>>>>>>>>>>>>>::run", 9, "f<…>::run"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *shown = frames_short_name(rows[i].name, rows[i].columns);
        assert_string_equal(shown, rows[i].shown);
        free(shown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frame__library__told_by_its_file),
        cmocka_unit_test(frame__of_a_go_file__told_by_its_package),
        cmocka_unit_test(frame__without_a_file__told_by_its_module_alone),
        cmocka_unit_test(runs_of_libraries__counted_without_what_was_called),
        cmocka_unit_test(name_of_a_function__too_long__is_folded_from_within),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
