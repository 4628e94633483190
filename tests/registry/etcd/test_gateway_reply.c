#include "registry/etcd/gateway_reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    long http_status;
    const char *body;
    enum status status;
    enum gateway_reply_class class;
    const char *message;
} errors[] = {
    {400,
     "{\"error\":\"etcdserver: user name is empty\",\"message\":\"etcdserver: user name is "
     "empty\",\"code\":3}",
     STATUS_DENIED, GATEWAY_REPLY_TOKEN, "etcdserver: user name is empty"},
    {400, "{\"code\":3, \"message\":\"etcdserver: user name is empty\"}", STATUS_DENIED,
     GATEWAY_REPLY_TOKEN, "etcdserver: user name is empty"},
    {401, "{\"code\":16, \"message\":\"etcdserver: invalid auth token\", \"details\":[]}",
     STATUS_DENIED, GATEWAY_REPLY_TOKEN, "etcdserver: invalid auth token"},
    {412, "{\"error\":\"etcdserver: authentication is not enabled\",\"code\":9}", STATUS_DENIED,
     GATEWAY_REPLY_NO_AUTH, "etcdserver: authentication is not enabled"},
    {400, "{\"error\":\"etcdserver: authentication failed, invalid user ID or password\"}",
     STATUS_DENIED, GATEWAY_REPLY_FINAL, NULL},
    {500, "{\"error\":\"auth: revision in header is old\",\"code\":2}", STATUS_DENIED,
     GATEWAY_REPLY_TOKEN, NULL},
    {403, "{\"error\":\"etcdserver: permission denied\",\"code\":7}", STATUS_DENIED,
     GATEWAY_REPLY_PERMISSION, NULL},
    {400, "CommonName of client sending a request against gateway will be ignored", STATUS_DENIED,
     GATEWAY_REPLY_FINAL, NULL},
    {404, "{\"error\":\"etcdserver: requested lease not found\",\"code\":5}", STATUS_NOT_FOUND,
     GATEWAY_REPLY_FINAL, NULL},
    {412, "{\"error\":\"etcdserver: lease already exists\",\"code\":9}", STATUS_CONFLICT,
     GATEWAY_REPLY_FINAL, NULL},
    {400, "{\"error\":\"etcdserver: mvcc: required revision has been compacted\",\"code\":11}",
     STATUS_COMPACTED, GATEWAY_REPLY_FINAL, NULL},
    {400, "{\"error\":\"etcdserver: mvcc: required revision is a future revision\",\"code\":11}",
     STATUS_COMPACTED, GATEWAY_REPLY_FINAL, NULL},
    {400, "{\"code\":11, \"message\":\"etcdserver: too large lease TTL\"}", STATUS_REFUSED,
     GATEWAY_REPLY_FINAL, NULL},
    {400, "{\"code\":3, \"message\":\"etcdserver: duplicate key given in txn request\"}",
     STATUS_REFUSED, GATEWAY_REPLY_FINAL, NULL},
    {400, "{\"error\":\"etcdserver: too many operations in txn request\",\"code\":3}",
     STATUS_TOO_MANY, GATEWAY_REPLY_FINAL, NULL},
    {429, "{\"error\":\"grpc: received message larger than max (5 vs. 4)\",\"code\":8}",
     STATUS_TOO_LARGE, GATEWAY_REPLY_FINAL, NULL},
    {429, "{\"error\":\"etcdserver: mvcc: database space exceeded\",\"code\":8}", STATUS_NO_SPACE,
     GATEWAY_REPLY_FINAL, NULL},
    {429, "{\"error\":\"etcdserver: too many requests\",\"code\":8}", STATUS_UNREACHABLE,
     GATEWAY_REPLY_UNDONE, NULL},
    {503, "{\"error\":\"etcdserver: request timed out\",\"code\":14}", STATUS_TIMED_OUT,
     GATEWAY_REPLY_UNKNOWN, NULL},
    {503, "{\"error\":\"etcdserver: leader changed\",\"code\":14}", STATUS_UNREACHABLE,
     GATEWAY_REPLY_UNKNOWN, NULL},
    {500, "{\"error\":\"context deadline exceeded\",\"code\":2}", STATUS_TIMED_OUT,
     GATEWAY_REPLY_UNKNOWN, NULL},
    {408, "{\"error\":\"grpc: the client connection is closing\",\"code\":1}", STATUS_UNREACHABLE,
     GATEWAY_REPLY_UNKNOWN, NULL},
    /* the tail of a stream, both dialects */
    {200,
     "{\"error\":{\"grpc_code\":14,\"http_code\":503,\"message\":\"etcdserver: no leader\","
     "\"http_status\":\"Service Unavailable\"}}",
     STATUS_UNREACHABLE, GATEWAY_REPLY_UNDONE, "etcdserver: no leader"},
    {200, "{\"error\":{\"code\":14,\"message\":\"error reading from server: EOF\"}}\n",
     STATUS_UNREACHABLE, GATEWAY_REPLY_UNKNOWN, "error reading from server: EOF"},
    /* no such path */
    {404, "Not Found\n", STATUS_BAD_REPLY, GATEWAY_REPLY_PATH, "HTTP status 404: Not Found"},
    {404, "404 page not found", STATUS_BAD_REPLY, GATEWAY_REPLY_PATH, NULL},
    {404, "{\"code\":5, \"message\":\"Not Found\"}", STATUS_BAD_REPLY, GATEWAY_REPLY_PATH,
     "Not Found"},
    {501, "{\"code\":12, \"message\":\"Method Not Allowed\"}", STATUS_BAD_REPLY, GATEWAY_REPLY_PATH,
     NULL},
    {405, "Method Not Allowed\n", STATUS_BAD_REPLY, GATEWAY_REPLY_PATH,
     "HTTP status 405: Method Not Allowed"},
    {405, "{\"code\":12, \"message\":\"Method Not Allowed\"}", STATUS_BAD_REPLY, GATEWAY_REPLY_PATH,
     NULL},
    {400, "Bad Request", STATUS_BAD_REPLY, GATEWAY_REPLY_UNDONE, NULL},
    /* not etcd's words */
    {421, "", STATUS_BAD_REPLY, GATEWAY_REPLY_UNDONE, "HTTP status 421"},
    {502, "<html>\x1b[2J\n</html>", STATUS_UNREACHABLE, GATEWAY_REPLY_UNKNOWN,
     "HTTP status 502: <html> [2J </html>"},
    {400, "{\"error\":{}}", STATUS_BAD_REPLY, GATEWAY_REPLY_UNDONE, NULL},
    {400, "{\"message\":7}", STATUS_BAD_REPLY, GATEWAY_REPLY_UNDONE, NULL},
};

