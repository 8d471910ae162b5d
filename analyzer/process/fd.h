/* What the descriptors of another process are. */
#ifndef LEAKSPY_ANALYZER_PROCESS_FD_H
#define LEAKSPY_ANALYZER_PROCESS_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process_socket;

/* The sockets of the process's network namespace, read as far as is asked for. */
struct process_fds {
    pid_t pid; /* as this command knows it */
    size_t tables_read;
    struct process_socket *sockets; /* sorted by inode */
    size_t count;
};

/* Reads nothing yet, and cannot fail. `pid`: of the process, or of a thread that is left of it. */
void process_fds_init(struct process_fds *ret, pid_t pid);
void process_fds_deinit(struct process_fds *fds);

/* Describes a descriptor of a thread (0: of the process), which may have a table of its own
 * (CLONE_FILES of unshare(2)), in `to`: "tcp 127.0.0.1:80 -> 10.0.0.7:5123", "unix socket /run/x",
 * "pipe", "eventfd", "/path". *ret_listening: it is a socket that waits for connections. False: it
 * is not open (errno is ENOENT), or may not be read. Sources: proc_pid_fd(5), proc_pid_net(5). */
bool process_describe_fd(struct process_fds *fds, pid_t tid, int fd, char *to, size_t bytes,
                         bool *ret_listening);

/* A second name for a socket of a thread of another process, to be closed. The process does not see
 * it. Of nothing but sockets: whoever closes a file that a server has (FUSE, NFS) waits for that
 * server, as the thread itself may. -1: there is none, it is none, it is not permitted, or, before
 * Linux 6.9, only that thread has it, or the first thread of the process has ended. Source:
 * pidfd_open(2), pidfd_getfd(2). */
int process_borrow_socket(pid_t pid, pid_t tid, int fd);

/* Whether a descriptor is a socket with a timeout, SO_RCVTIMEO or SO_SNDTIMEO of socket(7), or a
 * timer that is set, which makes calls that wait for it end by themselves. False where that cannot
 * be told. */
bool process_fd_times_out(pid_t pid, pid_t tid, int fd, int timeout);

/* Whether a descriptor is a stream socket that is connected. False where that cannot be told. */
bool process_fd_is_connected(pid_t pid, pid_t tid, int fd);

/* The process that a pidfd stands for, by the number that this command knows it by. 0: it has ended
 * and was waited for, it is not to be seen from here, or the descriptor is of no process. Source:
 * proc_pid_fdinfo(5). */
pid_t process_of_pidfd(const struct process_fds *fds, pid_t tid, int fd);

#endif
