/* Threads that have nothing to do, of programs and of libraries that start their own. */
#include "tests/unit/analyzer/op_samples.h"

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
         {"waitCondition", "yieldCapability", "schedule", "scheduleWaitThread", "rts_evalStableIO",
          "forkOS_createThreadWrapper"}},
        {"cond wait",
         "cond wait",
         NULL, /* C code that Haskell called */
         {"wait_for_it", "base_ForeignziC_info", "schedule", "scheduleWorker", "workerStart"}},
        {"cond wait", "cond wait", "timer of GHC", {"waitCondition", "itimer_thread_func"}},
        {"cond wait", "cond wait", NULL, {"waitCondition", "scheduleWorker", "start_thread"}},
        {"cond wait", "cond wait", NULL, {"schedule", "scheduleWorker", "start_thread"}},
        {"cond wait", "cond wait", NULL, {"itimer_thread_func", "start_thread"}},
        {"cond wait",
         "cond wait",
         NULL, /* work of a pool of Asio, in a function of the program */
         {"std::condition_variable::wait", "schedule", "boost::asio::detail::scheduler::do_run_one",
          "start_thread"}},
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
        {"cond wait", "cond wait", "worker of Apache", {"apache2!ap_queue_pop_something", "?"}},
        {"cond wait",
         "cond wait",
         "worker of Apache",
         {"mod_mpm_event.so!ap_queue_pop_something", "mod_mpm_event.so!"}},
        {"cond wait", "cond wait", NULL, {"ap_queue_pop_something", "?"}},
        {"io wait", "io wait", "Apache that waits to be told", {"apache2!ap_mpm_podx_check", "?"}},
        {"io wait", "io wait", NULL, {"ap_mpm_podx_check", "?"}},
        {"cond wait", "cond wait", "squid", {"squid!squidaio_thread_loop"}},
        {"cond wait", "cond wait", NULL, {"squidaio_thread_loop"}},
        {"cond wait", "cond wait", "MariaDB", {"mariadbd!handle_manager", "mariadbd!"}},
        {"cond wait", "cond wait", "MariaDB", {"mysqld!slave_deadlock_handler", "mysqld!"}},
        {"cond wait", "cond wait", NULL, {"handle_manager", "?"}},
        {"mutex lock", "mutex lock", NULL, {"mariadbd!handle_manager", "mariadbd!"}},
    };
    CHECK(samples);
}

/* As reports by PID have them where the libraries are stripped; the C library may have names. */
static void client_of_a_desktop__apply__is_idle_between_events_alone(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"io wait",
         "io wait",
         "client of X",
         {"libc.so.6!__GI___poll", "libxcb.so.1.1.0!", "libxcb.so.1.1.0!xcb_wait_for_event",
          "libX11.so.6.4.0!_XReadEvents", "libX11.so.6.4.0!XNextEvent", "xterm!main"}},
        {"io wait",
         "io wait",
         "client of X",
         {"libxcb.so.1!_xcb_conn_wait", "libxcb.so.1!xcb_wait_for_special_event", "mpv!main"}},
        {"io wait",
         "io wait",
         NULL,
         {"libc.so.6!poll", "libxcb.so.1!", "libxcb.so.1!", "libxcb.so.1!xcb_wait_for_reply"}},
        {"io wait",
         "io wait",
         "client of Wayland",
         {"libc.so.6!__poll", "libwayland-client.so.0!wl_display_dispatch_queue", "foot!main"}},
        {"io wait",
         "io wait",
         op_for_an_answer,
         {"libc.so.6!__poll", "libwayland-client.so.0!wl_display_dispatch_queue",
          "libwayland-client.so.0!wl_display_roundtrip_queue", "foot!main"}},
        {"io wait",
         "io wait",
         "client of D-Bus",
         {"libc.so.6!__poll", "libdbus-1.so.3!", "libdbus-1.so.3!", "avahi!main"}},
        {"io wait",
         "io wait",
         op_for_an_answer,
         {"libc.so.6!__poll", "libdbus-1.so.3!", "libdbus-1.so.3!",
          "libdbus-1.so.3!dbus_connection_send_with_reply_and_block", "avahi!main"}},
        {"io wait",
         "io wait",
         "client of D-Bus",
         {"libc.so.6!ppoll", "libsystemd.so.0!", "libsystemd.so.0!", "agent!main"}},
        {"io wait",
         "io wait",
         op_for_an_answer,
         {"libc.so.6!ppoll", "libsystemd.so.0!", "libsystemd.so.0!", "libsystemd.so.0!sd_bus_call",
          "libsystemd.so.0!sd_bus_call_method", "agent!main"}},
        {"io wait",
         "io wait",
         NULL, /* the program's own */
         {"libc.so.6!poll", "mine!wl_display_dispatch", "mine!main"}},
        {"io wait",
         "io wait",
         NULL,
         {"libc.so.6!recv", "libxcb.so.1!xcb_wait_for_event", "mine!main"}},
    };
    CHECK(samples);
}

