/* The zone as its owner and its readers see it without asking by DNS; tests/dns/test_churn.c and
 * tests/dns/test_answer.c ask. */
#include "zones/zone.h"

#include "zones/name/label.h"
#include "zones/view.h"
#include "zones/zone_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define X10 "xxxxxxxxxx"
#define X50 X10 X10 X10 X10 X10
#define X63 X50 X10 "xxx"

static struct {
    unsigned logged;
    char said[512]; /* host_added: "+name", host_removed: "-name" */
} heard;

static void on_log(void *arg, enum log_level level, const char *kind, const char *text)
{
    (void)kind;
    (void)arg;
    (void)text;
    heard.logged += level == LOG_LEVEL_WARNING;
}

static void say(char sign, const char *name)
{
    size_t len = strlen(heard.said);
    snprintf(heard.said + len, sizeof(heard.said) - len, "%c%s ", sign, name);
}

static enum status on_added(void *arg, const char *name)
{
    (void)arg;
    say('+', name);
    return STATUS_OK;
}

static void on_removed(void *arg, const char *name)
{
    (void)arg;
    say('-', name);
}

static struct zone_options usual(void)
{
    memset(&heard, 0, sizeof(heard));
    return (struct zone_options){.domain = "empusa.internal",
                                 .record_ttl_s = 10,
                                 .negative_ttl_s = 5,
                                 .has_switches = true,
                                 .log = {.write = on_log},
                                 .host_added = on_added,
                                 .host_removed = on_removed};
}

static struct zone *open_zone(const struct zone_options *options)
{
    struct zone *zone;
    struct detail why;
    if (zone_new(options, &zone, &why) != STATUS_OK)
        fail_msg("%s", why.text);
    return zone;
}

static struct zone *open_usual(void)
{
    struct zone_options options = usual();
    return open_zone(&options);
}

static void put(struct zone *zone, const char *key, const char *value, int64_t revision)
{
    assert_int_equal(zone_put(zone, key, strlen(key), value, strlen(value), revision, 0),
                     STATUS_OK);
}

static void take_away(struct zone *zone, const char *key)
{
    zone_remove(zone, key, strlen(key));
}

static struct zone_counts counts_of(const struct zone *zone)
{
    struct zone_counts counts;
    zone_counts(zone, &counts);
    return counts;
}

/* The owner with this relative name as text ("a._http._tcp"; "" = the apex). */
static const struct node *find(const struct zone *zone, const char *text)
{
    struct name_buffer name = {.len = 0};
    if (*text)
        assert_int_equal(name_from_text(text, &name, NULL), STATUS_OK);
    name.len = (uint8_t)(name.len - (name.len > 0)); /* relative: without the root label */
    name_fold_exact(name.octets, name.octets, name.len);
    const struct view *view = zone_view(zone);
    return view_find(view, name_of(&name), name_hash(&view->seed, name_of(&name)));
}

static int kind_of(const struct zone *zone, const char *text)
{
    const struct node *node = find(zone, text);
    return node ? node_kind(node) : -1;
}

static uint32_t size_of(const struct zone *zone, const char *text)
{
    const struct service_type *set = (const struct service_type *)(const void *)find(zone, text);
    return set && set->members.published ? set->members.published->count : 0;
}

static void holds_what_its_configuration_makes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int kind;
    } rows[] = {
        {"", NODE_APEX},
        {"ns", NODE_FIXED},
        {"b._dns-sd._udp", NODE_FIXED},
        {"db._dns-sd._udp", NODE_FIXED},
        {"lb._dns-sd._udp", NODE_FIXED},
        {"r._dns-sd._udp", -1},
        {"_services._dns-sd._udp", NODE_LIST},
        {"_dns-sd._udp", NODE_EMPTY},
        {"_tcp", NODE_EMPTY},
        {"_udp", NODE_EMPTY},
        {"addr", NODE_EMPTY},
        {"host", NODE_EMPTY},
        {"service", NODE_EMPTY},
        {"switch", NODE_EMPTY},
    };
    struct zone *zone = open_usual();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(kind_of(zone, rows[i].name), rows[i].kind);
    assert_int_equal(counts_of(zone).names, 13);
    assert_string_equal(zone_domain(zone), "empusa.internal");
    zone_free(zone);
}

static void gives_each_key_its_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int kind;
    } rows[] = {
        {"_dummy-type._tcp", NODE_TYPE},
        {"dummy-service-1._dummy-type._tcp", NODE_INSTANCE},
        {"Dummy-Service-2._dummy-type._tcp", NODE_INSTANCE},
        {"dummy-service-3._dummy-type._tcp", NODE_INSTANCE},
        {"dummy-service-4._dummy-type._tcp", -1},
        {"_dummy-type._udp", -1},
        {"10-1-2-3.addr", NODE_ADDRESS},
        {"fd00-0-0-0-0-0-0-1.addr", NODE_ADDRESS},
        {"10-1-2-4.addr", -1},
        {"baz.host", NODE_HOST},
        {"features.switch", NODE_EMPTY},
        {"super-cool-feature.features.switch", NODE_SWITCH},
        {"_sub._dummy-type._tcp", NODE_EMPTY},
        {"_printer._sub._dummy-type._tcp", NODE_SUBTYPE},
    };
    struct zone *zone = open_usual();
    put(zone, "/service/dummy-type/dummy-service-1", "baz:1235", 1);
    put(zone, "/service/dummy-type/dummy-service-2", "10.1.2.3:80", 2);
    put(zone, "/service/dummy-type/dummy-service-3",
        "{\"location\":\"[fd00::1]:8080\",\"subtypes\":[\"printer\"]}", 3);
    put(zone, "/switch/features/super-cool-feature", "enabled", 4);
    zone_commit(zone, 4);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(kind_of(zone, rows[i].name), rows[i].kind);
    assert_int_equal(size_of(zone, "_dummy-type._tcp"), 3);
    assert_int_equal(size_of(zone, "_printer._sub._dummy-type._tcp"), 1);
    assert_int_equal(size_of(zone, "_services._dns-sd._udp"), 1);
    struct zone_counts counts = counts_of(zone);
    assert_int_equal(counts.keys, 4);
    assert_int_equal(counts.services, 3);
    assert_int_equal(counts.switches, 1);
    assert_int_equal(counts.types, 1);
    assert_int_equal(counts.addresses, 2);
    assert_int_equal(counts.hosts, 1);
    assert_int_equal(counts.hosts_without_address, 1);
    assert_int_equal(counts.revision, 4);
    zone_free(zone);
}

