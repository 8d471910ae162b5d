/* Go's table of functions; the first byte says which version is asked for. */
#include "preload/goscan/pclntab.h"
#include "preload/goscan/build_info.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct pclntab_call calls[PCLNTAB_MAX_INLINED];
    static struct go_stack stack;
    struct pclntab table;
    struct pclntab_function function;
    struct go_build build;
    struct go_unwind_rule rules[16] = {{0}};
    char text[64];
    if (bytes < 8)
        return 0;
    struct mem_reader *memory = fuzz_memory(data, bytes);
    go_build_read(&build, memory, FUZZ_ADDRESS);
    go_build_read_variable(&build, memory, FUZZ_ADDRESS);
    for (unsigned minor = 18; minor <= 27; minor += 3) {
        pclntab_open_module(&table, memory, FUZZ_ADDRESS, minor);
        if (!pclntab_open(&table, memory, FUZZ_ADDRESS, FUZZ_ADDRESS + bytes, 0x400000, 0x500000,
                          FUZZ_ADDRESS, minor))
            continue;
        for (uint32_t i = 0; i < 4; i++) {
            if (!pclntab_at(&table, i, &function))
                continue;
            pclntab_name(&table, &function, text, sizeof(text));
            pclntab_frame_bytes(&table, &function, 0x400000 + 16 * i);
        }
        pclntab_find(&table, 0x400010, &function);
        pclntab_calls(&table, 0x400010, calls);
        struct go_unwinder unwinder = {.table = &table, .rules = rules, .rules_bits = 4};
        go_unwind(&unwinder, 0x400010, FUZZ_ADDRESS, data, FUZZ_ADDRESS, bytes, &stack);
    }
    return 0;
}
