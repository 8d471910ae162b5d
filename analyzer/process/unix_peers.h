/* Who is at the other end of sockets of the machine itself (AF_UNIX). */
#ifndef LEAKSPY_ANALYZER_PROCESS_UNIX_PEERS_H
#define LEAKSPY_ANALYZER_PROCESS_UNIX_PEERS_H

#include <stdint.h>

/* Calls visit(inode, peer's inode, arg) for each connected one of this command's network namespace.
 * None where the kernel does not tell. Source: sock_diag(7). */
void unix_peers_each(void (*visit)(uint64_t inode, uint64_t peer, void *arg), void *arg);

#endif
