/* The rows of parked.def, for tests that start the programs `parked`. */
#ifndef LEAKSPY_E2E_PARKED_ROWS_H
#define LEAKSPY_E2E_PARKED_ROWS_H

#include <stdbool.h>

struct row {
    const char *group, *name, *call, *op, *object;
    bool deadline;
};

#define ROW(group, name, call, op, object, deadline) {#group, #name, call, op, object, deadline},
static const struct row rows[] = {
#include "tests/e2e/parked.def"
};
#undef ROW

#endif
