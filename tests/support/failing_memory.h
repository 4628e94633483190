/* tests/support/failing_memory.h - the n-th allocation fails.
 *
 * For test_*_memory.c, which are linked with malloc(), calloc() and realloc() wrapped; cJSON's are
 * ours, too. */
#ifndef TESTS_FAILING_MEMORY_H
#define TESTS_FAILING_MEMORY_H

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static struct {
    bool is_on;
    unsigned good;   /* allocations until the one that fails */
    bool has_failed; /* there was one */
} failing;

static bool failing_is_due(void)
{
    if (!failing.is_on || failing.has_failed)
        return false;
    if (failing.good-- > 0)
        return false;
    failing.has_failed = true;
    errno = ENOMEM; /* by which entry_parse() knows it */
    return true;
}

void *__wrap_malloc(size_t size)
{
    return failing_is_due() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return failing_is_due() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return failing_is_due() ? NULL : __real_realloc(old, size);
}

/* The allocation after so many good ones fails, once. */
static inline void failing_begin(unsigned good)
{
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = __wrap_malloc, .free_fn = free});
    failing.is_on = true;
    failing.good = good;
    failing.has_failed = false;
}

/* Whether one failed. */
static inline bool failing_end(void)
{
    failing.is_on = false;
    return failing.has_failed;
}

#endif
