// A std::thread that waits on a std::condition_variable for work that does not come.
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <poll.h>
#include <thread>
#include <unistd.h>

namespace core // as the library of Rust is called
{

class Worker
{
  public:
    __attribute__((noinline)) void start()
    {
        thread = std::thread(&Worker::wait_for_work, this);
    }

    void stop()
    {
        {
            std::lock_guard<std::mutex> lock(mutex);
            stopped = true;
        }
        changed.notify_all();
        thread.join();
    }

  private:
    __attribute__((noinline)) void wait_for_work()
    {
        std::unique_lock<std::mutex> lock(mutex);
        while (!stopped)
            changed.wait(lock);
    }

    std::mutex mutex;
    std::condition_variable changed;
    std::thread thread;
    bool stopped = false;
};

} // namespace core

int main()
{
    core::Worker worker;
    worker.start();
    puts("ready");
    fflush(stdout);
    struct pollfd in = {STDIN_FILENO, POLLIN, 0};
    char byte;
    while (poll(&in, 1, 100) <= 0 || read(STDIN_FILENO, &byte, 1) > 0)
        ;
    worker.stop();
    return 0;
}
