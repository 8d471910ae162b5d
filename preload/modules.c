#include "preload/modules.h"

#include <dlfcn.h>
#include <elf.h>
#include <limits.h>
#include <link.h>
#include <string.h>

#include "preload/clock.h"
#include "preload/memory.h"
#include "preload/recorder.h"
#include "preload/tables.h"
#include "preload/unwind.h"

/* Beside each row of the recording's module table: what tells that the file is still the same. */
static struct {
    struct link_map *map;
    uint64_t build_id; /* address of its build-id; 0: it has none */
} * loaded;
static uint32_t loaded_count; /* rows, row 0 included */

bool module_find(uint64_t pc, struct module_range *ret)
{
    struct dl_find_object found;
    if (_dl_find_object((void *)pc, &found) != 0)
        return false;
    *ret = (struct module_range){
        .start = (uint64_t)found.dlfo_map_start,
        .end = (uint64_t)found.dlfo_map_end,
        .eh_frame_hdr = (uint64_t)found.dlfo_eh_frame,
    };
    return true;
}

uint64_t module_symbol_bytes(const void *address)
{
    Dl_info info;
    const ElfW(Sym) *symbol = NULL;
    if (address == NULL || dladdr1(address, &info, (void **)&symbol, RTLD_DL_SYMENT) == 0 ||
        symbol == NULL)
        return 0;
    return symbol->st_size;
}

/* The build-id among the notes of one segment. Returns its address; 0: it is not there. */
static uint64_t take_build_id(uint64_t notes, uint64_t bytes, struct rec_module *module)
{
    uint8_t buffer[1024];
    if (bytes > sizeof(buffer))
        bytes = sizeof(buffer);
    if (!memory_read(notes, buffer, bytes))
        return 0;
    for (uint64_t at = 0; at + sizeof(ElfW(Nhdr)) <= bytes;) {
        ElfW(Nhdr) note;
        memcpy(&note, buffer + at, sizeof(note));
        uint64_t name = at + sizeof(note);
        uint64_t desc = name + ((note.n_namesz + 3ULL) & ~3ULL);
        uint64_t next = desc + ((note.n_descsz + 3ULL) & ~3ULL);
        if (next > bytes || next <= at)
            return 0;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
            memcmp(buffer + name, "GNU", 4) == 0 && note.n_descsz <= sizeof(module->build_id)) {
            memcpy(module->build_id, buffer + desc, note.n_descsz);
            module->build_id_bytes = note.n_descsz;
            return notes + desc;
        }
        at = next;
    }
    return 0;
}

/* The same, by the program headers that are mapped at the file's start. */
static uint64_t find_build_id(struct rec_module *module)
{
    ElfW(Ehdr) elf;
    ElfW(Phdr) headers[32];
    if (!memory_read(module->start, &elf, sizeof(elf)) ||
        memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 || elf.e_phentsize != sizeof(headers[0]))
        return 0;
    size_t count = elf.e_phnum < 32 ? elf.e_phnum : 32;
    if (!memory_read(module->start + elf.e_phoff, headers, count * sizeof(headers[0])))
        return 0;
    uint64_t address = 0;
    for (size_t i = 0; i < count && address == 0; i++)
        if (headers[i].p_type == PT_NOTE)
            address = take_build_id(module->bias + headers[i].p_vaddr, headers[i].p_memsz, module);
    return address;
}

/* What the loader says of a module. False: it goes, or has gone, meanwhile: a thread that stood in
 * it when its stack was taken need not do so any more. */
static bool ask_loader(const struct dl_find_object *found, uint64_t *ret_bias,
                       const char **ret_path)
{
    static char path[PATH_MAX]; /* whoever asks has the unwinder's lock */
    struct link_map map;
    struct dl_find_object again;
    /* A thread that asks for itself stands in it. And a filter may forbid to copy. */
    bool may_copy = recorder_thread.sampler && memory_read((uint64_t)found, &again, sizeof(again));
    if (!may_copy)
        map = *found->dlfo_link_map;
    else if (!memory_read((uint64_t)found->dlfo_link_map, &map, sizeof(map)))
        return false;
    size_t bytes = 0;
    if (map.l_name != NULL && may_copy)
        bytes = memory_read_some((uint64_t)map.l_name, path, sizeof(path) - 1);
    else if (map.l_name != NULL)
        memcpy(path, map.l_name, bytes = strnlen(map.l_name, sizeof(path) - 1));
    path[bytes] = '\0';
    *ret_bias = map.l_addr;
    *ret_path = path;
    return _dl_find_object(found->dlfo_map_start, &again) == 0 &&
           again.dlfo_link_map == found->dlfo_link_map &&
           again.dlfo_map_start == found->dlfo_map_start &&
           again.dlfo_map_end == found->dlfo_map_end;
}

