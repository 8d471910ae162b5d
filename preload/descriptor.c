#include "preload/descriptor.h"

#include <sys/socket.h>
#include <sys/time.h>

#include "preload/sys.h"

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

static bool get_option(long fd, int option, void *to, uint32_t bytes)
{
    return sys_call(SYS_getsockopt, fd, SOL_SOCKET, option, to, &bytes) == 0;
}

struct descriptor descriptor_look(uint32_t pid, int fd, int timeout)
{
    struct descriptor look = {0};
    /* A second name for it among our own descriptors, for as long as the question takes. */
    long pidfd = sys_call(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        return look;
    long own = sys_call(SYS_pidfd_getfd, pidfd, fd, 0);
    if (own >= 0) {
        int listens = 0;
        struct timeval within = {0};
        look.listens = get_option(own, SO_ACCEPTCONN, &listens, sizeof(listens)) && listens != 0;
        look.times_out = timeout != 0 && get_option(own, timeout, &within, sizeof(within)) &&
                         (within.tv_sec != 0 || within.tv_usec != 0);
        sys_call(SYS_close, own);
    }
    sys_call(SYS_close, pidfd);
    return look;
}
