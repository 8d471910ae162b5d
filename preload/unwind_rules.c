#include "preload/unwind_rules.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "preload/arch.h"
#include "preload/goscan/hash.h"
#include "preload/memory.h"
#include "preload/modules.h"
#include "preload/other_stack.h"
#include "preload/recorder.h"
#include "preload/sys.h"
#include "preload/unwind.h"

/* --- libunwind, reached through pointers ----------------------------------------------------- */

static struct {
    unw_addr_space_t (*create_addr_space)(unw_accessors_t *, int);
    int (*set_caching_policy)(unw_addr_space_t, unw_caching_policy_t);
    int (*init_remote)(unw_cursor_t *, unw_addr_space_t, void *);
    int (*step)(unw_cursor_t *);
    int (*get_reg)(unw_cursor_t *, int, unw_word_t *);
    int (*dwarf_search_unwind_table)(unw_addr_space_t, unw_word_t, unw_dyn_info_t *,
                                     unw_proc_info_t *, int, void *);
} lib;

static unw_addr_space_t space; /* NULL: libunwind is not to be called */

/* --- rules ----------------------------------------------------------------------------------- */

#define RULE_ROWS (1U << 15)
#define RULE_PROBES 4
static struct rule *rules; /* no row lies on two pages */
static bool any_rules;

static struct rule *rule_row(uint64_t pc, uint32_t probe)
{
    return &rules[((hash_word(pc) >> 32) + probe) & (RULE_ROWS - 1)];
}

/* Rows are written under the lock and read without: pc is 0 while a row changes. */
bool rule_find(uint64_t pc, struct rule *ret)
{
    if (rules == NULL)
        return false;
    for (uint32_t probe = 0; probe < RULE_PROBES; probe++) {
        const struct rule *row = rule_row(pc, probe);
        if (__atomic_load_n(&row->pc, __ATOMIC_ACQUIRE) != pc)
            continue;
        *ret = (struct rule){
            .pc = pc,
            .cfa_offset = SHARED_GET(row->cfa_offset),
            .return_offset = SHARED_GET(row->return_offset),
            .fp_offset = SHARED_GET(row->fp_offset),
            .kind = SHARED_GET(row->kind),
        };
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        return SHARED_GET(row->pc) == pc;
    }
    return false;
}

static void rule_keep(const struct rule *rule)
{
    struct rule *row = rule_row(rule->pc, 0);
    any_rules = true;
    for (uint32_t probe = 0; probe < RULE_PROBES; probe++)
        if (SHARED_GET(rule_row(rule->pc, probe)->pc) == 0) {
            row = rule_row(rule->pc, probe);
            break;
        }
    SHARED_PUT(row->pc, 0);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    SHARED_PUT(row->cfa_offset, rule->cfa_offset);
    SHARED_PUT(row->return_offset, rule->return_offset);
    SHARED_PUT(row->fp_offset, rule->fp_offset);
    SHARED_PUT(row->kind, rule->kind);
    __atomic_store_n(&row->pc, rule->pc, __ATOMIC_RELEASE);
}

static uint32_t flushes;

uint32_t rule_flushes(void)
{
    return __atomic_load_n(&flushes, __ATOMIC_ACQUIRE);
}

void unwind_flush(void)
{
    __atomic_fetch_add(&flushes, 1, __ATOMIC_RELEASE);
    if (!any_rules) /* then not even a look at the table: that would make memory of it */
        return;
    any_rules = false;
    memory_clear(rules, RULE_ROWS * sizeof(*rules));
}

/* --- one step of libunwind ------------------------------------------------------------------- */

/* A probe step runs over two stretches of addresses that no program has, one for each register:
 * what is read there is the address itself, marked, so that the result tells where it came from. */
#define PROBE_SP UINT64_C(0x6100000000000000)
#define PROBE_FP UINT64_C(0x6200000000000000)
#define PROBE_OTHER UINT64_C(0x6300000000000000)
#define PROBE_MARK UINT64_C(0x1000000000000000)
#define PROBE_REACH (INT64_C(1) << 30)

static bool near(uint64_t address, uint64_t base, int64_t *offset)
{
    *offset = (int64_t)(address - base);
    return *offset > -PROBE_REACH && *offset < PROBE_REACH;
}

static int access_mem(unw_addr_space_t as, unw_word_t address, unw_word_t *value, int write,
                      void *arg)
{
    int64_t offset;
    (void)as;
    (void)arg;
    if (write)
        return -UNW_EINVAL;
    if (near(address, PROBE_SP, &offset) || near(address, PROBE_FP, &offset)) {
        *value = address ^ PROBE_MARK;
        return 0;
    }
    return memory_read(address, value, sizeof(*value)) ? 0 : -UNW_EINVAL;
}

