/* A library of which limits_modules.c loads many copies. */
int module_call(int (*function)(void));

int module_call(int (*function)(void))
{
    return function() + 1; /* a call that is not the last thing is a frame */
}
