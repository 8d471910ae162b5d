#include "preload/descriptor.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "preload/blocked.h"
#include "preload/memory.h"
#include "preload/proc.h"
#include "preload/recorder.h"
#include "preload/sys.h"

#define NAME_BYTES sizeof(((struct rec_descriptor *)0)->name)
#define PATH_ROOM 64
#define OF_THREAD O_EXCL /* PIDFD_THREAD (Linux 6.9) */

bool descriptor_asks_sockets = true;

static char input[NAME_BYTES]; /* what /proc had for descriptor 0 at the start; "": nothing */

/* Where /proc tells of it, in `folder`. `tid` 0: of that of the process. */
static void put_path(const struct descriptor_place *place, uint32_t tid, const char *folder,
                     char path[PATH_ROOM])
{
    struct text text = proc_path(path, PATH_ROOM, place->pid);
    if (tid != 0) {
        text_string(&text, "/task/");
        text_number(&text, tid);
    }
    text_string(&text, folder);
    text_number(&text, (uint64_t)place->fd);
}

/* What /proc has for it, NUL-padded; its end is cut. */
static bool read_link(const struct descriptor_place *place, uint32_t tid, char to[NAME_BYTES])
{
    char path[PATH_ROOM];
    put_path(place, tid, "/fd/", path);
    memset(to, 0, NAME_BYTES);
    return sys_call(SYS_readlinkat, AT_FDCWD, path, to, NAME_BYTES) > 0;
}

void descriptor_know_input(void)
{
    const struct descriptor_place place = {.pid = OWN_PROCESS};
    if (!read_link(&place, 0, input))
        input[0] = '\0';
}

/* A timer that is set wakes who reads from it. Source: proc_pid_fdinfo(5). */
static bool is_set_timer(const struct descriptor_place *place, const char link[NAME_BYTES])
{
    char path[PATH_ROOM], told[256];
    if (strncmp(link, "anon_inode:[timerfd]", NAME_BYTES) != 0)
        return false;
    put_path(place, place->tid, "/fdinfo/", path);
    proc_read_file(path, told, sizeof(told));
    return strstr(told, "it_value: (") != NULL && strstr(told, "it_value: (0, 0)") == NULL;
}

/* Whoever closes a descriptor of a message queue, a copy as well, takes back what its process asked
 * for by mq_notify; other files have a say in that, too. So nothing but a socket is copied. */
static bool is_socket(const char link[NAME_BYTES])
{
    static const char socket[] = "socket:";
    return strncmp(link, socket, sizeof(socket) - 1) == 0;
}

/* Where the thread has another file by that number, it has a table of its own. */
static bool is_of_process(const struct descriptor_place *place, const char link[NAME_BYTES])
{
    char common[NAME_BYTES];
    return read_link(place, 0, common) && memcmp(link, common, NAME_BYTES) == 0;
}

/* Who has the socket `link` in its table. Negative: it cannot be told. */
static long open_holder(const struct descriptor_place *place, const char link[NAME_BYTES])
{
    long thread = place->tid != 0 ? sys_call(SYS_pidfd_open, place->tid, OF_THREAD) : -1;
    if (thread >= 0 || !is_of_process(place, link))
        return thread;
    return sys_call(SYS_pidfd_open, place->pid, 0);
}

static bool get_option(long fd, int option, void *to, uint32_t bytes)
{
    return sys_call(SYS_getsockopt, fd, SOL_SOCKET, option, to, &bytes) == 0;
}

/* Is it connected to somebody? The program has both ends of a pair (socketpair), which have no
 * names. */
static bool is_connected_stream(long fd)
{
    struct sockaddr name;
    uint32_t bytes = sizeof(name), own_bytes = sizeof(name);
    int type = 0;
    if (!get_option(fd, SO_TYPE, &type, sizeof(type)) || type != SOCK_STREAM ||
        sys_call(SYS_getpeername, fd, &name, &bytes) != 0)
        return false;
    return bytes > sizeof(name.sa_family) ||
           (sys_call(SYS_getsockname, fd, &name, &own_bytes) == 0 &&
            own_bytes > sizeof(name.sa_family));
}

