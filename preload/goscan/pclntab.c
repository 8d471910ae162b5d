#include "preload/goscan/pclntab.h"

#include <string.h>

#define MAGIC_1_18 0xfffffff0U
#define MAGIC_1_20 0xfffffff1U

#define MAX_FUNCTIONS (1U << 24)
#define MAX_FILES (1U << 24)
#define MAX_TEXT_BYTES (UINT64_C(1) << 32) /* code offsets have 32 bits */
#define MAX_NAME_BYTES (1U << 16)          /* that are looked at */
#define MAX_PC_STEPS (1U << 20)            /* of one function's table of values */

#define INLINED_CALLS_PCDATA 2   /* abi.PCDATA_InlTreeIndex */
#define INLINED_CALLS_FUNCDATA 3 /* abi.FUNCDATA_InlTree */
#define NO_FUNCDATA UINT32_MAX

/* runtime.pcHeader. The word at 24 was the start of the code, and is unused since 1.26. */
struct header {
    uint32_t magic;
    uint8_t zero[2];
    uint8_t quantum, pointer_bytes;
    uint64_t function_count, file_count, unused;
    uint64_t names, units, files, pcs, functions; /* offsets from the header */
};
_Static_assert(sizeof(struct header) == 72, "as in the file");

/* runtime.functab: a function begins at text + code, its record is at functions + row. */
struct place {
    uint32_t code, row;
};

/* runtime._func, in words of 32 bits. From 1.20 on there is a word more, the first line, before the
 * last one. */
enum record_word {
    RECORD_CODE,
    RECORD_NAME,
    RECORD_ARGS,
    RECORD_DEFER_RETURN,
    RECORD_PC_SP,
    RECORD_PC_FILE,
    RECORD_PC_LINE,
    RECORD_PCDATA_COUNT,
    RECORD_UNIT,
    RECORD_LAST, /* funcID, flag, 0, number of funcdata */
};
#define RECORD_MAX_WORDS (RECORD_LAST + 2)

struct record {
    uint32_t word[RECORD_LAST]; /* by enum record_word */
    uint8_t id, flag, funcdata_count;
    uint64_t end; /* address past it, where the pcdata begin */
};

/* ---- Bytes of the table ---- */

static bool is_since_1_20(const struct pclntab *table)
{
    return table->go_minor >= 20;
}

static bool read_part(const struct pclntab *table, uint64_t address, void *to, size_t bytes)
{
    if (address < table->start || address > table->end || bytes > table->end - address)
        return false;
    return mem_read(table->reader, address, to, bytes);
}

/* Bytes in order, fetched piece by piece. */
struct cursor {
    const struct pclntab *table;
    uint64_t next; /* address of what follows the bytes at hand */
    size_t at, count;
    uint8_t bytes[96];
};

static void cursor_init(struct cursor *cursor, const struct pclntab *table, uint64_t address)
{
    cursor->table = table;
    cursor->next = address;
    cursor->at = cursor->count = 0;
}

static bool cursor_byte(struct cursor *cursor, uint8_t *ret)
{
    if (cursor->at == cursor->count) {
        uint64_t end = cursor->table->end;
        if (cursor->next < cursor->table->start || cursor->next >= end)
            return false;
        size_t bytes = sizeof(cursor->bytes);
        if (bytes > end - cursor->next)
            bytes = end - cursor->next;
        if (!mem_read(cursor->table->reader, cursor->next, cursor->bytes, bytes))
            return false;
        cursor->next += bytes;
        cursor->at = 0;
        cursor->count = bytes;
    }
    *ret = cursor->bytes[cursor->at++];
    return true;
}

static bool cursor_number(struct cursor *cursor, uint32_t *ret)
{
    uint32_t number = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
        uint8_t byte;
        if (!cursor_byte(cursor, &byte))
            return false;
        number |= (uint32_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *ret = number;
            return true;
        }
    }
    return false;
}