static void errors_are_told_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        struct gateway_reply_error error;
        gateway_reply_error(errors[i].http_status, errors[i].body, strlen(errors[i].body), &error);
        assert_int_equal(error.status, errors[i].status);
        assert_int_equal(error.class, errors[i].class);
        assert_true(error.message[0] && strlen(error.message) < sizeof(error.message));
        if (errors[i].message)
            assert_string_equal(error.message, errors[i].message);
    }
    struct gateway_reply_error none;
    gateway_reply_error(503, NULL, 0, &none);
    assert_string_equal(none.message, "HTTP status 503");
}

static void reasons_of_a_cancelled_watch_are_known(void **state)
{
    (void)state;
    struct gateway_reply_error error;
    gateway_reply_error_message(
        "rpc error: code = PermissionDenied desc = etcdserver: permission denied", &error);
    assert_int_equal(error.status, STATUS_DENIED);
    assert_int_equal(error.class, GATEWAY_REPLY_PERMISSION);
    gateway_reply_error_message(
        "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token", &error);
    assert_int_equal(error.class, GATEWAY_REPLY_TOKEN);
    gateway_reply_error_message("rpc error: code = Unauthenticated desc = other words", &error);
    assert_int_equal(error.class, GATEWAY_REPLY_TOKEN);
}

static const struct {
    const char *text;
    bool is_good;
    const char *key;
    size_t value_len;
    int64_t create, mod, version, lease;
} kvs[] = {
    {"{\"key\":\"Zm9v\",\"create_revision\":\"2\",\"mod_revision\":\"9007199254740993\","
     "\"version\":\"4\",\"value\":\"YmEAcg==\",\"lease\":\"7587862094710857752\"}",
     true, "foo", 4, 2, INT64_C(9007199254740993), 4, INT64_C(7587862094710857752)},
    {"{\"key\":\"Zm9v\",\"mod_revision\":16}", true, "foo", 0, 0, 16, 0, 0},
    {"{\"mod_revision\":\"16\"}", false, "", 0, 0, 0, 0, 0},
    {"{\"key\":\"Zm9\"}", false, "", 0, 0, 0, 0, 0},
    {"{\"key\":7}", false, "", 0, 0, 0, 0, 0},
    {"{\"key\":\"Zm9v\",\"mod_revision\":\"1\",\"value\":{}}", false, "", 0, 0, 0, 0, 0},
    {"{\"key\":\"Zm9v\",\"key\":\"Zm9v\"}", false, "", 0, 0, 0, 0, 0},
    {"[]", false, "", 0, 0, 0, 0, 0},
};

static void key_values_are_decoded(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(kvs) / sizeof(kvs[0]); i++) {
        struct kv kv;
        cJSON *root = cJSON_Parse(kvs[i].text);
        assert_int_equal(gateway_reply_kv(root, &kv), kvs[i].is_good);
        if (kvs[i].is_good) {
            assert_string_equal(kv.key, kvs[i].key);
            assert_int_equal(kv.key_len, strlen(kvs[i].key));
            assert_int_equal(kv.value_len, kvs[i].value_len);
            assert_int_equal(kv.create_revision, kvs[i].create);
            assert_int_equal(kv.mod_revision, kvs[i].mod);
            assert_int_equal(kv.version, kvs[i].version);
            assert_int_equal(kv.lease, kvs[i].lease);
        }
        cJSON_Delete(root);
    }
    assert_false(gateway_reply_kv(NULL, &(struct kv){0}));
}

static void numbers_of_64_bits_survive(void **state)
{
    (void)state;
    struct gateway_reply_header header;
    cJSON *root =
        cJSON_Parse("{\"header\":{\"cluster_id\":\"18446744073709551615\",\"member_id\":5,"
                    "\"revision\":\"9223372036854775806\"}}");
    assert_true(gateway_reply_header(root, &header));
    assert_true(header.cluster_id == UINT64_MAX && header.revision == INT64_MAX - 1);
    assert_true(header.member_id == 5 && header.raft_term == 0);
    assert_false(gateway_reply_header(cJSON_GetObjectItem(root, "header"), &header));
    assert_false(gateway_reply_header(NULL, &header));
    cJSON_Delete(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_told_apart),
        cmocka_unit_test(reasons_of_a_cancelled_watch_are_known),
        cmocka_unit_test(key_values_are_decoded),
        cmocka_unit_test(numbers_of_64_bits_survive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
