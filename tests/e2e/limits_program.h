/* limits.c as the tests start it, and what they call it with. */
#ifndef LEAKSPY_TESTS_LIMITS_PROGRAM_H
#define LEAKSPY_TESTS_LIMITS_PROGRAM_H

#define LIMITS LEAKSPY_TARGETS "/limits"
#define PREPARED LEAKSPY_TARGETS "/limits_static" /* prepares, and executes LIMITS_PROGRAM */

#define NO_CALL "4095" /* no system call has this number */

#define TEXT_OF(number) TEXT(number)
#define TEXT(number) #number

#endif