/* As Debian's GLib, Qt 5.15 and Rust show it, which have no names for their own functions. */
static void poll_of_a_library_for_one_answer__apply__is_told_from_an_event_loop(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"io wait",
         "io wait",
         op_for_an_answer,
         {"libc.so.6!poll", "libglib-2.0.so.0!", "libglib-2.0.so.0!g_main_loop_run",
          "libgio-2.0.so.0!g_dbus_connection_send_message_with_reply_sync", "libgio-2.0.so.0!",
          "libgio-2.0.so.0!g_dbus_connection_call_sync", "d!call"}},
        {"io wait",
         "io wait",
         "main loop of GLib",
         {"libc.so.6!poll", "libglib-2.0.so.0!", "libglib-2.0.so.0!g_main_loop_run",
          "libgio-2.0.so.0!", "libglib-2.0.so.0!"}},
        {"io wait",
         "io wait",
         op_for_an_answer,
         {"libc.so.6!poll", "libglib-2.0.so.0!", "libglib-2.0.so.0!g_main_context_iteration",
          "libgio-2.0.so.0!g_subprocess_communicate_utf8", "d!communicate"}},
        {"io wait",
         "io wait",
         op_for_an_answer,
         {"libc.so.6!poll", "libglib-2.0.so.0!", "libglib-2.0.so.0!g_main_context_iteration",
          "libgio-2.0.so.0!g_subprocess_wait", "g!sub"}},
        {"io wait",
         "io wait",
         op_for_an_answer,
         {"libc.so.6!poll", "libglib-2.0.so.0!g_spawn_sync",
          "libglib-2.0.so.0!g_spawn_command_line_sync", "d!spawn_sync"}},
        {"io wait",
         "io wait",
         NULL, /* an event loop, which the call tells */
         {"libc.so.6!poll", "libglib-2.0.so.0!", "libglib-2.0.so.0!g_main_context_iteration",
          "libQt5Core.so.5!QEventDispatcherGlib::processEvents",
          "libQt5Core.so.5!QEventLoop::exec"}},
        {"io wait",
         "io wait",
         op_for_an_answer, /* QProcess::waitForFinished, which ends with a call of what it is made
                              of */
         {"libc.so.6!ppoll", "libQt5Core.so.5!qt_safe_poll", "libQt5Core.so.5!", "p!finished",
          "libQt5Core.so.5!", "libc.so.6!start_thread"}},
        {"io wait",
         "io wait",
         op_for_an_answer,
         {"libc.so.6!ppoll", "libQt5Core.so.5!qt_safe_poll", "libQt5Core.so.5!",
          "libQt5Core.so.5!QProcess::execute", "p!execute"}},
        {"io wait",
         "io wait",
         NULL,
         {"libc.so.6!ppoll", "libQt5Core.so.5!qt_safe_poll",
          "libQt5Core.so.5!QEventDispatcherUNIX::processEvents", "libQt5Core.so.5!QEventLoop::exec",
          "libQt5Widgets.so.5!QDialog::exec", "p!ask"}},
        {"io wait",
         "io wait",
         NULL, /* the program's own loop, below which is Qt's */
         {"libc.so.6!poll", "p!loop", "libQt5Core.so.5!", "libc.so.6!start_thread"}},
        {"io wait",
         "io wait",
         op_for_an_answer,
         {"std::sys::process::unix::common::read_output::{closure#0}",
          "std::sys::pal::unix::cvt_r::<i32, "
          "std::sys::process::unix::common::read_output::{closure#0}>",
          "std::sys::process::unix::common::read_output", "std::sys::process::output",
          "<std::process::Command>::output", "out::main"}},
        {"io wait",
         "io wait",
         op_for_an_answer,
         {"std::sys::unix::pipe::read2", "std::process::Child::wait_with_output",
          "std::process::Command::output", "out::main"}},
    };
    CHECK(samples);
}

