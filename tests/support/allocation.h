/* tests/support/allocation.h - memory that runs out at a chosen place.
 *
 * For test_*_memory.c alone: they are linked with what allocators.h lists wrapped, so what the libraries of this tree
 * allocate, or have other libraries allocate, is counted and refused here. Those have libc's own memory, which does not run
 * out, and so has what stands outside of allocation_begin() and allocation_end(). Threads are counted together.
 *
 * Where memory was refused is noted for tests/gates/allocations.sh. */
#ifndef SUPPORT_ALLOCATION_H
#define SUPPORT_ALLOCATION_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define ALLOCATION_ALL UINT_MAX

/* From now on `good` allocations succeed and the next one fails, with ENOMEM; then there is memory again. */
void allocation_begin(unsigned good);

/* The same, and `bad` fail; ALLOCATION_ALL: all of them. */
void allocation_begin_many(unsigned good, unsigned bad);

/* Whether one has failed since it began. */
bool allocation_has_failed(void);

/* There is memory again. Whether one has failed since it began. */
bool allocation_end(void);

/* The size that was last asked for, successfully or not. */
size_t allocation_last_size(void);

/* Allocations of exactly this size always succeed, and are not counted; 0: there is no such size. */
void allocation_spare(size_t size);

/* What this thread asks for until allocation_resume() is not counted: it is the test's, such as a server's that answers
 * what is tested. Give what was returned to allocation_resume(). */
bool allocation_pause(void);
void allocation_resume(bool was_paused);

/* cJSON's own memory is counted from now on, too. */
void allocation_count_cjson(void);

/* A test's own memory, zeroed, to be freed: not counted, never refused. Aborts when there is truly none. In any test,
 * with malloc() wrapped or not. */
void *allocation_exempt(size_t size);

#endif
