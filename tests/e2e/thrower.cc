// Exceptions, in a library that needs libgcc_s only through libstdc++: it catches all that it
// throws, in functions with nothing to clean up, so that the linker finds no use of libgcc_s in it.
#include <exception>

extern "C" int throw_and_catch(int depth);

__attribute__((noinline)) static void throw_at(int depth)
{
    if (depth == 0)
        throw 42;
    throw_at(depth - 1);
}

extern "C" int throw_and_catch(int depth)
{
    try {
        throw_at(depth);
    } catch (...) {
        return depth;
    }
    return -1;
}