/* Nothing of the program is on the stack, from the wait to where the thread began. */
static void stack_of_one_stripped_library__apply__is_idle(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"futex wait",
         "futex wait",
         "worker of oneTBB",
         {"libc.so.6!syscall", "libtbb.so.12.8!", "libc.so.6!start_thread", "libc.so.6!clone3"}},
        {"futex wait", "futex wait", "worker of oneTBB", {"libtbb.so.12!", "libc.so.6!"}},
        {"futex wait",
         "futex wait",
         NULL, /* its stack was not read to its end */
         {"libc.so.6!syscall", "libtbb.so.12!"}},
        {"futex wait",
         "futex wait",
         NULL, /* who waits for tasks */
         {"libtbb.so.12!", "libtbb.so.12!tbb::detail::r1::wait", "program!", "libtbb.so.12!",
          "libc.so.6!start_thread"}},
        {"futex wait",
         "futex wait",
         NULL, /* a task that called TBB last, so that it is no longer on the stack */
         {"libtbb.so.12!", "libtbb.so.12!tbb::detail::r1::wait", "libtbb.so.12!",
          "libc.so.6!start_thread"}},
        {"futex wait",
         "futex wait",
         NULL, /* compiled at run time, in no file */
         {"libtbb.so.12!", "!", "libtbb.so.12!", "libc.so.6!start_thread"}},
        {"futex wait",
         "cond wait",
         "GLib's pools",
         {"libc.so.6!syscall", "libglib-2.0.so.0!g_cond_wait", "libglib-2.0.so.0!",
          "libglib-2.0.so.0!", "libglib-2.0.so.0!", "libc.so.6!start_thread", "libc.so.6!clone3"}},
        {"futex wait",
         "cond wait",
         NULL, /* work of a pool that is parked */
         {"libglib-2.0.so.0!g_cond_wait", "program!", "libglib-2.0.so.0!", "libglib-2.0.so.0!",
          "libc.so.6!start_thread"}},
        {"futex wait",
         "chan receive",
         NULL, /* g_thread_new("consumer", (GThreadFunc)g_async_queue_pop, queue) */
         {"libglib-2.0.so.0!g_cond_wait", "libglib-2.0.so.0!", "libglib-2.0.so.0!g_async_queue_pop",
          "libglib-2.0.so.0!", "libc.so.6!start_thread"}},
        {"futex wait",
         "mutex lock",
         NULL,
         {"libglib-2.0.so.0!g_mutex_lock", "libglib-2.0.so.0!", "libc.so.6!start_thread"}},
        {"futex wait",
         "futex wait",
         "worker of libgomp",
         {"libgomp.so.1.0.0!", "libgomp.so.1.0.0!", "libc.so.6!start_thread", "libc.so.6!clone3"}},
        {"futex wait",
         "futex wait",
         "worker of libgomp", /* as wheels of Python bring it */
         {"libgomp-a34b3233.so.1.0.0!", "libgomp-a34b3233.so.1.0.0!", "libc.so.6!start_thread"}},
        {"futex wait",
         "futex wait",
         "worker of libgomp", /* with its symbols */
         {"libgomp.so.1!futex_wait", "libgomp.so.1!do_wait", "libgomp.so.1!gomp_barrier_wait_end",
          "libgomp.so.1!gomp_simple_barrier_wait", "libgomp.so.1!gomp_thread_start",
          "libc.so.6!start_thread", "libc.so.6!clone3"}},
        {"futex wait",
         "futex wait",
         NULL, /* a region ended with a lock */
         {"libgomp.so.1!futex_wait", "libgomp.so.1!do_wait", "libgomp.so.1!gomp_mutex_lock_slow",
          "libgomp.so.1!gomp_thread_start", "libc.so.6!start_thread"}},
        {"futex wait",
         "futex wait",
         NULL, /* omp_set_lock */
         {"libgomp.so.1.0.0!", "o!lock_relock", "o!th", "libc.so.6!start_thread"}},
        {"futex wait",
         "futex wait",
         NULL, /* in a region */
         {"libgomp.so.1.0.0!", "o!critical_stuck._omp_fn.0", "libgomp.so.1.0.0!",
          "libc.so.6!start_thread", "libc.so.6!clone3"}},
        {"futex wait",
         "futex wait",
         NULL, /* who began the region, and waits for its end */
         {"libgomp.so.1.0.0!", "libgomp.so.1.0.0!", "o!region_with_one_stuck", "o!th",
          "libc.so.6!start_thread"}},
        {"futex wait",
         "futex wait",
         NULL,
         {"libgomp.so.1.0.0!", "libgomp.so.1.0.0!GOMP_barrier", "libgomp.so.1.0.0!",
          "libc.so.6!start_thread"}},
    };
    CHECK(samples);
}

