#include "tests/unit/analyzer/opened.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <unistd.h>

#include "analyzer/process/image.h"
#include "analyzer/process/process.h"
#include "tests/unit/analyzer/child.h"

void open_image(struct image *image, pid_t pid)
{
    struct err err = {0};
    if (!image_open_process(image, pid, &err))
        fail_msg("%s: %s", err.what, err.why);
}

void park(void)
{
    child_ready();
    for (;;)
        pause();
}

void wait_for_end_of_first(pid_t pid)
{
    struct process_status status = {0};
    for (int i = 0; i < 10000 && status.state != 'Z'; i++) {
        assert_true(process_read_status(pid, &status));
        sleep_ms(1);
    }
    assert_int_equal(status.state, 'Z');
}
