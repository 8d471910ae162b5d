/* Processes of other PID namespaces, as those of containers are: they know themselves by other
 * numbers than this command does (pid_namespaces(7)). */
#include "analyzer/base/clock.h"
#include "analyzer/base/rows.h"
#include "analyzer/process/process.h"

#define FRESH_NS UINT64_C(100000000) /* many recordings are asked for in a row */

struct nested {
    pid_t pid, own_id;
    uint64_t start_ticks;
};

static struct {
    struct nested *rows;
    size_t count;
    uint64_t taken_ns;
} all;

static void add(pid_t pid, void *unused)
{
    (void)unused;
    struct process_status status;
    struct nested row = {.pid = pid};
    if (!process_read_status(pid, &status) || !status.nested ||
        process_look(pid, &row.start_ticks) != PROCESS_ALIVE)
        return;
    row.own_id = status.own_id;
    if (rows_grow(&all.rows, all.count, sizeof(*all.rows)))
        all.rows[all.count++] = row;
}

pid_t process_here(pid_t pid, uint64_t start_ticks, const uint8_t boot_id[16])
{
    if (process_is_same(pid, start_ticks, boot_id))
        return pid;
    if (start_ticks == 0 || !process_is_of_this_boot(boot_id))
        return 0;
    uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
    if (all.taken_ns == 0 || now_ns - all.taken_ns > FRESH_NS) {
        all.count = 0;
        all.taken_ns = now_ns;
        process_each(NULL, add, NULL);
    }
    for (size_t i = 0; i < all.count; i++) {
        if (all.rows[i].own_id == pid && all.rows[i].start_ticks == start_ticks &&
            process_is_same(all.rows[i].pid, start_ticks, boot_id))
            return all.rows[i].pid;
    }
    return 0;
}