static void publishes_and_withdraws_types_with_their_instances(void **state)
{
    (void)state;
    struct zone *zone = open_usual();
    uint64_t names = counts_of(zone).names;
    put(zone, "/service/http/a", "{\"location\":\"baz:1\",\"subtypes\":[\"x\",\"y\"]}", 1);
    put(zone, "/service/http/b", "baz:1", 2);
    zone_commit(zone, 2);
    take_away(zone, "/service/http/a");
    zone_commit(zone, 3);
    assert_int_equal(size_of(zone, "_services._dns-sd._udp"), 1);
    assert_int_equal(kind_of(zone, "_sub._http._tcp"), -1);
    /* Until the commit, readers find what they may have been pointed to. */
    take_away(zone, "/service/http/b");
    assert_int_equal(kind_of(zone, "b._http._tcp"), NODE_INSTANCE);
    assert_int_equal(kind_of(zone, "baz.host"), NODE_HOST);
    assert_int_equal(size_of(zone, "_services._dns-sd._udp"), 1);
    zone_commit(zone, 4);
    assert_int_equal(size_of(zone, "_services._dns-sd._udp"), 0);
    assert_int_equal(kind_of(zone, "_http._tcp"), -1);
    assert_int_equal(kind_of(zone, "baz.host"), -1);
    assert_int_equal(counts_of(zone).names, names);
    zone_free(zone);
}

static void a_name_removed_and_put_in_one_commit_never_goes(void **state)
{
    (void)state;
    struct zone *zone = open_usual();
    put(zone, "/service/http/a", "{\"location\":\"baz:1\",\"subtypes\":[\"x\"]}", 1);
    zone_commit(zone, 1);
    for (int64_t i = 2; i < 10; i++) {
        take_away(zone, "/service/http/a");
        put(zone, "/service/http/a",
            i % 2 ? "{\"location\":\"baz:1\",\"subtypes\":[\"x\"]}" : "10.0.0.1:1", 10 * i);
        take_away(zone, "/service/http/a");
        put(zone, "/service/http/a", "{\"location\":\"baz:1\",\"subtypes\":[\"x\"]}", 10 * i + 1);
        assert_int_equal(kind_of(zone, "a._http._tcp"), NODE_INSTANCE);
        zone_commit(zone, 10 * i + 1);
        assert_int_equal(kind_of(zone, "a._http._tcp"), NODE_INSTANCE);
        assert_int_equal(size_of(zone, "_http._tcp"), 1);
        assert_int_equal(size_of(zone, "_x._sub._http._tcp"), 1);
        assert_int_equal(kind_of(zone, "10-0-0-1.addr"), -1);
    }
    assert_string_equal(heard.said, "+baz ");
    zone_free(zone);
}

