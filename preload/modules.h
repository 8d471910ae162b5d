/* Which loaded file an address belongs to, and the recording's table of these files. Found without
 * the loader's lock (_dl_find_object): another thread may hold that one for long. */
#ifndef LEAKSPY_MODULES_H
#define LEAKSPY_MODULES_H

#include <stdbool.h>
#include <stdint.h>

/* Where the unwind table of an address is. */
struct module_range {
    uint64_t start;
    uint64_t end;
    uint64_t eh_frame_hdr; /* address; 0: the file has none */
};

/* The loaded file around `pc`. False: there is none. Lock-free; any thread, any context. */
bool module_find(uint64_t pc, struct module_range *ret);

/* How many bytes the function or variable at `address` has, by the symbol of its file; 0: not
 * known. Takes the loader's lock: at start alone. */
uint64_t module_symbol_bytes(const void *address);

/* The row of the recording's module table for `pc`, made when it is the first time that the file is
 * seen; where another one lay there before, it is swept, and all rules to unwind by are forgotten.
 * 0: no file, or no room. One thread at a time (the unwinder's lock). */
uint32_t module_record(uint64_t pc);

/* Marks recorded files that are no longer loaded. True: there were some, and a new epoch has begun.
 * One in whose place another build of its size is may be found only by a later sweep, after as many
 * as there are files. One thread at a time (the unwinder's lock). */
bool module_sweep(void);

/* For a new recording (also after fork): nothing is recorded yet. */
void module_reset(void);

#endif
