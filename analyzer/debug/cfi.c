#include "analyzer/debug/cfi.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzer/base/file_reader.h"
#include "analyzer/debug/expression.h"

#define MAX_SEGMENTS 64 /* program headers that are looked at in a loaded file */

struct debug_cfi {
    int fd; /* -1: none */
    void *memory;
    Elf *elf;
    Dwarf_CFI *eh_frame;
    Dwarf *dwarf;
    Dwarf_CFI *debug_frame; /* belongs to dwarf */
    bool debug_frame_looked_for;
};

/* ---- Opening ---- */

static bool is_of_this_machine(Elf *elf)
{
    GElf_Ehdr header;
    return elf && elf_kind(elf) == ELF_K_ELF && gelf_getehdr(elf, &header) &&
           header.e_machine == EM_X86_64 && header.e_ident[EI_CLASS] == ELFCLASS64 &&
           header.e_ident[EI_DATA] == ELFDATA2LSB &&
           (header.e_type == ET_DYN || header.e_type == ET_EXEC);
}

/* Whether a section has a name of debug information, and none is compressed: libdw would unfold
 * all of them, to whatever size they claim. */
static bool has_plain_debug_frame(Elf *elf)
{
    size_t names;
    bool found = false;
    GElf_Shdr header;
    if (elf_getshdrstrndx(elf, &names) != 0)
        return false;
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section)) != NULL;) {
        if (!gelf_getshdr(section, &header) || (header.sh_flags & SHF_COMPRESSED))
            return false;
    }
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section)) != NULL;) {
        if (!gelf_getshdr(section, &header))
            return false;
        const char *name = elf_strptr(elf, names, header.sh_name);
        if (name && strncmp(name, ".zdebug", 7) == 0)
            return false;
        found = found || (name && strcmp(name, ".debug_frame") == 0);
    }
    return found;
}

static void look_for_debug_frame(struct debug_cfi *cfi)
{
    cfi->debug_frame_looked_for = true;
    if (!has_plain_debug_frame(cfi->elf))
        return;
    cfi->dwarf = dwarf_begin_elf(cfi->elf, DWARF_C_READ, NULL);
    if (cfi->dwarf)
        cfi->debug_frame = dwarf_getcfi(cfi->dwarf);
}

/* Takes what `cfi` owns so far. */
static struct debug_cfi *finish_open(struct debug_cfi *cfi)
{
    if (!is_of_this_machine(cfi->elf)) {
        debug_cfi_close(cfi);
        return NULL;
    }
    cfi->eh_frame = dwarf_getcfi_elf(cfi->elf);
    if (!cfi->eh_frame)
        look_for_debug_frame(cfi);
    if (!cfi->eh_frame && !cfi->debug_frame) { /* as in a file that has debug information alone */
        debug_cfi_close(cfi);
        return NULL;
    }
    return cfi;
}

struct debug_cfi *debug_cfi_open(const char *path)
{
    elf_version(EV_CURRENT);
    struct debug_cfi *cfi = calloc(1, sizeof(*cfi));
    if (!cfi)
        return NULL;
    cfi->fd = file_open(path, NULL);
    if (cfi->fd >= 0)
        cfi->elf = elf_begin(cfi->fd, ELF_C_READ_MMAP, NULL);
    return finish_open(cfi);
}

/* In memory, what stands at an address is as far from the beginning as that address is from the
 * first one, not as far as in the file; and the sections are not to be found at all. */
static bool renumber(unsigned char *memory, size_t bytes)
{
    Elf64_Ehdr header;
    if (bytes < sizeof(header))
        return false;
    memcpy(&header, memory, sizeof(header));
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_phnum > MAX_SEGMENTS ||
        header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phoff > bytes ||
        header.e_phnum * sizeof(Elf64_Phdr) > bytes - header.e_phoff)
        return false;
    header.e_shoff = header.e_shnum = header.e_shstrndx = 0;
    memcpy(memory, &header, sizeof(header));

    Elf64_Phdr segments[MAX_SEGMENTS];
    size_t segments_bytes = header.e_phnum * sizeof(*segments);
    uint64_t first = UINT64_MAX;
    memcpy(segments, memory + header.e_phoff, segments_bytes);
    for (size_t i = 0; i < header.e_phnum; i++) {
        if (segments[i].p_type == PT_LOAD && segments[i].p_vaddr < first)
            first = segments[i].p_vaddr & ~UINT64_C(4095);
    }
    for (size_t i = 0; i < header.e_phnum; i++)
        segments[i].p_offset = segments[i].p_vaddr - first;
    memcpy(memory + header.e_phoff, segments, segments_bytes);
    return true;
}

