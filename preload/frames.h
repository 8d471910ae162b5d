/* The recording's table of frames: one row for each address that is in a recorded stack, with the
 * name of its function. */
#ifndef LEAKSPY_FRAMES_H
#define LEAKSPY_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

/* A frame that waits for its name. */
struct frames_new {
    uint64_t pc;     /* as it stands in a site: the call is at pc - 1 */
    uint64_t start;  /* address of the function; 0: not known yet */
    uint32_t name;   /* in the recording's strings; 0: not known yet */
    uint32_t module; /* row of the recording's modules; 0: none */
    uint32_t row;
};

/* Where modules and names come from. */
struct frames_source {
    /* The row of the module that an address lies in; 0: none, or no room for it. *ret_start and
     * *ret_end are set to the range of addresses with the same answer, or left as they are. */
    uint32_t (*module)(uint64_t address, uint64_t *ret_start, uint64_t *ret_end);
    /* Fills start and name of frames that are all of one module, where it knows them. */
    void (*name)(struct frames_new *frames, uint32_t count);
};

/* Adds the addresses of all sites that are new since the last call. `go_on` (NULL: always): whether
 * to go on, asked now and then; what is left is for the next call. The only sampler of the
 * recording. */
void frames_update(const struct frames_source *source, bool (*go_on)(void));

/* For a new recording (also after fork). */
void frames_reset(void);

#endif
