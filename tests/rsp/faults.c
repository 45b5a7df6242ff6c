/* faults.c - a card whose n-th allocation fails. */
#include "tests/rsp/faults.h"

#include <stddef.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static bool on, armed;
static unsigned long left;

void faults_arm(unsigned long n)
{
    armed = true;
    left = n;
}

bool faults_hit(void)
{
    return !armed;
}

void faults_hook(bool begins)
{
    on = begins;
}

static bool fails(void)
{
    if (!on || !armed || left-- > 0)
        return false;
    armed = false;
    return true;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}
