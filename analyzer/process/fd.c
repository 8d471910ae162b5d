#include "analyzer/process/fd.h"

#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "analyzer/base/descriptor_text.h"
#include "analyzer/base/rows.h"
#include "analyzer/process/unix_peers.h"

#define MAX_SOCKETS (1u << 22)
#define OF_THREAD O_EXCL        /* PIDFD_THREAD (Linux 6.9) */
#define TCP_LISTEN 10           /* enum of include/net/tcp_states.h */
#define UNIX_LISTENS (1u << 16) /* __SO_ACCEPTCON of include/linux/net.h */

struct process_socket {
    uint64_t inode;
    bool listens;
    char text[144]; /* "tcp 127.0.0.1:80 -> 10.0.0.7:5123" */
};

static void add_socket(struct process_fds *fds, const struct process_socket *row)
{
    if (fds->count < MAX_SOCKETS && rows_grow(&fds->sockets, fds->count, sizeof(*fds->sockets)))
        fds->sockets[fds->count++] = *row;
}

/* "0100007F:1F90" (words in the byte order of the machine, hexadecimal). */
static void put_address(const char *hex, unsigned port, char to[DESCRIPTOR_ADDRESS])
{
    uint32_t words[4] = {0};
    size_t count = strlen(hex) / 8;
    for (size_t i = 0; i < count && i < 4; i++) {
        char word[9];
        memcpy(word, hex + 8 * i, 8);
        word[8] = '\0';
        words[i] = (uint32_t)strtoul(word, NULL, 16);
    }
    descriptor_text_address(count == 4 ? AF_INET6 : AF_INET, words, port, to);
}

static void take_internet(struct process_fds *fds, const char *kind, const char *line)
{
    char from[33], to[33];
    unsigned from_port, to_port, state;
    struct process_socket row = {0};
    if (sscanf(line, " %*d: %32[0-9A-F]:%x %32[0-9A-F]:%x %x %*s %*s %*s %*u %*d %" SCNu64, from,
               &from_port, to, &to_port, &state, &row.inode) != 6 ||
        row.inode == 0) /* it has no descriptor (any more), as in TIME_WAIT: there may be many */
        return;
    bool tcp = strncmp(kind, "tcp", 3) == 0;
    char local[DESCRIPTOR_ADDRESS], peer[DESCRIPTOR_ADDRESS] = "";
    put_address(from, from_port, local);
    if (to_port != 0)
        put_address(to, to_port, peer);
    row.listens = tcp && state == TCP_LISTEN;
    descriptor_text_socket(tcp ? "tcp" : "udp", local, peer, row.listens, row.text,
                           sizeof(row.text));
    add_socket(fds, &row);
}

/* "ffff…: 00000002 00000000 00010000 0001 01 1234 /path": references, protocol, flags, type, state,
 * inode. */
static void take_unix(struct process_fds *fds, const char *kind, const char *line)
{
    struct process_socket row = {0};
    unsigned flags;
    char path[109] = ""; /* as long as they get (unix(7)) */
    if (sscanf(line, "%*s %*x %*x %x %*x %*x %" SCNu64 " %108[^\n]", &flags, &row.inode, path) < 2)
        return;
    row.listens = (flags & UNIX_LISTENS) != 0;
    (void)kind;
    descriptor_text_socket(DESCRIPTOR_UNIX, path, "", row.listens, row.text, sizeof(row.text));
    add_socket(fds, &row);
}

static int compare_sockets(const void *a, const void *b)
{
    const struct process_socket *left = a, *right = b;
    return left->inode < right->inode ? -1 : left->inode > right->inode;
}

static struct process_socket *socket_row(struct process_fds *fds, uint64_t inode)
{
    struct process_socket key = {.inode = inode};
    return fds->count
               ? bsearch(&key, fds->sockets, fds->count, sizeof(*fds->sockets), compare_sockets)
               : NULL;
}

/* One that connected has no name of its own: it is known by the other end's. */
static void name_by_peer(uint64_t inode, uint64_t peer, void *arg)
{
    struct process_socket *row = socket_row(arg, inode), *other = socket_row(arg, peer);
    size_t bytes = strlen(DESCRIPTOR_UNIX);
    if (row && other && strcmp(row->text, DESCRIPTOR_UNIX) == 0 &&
        strncmp(other->text, DESCRIPTOR_UNIX " ", bytes + 1) == 0 && other->text[bytes + 1] != '-')
        descriptor_text_socket(DESCRIPTOR_UNIX, "", other->text + bytes + 1, false, row->text,
                               sizeof(row->text));
}

/* Only of its own network namespace does the kernel tell us. */
static bool is_our_network(pid_t pid)
{
    char path[64];
    struct stat own, its;
    snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
    return stat("/proc/self/ns/net", &own) == 0 && stat(path, &its) == 0 &&
           own.st_ino == its.st_ino && own.st_dev == its.st_dev;
}

static const struct {
    const char *name;
    void (*take)(struct process_fds *fds, const char *kind, const char *line);
} tables[] = {
    {"tcp", take_internet},  {"tcp6", take_internet}, {"udp", take_internet},
    {"udp6", take_internet}, {"unix", take_unix},
};

static void read_table(struct process_fds *fds, size_t table)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/net/%s", (int)fds->pid, tables[table].name);
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0, count = fds->count;
    while (file && getline(&line, &room, file) > 0 && fds->count < MAX_SOCKETS)
        tables[table].take(fds, tables[table].name, line);
    free(line);
    if (file)
        fclose(file);
    if (fds->count > count)
        qsort(fds->sockets, fds->count, sizeof(*fds->sockets), compare_sockets);
    if (fds->count && tables[table].take == take_unix && is_our_network(fds->pid))
        unix_peers_each(name_by_peer, fds);
}