struct debug_cfi *debug_cfi_open_loaded(void *memory, size_t bytes)
{
    elf_version(EV_CURRENT);
    struct debug_cfi *cfi = calloc(1, sizeof(*cfi));
    if (!cfi) {
        free(memory);
        return NULL;
    }
    cfi->fd = -1;
    cfi->memory = memory;
    if (renumber(memory, bytes))
        cfi->elf = elf_memory(memory, bytes);
    return finish_open(cfi);
}

void debug_cfi_close(struct debug_cfi *cfi)
{
    if (!cfi)
        return;
    dwarf_cfi_end(cfi->eh_frame);
    dwarf_end(cfi->dwarf);
    elf_end(cfi->elf);
    if (cfi->fd >= 0)
        close(cfi->fd);
    free(cfi->memory);
    free(cfi);
}

/* ---- Rows ---- */

static bool fits_32(Dwarf_Word value)
{
    return (int64_t)value == (int32_t)value;
}

/* CFA = register + offset, in the forms that libdw has for it; false: it is something else. */
static bool take_cfa(const Dwarf_Op *ops, size_t count, struct cfi_row *row)
{
    if (count != 1 || !fits_32(ops[0].atom == DW_OP_bregx ? ops[0].number2 : ops[0].number))
        return false;
    if (ops[0].atom >= DW_OP_breg0 && ops[0].atom <= DW_OP_breg15) {
        row->cfa_register = (uint8_t)(ops[0].atom - DW_OP_breg0);
        row->cfa_offset = (int32_t)ops[0].number;
        return true;
    }
    if (ops[0].atom == DW_OP_bregx && ops[0].number < IMAGE_REGISTERS) {
        row->cfa_register = (uint8_t)ops[0].number;
        row->cfa_offset = (int32_t)ops[0].number2;
        return true;
    }
    return false;
}

static struct cfi_register take_register(const Dwarf_Op *own, const Dwarf_Op *ops, size_t count)
{
    struct cfi_register computed = {.kind = CFI_COMPUTED};
    if (count == 0)
        return (struct cfi_register){.kind = ops ? CFI_UNDEFINED : CFI_SAME};
    if (ops != own)
        return computed;
    if (ops[0].atom == DW_OP_regx && count == 1)
        return ops[0].number < IMAGE_REGISTERS
                   ? (struct cfi_register){.kind = CFI_MOVED, .other = (uint8_t)ops[0].number}
                   : (struct cfi_register){.kind = CFI_UNDEFINED};
    if (ops[0].atom != DW_OP_call_frame_cfa)
        return computed;
    struct cfi_register simple = {.kind = CFI_AT};
    size_t at = 1;
    if (at < count && ops[at].atom == DW_OP_plus_uconst && fits_32(ops[at].number))
        simple.offset = (int32_t)ops[at++].number;
    if (at < count && ops[at].atom == DW_OP_stack_value) {
        simple.kind = CFI_VALUE;
        at++;
    }
    return at == count ? simple : computed;
}

static bool take_row(Dwarf_Frame *frame, struct cfi_row *ret)
{
    Dwarf_Op *ops;
    size_t count;
    bool computed = false;
    memset(ret, 0, sizeof(*ret));
    int pc_register = dwarf_frame_info(frame, NULL, NULL, &ret->signal);
    if (pc_register != IMAGE_REGISTER_PC || dwarf_frame_cfa(frame, &ops, &count) != 0 || count == 0)
        return false;
    if (!take_cfa(ops, count, ret)) {
        ret->cfa_register = IMAGE_REGISTERS;
        computed = true;
    }
    for (int i = 0; i < IMAGE_REGISTERS; i++) {
        Dwarf_Op own[3];
        if (dwarf_frame_register(frame, i, own, &ops, &count) != 0)
            return false;
        ret->registers[i] = take_register(own, ops, count);
        computed = computed || ret->registers[i].kind == CFI_COMPUTED;
    }
    /* The CFA is the caller's stack pointer, unless the file says otherwise (AMD64 ABI). */
    struct cfi_register *sp = &ret->registers[IMAGE_REGISTER_SP];
    if (sp->kind == CFI_UNDEFINED || sp->kind == CFI_SAME)
        *sp = (struct cfi_register){.kind = CFI_VALUE};
    if (computed)
        ret->frame = frame;
    else
        free(frame);
    return true;
}

