#include "analyzer/process/unix_peers.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_BYTES 32768

static bool ask(int fd)
{
    struct {
        struct nlmsghdr header;
        struct unix_diag_req request;
    } message = {
        .header = {.nlmsg_len = sizeof(message),
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .request = {.sdiag_family = AF_UNIX,
                    .udiag_states = UINT32_MAX,
                    .udiag_show = UDIAG_SHOW_PEER},
    };
    const struct timeval patience = {.tv_sec = 1};
    return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0 &&
           send(fd, &message, sizeof(message), 0) == (ssize_t)sizeof(message);
}

static void tell(const struct nlmsghdr *header,
                 void (*visit)(uint64_t inode, uint64_t peer, void *arg), void *arg)
{
    const struct unix_diag_msg *row = NLMSG_DATA(header);
    if (header->nlmsg_len < NLMSG_LENGTH(sizeof(*row)))
        return;
    int bytes = (int)(header->nlmsg_len - NLMSG_LENGTH(sizeof(*row)));
    for (const struct rtattr *at = (const void *)(row + 1); RTA_OK(at, bytes);
         at = RTA_NEXT(at, bytes)) {
        uint32_t peer;
        if (at->rta_type != UNIX_DIAG_PEER || RTA_PAYLOAD(at) < sizeof(peer))
            continue;
        memcpy(&peer, RTA_DATA(at), sizeof(peer));
        visit(row->udiag_ino, peer, arg);
    }
}

void unix_peers_each(void (*visit)(uint64_t inode, uint64_t peer, void *arg), void *arg)
{
    static _Alignas(struct nlmsghdr) char answer[ANSWER_BYTES];
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    bool more = fd >= 0 && ask(fd);
    while (more) {
        ssize_t got = recv(fd, answer, sizeof(answer), 0);
        more = got > 0;
        ssize_t bytes = got;
        for (const struct nlmsghdr *at = (const void *)answer; more && NLMSG_OK(at, bytes);
             at = NLMSG_NEXT(at, bytes)) {
            more = at->nlmsg_type == SOCK_DIAG_BY_FAMILY;
            if (more)
                tell(at, visit, arg);
        }
    }
    if (fd >= 0)
        close(fd);
}
