/* The memory of a recording: how large its tables are, where they lie in the file, and how they
 * grow. */
#ifndef LEAKSPY_TABLES_H
#define LEAKSPY_TABLES_H

#include <stdint.h>

#include "preload/recording.h"

#define TABLES_MAX_MODULES (1U << 14) /* rows of any recording of this process */

/* Gives the new file `fd` its size and maps it, with fewer rows where limits of the process want
 * that; sets `tables` to what lies where, and *ret to it. The header's page may be written then. 0,
 * or a negative errno: of a limit of the process that leaves too little (EFBIG of files, ENOMEM of
 * addresses), or of the kernel (EINVAL: older than Linux 5.14). One thread at a time, any context.
 */
long tables_map(long fd, struct rec_table tables[REC_TABLE_COUNT], struct rec_header **ret,
                uint64_t *ret_bytes);

/* What setrlimit(2) allows this process of RLIMIT_FSIZE or RLIMIT_AS; RLIM_INFINITY: any size. */
uint64_t tables_limit(int resource);

/* Maps REC_HEADER_BYTES of the recording `fd`, to be changed in place: a write beyond what files of
 * the process may have would raise SIGXFSZ. NULL: they cannot be written. */
struct rec_header *tables_map_header(long fd);

#endif
