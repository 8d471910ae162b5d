#ifndef LEAKSPY_ODD_JUMP_H
#define LEAKSPY_ODD_JUMP_H

#include <semaphore.h>

int jump_to_wait(sem_t *wait);

#endif
