/* Wait stacks as debuggers and our own demangler showed them for real programs, and what they are.
 */
#include "analyzer/naming/op_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct sample {
    const char *recorded; /* the op in the recording */
    const char *op;       /* what it is called in the report */
    const char *idle;     /* a part of the reason; NULL: not idle */
    const char *stack[16];
};

/* A frame as a sample writes it: "function", "FILE!function", "FILE!", or "?" for one without a
 * name in the file "a", where all are that say no other. */
static struct op_frame frame_of(const char *text, char file[64])
{
    const char *mark = strchr(text, '!');
    if (mark == NULL)
        return (struct op_frame){strcmp(text, "?") == 0 ? NULL : text, "a"};
    memcpy(file, text, (size_t)(mark - text));
    file[mark - text] = '\0';
    return (struct op_frame){mark[1] != '\0' ? mark + 1 : NULL, file};
}

static void check(const struct sample *samples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct op_frame frames[16];
        char files[16][64];
        size_t frame_count = 0;
        for (; samples[i].stack[frame_count] != NULL; frame_count++)
            frames[frame_count] = frame_of(samples[i].stack[frame_count], files[frame_count]);
        struct op_verdict verdict = op_rules_apply(samples[i].recorded, frames, frame_count);
        assert_string_equal(verdict.op, samples[i].op);
        const char *idle = verdict.idle_because ? verdict.idle_because : "not idle";
        if (samples[i].idle == NULL)
            assert_string_equal(idle, "not idle");
        else
            assert_non_null(strstr(idle, samples[i].idle));
    }
}

#define CHECK(samples) check(samples, sizeof(samples) / sizeof((samples)[0]))

/* rustc 1.95, v0 names: the default. */
static void rust_v0_stack__apply__names_the_operation(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"futex wait",
         "chan receive",
         NULL,
         {"std::sys::pal::unix::futex::futex_wait",
          "<std::sys::sync::thread_parking::futex::Parker>::park",
          "<std::thread::thread::Thread>::park", "<std::sync::mpmc::context::Context>::wait_until",
          "<std::sync::mpmc::list::Channel<i32>>::recv::{closure#1}",
          "<std::sync::mpmc::context::Context>::with::<<std::sync::mpmc::list::Channel<i32>>::recv:"
          ":"
          "{closure#1}, ()>::{closure#0}",
          "<std::thread::local::LocalKey<core::cell::Cell<u8>>>::try_with::<F, ()>",
          "<std::sync::mpmc::list::Channel<i32>>::recv", "<std::sync::mpsc::Receiver<i32>>::recv",
          "a::main::{closure#0}"}},
        {"futex wait",
         "chan send",
         NULL,
         {"<std::sys::sync::thread_parking::futex::Parker>::park",
          "<std::sync::mpmc::array::Channel<i32>>::send",
          "<std::sync::mpsc::SyncSender<i32>>::send", "a::main::{closure#1}"}},
        {"futex wait",
         "chan receive",
         NULL,
         {"<std::sync::mpmc::zero::Channel<i32>>::recv",
          "<std::sync::mpsc::IntoIter<i32> as core::iter::traits::iterator::Iterator>::next",
          "a::main"}},
        {"futex wait",
         "mutex lock",
         NULL,
         {"<std::sys::sync::mutex::futex::Mutex>::lock_contended",
          "<std::sync::poison::mutex::Mutex<i32>>::lock", "a::main"}},
        {"futex wait",
         "rwlock rdlock",
         NULL,
         {"<std::sys::sync::rwlock::futex::RwLock>::read_contended", "a::main"}},
        {"futex wait",
         "rwlock wrlock",
         NULL,
         {"<std::sys::sync::rwlock::futex::RwLock>::write_contended", "a::main"}},
        {"futex wait",
         "cond wait",
         NULL,
         {"std::sys::pal::unix::futex::futex_wait",
          "<std::sys::sync::condvar::futex::Condvar>::wait_optional_timeout",
          "<std::sync::poison::condvar::Condvar>::wait::<bool>", "a::main"}},
        {"futex wait",
         "barrier wait",
         NULL,
         {"<std::sys::sync::condvar::futex::Condvar>::wait",
          "<std::sync::nonpoison::condvar::Condvar>::wait::<std::sync::barrier::BarrierState>",
          "<std::sync::barrier::Barrier>::wait", "a::main"}},
        {"futex wait",
         "once wait",
         NULL,
         {"<std::sys::sync::once::futex::Once>::wait", "<std::sys::sync::once::futex::Once>::call",
          "<std::sync::once::Once>::call_once::<F>", "a::main"}},
        {"futex wait", "thread park", NULL, {"std::thread::functions::park", "a::main"}},
        {"futex wait",
         "thread join",
         NULL,
         {"<std::thread::thread::Thread>::park", "std::thread::scoped::scope::<F, ()>", "a::main"}},
    };
    CHECK(samples);
}

