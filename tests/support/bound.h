/* tests/support/bound.h - where a server listens, from what it says of it. */
#ifndef SUPPORT_BOUND_H
#define SUPPORT_BOUND_H

#include "dns/server/server.h"

/* The i-th of server_addresses(); false when there is none. */
bool bound_address(const struct server *server, size_t i, struct sockaddr_storage *out);

#endif
