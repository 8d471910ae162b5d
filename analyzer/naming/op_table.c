#include "analyzer/naming/op_table.h"

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
static const char tokio_main[] =
    "main waits in tokio's runtime for its future, which may be one that never ends; of tokio's "
    "tasks nothing is known";
static const char beam_own[] = "a thread of Erlang's runtime itself";
static const char eio_idle[] = "a thread of libeio without a request";

const char op_for_an_answer[] = "";

const struct op_rule op_rules[] = {
    /* libtaskrt */
    {"taskrt_worker_idle", NULL, "a worker of libtaskrt without a task to run", NULL, true},

    /* The C library, where a source shows its inner frames */
    {"@(syscall|__libc_pause|pause)", NULL, NULL, NULL, false},
    /* Of waits that nobody published only the futex is known. */
    {"libc[.-]*!*pthread_cond_@(wait|timedwait|clockwait)*", "cond wait", NULL, "futex wait",
     false},
    {"libc[.-]*!*pthread_mutex_@(lock|timedlock|clocklock)*", "mutex lock", NULL, "futex wait",
     false},
    {"libc[.-]*!*pthread_rwlock_@(|timed|clock)rdlock*", "rwlock rdlock", NULL, "futex wait",
     false},
    {"libc[.-]*!*pthread_rwlock_@(|timed|clock)wrlock*", "rwlock wrlock", NULL, "futex wait",
     false},
    {"libc[.-]*!*pthread_barrier_wait*", "barrier wait", NULL, "futex wait", false},
    {"libc[.-]*!*pthread_once*", "once wait", NULL, "futex wait", false},
    {"libc[.-]*!@(__new_sem_wait*|*sem_@(wait|timedwait|clockwait)*)", "sem wait", NULL,
     "futex wait", false},
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
    {"std::sys*::@(futex_mutex|mutex::futex|locks::futex)::Mutex::lock*", "mutex lock", NULL, NULL,
     false},
    {"std::sys*::@(futex_rwlock|rwlock::futex)::RwLock::read*", "rwlock rdlock", NULL, NULL, false},
    {"std::sys*::@(futex_rwlock|rwlock::futex)::RwLock::write*", "rwlock wrlock", NULL, NULL,
     false},
    {"std::sys*::@(futex_condvar|condvar::futex|locks::futex)::Condvar::wait*", "cond wait", NULL,
     NULL, false},
    /* Who has the first call, and so runs the program's initializer, is behind these functions,
     * too: what it waits for has another name by then. */
    {"std::sys*::once::futex::Once::@(call|wait)*", "once wait", NULL, "futex wait", false},
    {"std::sync::once::wait", "once wait", NULL, "@(futex wait|thread park)", false},
    {"std::sync::once::Once::call_inner", "once wait", NULL, "futex wait", false},
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
    /* Command::output and wait_with_output: what a process writes until it ends */
    {"std::sys*::@(pipe::read2|process::unix::common::read_output)", NULL, op_for_an_answer,
     "io wait", false},
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
    {"parking_lot::raw_rwlock::RawRwLock::?(try_)lock_@(shared|upgradable)*", "rwlock rdlock", NULL,
     NULL, false},
    {"parking_lot::raw_rwlock::RawRwLock::@(?(try_)@(lock_exclusive|upgrade)|wait_for_readers)*",
     "rwlock wrlock", NULL, NULL, false},
    {"parking_lot::condvar::Condvar::wait*", "cond wait", NULL, NULL, false},
    {"parking_lot::once::Once::call_once*", "once wait", NULL, "futex wait", false},
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
    /* It parks on a condition: who is parked in another way is so in the future's own code. */
    {"tokio::*::block_on*", "future wait", NULL, "@(futex|cond) wait", false},
    {"@(futures_executor|futures_lite|async_io|pollster)::*block_on*", "future wait", NULL, NULL,
     false},
    {"futures_executor::local_pool::run_executor*", "future wait", NULL, NULL, false},
    /* A task's code is often inlined into the functions of `task` that run it: they are no steps.
     */
    {"tokio::!(?(runtime::)?(blocking::)task::*)", NULL, NULL, NULL, false},
    /* What #[tokio::main] makes of a program's main, and the same by hand. A condition of the
     * future's own, inlined, is not behind tokio's parker; a handle's block_on is none of the
     * runtime's. */
    {"!(*::*)::main & ?(<)tokio::runtime::runtime::Runtime?(>)::block_on*"
     " & ?(<)tokio::runtime::park::Inner?(>)::park*",
     NULL, tokio_main, "future wait", false},
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

    /* What calls it in this library is either an event loop, which has a name, or waits for a
     * process. A modal dialog is no such wait. */
    {"libQt5Core.so*!qt_safe_poll", NULL, NULL, "io wait", false},
    {"libQt5Core.so*!QProcess@(|Private)::@(waitFor*|execute)", NULL, op_for_an_answer, "io wait",
     false},
    {"libQt5Core.so*!", NULL, op_for_an_answer, "io wait", false},

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
    {"g_spawn_@(sync|command_line_sync)", NULL, op_for_an_answer, "io wait", false},
    {"g_subprocess_@(wait|communicate)*", NULL, op_for_an_answer, "io wait", false},
    {"g_dbus_connection_*_sync", NULL, op_for_an_answer, "io wait", false},
    {"g_main_context_iteration", NULL, NULL, "io wait", false},
    {"g_main_context_@(poll|iterate)*", NULL, "a main loop of GLib without an event", "io wait",
     false},
    {"g_main_loop_run", NULL, "a main loop of GLib without an event", "io wait", false},

    /* Clients of X, Wayland and D-Bus, which poll their one connection. Static functions of these
     * libraries lead to those that wait for whatever comes and to those that wait for an answer.
     */
    {"@(libc|libpthread)[.-]*!*@(poll|select)*", NULL, NULL, "io wait", false},
    {"libxcb.so*!_xcb_conn_wait", NULL, NULL, "io wait", false},
    {"libxcb.so*!xcb_wait_for_@(event|special_event)", NULL, x_idle, "io wait", false},
    {"libwayland-client.so*!wl_display_roundtrip*", NULL, op_for_an_answer, "io wait", false},
    {"libwayland-client.so*!?(wl_display_poll|wl_display_dispatch*)", NULL, wayland_idle, "io wait",
     false},
    {"libdbus-1.so*!*@(reply_and_block|pending_call_block|block_pending_call)", NULL,
     op_for_an_answer, "io wait", false},
    {"libdbus-1.so*!dbus_connection_flush", NULL, op_for_an_answer, "io wait", false},
    {"libdbus-1.so*!?(_dbus_*|dbus_connection_read_write*)", NULL, dbus_idle, "io wait", false},
    {"libsystemd.so*!@(sd_bus_call*|sd_bus_flush*|sd_bus_open*|sd_bus_start|sd_varlink_call*)",
     NULL, op_for_an_answer, "io wait", false},
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
    {"scheduleWaitThread & yieldCapability", NULL, NULL, "cond wait", false},
    {"hs_main & scheduleWaitThread", NULL,
     "the thread on which GHC's runtime began, while main waits; what for is not known",
     "cond wait", false},
    {"scheduleWorker & yieldCapability", NULL,
     "a worker of GHC's runtime without a Haskell thread to run", "cond wait", false},
    {"itimer_thread_func & waitCondition", NULL, "the timer of GHC's runtime, which is at rest",
     "cond wait", false},
    {"beam@(|.*).smp!@(ethr_event_wait|ethr_event_twait|scheduler_wait)", NULL, NULL, "futex wait",
     false},
    {"beam@(|.*).smp!erts_schedule", NULL,
     "a scheduler of Erlang's runtime without a process to run", "futex wait", false},

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

const size_t op_rule_count = sizeof(op_rules) / sizeof(op_rules[0]);

const struct op_own_thread op_own_threads[] = {
    {"libtbb.so*!", "futex wait", "a worker of oneTBB without a task to run"},
    {"libglib-2.0.so*!?(g_cond_wait)", "futex wait", "a thread of GLib's pools without work"},
    {"AIO.so!", "cond wait", eio_idle}, /* perl's IO::AIO */
    /* Of a region that ends with taking a lock, nothing may be left on the stack, and of a libgomp
     * without symbols it is not known where in it that is. */
    {"libgomp?(-*).so*!?(gomp_thread_start|gomp_*barrier_wait*|do_wait|futex_wait)", "futex wait",
     "a worker of libgomp without work, or whose region ends with the lock that it waits for"},
    {"beam@(|.*).smp!?(ethr_event_wait)", "futex wait", beam_own},
    {"beam@(|.*).smp!?(ethr_cond_wait)", "cond wait", beam_own},
    {"beam@(|.*).smp!", "io wait", beam_own},
};

const size_t op_own_thread_count = sizeof(op_own_threads) / sizeof(op_own_threads[0]);

const struct op_joined_later op_joined_later[] = {
    {"tokio::runtime::blocking::pool::Spawner::spawn_@(thread|task)",
     "tokio joins each thread of its blocking pool when the next one of them ends"},
};

const size_t op_joined_later_count = sizeof(op_joined_later) / sizeof(op_joined_later[0]);
