/* registry/empusa_caller.h - what a caller of libempusa gives, and what it is told.
 *
 * The sentence of a failure belongs to the thread that called, as errno does: several may use one
 * registry at a time.
 *
 * Threads: any. */
#ifndef REGISTRY_EMPUSA_CALLER_H
#define REGISTRY_EMPUSA_CALLER_H

#include "empusa.h"
#include "registry/base/status.h"

/* EMPUSA_OK, or EMPUSA_E_*. */
int empusa_caller_code(enum status status);

/* Remember why a call on this registry (NULL: none yet) failed, and return its code. field: NULL or
 * a constant; value: NULL, or what is quoted behind it. */
int empusa_caller_fail(const struct empusa *registry, enum status status, const char *field,
                       const char *value, const struct detail *why);

/* Whether a call that blocks may go on: EMPUSA_OK; BAD_INPUT: there is no registry; FORKED,
 * IN_CALLBACK. */
int empusa_caller_check(const struct empusa *registry);

/* Remember that a parameter is NULL. */
void empusa_caller_note_null(const struct empusa *registry, const char *name);

/* Whether one that may not be NULL is given: EMPUSA_OK or BAD_INPUT. Here, so that the analyzer
 * sees what is returned for which. */
static inline int empusa_caller_check_given(const struct empusa *registry, bool is_given,
                                            const char *name)
{
    if (is_given)
        return EMPUSA_OK;
    empusa_caller_note_null(registry, name);
    return EMPUSA_E_BAD_INPUT;
}

/* Copy a struct that begins with its size. What it does not have yet is 0 in *own. BAD_INPUT: it is
 * not initialised, or something is set that we do not know. */
int empusa_caller_copy(const struct empusa *registry, void *own, size_t own_size, const void *given,
                       size_t least_size);

#endif
