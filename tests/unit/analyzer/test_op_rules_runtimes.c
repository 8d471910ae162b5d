/* Threads that have nothing to do, of the runtimes of languages. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stack_of_libuv_or_node__apply__is_idle_between_tasks_alone),
        cmocka_unit_test(stack_of_v8__apply__is_idle_between_tasks_alone),
        cmocka_unit_test(stack_of_hotspot__apply__is_idle_in_its_own_threads_alone),
        cmocka_unit_test(runtime_at_rest__apply__is_idle),
        cmocka_unit_test(python_queue_stack__apply__names_the_operation),
        cmocka_unit_test(thread_of_ghc_or_erlang__apply__is_idle_in_the_runtime_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