static void an_instance_may_be_named_sub(void **state)
{
    (void)state;
    static const char subtyped[] = "{\"location\":\"baz:1\",\"subtypes\":[\"x\"]}";
    static const struct {
        const char
            *steps; /* I, S: put the instance, one with a subtype; i, s: remove; '.': commit */
        int kind;   /* of _sub._http._tcp at the end */
    } rows[] = {
        {"I.", NODE_INSTANCE},
        {"S.", NODE_EMPTY},
        {"IS.", NODE_INSTANCE},
        {"SI.", NODE_INSTANCE},
        {"I.S.", NODE_INSTANCE},
        {"S.I.", NODE_INSTANCE},
        {"IS.i.", NODE_EMPTY},
        {"SI.s.", NODE_INSTANCE},
        {"SI.is.", -1},
        {"I.S.i.s.", -1},
        {"S.I.s.i.", -1},
        {"SI.i.I.", NODE_INSTANCE},
        {"SI.iI.", NODE_INSTANCE},
        {"SI.sS.", NODE_INSTANCE},
        {"SI.isSI.", NODE_INSTANCE},
        {"SI.iIiI.", NODE_INSTANCE},
        {"SI.i.s.I.", NODE_INSTANCE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct zone *zone = open_usual();
        uint64_t names = counts_of(zone).names;
        int64_t revision = 0;
        for (const char *step = rows[i].steps; *step; step++) {
            const char *key =
                *step == 'I' || *step == 'i' ? "/service/http/_Sub" : "/service/http/a";
            revision++;
            if (*step == '.')
                zone_commit(zone, revision);
            else if (*step == 'I' || *step == 'S')
                put(zone, key, *step == 'I' ? "baz:1" : subtyped, revision);
            else
                take_away(zone, key);
        }
        assert_int_equal(kind_of(zone, "_sub._http._tcp"), rows[i].kind);
        take_away(zone, "/service/http/_Sub");
        take_away(zone, "/service/http/a");
        zone_commit(zone, revision + 1);
        assert_int_equal(counts_of(zone).names, names);
        zone_free(zone);
    }
}

static void switches_stand_above_switches_in_any_order(void **state)
{
    (void)state;
    static const char *const keys[] = {"/switch/a", "/switch/a/b", "/switch/a/b/c"};
    static const char *const names[] = {"a.switch", "b.a.switch", "c.b.a.switch"};
    static const uint8_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                         {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (unsigned i = 0; i < 36; i++) {
        const uint8_t *in = orders[i / 6], *out = orders[i % 6];
        bool is_there[3] = {false, false, false};
        struct zone *zone = open_usual();
        uint64_t initial = counts_of(zone).names;
        for (unsigned step = 0; step < 6; step++) {
            unsigned which = step < 3 ? in[step] : out[step - 3];
            is_there[which] = step < 3;
            if (step < 3)
                put(zone, keys[which], "on", (int64_t)step + 1);
            else
                take_away(zone, keys[which]);
            zone_commit(zone, (int64_t)step + 1);
            bool is_below = false;
            for (unsigned j = 3; j-- > 0;) {
                is_below = is_below || is_there[j];
                int kind = is_there[j] ? NODE_SWITCH : is_below ? NODE_EMPTY : -1;
                assert_int_equal(kind_of(zone, names[j]), kind);
            }
        }
        assert_int_equal(counts_of(zone).names, initial);
        zone_free(zone);
    }
}

static void counts_what_it_cannot_serve_and_why(void **state)
{
    (void)state;
    static char long_switch[20000], long_key[9000];
    static const char *const plain = "baz:1";
    memset(long_switch, 'v', 16385);
    memset(long_key, 'k', 8000);
    memcpy(long_key, "/service/http/", 14);
    const struct {
        const char *key, *value;
        enum skip skip;
    } rows[] = {
        {"/other/a/b", plain, SKIP_BAD_KEY},
        {"/service/http", plain, SKIP_BAD_KEY},
        {"/service/http/", plain, SKIP_BAD_KEY},
        {"/service//a", plain, SKIP_BAD_KEY},
        {"/switch/", plain, SKIP_BAD_KEY},
        {"/", plain, SKIP_BAD_KEY},
        {"", plain, SKIP_BAD_KEY},
        {long_key, plain, SKIP_BAD_KEY},
        {"/service/http/a", "", SKIP_BAD_VALUE},
        {"/service/http/a", "http://baz:1", SKIP_BAD_VALUE},
        {"/service/http/a", "1.2.3:4", SKIP_BAD_VALUE},
        {"/service/http/a", "baz:0", SKIP_BAD_VALUE},
        {"/service/http/a", "[fe80::1%eth0]:1", SKIP_BAD_VALUE},
        {"/service/http/a", "{\"location\":1}", SKIP_BAD_VALUE},
        {"/service/http/a", "{\"port\":1}", SKIP_BAD_VALUE},
        {"/service/http/a", "{", SKIP_BAD_VALUE},
        {"/service/dns-sd/a", plain, SKIP_RESERVED},
        {"/service/_DNS_SD._udp/a", plain, SKIP_RESERVED},
        {"/switch/a//b", plain, SKIP_BAD_SWITCH_NAME},
        {"/switch/a/", plain, SKIP_BAD_SWITCH_NAME},
        {"/switch/*", plain, SKIP_BAD_SWITCH_NAME},
        {"/switch/a/*/b", plain, SKIP_BAD_SWITCH_NAME},
        {"/switch/x" X63, plain, SKIP_BAD_SWITCH_NAME},
        {"/switch/" X63 "/" X63 "/" X63 "/" X50, plain, SKIP_NAME_TOO_LONG},
        {"/switch/a", long_switch, SKIP_VALUE_TOO_LONG},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct zone *zone = open_usual();
        struct zone_counts before = counts_of(zone);
        put(zone, rows[i].key, rows[i].value, 1);
        put(zone, rows[i].key, rows[i].value, 1); /* told again: said once */
        zone_commit(zone, 1);
        struct zone_counts after = counts_of(zone);
        assert_int_equal(after.skipped[rows[i].skip], 1);
        assert_int_equal(after.keys, 1);
        assert_int_equal(after.services + after.switches, 0);
        assert_int_equal(after.names, before.names);
        assert_int_equal(heard.logged, 1);
        /* A good value comes, and goes. */
        bool is_switch = strncmp(rows[i].key, "/switch/", 8) == 0;
        put(zone, rows[i].key, is_switch ? "on" : "baz:1", 2);
        take_away(zone, rows[i].key);
        zone_commit(zone, 2);
        after = counts_of(zone);
        assert_int_equal(after.skipped[rows[i].skip], 0);
        assert_int_equal(after.keys, 0);
        assert_int_equal(after.names, before.names);
        assert_true(strlen(skip_text(rows[i].skip)) > 10);
        zone_free(zone);
    }
}

/* Letter `i`'s case is bit `i` of `number`. */
static const char *cased(const char *prefix, unsigned number)
{
    static char key[64];
    size_t len = strlen(prefix);
    memcpy(key, prefix, len);
    for (unsigned i = 0; i < 12; i++)
        key[len + i] = (number >> i & 1) ? 'K' : 'k';
    key[len + 12] = '\0';
    return key;
}

static void a_crowd_of_keys_with_one_name_has_an_end(void **state)
{
    (void)state;
    enum { COUNT = 1000, SERVED = 256 };
    static const char *const prefixes[] = {"/service/http/", "/switch/"};
    for (unsigned is_switch = 0; is_switch < 2; is_switch++) {
        const char *prefix = prefixes[is_switch];
        struct zone *zone = open_usual();
        uint64_t names = counts_of(zone).names;
        for (unsigned i = 0; i < COUNT; i++)
            put(zone, cased(prefix, i * 7 % COUNT), "baz:1", i + 1);
        zone_commit(zone, COUNT);
        struct zone_counts counts = counts_of(zone);
        assert_int_equal(counts.keys, COUNT);
        assert_int_equal(counts.services + counts.switches, SERVED);
        assert_int_equal(counts.collisions, SERVED - 1);
        assert_int_equal(counts.skipped[SKIP_CROWDED_NAME], COUNT - SERVED);
        assert_int_equal(heard.logged, COUNT - SERVED);
        /* Those inside may change, those outside wait for one to go. */
        put(zone, cased(prefix, 7), "baz:2", 2001);
        put(zone, cased(prefix, 7 * 300 % COUNT), "baz:2", 2002);
        assert_int_equal(counts_of(zone).skipped[SKIP_CROWDED_NAME], COUNT - SERVED);
        assert_int_equal(heard.logged, COUNT - SERVED);
        take_away(zone, cased(prefix, 0));
        put(zone, cased(prefix, 7 * 300 % COUNT), "baz:3", 2003);
        assert_int_equal(counts_of(zone).skipped[SKIP_CROWDED_NAME], COUNT - SERVED - 1);
        /* Told again, unchanged, once there is room: as by a load. */
        const unsigned outside = 7 * 301 % COUNT;
        for (unsigned i = 0; i < COUNT; i++)
            if (i != outside)
                take_away(zone, cased(prefix, i));
        put(zone, cased(prefix, outside), "baz:1", 302);
        assert_int_equal(counts_of(zone).services + counts_of(zone).switches, 1);
        take_away(zone, cased(prefix, outside));
        zone_commit(zone, 3000);
        counts = counts_of(zone);
        assert_int_equal(counts.keys + counts.collisions, 0);
        assert_int_equal(counts.skipped[SKIP_CROWDED_NAME], 0);
        assert_int_equal(counts.names, names);
        zone_free(zone);
    }
}

static void tells_keys_apart_that_are_too_long_to_keep(void **state)
{
    (void)state;
    static char key[9001];
    struct zone *zone = open_usual();
    memset(key, 'k', sizeof(key) - 1);
    for (size_t len = 4090; len <= 9000; len += 491)
        assert_int_equal(zone_put(zone, key, len, "x", 1, 1, 0), STATUS_OK);
    assert_int_equal(counts_of(zone).keys, 11);
    key[8999] = 'l';
    assert_int_equal(zone_put(zone, key, 9000, "x", 1, 1, 0), STATUS_OK);
    assert_int_equal(counts_of(zone).keys, 12);
    zone_remove(zone, key, 9000);
    zone_remove(zone, key, 9000);
    key[8999] = 'k';
    for (size_t len = 4090; len <= 9000; len += 491)
        zone_remove(zone, key, len);
    assert_int_equal(counts_of(zone).keys, 0);
    zone_free(zone);
}

static void leaves_out_names_longer_than_255_octets(void **state)
{
    (void)state;
    /* X63._<62>._tcp: 64 + 64 + 5 octets; then the zone's own, with the root label. */
    static const struct {
        const char *domain;
        unsigned skipped;
    } rows[] = {
        {X50 "." X50 "." X10 "xxxxxxxx", 0},  /* 51 + 51 + 19 + 1 = 122 */
        {X50 "." X50 "." X10 "xxxxxxxxx", 1}, /* 123 */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct zone_options options = usual();
        options.domain = rows[i].domain;
        struct zone *zone = open_zone(&options);
        put(zone, "/service/" X50 X10 "xx/" X63, "baz:1", 1);
        zone_commit(zone, 1);
        assert_int_equal(counts_of(zone).skipped[SKIP_NAME_TOO_LONG], rows[i].skipped);
        assert_int_equal(counts_of(zone).services, !rows[i].skipped);
        zone_free(zone);
    }
    struct zone_options options = usual();
    options.host_domain = X63 "." X63 "." X63;
    struct zone *zone = open_zone(&options);
    put(zone, "/service/http/a", X50 X10 "x:1", 1); /* 62 + 193 = 255 */
    assert_int_equal(counts_of(zone).services, 1);
    put(zone, "/service/http/b", X50 X10 "xx:1", 2);
    assert_int_equal(counts_of(zone).skipped[SKIP_NAME_TOO_LONG], 1);
    zone_free(zone);
}

static void publishes_no_switches_when_told_so(void **state)
{
    (void)state;
    struct zone_options options = usual();
    options.has_switches = false;
    struct zone *zone = open_zone(&options);
    put(zone, "/switch/a/b", "on", 1);
    put(zone, "/switch/a//b", "on", 2);
    zone_commit(zone, 2);
    assert_int_equal(kind_of(zone, "switch"), -1);
    assert_int_equal(kind_of(zone, "b.a.switch"), -1);
    assert_int_equal(counts_of(zone).keys, 2);
    assert_int_equal(counts_of(zone).switches, 0);
    assert_int_equal(heard.logged, 0);
    take_away(zone, "/switch/a/b");
    assert_int_equal(counts_of(zone).keys, 1);
    zone_free(zone);
}

static void a_load_sweeps_what_it_did_not_bring(void **state)
{
    (void)state;
    struct zone *zone = open_usual();
    put(zone, "/service/http/a", "baz:1", 1);
    put(zone, "/service/http/b", "baz:1", 2);
    put(zone, "/switch/s", "on", 3);
    put(zone, "/bad", "", 4);
    zone_commit(zone, 4);
    for (unsigned round = 0; round < 200; round++) { /* marks are few: they begin anew */
        zone_load_begin(zone);
        put(zone, "/service/http/a", "baz:1", 1);
        zone_load_begin(zone); /* broken off */
        put(zone, "/service/http/b", "baz:1", 2);
        if (round < 199) {
            put(zone, "/service/http/a", "baz:1", 1);
            put(zone, "/switch/s", "on", 3);
            put(zone, "/bad", "", 4);
        }
        zone_commit(zone, 0);
        assert_int_equal(counts_of(zone).keys, 4);
        assert_int_equal(size_of(zone, "_http._tcp"), 2);
        zone_load_end(zone, NULL, NULL);
        zone_commit(zone, 10 + round);
    }
    assert_int_equal(counts_of(zone).keys, 1);
    assert_int_equal(size_of(zone, "_http._tcp"), 1);
    assert_int_equal(kind_of(zone, "b._http._tcp"), NODE_INSTANCE);
    assert_int_equal(kind_of(zone, "a._http._tcp"), -1);
    assert_int_equal(kind_of(zone, "s.switch"), -1);
    assert_int_equal(counts_of(zone).skipped[SKIP_BAD_KEY], 0);
    zone_free(zone);
}

/* A store that was wiped and filled again gives the same revisions to other values, and a copy on
 * disk is of no history that is known. */
static void the_same_revision_with_another_value_is_a_change(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        int64_t revision, lease;
        bool is_change;
    } rows[] = {{"10.0.0.1:1", 7, 0, true},  {"10.0.0.1:1", 7, 0, false},
                {"10.0.0.2:1", 7, 0, true},  {"10.0.0.2:1", 8, 0, true},
                {"10.0.0.2:1", 8, 99, true}, {"10.0.0.2:1", 8, 99, false},
                {"10.0.0.2", 8, 99, true},   {"10.0.0.2", 8, 99, false}};
    static const char key[] = "/service/http/a";
    struct zone *zone = open_usual();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t before = zone_change_count(zone);
        assert_int_equal(zone_put(zone, key, sizeof(key) - 1, rows[i].value, strlen(rows[i].value),
                                  rows[i].revision, rows[i].lease),
                         STATUS_OK);
        assert_int_equal(zone_change_count(zone), before + rows[i].is_change);
    }
    take_away(zone, key);
    assert_int_equal(zone_change_count(zone), 5 + 1);
    take_away(zone, key);
    assert_int_equal(zone_change_count(zone), 5 + 1);
    zone_free(zone);
}

