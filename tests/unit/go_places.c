#include "tests/unit/go_places.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

void told_deinit(struct told *told)
{
    free(told->calls);
    free(told->text);
    *told = (struct told){.calls = NULL};
}

const char *go_places_program(const char *mode)
{
    static char path[4096];
    snprintf(path, sizeof(path), "%s/go_places_%s", GO_PLACES_FOLDER, mode);
    return path;
}

bool go_places_is_there(const char *mode)
{
    return access(go_places_program(mode), X_OK) == 0;
}

static pid_t start(const char *program, const char *argument, int in, int out)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(in, STDIN_FILENO);
        dup2(out, STDOUT_FILENO);
        execl(program, program, argument, (char *)NULL);
        _exit(127);
    }
    return pid;
}

/* The field up to `end`, which is cut off. */
static char *take(char **at, char end)
{
    char *field = *at;
    char *stop = strchr(field, end);
    assert_non_null(stop);
    *stop = '\0';
    *at = stop + 1;
    return field;
}

static void take_call(char **at, struct told *told)
{
    if (told->count % 4096 == 0) {
        told->calls = realloc(told->calls, (told->count + 4096) * sizeof(*told->calls));
        assert_non_null(told->calls);
    }
    struct told_call *call = &told->calls[told->count++];
    *call = (struct told_call){.pc = 0};
    call->function = take(at, '\t');
    call->file = take(at, '\t');
    call->line = atoi(take(at, '\n'));
}

void go_places_ask(const char *program, uint64_t anchor, const uint64_t *pcs, size_t count,
                   struct told *ret)
{
    *ret = (struct told){.calls = NULL};
    FILE *in = tmpfile(), *out = tmpfile();
    assert_non_null(in);
    assert_non_null(out);
    fprintf(in, "%" PRIx64 "\n", anchor);
    for (size_t i = 0; i < count; i++)
        fprintf(in, "%" PRIx64 "\n", pcs[i]);
    assert_int_equal(fflush(in), 0);
    rewind(in);
    pid_t pid = start(program, "places", fileno(in), fileno(out));
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);

    struct stat stat;
    assert_int_equal(fstat(fileno(out), &stat), 0);
    ret->text = calloc(1, (size_t)stat.st_size + 1);
    assert_non_null(ret->text);
    assert_int_equal(pread(fileno(out), ret->text, (size_t)stat.st_size, 0), stat.st_size);
    char *at = ret->text;
    while (*at)
        take_call(&at, ret);
    assert_int_equal(ret->count, count);
    fclose(in);
    fclose(out);
}

/* Reads what it says, up to and with the line that begins with "parked". */
static char *read_scene(int fd)
{
    size_t bytes = 0, room = 1 << 20;
    char *text = malloc(room);
    assert_non_null(text);
    for (;;) {
        ssize_t count = read(fd, text + bytes, room - 1 - bytes);
        assert_true(count > 0);
        bytes += (size_t)count;
        text[bytes] = '\0';
        char *parked = strstr(text, "\nparked ");
        if (parked != NULL && strchr(parked + 1, '\n') != NULL)
            return text;
    }
}

/* Waits until the thread is in its system call, and takes its registers from there. */
static void wait_for_call(struct scene *scene)
{
    char path[64], line[512];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", scene->pid, scene->tid);
    for (;;) {
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        assert_non_null(fgets(line, sizeof(line), file));
        fclose(file);
        long number;
        if (sscanf(line, "%ld %*s %*s %*s %*s %*s %*s %" SCNx64 " %" SCNx64, &number, &scene->sp,
                   &scene->pc) == 3 &&
            number == 271) /* ppoll */
            return;
        usleep(1000);
    }
}

void scene_start(const char *program, const char *name, struct scene *ret)
{
    int in[2], out[2];
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    *ret = (struct scene){.in = in[1], .out = out[0]};
    ret->pid = start(program, name, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    ret->told.text = read_scene(ret->out);
    char *at = ret->told.text;
    ret->anchor = strtoull(take(&at, '\n'), NULL, 16);
    while (strncmp(at, "parked ", 7) != 0) {
        uint64_t pc = strtoull(take(&at, '\t'), NULL, 16);
        take_call(&at, &ret->told);
        ret->told.calls[ret->told.count - 1].pc = pc;
    }
    ret->tid = atoi(at + 7);
    wait_for_call(ret);
}

void scene_end(struct scene *scene)
{
    int status;
    close(scene->in);
    close(scene->out);
    kill(scene->pid, SIGKILL);
    waitpid(scene->pid, &status, 0);
    told_deinit(&scene->told);
}

uint64_t symbol_value(const char *path, const char *name)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat stat;
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &stat), 0);
    const char *file = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    assert_ptr_not_equal(file, MAP_FAILED);
    close(fd);
    const Elf64_Ehdr *header = (const void *)file;
    const Elf64_Shdr *sections = (const void *)(file + header->e_shoff);
    uint64_t value = 0;
    for (unsigned i = 0; i < header->e_shnum; i++) {
        if (sections[i].sh_type != SHT_SYMTAB)
            continue;
        const Elf64_Sym *symbols = (const void *)(file + sections[i].sh_offset);
        const char *names = file + sections[sections[i].sh_link].sh_offset;
        for (size_t j = 0; j < sections[i].sh_size / sizeof(*symbols); j++) {
            if (strcmp(names + symbols[j].st_name, name) == 0)
                value = symbols[j].st_value;
        }
    }
    munmap((void *)file, (size_t)stat.st_size);
    return value;
}
