/* One table. A stack is read from its innermost frame outwards, through frames of libraries that
 * are known to wait on behalf of others, up to the first frame that no row knows: that is the
 * program's own code, and what it called, the outermost row with an op, is what the programmer
 * wrote.
 *
 * The language of a pattern is that of fnmatch(3) with FNM_EXTMATCH: `*`, `?`, `[abc]`,
 * `@(one|other)`, `!(none|of|these)`. A pattern is compared with the function's name after its
 * generic arguments were taken away, so that one row fits what legacy and v0 mangling of Rust and
 * what C++ make of a generic function:
 *
 *     <std::sync::mpmc::list::Channel<i32>>::recv::{closure#1}     (Rust, v0)
 *     std::sync::mpmc::list::Channel<T>::recv::{{closure}}         (Rust, legacy)
 *     std::sync::mpmc::list::Channel::recv::{closure#1}            what is compared
 *     <X as Trait>::method   is   X::method
 *
 * A pattern with a `<` in it is compared with the whole name. "FILE!FUNCTION" asks for the file,
 * too, where any program may have a function of that name. "FILE!" stands for a frame whose file is
 * all that is known of it. Such frames, the static functions of stripped files, are stepped over
 * where they are in the file of the next frame with a name, inwards or outwards, or in the C
 * library; elsewhere they may be the program's own code, which nobody knows.
 *
 * "FUNCTION & OTHER" asks for a second function, anywhere in the same stack. A program may have a
 * function of any name, also one of C++, whose name here tells no parameters: so a row that makes a
 * wait expected, or a step towards one that does, names a file or a second function where the
 * function's own name has no prefix, namespace or package that is the library's alone.
 */
#include "analyzer/naming/op_rules.h"

#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Of longer names only the beginning is compared. */
#define NAME_BYTES 512
#define IN_FILE_BYTES (64 + NAME_BYTES)

#define AND " & "
#define FIRST_PART_BYTES 128 /* of a pattern with an AND */

struct op_rule {
    const char *function; /* pattern */
    const char *op;   /* what the wait is called; NULL: a step on the way out, no name of its own */
    const char *idle; /* why the wait is expected; NULL: it is not */
    const char *only; /* pattern: applies to waits that are called this so far; NULL: to all */
    bool anywhere;    /* on any frame; else only on those reached through frames of this table */
};

static const char go_idle[] = "a thread of the Go runtime without a goroutine to run";
static const char go_own[] = "a goroutine of the Go runtime itself";
static const char java_gc[] = "a thread of Java's garbage collector without work";
static const char java_own[] = "a thread of Java's runtime without work";
static const char grpc_idle[] = "a worker of gRPC without work";
static const char uv_idle[] = "a worker of libuv's pool without work";
static const char jemalloc_idle[] = "the background thread of jemalloc";
static const char blas_idle[] = "a thread of OpenBLAS without work";
static const char x_idle[] = "a client of X waits for the next event";
static const char wayland_idle[] = "a client of Wayland waits for the next event";
static const char dbus_idle[] = "a client of D-Bus waits for the next message";
/* No reason: the wait is for one answer, which rows of inner frames do not know. */
static const char for_an_answer[] = "";
static const char eio_idle[] = "a thread of libeio without a request";