static void on_swept(void *arg, const char *key, size_t key_len)
{
    snprintf(arg, 256, "%.*s", (int)key_len, key);
}

static void a_sweep_tells_each_key_that_goes(void **state)
{
    (void)state;
    static const char *const keys[] = {"/service/http/web", "/service/My Type/a.b/c", "/switch/a/b",
                                       "/rubbish"};
    char long_key[4097], swept[256];
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct zone *zone = open_usual();
        put(zone, keys[i], "10.0.0.1:1", 1);
        zone_load_begin(zone);
        zone_load_end(zone, on_swept, swept);
        zone_commit(zone, 2);
        assert_string_equal(swept, keys[i]);
        zone_free(zone);
    }
    memset(long_key, 'k', sizeof(long_key));
    struct zone *zone = open_usual();
    assert_int_equal(zone_put(zone, long_key, sizeof(long_key), "x", 1, 1, 0), STATUS_OK);
    zone_load_begin(zone);
    strcpy(swept, "none");
    zone_load_end(zone, on_swept, swept);
    assert_string_equal(swept, "none");
    assert_int_equal(counts_of(zone).keys, 0);
    zone_free(zone);
}

static void the_serial_goes_on_from_that_of_an_earlier_process(void **state)
{
    (void)state;
    static const struct {
        int64_t revision;
        uint32_t earlier, serial, next;
    } rows[] = {{7, 12, 12, 13}, {7, 7, 7, 8}, {7, 3, 7, 8}, {0xfffffffe, 2, 2, 3}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct zone *zone = open_usual();
        put(zone, "/service/http/a", "10.0.0.1:1", 1);
        zone_commit(zone, rows[i].revision);
        zone_raise_serial(zone, rows[i].earlier);
        assert_int_equal(counts_of(zone).serial, rows[i].serial);
        take_away(zone, "/service/http/a");
        zone_commit(zone, rows[i].revision + 1);
        assert_int_equal(counts_of(zone).serial, rows[i].next);
        zone_free(zone);
    }
}

