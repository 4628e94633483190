/* registry/net/http_failure.h - why a request got no answer, for a person and for whoever advises
 * one.
 *
 * libcurl's and OpenSSL's sentences are for their developers ("SSL_ERROR_SYSCALL in connection to",
 * "getpeername() failed"). Here they become what an operator can act on, and a status that says
 * whether TLS is the matter.
 *
 * Threads: pure. */
#ifndef REGISTRY_NET_HTTP_FAILURE_H
#define REGISTRY_NET_HTTP_FAILURE_H

#include "registry/base/status.h"

#include <curl/curl.h>

struct http_failure {
    CURLcode code;
    const char *said;   /* libcurl's error buffer; may be empty */
    long os_errno;      /* CURLINFO_OS_ERRNO */
    long verdict;       /* CURLINFO_SSL_VERIFYRESULT */
    bool has_status;    /* the server had begun an answer */
    bool is_cert_asked; /* the server has asked for a client certificate on this connection */
    bool has_cert;      /* it was given one */
};

/* UNREACHABLE; NO_MEMORY: ours; BAD_REPLY: a TLS that is too old, or ends for another reason; or a
 * status of which status_is_tls() is true. *why gets the sentence. */
enum status http_failure_explain(const struct http_failure *failure, struct detail *why);

#endif