static const struct op_rule rules[] = {
    /* libtaskrt */
    {"taskrt_worker_idle", NULL, "a worker of libtaskrt without a task to run", NULL, true},

    /* The C library, where a source shows its inner frames */
    {"@(syscall|__libc_pause|pause)", NULL, NULL, NULL, false},
    {"*@(futex_wait|futex_abstimed_wait|futex_wake|lll_lock_wait|lll_mutex_lock)*", NULL, NULL,
     NULL, false},
    {"*pthread_@(cond|mutex|rwlock|clockjoin|timedjoin|join|barrier|once)*", NULL, NULL, NULL,
     false},
    {"@(__new_sem_wait*|sem_@(wait|timedwait|clockwait))", NULL, NULL, NULL, false},
    {"@(libc|librt)[.-]*!timer_helper_thread", NULL, "the C library's thread for POSIX timers",
     "signal wait", true},
    {"@(libc|librt)[.-]*!handle_fildes_io", NULL, "the C library's thread for asynchronous I/O",
     "cond wait", true},

    /* Rust's standard library, 1.62 and later */
    {"std::sys*::@(futex_mutex|mutex::futex)::Mutex::lock*", "mutex lock", NULL, NULL, false},
    {"std::sys*::@(futex_rwlock|rwlock::futex)::RwLock::read*", "rwlock rdlock", NULL, NULL, false},
    {"std::sys*::@(futex_rwlock|rwlock::futex)::RwLock::write*", "rwlock wrlock", NULL, NULL,
     false},
    {"std::sys*::@(futex_condvar|condvar::futex)::Condvar::wait*", "cond wait", NULL, NULL, false},
    {"std::sys*::once::futex::Once::@(call|wait)*", "once wait", NULL, NULL, false},
    {"std::sys*::thread_park*::Parker::park*", "thread park", NULL, NULL, false},
    {"std::thread::*park*", "thread park", NULL, NULL, false},
    {"std::sync::*arrier::wait*", "barrier wait", NULL, NULL, false},
    {"std::sync::mp[ms]c::*::@(recv|recv_*|next|try_next)?(::*)", "chan receive", NULL, NULL,
     false},
    {"std::sync::mp[ms]c::*::send*", "chan send", NULL, NULL, false},
    {"std::thread::scoped::scope*", "thread join", NULL, NULL, false},
    {"std::thread::*Join@(Handle|Inner)::join*", "thread join", NULL, NULL, false},
    /* A thread's closure, where it is inlined: what it calls for the program is not. */
    {"std::sys*::__rust_begin_short_backtrace*<jobserver::imp::spawn_helper::*", NULL,
     "the thread of the crate jobserver without a request", "@(futex|cond) wait", false},
    {"std::@(sys|sys_common|sync|thread)::*", NULL, NULL, NULL, false},
    {"@(core|alloc)::*", NULL, NULL, NULL, false},

    /* Rust's crates */
    {"crossbeam_channel::flavors::*::Channel::recv*", "chan receive", NULL, NULL, false},
    {"crossbeam_channel::flavors::*::Channel::send*", "chan send", NULL, NULL, false},
    {"crossbeam_channel::channel::Receiver::recv*", "chan receive", NULL, NULL, false},
    {"crossbeam_channel::channel::Sender::send*", "chan send", NULL, NULL, false},
    {"crossbeam_channel::select::*", "select", NULL, NULL, false},
    {"crossbeam_@(channel|utils)::*", NULL, NULL, NULL, false},
    {"parking_lot::raw_mutex::RawMutex::lock*", "mutex lock", NULL, NULL, false},
    {"parking_lot::raw_rwlock::RawRwLock::@(lock_shared|try_lock_shared)*", "rwlock rdlock", NULL,
     NULL, false},
    {"parking_lot::raw_rwlock::RawRwLock::@(lock|wait_for_readers|upgrade)*", "rwlock wrlock", NULL,
     NULL, false},
    {"parking_lot::condvar::Condvar::wait*", "cond wait", NULL, NULL, false},
    {"parking_lot::once::Once::call_once*", "once wait", NULL, NULL, false},
    {"@(parking_lot|parking_lot_core|lock_api|parking)::*", NULL, NULL, NULL, false},
    {"flume::@(Receiver|Shared)::recv*", "chan receive", NULL, NULL, false},
    {"flume::@(Sender|Shared)::send*", "chan send", NULL, NULL, false},
    {"flume::select::*", "select", NULL, NULL, false},
    {"async_channel::@(Recv::wait|*::recv_blocking)*", "chan receive", NULL, NULL, false},
    {"async_channel::@(Send::wait|*::send_blocking)*", "chan send", NULL, NULL, false},
    {"@(flume|async_channel|event_listener|event_listener_strategy)::*", NULL, NULL, NULL, false},
    {"tokio::sync::*::blocking_recv*", "chan receive", NULL, NULL, false},
    {"tokio::sync::*::blocking_send*", "chan send", NULL, NULL, false},
    {"tokio::sync::*::blocking_lock*", "mutex lock", NULL, NULL, false},
    {"tokio::sync::*::blocking_read*", "rwlock rdlock", NULL, NULL, false},
    {"tokio::sync::*::blocking_write*", "rwlock wrlock", NULL, NULL, false},
    {"tokio::runtime::blocking::pool::Inner::run*", NULL,
     "a thread of tokio's blocking pool without work", NULL, false},
    {"tokio::runtime::@(scheduler::multi_thread|thread_pool)*::park::*", NULL,
     "a worker of tokio's runtime without a task to run", NULL, true},
    {"tokio::runtime::@(scheduler::multi_thread|thread_pool)*::worker::@(Context::*|run*)", NULL,
     "a worker of tokio's runtime without a task to run", NULL, false},
    {"tokio::*::block_on*", "future wait", NULL, NULL, false},
    {"@(futures_executor|futures_lite|async_io|pollster)::*block_on*", "future wait", NULL, NULL,
     false},
    {"futures_executor::local_pool::run_executor*", "future wait", NULL, NULL, false},
    /* A task's code is often inlined into the functions of `task` that run it: they are no steps.
     */
    {"tokio::!(?(runtime::)?(blocking::)task::*)", NULL, NULL, NULL, false},
    {"@(futures_executor|futures_lite)::*", NULL, NULL, NULL, false},
    {"rayon_core::sleep::Sleep::sleep*", NULL, "a worker of rayon without a task to run", NULL,
     false},
    {"rayon_core::latch::LockLatch::wait*", "task join", NULL, NULL, false},
    {"rayon_core::*", NULL, NULL, NULL, false},

    /* Rust's compiler, and others with these crates */
    {"ctrlc::platform::unix::@(block_ctrl_c|implementation::sem_wait_forever)", NULL,
     "the thread of the crate ctrlc, which waits for Ctrl-C", "@(sem|io) wait", true},
    {"jobserver::HelperState::for_each_request*", NULL,
     "the thread of the crate jobserver without a request", "cond wait", false},

    /* C++: libstdc++ and libc++ */
    {"std::__atomic_wait_address*<*std::__atomic_semaphore::*", "sem wait", NULL, NULL, false},
    {"std::__atomic_wait_address*<*std::latch::*", "barrier wait", NULL, NULL, false},
    {"std::__atomic_wait_address*<*std::__tree_barrier*", "barrier wait", NULL, NULL, false},
    {"std::@(__atomic_semaphore|__platform_semaphore|counting_semaphore)::*", "sem wait", NULL,
     NULL, false},
    {"std::@(latch|barrier|__tree_barrier)::*", "barrier wait", NULL, NULL, false},
    {"std::@(__1::)@(latch|barrier)::*", "barrier wait", NULL, NULL, false},
    {"std::__1::counting_semaphore::*", "sem wait", NULL, NULL, false},
    {"std::__atomic_futex_unsigned*", "future wait", NULL, NULL, false},
    {"std::__future_base::*wait*", "future wait", NULL, NULL, false},
    {"std::@(__basic_future|future|shared_future)::*", "future wait", NULL, NULL, false},
    {"std::__1::__assoc_sub_state::*wait*", "future wait", NULL, NULL, false},
    {"std::*condition_variable*::wait*", "cond wait", NULL, NULL, false},
    /* The first call initializes a static local object; of libc++abi, steps inside it have names.
     */
    {"__cxa_guard_acquire", "once wait", NULL, "@(futex|cond) wait", false},
    {"__cxxabiv1::*", NULL, NULL, "@(futex|cond) wait", false},
    {"std::@(__atomic|__detail)*", NULL, NULL, NULL, false},
    {"std::atomic*::wait*", NULL, NULL, NULL, false},

    /* Boost, and Asio without it */
    {"boost::condition_variable*::*wait*", "cond wait", NULL, NULL, false},
    {"boost::shared_mutex::lock_shared*", "rwlock rdlock", NULL, NULL, false},
    {"boost::shared_mutex::*lock*", "rwlock wrlock", NULL, NULL, false},
    {"boost::barrier::*wait*", "barrier wait", NULL, NULL, false},
    {"boost::detail::shared_state*", "future wait", NULL, NULL, false},
    {"boost::@(detail::basic_future|unique_future|shared_future)::*", "future wait", NULL, NULL,
     false},
    {"boost::posix::pthread_cond_*", NULL, NULL, NULL, false},
    {"?(boost::)asio::detail::*event::@(wait|wait_for_usec)", NULL, NULL, "cond wait", false},
    {"?(boost::)asio::detail::scheduler::do_@(run|wait)_one", NULL,
     "a thread of Asio without a handler to run", "cond wait", false},

    /* Qt 5 */
    {"QBasicMutex::lockInternal", "mutex lock", NULL, NULL, false},
    {"@(QMutex|QRecursiveMutex|QRecursiveMutexPrivate|QMutexLocker)::*", "mutex lock", NULL, NULL,
     false},
    {"QSemaphore::@(acquire|tryAcquire)", "sem wait", NULL, NULL, false},
    {"QReadWriteLock@(|Private)::*Read", "rwlock rdlock", NULL, NULL, false},
    {"QReadWriteLock@(|Private)::*Write", "rwlock wrlock", NULL, NULL, false},
    {"QWaitCondition::wait", "cond wait", NULL, NULL, false},
    {"QThread::wait", "thread join", NULL, NULL, false},
    {"QThreadPool::waitForDone", "task join", NULL, NULL, false},
    {"QThreadPoolThread::run", NULL, "a thread of a pool of Qt without work", NULL, false},

    /* Qt 6, and what it shares with Qt 5 */
    {"QThreadPoolPrivate::waitForDone", "task join", NULL, NULL, false},
    {"QFutureInterfaceBase::waitFor@(Finished|Result|NextResult)", "future wait", NULL, NULL,
     false},
    {"QBasicReadWriteLock::contendedTryLockForRead", "rwlock rdlock", NULL, NULL, false},
    {"QBasicReadWriteLock::contendedTryLockForWrite", "rwlock wrlock", NULL, NULL, false},

    /* POCO */
    {"Poco::@(Event|EventImpl)::wait*", NULL, NULL, "cond wait", false},
    {"Poco::Semaphore@(|Impl)::wait*", "sem wait", NULL, NULL, false},
    {"Poco::@(|Priority|Timed)NotificationQueue::waitDequeueNotification", "chan receive", NULL,
     NULL, false},
    {"Poco::Thread@(|Impl)::join*", "thread join", NULL, NULL, false},
    {"Poco::@(PooledThread::join|ThreadPool::joinAll)", "task join", NULL, NULL, false},
    {"Poco::PooledThread::run", NULL, "a thread of a pool of POCO without work", "cond wait",
     false},
    {"Poco::AsyncChannel::run", NULL, "the thread of a log of POCO without a message",
     "chan receive", false},
    {"Poco::Util::Timer::run", NULL, "the thread of a timer of POCO, which is at rest",
     "chan receive", false},

    /* WebKit and JavaScriptCore, of which bun is made, too */
    {"WTF::ThreadCondition::@(wait|timedWait)", NULL, NULL, "cond wait", false},
    {"WTF::ParkingLot::parkConditionallyImpl", NULL, NULL, "cond wait", false},
    {"WTF::@(Lock|CountingLock|WordLock)::lockSlow", "mutex lock", NULL, "cond wait", false},
    {"WTF::ReadWriteLock::readLock", "rwlock rdlock", NULL, "cond wait", false},
    {"WTF::ReadWriteLock::writeLock", "rwlock wrlock", NULL, "cond wait", false},
    {"WTF::BinarySemaphore::wait*", "sem wait", NULL, "cond wait", false},

    /* Python's queue.SimpleQueue, from which the threads of concurrent.futures take their work */
    {"PyThread_acquire_lock_timed", NULL, NULL, "sem wait", false},
    {"_queue.*.so!?(_queue_SimpleQueue_get*)", "chan receive", NULL, "sem wait", false},

    /* oneTBB */
    {"tbb::detail::r1::wait_bounded_queue_monitor", NULL, NULL, "futex wait", false},
    {"tbb::detail::d?::concurrent_bounded_queue::@(internal_pop|pop)*", "chan receive", NULL, NULL,
     false},
    {"tbb::detail::d?::concurrent_bounded_queue::@(internal_push|push|emplace)*", "chan send", NULL,
     NULL, false},
    {"tbb::detail::d?::*", NULL, NULL, "futex wait", false},

    /* Abseil. Only LockSlowLoop waits for a mutex; what has no name in the library, parts of
     * CondVar and LockWhen that the compiler split off, waits for a condition.
     */
    {"absl::?(*::)Mutex::@(LockSlowLoop|Lock|lock|ReaderLock|lock_shared)", "mutex lock", NULL,
     NULL, false},
    {"absl::?(*::)Mutex::@(*Await*|*LockWhen*)", "cond wait", NULL, NULL, false},
    {"absl::?(*::)CondVar::Wait*", "cond wait", NULL, NULL, false},
    {"absl::?(*::)@(BlockingCounter::Wait|Barrier::Block)", "barrier wait", NULL, NULL, false},
    {"absl::?(*::)Notification::WaitForNotification*", NULL, NULL, NULL, false},
    {"absl::?(*::)Mutex::@(LockSlow*|Block|DecrementSynchSem|Trans|Fer)", NULL, NULL, NULL, false},
    {"absl::?(*::)@(MutexLock|ReaderMutexLock|WriterMutexLock|ReleasableMutexLock)::*", NULL, NULL,
     NULL, false},
    {"absl::?(*::)synchronization_internal::*", NULL, NULL, NULL, false},
    {"AbslInternalPerThreadSemWait*", NULL, NULL, NULL, false},
    {"libabsl_synchronization.so*!", "cond wait", NULL, "futex wait", false},

    /* GLib */
    {"g_async_queue_@(pop|timeout_pop|timed_pop)*", "chan receive", NULL, NULL, false},
    {"g_cond_wait*", "cond wait", NULL, NULL, false},
    {"g_@(mutex|rec_mutex)_lock*", "mutex lock", NULL, NULL, false},
    {"g_rw_lock_reader_lock*", "rwlock rdlock", NULL, NULL, false},
    {"g_rw_lock_writer_lock*", "rwlock wrlock", NULL, NULL, false},
    {"g_once_@(impl|init_enter|init_enter_pointer)", "once wait", NULL, NULL, false},
    {"g_thread_pool_@(wait_for_new_task|wait_for_new_pool|thread_proxy)", NULL,
     "a thread of a GLib pool without work", NULL, false},
    {"g_main_context_@(poll|iterate)*", NULL, "a main loop of GLib without an event", "io wait",
     false},
    {"g_main_loop_run", NULL, "a main loop of GLib without an event", "io wait", false},

    /* Clients of X, Wayland and D-Bus, which poll their one connection. Static functions of these
     * libraries lead to those that wait for whatever comes and to those that wait for an answer.
     */
    {"@(libc|libpthread)[.-]*!*@(poll|select)*", NULL, NULL, "io wait", false},
    {"libxcb.so*!_xcb_conn_wait", NULL, NULL, "io wait", false},
    {"libxcb.so*!xcb_wait_for_@(event|special_event)", NULL, x_idle, "io wait", false},
    {"libwayland-client.so*!wl_display_roundtrip*", NULL, for_an_answer, "io wait", false},
    {"libwayland-client.so*!?(wl_display_poll|wl_display_dispatch*)", NULL, wayland_idle, "io wait",
     false},
    {"libdbus-1.so*!*@(reply_and_block|pending_call_block|block_pending_call)", NULL, for_an_answer,
     "io wait", false},
    {"libdbus-1.so*!dbus_connection_flush", NULL, for_an_answer, "io wait", false},
    {"libdbus-1.so*!?(_dbus_*|dbus_connection_read_write*)", NULL, dbus_idle, "io wait", false},
    {"libsystemd.so*!@(sd_bus_call*|sd_bus_flush*|sd_bus_open*|sd_bus_start|sd_varlink_call*)",
     NULL, for_an_answer, "io wait", false},
    {"libsystemd.so*!?(ppoll_usec*|bus_poll|sd_bus_wait)", NULL, dbus_idle, "io wait", false},

    /* Go's runtime, libgo's and that of Go's own compiler: threads, then the runtime's goroutines
     */
    {"runtime.notetsleepg", NULL, go_own, "syscall", true},
    {"runtime.@(futexsleep|notesleep|notetsleep|stopm|mPark|sysmon|templateThread)*", NULL, go_idle,
     NULL, true},
    {"runtime.futex", NULL, "a thread of the Go runtime that waits for its own work", "futex wait",
     true},
    {"runtime.@(bgsweep|bgscavenge|ensureSigM|forcegchelper|gcBgMarkWorker|timerproc)*", NULL,
     go_own, NULL, true},
    {"runtime.runfinq", NULL, go_own, "finalizer wait", true}, /* else it runs the program's code */
    {"runtime.netpoll", NULL, "the poller of the Go runtime", "io wait", true},
    {"os/signal.@(loop|signal_recv)", NULL, go_own, NULL, true},
    {"internal/poll.FD.Accept", NULL, "it waits for the next connection", "IO wait", true},
    {"internal/poll.(*FD).Accept", NULL, "it waits for the next connection", "IO wait", true},

    /* The runtimes of Haskell (GHC) and Erlang */
    {"@(waitCondition|yieldCapability|schedule) & @(yieldCapability|itimer_thread_func)", NULL,
     NULL, "cond wait", false},
    {"scheduleWorker & yieldCapability", NULL,
     "a worker of GHC's runtime without a Haskell thread to run", "cond wait", false},
    {"itimer_thread_func & waitCondition", NULL, "the timer of GHC's runtime, which is at rest",
     "cond wait", false},
    {"beam*!@(ethr_event_wait|ethr_event_twait|scheduler_wait)", NULL, NULL, "futex wait", false},
    {"beam*!erts_schedule", NULL, "a scheduler of Erlang's runtime without a process to run",
     "futex wait", false},

    /* HotSpot, the runtime of OpenJDK (17 and 21), where libjvm.so has a symbol table. Its own
     * Monitor is none of Java's, which are ObjectMonitors.
     */
    {"libjvm.so!@(?(os::)PlatformMonitor|Monitor|PosixSemaphore)::wait*", NULL, NULL, NULL, false},
    {"libjvm.so!@(?(os::)PlatformEvent|Parker)::park*", NULL, NULL, NULL, false},
    {"libjvm.so!Unsafe_Park", "thread park", NULL, NULL, false},
    {"libjvm.so!ObjectMonitor::@(enter|EnterI|ReenterI)", "mutex lock", NULL, NULL, false},
    {"libjvm.so!@(GangWorker::loop|WorkerThread::run|G1ConcurrentRefineThread::run_service)", NULL,
     java_gc, "sem wait", false},
    {"libjvm.so!G1*ConcurrentRefineThread::wait_for_completed_buffers", NULL, java_gc,
     "@(cond|sem) wait", false},
    {"libjvm.so!@(G1ConcurrentMarkThread|[XZ]Driver|[XZ]Unmapper)::run_service", NULL, java_gc,
     "cond wait", false},
    {"libjvm.so!@([XZ]Unmapper::dequeue|ZDriverPort::receive)", NULL, java_gc, "cond wait", false},
    {"libjvm.so!StringDedup::Processor::wait_for_requests", NULL, java_gc, "cond wait", false},
    {"libjvm.so!VMThread::wait_for_operation", NULL, java_own, "cond wait", false},
    {"libjvm.so!@(ServiceThread::service|NotificationThread::notification)_thread_entry", NULL,
     java_own, "cond wait", false},
    {"libjvm.so!os::signal_wait", NULL, java_own, "sem wait", false},
    {"libjvm.so!JVM_WaitForReferencePendingList", NULL, java_own, "cond wait", false},
    {"libjvm.so!Threads::destroy_vm", NULL, "it ends Java when the program's threads have ended",
     "cond wait", false},

    /* libuv, and node. Of what waits for a condition within libuv.so only the pool's worker is
     * static.
     */
    {"uv_cond_wait", "cond wait", NULL, NULL, false},
    {"uv_mutex_lock", "mutex lock", NULL, NULL, false},
    {"uv_rwlock_rdlock", "rwlock rdlock", NULL, NULL, false},
    {"uv_rwlock_wrlock", "rwlock wrlock", NULL, NULL, false},
    {"uv_?(_)sem_wait", "sem wait", NULL, NULL, false},
    {"uv_barrier_wait", "barrier wait", NULL, NULL, false},
    {"@(node|nodejs)!worker & uv_cond_wait", NULL, uv_idle, "cond wait", false},
    {"@(libnode.so*|libuv.so*)!worker", NULL, uv_idle, "cond wait", false},
    {"libuv.so*!", NULL, uv_idle, "cond wait", false},
    {"node::*PlatformWorkerThread", NULL, "a worker of node's platform without a task to run",
     "cond wait", false},
    {"node::inspector::*StartIoThreadMain", NULL,
     "node's thread that starts the inspector when it is told to", "sem wait", false},

    /* gRPC for C++ */
    {"gpr_mu_lock", "mutex lock", NULL, NULL, false},
    {"gpr_cv_wait", "cond wait", NULL, NULL, false},
    {"grpc_core::Executor::ThreadMain", NULL, grpc_idle, "cond wait", false},
    {"grpc_event_engine::experimental::ThreadPool::Queue::Step", NULL, grpc_idle, "cond wait",
     false},
    {"grpc_event_engine::posix_engine::TimerManager::WaitUntil", NULL,
     "gRPC's thread for timers, between two of them", "cond wait", false},
    {"grpc::Server::Wait", NULL, "it waits for a server of gRPC to be shut down", "cond wait",
     false},

    /* V8 and its platform, as V8 brings it */
    {"v8::base::ConditionVariable::Wait*", "cond wait", NULL, NULL, false},
    {"v8::base::?(Recursive)Mutex::Lock", "mutex lock", NULL, NULL, false},
    {"v8::base::Semaphore::Wait*", "sem wait", NULL, NULL, false},
    {"v8::platform::@(DelayedTaskQueue::GetNext|DefaultWorkerThreadsTaskRunner::@(GetNext|"
     "WorkerThread::Run))",
     NULL, "a worker of V8's platform without a task to run", "cond wait", false},

    /* Programs and libraries with threads of their own */
    {"@(redis|valkey|keydb)*!bioProcessBackgroundJobs", NULL,
     "a background thread of redis without work", "cond wait", true},
    /* Debian's redis-server is a link to redis-check-rdb. */
    {"@(redis|valkey|keydb)-*!IOThreadMain", NULL, "an I/O thread of redis that was sent to rest",
     "mutex lock", false},
    {"@(apache|httpd|mod_mpm_)*!ap_queue_pop_something", NULL,
     "a worker of Apache without a connection", "cond wait", false},
    {"@(apache|httpd|mod_mpm_)*!ap_mpm_podx_check", NULL,
     "a process of Apache that waits to be told to end", "io wait", false},
    {"squid*!squidaio_thread_loop", NULL, "an I/O thread of squid without work", "cond wait",
     false},
    {"@(mariadbd|mysqld)*!handle_manager", NULL, "the manager thread of MariaDB without work",
     "cond wait", false},
    {"@(mariadbd|mysqld)*!slave_deadlock_handler", NULL,
     "the thread of MariaDB for deadlocks of replicas, without work", "cond wait", false},
    {"background_@(thread_sleep|work_sleep_once|work|thread0_work) & "
     "?(je_|_rjem_je_)background_thread_entry",
     NULL, NULL, "cond wait", false},
    {"@(je_|_rjem_je_)background_thread_entry", NULL, jemalloc_idle, "cond wait", false},
    {"@(redis|valkey|keydb)*!background_thread_entry", NULL, jemalloc_idle, "cond wait", false},
    /* Not background_work, as who has the one function may well call another. */
    {"background_thread_entry & background_@(thread_sleep|work_sleep_once|thread0_work)", NULL,
     jemalloc_idle, "cond wait", false},
    {"libjemalloc.so*!", NULL, jemalloc_idle, "cond wait", true},

    /* OpenBLAS: it waits on a condition in its threads alone; who wants their results spins. */
    {"lib*blas*.so*!blas_thread_server", NULL, blas_idle, "cond wait", false},
    {"lib*openblas*.so*!", NULL, blas_idle, "cond wait", false},

    /* libeio, as in tarantool and perl's IO::AIO */
    {"@(tarantool*|libeio.so*|AIO.so)!etp_proc", NULL, eio_idle, "cond wait", false},
};

