/* registry/tls.h - the files of TLS, looked at before they are needed.
 *
 * libcurl reads them at each new connection and would say "problem with the local SSL certificate"
 * then; a wrong path is better told at once, with its name.
 *
 * Threads: pure but for reading the files. */
#ifndef REGISTRY_TLS_H
#define REGISTRY_TLS_H

#include "status.h"

/* NULL = the system's authorities, no client certificate. */
struct tls_files {
    const char *ca_bundle; /* PEM file, or a directory as c_rehash(1) makes it */
    const char *cert, *key;
};

/* Whether the files can be read and fit each other. BAD_INPUT with *why naming the file. Blocks for
 * reading them. */
MUST_USE enum status tls_check(const struct tls_files *files, struct detail *why);

#endif
