/* Waits in the libraries of C and C++, and what is the program's own. */
#include "tests/unit/analyzer/op_samples.h"

static void cplus_stack__apply__names_the_operation(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"cond wait", "cond wait", NULL, {"std::condition_variable::wait", "consume", "main"}},
        {"futex wait",
         "future wait",
         NULL,
         {"std::__atomic_futex_unsigned_base::_M_futex_wait_until",
          "std::__atomic_futex_unsigned<2147483648u>::_M_load_and_test_until",
          "std::__future_base::_State_baseV2::wait", "std::__basic_future<int>::_M_get_result",
          "std::future<int>::get", "main"}},
        {"futex wait",
         "sem wait",
         NULL,
         {"std::__detail::__platform_wait<int>",
          "std::__atomic_wait_address_bare<std::__atomic_semaphore::_M_acquire()::{lambda()#1}>",
          "?", "start_thread"}},
        {"futex wait",
         "barrier wait",
         NULL,
         {"std::__detail::__platform_wait<int>", "std::__detail::__waiter_pool::_M_do_wait",
          "std::__atomic_wait_address<int, std::latch::wait() const::{lambda()#1}>", "main"}},
        {"futex wait",
         "futex wait",
         NULL,
         {"std::__detail::__platform_wait<int>",
          "std::__atomic_wait_address_v<int, std::__atomic_base<int>::wait(int, std::memory_order) "
          "const::{lambda()#1}>",
          "std::__atomic_base<int>::wait", "main"}},
        {"sem wait", "sem wait", NULL, {"std::__platform_semaphore::_M_acquire", "main"}},
        {"futex wait",
         "once wait",
         NULL,
         {"libc.so.6!syscall", "libstdc++.so.6!__cxa_guard_acquire", "a!config", "a!main"}},
        {"futex wait",
         "once wait",
         NULL,
         {"__cxxabiv1::(anonymous namespace)::PlatformFutexWait", "__cxa_guard_acquire", "main"}},
        {"cond wait",
         "once wait",
         NULL,
         {"libc++abi.so.1!", "libc++abi.so.1!__cxa_guard_acquire", "config", "main"}},
    };
    CHECK(samples);
}

static void c_library_stack__apply__names_the_operation(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"futex wait",
         "chan receive",
         NULL,
         {"g_cond_wait", "?", "g_async_queue_pop", "consumer", "?", "start_thread"}},
        {"futex wait",
         "chan receive",
         NULL, /* glibc's frames, where a source shows them */
         {"syscall", "g_cond_wait", "?", "g_async_queue_pop_unlocked", "consumer"}},
        {"futex wait", "cond wait", NULL, {"g_cond_wait", "consumer", "?", "start_thread"}},
        {"futex wait", "mutex lock", NULL, {"g_mutex_lock_slowpath", "g_mutex_lock", "main"}},
        {"futex wait", "once wait", NULL, {"g_cond_wait", "g_once_init_enter", "main"}},
        {"futex wait",
         "chan receive",
         "GLib pool",
         {"g_cond_wait", "g_async_queue_pop_intern_unlocked", "g_thread_pool_wait_for_new_task",
          "g_thread_pool_thread_proxy", "g_thread_proxy", "start_thread"}},
        {"io wait", "io wait", "main loop", {"g_main_context_iterate", "g_main_loop_run", "main"}},
        {"io wait", "io wait", NULL, {"reader", "on_event", "g_main_loop_run", "main"}},
        {"sem wait", "sem wait", NULL, {"uv_sem_wait", "main"}},
        {"cond wait", "cond wait", "redis", {"redis-server!bioProcessBackgroundJobs", "?"}},
        {"cond wait", "cond wait", NULL, {"bioProcessBackgroundJobs", "start_thread"}},
        {"io wait",
         "io wait",
         NULL,
         {"close_file", "redis-server!bioProcessBackgroundJobs", "start_thread"}},
        {"cond wait",
         "cond wait",
         "asynchronous I/O",
         {"libc.so.6!handle_fildes_io", "libc.so.6!start_thread"}},
        {"cond wait", "cond wait", "asynchronous I/O", {"librt-2.31.so!handle_fildes_io", "?"}},
        {"cond wait", "cond wait", NULL, {"handle_fildes_io", "start_thread"}},
        {"cond wait",
         "cond wait",
         "jemalloc",
         {"background_thread_sleep", "background_work_sleep_once", "je_background_thread_entry"}},
        {"cond wait", "cond wait", "jemalloc", {"_rjem_je_background_thread_entry", "?"}},
        {"cond wait", "cond wait", "jemalloc", {"redis-server!background_thread_entry", "?"}},
        {"cond wait",
         "cond wait",
         "jemalloc",
         {"background_work_sleep_once", "background_work", "background_thread_entry", "?"}},
        {"cond wait", "cond wait", NULL, {"background_thread_entry", "start_thread"}},
        {"cond wait", "cond wait", NULL, {"background_work", "background_thread_entry", "?"}},
        {"cond wait", "cond wait", NULL, {"next_image", "background_thread_entry", "start_thread"}},
        {"cond wait", "cond wait", NULL, {"render_background_thread_entry", "start_thread"}},
        {"mutex lock", "mutex lock", "redis", {"redis-check-rdb!IOThreadMain", "start_thread"}},
        {"mutex lock", "mutex lock", NULL, {"IOThreadMain", "start_thread"}},
        {"mutex lock",
         "mutex lock",
         NULL,
         {"finish_read", "redis-server!IOThreadMain", "start_thread"}},
        /* A futex inside of a primitive that nobody published; one of a function that is none. */
        {"futex wait",
         "cond wait",
         NULL,
         {"libc.so.6!", "libc.so.6!pthread_cond_wait", "work", "libc.so.6!"}},
        {"futex wait",
         "cond wait",
         NULL,
         {"libc.so.6!__futex_abstimed_wait_common64", "libc.so.6!___pthread_cond_clockwait64",
          "work"}},
        {"futex wait", "mutex lock", NULL, {"libc-2.31.so!__pthread_mutex_timedlock", "work"}},
        {"futex wait", "rwlock rdlock", NULL, {"libc.so.6!pthread_rwlock_rdlock", "work"}},
        {"futex wait", "rwlock wrlock", NULL, {"libc.so.6!pthread_rwlock_timedwrlock", "work"}},
        {"futex wait", "barrier wait", NULL, {"libc.so.6!pthread_barrier_wait", "work"}},
        {"futex wait", "once wait", NULL, {"libc.so.6!__pthread_once_slow", "work"}},
        {"futex wait", "sem wait", NULL, {"libc.so.6!", "libc.so.6!sem_wait", "work"}},
        {"futex wait", "futex wait", NULL, {"libc.so.6!pthread_cond_destroy", "work"}},
        {"futex wait", "futex wait", NULL, {"a!pthread_cond_wait", "work"}},
        {"io wait", "io wait", NULL, {"libc.so.6!pthread_cond_wait", "work"}},
        {"signal wait", "signal wait", "timers", {"libc.so.6!timer_helper_thread", "start_thread"}},
        {"signal wait", "signal wait", "timers", {"librt-2.31.so!timer_helper_thread", "?"}},
        {"signal wait", "signal wait", NULL, {"timer_helper_thread", "start_thread"}},
        {"mutex lock", "mutex lock", NULL, {"free_it", "libc.so.6!timer_helper_thread", "?"}},
        {"cond wait",
         "cond wait",
         "jemalloc",
         {"pthread_cond_wait", "libjemalloc.so.2!", "libjemalloc.so.2!", "start_thread"}},
        {"mutex lock", "mutex lock", NULL, {"libjemalloc.so.2!", "je_malloc", "main"}},
        {"futex wait", "mutex lock", NULL, {"libc.so.6!", "g_mutex_lock", "main"}},
    };
    CHECK(samples);
}