/* The same with legacy names, and as Rust 1.63 lays its library out. */
static void rust_legacy_stack__apply__names_the_operation(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"futex wait",
         "chan receive",
         NULL,
         {"std::sys::pal::unix::futex::futex_wait", "std::thread::thread::Thread::park",
          "std::sync::mpmc::list::Channel<T>::recv::{{closure}}",
          "std::sync::mpmc::context::Context::with", "std::sync::mpmc::list::Channel<T>::recv",
          "a::main"}},
        {"futex wait",
         "chan receive",
         NULL,
         {"std::sys::unix::futex::futex_wait",
          "std::sys_common::thread_parker::futex::Parker::park", "std::thread::park",
          "std::sync::mpsc::blocking::WaitToken::wait", "std::sync::mpsc::shared::Packet<T>::recv",
          "std::sync::mpsc::Receiver<T>::recv", "a::main"}},
        {"futex wait",
         "mutex lock",
         NULL,
         {"std::sys::unix::locks::futex_mutex::Mutex::lock_contended", "a::main"}},
        {"futex wait",
         "cond wait",
         NULL,
         {"std::sys::unix::locks::futex_condvar::Condvar::wait_optional_timeout", "a::main"}},
        {"futex wait",
         "rwlock wrlock",
         NULL,
         {"std::sys::unix::locks::futex_rwlock::RwLock::write_contended", "a::main"}},
    };
    CHECK(samples);
}

static void stack_of_a_crate__apply__names_the_operation(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"futex wait",
         "chan receive",
         NULL,
         {"std::thread::Thread::park", "crossbeam_channel::context::Context::wait_until",
          "crossbeam_channel::flavors::list::Channel<T>::recv::{{closure}}",
          "crossbeam_channel::flavors::list::Channel<T>::recv",
          "crossbeam_channel::channel::Receiver<T>::recv", "a::main"}},
        {"futex wait",
         "chan send",
         NULL,
         {"<crossbeam_channel::flavors::zero::Channel<i32>>::send", "a::main"}},
        {"futex wait",
         "select",
         NULL,
         {"<crossbeam_channel::context::Context>::wait_until",
          "crossbeam_channel::select::run_select::{closure#0}",
          "crossbeam_channel::select::run_select", "a::main"}},
        {"futex wait",
         "mutex lock",
         NULL,
         {"parking_lot_core::parking_lot::park", "<parking_lot::raw_mutex::RawMutex>::lock_slow",
          "a::main"}},
        {"futex wait",
         "rwlock rdlock",
         NULL,
         {"<parking_lot::raw_rwlock::RawRwLock>::lock_shared_slow", "a::main"}},
        {"futex wait",
         "rwlock wrlock",
         NULL,
         {"<parking_lot::raw_rwlock::RawRwLock>::lock_exclusive_slow", "a::main"}},
        {"futex wait",
         "chan receive",
         NULL,
         {"std::thread::functions::park", "flume::Shared<T>::recv", "flume::Receiver<T>::recv",
          "a"}},
        {"futex wait",
         "chan send",
         NULL,
         {"std::thread::functions::park", "event_listener::EventListener::wait_internal",
          "<async_channel::Blocking as async_channel::Strategy>::poll",
          "async_channel::Send<T>::wait", "a::main"}},
        {"futex wait",
         "cond wait",
         "worker of tokio",
         {"<std::sys::sync::condvar::futex::Condvar>::wait",
          "parking_lot::condvar::Condvar::wait_until_internal",
          "tokio::runtime::scheduler::multi_thread::park::Inner::park_condvar",
          "tokio::runtime::scheduler::multi_thread::park::Parker::park",
          "tokio::runtime::scheduler::multi_thread::worker::Context::park"}},
        {"futex wait",
         "cond wait",
         "blocking pool",
         {"<std::sys::sync::condvar::futex::Condvar>::wait_timeout",
          "tokio::runtime::blocking::pool::Inner::run"}},
        {"futex wait",
         "thread park",
         NULL, /* the pool's thread runs work that is parked itself */
         {"std::thread::functions::park", "a::work", "tokio::runtime::blocking::task::poll",
          "tokio::runtime::blocking::pool::Inner::run"}},
        {"futex wait",
         "future wait",
         NULL,
         {"<std::sys::sync::condvar::futex::Condvar>::wait", "tokio::runtime::park::Inner::park",
          "tokio::runtime::park::CachedParkThread::block_on",
          "tokio::runtime::runtime::Runtime::block_on", "a::main"}},
        {"futex wait",
         "cond wait",
         "rayon",
         {"<std::sys::sync::condvar::futex::Condvar>::wait", "rayon_core::sleep::Sleep::sleep",
          "rayon_core::registry::WorkerThread::wait_until_cold"}},
    };
    CHECK(samples);
}

/* What rustc 1.95 made of tokio 1.24: no debug information, and the program's closures inlined into
 * the functions that run them. */
