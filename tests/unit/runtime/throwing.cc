/* Tasks that wait while an exception of theirs is handled, or on its way. */
#include <exception>

extern "C" {
#include "runtime/taskrt.h"
#include "throwing.h"
}

namespace
{

struct waits_at_its_end {
    struct throwing *throwing;
    ~waits_at_its_end()
    {
        throwing->on_the_way = std::uncaught_exceptions();
        taskrt_yield();
        throwing->still_on_the_way = std::uncaught_exceptions();
    }
};

void throw_and_wait(struct throwing *throwing)
{
    waits_at_its_end waits{throwing};
    throw throwing->value;
}

} // namespace

extern "C" void wait_while_handling(void *arg)
{
    auto *throwing = static_cast<struct throwing *>(arg);
    for (int turn = 0; turn < throwing->turns; turn++) {
        try {
            throw_and_wait(throwing);
        } catch (int &value) {
            taskrt_yield();
            try {
                throw;
            } catch (int &again) {
                taskrt_sleep(TASKRT_US);
                throwing->wrong += again != throwing->value;
            }
            throwing->wrong += value != throwing->value;
        }
        throwing->wrong += throwing->on_the_way != 1 || throwing->still_on_the_way != 1;
        throwing->wrong += std::uncaught_exceptions() != 0 || std::current_exception();
    }
}

extern "C" int run_while_handling(void (*run)(void *), void *arg, int value)
{
    try {
        throw value;
    } catch (int &) {
        run(arg);
        try {
            throw;
        } catch (int &again) {
            return again;
        }
    }
}
