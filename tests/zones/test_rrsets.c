/* What the producer says of a name, fact by fact. That transfers and answers are the same as the
 * oracle's is tested by test_dump.c and tests/dns/. */
#include "zones/rrsets.h"

#include "support/zone_fixture.h"
#include "zones/host_view.h"

static struct fixture fixture;

/* "TYPE ttl count;" for each RRset of a node, or of its view. */
static const char *sets_of(const char *name, bool is_view)
{
    static char text[512];
    static struct rrset_iter iter;
    struct rrsets_owner owner = {.node = fixture_find(&fixture, name)};
    size_t used = 0;
    assert_non_null(owner.node);
    if (is_view) {
        (void)host_view_of(zone_view(fixture.zone), owner.node, &owner.source);
        owner.node = NULL;
    }
    text[0] = '\0';
    rrset_iter_begin(&iter, zone_view(fixture.zone), &owner);
    while (rrset_iter_next(&iter)) {
        unsigned count = 0;
        while (rrset_iter_next_record(&iter))
            count++;
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%u %u %u;", iter.type,
                                 iter.ttl_s, count);
    }
    assert_false(rrset_iter_next(&iter));
    return text;
}

static const struct zone_address servers[] = {{"ns", {AF_INET, {127, 0, 0, 1}}},
                                              {"ns", {AF_INET, {127, 0, 0, 2}}},
                                              {"ns2.example.net", {AF_INET, {127, 0, 0, 2}}}};
static const struct zone_address hosts[] = {{"fixed", {AF_INET, {192, 0, 2, 7}}},
                                            {"fixed", {AF_INET6, {0x20, 1, [15] = 7}}}};

static int set_up(void **state)
{
    (void)state;
    fixture_open(
        &fixture,
        (struct zone_options){
            .ns = servers, .ns_count = 3, .hosts = hosts, .host_count = 2, .record_ttl_s = 20});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static void each_kind_of_name_has_its_sets_with_their_ttls(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool is_view;
        const char *sets;
    } rows[] = {
        {"", false, "6 60 1;2 3600 2;"},
        {"ns", false, "1 3600 2;28 3600 0;12 3600 0;"},
        {"b._dns-sd._udp", false, "1 3600 0;28 3600 0;12 3600 1;"},
        {"_dns-sd._udp", false, ""},
        {"_services._dns-sd._udp", false, "12 3 1;"},
        {"_http._tcp", false, "12 3 3;33 3 4;16 3 3;"},
        {"_p._sub._http._tcp", false, "12 7 1;"},
        {"a._http._tcp", false, "33 7 2;16 20 1;"}, /* two keys, the first for ever */
        {"b._http._tcp", false, "33 3 1;16 3 1;"},
        {"10-0-0-1.addr", false, "1 7 1;28 7 0;"},
        {"fixed.host", false, "1 3 1;28 3 1;"}, /* as short as what points at it */
        {"a.switch", false, "16 9 1;"},
        {"_http._tcp", true, "1 3 4;28 3 1;33 3 4;"},
        {"b._http._tcp", true, "1 3 1;28 3 1;33 3 1;"},
    };
    fixture_put(&fixture, "/service/HTTP/a", "10.0.0.1:1");
    fixture_put_leased(&fixture, "/service/http/A",
                       "{\"location\":\"10.0.0.1:2\",\"subtypes\":[\"p\"]}", FIXTURE_LEASE(7));
    fixture_put_leased(&fixture, "/service/http/b", "fixed:3", FIXTURE_LEASE(3));
    fixture_put(&fixture, "/service/http/c", "10.0.0.2:3");
    fixture_put_leased(&fixture, "/switch/a", "on", FIXTURE_LEASE(9));
    fixture_commit(&fixture);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *got = sets_of(rows[i].name, rows[i].is_view);
        if (strcmp(got, rows[i].sets) != 0) /* what repeats is counted each time */
            fail_msg("%s: %s", rows[i].name, got);
    }
}