/* Who calls a function of a library from a file without names is not seen; it may be the program,
 * of which the library's name and its idleness do not tell. */
static void nameless_frame__apply__is_a_step_of_its_own_file_alone(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"futex wait",
         "chan receive",
         NULL,
         {"libglib-2.0.so.0!g_cond_wait", "libglib-2.0.so.0!", "libglib-2.0.so.0!g_async_queue_pop",
          "program!", "libc.so.6!"}},
        {"futex wait",
         "cond wait",
         NULL, /* work of a pool that is parked */
         {"libglib-2.0.so.0!g_cond_wait", "program!", "libglib-2.0.so.0!g_thread_pool_thread_proxy",
          "libglib-2.0.so.0!g_thread_proxy"}},
        {"cond wait",
         "cond wait",
         NULL,
         {"program!", "libglib-2.0.so.0!g_thread_pool_thread_proxy"}},
        {"futex wait",
         "cond wait",
         NULL, /* compiled at run time, in no file */
         {"libglib-2.0.so.0!g_cond_wait", "!", "libglib-2.0.so.0!g_async_queue_pop"}},
        {"futex wait", "mutex lock", NULL, {"libc.so.6!", "libglib-2.0.so.0!g_mutex_lock"}},
    };
    CHECK(samples);
}

/* An op that says what the task waits for is not renamed by what stands around it; nor does the
 * program's own code inherit the name of a library that called it. */
static void known_op_or_own_code__apply__keeps_the_op(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"mutex lock", "mutex lock", NULL, {"g_async_queue_pop", "consumer"}},
        {"thread join", "thread join", NULL, {"std::thread::scoped::scope", "main"}},
        {"futex wait", "futex wait", NULL, {"my_park", "g_async_queue_pop", "main"}},
        {"futex wait",
         "thread park",
         NULL,
         {"std::thread::functions::park", "a::init", "<std::sys::sync::once::futex::Once>::call",
          "<std::sync::once::Once>::call_once::<F>"}},
        {"futex wait", "futex wait", NULL, {NULL}},
        {"futex wait", "futex wait", NULL, {"?", "?"}},
        {"futex wait", "futex wait", NULL, {"operator<<", "<", "<<<<", ">", "", "a<b", "std::"}},
    };
    CHECK(samples);
    struct op_name none = op_rules_apply(NULL, NULL, 0);
    assert_null(none.op);
    assert_null(none.idle_because);
}

/* Names come from files: an endless one, one of brackets alone. */
static void hostile_name__apply__is_survived(void **state)
{
    (void)state;
    static const char pieces[] = {'<', '>', ':', '*', '[', 'g', '\xff'};
    char *name = malloc(100001);
    assert_non_null(name);
    for (size_t i = 0; i < sizeof(pieces); i++) {
        memset(name, pieces[i], 100000);
        name[100000] = '\0';
        const struct op_frame functions[] = {{name, name}, {name, NULL}, {NULL, name}};
        struct op_name found = op_rules_apply("futex wait", functions, 3);
        assert_string_equal(found.op, "futex wait");
        memcpy(name, "g_async_queue_pop", 17);
        found = op_rules_apply("futex wait", functions, 3);
        assert_string_equal(found.op, "chan receive");
    }
    free(name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cplus_stack__apply__names_the_operation),
        cmocka_unit_test(c_library_stack__apply__names_the_operation),
        cmocka_unit_test(nameless_frame__apply__is_a_step_of_its_own_file_alone),
        cmocka_unit_test(known_op_or_own_code__apply__keeps_the_op),
        cmocka_unit_test(hostile_name__apply__is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
