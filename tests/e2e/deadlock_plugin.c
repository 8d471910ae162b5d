/* A library whose constructor takes a lock of the program's: see deadlocks.c. */
void constructed(void);

__attribute__((constructor)) static void begin(void)
{
    constructed();
}
