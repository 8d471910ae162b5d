/* Reads recordings as a report does, for tests of what reads them. */
#ifndef LEAKSPY_TESTS_RECORDING_READ_H
#define LEAKSPY_TESTS_RECORDING_READ_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "analyzer/base/err.h"
#include "analyzer/snapshot/snapshot.h"
#include "tests/unit/analyzer/recording_builder.h"

/* A recording with something in every table. */
struct builder *recording_full(void);

/* *snapshot is to be let go, also where that failed. */
bool recording_read(const char *path, struct snapshot *snapshot, struct err *err);

/* Reads what was built, which has to succeed; the builder goes. *snapshot is to be let go. */
void recording_read_built(struct builder *b, struct snapshot *snapshot);

/* Everything that a report does, so that no damage goes unnoticed. */
void recording_use(const struct snapshot *snapshot);

#endif
