/* Names of functions for the addresses of the recorded stacks, from the symbol tables of their
 * files: so that a recording says something when the files are gone. */
#ifndef LEAKSPY_NAMES_H
#define LEAKSPY_NAMES_H

/* Names what stands in sites that are new since the last call. The sampler, with descriptors of its
 * own. */
void names_update(void);

#endif
