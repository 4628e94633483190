#include "http_handle.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>

#define HTTP_HANDLE_KEEPALIVE_IDLE_S     5
#define HTTP_HANDLE_KEEPALIVE_INTERVAL_S 2
#define HTTP_HANDLE_USER_TIMEOUT_MS      8000

/* libcurl copies strings, so each may lack memory. A request without one of them would be another:
 * without its addresses libcurl looks the name up itself and may reach another host, without its
 * authorities it trusts the system's, without CURLOPT_NOPROXY it obeys the environment. So whichever
 * fails, the request does. */
#define HTTP_HANDLE_SET(request, option, value)                                                    \
    ((request)->lacks_option |= curl_easy_setopt((request)->easy, option, value) != CURLE_OK)

static size_t http_handle_on_data(char *octets, size_t size, size_t count, void *arg)
{
    struct http_client_request *request = arg;
    long status = 0;
    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
    size_t len = size * count;
    /* libcurl takes any other number than `len` for a failure. */
    if (request->is_cancelled || !request->data(request->arg, status, octets, len))
        return len ? 0 : 1;
    return len;
}

/* libcurl sends a request again by itself when a kept connection closes before the first octet
 * of the answer. The server may have executed it, so a write that must happen at most once
 * (is_once) is stopped before its second sending. */
static int http_handle_on_send(void *arg, char *ip, char *local_ip, int port, int local_port)
{
    struct http_client_request *request = arg;
    (void)ip, (void)local_ip, (void)port, (void)local_port;
    if (request->is_cancelled || (request->is_once && request->sends > 0))
        return CURL_PREREQFUNC_ABORT;
    request->sends++;
    return CURL_PREREQFUNC_OK;
}

/* So that a dead link is noticed within seconds, also by a watch, which sends nothing. With it the
 * kernel ends a connection whose keep-alive probes nobody has answered for so long, however many it
 * would send (tcp(7)). */
static int http_handle_on_socket(void *arg, curl_socket_t fd, curlsocktype purpose)
{
    const unsigned timeout_ms = HTTP_HANDLE_USER_TIMEOUT_MS;
    (void)arg, (void)purpose;
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
    return CURL_SOCKOPT_OK;
}

/* Not copied: the request holds a reference to its struct tls_files. */
static void http_handle_set_blob(struct http_client_request *request, CURLoption option,
                                 const struct file *file)
{
    struct curl_blob blob = {file->data, file->len, CURL_BLOB_NOCOPY};
    if (file->data)
        HTTP_HANDLE_SET(request, option, &blob);
}

/* OpenSSL calls this when the server requests a client certificate, whether or not we have one.
 * http_failure.c needs to know: a handshake that fails after it mostly failed for that. TLS 1.3 lets
 * a server ask on a kept connection, too (a proxy, by the path). The request that opened it is gone
 * then: so the connection knows the client alone, which outlives it, and the request is the one that
 * uses it now. */
static int http_handle_on_cert_asked(SSL *ssl, void *arg)
{
    struct http_client *http = arg;
    struct http_client_request *request;
    LIST_FOREACH(request, &http->requests, node)
    {
        struct curl_tlssessioninfo *session = NULL;
        if (curl_easy_getinfo(request->easy, CURLINFO_TLS_SSL_PTR, &session) == CURLE_OK &&
            session->internals == ssl)
            request->is_cert_asked = true;
    }
    return 1; /* go on, with what libcurl has set */
}

static CURLcode http_handle_on_context(CURL *easy, void *context, void *arg)
{
    (void)easy;
    /* Only servers of TLS 1.2 renegotiate, and etcd is none that does. */
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_cert_cb(context, http_handle_on_cert_asked, arg);
    return CURLE_OK;
}

/* Whoever names authorities trusts no others, so libcurl's defaults are cleared: it would trust the
 * system's directory as well. */
