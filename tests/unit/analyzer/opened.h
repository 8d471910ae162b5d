/* Children opened as images, for tests of what is told of running processes. */
#ifndef LEAKSPY_TEST_OPENED_H
#define LEAKSPY_TEST_OPENED_H

#include <sys/types.h>

struct image;

/* The test fails where it cannot be opened. */
void open_image(struct image *image, pid_t pid);

/* For a child that has done all it is to do: says that it is ready, and does not return. */
void park(void);

/* Until the first thread of a child has ended, while others go on. */
void wait_for_end_of_first(pid_t pid);

#endif
