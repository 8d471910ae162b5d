/* Waits in frameworks that programs are built with. */
#include "tests/unit/analyzer/op_samples.h"

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

static void qt6_stack__apply__names_the_operation(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"cond wait",
         "future wait",
         NULL,
         {"QWaitCondition::wait", "QFutureInterfaceBase::waitForFinished",
          "QFuture<void>::waitForFinished", "main"}},
        {"cond wait",
         "future wait",
         NULL,
         {"QWaitCondition::wait", "QFutureInterfaceBase::waitForResult",
          "QFuture<int>::result<int, void>", "main"}},
        {"cond wait",
         "cond wait",
         NULL, /* the function, which waitForFinished runs itself where no thread has begun it */
         {"QWaitCondition::wait", "main::{lambda()#1}::operator()",
          "QtConcurrent::RunFunctionTaskBase<void>::run", "QFutureInterfaceBase::waitForFinished",
          "main"}},
        {"cond wait",
         "task join",
         NULL,
         {"QWaitCondition::wait", "QThreadPoolPrivate::waitForDone",
          "QThreadPoolPrivate::waitForDone", "QThreadPool::~QThreadPool", "main"}},
        {"cond wait",
         "rwlock rdlock",
         NULL,
         {"libQt6Core.so.6!", "libQt6Core.so.6!QBasicReadWriteLock::contendedTryLockForRead",
          "program!main"}},
        {"cond wait",
         "rwlock wrlock",
         NULL,
         {"libQt6Core.so.6!", "libQt6Core.so.6!QBasicReadWriteLock::contendedTryLockForWrite",
          "program!main"}},
    };
    CHECK(samples);
}

static void poco_stack__apply__names_the_operation(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"cond wait",
         "cond wait",
         "pool of POCO",
         {"Poco::EventImpl::waitImpl", "Poco::PooledThread::run",
          "Poco::ThreadImpl::runnableEntry"}},
        {"cond wait",
         "cond wait",
         NULL, /* work of the pool that is parked */
         {"Poco::EventImpl::waitImpl", "Poco::Event::wait", "Work::run", "Poco::PooledThread::run",
          "Poco::ThreadImpl::runnableEntry"}},
        {"cond wait",
         "chan receive",
         NULL,
         {"Poco::EventImpl::waitImpl", "Poco::NotificationQueue::waitDequeueNotification",
          "Work::run", "Poco::PooledThread::run"}},
        {"cond wait",
         "chan receive",
         "log of POCO",
         {"Poco::EventImpl::waitImpl", "Poco::NotificationQueue::waitDequeueNotification",
          "Poco::AsyncChannel::run", "Poco::ThreadImpl::runnableEntry"}},
        {"cond wait",
         "chan receive",
         "timer of POCO",
         {"Poco::EventImpl::waitImpl", "Poco::TimedNotificationQueue::waitDequeueNotification",
          "Poco::Util::Timer::run", "Poco::ThreadImpl::runnableEntry"}},
        {"cond wait",
         "sem wait",
         NULL,
         {"Poco::SemaphoreImpl::waitImpl", "Poco::Semaphore::wait", "main"}},
        {"cond wait",
         "thread join",
         NULL,
         {"Poco::EventImpl::waitImpl", "Poco::ThreadImpl::joinImpl", "main"}},
        {"cond wait",
         "task join",
         NULL,
         {"Poco::EventImpl::waitImpl", "Poco::ThreadPool::joinAll", "main"}},
    };
    CHECK(samples);
}

static void webkit_stack__apply__names_the_operation(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"cond wait",
         "mutex lock",
         NULL,
         {"WTF::ThreadCondition::timedWait", "WTF::ParkingLot::parkConditionallyImpl",
          "WTF::Lock::lockSlow", "main"}},
        {"cond wait",
         "mutex lock",
         NULL,
         {"std::condition_variable::wait", "WTF::WordLock::lockSlow", "main"}},
        {"cond wait",
         "rwlock rdlock",
         NULL,
         {"libjavascriptcoregtk-4.1.so.0!WTF::ThreadCondition::timedWait",
          "libjavascriptcoregtk-4.1.so.0!WTF::ParkingLot::parkConditionallyImpl",
          "libjavascriptcoregtk-4.1.so.0!",
          "libjavascriptcoregtk-4.1.so.0!WTF::ReadWriteLock::readLock", "program!main"}},
        {"cond wait",
         "rwlock wrlock",
         NULL,
         {"WTF::ParkingLot::parkConditionallyImpl", "WTF::ReadWriteLock::writeLock", "main"}},
        {"cond wait",
         "sem wait",
         NULL,
         {"WTF::ParkingLot::parkConditionallyImpl", "WTF::BinarySemaphore::waitUntil", "main"}},
        {"cond wait",
         "cond wait",
         NULL,
         {"WTF::ThreadCondition::wait", "Work::run", "WTF::Lock::lockSlow", "main"}},
    };
    CHECK(samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boost_qt_tbb_stack__apply__names_the_operation),
        cmocka_unit_test(abseil_stack__apply__names_the_operation),
        cmocka_unit_test(stack_of_grpc__apply__is_idle_between_tasks_alone),
        cmocka_unit_test(qt6_stack__apply__names_the_operation),
        cmocka_unit_test(poco_stack__apply__names_the_operation),
        cmocka_unit_test(webkit_stack__apply__names_the_operation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
