/* Finding the data of Go's runtime in a program. */
#ifndef LEAKSPY_GOSCAN_FIND_H
#define LEAKSPY_GOSCAN_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/goscan/build_info.h"
#include "preload/goscan/goscan.h"
#include "preload/goscan/search.h"

/* Bounds of the program's variables, and of its code (moduledata). */
struct go_sections {
    uint64_t variables, variables_end; /* all that is written to */
    uint64_t data, data_end;           /* with pointers, initialized */
    uint64_t bss, bss_end;             /* with pointers, zero at the start */
};

struct finder {
    struct search search;
    const struct go_range *ranges;
    size_t range_count;
    const struct go_hints *hints;
    const struct go_layout *layout;
    const struct pclntab *functions;
    struct go_sections sections;
};

/* Which Go built it, by its build info. */
bool find_build(struct finder *finder, struct go_build *ret);

/* The same by runtime.buildVersion, which runtime.schedinit looks at: where the linker was told to
 * leave the build info out. Needs finder->functions and finder->sections. */
bool find_version(struct finder *finder, struct go_build *ret);

/* runtime.firstmoduledata, and the table of functions that it speaks of. */
bool find_module(struct finder *finder, unsigned minor, struct pclntab *ret, uint64_t *ret_address);

/* Fills finder->sections. */
bool find_sections(struct finder *finder, uint64_t module_data);

/* runtime.allgs, a slice. 0: not found. */
uint64_t find_all_gs(struct finder *finder);

/* runtime.allp, a slice. 0: not found. */
uint64_t find_all_ps(struct finder *finder);

/* runtime.waitReasonStrings. 0: not found. */
uint64_t find_wait_reasons(struct finder *finder);

#endif