static void sweeps_many(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct zone *zone = open_usual();
    uint64_t names = counts_of(zone).names;
    char key[64], value[64];
    zone_load_begin(zone);
    for (int i = 0; i < COUNT; i++) {
        snprintf(key, sizeof(key), "/service/type-%d/name-%d", i % 300, i);
        snprintf(value, sizeof(value), "10.%d.%d.%d:80", i >> 16, i >> 8 & 255, i & 255);
        put(zone, key, value, i + 1);
        if (i % 1000 == 0)
            zone_commit(zone, 0);
    }
    zone_load_end(zone, NULL, NULL);
    zone_commit(zone, COUNT);
    assert_int_equal(counts_of(zone).services, COUNT);
    assert_int_equal(counts_of(zone).types, 300);
    assert_int_equal(counts_of(zone).addresses, COUNT);
    zone_load_begin(zone);
    zone_load_end(zone, NULL, NULL);
    assert_int_equal(counts_of(zone).serial, COUNT); /* gone in slices, told as one change */
    assert_in_range(counts_of(zone).names, names, names + COUNT);
    zone_commit(zone, COUNT + 1);
    assert_int_equal(counts_of(zone).serial, COUNT + 1);
    assert_int_equal(counts_of(zone).keys, 0);
    assert_int_equal(counts_of(zone).names, names);
    zone_free(zone);
}