static void code_inlined_into_tokio__apply__is_the_programs_own(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"futex wait",
         "chan receive",
         NULL, /* spawn_blocking */
         {"syscall", "<std::thread::thread::Thread>::park",
          "std::sync::mpmc::list::Channel<T>::recv::{{closure}}",
          "std::sync::mpmc::list::Channel<T>::recv", "tokio::runtime::task::core::Core<T,S>::poll",
          "tokio::runtime::task::harness::Harness<T,S>::poll",
          "tokio::runtime::blocking::pool::Inner::run",
          "std::sys::backtrace::__rust_begin_short_backtrace"}},
        {"futex wait",
         "chan receive",
         NULL, /* spawn */
         {"syscall", "<std::thread::thread::Thread>::park",
          "std::sync::mpmc::list::Channel<T>::recv", "tokio::runtime::task::core::Core<T,S>::poll",
          "tokio::runtime::task::harness::Harness<T,S>::poll",
          "tokio::runtime::scheduler::multi_thread::worker::Context::run_task",
          "tokio::runtime::scheduler::multi_thread::worker::Context::run",
          "tokio::macros::scoped_tls::ScopedKey<T>::set",
          "tokio::runtime::scheduler::multi_thread::worker::run",
          "tokio::runtime::task::core::Core<T,S>::poll",
          "tokio::runtime::task::harness::Harness<T,S>::poll",
          "tokio::runtime::blocking::pool::Inner::run"}},
        {"futex wait",
         "future wait",
         NULL, /* blocking_recv of tokio's own channel, in spawn_blocking */
         {"syscall", "<std::sys::sync::condvar::futex::Condvar>::wait",
          "tokio::runtime::park::Inner::park", "tokio::runtime::park::CachedParkThread::block_on",
          "tokio::runtime::task::core::Core<T,S>::poll",
          "tokio::runtime::task::harness::Harness<T,S>::poll",
          "tokio::runtime::blocking::pool::Inner::run"}},
        {"futex wait",
         "chan receive",
         NULL, /* the standard library's channel, in an async block */
         {"syscall", "<std::thread::thread::Thread>::park",
          "std::sync::mpmc::list::Channel<T>::recv",
          "<core::pin::Pin<P> as core::future::future::Future>::poll",
          "tokio::runtime::scheduler::current_thread::Context::enter",
          "tokio::macros::scoped_tls::ScopedKey<T>::set",
          "tokio::runtime::scheduler::current_thread::CurrentThread::block_on",
          "tokio::runtime::runtime::Runtime::block_on", "tk::main"}},
        {"futex wait",
         "cond wait",
         "worker of tokio", /* inlined, too: the parker */
         {"syscall", "<std::sys::sync::condvar::futex::Condvar>::wait",
          "tokio::runtime::scheduler::multi_thread::worker::Context::park_timeout",
          "tokio::runtime::task::raw::poll", "tokio::runtime::blocking::pool::Inner::run"}},
    };
    CHECK(samples);
}

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
        {"cond wait", "cond wait", "redis", {"bioProcessBackgroundJobs", "start_thread"}},
        {"io wait", "io wait", NULL, {"close_file", "bioProcessBackgroundJobs", "start_thread"}},
        {"cond wait",
         "cond wait",
         "jemalloc",
         {"background_thread_sleep", "background_work_sleep_once", "je_background_thread_entry"}},
        {"cond wait", "cond wait", NULL, {"next_image", "background_thread_entry", "start_thread"}},
        {"cond wait", "cond wait", NULL, {"render_background_thread_entry", "start_thread"}},
        {"mutex lock", "mutex lock", "redis", {"redis-check-rdb!IOThreadMain", "start_thread"}},
        {"mutex lock", "mutex lock", NULL, {"IOThreadMain", "start_thread"}},
        {"mutex lock",
         "mutex lock",
         NULL,
         {"finish_read", "redis-server!IOThreadMain", "start_thread"}},
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

static void boost_qt_tbb_stack__apply__names_the_operation(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"cond wait",
         "cond wait",
         "Asio without a handler",
         {"boost::asio::detail::posix_event::wait<boost::asio::detail::conditionally_enabled_mutex:"
          ":"
          "scoped_lock>",
          "boost::asio::detail::conditionally_enabled_event::wait",
          "boost::asio::detail::scheduler::do_run_one", "boost::asio::detail::scheduler::run",
          "boost::asio::io_context::run", "main"}},
        {"cond wait",
         "cond wait",
         NULL, /* a handler that is parked */
         {"boost::condition_variable::wait", "main::{lambda()#1}::operator()",
          "boost::asio::detail::scheduler::do_run_one", "boost::asio::detail::scheduler::run"}},
        {"cond wait",
         "barrier wait",
         NULL,
         {"boost::posix::pthread_cond_wait", "boost::condition_variable::wait",
          "boost::barrier::wait", "main"}},
        {"cond wait",
         "future wait",
         NULL,
         {"boost::posix::pthread_cond_wait", "boost::condition_variable::wait",
          "boost::condition_variable::wait<boost::_bi::bind_t<bool, boost::_mfi::mf0<bool>>>",
          "boost::detail::shared_state_base::wait_internal",
          "boost::detail::shared_state<int>::get", "boost::unique_future<int>::get", "main"}},
        {"cond wait",
         "rwlock rdlock",
         NULL,
         {"boost::condition_variable::wait", "boost::shared_mutex::lock_shared", "main"}},
        {"cond wait",
         "rwlock wrlock",
         NULL,
         {"boost::condition_variable::wait", "boost::shared_mutex::lock", "main"}},
        {"futex wait", "mutex lock", NULL, {"QBasicMutex::lockInternal", "?", "main"}},
        {"futex wait",
         "mutex lock",
         NULL,
         {"QBasicMutex::lockInternal", "QMutexLocker::QMutexLocker", "main"}},
        {"futex wait", "sem wait", NULL, {"QSemaphore::acquire", "main"}},
        {"cond wait", "cond wait", NULL, {"QWaitCondition::wait", "main"}},
        {"cond wait",
         "rwlock rdlock",
         NULL,
         {"QWaitCondition::wait", "?", "QReadWriteLock::tryLockForRead", "main"}},
        {"cond wait",
         "rwlock wrlock",
         NULL,
         {"QWaitCondition::wait", "?", "QReadWriteLock::tryLockForWrite", "main"}},
        {"cond wait", "thread join", NULL, {"QWaitCondition::wait", "QThread::wait", "main"}},
        {"cond wait",
         "task join",
         NULL,
         {"QWaitCondition::wait", "?", "QThreadPool::waitForDone", "main"}},
        {"cond wait",
         "cond wait",
         "pool of Qt",
         {"libQt5Core.so.5!QWaitCondition::wait", "libQt5Core.so.5!QThreadPoolThread::run",
          "libQt5Core.so.5!QThreadPrivate::start"}},
        {"cond wait",
         "cond wait",
         NULL,
         {"libQt5Core.so.5!QWaitCondition::wait", "program!",
          "libQt5Core.so.5!QThreadPoolThread::run"}},
        {"futex wait",
         "chan receive",
         NULL,
         {"tbb::detail::r1::wait_bounded_queue_monitor",
          "tbb::detail::d2::concurrent_bounded_queue<int, A>::internal_wait<F>",
          "tbb::detail::d2::concurrent_bounded_queue<int, A>::internal_pop(void*)::{lambda()#2}::"
          "operator()",
          "tbb::detail::d0::try_call_proxy<F>::on_exception<G>",
          "tbb::detail::d2::concurrent_bounded_queue<int, A>::internal_pop",
          "tbb::detail::d2::concurrent_bounded_queue<int, A>::pop", "main"}},
        {"futex wait",
         "chan send",
         NULL,
         {"tbb::detail::r1::wait_bounded_queue_monitor",
          "tbb::detail::d2::concurrent_bounded_queue<int, A>::push", "main"}},
    };
    CHECK(samples);
}

