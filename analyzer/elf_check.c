#include "analyzer/elf_check.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "analyzer/base/text.h"

#define MAX_SCRIPTS 5 /* interpreters that are scripts themselves; Linux gives up earlier */

#if defined(__x86_64__)
#define OUR_MACHINE EM_X86_64
#define OUR_LOADER "ld-linux-x86-64.so.2"
#elif defined(__aarch64__)
#define OUR_MACHINE EM_AARCH64
#define OUR_LOADER "ld-linux-aarch64.so.1"
#else
#error "the preload library knows x86-64 and aarch64"
#endif

/* What is looked for in a program. */
struct looks {
    char loader[256]; /* PT_INTERP; "": none */
    bool dynamic;
    bool needs_libgo;
    bool has_gopark; /* libgo's own function is defined inside: libgo was linked statically */
    bool is_go;      /* made by Go's own compiler */
};

/* A program of Go's own compiler needs no library: its runtime is in its memory. */
static enum elf_answer cannot_load(const struct looks *looks, char *why, size_t why_bytes,
                                   const char *text)
{
    snprintf(why, why_bytes, "%s", text);
    return looks->is_go ? ELF_RECORDS_FROM_OUTSIDE : ELF_CANNOT_RECORD;
}

static enum elf_answer cannot(char *why, size_t why_bytes, const char *text)
{
    snprintf(why, why_bytes, "%s", text);
    return ELF_CANNOT_RECORD;
}

static void look_at_segments(Elf *elf, int fd, struct looks *looks)
{
    size_t count;
    if (elf_getphdrnum(elf, &count) != 0)
        return;
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr header;
        if (!gelf_getphdr(elf, (int)i, &header))
            return;
        if (header.p_type == PT_DYNAMIC)
            looks->dynamic = true;
        if (header.p_type == PT_INTERP && header.p_filesz > 1 &&
            header.p_filesz < sizeof(looks->loader)) {
            ssize_t got = pread(fd, looks->loader, header.p_filesz, (off_t)header.p_offset);
            looks->loader[got > 0 ? got : 0] = '\0';
        }
    }
}

static void look_at_needed(Elf *elf, Elf_Data *data, const GElf_Shdr *header, struct looks *looks)
{
    size_t count = header->sh_entsize ? data->d_size / header->sh_entsize : 0;
    for (size_t i = 0; i < count; i++) {
        GElf_Dyn entry;
        if (!gelf_getdyn(data, (int)i, &entry) || entry.d_tag == DT_NULL)
            return;
        const char *name =
            entry.d_tag == DT_NEEDED ? elf_strptr(elf, header->sh_link, entry.d_un.d_val) : NULL;
        if (name && strncmp(name, "libgo.so", 8) == 0)
            looks->needs_libgo = true;
    }
}

static void look_at_symbols(Elf *elf, Elf_Data *data, const GElf_Shdr *header, struct looks *looks)
{
    size_t count = header->sh_entsize ? data->d_size / header->sh_entsize : 0;
    for (size_t i = 0; i < count && !looks->has_gopark; i++) {
        GElf_Sym symbol;
        if (!gelf_getsym(data, (int)i, &symbol))
            return;
        const char *name = elf_strptr(elf, header->sh_link, symbol.st_name);
        if (name && symbol.st_shndx != SHN_UNDEF && strcmp(name, "runtime.gopark") == 0)
            looks->has_gopark = true;
    }
}

static void look_at_sections(Elf *elf, struct looks *looks)
{
    size_t names;
    if (elf_getshdrstrndx(elf, &names) != 0)
        return;
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section)) != NULL;) {
        GElf_Shdr header;
        if (!gelf_getshdr(section, &header))
            return;
        const char *name = elf_strptr(elf, names, header.sh_name);
        if (name && (strcmp(name, ".go.buildinfo") == 0 || strcmp(name, ".gopclntab") == 0))
            looks->is_go = true;
        Elf_Data *data = NULL;
        if (header.sh_type == SHT_DYNAMIC || header.sh_type == SHT_SYMTAB)
            data = elf_getdata(section, NULL);
        if (data && header.sh_type == SHT_DYNAMIC)
            look_at_needed(elf, data, &header, looks);
        else if (data)
            look_at_symbols(elf, data, &header, looks);
    }
}

