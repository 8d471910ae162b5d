#include "analyzer/recording/descriptors.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "analyzer/base/descriptor_text.h"

const struct rec_descriptor *recording_descriptor_of(const struct slot_rows *descriptors,
                                                     uint64_t number, const struct rec_task *task)
{
    const struct rec_descriptor *row = slot_rows_at(descriptors, number);
    return row && row->wait != 0 && row->wait == rec_task_wait(task) && row->task == task->id
               ? row
               : NULL;
}

/* The address in `bytes` bytes as text; "": it has none. Returns its family. */
static int put_address(const char *from, size_t bytes, char to[RECORDING_DESCRIPTOR_TEXT])
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
        char bytes[sizeof(struct rec_descriptor)];
    } address = {.bytes = {0}};
    const size_t path_at = offsetof(struct sockaddr_un, sun_path);
    memcpy(address.bytes, from, bytes);
    to[0] = '\0';
    if (address.any.sa_family == AF_INET && address.v4.sin_port != 0) {
        descriptor_text_address(AF_INET, &address.v4.sin_addr, ntohs(address.v4.sin_port), to);
    } else if (address.any.sa_family == AF_INET6 && address.v6.sin6_port != 0) {
        descriptor_text_address(AF_INET6, &address.v6.sin6_addr, ntohs(address.v6.sin6_port), to);
    } else if (address.any.sa_family == AF_UNIX && bytes > path_at) {
        bool abstract = address.bytes[path_at] == '\0'; /* its name has a length, and no NUL */
        snprintf(to, RECORDING_DESCRIPTOR_TEXT, "%s%.*s", abstract ? "@" : "",
                 (int)(bytes - path_at - abstract), address.bytes + path_at + abstract);
    }
    return address.any.sa_family;
}

static const char *kind_of(int family, unsigned protocol)
{
    if (family == AF_UNIX)
        return DESCRIPTOR_UNIX;
    if (family != AF_INET && family != AF_INET6)
        return NULL;
    return protocol == IPPROTO_TCP ? "tcp" : protocol == IPPROTO_UDP ? "udp" : NULL;
}

bool recording_descriptor_text(const struct rec_descriptor *row, bool listens,
                               char to[RECORDING_DESCRIPTOR_TEXT])
{
    const size_t most = sizeof(row->name) - 1; /* more were cut */
    char link[sizeof(row->name) + sizeof("...")];
    char local[RECORDING_DESCRIPTOR_TEXT], peer[RECORDING_DESCRIPTOR_TEXT];
    if ((size_t)row->local_bytes + row->peer_bytes > sizeof(row->name))
        return false;
    if (row->local_bytes == 0) {
        snprintf(link, sizeof(link), "%.*s%s", (int)most, row->name, row->name[most] ? "..." : "");
        descriptor_text_link(link, to, RECORDING_DESCRIPTOR_TEXT);
        return true;
    }
    int family = put_address(row->name, row->local_bytes, local);
    put_address(row->name + row->local_bytes, row->peer_bytes, peer);
    const char *kind = kind_of(family, row->protocol);
    if (!kind)
        snprintf(to, RECORDING_DESCRIPTOR_TEXT, "socket");
    else if (family == AF_UNIX && local[0]) /* a name of its own says more than that of its peer */
        descriptor_text_socket(kind, local, "", listens, to, RECORDING_DESCRIPTOR_TEXT);
    else
        descriptor_text_socket(kind, local, peer, listens, to, RECORDING_DESCRIPTOR_TEXT);
    return true;
}