static void abseil_stack__apply__names_the_operation(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"futex wait",
         "cond wait",
         NULL, /* in node 24 */
         {"absl::synchronization_internal::FutexWaiter::WaitUntil",
          "absl::synchronization_internal::FutexWaiter::Wait", "AbslInternalPerThreadSemWait",
          "absl::CondVar::WaitCommon", "v8::internal::FutexEmulation::WaitSync<int>"}},
        {"futex wait",
         "cond wait",
         NULL, /* Debian's: WaitCommon is in two parts, of which one has no name */
         {"absl::debian3::synchronization_internal::Waiter::Wait",
          "libabsl_synchronization.so.20220623!AbslInternalPerThreadSemWait_debian3",
          "libabsl_synchronization.so.20220623!", "program!waiter"}},
        {"futex wait",
         "futex wait",
         NULL,
         {"wait_of_its_own", "libabsl_synchronization.so.20220623!", "program!waiter"}},
        {"futex wait",
         "mutex lock",
         NULL,
         {"AbslInternalPerThreadSemWait_debian3", "absl::debian3::Mutex::Block",
          "absl::debian3::Mutex::LockSlowLoop", "absl::debian3::Mutex::LockSlowWithDeadline",
          "absl::debian3::Mutex::LockSlow", "absl::debian3::Mutex::Lock",
          "absl::debian3::MutexLock::MutexLock", "locker"}},
        {"futex wait",
         "mutex lock",
         NULL,
         {"AbslInternalPerThreadSemWait_debian3", "absl::debian3::Mutex::Block",
          "absl::debian3::Mutex::LockSlowLoop", "absl::debian3::Mutex::LockSlowWithDeadline",
          "absl::debian3::Mutex::LockSlow", "libabsl_synchronization.so.20220623!", "reader"}},
        {"futex wait",
         "cond wait",
         NULL,
         {"AbslInternalPerThreadSemWait_debian3", "absl::debian3::Mutex::Block",
          "absl::debian3::Mutex::AwaitCommon", "absl::debian3::Mutex::Await", "awaiter"}},
        {"futex wait",
         "cond wait",
         NULL,
         {"libabsl_synchronization.so.20220623!AbslInternalPerThreadSemWait_debian3",
          "libabsl_synchronization.so.20220623!absl::debian3::Mutex::Block",
          "libabsl_synchronization.so.20220623!",
          "libabsl_synchronization.so.20220623!absl::debian3::Mutex::LockSlow",
          "libabsl_synchronization.so.20220623!absl::debian3::Mutex::LockWhen",
          "libabsl_synchronization.so.20220623!absl::debian3::Notification::WaitForNotification",
          "notified"}},
        {"futex wait",
         "barrier wait",
         NULL,
         {"AbslInternalPerThreadSemWait_debian3", "absl::debian3::Mutex::Block",
          "absl::debian3::Mutex::AwaitCommon", "absl::debian3::Mutex::Await",
          "absl::debian3::BlockingCounter::Wait", "counter"}},
        {"futex wait",
         "barrier wait",
         NULL,
         {"absl::lts_20260817::Mutex::Block", "absl::lts_20260817::Mutex::AwaitCommon",
          "absl::lts_20260817::Barrier::Block", "main"}},
        {"futex wait", "futex wait", NULL, {"wait_of_its_own", "absl::CondVar::WaitCommon"}},
    };
    CHECK(samples);
}

