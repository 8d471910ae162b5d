/* A core dump, as a snapshot. */
#ifndef LEAKSPY_ANALYZER_SOURCE_CORE_H
#define LEAKSPY_ANALYZER_SOURCE_CORE_H

#include "analyzer/base/err.h"
#include "analyzer/snapshot/snapshot.h"

/* Fills an initialized, empty snapshot; on failure it is to be deinitialized too. exe: as in
 * image_open_core. Errors: those of image_open_core. */
bool source_core_read(const char *path, const char *exe, struct snapshot *ret, struct err *err);

#endif
