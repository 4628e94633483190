#include "zones/same_name.h"

#include "zones/key_node.h"

#include "support/random.h"
#include "support/zone_fixture.h"

#define KEYS 12 /* of one name, told apart by letters' case: bit patterns of a.. */

static struct fixture fixture;

/* The number's bits as letters' case, so that greater numbers are smaller keys. */
static void key_of(unsigned number, const char *before, char out[64])
{
    char *at = out + sprintf(out, "%s", before);
    for (unsigned bit = 1 << 3; bit; bit >>= 1)
        *at++ = number & bit ? 'A' : 'a';
    *at = '\0';
}

/* The list that begins at the name's head is in the order of the keys and has those that are there.
 */
static void check_list(const char *name, const bool *is_in)
{
    const struct key_node *at = (const struct key_node *)fixture_find(&fixture, name);
    unsigned count = 0, expected = 0;
    for (unsigned i = 0; i < KEYS; i++)
        expected += is_in[i];
    if (expected == 0) {
        assert_null(at);
        return;
    }
    for (const struct key_node *before = NULL; at; before = at, at = at->next, count++)
        assert_true(!before || key_node_compare(before, at) < 0);
    assert_int_equal(count, expected);
}

static void check_value(const char *name, const char *expected)
{
    const char *text = fixture_text(&fixture, name);
    if (!strstr(text, expected))
        fail_msg("no %s in %s", expected, text);
}

static void churn(const char *before, const char *name, bool is_service, struct random *random)
{
    bool is_in[KEYS] = {false};
    char key[64], value[64];
    for (unsigned i = 0; i < 1500; i++) {
        unsigned number = (unsigned)random_draw(random, KEYS);
        key_of(number, before, key);
        if (random_draw(random, 3) == 0) {
            fixture_remove(&fixture, key);
            is_in[number] = false;
        } else {
            snprintf(value, sizeof(value), is_service ? "10.0.0.1:%u" : "v%u", 100 + number);
            fixture_put(&fixture, key, value);
            is_in[number] = true;
        }
        if (random_draw(random, 3) > 0)
            continue;
        fixture_commit(&fixture);
        check_list(name, is_in);
        unsigned first = KEYS;
        while (first > 0 && !is_in[first - 1])
            first--;
        if (first == 0)
            continue;
        /* A switch shows the smallest key's value; a service shows them all. */
        snprintf(value, sizeof(value), is_service ? "SRV 0 1 %u " : "TXT \"v%u\"", 99 + first);
        check_value(name, value);
    }
}

/* After any changes the smallest key is the head, of instances and of switches. */
static void keys_of_one_name_are_a_list_in_their_order(void **state)
{
    (void)state;
    struct random random = random_begin(77);
    fixture_open(&fixture, (struct zone_options){.domain = NULL});
    churn("/switch/", "aaaa.switch", false, &random);
    churn("/service/http/", "aaaa._http._tcp", true, &random);
    fixture_close(&fixture);
}

static void the_head_is_of_the_same_kind(void **state)
{
    (void)state;
    fixture_open(&fixture, (struct zone_options){.domain = NULL});
    fixture_put(&fixture, "/switch/a/b", "x");
    const struct key_node *node = (const struct key_node *)fixture_find(&fixture, "b.a.switch");
    assert_ptr_equal(same_name_head(fixture.zone, node), node);
    struct key_node other = {.node = {.kind = NODE_INSTANCE, .name_len = node->node.name_len}};
    struct {
        struct key_node node;
        uint8_t name[NAME_MAX_LEN + NAME_PAD];
    } named = {.node = other};
    named.node.node.name_at = sizeof(struct key_node);
    memcpy(named.name, node_name(&node->node), node->node.name_len);
    assert_null(same_name_head(fixture.zone, &named.node));
    fixture_close(&fixture);
}

static void the_list_has_an_end(void **state)
{
    (void)state;
    struct key_node nodes[SAME_NAME_MAX];
    for (size_t i = 0; i < SAME_NAME_MAX; i++)
        nodes[i] = (struct key_node){.next = i ? &nodes[i - 1] : NULL};
    assert_false(same_name_is_full(NULL));
    assert_false(same_name_is_full(&nodes[SAME_NAME_MAX - 2]));
    assert_true(same_name_is_full(&nodes[SAME_NAME_MAX - 1]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_one_name_are_a_list_in_their_order),
        cmocka_unit_test(the_head_is_of_the_same_kind),
        cmocka_unit_test(the_list_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