/* Threads that libraries start for themselves. Where nothing of the program is on such a thread's
 * stack, from the wait to where the thread began, it runs none of the program's work, and waits for
 * some. That is told of stripped files, too. A function of the program whose last act is a call of
 * the library may be gone from the stack; so the functions that end one (g_async_queue_pop) do not
 * fit. None ends with g_cond_wait, after which there is a mutex to unlock. */
static const struct {
    const char *frames; /* pattern, FILE!FUNCTION, for each frame that is not the C library's */
    const char *only;   /* the op as it was recorded */
    const char *idle;
} own_threads[] = {
    {"libtbb.so*!", "futex wait", "a worker of oneTBB without a task to run"},
    {"libglib-2.0.so*!?(g_cond_wait)", "futex wait", "a thread of GLib's pools without work"},
    {"AIO.so!", "cond wait", eio_idle}, /* perl's IO::AIO */
};

/* The ops that say how a task waits rather than what for; only these get another name. So a
 * channel's receive keeps its name in a future of which the code was inlined into `block_on`. */
static bool may_be_renamed(const char *op)
{
    static const char *const mechanisms[] = {"futex wait", "cond wait", "sem wait", "thread park",
                                             "future wait"};
    for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++)
        if (strcmp(op, mechanisms[i]) == 0)
            return true;
    return false;
}