static int access_reg(unw_addr_space_t as, unw_regnum_t reg, unw_word_t *value, int write,
                      void *arg)
{
    const struct rule_step *step = arg;
    (void)as;
    if (write)
        return -UNW_EREADONLYREG;
    *value = reg == ARCH_REG_PC   ? step->pc
             : reg == ARCH_REG_SP ? step->sp
             : reg == ARCH_REG_FP ? step->fp
                                  : PROBE_OTHER;
    return 0;
}

static int access_fpreg(unw_addr_space_t as, unw_regnum_t reg, unw_fpreg_t *value, int write,
                        void *arg)
{
    (void)as, (void)reg, (void)value, (void)write, (void)arg;
    return -UNW_EBADREG;
}

/* What an .eh_frame_hdr begins with, as linkers write it: a sorted table of pairs of 32-bit offsets
 * from its own start. (Linux Standard Base, "Exception Frames") */
struct eh_frame_hdr {
    uint8_t version;
    uint8_t eh_frame_encoding;
    uint8_t count_encoding;
    uint8_t table_encoding;
    int32_t eh_frame;
    uint32_t count;
};
enum { EH_UDATA4 = 0x03, EH_DATAREL_SDATA4 = 0x3b, EH_PCREL_SDATA4 = 0x1b };

static int find_proc_info(unw_addr_space_t as, unw_word_t ip, unw_proc_info_t *pi, int need,
                          void *arg)
{
    struct rule_step *step = arg;
    struct module_range module;
    struct eh_frame_hdr hdr;
    int result = -UNW_ENOINFO;
    if (module_find(ip, &module) && module.eh_frame_hdr != 0 &&
        memory_read(module.eh_frame_hdr, &hdr, sizeof(hdr)) && hdr.version == 1 &&
        hdr.eh_frame_encoding == EH_PCREL_SDATA4 && hdr.count_encoding == EH_UDATA4 &&
        hdr.table_encoding == EH_DATAREL_SDATA4) {
        unw_dyn_info_t info = {
            .start_ip = module.start,
            .end_ip = module.end,
            .format = UNW_INFO_FORMAT_REMOTE_TABLE,
            .u.rti =
                {
                    .segbase = module.eh_frame_hdr,
                    .table_len = (unw_word_t)hdr.count * 8 / sizeof(unw_word_t),
                    .table_data = module.eh_frame_hdr + sizeof(hdr),
                },
        };
        result = lib.dwarf_search_unwind_table(as, ip, &info, pi, need, arg);
    }
    step->no_info |= result < 0;
    return result;
}

static void put_unwind_info(unw_addr_space_t as, unw_proc_info_t *pi, void *arg)
{
    (void)as, (void)pi, (void)arg;
}

static int get_dyn_info_list_addr(unw_addr_space_t as, unw_word_t *address, void *arg)
{
    (void)as, (void)address, (void)arg;
    return -UNW_ENOINFO;
}

/* The runtime of ThreadSanitizer, where the program has it. It takes for the program's doing what
 * libunwind has libc do in memory of ours, and knows nothing of our lock; nor of the sampler. */
extern void __tsan_ignore_thread_begin(void) __attribute__((weak));
extern void __tsan_ignore_thread_end(void) __attribute__((weak));

static void tell_sanitizer(void (*begin_or_end)(void))
{
    if (begin_or_end != NULL && !recorder_thread.sampler)
        begin_or_end();
}

/* From *step to its caller. 1: done; 0: there is none; negative: it cannot be told. */
static int step_by_libunwind(struct rule_step *step)
{
    static unw_cursor_t cursor; /* under the lock */
    unw_word_t pc, sp, fp;
    step->no_info = space == NULL;
    if (step->no_info || lib.init_remote(&cursor, space, step) != 0)
        return -1;
    int result = lib.step(&cursor);
    if (step->no_info || result < 0)
        return -1;
    if (result == 0)
        return 0;
    if (lib.get_reg(&cursor, UNW_REG_IP, &pc) != 0 || lib.get_reg(&cursor, UNW_REG_SP, &sp) != 0 ||
        lib.get_reg(&cursor, ARCH_REG_FP, &fp) != 0)
        return -1;
    step->pc = pc;
    step->sp = sp;
    step->fp = fp;
    return 1;
}

static int take_step(struct rule_step *step)
{
    tell_sanitizer(__tsan_ignore_thread_begin);
    int result = step_by_libunwind(step);
    tell_sanitizer(__tsan_ignore_thread_end);
    return result;
}

/* Does a signal handler return to `pc`? (The code of the kernel's trampoline, as the C library
 * has it.) */
static bool is_signal_return(uint64_t pc)
{
#if defined(__x86_64__)
    static const uint8_t code[] = {0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05};
#else
    static const uint8_t code[] = {0x68, 0x11, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4};
#endif
    uint8_t bytes[sizeof(code)];
    return memory_read(pc, bytes, sizeof(bytes)) && memcmp(bytes, code, sizeof(code)) == 0;
}

