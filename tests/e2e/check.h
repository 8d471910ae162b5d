/* For programs that tests start. */
#ifndef LEAKSPY_E2E_CHECK_H
#define LEAKSPY_E2E_CHECK_H

#include <stdio.h>
#include <stdlib.h>

/* Ends the program with 70 when something is not as it has to be. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);              \
            fflush(NULL);                                                                          \
            _Exit(70);                                                                             \
        }                                                                                          \
    } while (0)

#endif