static void http_handle_use_tls(struct http_client_request *request)
{
    const struct tls_files *tls = request->tls;
    if (tls->ca.data || tls->ca_directory) {
        HTTP_HANDLE_SET(request, CURLOPT_CAINFO, NULL);
        HTTP_HANDLE_SET(request, CURLOPT_CAPATH, tls->ca_directory);
    }
    http_handle_set_blob(request, CURLOPT_CAINFO_BLOB, &tls->ca);
    http_handle_set_blob(request, CURLOPT_SSLCERT_BLOB, &tls->cert);
    http_handle_set_blob(request, CURLOPT_SSLKEY_BLOB, &tls->key);
    HTTP_HANDLE_SET(request, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    HTTP_HANDLE_SET(request, CURLOPT_SSL_CTX_FUNCTION, http_handle_on_context);
    HTTP_HANDLE_SET(request, CURLOPT_SSL_CTX_DATA, request->http);
}

static void http_handle_set_callbacks(struct http_client_request *request)
{
    HTTP_HANDLE_SET(request, CURLOPT_PRIVATE, request);
    HTTP_HANDLE_SET(request, CURLOPT_ERRORBUFFER, request->error);
    HTTP_HANDLE_SET(request, CURLOPT_WRITEFUNCTION, http_handle_on_data);
    HTTP_HANDLE_SET(request, CURLOPT_WRITEDATA, request);
    HTTP_HANDLE_SET(request, CURLOPT_PREREQFUNCTION, http_handle_on_send);
    HTTP_HANDLE_SET(request, CURLOPT_PREREQDATA, request);
    HTTP_HANDLE_SET(request, CURLOPT_SOCKOPTFUNCTION, http_handle_on_socket);
}

/* Where to connect to. */
static void http_handle_set_place(struct http_client_request *request, CURLoption option,
                                  const char *text, struct curl_slist **list)
{
    if (!text || !text[0])
        return;
    *list = curl_slist_append(NULL, text);
    request->lacks_option |= !*list;
    HTTP_HANDLE_SET(request, option, *list);
}

bool http_handle_set_options(struct http_client_request *request,
                             const struct http_client_options *options)
{
    http_handle_set_callbacks(request);
    http_handle_use_tls(request);
    HTTP_HANDLE_SET(request, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    HTTP_HANDLE_SET(request, CURLOPT_PROTOCOLS_STR, "http,https");
    HTTP_HANDLE_SET(request, CURLOPT_NOPROXY, "*");
    /* Else libcurl ignores SIGPIPE during each call and then puts back what it found, which another
     * thread may have changed meanwhile. */
    HTTP_HANDLE_SET(request, CURLOPT_NOSIGNAL, 1L);
    HTTP_HANDLE_SET(request, CURLOPT_TCP_KEEPALIVE, 1L);
    HTTP_HANDLE_SET(request, CURLOPT_TCP_KEEPIDLE, (long)HTTP_HANDLE_KEEPALIVE_IDLE_S);
    HTTP_HANDLE_SET(request, CURLOPT_TCP_KEEPINTVL, (long)HTTP_HANDLE_KEEPALIVE_INTERVAL_S);
    HTTP_HANDLE_SET(request, CURLOPT_TIMEOUT_MS, (long)options->timeout_ms);
    if (options->buffer_len)
        HTTP_HANDLE_SET(request, CURLOPT_BUFFERSIZE, (long)options->buffer_len);
    if (request->headers)
        HTTP_HANDLE_SET(request, CURLOPT_HTTPHEADER, request->headers);
    http_handle_set_place(request, CURLOPT_RESOLVE, options->addresses, &request->addresses);
    http_handle_set_place(request, CURLOPT_CONNECT_TO, options->connect_to, &request->connect_to);
    if (options->body) {
        /* Before the body, of which libcurl else copies strlen() octets. */
        HTTP_HANDLE_SET(request, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)options->body_len);
        HTTP_HANDLE_SET(request, CURLOPT_COPYPOSTFIELDS, options->body);
    }
    HTTP_HANDLE_SET(request, CURLOPT_URL, options->url);
    return !request->lacks_option;
}