static enum elf_answer judge(const struct looks *looks, char *why, size_t why_bytes)
{
    if (!looks->loader[0])
        return cannot_load(looks, why, why_bytes,
                           looks->dynamic ? "it has no program interpreter: it is statically linked"
                                          : "it is statically linked");
    const char *loader = text_basename(looks->loader);
    if (strncmp(loader, "ld-musl", 7) == 0)
        return cannot_load(looks, why, why_bytes,
                           "it is linked with musl, and libleakspy.so needs glibc");
    if (strcmp(loader, OUR_LOADER) != 0) {
        char printable[256];
        text_printable(looks->loader, printable, sizeof(printable));
        char text[320];
        snprintf(text, sizeof(text), "its program interpreter is %s, not glibc's", printable);
        return cannot_load(looks, why, why_bytes, text);
    }
    if (looks->has_gopark && !looks->needs_libgo && !looks->is_go) {
        snprintf(why, why_bytes,
                 "libgo is linked into it statically (-static-libgo), so that "
                 "its threads are recorded, but not its goroutines");
        return ELF_RECORDS_PARTLY;
    }
    return ELF_RECORDS;
}

static enum elf_answer look_at_elf(int fd, char *why, size_t why_bytes)
{
    elf_version(EV_CURRENT);
    Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    GElf_Ehdr header;
    enum elf_answer answer;
    if (!elf || elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header)) {
        snprintf(why, why_bytes, "its ELF header cannot be read");
        answer = ELF_NOT_A_PROGRAM;
    } else if (header.e_type != ET_EXEC && header.e_type != ET_DYN) {
        snprintf(why, why_bytes, "it is an ELF file, but no program");
        answer = ELF_NOT_A_PROGRAM;
    } else if (header.e_machine != OUR_MACHINE || gelf_getclass(elf) != ELFCLASS64) {
        answer = cannot(why, why_bytes, "it was built for another architecture");
    } else {
        struct looks looks = {0};
        look_at_segments(elf, fd, &looks);
        look_at_sections(elf, &looks);
        answer = judge(&looks, why, why_bytes);
    }
    if (elf)
        elf_end(elf);
    return answer;
}

/* The kernel clears LD_PRELOAD's path when a program runs with more rights than its caller has.
 * Under no_new_privs it ignores the set-id bits; with file capabilities, which give nothing then
 * either, it clears the path all the same. */
static bool gains_rights(const char *path, const struct stat *status, const char **ret_why)
{
    bool may_gain = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1;
    if (may_gain && (status->st_mode & S_ISUID) && status->st_uid != getuid())
        *ret_why = "it is setuid, and such programs ignore LD_PRELOAD";
    else if (may_gain && (status->st_mode & S_ISGID) && (status->st_mode & S_IXGRP) &&
             status->st_gid != getgid())
        *ret_why = "it is setgid, and such programs ignore LD_PRELOAD";
    else if (getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
        *ret_why = "it has file capabilities, and such programs ignore LD_PRELOAD";
    else
        return false;
    return true;
}

/* The interpreter that a line "#!/path argument" names; with env, the program that env will find.
 */
static char *interpreter_of(char *line)
{
    char *save;
    line[strcspn(line, "\n")] = '\0';
    char *path = strtok_r(line + 2, " \t", &save);
    if (!path)
        return NULL;
    if (strcmp(text_basename(path), "env") != 0)
        return strdup(path);
    char *word;
    while ((word = strtok_r(NULL, " \t", &save)) != NULL) {
        if (word[0] != '-' && !strchr(word, '='))
            return elf_find_program(word);
    }
    return strdup(path);
}

/* One may execute what one may not read. Such a program is not dumpable, but loads the library. */
static enum elf_answer check_unreadable(const char *path, char *why, size_t why_bytes)
{
    struct stat status;
    const char *rights;
    snprintf(why, why_bytes, "it cannot be read (%s)", strerror(errno));
    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode) || access(path, X_OK) != 0)
        return ELF_NOT_A_PROGRAM;
    return gains_rights(path, &status, &rights) ? cannot(why, why_bytes, rights) : ELF_RECORDS;
}

static enum elf_answer check(const char *path, unsigned depth, char *why, size_t why_bytes);

