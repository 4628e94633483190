/* registry/net/tls_files.h - the files of TLS, read once and checked before they are used.
 *
 * libcurl would read them at each new connection and say "problem with the local SSL certificate"
 * then; a wrong path is better told at once, with its name. And what was checked is what is used: a
 * certificate that is replaced by a bad one, or by half of one, harms nothing until it is good.
 *
 * Threads: pure but for reading the files; a `struct tls_files` belongs to one thread. */
#ifndef REGISTRY_NET_TLS_FILES_H
#define REGISTRY_NET_TLS_FILES_H

#include "registry/base/file.h"

/* NULL = the system's authorities, no client certificate. */
struct tls_files_files {
    const char *ca_bundle; /* PEM file, or a directory as c_rehash(1) makes it */
    const char *cert, *key;
};

/* PEM; `data` NULL where there is none. */
struct tls_files {
    unsigned references;
    char *ca_directory; /* looked into at each connection, as OpenSSL does */
    struct file ca, cert;
    struct file key; /* also where the certificate's file holds it */
};

/* Read the files and see whether they fit each other. BAD_INPUT with *why naming the file. Blocks
 * for reading; may_wait false: not for what has no end yet, such as a pipe. *out is the caller's,
 * to be given to tls_files_free(). */
MUST_USE enum status tls_files_load(const struct tls_files_files *files, bool may_wait,
                                    struct tls_files **out, struct detail *why);

/* One more that uses it, and one less: the last frees. NULL is nothing. */
struct tls_files *tls_files_share(struct tls_files *tls);
void tls_files_free(struct tls_files *tls);

#endif