/* An address of a socket: how much of it there is in `to`. */
static uint8_t get_address(long number, long fd, char *to, uint32_t room)
{
    uint32_t bytes = room;
    if (room == 0 || sys_call(number, fd, to, &bytes) != 0)
        return 0;
    return (uint8_t)(bytes < room ? bytes : room);
}

/* Whether a call that may be under way waits for the socket, and not for memory: while it copies
 * what the program sends or receives it holds a lock, which those who ask for addresses want. */
static bool is_waited_for(long fd, int timeout)
{
    const struct timespec no_time = {0};
    struct pollfd polled = {.fd = (int)fd, .events = timeout == SO_SNDTIMEO ? POLLOUT : POLLIN};
    return timeout == 0 || sys_call(SYS_ppoll, &polled, 1, &no_time, 0, 0) == 0;
}

/* The peer of a connection that is not there yet: what a thread of ours that waits for it gave to
 * connect. */
static uint8_t get_wanted_peer(const struct descriptor_place *place, char *to, size_t room)
{
    struct blocked_call call;
    if (place->tid == 0 || !blocked_call(place->pid, place->tid, &call) ||
        call.number != SYS_connect || (int)call.args[0] != place->fd)
        return 0;
    return (uint8_t)memory_read_some(call.args[1], to, call.args[2] < room ? call.args[2] : room);
}

static void look_at_socket(const struct descriptor_place *place, long fd, struct descriptor *ret)
{
    struct rec_descriptor *told = &ret->told;
    const int timeout = place->timeout;
    int listens = 0, protocol = 0;
    struct timeval within = {0};
    char addresses[NAME_BYTES] = {0};
    ret->listens = get_option(fd, SO_ACCEPTCONN, &listens, sizeof(listens)) && listens != 0;
    ret->times_out = timeout != 0 && get_option(fd, timeout, &within, sizeof(within)) &&
                     (within.tv_sec != 0 || within.tv_usec != 0);
    if (!is_waited_for(fd, timeout))
        return;
    ret->connected = is_connected_stream(fd);
    get_option(fd, SO_PROTOCOL, &protocol, sizeof(protocol));
    told->protocol = (uint16_t)protocol;
    told->local_bytes = get_address(SYS_getsockname, fd, addresses, NAME_BYTES);
    if (told->local_bytes == 0)
        return;
    char *peer = addresses + told->local_bytes;
    size_t room = NAME_BYTES - told->local_bytes;
    told->peer_bytes = get_address(SYS_getpeername, fd, peer, (uint32_t)room);
    if (told->peer_bytes == 0 && !ret->listens)
        told->peer_bytes = get_wanted_peer(place, peer, room);
    memcpy(told->name, addresses, NAME_BYTES);
}

void descriptor_look(const struct descriptor_place *place, struct descriptor *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (place->fd < 0 || !read_link(place, place->tid, ret->told.name))
        return;
    ret->known = true;
    ret->times_out = place->timeout != 0 && is_set_timer(place, ret->told.name);
    ret->is_input = place->fd == 0 && input[0] != '\0' && !is_socket(input) &&
                    memcmp(ret->told.name, input, NAME_BYTES) == 0;
    long holder = descriptor_asks_sockets && is_socket(ret->told.name)
                      ? open_holder(place, ret->told.name)
                      : -1;
    if (holder < 0)
        return;
    /* A second name for it among our own descriptors, for as long as the questions take. */
    long own = sys_call(SYS_pidfd_getfd, holder, place->fd, 0);
    if (own >= 0) {
        look_at_socket(place, own, ret);
        sys_call(SYS_close, own);
    }
    sys_call(SYS_close, holder);
}

uint16_t descriptor_record(const struct rec_task *task, uint64_t id, uint32_t wait,
                           const struct descriptor_place *place)
{
    struct descriptor look;
    descriptor_look(place, &look);
    look.told.task = id;
    look.told.wait = wait;
    if (look.known)
        recorder_put_descriptor(task, &look.told);
    return (uint16_t)((look.listens ? REC_DETAIL_LISTENING : 0) |
                      (look.times_out ? REC_DETAIL_TIMES_OUT : 0) |
                      (look.connected ? REC_DETAIL_CONNECTED : 0) |
                      (look.is_input ? REC_DETAIL_INPUT : 0));
}