static void thread_of_libeio__apply__is_idle(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"cond wait", "cond wait", "libeio", {"tarantool!etp_proc", "start_thread"}},
        {"cond wait", "cond wait", NULL, {"etp_proc", "start_thread"}},
        {"cond wait", "cond wait", NULL, {"coio_on_exec", "tarantool!etp_proc", "start_thread"}},
        {"mutex lock", "mutex lock", NULL, {"tarantool!etp_proc", "start_thread"}},
        {"cond wait", "cond wait", "libeio", {"AIO.so!", "libc.so.6!start_thread"}},
        {"cond wait",
         "cond wait",
         NULL,
         {"AIO.so!", "perl!Perl_pp_entersub", "perl!main", "libc.so.6!__libc_start_main"}},
    };
    CHECK(samples);
}

static void thread_of_rust_crate__apply__is_idle(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"sem wait",
         "sem wait",
         "Ctrl-C",
         {"ctrlc::platform::unix::implementation::sem_wait_forever",
          "std::sys::backtrace::__rust_begin_short_backtrace::<ctrlc::set_handler_inner<F>::{"
          "closure#0}, ()>",
          "start_thread"}},
        {"io wait",
         "io wait",
         "Ctrl-C",
         {"nix::unistd::read", "ctrlc::platform::unix::block_ctrl_c", "start_thread"}},
        {"sem wait",
         "sem wait",
         NULL, /* the program's handler */
         {"sem_wait", "main::handler", "ctrlc::set_handler_inner::{closure#0}", "start_thread"}},
        {"futex wait",
         "futex wait",
         "jobserver",
         {"std::sys::backtrace::__rust_begin_short_backtrace::<jobserver::imp::spawn_helper::{"
          "closure#1}, ()>",
          "start_thread"}},
        {"futex wait",
         "cond wait",
         "jobserver",
         {"std::sys::sync::condvar::futex::Condvar::wait_optional_timeout",
          "std::sync::poison::condvar::Condvar::wait::<HelperInner>",
          "jobserver::HelperState::for_each_request::<F>",
          "jobserver::imp::spawn_helper::{closure#1}", "start_thread"}},
        {"futex wait",
         "chan send",
         NULL, /* what the program does with a token */
         {"std::sync::mpsc::SyncSender::send", "main::{closure#0}",
          "jobserver::HelperState::for_each_request::<F>", "start_thread"}},
        {"futex wait",
         "futex wait",
         NULL,
         {"std::sys::backtrace::__rust_begin_short_backtrace::<main::{closure#1}, ()>",
          "start_thread"}},
    };
    CHECK(samples);
}

static void thread_of_openblas__apply__is_idle(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"cond wait", "cond wait", "OpenBLAS", {"libopenblasp-r0.3.21.so!"}},
        {"cond wait",
         "cond wait",
         "OpenBLAS",
         {"libscipy_openblas64_-8fb3d286.so!", "libc.so.6!start_thread"}},
        {"cond wait",
         "cond wait",
         "OpenBLAS",
         {"libopenblas.so.0!blas_thread_server", "libc.so.6!start_thread"}},
        {"cond wait",
         "cond wait",
         "OpenBLAS",
         {"libRblas.so!blas_thread_server", "libc.so.6!start_thread"}},
        {"cond wait", "cond wait", NULL, {"blas_thread_server", "libc.so.6!start_thread"}},
        {"cond wait",
         "cond wait",
         NULL, /* a function of the program, by gotoblas_pthread */
         {"program!", "libopenblas.so.0!", "libc.so.6!start_thread"}},
        {"mutex lock", "mutex lock", NULL, {"libopenblas.so.0!", "libopenblas.so.0!dgemm_"}},
    };
    CHECK(samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(server_at_rest__apply__is_idle),
        cmocka_unit_test(client_of_a_desktop__apply__is_idle_between_events_alone),
        cmocka_unit_test(poll_of_a_library_for_one_answer__apply__is_told_from_an_event_loop),
        cmocka_unit_test(stack_of_one_stripped_library__apply__is_idle),
        cmocka_unit_test(thread_of_libeio__apply__is_idle),
        cmocka_unit_test(thread_of_rust_crate__apply__is_idle),
        cmocka_unit_test(thread_of_openblas__apply__is_idle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