/* Copy a name without its generic arguments, cut to what fits in NAME_BYTES bytes. */
static void name_without_generics(const char *name, char *ret)
{
    char *to = ret;
    char *const end = ret + NAME_BYTES - 1;
    /* Characters are kept at the depth `kept`: 1 in the "<X as Trait>" that a name may begin with.
     */
    int kept = name[0] == '<' ? 1 : 0;
    int depth = kept;
    bool in_trait = false;
    for (const char *from = name + kept; *from != '\0' && to < end; from++) {
        bool arrow = *from == '>' && from != name && (from[-1] == '-' || from[-1] == '=');
        if (*from == '<') {
            if (depth++ == kept && to - ret >= 2 && memcmp(to - 2, "::", 2) == 0)
                to -= 2; /* "with::<F>" */
        } else if (*from == '>' && !arrow && depth > kept) {
            depth--;
        } else if (*from == '>' && !arrow && kept == 1) {
            kept = depth = 0;
            in_trait = false;
        } else if (depth == kept) {
            in_trait = in_trait || (kept == 1 && strncmp(from, " as ", 4) == 0);
            if (!in_trait)
                *to++ = *from;
        }
    }
    *to = '\0';
}

static bool fits(const char *pattern, const char *text)
{
    return fnmatch(pattern, text, FNM_EXTMATCH | FNM_NOESCAPE) == 0;
}

