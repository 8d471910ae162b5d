/* Threads that have nothing to do, of runtimes, of programs and of libraries that start their own.
 */
#include "tests/unit/analyzer/op_samples.h"

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
        {"cond wait", "cond wait", NULL, {"node!worker", "start_thread"}}, /* another "node" */
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

static void python_queue_stack__apply__names_the_operation(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"sem wait",
         "chan receive",
         NULL,
         {"python3.11!PyThread_acquire_lock_timed", "_queue.cpython-311-x86_64-linux-gnu.so!",
          "python3.11!", "python3.11!PyObject_Vectorcall", "python3.11!_PyEval_EvalFrameDefault"}},
        {"sem wait",
         "chan receive",
         NULL,
         {"libpython3.12.so.1.0!PyThread_acquire_lock_timed",
          "_queue.cpython-312-x86_64-linux-gnu.so!_queue_SimpleQueue_get_impl",
          "_queue.cpython-312-x86_64-linux-gnu.so!_queue_SimpleQueue_get"}},
        {"sem wait",
         "sem wait",
         NULL, /* a threading.Lock, which may be that of a condition or an event, too */
         {"python3.11!PyThread_acquire_lock_timed", "python3.11!",
          "python3.11!_PyEval_EvalFrameDefault", "_queue.cpython-311-x86_64-linux-gnu.so!"}},
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

/* GHC 9.0 with -threaded, and Erlang/OTP 25 */
static void thread_of_ghc_or_erlang__apply__is_idle_in_the_runtime_alone(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"cond wait",
         "cond wait",
         "GHC's runtime began",
         {"libc.so.6!___pthread_cond_wait", "h!waitCondition", "h!yieldCapability", "h!schedule",
          "h!scheduleWaitThread", "h!hs_main", "h!main", "libc.so.6!__libc_start_call_main"}},
        {"cond wait",
         "cond wait",
         NULL, /* forkOS */
         {"h!waitCondition", "h!yieldCapability", "h!schedule", "h!scheduleWaitThread",
          "h!rts_evalStableIO", "h!forkOS_createThreadWrapper", "libc.so.6!start_thread"}},
        {"cond wait",
         "cond wait",
         NULL, /* the program's own */
         {"h!waitCondition", "h!schedule", "h!hs_main", "h!main"}},
        {"cond wait",
         "cond wait",
         NULL, /* in C, which Haskell called */
         {"h!wait_for_it", "h!schedule", "h!scheduleWaitThread", "h!hs_main", "h!main"}},
        {"io wait",
         "io wait",
         "Erlang's runtime itself",
         {"libc.so.6!__GI___libc_read", "beam.smp!", "beam.smp!", "libc.so.6!start_thread"}},
        {"cond wait",
         "cond wait",
         "Erlang's runtime itself",
         {"libc.so.6!___pthread_cond_wait", "beam.smp!ethr_cond_wait", "beam.smp!", "beam.smp!",
          "libc.so.6!start_thread"}},
        {"futex wait",
         "futex wait",
         "Erlang's runtime itself",
         {"libc.so.6!syscall", "beam.smp!ethr_event_wait", "beam.smp!", "beam.smp!",
          "libc.so.6!start_thread"}},
        {"io wait",
         "io wait",
         NULL, /* a function of a native library */
         {"libc.so.6!__GI___libc_read", "my_nif.so!", "beam.smp!erts_dirty_process_main",
          "beam.smp!", "libc.so.6!start_thread"}},
        {"io wait",
         "io wait",
         NULL,
         {"libc.so.6!__GI___libc_read", "my_nif.so!", "beam.smp!", "libc.so.6!start_thread"}},
        {"cond wait",
         "cond wait",
         NULL, /* a stripped program that only begins with the same letters */
         {"libc.so.6!___pthread_cond_wait", "beamformer!", "libc.so.6!start_thread"}},
        {"futex wait",
         "futex wait",
         NULL,
         {"libc.so.6!syscall", "beamformer!", "libc.so.6!start_thread"}},
        {"io wait",
         "io wait",
         NULL,
         {"libc.so.6!__GI___libc_read", "beamformer!", "libc.so.6!start_thread"}},
        {"io wait",
         "io wait",
         "Erlang's runtime itself", /* a flavour of the emulator */
         {"libc.so.6!__GI___libc_read", "beam.debug.smp!", "libc.so.6!start_thread"}},
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
        cmocka_unit_test(stack_of_libuv_or_node__apply__is_idle_between_tasks_alone),
        cmocka_unit_test(stack_of_v8__apply__is_idle_between_tasks_alone),
        cmocka_unit_test(stack_of_hotspot__apply__is_idle_in_its_own_threads_alone),
        cmocka_unit_test(server_at_rest__apply__is_idle),
        cmocka_unit_test(client_of_a_desktop__apply__is_idle_between_events_alone),
        cmocka_unit_test(poll_of_a_library_for_one_answer__apply__is_told_from_an_event_loop),
        cmocka_unit_test(runtime_at_rest__apply__is_idle),
        cmocka_unit_test(python_queue_stack__apply__names_the_operation),
        cmocka_unit_test(stack_of_one_stripped_library__apply__is_idle),
        cmocka_unit_test(thread_of_ghc_or_erlang__apply__is_idle_in_the_runtime_alone),
        cmocka_unit_test(thread_of_libeio__apply__is_idle),
        cmocka_unit_test(thread_of_rust_crate__apply__is_idle),
        cmocka_unit_test(thread_of_openblas__apply__is_idle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
