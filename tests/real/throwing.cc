// Exceptions in many threads at once, through locks, futures, once, stop tokens and destructors, and the cancellation
// of a thread; prints the same each time, and ends by an exception that nobody catches.
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <future>
#include <latch>
#include <mutex>
#include <pthread.h>
#include <queue>
#include <semaphore>
#include <shared_mutex>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

static std::atomic<int> destroyed;

struct Guard {
    ~Guard() { destroyed++; }
};

[[gnu::noinline]] static int recurse(int depth)
{
    Guard guard;
    if (depth == 0)
        throw std::runtime_error("from the bottom");
    return recurse(depth - 1) + 1;
}

static void throw_everywhere()
{
    std::vector<std::jthread> threads;
    std::atomic<int> caught = 0;
    std::shared_mutex shared;
    for (int t = 0; t < 8; t++)
        threads.emplace_back([&] {
            for (int i = 0; i < 5000; i++)
                try {
                    std::shared_lock reading(shared);
                    recurse(i % 20);
                } catch (const std::runtime_error &) {
                    std::unique_lock writing(shared);
                    caught++;
                }
        });
    threads.clear();
    printf("%d caught, %d destroyed\n", caught.load(), destroyed.load());
}

static void through_futures()
{
    int failed = 0, value = 0;
    for (int i = 0; i < 500; i++) {
        auto future = std::async(std::launch::async, [i] { return i % 2 ? recurse(i % 7) : i; });
        try {
            value += future.get();
        } catch (const std::exception &) {
            failed++;
        }
    }
    std::promise<int> broken;
    auto waits = broken.get_future();
    { auto gone = std::move(broken); }
    try {
        waits.get();
    } catch (const std::future_error &error) {
        printf("%d failed, %d, %s\n", failed, value, error.code().message().c_str());
    }
}

static void once()
{
    static std::once_flag flag;
    int tries = 0;
    for (int i = 0; i < 3; i++)
        try {
            std::call_once(flag, [&] {
                if (++tries < 2)
                    throw std::runtime_error("not yet");
            });
        } catch (const std::runtime_error &error) {
            printf("once: %s\n", error.what());
        }
    printf("%d tries\n", tries);
}

static void queues()
{
    std::mutex mutex;
    std::condition_variable_any changed;
    std::queue<int> jobs;
    std::atomic<long> sum = 0;
    std::counting_semaphore<16> room(16);
    std::latch started(4);
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; t++)
            threads.emplace_back([&](std::stop_token stop) {
                started.count_down();
                for (;;) {
                    std::unique_lock lock(mutex);
                    if (!changed.wait(lock, stop, [&] { return !jobs.empty(); }))
                        return;
                    sum += jobs.front();
                    jobs.pop();
                    room.release();
                }
            });
        started.wait();
        for (int i = 0; i < 50000; i++) {
            room.acquire();
            std::lock_guard lock(mutex);
            jobs.push(i);
            changed.notify_one();
        }
        for (int i = 0; i < 16; i++) // all were taken
            room.acquire();
    }
    printf("sum %ld\n", sum.load());
}

static void *park_with_guard(void *)
{
    Guard guard;
    try {
        for (;;)
            pause();
    } catch (...) {
        printf("cancelled\n");
        throw;
    }
}

static void cancel()
{
    pthread_t thread;
    void *result;
    int before = destroyed;
    if (pthread_create(&thread, nullptr, park_with_guard, nullptr) != 0)
        abort();
    pthread_cancel(thread);
    pthread_join(thread, &result);
    printf("%d, %d destroyed\n", result == PTHREAD_CANCELED, destroyed - before);
}

int main()
{
    setvbuf(stdout, nullptr, _IOLBF, 0);
    throw_everywhere();
    through_futures();
    once();
    queues();
    cancel();
    std::set_terminate([] {
        printf("nobody catches it\n");
        abort();
    });
    std::thread([] { recurse(3); }).join();
}
