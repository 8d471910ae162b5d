/* The clocks by which the kernel says when a thread was last on a CPU: each CPU has its own, which
 * lag by the time that the hypervisor took from it, and are read by running there. */
#ifndef LEAKSPY_ANALYZER_PROCESS_CPU_CLOCKS_H
#define LEAKSPY_ANALYZER_PROCESS_CPU_CLOCKS_H

#include <stdint.h>

struct cpu_clocks;

/* For one look at a process: each clock is read once. NULL: no memory. */
struct cpu_clocks *cpu_clocks_create(void);
void cpu_clocks_destroy(struct cpu_clocks *clocks);

/* The present time (ns) of a CPU's clock, when it was asked for first. -1: it cannot be read, as
 * where something runs that lets nobody else run, for which it waits a moment. */
int64_t cpu_clocks_now_ns(struct cpu_clocks *clocks, int cpu);

/* What stands behind the thread's name, which may be anything, in the first line of its
 * /proc/TID/sched: each line that follows begins behind a newline. */
const char *cpu_clocks_lines(const char *text);

/* When a thread was last on its CPU, by that CPU's clock, in ns; text: of its /proc/TID/sched.
 * Source: se.exec_start of kernel/sched/debug.c. 0: it is not told. */
int64_t cpu_clocks_last_ns(const char *text);

#endif