/* Reads no more tables than it takes: for those of TCP the kernel walks through a table of all
 * connections that there may be, some milliseconds each. */
static const struct process_socket *find_socket(struct process_fds *fds, uint64_t inode)
{
    const struct process_socket *row = socket_row(fds, inode);
    while (!row && fds->tables_read < sizeof(tables) / sizeof(*tables)) {
        read_table(fds, fds->tables_read++);
        row = socket_row(fds, inode);
    }
    return row;
}

void process_fds_init(struct process_fds *ret, pid_t pid)
{
    *ret = (struct process_fds){.pid = pid};
}

void process_fds_deinit(struct process_fds *fds)
{
    free(fds->sockets);
    *fds = (struct process_fds){0};
}

/* What /proc has for a descriptor: "/path", "socket:[1234]", "pipe:[1234]". */
static bool read_link(pid_t tid, int fd, char *to, size_t bytes)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)tid, fd);
    ssize_t length = readlink(path, to, bytes - 1);
    if (length <= 0)
        return false;
    to[length] = '\0';
    return true;
}

bool process_describe_fd(struct process_fds *fds, pid_t tid, int fd, char *to, size_t bytes,
                         bool *ret_listening)
{
    char link[4096];
    bool unused;
    bool *listening = ret_listening ? ret_listening : &unused;
    *listening = false;
    if (!read_link(tid ? tid : fds->pid, fd, link, sizeof(link)))
        return false;

    uint64_t inode;
    const struct process_socket *row = NULL;
    if (sscanf(link, "socket:[%" SCNu64 "]", &inode) == 1)
        row = find_socket(fds, inode);
    *listening = row && row->listens;
    if (row)
        snprintf(to, bytes, "%s", row->text);
    else
        descriptor_text_link(link, to, bytes);
    return true;
}

static bool is_socket(const char *link)
{
    static const char socket[] = "socket:";
    return strncmp(link, socket, sizeof(socket) - 1) == 0;
}

/* Who has the socket `link` of a thread in its table; negative: that cannot be told. Before Linux
 * 6.9, threads other than the first one have no pidfd, and that one has no table any more when it
 * has ended. */
static int open_holder(pid_t pid, pid_t tid, int fd, const char *link)
{
    char common[256];
    int holder = (int)syscall(SYS_pidfd_open, tid, OF_THREAD);
    if (holder >= 0 || !read_link(pid, fd, common, sizeof(common)) || strcmp(link, common) != 0)
        return holder;
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

int process_borrow_socket(pid_t pid, pid_t tid, int fd)
{
    char link[256];
    if (!read_link(tid, fd, link, sizeof(link)) || !is_socket(link))
        return -1;
    int holder = open_holder(pid, tid, fd, link);
    int borrowed = holder >= 0 ? (int)syscall(SYS_pidfd_getfd, holder, fd, 0) : -1;
    if (holder >= 0)
        close(holder);
    return borrowed;
}

/* A timer that is set wakes who reads from it. Source: proc_pid_fdinfo(5). */
static bool is_set_timer(pid_t tid, int fd)
{
    char text[256];
    unsigned long long seconds = 0, ns = 0;
    if (!read_link(tid, fd, text, sizeof(text)) || strcmp(text, "anon_inode:[timerfd]") != 0)
        return false;
    snprintf(text, sizeof(text), "/proc/%d/fdinfo/%d", (int)tid, fd);
    FILE *file = fopen(text, "re");
    bool told = false;
    while (file && !told && fgets(text, sizeof(text), file))
        told = sscanf(text, "it_value: (%llu, %llu)", &seconds, &ns) == 2;
    if (file)
        fclose(file);
    return told && (seconds != 0 || ns != 0);
}

bool process_fd_times_out(pid_t pid, pid_t tid, int fd, int timeout)
{
    struct timeval within = {0};
    socklen_t bytes = sizeof(within);
    if (is_set_timer(tid, fd))
        return true;
    int borrowed = process_borrow_socket(pid, tid, fd);
    bool known = borrowed >= 0 && getsockopt(borrowed, SOL_SOCKET, timeout, &within, &bytes) == 0;
    if (borrowed >= 0)
        close(borrowed);
    return known && (within.tv_sec != 0 || within.tv_usec != 0);
}

bool process_fd_is_connected(pid_t pid, pid_t tid, int fd)
{
    struct sockaddr_storage name;
    socklen_t bytes = sizeof(int), peer_bytes = sizeof(name), own_bytes = sizeof(name);
    int type = 0;
    int borrowed = process_borrow_socket(pid, tid, fd);
    bool connected =
        borrowed >= 0 && getsockopt(borrowed, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0 &&
        type == SOCK_STREAM && getpeername(borrowed, (struct sockaddr *)&name, &peer_bytes) == 0 &&
        getsockname(borrowed, (struct sockaddr *)&name, &own_bytes) == 0 &&
        (peer_bytes > sizeof(sa_family_t) || own_bytes > sizeof(sa_family_t)); /* not of a pair */
    if (borrowed >= 0)
        close(borrowed);
    return connected;
}

pid_t process_of_pidfd(const struct process_fds *fds, pid_t tid, int fd)
{
    char path[64], line[256];
    long pid = 0;
    snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)(tid ? tid : fds->pid), fd);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file)) {
        if (sscanf(line, "Pid: %ld", &pid) == 1)
            break;
    }
    if (file)
        fclose(file);
    return pid > 0 ? (pid_t)pid : 0;
}
