/* The files of TLS, and requests that use them, with the n-th allocation failing, for all n: a file is not blamed for it, and
 * no request goes out that trusts others than it should, or that lacks its certificate. */
#include "registry/net/http_client.h"
#include "registry/net/tls_files.h"
#include "support/allocation.h"
#include "support/certificate.h"
#include "support/http_asker.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char directory[] = "/tmp/empusa-memory-XXXXXX";
static char both[64];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    snprintf(both, sizeof(both), "%s/both.pem", directory);
    certificate_write(both);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(both);
    return rmdir(directory);
}

static void no_file_is_blamed(void **state)
{
    const struct tls_files_paths rows[] = {
        {both, both, NULL}, {both, both, both}, {directory, NULL, NULL}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool has_failed = true;
        for (unsigned n = 0; has_failed; n++) {
            struct tls_files *tls = NULL;
            struct detail why = {""};
            allocation_begin(n);
            enum status status = tls_files_load(&rows[i], false, &tls, &why);
            has_failed = allocation_end();
            assert_int_equal(status, has_failed ? STATUS_NO_MEMORY : STATUS_OK);
            assert_string_equal(why.text, has_failed ? "out of memory" : "");
            assert_int_equal(tls == NULL, has_failed);
            assert_int_equal(ERR_peek_error(), 0);
            tls_files_free(tls);
        }
    }
}

/* Started, or not at all: none that libcurl did not take whole. */
static void a_request_has_all_its_options_or_is_none(void **state)
{
    const struct tls_files_paths rows[] = {{both, both, NULL}, {directory, NULL, NULL}};
    const struct http_client_options options = {
        .addresses = "x:1:127.0.0.1", .connect_to = "x:1:y:2", .body = "b", .body_len = 1};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool has_failed = true;
        unsigned n = 0;
        for (; has_failed; n++) {
            struct http_outcome outcome;
            struct tls_files *tls;
            http_asker_open();
            assert_int_equal(tls_files_load(&rows[i], false, &tls, NULL), STATUS_OK);
            http_client_set_tls(http_asker.http, tls);
            tls_files_free(tls);
            allocation_begin(n);
            bool has_begun = http_asker_begin("/good", options, &outcome);
            has_failed = allocation_end();
            /* The last that may fail is to be added: it ends a moment later. */
            assert_true(CLIENT_LOOP_UNTIL(&http_asker.client, !has_begun || outcome.done, 5000));
            if (has_begun)
                assert_int_equal(outcome.result.code, has_failed ? CURLE_OUT_OF_MEMORY : CURLE_OK);
            http_asker_close();
        }
        assert_true(n > 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_file_is_blamed),
                                       cmocka_unit_test(a_request_has_all_its_options_or_is_none)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
