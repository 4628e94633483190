/* tests/support/certificate.h - a key and a certificate of it, as files. */
#ifndef SUPPORT_CERTIFICATE_H
#define SUPPORT_CERTIFICATE_H

#include <openssl/x509.h>
#include <stdio.h>

/* To be given to EVP_PKEY_free(). Aborts where there is none. */
EVP_PKEY *certificate_new_key(void);

/* Signed by itself, good for an hour; to be given to X509_free(). */
X509 *certificate_new(EVP_PKEY *key);

/* Write a new certificate, and its key, to where `path` says. */
void certificate_write(const char *path);

#endif
