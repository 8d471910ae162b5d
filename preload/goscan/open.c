#include "preload/goscan/find.h"
#include "preload/goscan/scan.h"

/* A Go string in the target. */
struct text {
    uint64_t address, bytes;
};

static bool read_reason(struct goscan *scan, uint64_t address, char to[GO_REASON_BYTES])
{
    struct text text;
    if (!mem_read(scan->reader, address, &text, sizeof(text)) || text.bytes >= GO_REASON_BYTES ||
        !mem_read(scan->reader, text.address, to, text.bytes))
        return false;
    to[text.bytes] = '\0';
    for (uint64_t i = 0; i < text.bytes; i++) {
        if (to[i] < ' ' || to[i] > '~')
            return false;
    }
    return true;
}

/* Row 0 is that of no reason, and always there. */
static void take_reasons(struct goscan *scan)
{
    uint64_t most = scan->found.wait_reason_count;
    scan->reason_count = 1;
    if (scan->found.wait_reason_strings == 0)
        return;
    if (most == 0 || most > GO_MAX_REASONS)
        most = GO_MAX_REASONS;
    for (uint64_t i = 1; i < most; i++) {
        struct go_reason *reason = &scan->reasons[i];
        if (!read_reason(scan, scan->found.wait_reason_strings + i * sizeof(struct text),
                         reason->text) ||
            reason->text[0] == '\0') {
            reason->text[0] = '\0';
            return;
        }
        if (strcmp(reason->text, "preempted") == 0)
            scan_state(scan)->preempted_reason = (uint16_t)i;
        go_reason_explain(reason);
        scan->reason_count++;
    }
}

/* Where the variables are is alike in all versions that the table has. */
static bool find_tables(struct goscan *scan, struct finder *finder, unsigned minor)
{
    return find_module(finder, minor, &scan->functions, &scan->found.module_data) &&
           find_sections(finder, scan->found.module_data);
}

static enum go_result take_version(struct goscan *scan, struct finder *finder)
{
    struct go_build build;
    if (!find_build(finder, &build)) {
        go_layout_of(GO_MINOR_NEWEST, &scan->layout);
        if (!find_tables(scan, finder, 0) || !find_version(finder, &build))
            return GO_NOT_GO;
    }
    memcpy(scan->version, build.version, sizeof(scan->version));
    scan->minor = build.minor;
    if (build.old || (build.minor != 0 && build.minor < GO_MINOR_OLDEST))
        return GO_TOO_OLD;
    bool known = go_layout_of(build.minor, &scan->layout);
    if (finder->hints->layout)
        scan->layout = *finder->hints->layout;
    else if (!known)
        return GO_UNKNOWN_VERSION;
    return scan_state_take_layout(scan) ? GO_OK : GO_UNKNOWN_VERSION;
}

/* Until the runtime has made its processors there are no goroutines, and which of the lists that
 * are empty then is that of the processors cannot be told: all of this is looked for again later.
 */
static bool take_lists(struct goscan *scan, struct finder *finder)
{
    uint64_t list[2] = {0};
    scan->found.wait_reason_count = finder->hints->wait_reason_count;
    scan->found.wait_reason_strings = find_wait_reasons(finder);
    scan->found.all_gs = find_all_gs(finder);
    bool has_begun = scan->found.all_gs != 0 &&
                     mem_read(scan->reader, scan->found.all_gs, list, sizeof(list)) && list[1] > 0;
    scan->found.all_ps = find_all_ps(finder);
    return has_begun || (scan->found.all_gs != 0 && scan->found.all_ps != 0);
}

enum go_result goscan_open(struct goscan *ret, struct mem_reader *reader,
                           const struct go_range *ranges, size_t range_count,
                           const struct go_hints *hints, void *scratch, size_t scratch_bytes)
{
    static const struct go_hints none;
    memset(ret, 0, sizeof(*ret));
    ret->reader = reader;
    ret->scratch = scratch;
    ret->scratch_bytes = scratch_bytes;
    if (!scan_state_init(ret))
        return GO_NOT_FOUND;
    struct finder finder = {
        .search = {reader, scan_state(ret)->deep_area},
        .ranges = ranges,
        .range_count = range_count,
        .hints = hints ? hints : &none,
        .layout = &ret->layout,
        .functions = &ret->functions,
    };
    enum go_result result = take_version(ret, &finder);
    if (result != GO_OK)
        return result;
    if (!find_tables(ret, &finder, ret->minor))
        return GO_NOT_FOUND;
    ret->found.pclntab = ret->functions.start;
    ret->unwinder.table = &ret->functions;
    scan_take_plugins(ret); /* goroutines that began in one are told by their functions */
    if (!take_lists(ret, &finder))
        return GO_NOT_FOUND;
    take_reasons(ret);
    return GO_OK;
}