static void stack_of_libuv_or_node__apply__is_idle_between_tasks_alone(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"cond wait", "cond wait", "libuv", {"node!uv_cond_wait", "node!worker", "start_thread"}},
        {"cond wait",
         "cond wait",
         "libuv",
         {"libuv.so.1!uv_cond_wait", "libuv.so.1.0.0!worker", "libc.so.6!"}},
        {"cond wait",
         "cond wait",
         "libuv", /* Debian's, which is stripped */
         {"libuv.so.1!uv_cond_wait", "libuv.so.1!", "libc.so.6!"}},
        {"cond wait",
         "cond wait",
         NULL, /* work of the pool that waits */
         {"node!uv_cond_wait", "addon.node!fetch", "node!uv__queue_work", "node!worker"}},
        {"cond wait",
         "cond wait",
         NULL,
         {"libuv.so.1!uv_cond_wait", "program!fetch", "libuv.so.1!", "libuv.so.1!", "libc.so.6!"}},
        {"cond wait",
         "cond wait",
         NULL, /* of a stripped program */
         {"libuv.so.1!uv_cond_wait", "program!", "libuv.so.1!", "libuv.so.1!", "libc.so.6!"}},
        {"cond wait", "cond wait", NULL, {"uv_cond_wait", "program!worker", "start_thread"}},
        {"cond wait", "cond wait", NULL, {"node!uv_cond_wait", "node_addon.node!worker"}},
        {"mutex lock", "mutex lock", NULL, {"libuv.so.1!uv_mutex_lock", "libuv.so.1!"}},
        {"futex wait", "mutex lock", NULL, {"libuv.so.1!uv_mutex_lock", "libuv.so.1!"}},
        {"futex wait", "cond wait", "libuv", {"libuv.so.1!uv_cond_wait", "libuv.so.1!"}},
        {"sem wait", "sem wait", NULL, {"libuv.so.1!uv_sem_wait", "libuv.so.1!"}},
        {"futex wait", "sem wait", NULL, {"uv__sem_wait", "uv_sem_wait", "main"}},
        {"futex wait", "barrier wait", NULL, {"pthread_barrier_wait", "uv_barrier_wait", "main"}},
        {"futex wait", "mutex lock", NULL, {"pthread_mutex_lock", "uv_mutex_lock", "main"}},
        {"futex wait", "rwlock rdlock", NULL, {"uv_rwlock_rdlock", "main"}},
        {"futex wait", "rwlock wrlock", NULL, {"uv_rwlock_wrlock", "main"}},
        {"futex wait", "cond wait", NULL, {"uv_cond_wait", "main"}},
        {"cond wait",
         "cond wait",
         "node's platform",
         {"uv_cond_wait", "node::(anonymous namespace)::PlatformWorkerThread", "start_thread"}},
        {"cond wait",
         "cond wait",
         NULL, /* a task that waits */
         {"uv_cond_wait", "addon::Task::Run", "node::(anonymous namespace)::PlatformWorkerThread"}},
        {"mutex lock",
         "mutex lock",
         NULL,
         {"uv_mutex_lock", "node::(anonymous namespace)::PlatformWorkerThread"}},
        {"sem wait",
         "sem wait",
         "inspector",
         {"__futex_abstimed_wait_common64", "__new_sem_wait_slow64", "uv__sem_wait", "uv_sem_wait",
          "node::inspector::(anonymous namespace)::StartIoThreadMain", "start_thread"}},
        {"sem wait",
         "sem wait",
         NULL,
         {"sem_wait_for_work", "node::inspector::(anonymous namespace)::StartIoThreadMain"}},
        {"sem wait",
         "sem wait",
         NULL,
         {"uv_sem_wait", "node::inspector::Agent::RequestIoThreadStart",
          "node::inspector::(anonymous namespace)::StartIoThreadMain"}},
        {"cond wait",
         "cond wait",
         NULL, /* Atomics.wait() in a worker thread */
         {"v8::internal::FutexEmulation::WaitSync<int>", "v8::internal::FutexEmulation::WaitJs32",
          "v8::internal::Builtin_AtomicsWait", "node!",
          "node::worker::Worker::StartThread(v8::FunctionCallbackInfo<v8::Value> "
          "const&)::{lambda(void*)#1}::_FUN"}},
    };
    CHECK(samples);
}

static void stack_of_v8__apply__is_idle_between_tasks_alone(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"futex wait",
         "cond wait",
         "V8's platform", /* in workerd */
         {"absl::lts_20260817::synchronization_internal::FutexWaiter::WaitUntil",
          "absl::lts_20260817::synchronization_internal::FutexWaiter::Wait",
          "AbslInternalPerThreadSemWait_lts_20260817", "absl::lts_20260817::CondVar::WaitCommon",
          "v8::base::ConditionVariable::WaitFor",
          "v8::platform::DefaultWorkerThreadsTaskRunner::WorkerThread::Run",
          "v8::base::ThreadEntry"}},
        {"cond wait",
         "cond wait",
         "V8's platform", /* of an older V8 */
         {"v8::base::ConditionVariable::Wait", "v8::platform::DelayedTaskQueue::GetNext",
          "v8::platform::DefaultWorkerThreadsTaskRunner::GetNext",
          "v8::platform::DefaultWorkerThreadsTaskRunner::WorkerThread::Run"}},
        {"cond wait",
         "cond wait",
         NULL, /* a task that waits */
         {"v8::base::ConditionVariable::Wait", "program::Task::Run",
          "v8::platform::DefaultWorkerThreadsTaskRunner::WorkerThread::Run"}},
        {"futex wait",
         "mutex lock",
         NULL, /* for the lock of the pool, which another holds */
         {"AbslInternalPerThreadSemWait", "absl::Mutex::Block", "absl::Mutex::LockSlowLoop",
          "v8::platform::DefaultWorkerThreadsTaskRunner::WorkerThread::Run"}},
        {"futex wait", "mutex lock", NULL, {"v8::base::RecursiveMutex::Lock", "main"}},
        {"futex wait", "sem wait", NULL, {"v8::base::Semaphore::WaitFor", "main"}},
        {"cond wait",
         "cond wait",
         NULL, /* who waits for the pool's work */
         {"v8::base::ConditionVariable::Wait", "v8::platform::DefaultJobState::Join", "main"}},
    };
    CHECK(samples);
}

