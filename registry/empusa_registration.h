/* registry/empusa_registration.h - what a registry of libempusa keeps registered.
 *
 * Threads: the registry's own. */
#ifndef REGISTRY_EMPUSA_REGISTRATION_H
#define REGISTRY_EMPUSA_REGISTRATION_H

#include "empusa_thread.h"

#include <stdint.h>

/* Unregister all, in deadline_ms at most; then empusa_thread_finish(). Once, when closing. */
void empusa_registration_leave_all(struct empusa *registry, uint64_t deadline_ms);

/* Release what the program has not, and the leases. When the thread has ended. */
void empusa_registration_clear_all(struct empusa *registry);

#endif