static void data_is_as_the_registry_says(void **state)
{
    (void)state;
    char key[400], expected[1024];
    int name_len = 300;
    snprintf(key, sizeof(key), "/service/My Type!/%0*d", name_len, 0);
    fixture_put(&fixture, key, "{\"location\":\"Baz:1\",\"txt\":{\"a\":\"1\",\"z\":true}}");
    fixture_put(&fixture, "/service/plain/one", "www.Example.com:443");
    fixture_put(&fixture, "/service/plain/two", "[fd00::1]:443");
    fixture_commit(&fixture);
    assert_string_equal(fixture_text(&fixture, "one._plain._tcp"),
                        "one._plain._tcp.z. 20 IN SRV 0 1 443 www.Example.com.\n"
                        "one._plain._tcp.z. 20 IN TXT \"\"\n");
    assert_string_equal(fixture_text(&fixture, "two._plain._tcp"),
                        "two._plain._tcp.z. 20 IN SRV 0 1 443 fd00-0-0-0-0-0-0-1.addr.z.\n"
                        "two._plain._tcp.z. 20 IN TXT \"\"\n");
    /* A type's TXT: the registry's name, cut at 255 octets, the location, the pairs but for type=. */
    snprintf(expected, sizeof(expected), "TXT \"name=%0*d\" \"location=Baz:1\" \"a=1\" \"z\"\n",
             250, 0);
    const char *text = fixture_text(&fixture, "_my-typ-bfbbec80._tcp");
    assert_non_null(strstr(text, expected));
}

/* RFC 2308 5: the least of the SOA record's own TTL and its last field. */
static void a_negative_answer_lives_no_longer_than_the_soa_record(void **state)
{
    (void)state;
    static const uint32_t rows[][2] = {{0, 0}, {5, 5}, {59, 59}, {60, 60}, {61, 60}, {86400, 60}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct view view = {.negative_ttl_s = rows[i][0]};
        assert_int_equal(rrsets_negative_ttl(&view), rows[i][1]);
    }
}

/* An address's TTL bounds the view's while the type is small enough to be looked through. */
static void a_host_view_is_as_short_as_its_hosts(void **state)
{
    (void)state;
    struct resolver_address address = {AF_INET, {192, 0, 2, 1}};
    char key[64];
    fixture_put(&fixture, "/service/http/a", "baz:1");
    fixture_commit(&fixture);
    assert_string_equal(sets_of("_http._tcp", true), "1 20 0;28 20 0;33 20 1;");
    assert_int_equal(zone_set_host(fixture.zone, "baz", &address, 1, 6), STATUS_OK);
    assert_string_equal(sets_of("_http._tcp", true), "1 6 1;28 6 0;33 20 1;");
    for (unsigned i = 0; i < MEMBER_VECTOR_CHUNK; i++) {
        snprintf(key, sizeof(key), "/service/http/more-%u", i);
        fixture_put(&fixture, key, "10.0.0.1:1");
        fixture_commit(&fixture);
        if (i < MEMBER_VECTOR_CHUNK - 1)
            assert_true(strncmp(sets_of("_http._tcp", true), "1 6 ", 4) == 0);
    }
    assert_true(strncmp(sets_of("_http._tcp", true), "1 20 ", 5) == 0);
}

/* The same instance twice in a set is a record that comes again, told by its key. */
static void records_that_repeat_have_equal_keys(void **state)
{
    (void)state;
    static struct rrset_iter iter;
    uint64_t seen[4][2];
    size_t count = 0;
    fixture_put(&fixture, "/service/http/a", "10.0.0.1:1");
    fixture_put(&fixture, "/service/http/b", "10.0.0.1:1");
    fixture_put(&fixture, "/service/http/c", "10.0.0.1:2");
    fixture_commit(&fixture);
    struct rrsets_owner owner = {.node = fixture_find(&fixture, "_http._tcp")};
    rrset_iter_begin(&iter, zone_view(fixture.zone), &owner);
    while (rrset_iter_next(&iter)) {
        assert_int_equal(iter.may_repeat, iter.type == TYPE_SRV);
        while (iter.type == TYPE_SRV && rrset_iter_next_record(&iter))
            memcpy(seen[count++], iter.key, sizeof(iter.key));
    }
    assert_int_equal(count, 3);
    unsigned equal = 0;
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < i; j++)
            equal += memcmp(seen[i], seen[j], sizeof(seen[i])) == 0;
    assert_int_equal(equal, 1);
    owner.node = fixture_find(&fixture, "a._http._tcp");
    rrset_iter_begin(&iter, zone_view(fixture.zone), &owner);
    while (rrset_iter_next(&iter))
        assert_false(iter.may_repeat);
}