static bool asks_for_file(const char *pattern)
{
    const char *mark = strchr(pattern, '!');
    return mark != NULL && mark[1] != '('; /* "!(" is fnmatch's */
}

/* Write "FILE!FUNCTION", with nothing in the place of what is not known. */
static void put_in_file(const char *file, const char *function, char ret[IN_FILE_BYTES])
{
    snprintf(ret, IN_FILE_BYTES, "%.60s!%.*s", file ? file : "", NAME_BYTES - 1,
             function ? function : "");
}

/* A frame of a stack. */
struct place {
    const struct op_frame *frames;
    size_t count, at;
};

/* Whether the stack has the second function that a pattern asks for; *pattern is then, in `first`
 * where there is one, what the frame itself is to fit. */
static bool has_second(const char **pattern, const struct place *place,
                       char first[FIRST_PART_BYTES])
{
    const char *mark = strstr(*pattern, AND);
    if (mark == NULL)
        return true;
    snprintf(first, FIRST_PART_BYTES, "%.*s", (int)(mark - *pattern), *pattern);
    *pattern = first;
    for (size_t i = 0; i < place->count; i++)
        if (place->frames[i].function != NULL &&
            fits(mark + strlen(AND), place->frames[i].function))
            return true;
    return false;
}

/* The first row for a frame; NULL: none. */
static const struct op_rule *find_rule(const struct place *place, const char *op_text, bool reached)
{
    const struct op_frame *frame = &place->frames[place->at];
    char first[FIRST_PART_BYTES];
    char plain[NAME_BYTES];
    char whole[NAME_BYTES];
    char in_file[IN_FILE_BYTES];
    const char *function = frame->function ? frame->function : "";
    name_without_generics(function, plain);
    put_in_file(frame->file, plain, in_file);
    size_t bytes = strnlen(function, NAME_BYTES - 1);
    memcpy(whole, function, bytes);
    whole[bytes] = '\0';
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        const struct op_rule *rule = &rules[i];
        const char *pattern = rule->function;
        if ((!reached && !rule->anywhere) || !has_second(&pattern, place, first))
            continue;
        const char *text = asks_for_file(pattern)         ? in_file
                           : strchr(pattern, '<') != NULL ? whole
                                                          : plain;
        if (fits(pattern, text) && (rule->only == NULL || fits(rule->only, op_text)))
            return rule;
    }
    return NULL;
}

