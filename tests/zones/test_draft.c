#include "zones/draft.h"

#include "support/zone_fixture.h"

static struct fixture fixture;

static enum skip make(const char *key, const char *value, struct entry *entry, struct draft *out)
{
    struct key_parts parts;
    key_split(key, strlen(key), &parts);
    assert_int_equal(entry_parse(value, strlen(value), entry, NULL), STATUS_OK);
    return draft_make(fixture.zone, &parts, entry, out);
}

#define P "{\"location\":\"10.0.0.1:1\",\"protocol\":\"udp\"}"

static void a_service_has_its_name_by_type_protocol_and_name(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value, *name;
        bool is_derived;
    } rows[] = {
        {"/service/http/a", "baz:1", "\1a\5_http\4_tcp", true},
        {"/service/http/A b.c", "baz:1", "\5A b.c\5_http\4_tcp", true},
        {"/service/http/a", P, "\1a\5_http\4_udp", true},
        {"/service/http._tcp/a", P, "\1a\5_http\4_tcp", false}, /* the suffix counts */
        {"/service/_HTTP._udp/a", "baz:1", "\1a\5_http\4_udp", false},
        {"/service/my_type/a", "baz:1", "\1a\10_my-type\4_tcp", false},
        {"/service/a/x/y", "baz:1", "\3x/y\2_a\4_tcp", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct entry entry;
        struct draft draft;
        assert_int_equal(make(rows[i].key, rows[i].value, &entry, &draft), SKIP_NONE);
        assert_int_equal(draft.name.len, strlen(rows[i].name));
        assert_memory_equal(draft.name.octets, rows[i].name, draft.name.len);
        assert_int_equal(draft.key_is_derived, rows[i].is_derived);
        assert_int_equal(draft.type_at, 1u + draft.name.octets[0]);
        entry_clear(&entry);
    }
}

static void an_instance_holds_all_of_its_entry(void **state)
{
    (void)state;
    static const char key[] = "/service/My Type/a";
    struct entry entry;
    struct draft draft;
    struct change change = {.key = key, .key_len = strlen(key), .ttl_s = 7};
    assert_int_equal(make(key,
                          "{\"location\":\"Baz:8080\",\"priority\":3,\"weight\":5,"
                          "\"txt\":{\"a\":\"1\",\"z\":true}}",
                          &entry, &draft),
                     SKIP_NONE);
    struct instance *instance = draft_instance(&draft, &entry, &change);
    assert_non_null(instance);
    assert_int_equal(instance->key.ttl_s, 7);
    assert_int_equal(instance->priority, 3);
    assert_int_equal(instance->weight, 5);
    assert_int_equal(instance->port, 8080);
    assert_int_equal(instance->position, MEMBER_VECTOR_NONE);
    assert_memory_equal(instance_label(instance), "\1a", 2);
    static const char txt[] = "\3a=1\14type=My Type\1z";
    assert_int_equal(instance->txt_len, sizeof(txt) - 1);
    assert_memory_equal(instance_txt(instance), txt, sizeof(txt) - 1);
    assert_int_equal(instance->type_at, 4);
    assert_int_equal(instance->type_len, 13);
    assert_int_equal(instance->location_len, 8);
    assert_memory_equal(instance_location(instance), "Baz:8080", 8);
    assert_int_equal(instance->host_len, 4);
    assert_memory_equal(instance_host(instance), "\3Baz", 4);
    assert_int_equal(instance->host_is_whole, 0);
    assert_int_equal(instance->key.key_len, strlen(key));
    assert_memory_equal(instance_key(instance), key, strlen(key));
    size_t len;
    assert_memory_equal(instance_registry_name(instance, &len), "a", 1);
    assert_int_equal(len, 1);
    free(instance);
    entry_clear(&entry);
}

static void draining_is_weight_0(void **state)
{
    (void)state;
    struct entry entry;
    struct draft draft;
    struct change change = {.key = "/service/a/b", .key_len = 12};
    assert_int_equal(make(change.key,
                          "{\"location\":\"a.b:1\",\"weight\":5,\"state\":\"draining\"}", &entry,
                          &draft),
                     SKIP_NONE);
    struct instance *instance = draft_instance(&draft, &entry, &change);
    assert_int_equal(instance->weight, 0);
    assert_int_equal(instance->host_is_whole, 1);
    assert_memory_equal(instance_host(instance), "\1a\1b", 5);
    free(instance);
    entry_clear(&entry);
}

/* A name that is cut keeps the registry's at the end of its key. */
static void a_mangled_name_is_known_by_its_key(void **state)
{
    (void)state;
    char key[128];
    int key_len = snprintf(key, sizeof(key), "/service/http/%080d", 1);
    struct entry entry;
    struct draft draft;
    struct change change = {.key = key, .key_len = (size_t)key_len};
    assert_int_equal(make(key, "baz:1", &entry, &draft), SKIP_NONE);
    assert_true(draft.is_mangled);
    struct instance *instance = draft_instance(&draft, &entry, &change);
    size_t len;
    const uint8_t *name = instance_registry_name(instance, &len);
    assert_int_equal(len, 80);
    assert_memory_equal(name, key + 14, 80);
    free(instance);
    entry_clear(&entry);
}

static void names_that_would_pass_255_octets_are_refused_to_the_octet(void **state)
{
    (void)state;
    /* Zone: 2 + 63 + 64 + 55 + 1 = "z." and more; the name takes what is left. */
    char domain[200], key[200], value[300];
    struct entry entry;
    struct draft draft;
    for (unsigned more = 0; more < 2; more++) {
        snprintf(domain, sizeof(domain), "%063d.%063d.%055d", 0, 0, 0); /* 64 + 64 + 56 + 1 */
        fixture_close(&fixture);
        fixture_open(&fixture, (struct zone_options){.domain = domain});
        /* 1 + n, 1 + 1 + 1, 5 and the zone's 185 */
        snprintf(key, sizeof(key), "/service/t/%0*d", 61 + (int)more, 0);
        assert_int_equal(make(key, "10.0.0.1:1", &entry, &draft),
                         more ? SKIP_NAME_TOO_LONG : SKIP_NONE);
        entry_clear(&entry);
        /* A dotless host below host.<zone>: 1 + n, 5 and 185 */
        snprintf(value, sizeof(value), "a%0*d:1", 63 - 1, 0);
        assert_int_equal(make("/service/t/a", value, &entry, &draft), SKIP_NONE);
        entry_clear(&entry);
    }
    fixture_close(&fixture);
    fixture_open(&fixture, (struct zone_options){.host_domain = NULL});
    assert_int_equal(make("/service/dns-sd/a", "baz:1", &entry, &draft), SKIP_RESERVED);
    entry_clear(&entry);
}

static int set_up(void **state)
{
    (void)state;
    fixture_open(&fixture, (struct zone_options){.domain = NULL});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_close(&fixture);
    return 0;
}

#define WITH_ZONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ZONE(a_service_has_its_name_by_type_protocol_and_name),
        WITH_ZONE(an_instance_holds_all_of_its_entry),
        WITH_ZONE(draining_is_weight_0),
        WITH_ZONE(a_mangled_name_is_known_by_its_key),
        WITH_ZONE(names_that_would_pass_255_octets_are_refused_to_the_octet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
