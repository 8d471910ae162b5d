/* What a recording does not tell of programs that its own started, or became. */
#ifndef LEAKSPY_ANALYZER_UNRECORDED_PROGRAMS_H
#define LEAKSPY_ANALYZER_UNRECORDED_PROGRAMS_H

#include "analyzer/snapshot/snapshot.h"

/* Notes which programs run that the recorded one has started, itself or by others, or that it has
 * become, and that are not recorded since they cannot load the library; and how to see them. Where
 * the snapshot is of a recording whose process lives still. Of a program whose file or memory may
 * not be looked at, nothing is said. */
void unrecorded_programs_note(struct snapshot *snapshot);

#endif
