/* Waits in the libraries of Rust, and what is the program's own. */
#include "tests/unit/analyzer/op_samples.h"

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
        {"futex wait",
         "mutex lock",
         NULL,
         {"std::sys::unix::futex::futex_wait",
          "std::sys::unix::locks::futex::Mutex::lock_contended",
          "std::sys::unix::locks::futex::Mutex::lock",
          "std::sys_common::mutex::MovableMutex::raw_lock", "std::sync::mutex::Mutex<T>::lock",
          "a::main"}},
        {"futex wait",
         "cond wait",
         NULL,
         {"std::sys::unix::futex::futex_wait", "std::sys::unix::locks::futex::Condvar::wait",
          "a::main"}},
        {"futex wait",
         "cond wait",
         NULL,
         {"std::sys::unix::locks::futex::Condvar::wait_timeout", "a::main"}},
    };
    CHECK(samples);
}

/* Once, OnceLock and LazyLock of rustc 1.95 and 1.63, and parking_lot's Once. */
static void rust_once__apply__waits_for_the_initializer_but_not_in_it(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"futex wait",
         "once wait",
         NULL,
         {"std::sys::pal::unix::futex::futex_wait", "<std::sys::sync::once::futex::Once>::call",
          "std::sync::once_lock::OnceLock<T>::initialize",
          "std::sys::backtrace::__rust_begin_short_backtrace"}},
        {"futex wait",
         "cond wait",
         NULL, /* in the initializer */
         {"std::sys::pal::unix::futex::futex_wait",
          "<std::sys::sync::condvar::futex::Condvar>::wait",
          "std::sync::once::Once::call_once_force::{{closure}}",
          "<std::sys::sync::once::futex::Once>::call",
          "std::sync::once_lock::OnceLock<T>::initialize"}},
        {"futex wait",
         "thread park",
         NULL,
         {"std::thread::functions::park", "<std::sys::sync::once::futex::Once>::call", "a::main"}},
        {"futex wait",
         "once wait",
         NULL, /* without the standard library's debug information */
         {"std::sys::unix::futex::futex_wait", "std::sync::once::Once::call_inner", "a::main"}},
        {"futex wait",
         "once wait",
         NULL,
         {"std::sys::unix::futex::futex_wait",
          "std::sys_common::thread_parker::futex::Parker::park", "std::thread::park",
          "std::sync::once::wait", "std::sync::once::Once::call_inner",
          "std::sync::once::Once::call_once", "a::main"}},
        {"futex wait",
         "thread park",
         NULL, /* in the initializer, which was inlined */
         {"std::sys::unix::futex::futex_wait",
          "std::sys_common::thread_parker::futex::Parker::park", "std::thread::park",
          "std::sync::once::Once::call_inner",
          "std::sys::unix::thread::Thread::new::thread_start"}},
        {"futex wait",
         "cond wait",
         NULL,
         {"std::sys::unix::futex::futex_wait",
          "std::sys::unix::locks::futex::Condvar::wait_optional_timeout",
          "std::sys::unix::locks::futex::Condvar::wait",
          "std::sync::once::Once::call_once::{{closure}}", "std::sync::once::Once::call_inner",
          "std::sys::unix::thread::Thread::new::thread_start"}},
        {"futex wait",
         "once wait",
         NULL,
         {"parking_lot_core::parking_lot::park", "parking_lot::once::Once::call_once_slow",
          "parking_lot::once::Once::call_once", "crates::pl_once_w"}},
        {"futex wait", "once wait", NULL, {"parking_lot::once::Once::call_once_slow", "a::main"}},
        {"futex wait",
         "thread park",
         NULL,
         {"std::thread::functions::park", "parking_lot::once::Once::call_once_slow",
          "crates::pl_once_i"}},
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
         "rwlock rdlock",
         NULL, /* built without optimization, here and below */
         {"parking_lot_core::parking_lot::park", "parking_lot::raw_rwlock::RawRwLock::lock_common",
          "parking_lot::raw_rwlock::RawRwLock::lock_shared_slow",
          "<parking_lot::raw_rwlock::RawRwLock as lock_api::rwlock::RawRwLock>::lock_shared",
          "lock_api::rwlock::RwLock<R,T>::read", "crates::pl_rw_r"}},
        {"futex wait",
         "rwlock rdlock",
         NULL,
         {"parking_lot_core::parking_lot::park", "parking_lot::raw_rwlock::RawRwLock::lock_common",
          "parking_lot::raw_rwlock::RawRwLock::lock_upgradable_slow",
          "<parking_lot::raw_rwlock::RawRwLock as "
          "lock_api::rwlock::RawRwLockUpgrade>::lock_upgradable",
          "lock_api::rwlock::RwLock<R,T>::upgradable_read", "crates::pl_upgr"}},
        {"futex wait",
         "rwlock wrlock",
         NULL,
         {"parking_lot::raw_rwlock::RawRwLock::wait_for_readers",
          "parking_lot::raw_rwlock::RawRwLock::lock_exclusive_slow",
          "<parking_lot::raw_rwlock::RawRwLock as lock_api::rwlock::RawRwLock>::lock_exclusive",
          "lock_api::rwlock::RwLock<R,T>::write", "crates::pl_rw_w"}},
        {"futex wait",
         "rwlock wrlock",
         NULL,
         {"parking_lot::raw_rwlock::RawRwLock::lock_common",
          "parking_lot::raw_rwlock::RawRwLock::lock_exclusive_slow", "a::main"}},
        {"futex wait",
         "rwlock wrlock",
         NULL,
         {"parking_lot::raw_rwlock::RawRwLock::wait_for_readers",
          "parking_lot::raw_rwlock::RawRwLock::upgrade_slow", "crates::pl_upgrade"}},
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
          "tokio::runtime::runtime::Runtime::block_on", "a::ask"}},
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

