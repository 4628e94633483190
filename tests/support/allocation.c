#include "allocation.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>

/* The linker makes them malloc() and its like where it wraps these. */
__attribute__((weak)) void *__real_malloc(size_t size);
__attribute__((weak)) void *__real_calloc(size_t count, size_t size);
__attribute__((weak)) void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static struct {
    bool is_on, has_failed;
    unsigned good, bad; /* how many are still to succeed, and then to fail */
    size_t last_size, spared_size;
} allocation;

static bool allocation_fails(size_t size)
{
    allocation.last_size = size;
    if (!allocation.is_on || (size == allocation.spared_size && size != 0))
        return false;
    if (allocation.good > 0) {
        allocation.good--;
        return false;
    }
    if (allocation.bad == 0)
        return false;
    allocation.bad -= allocation.bad != ALLOCATION_ALL;
    allocation.has_failed = true;
    errno = ENOMEM; /* as malloc() does, and as entry_parse() knows it */
    return true;
}

void *__wrap_malloc(size_t size)
{
    return allocation_fails(size) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return allocation_fails(count * size) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return allocation_fails(size) ? NULL : __real_realloc(old, size);
}

void allocation_begin_many(unsigned good, unsigned bad)
{
    allocation.good = good;
    allocation.bad = bad;
    allocation.has_failed = false;
    allocation.is_on = true;
}

void allocation_begin(unsigned good)
{
    allocation_begin_many(good, 1);
}

bool allocation_has_failed(void)
{
    return allocation.has_failed;
}

bool allocation_end(void)
{
    allocation.is_on = false;
    return allocation.has_failed;
}

size_t allocation_last_size(void)
{
    return allocation.last_size;
}

void allocation_spare(size_t size)
{
    allocation.spared_size = size;
}

void allocation_count_cjson(void)
{
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = __wrap_malloc, .free_fn = free});
}

void *allocation_exempt(size_t size)
{
    void *memory = __real_calloc ? __real_calloc(1, size) : calloc(1, size);
    if (!memory)
        abort();
    return memory;
}
