/* Memory of a process that runs, the own one included, as a mem_reader. What is not mapped, or not
 * any more, is a failed read. */
#ifndef LEAKSPY_PROCESS_READER_H
#define LEAKSPY_PROCESS_READER_H

#include <stdint.h>

#include "preload/goscan/reader.h"

struct process_reader {
    struct mem_reader reader; /* first */
    long pid;
};

void process_reader_init(struct process_reader *reader, long pid);

#endif
