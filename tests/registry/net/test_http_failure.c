#include "registry/net/http_failure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <openssl/x509_vfy.h>
#include <string.h>

#define OPENSSL "OpenSSL SSL_connect: "
#define ALERT   "OpenSSL SSL_read: error:0A000415:SSL routines::"

/* What libcurl 7.88 with OpenSSL 3.0 says of real servers. */
static const struct {
    struct http_failure failure;
    enum status status;
    const char *text;
} rows[] = {
    {{CURLE_COULDNT_CONNECT, "Failed to connect to a port 1", ECONNREFUSED, 0, false, false, false},
     STATUS_UNREACHABLE,
     "connection refused"},
    {{CURLE_GOT_NOTHING, "Empty reply from server", 0, 0, false, false, false},
     STATUS_UNREACHABLE,
     "the connection was closed"},
    {{CURLE_OUT_OF_MEMORY, "", 0, 0, false, true, false}, STATUS_NO_MEMORY, "out of memory"},
    {{CURLE_PARTIAL_FILE, "transfer closed", 0, 0, true, false, false},
     STATUS_UNREACHABLE,
     "the reply was cut off"},
    {{CURLE_OPERATION_TIMEDOUT, "", 0, 0, false, false, false},
     STATUS_UNREACHABLE,
     "Timeout was reached"},
    {{CURLE_SSL_CONNECT_ERROR, OPENSSL "SSL_ERROR_SYSCALL in connection to a:1 ", 0, 0, false,
      false, false},
     STATUS_NOT_TLS,
     "the connection was closed in the TLS handshake"},
    {{CURLE_SSL_CONNECT_ERROR, "Recv failure: Connection reset by peer", 0, 0, false, false, true},
     STATUS_NOT_TLS,
     "the connection was closed in the TLS handshake"},
    {{CURLE_SSL_CONNECT_ERROR, OPENSSL "error:0A00010B:SSL routines::wrong version number", 0, 0,
      false, false, false},
     STATUS_NOT_TLS,
     "what answers there is not TLS"},
    {{CURLE_SSL_CONNECT_ERROR, OPENSSL "error:0A000102:SSL routines::unsupported protocol", 0, 0,
      false, false, false},
     STATUS_BAD_REPLY,
     "the server speaks no TLS 1.2 or later"},
    {{CURLE_SSL_CONNECT_ERROR, OPENSSL "error:0A00042E:SSL routines::tlsv1 alert protocol version",
      0, 0, false, false, true},
     STATUS_BAD_REPLY,
     "the server speaks no TLS 1.2 or later (TLS alert protocol version)"},
    {{CURLE_SSL_CONNECT_ERROR, OPENSSL "error:0A000410:SSL routines::sslv3 alert handshake failure",
      0, 0, false, false, true},
     STATUS_BAD_REPLY,
     "the server ended the TLS handshake (TLS alert handshake failure)"},
    {{CURLE_SSL_CONNECT_ERROR, OPENSSL "error:0A000410:SSL routines::sslv3 alert handshake failure",
      0, 0, false, true, false},
     STATUS_CLIENT_CERT,
     "the server demands a client certificate (TLS alert handshake failure)"},
    {{CURLE_RECV_ERROR, ALERT "tlsv13 alert certificate required, errno 0", 0, 0, false, true,
      false},
     STATUS_CLIENT_CERT,
     "the server demands a client certificate (TLS alert certificate required)"},
    {{CURLE_RECV_ERROR, ALERT "tlsv1 alert unknown ca, errno 0", 0, 0, false, true, true},
     STATUS_CLIENT_CERT,
     "the server refused the client certificate (TLS alert unknown ca)"},
    {{CURLE_SEND_ERROR, "select/poll returned error", 0, 0, false, true, true},
     STATUS_CLIENT_CERT,
     "the server asked for a client certificate and then closed the connection"},
    /* It had answered: the certificate was good. */
    {{CURLE_RECV_ERROR, "Recv failure: Connection reset by peer", 0, 0, true, true, true},
     STATUS_UNREACHABLE,
     "Recv failure: Connection reset by peer"},
    {{CURLE_RECV_ERROR, "Recv failure: Connection reset by peer", 0, 0, false, false, true},
     STATUS_UNREACHABLE,
     "Recv failure: Connection reset by peer"},
    {{CURLE_PEER_FAILED_VERIFICATION, "SSL certificate problem: x", 0, X509_V_ERR_CERT_HAS_EXPIRED,
      false, false, false},
     STATUS_OUT_OF_DATE,
     "the server's certificate has expired"},
    {{CURLE_PEER_FAILED_VERIFICATION, "", 0, X509_V_ERR_CERT_NOT_YET_VALID, false, false, false},
     STATUS_OUT_OF_DATE,
     "the server's certificate is not valid yet"},
    {{CURLE_PEER_FAILED_VERIFICATION, "", 0, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, false,
      false, false},
     STATUS_UNTRUSTED,
     "the server's certificate is not trusted: unable to get local issuer certificate"},
    {{CURLE_PEER_FAILED_VERIFICATION,
      "SSL: no alternative certificate subject name matches target host name 'etcd'", 0, 1, false,
      false, false},
     STATUS_OTHER_NAME,
     "the server's certificate is not for 'etcd'"},
};

static void each_failure_has_its_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct detail why = {""};
        enum status status = http_failure_explain(&rows[i].failure, &why);
        assert_string_equal(why.text, rows[i].text);
        assert_int_equal(status, rows[i].status);
        bool is_tls = status != STATUS_UNREACHABLE && status != STATUS_BAD_REPLY &&
                      status != STATUS_NO_MEMORY;
        assert_int_equal(status_is_tls(status), is_tls);
    }
}

static void the_longest_sentence_of_libcurl_is_whole(void **state)
{
    char said[CURL_ERROR_SIZE];
    struct detail why;
    (void)state;
    memset(said, 'x', sizeof(said) - 1);
    said[sizeof(said) - 1] = '\0';
    struct http_failure failure = {.code = CURLE_RECV_ERROR, .said = said};
    assert_int_equal(http_failure_explain(&failure, &why), STATUS_UNREACHABLE);
    assert_string_equal(why.text, said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_failure_has_its_sentence),
        cmocka_unit_test(the_longest_sentence_of_libcurl_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
