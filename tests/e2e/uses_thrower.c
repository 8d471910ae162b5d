/* A C program on thrower.cc: neither needs libgcc_s by itself. */
#include <pthread.h>
#include <stdio.h>

int throw_and_catch(int depth);

static void *throw_in_thread(void *arg)
{
    int sum = 0;
    for (int i = 0; i < 100; i++)
        sum += throw_and_catch(i % 10);
    *(int *)arg = sum;
    return arg;
}

int main(void)
{
    pthread_t threads[4];
    int sums[5];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, throw_in_thread, &sums[i]);
    throw_in_thread(&sums[4]);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    printf("%d %d %d %d %d\n", sums[0], sums[1], sums[2], sums[3], sums[4]);
    return 0;
}
