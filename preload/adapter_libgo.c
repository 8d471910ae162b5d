/* Goroutines of gccgo's libgo. */
#include "preload/adapter.h"

static void describe(const struct rec_task *task, enum rec_op op, struct wait_detail *detail)
{
    (void)task, (void)op, (void)detail;
}

const struct adapter adapter_libgo = {.kind = REC_KIND_GOROUTINE, .describe = describe};