/* A sweep goes over the table of keys while its removals copy it into a smaller one: what has moved
 * to where the sweep has been already must go, too. */
static void a_sweep_begins_again_in_a_table_that_was_copied(void **state)
{
    (void)state;
    enum { MANY = 12000, LEFT = 1600 };
    struct zone *zone = open_usual();
    char key[64];
    unsigned i = 0;
    for (; i < MANY; i++) {
        snprintf(key, sizeof(key), "/switch/s%u", i);
        put(zone, key, "x", 1);
    }
    zone_commit(zone, 1);
    for (unsigned j = 0; j < MANY - LEFT; j++) {
        snprintf(key, sizeof(key), "/switch/s%u", j);
        take_away(zone, key);
    }
    zone_commit(zone, 2);
    while (!zone->keys.next) { /* marks and all fill it to three quarters */
        snprintf(key, sizeof(key), "/switch/s%u", i++);
        put(zone, key, "x", 3);
        snprintf(key, sizeof(key), "/switch/s%u", i - LEFT);
        take_away(zone, key);
    }
    zone_commit(zone, 3);
    assert_true(zone->keys.next && zone->keys.next->mask < zone->keys.slots->mask);
    zone_load_begin(zone);
    put(zone, "/switch/kept", "x", 4);
    zone_load_end(zone, NULL, NULL);
    zone_commit(zone, 4);
    assert_null(zone->keys.next);
    assert_int_equal(counts_of(zone).keys, 1);
    assert_int_equal(counts_of(zone).switches, 1);
    zone_free(zone);
}

static void the_serial_follows_the_revision_and_never_goes_back(void **state)
{
    (void)state;
    enum { PUT, SAME, HOST, LOAD, LOAD_SAME };
    static const struct {
        int what;
        int64_t revision;
        uint32_t serial;
    } rows[] = {
        {HOST, 0, 0},   /* nobody wants it */
        {SAME, 41, 41}, /* the first load, though it brought nothing */
        {PUT, 42, 42},
        {SAME, 43, 42}, /* a change elsewhere */
        {PUT, 44, 44},
        {HOST, 0, 45}, /* an address: one more */
        {HOST, 0, 46},
        {PUT, 45, 47}, /* never back */
        {PUT, 46, 48},
        {PUT, 50, 50},  /* servers agree again */
        {LOAD, 60, 60}, /* told in slices */
        {LOAD_SAME, 61, 60},
        {PUT, 7, 61}, /* another etcd */
        {PUT, INT64_C(0x7fffffff), 0x7fffffff},
        {PUT, INT64_C(0xfffffffe), 0xfffffffe},
        {PUT, INT64_C(0xffffffff), 0xffffffff},
        {PUT, INT64_C(0x100000000), 1}, /* never 0 */
        {PUT, INT64_C(0x100000002), 2},
    };
    struct zone *zone = open_usual();
    struct resolver_address address = {AF_INET, {192, 0, 2, 0}};
    int64_t told = 1000;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool is_load = rows[i].what == LOAD || rows[i].what == LOAD_SAME;
        if (is_load)
            zone_load_begin(zone);
        if (rows[i].what == PUT || rows[i].what == LOAD)
            told++;
        if (rows[i].what == HOST) {
            address.octets[3]++;
            assert_int_equal(zone_set_host(zone, "baz", &address, 1, 60), STATUS_OK);
            assert_int_equal(zone_set_host(zone, "baz", &address, 1, 60), STATUS_OK);
        } else if (i > 1) {
            put(zone, "/service/http/a", "baz:1", told);
        }
        if (is_load) {
            uint32_t before = counts_of(zone).serial;
            zone_commit(zone, 0);
            assert_int_equal(counts_of(zone).serial, before);
            zone_load_end(zone, NULL, NULL);
        }
        if (rows[i].what != HOST) {
            zone_commit(zone, rows[i].revision);
            assert_int_equal(counts_of(zone).revision, rows[i].revision);
        }
        assert_int_equal(counts_of(zone).serial, rows[i].serial);
    }
    zone_free(zone);
}

static void an_address_before_the_first_load_does_not_show_in_the_serial(void **state)
{
    (void)state;
    struct zone *zone = open_usual();
    struct resolver_address address = {AF_INET, {192, 0, 2, 1}};
    zone_load_begin(zone);
    put(zone, "/service/http/a", "baz:1", 5);
    zone_commit(zone, 0);
    assert_int_equal(zone_set_host(zone, "baz", &address, 1, 60), STATUS_OK);
    zone_load_end(zone, NULL, NULL);
    zone_commit(zone, 7);
    assert_int_equal(counts_of(zone).serial, 7);
    zone_free(zone);
}

