#include "zones/key_node.h"

#include "support/zone_fixture.h"

static struct fixture fixture;

static struct key_node *find(const char *key)
{
    size_t len = strlen(key);
    return key_node_find(fixture.zone, key, len, key_node_hash_key(fixture.zone, key, len));
}

/* Derived from a name or stored, a key is what it was. */
static void every_key_is_found_by_itself_and_known_octet_for_octet(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value;
        bool is_stored;
    } rows[] = {
        {"/service/http/a", "baz:1", false},
        {"/service/http/A b.c", "baz:1", false},
        {"/service/http._udp/a", "baz:1", true}, /* its protocol is in the key */
        {"/service/HTTP/x", "baz:1", true},      /* other letters */
        {"/service/_http/y", "baz:1", true},     /* an underscore */
        {"/service/my_type/y", "baz:1", true},
        {"/service/http/a\tb", "baz:1", true}, /* a label that is none */
        {"/service/http/nested/c", "baz:1", false},
        {"/service/http/bad", "nonsense", true},
        {"/switch/a/b", "on", true},
        {"/other", "", true},
    };
    fixture_open(&fixture, (struct zone_options){.domain = NULL});
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        fixture_put(&fixture, rows[i].key, rows[i].value);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t buffer[KEY_NODE_SIZE];
        struct key_node *node = find(rows[i].key);
        if (!node)
            fail_msg("%s", rows[i].key);
        struct name_padded key = key_node_key(node, buffer);
        assert_int_equal(key.len, strlen(rows[i].key));
        assert_memory_equal(key.octets, rows[i].key, key.len);
        assert_int_equal(node->key_len > 0, rows[i].is_stored);
        assert_int_equal(key_node_hash(fixture.zone, node),
                         key_node_hash_key(fixture.zone, rows[i].key, key.len));
    }
    assert_null(find("/service/http/"));
    assert_null(find("/service/http/aa"));
    assert_null(find("/service/HTTP/a"));
    fixture_close(&fixture);
}

static void keys_are_in_the_order_of_their_octets(void **state)
{
    (void)state;
    static const char *const keys[] = {"/service/HTTP/b",   "/service/http/A",  "/service/http/a",
                                       "/service/http/a b", "/service/http/aa", "/switch/a"};
    size_t count = sizeof(keys) / sizeof(keys[0]);
    fixture_open(&fixture, (struct zone_options){.domain = NULL});
    for (size_t i = 0; i < count; i++)
        fixture_put(&fixture, keys[i], "baz:1");
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            int order = key_node_compare(find(keys[i]), find(keys[j]));
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
    fixture_close(&fixture);
}

static void a_skipped_key_holds_its_reason(void **state)
{
    (void)state;
    struct change change = {.key = "/service/dns-sd/a", .key_len = 17};
    struct key_node *node = key_node_new_skipped(&change, SKIP_RESERVED);
    uint8_t buffer[KEY_NODE_SIZE];
    assert_non_null(node);
    assert_int_equal(node->skip, SKIP_RESERVED);
    assert_int_equal(node->node.kind, NODE_SKIPPED);
    assert_int_equal(key_node_key(node, buffer).len, 17);
    assert_memory_equal(key_node_key(node, buffer).octets, change.key, 17);
    free(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_found_by_itself_and_known_octet_for_octet),
        cmocka_unit_test(keys_are_in_the_order_of_their_octets),
        cmocka_unit_test(a_skipped_key_holds_its_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