/* A text that ends with 0, cut to fit. As Go prints names: what instantiates a generic function,
 * from the first '[' to the last ']', becomes "[...]" (the linker did that before 1.21). */
static bool read_text(const struct pclntab *table, uint64_t address, bool is_name, char *to,
                      size_t room)
{
    static const char instance[] = "[...]";
    struct cursor cursor;
    cursor_init(&cursor, table, address);
    size_t used = 0;
    size_t after_bracket = 0; /* where what follows the last ']' goes */
    for (unsigned i = 0; i < MAX_NAME_BYTES; i++) {
        uint8_t byte;
        if (!cursor_byte(&cursor, &byte))
            return false;
        if (byte == '\0') {
            to[used] = '\0';
            return used > 0;
        }
        if (is_name && byte == '[' && after_bracket == 0 && used > 0) {
            for (size_t j = 0; instance[j] != '\0' && used < room - 1; j++)
                to[used++] = instance[j];
            after_bracket = used;
        } else if (byte == ']' && after_bracket > 0) {
            used = after_bracket;
        } else if (used < room - 1) {
            to[used++] = (char)byte;
        }
    }
    return false;
}

/* ---- Opening ---- */

bool pclntab_open(struct pclntab *ret, struct mem_reader *reader, uint64_t start, uint64_t end,
                  uint64_t text, uint64_t etext, uint64_t funcdata, unsigned go_minor)
{
    struct header header;
    if (end < start || end - start < sizeof(header) || etext < text ||
        etext - text > MAX_TEXT_BYTES || !mem_read(reader, start, &header, sizeof(header)))
        return false;
    uint64_t bytes = end - start;
    bool known = header.magic == MAGIC_1_18 || header.magic == MAGIC_1_20;
    if (!known || header.zero[0] != 0 || header.zero[1] != 0 || header.pointer_bytes != 8 ||
        (header.quantum != 1 && header.quantum != 2 && header.quantum != 4) ||
        header.function_count == 0 || header.function_count > MAX_FUNCTIONS ||
        header.file_count > MAX_FILES || header.names >= bytes || header.units >= bytes ||
        header.files >= bytes || header.pcs >= bytes || header.functions >= bytes ||
        (header.function_count + 1) * sizeof(struct place) > bytes - header.functions)
        return false;
    /* What is not told by the version is by the magic number: the newest before the next one. */
    unsigned most = header.magic == MAGIC_1_18 ? 19 : UINT16_MAX;
    unsigned least = header.magic == MAGIC_1_18 ? 18 : 20;
    if (go_minor < least || go_minor > most)
        go_minor = go_minor == 0 ? most : go_minor < least ? least : most;
    *ret = (struct pclntab){
        .reader = reader,
        .start = start,
        .end = end,
        .text = text,
        .etext = etext,
        .funcdata = funcdata,
        .names = start + header.names,
        .units = start + header.units,
        .files = start + header.files,
        .pcs = start + header.pcs,
        .functions = start + header.functions,
        .function_count = (uint32_t)header.function_count,
        .file_count = (uint32_t)header.file_count,
        .quantum = header.quantum,
        .go_minor = (uint16_t)go_minor,
    };
    return true;
}

/* ---- Functions ---- */

/* runtime's abi.FuncID, by the first version that numbers them so. */
static const struct role_numbers {
    uint8_t minor;
    uint8_t async_preempt, cgocallback, debug_call, gopanic, panicwrap, sigpanic, wrapper;
} role_numbers[] = {
    {25, 3, 4, 6, 10, 15, 20, 23},
    {22, 3, 4, 6, 10, 15, 19, 22},
    {18, 3, 4, 5, 9, 14, 18, 21},
};

