/* Whether a process may be looked at, and if not, why, and what would help. */
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzer/process/file.h"
#include "analyzer/process/process.h"

/* The setting of the Yama module (Documentation/admin-guide/LSM/Yama.rst); -1: it is not there. */
static int yama_scope(void)
{
    char text[16];
    size_t got = process_file_start("/proc/sys/kernel/yama/ptrace_scope", text, sizeof(text));
    return got > 0 ? atoi(text) : -1;
}

static bool refuse(struct err *err, const char *what, const struct process_status *status)
{
    int scope = yama_scope();
    uid_t own = geteuid();
    if (scope == 3)
        return err_set(err, ERR_NOT_PERMITTED, what,
                       "not permitted: kernel.yama.ptrace_scope is 3, which forbids looking at "
                       "processes until the next boot");
    if (own == 0)
        return err_set(err, ERR_NOT_PERMITTED, what,
                       "not permitted, even to root: leakspy needs CAP_SYS_PTRACE (docker run "
                       "--cap-add SYS_PTRACE), in the user namespace of the process");
    if (status->uid != own)
        return err_set(err, ERR_NOT_PERMITTED, what,
                       "not permitted: it belongs to user %u; run leakspy as that user or as root",
                       (unsigned)status->uid);
    if (scope == 2)
        return err_set(err, ERR_NOT_PERMITTED, what,
                       "not permitted: kernel.yama.ptrace_scope is 2, which lets root alone look "
                       "at processes; run leakspy as root");
    if (scope == 1)
        return err_set(err, ERR_NOT_PERMITTED, what,
                       "not permitted: kernel.yama.ptrace_scope is 1, which lets only a parent "
                       "look at a process; run leakspy as root, or 'sysctl "
                       "kernel.yama.ptrace_scope=0'");
    return err_set(err, ERR_NOT_PERMITTED, what,
                   "not permitted: it is not dumpable (it gained rights, its file may not be read, "
                   "or it asked for that by prctl); run leakspy as root");
}

/* Whether leakspy cannot look at the program: it is of 32 bits or of another machine (*ret_why).
 * False also where its file cannot be read. */
static bool is_foreign(pid_t pid, const char **ret_why)
{
    Elf64_Ehdr header;
    int fd = process_open_file(pid, "exe");
    if (fd < 0)
        return false;
    ssize_t got = pread(fd, &header, sizeof(header), 0);
    close(fd);
    if (got < (ssize_t)sizeof(Elf32_Ehdr) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
        return false;
    if (header.e_ident[EI_CLASS] == ELFCLASS32)
        *ret_why = "it is a program of 32 bits; leakspy knows those of 64 bits";
    else if (header.e_machine != EM_X86_64)
        *ret_why = "it is a program of another machine; leakspy knows x86-64";
    else
        return false;
    return true;
}

static bool has_ended(pid_t id)
{
    struct process_status status;
    return !process_read_status(id, &status) || status.state == 'Z' || status.state == 'X';
}

pid_t process_live_thread(pid_t pid)
{
    if (!has_ended(pid))
        return pid;
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    DIR *folder = opendir(path);
    struct dirent *entry;
    pid_t found = pid;
    while (folder && found == pid && (entry = readdir(folder)) != NULL) {
        pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (tid > 0 && !has_ended(tid))
            found = tid;
    }
    if (folder)
        closedir(folder);
    return found;
}

bool process_open_memory(pid_t pid, pid_t *ret_task, int *ret_memory, struct err *err)
{
    struct process_status status;
    char what[32];
    snprintf(what, sizeof(what), "process %d", (int)pid);
    if (pid <= 0 || !process_read_status(pid, &status)) {
        if (pid > 0 && (kill(pid, 0) == 0 || errno == EPERM))
            return err_set(err, ERR_NOT_PERMITTED, what,
                           "not permitted: /proc does not show it (hidepid); run leakspy as its "
                           "user or as root");
        return err_set(err, ERR_NO_SUCH_PROCESS, what, "no such process");
    }
    if (status.kernel)
        return err_set(err, ERR_UNSUPPORTED, what, "it is a thread of the kernel (%s)",
                       status.name);

    const char *why;
    pid_t task = status.state == 'Z' ? process_live_thread(pid) : pid;
    bool zombie = status.state == 'Z' && task == pid;
    int fd = process_open_file(task, "mem");
    if (fd < 0 && (errno == EACCES || errno == EPERM) && !zombie)
        return refuse(err, what, &status);
    char byte;
    /* Opening succeeds without memory too, and reads as an empty file then. */
    bool ended = fd < 0 || zombie || pread(fd, &byte, 1, 0) == 0;
    if (ended) {
        if (fd >= 0)
            close(fd);
        if (process_read_status(pid, &status))
            return err_set(err, ERR_PROCESS_ENDED, what,
                           "it has ended, and waits for its parent to take note (a zombie)");
        return err_set(err, ERR_PROCESS_ENDED, what, "it has ended just now");
    }
    if (is_foreign(task, &why)) {
        close(fd);
        return err_set(err, ERR_UNSUPPORTED, what, "%s", why);
    }
    *ret_memory = fd;
    *ret_task = task;
    return true;
}
