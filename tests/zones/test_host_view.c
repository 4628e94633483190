#include "zones/host_view.h"

#include "support/zone_fixture.h"

#define X10 "xxxxxxxxxx"
#define X61 X10 X10 X10 X10 X10 X10 "x"
#define X62 X61 "x"
#define X63 X62 "x"

/* "a.http.service" as labels, with where each begins. */
static size_t wire_of(const char *text, uint8_t out[NAME_MAX_LEN + NAME_PAD], uint8_t *labels,
                      unsigned *count)
{
    size_t len = 0;
    *count = 0;
    memset(out, 0, NAME_MAX_LEN + NAME_PAD);
    while (*text) {
        size_t label = strcspn(text, ".");
        labels[(*count)++] = (uint8_t)len;
        out[len++] = (uint8_t)label;
        memcpy(out + len, text, label);
        len += label;
        text += label + (text[label] == '.');
    }
    return len;
}

static void a_view_is_looked_up_as_what_it_shows(void **state)
{
    (void)state;
    static const struct {
        const char *name, *key; /* NULL: there cannot be such a view */
    } rows[] = {
        {"http.service", "_http._tcp"},
        {"a.http.service", "a._http._tcp"},
        {"a-1.http.service", "a-1._http._tcp"},
        {"service.service.service", "service._service._tcp"},
        {X62 ".service", "_" X62 "._tcp"},
        {X63 ".service", NULL}, /* "_" and this would be 64 octets */
        {"a." X63 ".service", NULL},
        {"b.a.http.service", NULL},
        {"-a.http.service", NULL},
        {"a-.http.service", NULL},
        {"a_b.http.service", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t name[NAME_MAX_LEN + NAME_PAD], key[NAME_MAX_LEN + NAME_PAD], labels[8];
        unsigned count;
        size_t len = wire_of(rows[i].name, name, labels, &count);
        assert_true(host_view_is(name, len, labels[count - 1]));
        size_t got = host_view_to_key(name, len, labels, count);
        if (!rows[i].key) {
            assert_int_equal(got, 0);
            continue;
        }
        assert_int_equal(got, wire_of(rows[i].key, key, labels, &count));
        assert_memory_equal(name, key, got);
    }
}

static void only_the_label_service_makes_a_view(void **state)
{
    (void)state;
    static const char *const names[] = {"http.services", "http.ervice", "http._tcp",
                                        "service.http"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        uint8_t name[NAME_MAX_LEN + NAME_PAD], labels[8];
        unsigned count;
        size_t len = wire_of(names[i], name, labels, &count);
        assert_false(host_view_is(name, len, labels[count - 1]));
    }
}

/* The name of a node's view as text without escapes; "" when it has none. */
static const char *name_of_view(const struct fixture *fixture, const char *node)
{
    static char text[NAME_TEXT_MAX];
    uint8_t name[NAME_MAX_LEN];
    size_t len = host_view_name(zone_view(fixture->zone), fixture_find(fixture, node), name);
    text[0] = '\0';
    if (len)
        name_to_text(name, len, text);
    return text;
}

static void shows_what_both_protocols_have_once(void **state)
{
    (void)state;
    static struct fixture fixture;
    struct instance_source source;
    fixture_open(&fixture, (struct zone_options){.domain = NULL});
    fixture_put(&fixture, "/service/http/a", "10.0.0.1:1");
    fixture_put(&fixture, "/service/http._udp/a", "10.0.0.2:1");
    fixture_put(&fixture, "/service/http._udp/b", "10.0.0.3:1");
    fixture_put(&fixture, "/service/http/x_y", "10.0.0.4:1");
    fixture_put(&fixture, "/service/only._udp/a", "10.0.0.5:1");
    fixture_commit(&fixture);
    const struct view *view = zone_view(fixture.zone);
    assert_string_equal(name_of_view(&fixture, "_http._tcp"), "http.service.");
    assert_string_equal(name_of_view(&fixture, "a._http._udp"), "a.http.service.");
    assert_string_equal(name_of_view(&fixture, "x_y._http._tcp"), "");

    assert_true(host_view_of(view, fixture_find(&fixture, "_http._tcp"), &source));
    assert_int_equal(source.sets[0]->count, 2);
    assert_int_equal(source.sets[1]->count, 2);
    assert_false(host_view_of(view, fixture_find(&fixture, "_http._udp"), &source));
    assert_true(host_view_of(view, fixture_find(&fixture, "_only._udp"), &source));
    assert_null(source.sets[0]);
    assert_int_equal(source.sets[1]->count, 1);

    assert_true(host_view_of(view, fixture_find(&fixture, "a._http._tcp"), &source));
    assert_ptr_equal(source.heads[0], fixture_find(&fixture, "a._http._tcp"));
    assert_ptr_equal(source.heads[1], fixture_find(&fixture, "a._http._udp"));
    assert_false(host_view_of(view, fixture_find(&fixture, "a._http._udp"), &source));
    assert_true(host_view_of(view, fixture_find(&fixture, "b._http._udp"), &source));
    assert_null(source.heads[0]);

    struct name_padded key = node_padded(fixture_find(&fixture, "_tcp"));
    assert_false(host_view_find(view, key, name_hash(&view->seed, key), &source));
    assert_string_equal(fixture_text(&fixture, "a.http.service"),
                        "a.http.service.z. 10 IN A 10.0.0.1\n"
                        "a.http.service.z. 10 IN A 10.0.0.2\n"
                        "a.http.service.z. 10 IN SRV 0 1 1 10-0-0-1.addr.z.\n"
                        "a.http.service.z. 10 IN SRV 0 1 1 10-0-0-2.addr.z.\n");
    fixture_close(&fixture);
}

/* <name>.<type>.service is two octets longer than <name>._<type>._tcp. */
static void a_view_is_left_out_where_its_name_would_be_too_long(void **state)
{
    (void)state;
    static struct fixture fixture;
    char node[256];
    for (unsigned more = 0; more < 2; more++) {
        char key[256];
        fixture_open(&fixture, (struct zone_options){.domain = X61 "." X61 ".z"});
        snprintf(key, sizeof(key), "/service/%.*s/%s", (int)(57 + more), X61, X61);
        fixture_put(&fixture, key, "10.0.0.1:1");
        fixture_commit(&fixture);
        snprintf(node, sizeof(node), "%s._%.*s._tcp", X61, (int)(57 + more), X61);
        assert_int_equal(fixture_kind(&fixture, node), NODE_INSTANCE);
        assert_int_equal(*name_of_view(&fixture, node) == '\0', more);
        fixture_close(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_view_is_looked_up_as_what_it_shows),
        cmocka_unit_test(only_the_label_service_makes_a_view),
        cmocka_unit_test(shows_what_both_protocols_have_once),
        cmocka_unit_test(a_view_is_left_out_where_its_name_would_be_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