/* Where a marked value was read, as an offset from the caller's stack pointer `cfa`. */
static bool find_offset(uint64_t value, uint64_t cfa, int32_t *offset)
{
    int64_t distance;
    bool known = near(value ^ PROBE_MARK, cfa, &distance);
    *offset = (int32_t)distance;
    return known && distance != 0;
}

static void learn(struct rule *rule)
{
    struct rule_step step = {.pc = rule->pc - 1, .sp = PROBE_SP, .fp = PROBE_FP};
    int64_t offset;
    rule->kind = RULE_SIGNAL;
    if (is_signal_return(rule->pc))
        return;
    int result = take_step(&step);
    /* What cannot be probed reads memory on its way to the caller's stack pointer. */
    rule->kind = result == 0 ? RULE_END : step.no_info ? RULE_NO_INFO : RULE_STEP;
    if (result <= 0)
        return;
    bool by_sp = near(step.sp, PROBE_SP, &offset);
    if (!by_sp && !near(step.sp, PROBE_FP, &offset))
        return;
    if (!find_offset(step.pc, step.sp, &rule->return_offset))
        return;
    if (step.fp != PROBE_FP && !find_offset(step.fp, step.sp, &rule->fp_offset))
        return;
    rule->cfa_offset = (int32_t)offset;
    rule->kind = by_sp ? RULE_SP : RULE_FP;
}

/* --- on a stack of our own ------------------------------------------------------------------- */

/* libunwind wants kilobytes of stack, and a goroutine or a small thread may not have them. Under
 * the lock there is one user, so that one stack will do. */
static struct other_stack own_stack;

static void learn_here(void *arg)
{
    struct rule *rule = arg;
    learn(rule);
    module_record(rule->pc); /* first: that may forget all rules */
    rule_keep(rule);
}

struct real_step {
    struct rule_step step;
    int result;
};

static void step_here(void *arg)
{
    struct real_step *real = arg;
    real->result = take_step(&real->step);
}

/* libunwind calls libc; errno is the program's. */
void rule_learn(struct rule *rule)
{
    int error = errno;
    if (unwind_lock()) {
        other_stack_call(&own_stack, learn_here, rule);
        unwind_unlock();
    }
    errno = error;
}

int rule_step(struct rule_step *step)
{
    struct real_step real = {.step = *step, .result = -1};
    int error = errno;
    if (unwind_lock()) {
        other_stack_call(&own_stack, step_here, &real);
        unwind_unlock();
    }
    errno = error;
    *step = real.step;
    return real.result;
}

/* Makes libunwind set itself up now. It opens a pipe for tests of its own that we never run; the
 * program shall find its descriptors as they would be without us. */
static void set_up(void)
{
    struct stat stat;
    long ends[2];
    int found = 0;
    for (int fd = 0; fd < 4096 && found < 2; fd++)
        if (sys_call(SYS_fcntl, fd, F_GETFD) == -EBADF)
            ends[found++] = fd;
    lib.set_caching_policy(space, UNW_CACHE_NONE); /* rules are what we keep */
    for (int i = 0; i < found; i++)
        if (sys_call(SYS_newfstatat, ends[i], "", &stat, AT_EMPTY_PATH) == 0 &&
            S_ISFIFO(stat.st_mode))
            sys_call(SYS_close, ends[i]);
}

bool rules_init(bool may_open)
{
    static unw_accessors_t accessors = {
        .find_proc_info = find_proc_info,
        .put_unwind_info = put_unwind_info,
        .get_dyn_info_list_addr = get_dyn_info_list_addr,
        .access_mem = access_mem,
        .access_reg = access_reg,
        .access_fpreg = access_fpreg,
    };
    static const struct {
        const char *name;
        void **pointer;
    } functions[] = {
        {ARCH_UNW(create_addr_space), (void **)&lib.create_addr_space},
        {ARCH_UNW(set_caching_policy), (void **)&lib.set_caching_policy},
        {ARCH_UNW(init_remote), (void **)&lib.init_remote},
        {ARCH_UNW(step), (void **)&lib.step},
        {ARCH_UNW(get_reg), (void **)&lib.get_reg},
        {ARCH_UNW(dwarf_search_unwind_table), (void **)&lib.dwarf_search_unwind_table},
    };
    rules = memory_reserve_unforked(RULE_ROWS * sizeof(*rules));
    /* Not linked, and local: its _Unwind_* functions must not become the program's. */
    void *handle = may_open ? dlopen(ARCH_LIBUNWIND, RTLD_NOW | RTLD_LOCAL) : NULL;
    if (handle == NULL || rules == NULL)
        return false;
    for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
        *functions[i].pointer = dlsym(handle, functions[i].name);
        if (*functions[i].pointer == NULL)
            return false;
    }
    space = lib.create_addr_space(&accessors, 0);
    if (space == NULL)
        return false;
    set_up();
    return true;
}

void rules_give_up(void)
{
    space = NULL;
}
