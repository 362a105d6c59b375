/* Threads keep different values in the upper halves of a vector register while the kernel switches between them. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 4, ROUNDS = 200 };

__attribute__((target("avx"))) static int avx_keeps(unsigned char mark)
{
    unsigned char put[32], got[32];
    memset(put, mark, sizeof put);
    __asm__ volatile("vmovdqu %0, %%ymm9" : : "m"(put) : "xmm9");
    usleep(1000);
    for (volatile int spin = 0; spin < 20000; spin++)
        ;
    __asm__ volatile("vmovdqu %%ymm9, %0" : "=m"(got));
    return memcmp(put, got, sizeof put) == 0;
}

static void *watch(void *argument)
{
    unsigned char mark = (unsigned char)(size_t)argument;
    if (__builtin_cpu_supports("avx"))
        for (int round = 0; round < ROUNDS; round++)
            if (!avx_keeps(mark + round))
                return "lost";
    return "kept";
}

int main(void)
{
    pthread_t threads[THREADS];
    const char *verdict = "kept";
    void *one;
    for (size_t number = 0; number < THREADS; number++)
        pthread_create(&threads[number], NULL, watch, (void *)(number * 50 + 1));
    for (size_t number = 0; number < THREADS; number++) {
        pthread_join(threads[number], &one);
        if (strcmp(one, "kept") != 0)
            verdict = one;
    }
    puts(verdict);
    return 0;
}