static enum pclntab_role role_of(const struct pclntab *table, uint8_t id)
{
    if (id == 0 || table->go_minor == UINT16_MAX)
        return PCLNTAB_PLAIN;
    const struct role_numbers *numbers = role_numbers;
    while (numbers->minor > table->go_minor &&
           numbers + 1 < role_numbers + sizeof(role_numbers) / sizeof(*role_numbers))
        numbers++;
    const struct {
        uint8_t id, role;
    } roles[] = {
        {numbers->wrapper, PCLNTAB_WRAPPER},         {numbers->gopanic, PCLNTAB_PANIC},
        {numbers->panicwrap, PCLNTAB_PANIC},         {numbers->sigpanic, PCLNTAB_SIGPANIC},
        {numbers->async_preempt, PCLNTAB_INTERRUPT}, {numbers->debug_call, PCLNTAB_INTERRUPT},
        {numbers->cgocallback, PCLNTAB_CGOCALLBACK},
    };
    for (size_t i = 0; i < sizeof(roles) / sizeof(*roles); i++) {
        if (roles[i].id == id)
            return roles[i].role;
    }
    return PCLNTAB_PLAIN;
}

static bool read_record(const struct pclntab *table, uint64_t row, struct record *ret)
{
    uint32_t words[RECORD_MAX_WORDS];
    size_t count = RECORD_MAX_WORDS - (is_since_1_20(table) ? 0 : 1);
    if (!read_part(table, row, words, count * sizeof(*words)))
        return false;
    memcpy(ret->word, words, sizeof(ret->word));
    const uint8_t *last = (const uint8_t *)&words[count - 1];
    ret->id = last[0];
    ret->flag = last[1];
    ret->funcdata_count = last[3];
    ret->end = row + count * sizeof(*words);
    return true;
}

static bool read_place(const struct pclntab *table, uint32_t index, struct place place[2])
{
    return read_part(table, table->functions + index * sizeof(*place), place, 2 * sizeof(*place));
}

static bool function_at(const struct pclntab *table, const struct place place[2],
                        struct pclntab_function *ret)
{
    struct record record;
    uint64_t row = table->functions + place[0].row;
    if (place[1].code <= place[0].code || !read_record(table, row, &record) ||
        record.word[RECORD_CODE] != place[0].code)
        return false;
    *ret = (struct pclntab_function){
        .entry = table->text + place[0].code,
        .end = table->text + place[1].code,
        .row = row,
        .name = (int32_t)record.word[RECORD_NAME],
        .role = (uint8_t)role_of(table, record.id),
        .flag = record.flag & (PCLNTAB_OUTERMOST | PCLNTAB_WRITES_SP),
    };
    return true;
}

bool pclntab_at(const struct pclntab *table, uint32_t index, struct pclntab_function *ret)
{
    struct place place[2];
    return index < table->function_count && read_place(table, index, place) &&
           function_at(table, place, ret);
}

/* The table that tells of an address; NULL: none does. */
static const struct pclntab *table_of(const struct pclntab *table, uint64_t pc)
{
    while (table != NULL && (pc < table->text || pc >= table->etext))
        table = table->next;
    return table;
}

bool pclntab_covers(const struct pclntab *table, uint64_t pc)
{
    return table_of(table, pc) != NULL;
}

bool pclntab_find(const struct pclntab *table, uint64_t pc, struct pclntab_function *ret)
{
    table = table_of(table, pc);
    if (table == NULL)
        return false;
    uint32_t code = (uint32_t)(pc - table->text);
    /* Functions `low` to `high` - 1 may hold it; halved until they can be read at once. */
    struct place places[33];
    const uint32_t at_once = sizeof(places) / sizeof(*places) - 1;
    uint32_t low = 0, high = table->function_count;
    while (high - low > at_once) {
        uint32_t middle = low + (high - low) / 2;
        if (!read_part(table, table->functions + middle * sizeof(*places), places, sizeof(*places)))
            return false;
        if (places[0].code <= code)
            low = middle;
        else
            high = middle;
    }
    if (!read_part(table, table->functions + low * sizeof(*places), places,
                   (high - low + 1) * sizeof(*places)))
        return false;
    for (uint32_t i = 0; i < high - low; i++) {
        if (places[i].code <= code && code < places[i + 1].code)
            return function_at(table, &places[i], ret);
    }
    return false;
}