/* The file of the next frame with a name, from the frame `at` on, in steps of `step`. */
static const char *named_file(const struct op_frame *frames, size_t count, size_t at, size_t step)
{
    for (; at < count; at += step) /* below 0 it is above any count */
        if (frames[at].function != NULL)
            return frames[at].file;
    return NULL;
}

static bool same_file(const char *one, const char *other)
{
    return one != NULL && other != NULL && strcmp(one, other) == 0;
}

static bool is_c_library(const char *file)
{
    return file != NULL && fits("@(libc.so.*|libc-*.so|libpthread*)", file);
}

/* Whether the frame `at`, which has no name, is one that waits on behalf of those around it. */
static bool is_step(const struct op_frame *frames, size_t count, size_t at)
{
    const char *file = frames[at].file;
    return is_c_library(file) || same_file(file, named_file(frames, count, at, (size_t)-1)) ||
           same_file(file, named_file(frames, count, at, 1));
}

/* Whether a thread began in the C library, as each does, and all other frames fit the pattern. */
static bool is_own_thread(const char *pattern, const struct op_frame *frames, size_t count)
{
    char in_file[IN_FILE_BYTES];
    size_t own = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_c_library(frames[i].file))
            continue;
        put_in_file(frames[i].file, frames[i].function, in_file);
        if (!fits(pattern, in_file))
            return false;
        own++;
    }
    return own > 0 && is_c_library(frames[count - 1].file);
}

