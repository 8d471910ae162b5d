/* Sockets in every state, for rows of errors; each call makes new ones. */
#ifndef LEAKSPY_CONFORM_SOCKETS_H
#define LEAKSPY_CONFORM_SOCKETS_H

#include <netinet/in.h>

struct ends {
    int near_end, far_end;
};

struct ends socket_pair(void); /* of the kind that is a stream, between processes */
int socket_that_is_quiet(void);
int socket_that_may_not_block(void);
int socket_with_a_time(void);
int socket_with_bytes(void);
int socket_shut_down(void);
int datagram_socket_alone(void);

int tcp_socket(void); /* connected */
int tcp_socket_alone(void);
int tcp_socket_reset(void);
int udp_socket(void); /* connected */
int udp_socket_alone(void);
int udp_socket_refused(void); /* and that was told so */

/* One that listens on a port of the loopback interface, which is written to *ret. */
int tcp_listener(struct sockaddr_in *ret);

/* The address of a socket. */
struct sockaddr_in name_of(int fd);

/* Of the loopback interface; port 0 is chosen. */
struct sockaddr_in loopback(void);

#endif
