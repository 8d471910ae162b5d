/* Layouts: struct elf_prstatus and struct elf_prpsinfo of sys/procfs.h, NT_FILE as in
 * fill_files_note of Linux's fs/binfmt_elf.c. */
#include <elf.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>

#include "analyzer/base/rows.h"
#include "analyzer/base/text.h"
#include "analyzer/core/file.h"

#define MAX_THREADS (1u << 22)
#define MAX_NAMES (UINT64_C(1) << 22)
#define MAX_NAMES_BYTES (UINT64_C(1) << 28)
#define MAX_NOTES (UINT64_C(1) << 24) /* each thread has half a dozen */

_Static_assert(sizeof(((struct elf_prstatus *)0)->pr_reg) == USER_REGISTERS * sizeof(uint64_t),
               "pr_reg is struct user_regs_struct");

/* Whether a signal ends a process with a core (signal(7)). gcore notes the stop that it asked for
 * itself instead. */
static bool is_deadly(int number)
{
    static const uint8_t deadly[] = {SIGQUIT, SIGILL,  SIGTRAP, SIGABRT, SIGBUS,
                                     SIGFPE,  SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS};
    return number > 0 && memchr(deadly, number, sizeof(deadly)) != NULL;
}

static bool take_status(struct core_file *core, uint64_t offset, uint64_t bytes)
{
    struct elf_prstatus status;
    if (bytes < sizeof(status) || core->thread_count >= MAX_THREADS ||
        !core_file_read(core, offset, &status, sizeof(status)))
        return true;
    if (!rows_grow(&core->threads, core->thread_count, sizeof(*core->threads)))
        return false;
    struct core_thread *thread = &core->threads[core->thread_count++];
    thread->tid = (uint32_t)status.pr_pid;
    memcpy(thread->user, &status.pr_reg, sizeof(thread->user));
    if (core->thread_count == 1 && is_deadly(status.pr_cursig))
        core->signal = status.pr_cursig;
    return true;
}

static bool take_process(struct core_file *core, uint64_t offset, uint64_t bytes)
{
    struct elf_prpsinfo info;
    if (bytes < sizeof(info) || !core_file_read(core, offset, &info, sizeof(info)))
        return true;
    core->pid = (uint32_t)info.pr_pid;
    memcpy(core->program, info.pr_fname, sizeof(info.pr_fname));
    memcpy(core->arguments, info.pr_psargs, sizeof(info.pr_psargs));
    return true;
}

static bool take_vector(struct core_file *core, uint64_t offset, uint64_t bytes)
{
    Elf64_auxv_t pair;
    for (uint64_t at = 0; at + sizeof(pair) <= bytes; at += sizeof(pair)) {
        if (!core_file_read(core, offset + at, &pair, sizeof(pair)) || pair.a_type == AT_NULL)
            break;
        if (at == 0)
            memcpy(core->vector, &pair, sizeof(core->vector));
        if (pair.a_type == AT_PHDR)
            core->phdr = pair.a_un.a_val;
        if (pair.a_type == AT_ENTRY)
            core->entry = pair.a_un.a_val;
        if (pair.a_type == AT_RANDOM) /* 16 bytes, above the vector (create_elf_tables) */
            core->in_stack = pair.a_un.a_val;
    }
    return true;
}

/* count, page size, `count` times start, end, offset in pages; then the paths, each with its NUL.
 */
static bool take_files(struct core_file *core, uint64_t offset, uint64_t bytes)
{
    uint64_t head[2], row[3], end = 0;
    if (core->names || bytes < sizeof(head) || bytes > MAX_NAMES_BYTES ||
        !core_file_read(core, offset, head, sizeof(head)))
        return true;
    uint64_t count = head[0], page_bytes = head[1];
    if (count > MAX_NAMES || count > (bytes - sizeof(head)) / sizeof(row))
        return true;
    uint64_t text_at = sizeof(head) + count * sizeof(row);
    size_t text_bytes = (size_t)(bytes - text_at);
    core->names = calloc(count + 1, sizeof(*core->names));
    core->names_text = calloc(1, text_bytes + 1);
    if (!core->names || !core->names_text)
        return false;
    if (!core_file_read(core, offset + text_at, core->names_text, text_bytes))
        return true;
    char *path = core->names_text, *text_end = path + text_bytes, *next;
    for (uint64_t i = 0; i < count && path < text_end; i++, path = next) {
        next = path + strlen(path) + 1;
        size_t path_bytes = text_undeleted(path);
        bool deleted = path[path_bytes] != '\0';
        path[path_bytes] = '\0';
        if (!core_file_read(core, offset + sizeof(head) + i * sizeof(row), row, sizeof(row)))
            break;
        /* In order, as the kernel writes them: looked up by halves later. */
        if (row[0] < end || row[1] <= row[0] || page_bytes == 0 || row[2] > UINT64_MAX / page_bytes)
            continue;
        end = row[1];
        core->names[core->name_count++] =
            (struct core_name){row[0], row[1], row[2] * page_bytes, path, deleted};
    }
    return true;
}

static bool take_signal(struct core_file *core, uint64_t offset, uint64_t bytes)
{
    int number;
    if (bytes >= sizeof(number) && core_file_read(core, offset, &number, sizeof(number)) &&
        core->thread_count <= 1 && !is_deadly(number))
        core->signal = 0;
    return true;
}

static const struct {
    uint32_t type;
    bool (*take)(struct core_file *core, uint64_t offset, uint64_t bytes);
} notes[] = {
    {NT_PRSTATUS, take_status}, {NT_PRPSINFO, take_process}, {NT_AUXV, take_vector},
    {NT_FILE, take_files},      {NT_SIGINFO, take_signal},
};

bool core_file_read_notes(struct core_file *core, uint64_t offset, uint64_t bytes, uint64_t align)
{
    Elf64_Nhdr note;
    uint64_t count = 0;
    for (uint64_t at = 0; at + sizeof(note) <= bytes && count < MAX_NOTES; count++) {
        char name[8] = "";
        if (!core_file_read(core, offset + at, &note, sizeof(note)))
            return true;
        uint64_t name_at = at + sizeof(note);
        uint64_t text_at = name_at + (note.n_namesz + align - 1) / align * align;
        if (text_at > bytes || note.n_descsz > bytes - text_at)
            return true;
        if (note.n_namesz > 0 && note.n_namesz < sizeof(name) &&
            !core_file_read(core, offset + name_at, name, note.n_namesz))
            return true;
        for (size_t i = 0; strcmp(name, "CORE") == 0 && i < sizeof(notes) / sizeof(*notes); i++) {
            if (notes[i].type == note.n_type &&
                !notes[i].take(core, offset + text_at, note.n_descsz))
                return false;
        }
        at = text_at + (note.n_descsz + align - 1) / align * align;
    }
    return true;
}
