// Exceptions as C++ programs use them: through threads, futures and locks, past destructors, and
// the forced unwinding of a cancelled thread.
#include <condition_variable>
#include <cstdio>
#include <exception>
#include <future>
#include <mutex>
#include <pthread.h>
#include <stdexcept>
#include <string>
#include <thread>
#include <time.h>
#include <unistd.h>
#include <vector>

static int destroyed;
static std::mutex mutex;

struct Guard {
    ~Guard()
    {
        destroyed++;
    }
};

__attribute__((noinline)) static int recurse(int depth)
{
    Guard guard;
    if (depth == 0)
        throw std::runtime_error("from the bottom");
    return recurse(depth - 1) + 1;
}

static std::string catch_it(int depth)
{
    try {
        std::unique_lock<std::mutex> lock(mutex);
        recurse(depth);
    } catch (const std::exception &error) {
        return error.what();
    }
    return "nothing";
}

static void *park_with_guard(void *)
{
    Guard guard;
    try {
        struct timespec hour = {3600, 0};
        nanosleep(&hour, nullptr);
    } catch (...) { // a cancellation passes through here, and has to be thrown on
        printf("cancelled\n");
        throw;
    }
    return nullptr;
}

int main()
{
    printf("%s, %d destroyed\n", catch_it(20).c_str(), destroyed);

    std::vector<std::future<std::string>> futures;
    for (int i = 0; i < 8; i++)
        futures.push_back(std::async(std::launch::async, catch_it, i));
    for (auto &future : futures)
        printf("%s\n", future.get().c_str());

    auto failing = std::async(std::launch::async, [] { return recurse(3); });
    try {
        failing.get();
    } catch (const std::runtime_error &error) {
        printf("through a future: %s\n", error.what());
    }

    std::condition_variable condition;
    bool ready = false;
    std::thread waiter([&] {
        std::unique_lock<std::mutex> lock(mutex);
        condition.wait(lock, [&] { return ready; });
        printf("woken: %s\n", "after a wait");
    });
    {
        std::lock_guard<std::mutex> lock(mutex);
        ready = true;
    }
    condition.notify_all();
    waiter.join();

    pthread_t thread;
    void *result;
    destroyed = 0;
    pthread_create(&thread, nullptr, park_with_guard, nullptr);
    struct timespec moment = {0, 50000000};
    nanosleep(&moment, nullptr);
    pthread_cancel(thread);
    pthread_join(thread, &result);
    printf("%d, %d destroyed\n", result == PTHREAD_CANCELED, destroyed);

    std::set_terminate([] {
        printf("terminated\n");
        fflush(stdout);
        _exit(21);
    });
    std::thread([] { throw std::logic_error("uncaught"); }).join();
    return 0;
}
