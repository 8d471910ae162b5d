/* What the environment asks for: LEAKSPY_OUT and its like. */
#ifndef LEAKSPY_OPTIONS_H
#define LEAKSPY_OPTIONS_H

/* Sets recorder_options from the environment; a value that cannot be used is said with VERBOSE, and
 * its default taken. At start, while there is one thread. Makes no system call but to say so. */
void options_read(void);

/* Makes a relative LEAKSPY_OUT absolute, since programs change folders. Once. */
void options_make_absolute(void);

/* LEAKSPY_VERBOSE alone. Makes no system call. */
void options_read_verbose(void);

#endif