/* Debian's libraries have no names but those that they export. */
static void stack_of_grpc__apply__is_idle_between_tasks_alone(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"futex wait",
         "cond wait",
         "worker of gRPC",
         {"absl::debian3::synchronization_internal::Waiter::Wait",
          "libabsl_synchronization.so.20220623!AbslInternalPerThreadSemWait_debian3",
          "libabsl_synchronization.so.20220623!", "libgpr.so.29!gpr_cv_wait",
          "libgrpc.so.29!grpc_core::Executor::ThreadMain", "libgpr.so.29!", "libc.so.6!"}},
        {"futex wait",
         "cond wait",
         "worker of gRPC",
         {"absl::debian3::synchronization_internal::Waiter::Wait",
          "libabsl_synchronization.so.20220623!AbslInternalPerThreadSemWait_debian3",
          "libabsl_synchronization.so.20220623!",
          "libgrpc.so.29!grpc_event_engine::experimental::ThreadPool::Queue::Step",
          "libgrpc.so.29!grpc_event_engine::experimental::ThreadPool::ThreadFunc"}},
        {"futex wait",
         "cond wait",
         "gRPC's thread for timers",
         {"AbslInternalPerThreadSemWait", "absl::CondVar::WaitCommon",
          "grpc_event_engine::posix_engine::TimerManager::WaitUntil",
          "grpc_event_engine::posix_engine::TimerManager::MainLoop"}},
        {"futex wait",
         "cond wait",
         "to be shut down",
         {"AbslInternalPerThreadSemWait", "absl::CondVar::WaitCommon", "grpc::Server::Wait",
          "main"}},
        {"cond wait",
         "cond wait",
         NULL, /* a closure that waits */
         {"gpr_cv_wait", "program!fetch", "grpc_core::Executor::RunClosures",
          "grpc_core::Executor::ThreadMain"}},
        {"cond wait",
         "cond wait",
         NULL,
         {"program!fetch", "libgrpc.so.29!",
          "libgrpc.so.29!grpc_event_engine::experimental::ThreadPool::Queue::Step"}},
        {"futex wait",
         "mutex lock",
         NULL, /* for the lock of the pool, which another holds */
         {"AbslInternalPerThreadSemWait", "absl::Mutex::Block", "absl::Mutex::LockSlowLoop",
          "grpc_event_engine::experimental::ThreadPool::Queue::Step"}},
        {"futex wait",
         "mutex lock",
         NULL,
         {"AbslInternalPerThreadSemWait", "absl::Mutex::Block", "absl::Mutex::LockSlowLoop",
          "absl::Mutex::LockSlow", "gpr_mu_lock", "grpc_core::Executor::ThreadMain"}},
        {"futex wait",
         "cond wait",
         NULL, /* a call for the answer of which the program waits */
         {"AbslInternalPerThreadSemWait", "absl::CondVar::WaitCommon", "libgpr.so.29!gpr_cv_wait",
          "libgrpc.so.29!", "libgrpc.so.29!grpc_pollset_work", "libgrpc.so.29!",
          "libgrpc++.so.1.51!grpc::CompletionQueue::AsyncNextInternal", "main"}},
    };
    CHECK(samples);
}

