/* A transaction's reply against what was asked: taken only if it fits in every part. */
#include "registry/etcd/txn_reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEADER "\"header\":{\"cluster_id\":\"1\",\"member_id\":\"2\",\"revision\":\"7\"}"
#define YES    "{" HEADER ",\"succeeded\":true,\"responses\":"
#define NO     "{" HEADER ",\"responses\":"
#define KV(key, mod)                                                                               \
    "{\"key\":\"" key "\",\"create_revision\":\"3\",\"mod_revision\":\"" mod                       \
    "\",\"value\":\"dg==\"}"
#define A         KV("YQ==", "3")
#define B         KV("Yg==", "4")
#define PUT       "{\"response_put\":{" HEADER "}}"
#define DELETED   "{\"response_delete_range\":{" HEADER ",\"deleted\":\"2\"}}"
#define GET(rest) "{\"response_range\":{" HEADER rest "}}"
#define FOUND_A   GET(",\"kvs\":[" A "],\"count\":\"1\"")

/* On success: put, delete, get "a", get "b". Else: get "b". */
static const struct kv_op success[] = {
    {.kind = KV_PUT, .key = "x", .key_len = 1},
    {.kind = KV_DELETE, .key = "x", .key_len = 1},
    {.kind = KV_GET, .key = "a", .key_len = 1},
    {.kind = KV_GET, .key = "b", .key_len = 1},
};
static const struct kv_op failure[] = {{.kind = KV_GET, .key = "b", .key_len = 1}};
static const struct kv_txn txn = {
    .success = success, .success_count = 4, .failure = failure, .failure_count = 1};

static struct txn_shape shape;

static int setup(void **state)
{
    (void)state;
    return txn_shape_init(&shape, &txn) == STATUS_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    txn_shape_clear(&shape);
    return 0;
}

static void a_reply_that_fits_is_told(void **state)
{
    static const char text[] =
        YES "[" PUT "," DELETED "," FOUND_A "," GET(",\"kvs\":[" B "],\"count\":\"1\"") "]}";
    struct txn_reply reply;
    (void)state;
    assert_int_equal(txn_reply_read(&shape, text, strlen(text), &reply), STATUS_OK);
    const struct kv_txn_result *result = &reply.result;
    assert_true(result->succeeded);
    assert_int_equal(result->revision, 7);
    assert_int_equal(result->op_count, 4);
    assert_false(result->ops[0].is_found);
    assert_int_equal(result->ops[1].deleted, 2);
    assert_true(result->ops[2].is_found);
    assert_memory_equal(result->ops[2].kv.key, "a", 2);
    assert_int_equal(result->ops[2].kv.mod_revision, 3);
    assert_memory_equal(result->ops[2].kv.value, "v", 2);
    assert_true(result->ops[3].is_found);
    assert_memory_equal(result->ops[3].kv.key, "b", 2);
    txn_reply_clear(&reply);
    assert_null(reply.ops);
    txn_reply_clear(&reply); /* an empty one is nothing */
}

static void what_is_not_found_is_none(void **state)
{
    static const char *const texts[] = {NO "[" GET("") "]}", NO "[" GET(",\"count\":\"0\"") "]}",
                                        NO "[" GET(",\"kvs\":[]") "]}"};
    struct txn_reply reply;
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(txn_reply_read(&shape, texts[i], strlen(texts[i]), &reply), STATUS_OK);
        assert_false(reply.result.succeeded);
        assert_int_equal(reply.result.op_count, 1);
        assert_false(reply.result.ops[0].is_found);
        txn_reply_clear(&reply);
    }
}

/* Each has one fault. */
static const char *const nonsense[] = {
    "",
    "{}",
    "[]",
    "{\"succeeded\":true}",
    NO "[" GET(",\"kvs\":[" B "],\"count\":\"1\""), /* not complete */
    /* responses: how many, in which order, of which kind */
    NO "[]}",
    NO "{}}",
    NO "[" GET("") "," GET("") "]}",
    NO "[" PUT "]}",
    NO "[{\"response_range\":7}]}",
    YES "[" GET("") "]}",
    YES "[" DELETED "," PUT "," FOUND_A "," GET("") "]}",
    YES "[" PUT "," DELETED "," FOUND_A "]}",
    YES "[" PUT ",{\"response_delete_range\":{\"deleted\":\"-1\"}}," FOUND_A "," GET("") "]}",
    YES "[" PUT ",{\"response_delete_range\":{\"deleted\":{}}}," FOUND_A "," GET("") "]}",
    /* members that are none */
    "{" HEADER ",\"succeeded\":7,\"responses\":[" GET("") "]}",
    "{" HEADER ",\"odd\":1,\"responses\":[" GET("") "]}",
    NO "[" GET(",\"odd\":1") "]}",
    /* keys: how many, which, in which order */
    NO "[" GET(",\"kvs\":[" B "]") "]}",
    NO "[" GET(",\"kvs\":[" B "],\"count\":\"2\"") "]}",
    NO "[" GET(",\"kvs\":[],\"count\":\"1\"") "]}",
    NO "[" GET(",\"kvs\":{},\"count\":\"0\"") "]}",
    NO "[" GET(",\"kvs\":[" B "],\"count\":\"1\",\"more\":true") "]}",
    NO "[" GET(",\"kvs\":[" A "],\"count\":\"1\"") "]}",
    NO "[" GET(",\"kvs\":[{}],\"count\":\"1\"") "]}",
    NO "[" GET(",\"kvs\":[" B "," B "],\"count\":\"2\"") "]}",
    YES "[" PUT "," DELETED "," GET(",\"kvs\":[" B "],\"count\":\"1\"") "," GET("") "]}",
    YES "[" PUT "," DELETED "," GET("") "," FOUND_A "]}",
    YES "[" PUT "," DELETED "," FOUND_A "," GET(",\"kvs\":[" B "," B "],\"count\":\"2\"") "]}",
};

static void a_reply_that_does_not_fit_is_none(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
        struct txn_reply reply = {.ops = NULL};
        enum status status = txn_reply_read(&shape, nonsense[i], strlen(nonsense[i]), &reply);
        if (status != STATUS_BAD_REPLY || reply.ops || reply.root)
            fail_msg("%s: %s", nonsense[i], status_text(status));
    }
}

static void there_is_a_limit_to_what_can_be_asked(void **state)
{
    static struct kv_op ops[KV_TXN_MAX + 1]; /* puts */
    static char key[3 << 20];
    struct kv_op gets[2] = {{.kind = KV_GET, .key = key, .key_len = sizeof(key)},
                            {.kind = KV_GET, .key = key, .key_len = sizeof(key)}};
    struct txn_shape other;
    (void)state;
    for (size_t more = 0; more < 2; more++) {
        enum status due = more ? STATUS_TOO_MANY : STATUS_OK;
        struct kv_txn many = {.success = ops, .success_count = KV_TXN_MAX + more};
        assert_int_equal(txn_shape_init(&other, &many), due);
        txn_shape_clear(&other);
        many = (struct kv_txn){.failure = ops, .failure_count = KV_TXN_MAX + more};
        assert_int_equal(txn_shape_init(&other, &many), due);
        txn_shape_clear(&other);
        struct kv_txn large = {.success = gets, .success_count = 1 + more};
        assert_int_equal(txn_shape_init(&other, &large), more ? STATUS_TOO_LARGE : STATUS_OK);
        txn_shape_clear(&other);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_reply_that_fits_is_told),
        TEST(what_is_not_found_is_none),
        TEST(a_reply_that_does_not_fit_is_none),
        TEST(there_is_a_limit_to_what_can_be_asked),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
