/* cli/serve/descriptors.h - whether there are enough file descriptors.
 *
 * libuv ends the process where it cannot make those that it needs for itself; so they are counted
 * before it is used.
 *
 * Threads: before others are started. */
#ifndef CLI_SERVE_DESCRIPTORS_H
#define CLI_SERVE_DESCRIPTORS_H

#include "cli/args/option.h"

#include "dns/server/server.h"

#define DESCRIPTORS_COMMAND 20 /* descriptors that a command has at once, and some to spare */

/* Raise our own limit where it may be raised, and see whether so many more can be opened: at least
 * `needed`; `wanted` is as many as there should be. SYSTEM: *why says what to do. */
MUST_USE enum status descriptors_check(unsigned needed, unsigned wanted, struct detail *why);

/* The same for what a server's threads need, and its clients' connections, over DNS and HTTP. */
MUST_USE enum status descriptors_check_server(const struct options *options,
                                              const struct server_options *server,
                                              struct detail *why);

#endif
