/* A call that is a jump leaves no frame, and the function that it goes to jumps on as well.
 * Compiled with sibling calls, unlike the rest of the program. */
#include "tests/e2e/odd_jump.h"

int jump_to_wait(sem_t *wait)
{
    return sem_wait(wait);
}