static void stack_of_hotspot__apply__is_idle_in_its_own_threads_alone(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"sem wait",
         "sem wait",
         "garbage collector",
         {"__new_sem_wait_slow64", "libjvm.so!PosixSemaphore::wait", "libjvm.so!GangWorker::loop",
          "libjvm.so!GangWorker::run", "libjvm.so!Thread::call_run"}},
        {"sem wait",
         "sem wait",
         "garbage collector",
         {"libjvm.so!PosixSemaphore::wait", "libjvm.so!G1ConcurrentRefineThread::run_service",
          "libjvm.so!ConcurrentGCThread::run"}},
        {"cond wait",
         "cond wait",
         "garbage collector",
         {"libjvm.so!os::PlatformMonitor::wait", "libjvm.so!Monitor::wait_without_safepoint_check",
          "libjvm.so!G1ConcurrentMarkThread::run_service", "libjvm.so!ConcurrentGCThread::run"}},
        {"cond wait",
         "cond wait",
         "garbage collector",
         {"libjvm.so!os::PlatformMonitor::wait", "libjvm.so!ZUnmapper::run_service"}},
        {"cond wait",
         "cond wait",
         "garbage collector",
         {"libjvm.so!os::PlatformMonitor::wait", "libjvm.so!Monitor::wait_without_safepoint_check",
          "libjvm.so!ZDriver::run_service"}},
        {"cond wait",
         "cond wait",
         "garbage collector",
         {"libjvm.so!os::PlatformMonitor::wait", "libjvm.so!Monitor::wait_without_safepoint_check",
          "libjvm.so!StringDedup::Processor::wait_for_requests",
          "libjvm.so!StringDedup::Processor::run_service"}},
        {"cond wait",
         "cond wait",
         "Java's runtime",
         {"libjvm.so!os::PlatformMonitor::wait", "libjvm.so!Monitor::wait_without_safepoint_check",
          "libjvm.so!VMThread::wait_for_operation", "libjvm.so!VMThread::run"}},
        {"cond wait",
         "cond wait",
         "Java's runtime",
         {"libjvm.so!os::PlatformMonitor::wait", "libjvm.so!Monitor::wait_without_safepoint_check",
          "libjvm.so!ServiceThread::service_thread_entry"}},
        {"cond wait",
         "cond wait",
         "Java's runtime",
         {"libjvm.so!os::PlatformMonitor::wait", "libjvm.so!Monitor::wait_without_safepoint_check",
          "libjvm.so!NotificationThread::notification_thread_entry"}},
        {"sem wait",
         "sem wait",
         "Java's runtime",
         {"libjvm.so!PosixSemaphore::wait", "libjvm.so!os::signal_wait",
          "libjvm.so!signal_thread_entry", "libjvm.so!JavaThread::thread_main_inner"}},
        {"cond wait",
         "cond wait",
         "Java's runtime",
         {"libjvm.so!os::PlatformMonitor::wait", "libjvm.so!Monitor::wait",
          "libjvm.so!JVM_WaitForReferencePendingList", "!"}},
        {"cond wait",
         "cond wait",
         "ends Java",
         {"libjvm.so!os::PlatformMonitor::wait", "libjvm.so!Monitor::wait",
          "libjvm.so!Threads::destroy_vm", "libjvm.so!jni_DestroyJavaVM", "libjli.so!JavaMain"}},
        {"sem wait",
         "sem wait",
         "garbage collector", /* of OpenJDK 21, from here on */
         {"libjvm.so!PosixSemaphore::wait", "libjvm.so!WorkerThread::run",
          "libjvm.so!Thread::call_run"}},
        {"cond wait",
         "cond wait",
         "garbage collector",
         {"libjvm.so!PlatformMonitor::wait", "libjvm.so!Monitor::wait_without_safepoint_check",
          "libjvm.so!G1PrimaryConcurrentRefineThread::wait_for_completed_buffers",
          "libjvm.so!G1ConcurrentRefineThread::run_service"}},
        {"cond wait",
         "cond wait",
         "garbage collector",
         {"libjvm.so!PlatformMonitor::wait", "libjvm.so!XUnmapper::dequeue",
          "libjvm.so!XUnmapper::run_service"}},
        {"cond wait",
         "cond wait",
         "garbage collector",
         {"libjvm.so!PlatformMonitor::wait", "libjvm.so!ZDriverPort::receive",
          "libjvm.so!ZDriverMinor::run_thread"}},
        {"sem wait",
         "sem wait",
         NULL,
         {"libjvm.so!PosixSemaphore::wait", "libjvm.so!G1ParTask::work",
          "libjvm.so!WorkerThread::run"}},
        {"cond wait",
         "cond wait",
         NULL, /* who asks for a collection */
         {"libjvm.so!PlatformMonitor::wait", "libjvm.so!ZDriverPort::send_sync",
          "libjvm.so!ZDriver::collect"}},
        {"cond wait",
         "cond wait",
         NULL, /* Object.wait() */
         {"libjvm.so!os::PlatformEvent::park", "libjvm.so!ObjectMonitor::wait",
          "libjvm.so!ObjectSynchronizer::wait", "libjvm.so!JVM_MonitorWait", "!"}},
        {"cond wait",
         "thread park",
         NULL, /* LockSupport.park() */
         {"libjvm.so!Parker::park", "libjvm.so!Unsafe_Park", "!"}},
        {"cond wait",
         "mutex lock",
         NULL, /* synchronized */
         {"libjvm.so!os::PlatformEvent::park", "libjvm.so!ObjectMonitor::EnterI",
          "libjvm.so!ObjectMonitor::enter", "libjvm.so!ObjectSynchronizer::enter", "!"}},
        {"cond wait",
         "cond wait",
         NULL, /* who asks the VM's thread for something, and who waits for a class */
         {"libjvm.so!os::PlatformMonitor::wait", "libjvm.so!Monitor::wait",
          "libjvm.so!VMThread::wait_until_executed", "libjvm.so!VMThread::execute"}},
        {"cond wait",
         "cond wait",
         NULL,
         {"libjvm.so!os::PlatformMonitor::wait", "libjvm.so!Monitor::wait",
          "libjvm.so!InstanceKlass::initialize_impl"}},
        {"cond wait",
         "cond wait",
         NULL, /* work of the collector that waits */
         {"libjvm.so!os::PlatformMonitor::wait", "libjvm.so!Monitor::wait_without_safepoint_check",
          "libjvm.so!SuspendibleThreadSet::join",
          "libjvm.so!G1ConcurrentRefineThread::run_service"}},
        {"sem wait",
         "sem wait",
         NULL,
         {"libjvm.so!PosixSemaphore::wait", "libjvm.so!G1ParTask::work",
          "libjvm.so!GangWorker::loop"}},
        {"cond wait", "cond wait", NULL, {"libjvm.so!", "libjvm.so!", "libjvm.so!JVM_MonitorWait"}},
        {"sem wait", "sem wait", NULL, {"PosixSemaphore::wait", "GangWorker::loop"}},
    };
    CHECK(samples);
}

