#include "http_failure.h"

#include <ctype.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>

/* The sentence that is being made. */
struct http_failure_text {
    char *out;
    size_t size;
};

PRINTF_LIKE(3, 4)
static enum status http_failure_set(const struct http_failure_text *text, enum status status,
                                    const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(text->out, text->size, format, args);
    va_end(args);
    return status;
}

/* The server's certificate was found wanting. */
static enum status http_failure_certificate(const struct http_failure *failure,
                                            const struct http_failure_text *text)
{
    /* libcurl compares the names itself, and leaves OpenSSL's verdict as it was. */
    const char *host = strstr(failure->said, "host name ");
    if (host)
        return http_failure_set(text, STATUS_OTHER_NAME, "the server's certificate is not for %s",
                                host + strlen("host name "));
    switch (failure->verdict) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return http_failure_set(text, STATUS_OUT_OF_DATE, "the server's certificate has expired");
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return http_failure_set(text, STATUS_OUT_OF_DATE,
                                "the server's certificate is not valid yet");
    default:
        return http_failure_set(text, STATUS_UNTRUSTED,
                                "the server's certificate is not trusted: %s",
                                X509_verify_cert_error_string(failure->verdict));
    }
}

/* What the server said when it ended the handshake: "alert unknown ca", behind the last of
 * OpenSSL's colons, before the errno. STATUS_OK: nothing. */
static enum status http_failure_alert(const struct http_failure *failure,
                                      const struct http_failure_text *text)
{
    const char *alert = strstr(failure->said, " alert ");
    if (!alert)
        return STATUS_OK;
    int len = (int)strcspn(++alert, ",");
    if (strncmp(alert, "alert protocol version", (size_t)len) == 0)
        return http_failure_set(text, STATUS_BAD_REPLY,
                                "the server speaks no TLS 1.2 or later (TLS %.*s)", len, alert);
    if (!failure->is_cert_asked)
        return http_failure_set(text, STATUS_BAD_REPLY,
                                "the server ended the TLS handshake (TLS %.*s)", len, alert);
    return http_failure_set(text, STATUS_CLIENT_CERT,
                            failure->has_cert
                                ? "the server refused the client certificate (TLS %.*s)"
                                : "the server demands a client certificate (TLS %.*s)",
                            len, alert);
}

/* The handshake failed on this side. STATUS_OK: for no reason that has a sentence here. */
static enum status http_failure_handshake(const struct http_failure *failure,
                                          const struct http_failure_text *text)
{
    static const char *const no_tls[] = {"wrong version number", "packet length too long",
                                         "http request", "unknown protocol",
                                         "record layer failure"};
    for (size_t i = 0; i < sizeof(no_tls) / sizeof(no_tls[0]); i++)
        if (strstr(failure->said, no_tls[i]))
            return http_failure_set(text, STATUS_NOT_TLS, "what answers there is not TLS");
    if (strstr(failure->said, "unsupported protocol"))
        return http_failure_set(text, STATUS_BAD_REPLY, "the server speaks no TLS 1.2 or later");
    /* The socket's end, without a reason from OpenSSL or the server; libcurl keeps the first of its
     * sentences about one failure. */
    bool is_socket = strstr(failure->said, "SYSCALL") || strstr(failure->said, "Recv failure") ||
                     strstr(failure->said, "Send failure");
    if (!failure->is_cert_asked && is_socket)
        return http_failure_set(text, STATUS_NOT_TLS,
                                "the connection was closed in the TLS handshake");
    return STATUS_OK;
}

static bool http_failure_is_broken(CURLcode code)
{
    return code == CURLE_SSL_CONNECT_ERROR || code == CURLE_RECV_ERROR ||
           code == CURLE_SEND_ERROR || code == CURLE_GOT_NOTHING || code == CURLE_COULDNT_CONNECT;
}

/* STATUS_OK: it is not about TLS. */
static enum status http_failure_tls(const struct http_failure *failure,
                                    const struct http_failure_text *text)
{
    if (failure->code == CURLE_PEER_FAILED_VERIFICATION)
        return http_failure_certificate(failure, text);
    if (!http_failure_is_broken(failure->code))
        return STATUS_OK;
    enum status status = http_failure_alert(failure, text);
    if (status == STATUS_OK && failure->code == CURLE_SSL_CONNECT_ERROR)
        status = http_failure_handshake(failure, text);
    /* In TLS 1.3 a server refuses a client's certificate when the client has begun to send; what
     * the server said may be lost in the reset that follows. */
    if (status == STATUS_OK && failure->is_cert_asked && !failure->has_status)
        status = http_failure_set(text, STATUS_CLIENT_CERT,
                                  "the server asked for a client certificate and then closed the "
                                  "connection");
    return status;
}

enum status http_failure_explain(const struct http_failure *failure, char *out, size_t size)
{
    const struct http_failure_text text = {out, size};
    enum status status = http_failure_tls(failure, &text);
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
    http_failure_set(&text, STATUS_UNREACHABLE, "%s", said);
    if (is_connect)
        out[0] = (char)tolower((unsigned char)out[0]);
    return STATUS_UNREACHABLE;
}
