/* `transparent NAME`: does one thing that programs do, prints what came of it, and ends. What it
 * prints depends on nothing but what the program may rely on. */
#ifndef LEAKSPY_E2E_TRANSPARENT_H
#define LEAKSPY_E2E_TRANSPARENT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/e2e/check.h"
#include "tests/e2e/threads.h"

#define SCENARIO(name) int name(void);
#include "tests/e2e/transparent.def"
#undef SCENARIO

void sleep_ms(int ms);

/* The arguments after the scenario's name. */
extern char **scenario_argv;

#endif