/* By what runs a file that is no ELF program; NULL: nothing was found. */
static enum elf_answer check_interpreter(const char *path, unsigned depth, char *why,
                                         size_t why_bytes)
{
    char inner[256] = "";
    if (!path || depth == MAX_SCRIPTS) {
        snprintf(why, why_bytes, "its interpreter cannot be found");
        return ELF_NOT_A_PROGRAM;
    }
    enum elf_answer answer = check(path, depth + 1, inner, sizeof(inner));
    if (answer != ELF_RECORDS)
        snprintf(why, why_bytes, "its interpreter %.100s: %s", path, inner);
    return answer;
}

/* A file of no known format: execvp has the shell run it. `text`: what it is. */
static enum elf_answer check_shell(const char *text, unsigned depth, char *why, size_t why_bytes)
{
    enum elf_answer answer = check_interpreter("/bin/sh", depth, why, why_bytes);
    if (answer != ELF_RECORDS)
        return answer;
    snprintf(why, why_bytes, "%s", text);
    return ELF_RECORDS_SHELL;
}

static enum elf_answer check_text(const char *path, unsigned depth, char *why, size_t why_bytes)
{
    if (access(path, X_OK) == 0)
        return check_shell("it is not an ELF program, nor a script with a #! line", depth, why,
                           why_bytes);
    snprintf(why, why_bytes, "it cannot be executed (%s)", strerror(errno));
    return ELF_NOT_A_PROGRAM;
}

/* The kernel does not know the format of one that is damaged either. */
static enum elf_answer check_elf(const char *path, int fd, unsigned depth, char *why,
                                 size_t why_bytes)
{
    char what[64];
    enum elf_answer answer = look_at_elf(fd, why, why_bytes);
    if (answer != ELF_NOT_A_PROGRAM || access(path, X_OK) != 0)
        return answer;
    snprintf(what, sizeof(what), "%.63s", why);
    return check_shell(what, depth, why, why_bytes);
}

static enum elf_answer check(const char *path, unsigned depth, char *why, size_t why_bytes)
{
    struct stat status;
    const char *rights;
    char start[512] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return check_unreadable(path, why, why_bytes);

    enum elf_answer answer = ELF_NOT_A_PROGRAM;
    ssize_t got = -1;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        snprintf(why, why_bytes, "it is not a regular file");
    } else if ((got = pread(fd, start, sizeof(start) - 1, 0)) < 0) {
        snprintf(why, why_bytes, "it cannot be read (%s)", strerror(errno));
    } else if (got >= 4 && memcmp(start, ELFMAG, SELFMAG) == 0) {
        answer = gains_rights(path, &status, &rights) ? cannot(why, why_bytes, rights)
                                                      : check_elf(path, fd, depth, why, why_bytes);
    } else if (got >= 2 && start[0] == '#' && start[1] == '!') {
        char *interpreter = interpreter_of(start);
        answer = check_interpreter(interpreter, depth, why, why_bytes);
        free(interpreter);
    } else {
        answer = check_text(path, depth, why, why_bytes);
    }
    close(fd);
    return answer;
}

enum elf_answer elf_check(const char *path, char *why, size_t why_bytes)
{
    return check(path, 0, why, why_bytes);
}

char *elf_find_program(const char *name)
{
    if (strchr(name, '/'))
        return access(name, F_OK) == 0 ? strdup(name) : NULL;

    const char *path = getenv("PATH");
    char *folders = strdup(path && path[0] ? path : "/usr/local/bin:/bin:/usr/bin");
    char *fallback = NULL;
    char *found = NULL;
    char *rest = folders;
    char *folder;
    while (!found && rest && name[0] && (folder = strsep(&rest, ":")) != NULL) {
        char *candidate;
        if (asprintf(&candidate, "%s/%s", folder[0] ? folder : ".", name) < 0)
            break;
        struct stat status;
        if (stat(candidate, &status) == 0 && S_ISREG(status.st_mode)) {
            if (access(candidate, X_OK) == 0)
                found = candidate;
            else if (!fallback)
                fallback = candidate;
        }
        if (candidate != found && candidate != fallback)
            free(candidate);
    }
    free(folders);
    if (found) {
        free(fallback);
        return found;
    }
    return fallback;
}
