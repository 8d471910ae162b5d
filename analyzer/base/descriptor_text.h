/* How descriptors are called in reports. */
#ifndef LEAKSPY_ANALYZER_BASE_DESCRIPTOR_TEXT_H
#define LEAKSPY_ANALYZER_BASE_DESCRIPTOR_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#define DESCRIPTOR_UNIX "unix socket"

enum { DESCRIPTOR_ADDRESS = 64 }; /* bytes for an address */

/* By what /proc has for it: "pipe:[1234]" is "pipe", "anon_inode:[eventfd]" is "eventfd", a path is
 * itself. What does not fit ends in "...". Source: proc_pid_fd(5). */
void descriptor_text_link(const char *link, char *to, size_t bytes);

/* A socket: "tcp 127.0.0.1:80 listening", "tcp 127.0.0.1:80 -> 10.0.0.7:5123", "unix socket ->
 * /run/x". `kind` is the first word or words; local, peer: "" where it has none. What does not fit
 * ends in "...". */
void descriptor_text_socket(const char *kind, const char *local, const char *peer, bool listens,
                            char *to, size_t bytes);

/* An address of AF_INET or AF_INET6, in the byte order of networks, and a port in that of the
 * machine: "127.0.0.1:80", "[::1]:80". */
void descriptor_text_address(int family, const void *address, unsigned port,
                             char to[DESCRIPTOR_ADDRESS]);

#endif
