/* registry/net/loop.h - a libuv loop that needs no memory to watch another descriptor.
 *
 * libuv keeps an array by the numbers of the descriptors, and aborts where it cannot make it longer:
 * one connection more, at a moment without memory, would end the process. So it is made as long as
 * it will ever be at the start, where a failure is nothing but a start that failed.
 *
 * Threads: as libuv's loops. */
#ifndef REGISTRY_NET_LOOP_H
#define REGISTRY_NET_LOOP_H

#include "registry/base/status.h"

#include <uv.h>

#define LOOP_DESCRIPTORS_MAX 8192 /* those above are watched as libuv does it; 8 octets for each */

/* uv_loop_init(), with room for as many descriptors as the process may open now. libuv's status. */
MUST_USE int loop_init(uv_loop_t *loop);

#endif
