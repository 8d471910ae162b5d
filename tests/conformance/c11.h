/* What functions of C11 threads return, by name. */
#ifndef LEAKSPY_CONFORM_C11_H
#define LEAKSPY_CONFORM_C11_H

#include <threads.h>

#include "tests/conformance/conform.h"

#define C11(...)                                                                                   \
    do {                                                                                           \
        static const char *const names_[] = {[thrd_success] = "thrd_success",                      \
                                             [thrd_busy] = "thrd_busy",                            \
                                             [thrd_error] = "thrd_error",                          \
                                             [thrd_nomem] = "thrd_nomem",                          \
                                             [thrd_timedout] = "thrd_timedout"};                   \
        int result_ = (__VA_ARGS__);                                                               \
        say("%s", result_ >= 0 && result_ < (int)LENGTH(names_) ? names_[result_] : "other");      \
    } while (0)

#endif
