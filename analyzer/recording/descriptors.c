#include "analyzer/recording/descriptors.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "analyzer/base/descriptor_text.h"

bool recording_descriptors_init(struct recording_descriptors *ret, const struct rec_file *file,
                                size_t room)
{
    *ret =
        (struct recording_descriptors){.file = file, .rows = malloc(2 * room * sizeof(*ret->rows))};
    return ret->rows != NULL;
}

void recording_descriptors_deinit(struct recording_descriptors *descriptors)
{
    free(descriptors->rows);
    *descriptors = (struct recording_descriptors){0};
}

static bool read_rows(const struct recording_descriptors *descriptors, uint64_t first, size_t count,
                      struct rec_descriptor *to, struct err *err)
{
    return rec_file_read(descriptors->file, REC_TABLE_DESCRIPTORS, first, count, to, sizeof(*to),
                         err);
}

/* How many rows there are in all is not asked: the file was opened before its tasks were read, and
 * what they waited for may have been written since. Most tasks have none: then the rows are in a
 * hole of the file. */
bool recording_descriptors_read(struct recording_descriptors *descriptors, uint64_t first,
                                size_t count, struct err *err)
{
    uint64_t room = descriptors->file->tables[REC_TABLE_DESCRIPTORS].capacity;
    descriptors->first = first;
    descriptors->count = 0;
    if (first >= room)
        return true;
    if (count > room - first)
        count = (size_t)(room - first);
    if (!rec_file_has_data(descriptors->file, REC_TABLE_DESCRIPTORS, first, count))
        return true;
    descriptors->count = count;
    struct rec_descriptor *once = descriptors->rows, *again = once + count;
    if (!read_rows(descriptors, first, count, once, err) ||
        !read_rows(descriptors, first, count, again, err))
        return false;
    /* One that is written meanwhile may be of two waits. */
    for (size_t i = 0; i < count; i++) {
        if (memcmp(&once[i], &again[i], sizeof(once[i])) != 0)
            once[i].wait = 0;
    }
    return true;
}

const struct rec_descriptor *
recording_descriptors_of(const struct recording_descriptors *descriptors, uint64_t number,
                         const struct rec_task *task)
{
    if (number < descriptors->first || number - descriptors->first >= descriptors->count)
        return NULL;
    const struct rec_descriptor *row = &descriptors->rows[number - descriptors->first];
    return row->wait != 0 && row->wait == rec_task_wait(task) && row->task == task->id ? row : NULL;
}

/* ---- Words ---- */

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
