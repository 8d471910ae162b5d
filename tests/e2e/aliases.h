/* Names of libc's that its headers leave out: what programs call that are compiled with
 * _FORTIFY_SOURCE, or were linked before glibc 2.33, and names of calls with `__`. */
#ifndef LEAKSPY_E2E_ALIASES_H
#define LEAKSPY_E2E_ALIASES_H

#include <poll.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

ssize_t __read(int fd, void *to, size_t bytes);
ssize_t __read_chk(int fd, void *to, size_t bytes, size_t room);
ssize_t __write(int fd, const void *from, size_t bytes);
ssize_t __recv_chk(int fd, void *to, size_t bytes, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *to, size_t bytes, size_t room, int flags,
                       struct sockaddr *peer, socklen_t *peer_bytes);
int __poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t room);
int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                const sigset_t *signals, size_t room);
int __select(int count, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout);
int __nanosleep(const struct timespec *time, struct timespec *left);
#if defined(__x86_64__)
__asm__(".symver __fxstatat64, __fxstatat64@GLIBC_2.4");
#else
__asm__(".symver __fxstatat64, __fxstatat64@GLIBC_2.17");
#endif
int __fxstatat64(int version, int folder, const char *path, struct stat64 *ret, int flags);
enum {
#if defined(__x86_64__)
    FXSTATAT_VERSION = 1, /* _STAT_VER of glibc 2.32 */
#else
    FXSTATAT_VERSION = 0,
#endif
};
pid_t __wait(int *status);
pid_t __waitpid(pid_t pid, int *status, int options);

#endif