static void an_address_amid_a_group_waits_for_its_commit(void **state)
{
    (void)state;
    struct zone *zone = open_usual();
    struct resolver_address address = {AF_INET, {192, 0, 2, 1}};
    put(zone, "/service/http/a", "baz:1", 1);
    zone_commit(zone, 1);
    put(zone, "/service/http/b", "baz:2", 2);
    assert_int_equal(zone_set_host(zone, "baz", &address, 1, 60), STATUS_OK);
    assert_int_equal(size_of(zone, "_http._tcp"), 1);
    assert_int_equal(counts_of(zone).serial, 1);
    assert_int_equal(counts_of(zone).hosts_without_address, 0);
    put(zone, "/service/http/c", "baz:3", 2);
    zone_commit(zone, 2);
    assert_int_equal(size_of(zone, "_http._tcp"), 3);
    assert_int_equal(counts_of(zone).serial, 2);
    zone_free(zone);
}

static void asks_for_hosts_while_somebody_refers_to_them(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value, *said; /* value NULL: removed; said: after the commit */
    } rows[] = {
        {"/service/http/a", "Baz:1", "+baz "},
        {"/service/http/b", "baz:2", ""},
        {"/service/http/c", "www.example.com:1", ""},
        {"/service/http/d", "10.0.0.1:1", ""},
        {"/service/http/e", "baz.:1", ""},
        {"/service/http/f", "fixed:1", ""},
        {"/service/http/a", NULL, ""},
        {"/service/http/b", "other:2", "+other -baz "},
        {"/service/http/b", "bad", "-other "},
        {"/service/http/b", "baz:2", "+baz "},
        {"/service/http/b", NULL, "-baz "},
        {"/service/http/f", NULL, ""},
    };
    static const struct zone_address hosts[] = {{"fixed", {AF_INET, {192, 0, 2, 7}}}};
    for (unsigned domain = 0; domain < 2; domain++) {
        struct zone_options options = usual();
        options.host_domain = domain ? "example.org" : NULL;
        options.hosts = hosts;
        options.host_count = 1;
        struct zone *zone = open_zone(&options);
        assert_string_equal(heard.said, "");
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            heard.said[0] = '\0';
            if (rows[i].value)
                put(zone, rows[i].key, rows[i].value, (int64_t)i + 1);
            else
                take_away(zone, rows[i].key);
            zone_commit(zone, (int64_t)i + 1);
            assert_string_equal(heard.said, rows[i].said);
        }
        assert_int_equal(kind_of(zone, "fixed.host"), domain ? -1 : NODE_HOST);
        zone_free(zone);
    }
}

static void counts_hosts_with_and_without_addresses(void **state)
{
    (void)state;
    static const struct resolver_address address = {AF_INET, {192, 0, 2, 1}};
    struct zone *zone = open_usual();
    put(zone, "/service/http/a", "baz:1", 1);
    put(zone, "/service/http/b", "www:1", 2);
    zone_commit(zone, 2);
    assert_int_equal(counts_of(zone).hosts, 2);
    assert_int_equal(counts_of(zone).hosts_without_address, 2);
    assert_int_equal(zone_set_host(zone, "baz", &address, 1, 60), STATUS_OK);
    assert_int_equal(zone_set_host(zone, "unknown", &address, 1, 60), STATUS_OK);
    assert_int_equal(zone_set_host(zone, "", &address, 1, 60), STATUS_OK);
    assert_int_equal(zone_set_host(zone, X63 X63, &address, 1, 60), STATUS_OK);
    assert_int_equal(counts_of(zone).hosts_without_address, 1);
    assert_int_equal(zone_set_host(zone, "baz", NULL, 0, 60), STATUS_OK);
    assert_int_equal(counts_of(zone).hosts_without_address, 2);
    assert_int_equal(zone_set_host(zone, "baz", &address, 1, 60), STATUS_OK);
    take_away(zone, "/service/http/a");
    zone_commit(zone, 3);
    assert_int_equal(counts_of(zone).hosts, 1);
    assert_int_equal(counts_of(zone).hosts_without_address, 1);
    zone_free(zone);
}

static void warns_of_a_type_that_is_too_large_for_bind(void **state)
{
    (void)state;
    struct zone *zone = open_usual();
    char key[64];
    for (int i = 0; i < 101; i++) {
        assert_int_equal(counts_of(zone).large_types, 0);
        snprintf(key, sizeof(key), "/service/http/%d", i);
        put(zone, key, "10.0.0.1:80", i + 1);
        zone_commit(zone, i + 1);
    }
    assert_int_equal(counts_of(zone).large_types, 1);
    assert_int_equal(heard.logged, 1);
    take_away(zone, "/service/http/0");
    zone_commit(zone, 200);
    assert_int_equal(counts_of(zone).large_types, 0);
    zone_free(zone);
}