/* Not the longer TTL of what was seen before the end. */
static void what_is_not_looked_through_is_kept_for_a_second(void **state)
{
    (void)state;
    struct instance_source source;
    for (unsigned names = 1; names <= 3; names++)
        for (unsigned keys = 0; keys < 256; keys++) {
            char key[] = "/service/http/aabcdefgh";
            key[14] = (char)('a' + names);
            for (unsigned bit = 0; bit < 8; bit++)
                if (keys >> bit & 1)
                    key[15 + bit] = (char)(key[15 + bit] - ('a' - 'A'));
            if (keys == 0 || names < 3)
                fixture_put(&fixture, key, "10.0.0.1:1");
        }
    fixture_commit(&fixture);
    const struct view *view = zone_view(fixture.zone);
    (void)host_view_of(view, fixture_find(&fixture, "_http._tcp"), &source);
    assert_int_equal(rrsets_view_address_ttl(&source, view), RRSETS_TTL_CUT_S);
    fixture_remove(&fixture, "/service/http/bABCDEFGH");
    fixture_commit(&fixture);
    (void)host_view_of(view, fixture_find(&fixture, "_http._tcp"), &source);
    assert_int_equal(rrsets_view_address_ttl(&source, view), view->record_ttl_s);
}

static void an_iteration_begins_where_it_is_told_and_ends_when_it_has_seen_enough(void **state)
{
    (void)state;
    enum { COUNT = 10 };
    char key[64];
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(key, sizeof(key), "/service/http%s/%u", i < 6 ? "" : "._udp", i);
        fixture_put(&fixture, key, "10.0.0.1:1");
    }
    fixture_put(&fixture, "/service/HTTP/0", "10.0.0.1:2"); /* the same name as the first */
    fixture_commit(&fixture);
    struct instance_source source;
    struct instance_iter iter;
    const struct instance *instance, *first = NULL;
    (void)host_view_of(zone_view(fixture.zone), fixture_find(&fixture, "_http._tcp"), &source);
    for (uint32_t rotation = 0; rotation < 2 * COUNT; rotation++)
        for (uint32_t visits = 0; visits <= COUNT + 1; visits++) {
            unsigned names = 0, all = 0;
            instance_iter_begin(&iter, &source, rotation, visits);
            while ((instance = instance_iter_next_name(&iter))) {
                uint32_t at = (rotation + names++) % COUNT;
                const struct member_version *set = source.sets[at >= 6];
                assert_ptr_equal(instance, member_vector_at(set, at >= 6 ? at - 6 : at));
                first = first ? first : instance;
            }
            assert_int_equal(names, visits < COUNT ? visits : COUNT);
            assert_int_equal(instance_iter_is_cut(&iter), visits < COUNT);
            assert_int_equal(instance_iter_visited(&iter), names);
            /* The other key of the first name counts, too. */
            instance_iter_begin(&iter, &source, rotation, visits);
            while (instance_iter_next(&iter))
                all++;
            assert_int_equal(all, visits);
            assert_int_equal(instance_iter_is_cut(&iter), visits < COUNT + 1);
            assert_int_equal(instance_iter_visited(&iter), visits);
        }
}

#define WITH_ZONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ZONE(each_kind_of_name_has_its_sets_with_their_ttls),
        WITH_ZONE(data_is_as_the_registry_says),
        WITH_ZONE(a_negative_answer_lives_no_longer_than_the_soa_record),
        WITH_ZONE(a_host_view_is_as_short_as_its_hosts),
        WITH_ZONE(records_that_repeat_have_equal_keys),
        WITH_ZONE(what_is_not_looked_through_is_kept_for_a_second),
        WITH_ZONE(an_iteration_begins_where_it_is_told_and_ends_when_it_has_seen_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
