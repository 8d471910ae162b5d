/* A folder of a test's own, for what it makes. */
#ifndef LEAKSPY_E2E_SCRATCH_H
#define LEAKSPY_E2E_SCRATCH_H

#include <sys/types.h>

extern char scratch_dir[64];

/* Makes it, with these permissions; fails the test where it cannot. */
void scratch_make(mode_t mode);
void scratch_remove(void);

/* The path of a file in it. Valid until it is asked again. */
const char *in_scratch(const char *name);

/* Removes a file, or a folder with all that is in it; nothing where it is not there. */
void remove_all(const char *path);

#endif