bool debug_cfi_find(struct debug_cfi *cfi, uint64_t address, struct cfi_row *ret)
{
    Dwarf_Frame *frame = NULL;
    bool found = cfi->eh_frame && dwarf_cfi_addrframe(cfi->eh_frame, address, &frame) == 0;
    if (!found) {
        if (!cfi->debug_frame_looked_for)
            look_for_debug_frame(cfi);
        found = cfi->debug_frame && dwarf_cfi_addrframe(cfi->debug_frame, address, &frame) == 0;
    }
    if (found && !take_row(frame, ret)) {
        free(frame);
        found = false;
    }
    return found;
}

void cfi_row_deinit(struct cfi_row *row)
{
    free(row->frame);
    row->frame = NULL;
}

/* ---- A step ---- */

static bool find_cfa(const struct cfi_row *row, struct debug_expression *expression)
{
    if (row->cfa_register < IMAGE_REGISTERS) {
        uint64_t base;
        if (!debug_expression_register(expression, row->cfa_register, &base))
            return false;
        expression->cfa = base + (uint64_t)(int64_t)row->cfa_offset;
        expression->has_cfa = true;
        return true;
    }
    Dwarf_Op *ops;
    size_t count;
    struct debug_value value;
    if (dwarf_frame_cfa(row->frame, &ops, &count) != 0 ||
        !debug_expression_run(expression, ops, count, &value))
        return false;
    expression->cfa = value.number;
    expression->has_cfa = true;
    return true;
}

static bool find_register(const struct cfi_row *row, int number,
                          struct debug_expression *expression, uint64_t *ret)
{
    const struct cfi_register *rule = &row->registers[number];
    uint64_t there = expression->cfa + (uint64_t)(int64_t)rule->offset;
    switch (rule->kind) {
    case CFI_SAME:
        return debug_expression_register(expression, number, ret);
    case CFI_MOVED:
        return debug_expression_register(expression, rule->other, ret);
    case CFI_VALUE:
        *ret = there;
        return true;
    case CFI_AT:
        return expression->memory->read(expression->memory, there, ret);
    case CFI_COMPUTED: {
        Dwarf_Op own[3];
        Dwarf_Op *ops;
        size_t count;
        struct debug_value value;
        if (dwarf_frame_register(row->frame, number, own, &ops, &count) != 0 ||
            !debug_expression_run(expression, ops, count, &value))
            return false;
        if (value.is_register)
            return debug_expression_register(expression, (int)value.number, ret);
        *ret = value.number;
        return value.is_value || expression->memory->read(expression->memory, value.number, ret);
    }
    default:
        return false;
    }
}

bool cfi_step(const struct cfi_row *row, uint64_t pc, const struct image_registers *registers,
              struct cfi_memory *memory, struct image_registers *ret, uint32_t *ret_lacking)
{
    struct debug_expression expression = {.registers = registers, .pc = pc, .memory = memory};
    *ret_lacking = 0;
    ret->known = 0;
    if (!find_cfa(row, &expression)) {
        *ret_lacking = expression.lacking;
        return false;
    }
    const struct cfi_register *caller = &row->registers[IMAGE_REGISTER_PC];
    bool has_caller = caller->kind != CFI_UNDEFINED && caller->kind != CFI_SAME;
    for (int i = 0; i < IMAGE_REGISTERS; i++) {
        if (i == IMAGE_REGISTER_PC && !has_caller)
            continue;
        expression.lacking = 0;
        if (find_register(row, i, &expression, &ret->value[i]))
            ret->known |= 1U << i;
        else if (i == IMAGE_REGISTER_PC || i == IMAGE_REGISTER_SP)
            *ret_lacking |= expression.lacking;
    }
    return (ret->known >> IMAGE_REGISTER_SP & 1) &&
           (!has_caller || (ret->known >> IMAGE_REGISTER_PC & 1));
}