static void server_at_rest__apply__is_idle(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"cond wait",
         "cond wait",
         "worker of GHC",
         {"waitCondition", "yieldCapability", "schedule", "scheduleWorker", "workerStart"}},
        {"cond wait",
         "cond wait",
         NULL, /* a thread that Haskell code is bound to */
         {"waitCondition", "yieldCapability", "schedule", "scheduleWaitThread", "hs_main"}},
        {"cond wait",
         "cond wait",
         NULL, /* C code that Haskell called */
         {"wait_for_it", "base_ForeignziC_info", "schedule", "scheduleWorker", "workerStart"}},
        {"cond wait", "cond wait", "timer of GHC", {"waitCondition", "itimer_thread_func"}},
        {"futex wait",
         "futex wait",
         "scheduler of Erlang",
         {"beam.smp!ethr_event_twait", "beam.smp!", "beam.smp!erts_schedule",
          "beam.smp!erts_dirty_process_main", "beam.smp!"}},
        {"futex wait", "futex wait", NULL, {"ethr_event_twait", "erts_schedule"}},
        {"futex wait",
         "futex wait",
         NULL,
         {"beam.smp!ethr_event_wait", "beam.smp!ethr_mutex_lock", "beam.smp!erts_port_task_execute",
          "beam.smp!erts_schedule"}},
        {"futex wait",
         "futex wait",
         NULL, /* a native function */
         {"beam.smp!ethr_event_wait", "plugin.so!", "beam.smp!erts_schedule"}},
        {"cond wait", "cond wait", "worker of Apache", {"ap_queue_pop_something", "?"}},
        {"io wait", "io wait", "Apache that waits to be told", {"ap_mpm_podx_check", "?"}},
        {"cond wait", "cond wait", "squid", {"squidaio_thread_loop"}},
        {"cond wait", "cond wait", "MariaDB", {"mariadbd!handle_manager", "mariadbd!"}},
        {"cond wait", "cond wait", "MariaDB", {"mysqld!slave_deadlock_handler", "mysqld!"}},
        {"cond wait", "cond wait", NULL, {"handle_manager", "?"}},
        {"mutex lock", "mutex lock", NULL, {"mariadbd!handle_manager", "mariadbd!"}},
    };
    CHECK(samples);
}

static void runtime_at_rest__apply__is_idle(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"cond wait", "cond wait", "worker of libtaskrt", {"taskrt_worker_idle", "worker_main"}},
        {"futex wait",
         "futex wait",
         "thread of the Go runtime",
         {"runtime.futexsleep", "runtime.notesleep", "runtime.mPark", "runtime.stopm",
          "runtime.findrunnable", "runtime.schedule"}},
        {"GC sweep wait",
         "GC sweep wait",
         "the Go runtime itself",
         {"runtime.gopark", "runtime.goparkunlock", "runtime.bgsweep", "runtime.kickoff"}},
        {"finalizer wait",
         "finalizer wait",
         "the Go runtime itself",
         {"runtime.gopark", "runtime.runfinq", "runtime.kickoff"}},
        {"chan receive",
         "chan receive",
         NULL,
         {"runtime.gopark", "runtime.chanrecv", "runtime.chanrecv1", "main.main"}},
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
    struct op_verdict none = op_rules_apply(NULL, NULL, 0);
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
        struct op_verdict verdict = op_rules_apply("futex wait", functions, 3);
        assert_string_equal(verdict.op, "futex wait");
        memcpy(name, "g_async_queue_pop", 17);
        verdict = op_rules_apply("futex wait", functions, 3);
        assert_string_equal(verdict.op, "chan receive");
    }
    free(name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rust_v0_stack__apply__names_the_operation),
        cmocka_unit_test(rust_legacy_stack__apply__names_the_operation),
        cmocka_unit_test(stack_of_a_crate__apply__names_the_operation),
        cmocka_unit_test(code_inlined_into_tokio__apply__is_the_programs_own),
        cmocka_unit_test(cplus_stack__apply__names_the_operation),
        cmocka_unit_test(c_library_stack__apply__names_the_operation),
        cmocka_unit_test(nameless_frame__apply__is_a_step_of_its_own_file_alone),
        cmocka_unit_test(boost_qt_tbb_stack__apply__names_the_operation),
        cmocka_unit_test(abseil_stack__apply__names_the_operation),
        cmocka_unit_test(stack_of_libuv_or_node__apply__is_idle_between_tasks_alone),
        cmocka_unit_test(stack_of_v8__apply__is_idle_between_tasks_alone),
        cmocka_unit_test(stack_of_grpc__apply__is_idle_between_tasks_alone),
        cmocka_unit_test(stack_of_hotspot__apply__is_idle_in_its_own_threads_alone),
        cmocka_unit_test(server_at_rest__apply__is_idle),
        cmocka_unit_test(runtime_at_rest__apply__is_idle),
        cmocka_unit_test(known_op_or_own_code__apply__keeps_the_op),
        cmocka_unit_test(hostile_name__apply__is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
