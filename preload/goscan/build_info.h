/* Which version of Go built a program: .go.buildinfo, by debug/buildinfo/buildinfo.go. */
#ifndef LEAKSPY_GOSCAN_BUILD_INFO_H
#define LEAKSPY_GOSCAN_BUILD_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/goscan/reader.h"

#define GO_BUILD_MAGIC "\xff Go buildinf:" /* it begins so, without the NUL */

struct go_build {
    char version[64]; /* "go1.24.3", "devel go1.28-0a1b2c3d" */
    unsigned minor;   /* 24; 0: it cannot be told from the version */
    bool old;         /* in the form that was used before 1.18 */
};

/* Reads the build info at `address`. False: there is none. */
bool go_build_read(struct go_build *ret, struct mem_reader *reader, uint64_t address);

/* Reads a version out of the string variable at `address`: runtime.buildVersion. */
bool go_build_read_variable(struct go_build *ret, struct mem_reader *reader, uint64_t address);

/* Whether 16 bytes begin like build info. */
bool go_build_begins(const void *bytes);

#endif
