/* `confined PROGRAM [ARGUMENT]...`: becomes the program under a filter of system calls, by which it
 * may read whatever it wants, and write what it has open. It is killed when it makes a process,
 * executes a program, opens a file for writing, makes, removes or changes one, asks another machine
 * or process, or sends a signal. It may use CONFINED_CPU_S of processor time, and CONFINED_BYTES of
 * addresses. For test_confined. */
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/e2e/check.h"
#include "tests/e2e/confined.h"

#define LOAD(what) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, what))
#define KILL BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
#define KILL_FOR(call) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1), KILL
/* The lower half of an argument that holds flags, on a machine of this byte order. */
#define KILL_FOR_WRITING(call, number)                                                             \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 3), LOAD(args[number]),                     \
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC, 0, 1), KILL,   \
        LOAD(nr)

static struct sock_filter filter[] = {
    LOAD(arch),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
    KILL,
    LOAD(nr),
    /* Runs something. The program itself is executed by execveat, which libc has no use for. */
    KILL_FOR(execve),
    KILL_FOR(fork),
    KILL_FOR(vfork),
    KILL_FOR(clone),
    KILL_FOR(clone3),
    /* Writes elsewhere. */
    KILL_FOR_WRITING(open, 1),
    KILL_FOR_WRITING(openat, 2),
    KILL_FOR(openat2),
    KILL_FOR(creat),
    KILL_FOR(truncate),
    KILL_FOR(rename),
    KILL_FOR(renameat),
    KILL_FOR(renameat2),
    KILL_FOR(link),
    KILL_FOR(linkat),
    KILL_FOR(symlink),
    KILL_FOR(symlinkat),
    KILL_FOR(unlink),
    KILL_FOR(unlinkat),
    KILL_FOR(mkdir),
    KILL_FOR(mkdirat),
    KILL_FOR(rmdir),
    KILL_FOR(mknod),
    KILL_FOR(mknodat),
    KILL_FOR(chmod),
    KILL_FOR(fchmod),
    KILL_FOR(fchmodat),
    KILL_FOR(chown),
    KILL_FOR(fchown),
    KILL_FOR(lchown),
    KILL_FOR(fchownat),
    KILL_FOR(utimensat),
    KILL_FOR(setxattr),
    KILL_FOR(process_vm_writev),
    KILL_FOR(shmget),
    KILL_FOR(mq_open),
    /* Asks or disturbs somebody. */
    KILL_FOR(socket),
    KILL_FOR(connect),
    KILL_FOR(ptrace),
    KILL_FOR(kill),
    KILL_FOR(tkill),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

extern char **environ;

int main(int argc, char *argv[])
{
    const struct rlimit time = {CONFINED_CPU_S, CONFINED_CPU_S + 1};
    const struct rlimit addresses = {CONFINED_BYTES, CONFINED_BYTES};
    const struct rlimit no_core = {1, 1};
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    CHECK(argc > 1);
    int fd = open(argv[1], O_PATH | O_CLOEXEC);
    CHECK(fd >= 0 && setrlimit(RLIMIT_CPU, &time) == 0 && setrlimit(RLIMIT_AS, &addresses) == 0 &&
          setrlimit(RLIMIT_CORE, &no_core) == 0);
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0);
    syscall(SYS_execveat, fd, "", argv + 1, environ, AT_EMPTY_PATH);
    CHECK(!"it cannot be executed");
}