/* Of tokio 1.24 by rustc 1.63 with debug information and by rustc 1.95 without. */
static void main_of_tokio__apply__is_idle_in_its_own_call_of_block_on_alone(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"futex wait",
         "future wait",
         "of tokio's tasks nothing is known",
         {"std::sys::unix::locks::futex::Condvar::wait", "tokio::runtime::park::Inner::park",
          "std::thread::local::LocalKey<T>::try_with",
          "tokio::runtime::park::CachedParkThread::with_current",
          "tokio::runtime::park::CachedParkThread::block_on",
          "tokio::runtime::context::BlockingRegionGuard::block_on",
          "tokio::runtime::scheduler::multi_thread::MultiThread::block_on",
          "tokio::runtime::runtime::Runtime::block_on", "srv::main",
          "std::sys_common::backtrace::__rust_begin_short_backtrace", "main"}},
        {"futex wait",
         "future wait",
         "of tokio's tasks nothing is known",
         {"<std::sys::sync::condvar::futex::Condvar>::wait", "tokio::runtime::park::Inner::park",
          "tokio::runtime::park::CachedParkThread::block_on",
          "<tokio::runtime::scheduler::multi_thread::MultiThread>::block_on::<srv::main::{closure#"
          "0}>",
          "tokio::runtime::runtime::Runtime::block_on", "srv::main"}},
        {"futex wait", /* cargo's release profile: nothing is left of MultiThread::block_on */
         "future wait",
         "of tokio's tasks nothing is known",
         {"<std::sys::sync::condvar::futex::Condvar>::wait", "tokio::runtime::park::Inner::park",
          "tokio::runtime::park::CachedParkThread::block_on",
          "tokio::runtime::runtime::Runtime::block_on", "srv::main"}},
        {"futex wait",
         "future wait",
         NULL, /* the future waits on a condition of its own, which is inlined */
         {"<std::sys::sync::condvar::futex::Condvar>::wait",
          "tokio::runtime::park::CachedParkThread::block_on",
          "tokio::runtime::scheduler::multi_thread::MultiThread::block_on",
          "tokio::runtime::runtime::Runtime::block_on", "srv::main"}},
        {"futex wait",
         "future wait",
         NULL, /* for an answer */
         {"tokio::runtime::park::Inner::park", "tokio::runtime::park::CachedParkThread::block_on",
          "tokio::runtime::scheduler::multi_thread::MultiThread::block_on",
          "tokio::runtime::runtime::Runtime::block_on", "srv::ask", "srv::main"}},
        {"futex wait",
         "future wait",
         NULL, /* a function of a module of the program */
         {"<std::sys::sync::condvar::futex::Condvar>::wait", "tokio::runtime::park::Inner::park",
          "tokio::runtime::scheduler::multi_thread::MultiThread::block_on", "srv::jobs::main"}},
        {"futex wait",
         "future wait",
         NULL, /* blocking_recv, or a handle's block_on */
         {"<std::sys::sync::condvar::futex::Condvar>::wait", "tokio::runtime::park::Inner::park",
          "tokio::runtime::park::CachedParkThread::block_on", "srv::main"}},
        {"futex wait",
         "thread park",
         NULL, /* block_on(async { thread::park() }) */
         {"std::thread::functions::park",
          "tokio::runtime::scheduler::current_thread::Context::enter",
          "tokio::macros::scoped_tls::ScopedKey<T>::set",
          "tokio::runtime::scheduler::current_thread::CurrentThread::block_on", "inl::main"}},
        {"futex wait",
         "thread park",
         NULL,
         {"std::thread::functions::park",
          "tokio::runtime::scheduler::multi_thread::MultiThread::block_on", "srv::main"}},
    };
    CHECK(samples);
}

static void thread_of_tokios_blocking_pool__joined_later__has_a_reason(void **state)
{
    (void)state;
    const struct op_frame inlined[] = {
        {"<std::sys::thread::unix::Thread>::new", "srv"},
        {"std::thread::lifecycle::spawn_unchecked", "srv"},
        {"tokio::runtime::blocking::pool::Spawner::spawn_task", "srv"},
        {"tokio::runtime::blocking::pool::Spawner::spawn_blocking", "srv"},
    };
    const struct op_frame whole[] = {
        {NULL, "srv"},
        {"<tokio::runtime::blocking::pool::Spawner>::spawn_thread", "srv"},
    };
    const struct op_frame own[] = {
        {"std::thread::Builder::spawn", "srv"},
        {"srv::Spawner::spawn_task", "srv"},
        {"tokio::runtime::blocking::pool::Inner::run", "srv"},
    };
    assert_non_null(strstr(op_rules_joined_later(inlined, 4), "tokio joins"));
    assert_non_null(strstr(op_rules_joined_later(whole, 2), "tokio joins"));
    assert_null(op_rules_joined_later(own, 3));
    assert_null(op_rules_joined_later(NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rust_v0_stack__apply__names_the_operation),
        cmocka_unit_test(rust_legacy_stack__apply__names_the_operation),
        cmocka_unit_test(stack_of_a_crate__apply__names_the_operation),
        cmocka_unit_test(code_inlined_into_tokio__apply__is_the_programs_own),
        cmocka_unit_test(rust_once__apply__waits_for_the_initializer_but_not_in_it),
        cmocka_unit_test(main_of_tokio__apply__is_idle_in_its_own_call_of_block_on_alone),
        cmocka_unit_test(thread_of_tokios_blocking_pool__joined_later__has_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
