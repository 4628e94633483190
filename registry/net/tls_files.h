/* registry/net/tls_files.h - the files of TLS, read once and checked before they are used.
 *
 * Given paths, libcurl would read the files at each new connection and report a bad one as "problem
 * with the local SSL certificate", without its name. Here they are read and checked once, an error
 * names the file, and the connections use what was checked: a certificate that is being replaced,
 * half written or wrong, changes nothing until tls_files_load() accepts it.
 *
 * Threads: pure but for reading the files; a `struct tls_files` belongs to one thread. */
#ifndef REGISTRY_NET_TLS_FILES_H
#define REGISTRY_NET_TLS_FILES_H

#include "registry/base/file.h"

/* NULL = the system's authorities, no client certificate. */
struct tls_files_paths {
    const char *ca_bundle; /* PEM file, or a directory as c_rehash(1) makes it */
    const char *cert, *key;
};

/* PEM; `data` NULL where there is none. */
struct tls_files {
    unsigned references;
    char *ca_directory; /* OpenSSL looks into it at each connection */
    struct file ca, cert;
    struct file key; /* also where the certificate's file holds it */
};

/* Read the files and check that they are PEM and that the key is the certificate's. Blocks for
 * reading; may_wait false: fails rather than wait for the other end of a pipe. OK: *out is the
 * caller's, to be given to tls_files_free(). BAD_INPUT: *why names the file. NO_MEMORY. */
MUST_USE enum status tls_files_load(const struct tls_files_paths *files, bool may_wait,
                                    struct tls_files **out, struct detail *why);

/* Add a reference; drop one, the last of which frees. NULL is accepted. */
struct tls_files *tls_files_share(struct tls_files *tls);
void tls_files_free(struct tls_files *tls);

#endif
