#include "http_failure.h"

#include <ctype.h>
#include <openssl/x509_vfy.h>
#include <string.h>

/* The server's certificate was found wanting. */
static enum status http_failure_certificate(const struct http_failure *failure, struct detail *why)
{
    /* libcurl compares the names itself, and leaves OpenSSL's verdict as it was. */
    const char *host = strstr(failure->said, "host name ");
    if (host)
        return detail_set(why, STATUS_OTHER_NAME, "the server's certificate is not for %s",
                          host + strlen("host name "));
    switch (failure->verdict) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return detail_set(why, STATUS_OUT_OF_DATE, "the server's certificate has expired");
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return detail_set(why, STATUS_OUT_OF_DATE, "the server's certificate is not valid yet");
    default:
        return detail_set(why, STATUS_UNTRUSTED, "the server's certificate is not trusted: %s",
                          X509_verify_cert_error_string(failure->verdict));
    }
}

/* What the server said when it ended the handshake: "alert unknown ca", behind the last of
 * OpenSSL's colons, before the errno. STATUS_OK: nothing. */
static enum status http_failure_alert(const struct http_failure *failure, struct detail *why)
{
    const char *alert = strstr(failure->said, " alert ");
    if (!alert)
        return STATUS_OK;
    int len = (int)strcspn(++alert, ",");
    if (strncmp(alert, "alert protocol version", (size_t)len) == 0)
        return detail_set(why, STATUS_BAD_REPLY, "the server speaks no TLS 1.2 or later (TLS %.*s)",
                          len, alert);
    if (!failure->is_cert_asked)
        return detail_set(why, STATUS_BAD_REPLY, "the server ended the TLS handshake (TLS %.*s)",
                          len, alert);
    return detail_set(why, STATUS_CLIENT_CERT,
                      failure->has_cert ? "the server refused the client certificate (TLS %.*s)"
                                        : "the server demands a client certificate (TLS %.*s)",
                      len, alert);
}

/* The handshake failed on this side. STATUS_OK: for no reason that has a sentence here. */
static enum status http_failure_handshake(const struct http_failure *failure, struct detail *why)
{
    static const char *const no_tls[] = {"wrong version number", "packet length too long",
                                         "http request", "unknown protocol",
                                         "record layer failure"};
    for (size_t i = 0; i < sizeof(no_tls) / sizeof(no_tls[0]); i++)
        if (strstr(failure->said, no_tls[i]))
            return detail_set(why, STATUS_NOT_TLS, "what answers there is not TLS");
    if (strstr(failure->said, "unsupported protocol"))
        return detail_set(why, STATUS_BAD_REPLY, "the server speaks no TLS 1.2 or later");
    /* The socket's end, without a reason from OpenSSL or the server; libcurl keeps the first of its
     * sentences about one failure. */
    bool is_socket = strstr(failure->said, "SYSCALL") || strstr(failure->said, "Recv failure") ||
                     strstr(failure->said, "Send failure");
    if (!failure->is_cert_asked && is_socket)
        return detail_set(why, STATUS_NOT_TLS, "the connection was closed in the TLS handshake");
    return STATUS_OK;
}

static bool http_failure_is_broken(CURLcode code)
{
    return code == CURLE_SSL_CONNECT_ERROR || code == CURLE_RECV_ERROR ||
           code == CURLE_SEND_ERROR || code == CURLE_GOT_NOTHING || code == CURLE_COULDNT_CONNECT;
}

/* STATUS_OK: it is not about TLS. */
static enum status http_failure_tls(const struct http_failure *failure, struct detail *why)
{
    if (failure->code == CURLE_PEER_FAILED_VERIFICATION)
        return http_failure_certificate(failure, why);
    if (!http_failure_is_broken(failure->code))
        return STATUS_OK;
    enum status status = http_failure_alert(failure, why);
    if (status == STATUS_OK && failure->code == CURLE_SSL_CONNECT_ERROR)
        status = http_failure_handshake(failure, why);
    /* In TLS 1.3 a server refuses a client's certificate when the client has begun to send; what
     * the server said may be lost in the reset that follows. */
    if (status == STATUS_OK && failure->is_cert_asked && !failure->has_status)
        status = detail_set(why, STATUS_CLIENT_CERT,
                            "the server asked for a client certificate and then closed the "
                            "connection");
    return status;
}

enum status http_failure_explain(const struct http_failure *failure, struct detail *why)
{
    if (failure->code == CURLE_OUT_OF_MEMORY)
        return detail_set(why, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
    enum status status = http_failure_tls(failure, why);
    if (status != STATUS_OK)
        return status;
    bool is_connect = failure->code == CURLE_COULDNT_CONNECT && failure->os_errno != 0;
    const char *said = failure->said[0] ? failure->said : curl_easy_strerror(failure->code);
    if (is_connect) /* libcurl's sentence repeats the address */
        said = strerror((int)failure->os_errno);
    else if (failure->code == CURLE_GOT_NOTHING)
        said = "the connection was closed";
    else if (failure->code == CURLE_PARTIAL_FILE)
        said = "the reply was cut off";
    detail_set(why, STATUS_UNREACHABLE, "%s", said);
    if (is_connect)
        why->text[0] = (char)tolower((unsigned char)why->text[0]);
    return STATUS_UNREACHABLE;
}