static void refuses_a_configuration_that_cannot_be(void **state)
{
    (void)state;
    static const struct {
        const char *domain, *host_domain, *ns, *host;
    } rows[] = {
        {"", NULL, NULL, NULL},
        {".", NULL, NULL, NULL},
        {"a..b", NULL, NULL, NULL},
        {X63 "x", NULL, NULL, NULL},
        {X63 "." X63 "." X63 "." X10, NULL, NULL, NULL},
        {"empusa.internal", "host..x", NULL, NULL},
        {"empusa.internal", "empusa.internal", NULL, NULL},
        {"empusa.internal", "other.Empusa.internal", NULL, NULL},
        {"empusa.internal", "x.host.empusa.internal", NULL, NULL},
        {"empusa.internal", NULL, "", NULL},
        {"empusa.internal", NULL, "a..b", NULL},
        {"empusa.internal", NULL, "empusa.internal", NULL},
        {"empusa.internal", NULL, "addr", NULL},
        {"empusa.internal", NULL, "ADDR", NULL},
        {"empusa.internal", NULL, "ns.Switch.Empusa.Internal", NULL},
        {"empusa.internal", NULL, "x._tcp.empusa.internal.", NULL},
        {"empusa.internal", NULL, NULL, ""},
        {"empusa.internal", NULL, NULL, "a.b"},
        {"empusa.internal", NULL, NULL, X63 "x"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct zone_address ns = {rows[i].ns, {AF_INET, {127, 0, 0, 1}}};
        struct zone_address host = {rows[i].host, {AF_INET, {127, 0, 0, 1}}};
        struct zone_options options = usual();
        struct zone *zone = NULL;
        struct detail why = {""};
        options.domain = rows[i].domain;
        options.host_domain = rows[i].host_domain;
        options.ns = rows[i].ns ? &ns : NULL;
        options.ns_count = rows[i].ns != NULL;
        options.hosts = rows[i].host ? &host : NULL;
        options.host_count = rows[i].host != NULL;
        assert_int_equal(zone_new(&options, &zone, &why), STATUS_BAD_INPUT);
        assert_null(zone);
        assert_true(strlen(why.text) > 5);
    }
}

static void takes_name_servers_however_they_are_written(void **state)
{
    (void)state;
    static const struct zone_address ns[] = {
        {"ns", {AF_INET, {127, 0, 0, 1}}},
        {"NS.empusa.internal", {AF_INET, {127, 0, 0, 2}}},
        {"ns.empusa.internal.", {AF_INET, {127, 0, 0, 1}}},
        {"a.b.empusa.internal", {AF_INET, {127, 0, 0, 3}}},
        {"b", {AF_INET6, {[15] = 1}}},
        {"ns.example.net", {AF_INET, {192, 0, 2, 1}}},
    };
    struct zone_options options = usual();
    options.ns = ns;
    options.ns_count = sizeof(ns) / sizeof(ns[0]);
    struct zone *zone = open_zone(&options);
    const struct view *view = zone_view(zone);
    assert_int_equal(view->ns_count, 4);
    assert_int_equal(view->ns[0].node->count, 2);
    assert_int_equal(view->ns[1].node->count, 1);
    assert_int_equal(view->ns[2].node->count, 1);
    assert_null(view->ns[3].node);
    assert_int_equal(kind_of(zone, "a.b"), NODE_FIXED);
    assert_int_equal(kind_of(zone, "b"), NODE_FIXED);
    zone_free(zone);
}

static void opens_and_closes(void **state)
{
    (void)state;
    zone_free(NULL);
    zone_free(open_usual());
    struct zone *zone = open_usual();
    put(zone, "/service/http/a", "{\"location\":\"baz:1\",\"subtypes\":[\"x\"]}", 1);
    put(zone, "/service/HTTP/a", "www.example.com:1", 2);
    put(zone, "/switch/a", "", 3);
    put(zone, "/bad", "", 4);
    zone_free(zone); /* what was not committed, too */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_and_closes),
        cmocka_unit_test(holds_what_its_configuration_makes),
        cmocka_unit_test(gives_each_key_its_names),
        cmocka_unit_test(publishes_and_withdraws_types_with_their_instances),
        cmocka_unit_test(a_name_removed_and_put_in_one_commit_never_goes),
        cmocka_unit_test(an_instance_may_be_named_sub),
        cmocka_unit_test(switches_stand_above_switches_in_any_order),
        cmocka_unit_test(counts_what_it_cannot_serve_and_why),
        cmocka_unit_test(a_crowd_of_keys_with_one_name_has_an_end),
        cmocka_unit_test(tells_keys_apart_that_are_too_long_to_keep),
        cmocka_unit_test(leaves_out_names_longer_than_255_octets),
        cmocka_unit_test(publishes_no_switches_when_told_so),
        cmocka_unit_test(a_load_sweeps_what_it_did_not_bring),
        cmocka_unit_test(the_same_revision_with_another_value_is_a_change),
        cmocka_unit_test(a_sweep_tells_each_key_that_goes),
        cmocka_unit_test(the_serial_goes_on_from_that_of_an_earlier_process),
        cmocka_unit_test(sweeps_many),
        cmocka_unit_test(a_sweep_begins_again_in_a_table_that_was_copied),
        cmocka_unit_test(the_serial_follows_the_revision_and_never_goes_back),
        cmocka_unit_test(an_address_before_the_first_load_does_not_show_in_the_serial),
        cmocka_unit_test(an_address_amid_a_group_waits_for_its_commit),
        cmocka_unit_test(asks_for_hosts_while_somebody_refers_to_them),
        cmocka_unit_test(counts_hosts_with_and_without_addresses),
        cmocka_unit_test(warns_of_a_type_that_is_too_large_for_bind),
        cmocka_unit_test(refuses_a_configuration_that_cannot_be),
        cmocka_unit_test(takes_name_servers_however_they_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
