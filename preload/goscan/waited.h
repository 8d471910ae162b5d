/* Whom waitid waits for, as waitpid is given it. */
#ifndef LEAKSPY_GOSCAN_WAITED_H
#define LEAKSPY_GOSCAN_WAITED_H

#include <stdint.h>
#include <sys/wait.h>

/* A number of a process; of a group: less than -1; -1: any child. 0: not known, as of P_PIDFD: a
 * descriptor is no number of a process. And waitpid's own 0 is the caller's group, whose number is
 * not known either. */
static inline int64_t waited_process(idtype_t type, id_t id)
{
    switch (type) {
    case P_ALL:
        return -1;
    case P_PGID:
        return -(int64_t)id;
    case P_PID:
        return (int64_t)id;
    default:
        return 0;
    }
}

#endif
