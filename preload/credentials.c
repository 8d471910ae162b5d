#include "preload/credentials.h"

#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>

#include "preload/adapter_go.h"
#include "preload/filter.h"
#include "preload/proc.h"
#include "preload/sys.h"
#include "preload/text.h"

#define MAX_GROUPS 2048

/* proc(5): /proc/PID/status is that of the main thread. */
static const char main_path[] = "/proc/self/status", own_path[] = "/proc/thread-self/status";
static char main_status[PROC_STATUS_BYTES], own_status[PROC_STATUS_BYTES];
static uint64_t filter_mode, filter_count; /* of the sampler when it was started */
static uint64_t sampler_may;               /* the capabilities that it is permitted */
static bool sampler_known;                 /* that is known, and no user or group is hidden */

/* Reads up to `most` decimal numbers of a line. Returns how many there are, which may be more. */
static size_t numbers_of(const char *status, const char *name, uint32_t *ret, size_t most)
{
    size_t bytes, count = 0;
    const char *at = text_line(status, name, &bytes);
    const char *end = at != NULL ? at + bytes : NULL;
    while (at != end) {
        uint64_t number;
        if (!text_parse_number(&at, &number)) {
            at++;
            continue;
        }
        if (count < most)
            ret[count] = (uint32_t)number;
        count++;
    }
    return count;
}

static uint64_t hex_of(const char *status, const char *name)
{
    size_t bytes;
    const char *at = text_line(status, name, &bytes);
    return at != NULL ? text_parse_hex(at) : 0;
}

static bool are_same(void)
{
    static const char *const names[] = {"Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        size_t main_bytes, own_bytes;
        const char *main_line = text_line(main_status, names[i], &main_bytes);
        const char *own_line = text_line(own_status, names[i], &own_bytes);
        if (main_line == NULL || own_line == NULL || main_bytes != own_bytes ||
            memcmp(main_line, own_line, own_bytes) != 0)
            return false;
    }
    return true;
}

static bool read_own(void)
{
    return proc_read_file(own_path, own_status, sizeof(own_status)) > 0;
}

/* Gives up what the main thread gave up. System calls of the kernel's, which are for one thread;
 * what fails is noticed afterwards. */
static void take_over(void)
{
    static uint32_t groups[MAX_GROUPS];
    uint32_t users[3], own_groups[3];
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct words[2];
    uint64_t effective = hex_of(main_status, "CapEff"), permitted = hex_of(main_status, "CapPrm"),
             inheritable = hex_of(main_status, "CapInh");
    size_t count = numbers_of(main_status, "Groups", groups, MAX_GROUPS);
    if (count > MAX_GROUPS || numbers_of(main_status, "Uid", users, 3) < 3 ||
        numbers_of(main_status, "Gid", own_groups, 3) < 3)
        return;
    for (unsigned i = 0; i < 2; i++)
        words[i] = (struct __user_cap_data_struct){
            .effective = (uint32_t)(effective >> (32 * i)),
            .permitted = (uint32_t)(permitted >> (32 * i)),
            .inheritable = (uint32_t)(inheritable >> (32 * i)),
        };
    /* Whoever changes what it may do cannot be dumped any more, which holds for all threads, and
     * which the program may have undone by now. */
    bool can_be_dumped = sys_call(SYS_prctl, PR_GET_DUMPABLE) == 1;
    sys_call(SYS_prctl, PR_SET_KEEPCAPS, 1); /* until it is known which ones to keep */
    sys_call(SYS_setgroups, count, groups);
    sys_call(SYS_setresgid, own_groups[0], own_groups[1], own_groups[2]);
    sys_call(SYS_setresuid, users[0], users[1], users[2]);
    sys_call(SYS_capset, &header, words);
    sys_call(SYS_prctl, PR_SET_KEEPCAPS, 0);
    if (can_be_dumped)
        sys_call(SYS_prctl, PR_SET_DUMPABLE, 1);
}

static uint64_t number_of(const char *name)
{
    uint32_t number = 0;
    numbers_of(own_status, name, &number, 1);
    return number;
}

/* Whether all ids of the system are ids here: in a user namespace that lacks some, who gives up a
 * group of outside does not get it back. user_namespaces(7) */
static bool has_all_ids(const char *map_path)
{
    static const uint64_t all[3] = {0, 0, UINT32_MAX};
    char map[128];
    const char *at = map;
    bool same = proc_read_file(map_path, map, sizeof(map)) > 0;
    for (int i = 0; i < 3 && same; i++) {
        uint64_t number;
        while (*at == ' ')
            at++;
        same = text_parse_number(&at, &number) && number == all[i];
    }
    return same;
}

void credentials_begin(void)
{
    filter_mode = filter_count = 0;
    if (!read_own())
        return;
    filter_mode = number_of("Seccomp");
    filter_count = number_of("Seccomp_filters");
    sampler_may = hex_of(own_status, "CapPrm");
    __atomic_store_n(&sampler_known,
                     has_all_ids("/proc/self/uid_map") && has_all_ids("/proc/self/gid_map"),
                     __ATOMIC_RELEASE);
}

void credentials_forget(void)
{
    __atomic_store_n(&sampler_known, false, __ATOMIC_RELEASE);
}

/* The calls are the kernel's: libc's might be another library's. */
bool credentials_have_way_back(uid_t real, uid_t saved)
{
    const uint64_t needed = 1U << CAP_SETUID | 1U << CAP_SETGID;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct words[2];
    uid_t users[3];
    if (!__atomic_load_n(&sampler_known, __ATOMIC_ACQUIRE) || adapter_go_is_program() ||
        filter_forbids(SYS_getresuid) || filter_forbids(SYS_capget) ||
        sys_call(SYS_getresuid, &users[0], &users[1], &users[2]) != 0 ||
        sys_call(SYS_capget, &header, words) != 0)
        return false;
    uint64_t may = words[0].permitted | (uint64_t)words[1].permitted << 32;
    if (real == CREDENTIALS_KEPT)
        real = users[0];
    if (saved == CREDENTIALS_KEPT)
        saved = users[2];
    return (real == 0 || saved == 0) && ((needed | sampler_may) & ~may) == 0;
}

bool credentials_follow(void)
{
    if (!read_own() || number_of("Seccomp") != filter_mode ||
        number_of("Seccomp_filters") != filter_count ||
        proc_read_file(main_path, main_status, sizeof(main_status)) == 0)
        return false;
    if (are_same())
        return true;
    take_over();
    return read_own() && are_same();
}
