#include "certificate.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>

EVP_PKEY *certificate_new_key(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    if (!key)
        abort();
    return key;
}

X509 *certificate_new(EVP_PKEY *key)
{
    X509 *cert = X509_new();
    if (!cert)
        abort();
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    if (X509_sign(cert, key, EVP_sha256()) == 0)
        abort();
    return cert;
}

void certificate_write(const char *path)
{
    EVP_PKEY *key = certificate_new_key();
    X509 *cert = certificate_new(key);
    FILE *out = fopen(path, "w");
    if (!out || !PEM_write_X509(out, cert) || !PEM_write_X509(out, cert) ||
        !PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) || fclose(out) != 0)
        abort();
    X509_free(cert);
    EVP_PKEY_free(key);
}