static bool name_in(const struct pclntab *table, const struct pclntab_function *function, char *to,
                    size_t bytes)
{
    return bytes > 0 && function->name > 0 &&
           read_text(table, table->names + (uint32_t)function->name, true, to, bytes);
}

bool pclntab_name(const struct pclntab *table, const struct pclntab_function *function, char *to,
                  size_t bytes)
{
    table = table_of(table, function->entry);
    return table != NULL && name_in(table, function, to, bytes);
}

/* ---- Values by address ---- */

/* The value at `pc` of a table of values: pairs of a step of the value and a step of the address
 * that it is good up to. -1: none. */
static int32_t value_at(const struct pclntab *table, const struct pclntab_function *function,
                        uint32_t offset, uint64_t pc)
{
    if (offset == 0)
        return -1;
    struct cursor cursor;
    cursor_init(&cursor, table, table->pcs + offset);
    uint32_t value = UINT32_MAX;
    uint64_t up_to = function->entry;
    for (unsigned i = 0; i < MAX_PC_STEPS; i++) {
        uint32_t value_step, pc_step;
        if (!cursor_number(&cursor, &value_step) || (value_step == 0 && i > 0) ||
            !cursor_number(&cursor, &pc_step))
            return -1;
        value += (value_step & 1) != 0 ? ~(value_step >> 1) : value_step >> 1;
        up_to += (uint64_t)pc_step * table->quantum;
        if (pc < up_to)
            return (int32_t)value;
        if (up_to >= function->end)
            return -1;
    }
    return -1;
}

int64_t pclntab_frame_bytes(const struct pclntab *table, const struct pclntab_function *function,
                            uint64_t pc)
{
    struct record record;
    table = table_of(table, function->entry);
    if (table == NULL || !read_record(table, function->row, &record))
        return -1;
    int32_t bytes = value_at(table, function, record.word[RECORD_PC_SP], pc);
    return bytes >= 0 ? bytes : -1;
}

/* ---- Calls ---- */

static void file_and_line(const struct pclntab *table, const struct pclntab_function *function,
                          const struct record *record, uint64_t pc, struct pclntab_call *call)
{
    int32_t file = value_at(table, function, record->word[RECORD_PC_FILE], pc);
    int32_t line = value_at(table, function, record->word[RECORD_PC_LINE], pc);
    uint32_t offset;
    uint64_t entry =
        table->units + ((uint64_t)record->word[RECORD_UNIT] + (uint32_t)file) * sizeof(offset);
    call->file[0] = '\0';
    call->line = 0;
    if (file < 0 || line < 0 || !read_part(table, entry, &offset, sizeof(offset)) ||
        offset == UINT32_MAX)
        return;
    if (read_text(table, table->files + offset, false, call->file, sizeof(call->file)))
        call->line = line;
    else
        call->file[0] = '\0';
}

/* Which table of inlined calls and which tables of values a function has: address of the calls, 0:
 * none; and the offset of the values that say which one of them an address is in. */
static uint64_t inlined_calls(const struct pclntab *table, const struct record *record,
                              uint32_t *ret_index)
{
    uint32_t pcdata_count = record->word[RECORD_PCDATA_COUNT];
    uint32_t funcdata;
    if (table->funcdata == 0 || record->funcdata_count <= INLINED_CALLS_FUNCDATA ||
        pcdata_count <= INLINED_CALLS_PCDATA)
        return 0;
    uint64_t index_at = record->end + INLINED_CALLS_PCDATA * sizeof(*ret_index);
    uint64_t funcdata_at =
        record->end + ((uint64_t)pcdata_count + INLINED_CALLS_FUNCDATA) * sizeof(funcdata);
    if (!read_part(table, index_at, ret_index, sizeof(*ret_index)) ||
        !read_part(table, funcdata_at, &funcdata, sizeof(funcdata)) || funcdata == NO_FUNCDATA)
        return 0;
    return table->funcdata + funcdata;
}

