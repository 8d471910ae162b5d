/* A small library for test_names, built twice: its files differ, its function does not. */
#ifndef FIXTURE_OTHER
#define FIXTURE_OTHER 0
#endif
int fixture_function(int number);
int fixture_function(int number)
{
    return number * 3 + FIXTURE_OTHER;
}