/* A build of the same size is often loaded where the one before it was, and so may be what the
 * loader notes of it. */
static bool has_still_its_build_id(uint32_t row)
{
    const struct rec_module *module = &recorder.modules[row];
    uint8_t now[sizeof(module->build_id)];
    return loaded[row].build_id == 0 ||
           !memory_read(loaded[row].build_id, now, module->build_id_bytes) ||
           memcmp(now, module->build_id, module->build_id_bytes) == 0;
}

/* As far as it is known without a system call. */
static bool seems_same(uint32_t row, const struct dl_find_object *found)
{
    const struct rec_module *module = &recorder.modules[row];
    return module->unloaded_epoch == 0 && loaded[row].map == found->dlfo_link_map &&
           module->start == (uint64_t)found->dlfo_map_start &&
           module->end == (uint64_t)found->dlfo_map_end;
}

/* Marks a file that is no longer loaded. False: it is, or was marked before. `surely`: also where
 * another one looks like it. */
static bool mark_if_gone(uint32_t row, bool surely)
{
    struct rec_module *module = &recorder.modules[row];
    struct dl_find_object found;
    if (module->unloaded_epoch != 0 ||
        (_dl_find_object((void *)module->start, &found) == 0 && seems_same(row, &found) &&
         (!surely || has_still_its_build_id(row))))
        return false;
    module->unloaded_epoch = recorder.header->epoch + 1;
    return true;
}

static void begin_epoch(void)
{
    __atomic_store_n(&recorder.header->epoch, recorder.header->epoch + 1, __ATOMIC_RELEASE);
}

/* A file lies where others may have lain, to which the stacks belong that were taken so far. */
static void sweep_below(const struct dl_find_object *found)
{
    bool gone = false;
    for (uint32_t row = 1; row < loaded_count; row++)
        if (recorder.modules[row].start < (uint64_t)found->dlfo_map_end &&
            (uint64_t)found->dlfo_map_start < recorder.modules[row].end)
            gone |= mark_if_gone(row, true);
    if (!gone)
        return;
    begin_epoch();
    unwind_flush();
}

static uint32_t add(const struct dl_find_object *found)
{
    uint64_t bias;
    const char *path;
    if (!ask_loader(found, &bias, &path))
        return 0;
    sweep_below(found);
    uint32_t row = recorder_take(REC_TABLE_MODULES, 1);
    if (row == 0)
        return 0;
    struct rec_module *module = &recorder.modules[row];
    module->end = (uint64_t)found->dlfo_map_end;
    module->bias = bias;
    module->path = path[0] != '\0' ? recorder_add_string(path, strlen(path)) : recorder.header->exe;
    module->loaded_epoch = recorder.header->epoch;
    module->loaded_ns = clock_now_ns();
    struct rec_module draft = *module;
    draft.start = (uint64_t)found->dlfo_map_start;
    loaded[row].map = found->dlfo_link_map;
    loaded[row].build_id = find_build_id(&draft);
    memcpy(module->build_id, draft.build_id, sizeof(module->build_id));
    module->build_id_bytes = draft.build_id_bytes;
    loaded_count = row + 1;
    __atomic_store_n(&module->start, draft.start, __ATOMIC_RELEASE);
    return row;
}

uint32_t module_record(uint64_t pc)
{
    struct dl_find_object found;
    if (recorder.header == NULL || loaded == NULL || _dl_find_object((void *)pc, &found) != 0)
        return 0;
    for (uint32_t row = loaded_count; row-- > 1;)
        if (seems_same(row, &found) && has_still_its_build_id(row))
            return row;
    return add(&found);
}

bool module_sweep(void)
{
    static uint32_t turn; /* of a row to be asked for its build-id: one a sweep costs little */
    bool gone = false;
    turn = turn + 1 < loaded_count ? turn + 1 : 1;
    for (uint32_t row = 1; row < loaded_count; row++)
        gone |= mark_if_gone(row, row == turn);
    if (gone)
        begin_epoch();
    return gone;
}

void module_reset(void)
{
    if (loaded == NULL)
        loaded = memory_reserve_unforked(sizeof(*loaded) * TABLES_MAX_MODULES);
    loaded_count = 1;
}
