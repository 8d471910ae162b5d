/* Memory for tables that may have a row for each of a million tasks. */
#ifndef LEAKSPY_LARGE_H
#define LEAKSPY_LARGE_H

#include <stddef.h>

/* As calloc, and freed by free. Where it is large the kernel is asked for huge pages: to touch
 * small ones for the first time may take longer than all that is done with what is in them, above
 * all in virtual machines. NULL: no memory. */
void *large_calloc(size_t count, size_t bytes);

#endif
