/* What a program under `confined` may use. */
#ifndef LEAKSPY_E2E_CONFINED_H
#define LEAKSPY_E2E_CONFINED_H

enum { CONFINED_CPU_S = 30, CONFINED_BYTES = 1 << 30 };

#endif