static const char *own_thread_idle(const char *op_text, const struct op_frame *frames, size_t count)
{
    for (size_t i = 0; i < sizeof(own_threads) / sizeof(own_threads[0]); i++)
        if (strcmp(op_text, own_threads[i].only) == 0 &&
            is_own_thread(own_threads[i].frames, frames, count))
            return own_threads[i].idle;
    return NULL;
}

struct op_name op_rules_apply(const char *op_text, const struct op_frame *frames, size_t count)
{
    struct op_name name = {.op = op_text};
    if (op_text == NULL)
        return name;
    bool reached = true;
    for (size_t i = 0; i < count; i++) {
        const struct op_rule *rule = find_rule(&(struct place){frames, count, i}, name.op, reached);
        if (rule == NULL) {
            reached = reached && !frames[i].function && is_step(frames, count, i);
            continue;
        }
        if (reached && rule->op != NULL && may_be_renamed(name.op))
            name.op = rule->op;
        if (rule->idle == for_an_answer) {
            name.idle_because = NULL;
            reached = false;
        } else if (rule->idle != NULL && name.idle_because == NULL) {
            name.idle_because = rule->idle;
        }
    }
    if (name.idle_because == NULL)
        name.idle_because = own_thread_idle(op_text, frames, count);
    return name;
}