/* An inlined call: 1.18 and 1.19: parent int16, funcID uint8, 0, file, line, name, parentPc int32;
 * since 1.20: funcID uint8, 0 0 0, name, parentPc, first line int32. */
static bool read_inlined(const struct pclntab *table, uint64_t calls, int32_t index,
                         struct pclntab_function *ret, uint32_t *ret_parent)
{
    uint32_t words[5] = {0};
    bool new = is_since_1_20(table);
    size_t bytes = (new ? 4 : 5) * sizeof(*words);
    if (!mem_read(table->reader, calls + (uint64_t)index * bytes, words, bytes))
        return false;
    const uint8_t *first = (const uint8_t *)words;
    *ret = (struct pclntab_function){
        .name = (int32_t)words[new ? 1 : 3],
        .role = (uint8_t)role_of(table, first[new ? 0 : 2]),
    };
    *ret_parent = words[new ? 2 : 4];
    return true;
}

static void name_call(const struct pclntab *table, const struct pclntab_function *function,
                      struct pclntab_call *call)
{
    if (!name_in(table, function, call->function, sizeof(call->function)))
        call->function[0] = '\0';
    call->role = function->role;
}

/* A function with what was inlined into it. */
struct inliner {
    struct pclntab_function function;
    struct record record;
    uint64_t tree; /* 0: nothing was */
    uint32_t index_values;
};

static bool find_inliner(const struct pclntab *table, uint64_t pc, struct inliner *ret)
{
    *ret = (struct inliner){0};
    if (table == NULL || !pclntab_find(table, pc, &ret->function) ||
        !read_record(table, ret->function.row, &ret->record))
        return false;
    ret->tree = inlined_calls(table, &ret->record, &ret->index_values);
    return true;
}

/* The innermost call at `pc`, and *ret_outer: where it was inlined. False: it is none that was. */
static bool find_inlined(const struct pclntab *table, const struct inliner *inliner, uint64_t pc,
                         struct pclntab_function *ret, uint64_t *ret_outer)
{
    const struct pclntab_function *function = &inliner->function;
    uint32_t parent;
    if (inliner->tree == 0)
        return false;
    int32_t index = value_at(table, function, inliner->index_values, pc);
    if (index < 0 || !read_inlined(table, inliner->tree, index, ret, &parent) ||
        parent >= function->end - function->entry)
        return false;
    *ret_outer = function->entry + parent;
    return true;
}

uint64_t pclntab_outer_call(const struct pclntab *table, uint64_t pc)
{
    struct inliner inliner;
    struct pclntab_function inlined;
    uint64_t outer;
    table = table_of(table, pc);
    return find_inliner(table, pc, &inliner) && find_inlined(table, &inliner, pc, &inlined, &outer)
               ? outer
               : 0;
}

size_t pclntab_calls(const struct pclntab *table, uint64_t pc,
                     struct pclntab_call calls[PCLNTAB_MAX_INLINED])
{
    struct pclntab_function inlined;
    struct inliner inliner;
    uint64_t outer;
    table = table_of(table, pc);
    if (!find_inliner(table, pc, &inliner))
        return 0;
    size_t count = 0;
    while (count < PCLNTAB_MAX_INLINED - 1 && find_inlined(table, &inliner, pc, &inlined, &outer)) {
        struct pclntab_call *call = &calls[count++];
        name_call(table, &inlined, call);
        file_and_line(table, &inliner.function, &inliner.record, pc, call);
        call->inlined = true;
        pc = outer;
    }
    struct pclntab_call *call = &calls[count++];
    name_call(table, &inliner.function, call);
    file_and_line(table, &inliner.function, &inliner.record, pc, call);
    call->inlined = false;
    return count;
}
