#include "preload/descriptor.h"

#include <sys/socket.h>

#include "preload/sys.h"

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

bool descriptor_is_listening(uint32_t pid, int fd)
{
    int listens = 0;
    uint32_t bytes = sizeof(listens);
    /* A second name for it among our own descriptors, for as long as the question takes. */
    long pidfd = sys_call(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        return false;
    long own = sys_call(SYS_pidfd_getfd, pidfd, fd, 0);
    if (own >= 0) {
        if (sys_call(SYS_getsockopt, own, SOL_SOCKET, SO_ACCEPTCONN, &listens, &bytes) != 0)
            listens = 0;
        sys_call(SYS_close, own);
    }
    sys_call(SYS_close, pidfd);
    return listens != 0;
}
