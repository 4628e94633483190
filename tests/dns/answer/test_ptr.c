/* PTR records: which they are, and how little room they take. */
#include "support/world.h"

static struct world world;

#define Z   "empusa.internal."
#define X10 "xxxxxxxxxx"

static const struct world_row rows[] = {
    {"/service/http/a", "{\"location\":\"10.0.0.1:1\",\"subtypes\":[\"x\"]}", 0},
    {"/service/http/b c", "10.0.0.2:1", 60},
    {"/service/ftp/a", "10.0.0.3:1", 0},
    {"/service/dns._udp/a", "10.0.0.4:1", 0},
};

static void lead_from_types_and_lists_to_what_is_in_them(void **state)
{
    static const struct {
        const char *name, *answer;
    } expected[] = {
        {"_http._tcp." Z, "10 PTR a._http._tcp." Z "\n10 PTR b\\032c._http._tcp." Z "\n"},
        {"_HTTP._TCP.EMPUSA.internal.",
         "10 PTR a._http._tcp." Z "\n10 PTR b\\032c._http._tcp." Z "\n"},
        {"_x._sub._http._tcp." Z, "10 PTR a._http._tcp." Z "\n"},
        {"_X._sub._http._tcp." Z, "10 PTR a._http._tcp." Z "\n"},
        {"_dns._udp." Z, "10 PTR a._dns._udp." Z "\n"},
        {"_services._dns-sd._udp." Z,
         "10 PTR _dns._udp." Z "\n10 PTR _ftp._tcp." Z "\n10 PTR _http._tcp." Z "\n"},
        {"_none._tcp." Z, ""},
        {"_y._sub._http._tcp." Z, ""},
    };
    (void)state;
    world_open(&world, (struct zone_options){.domain = NULL}, rows, 4);
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        for (unsigned transport = QUERY_UDP; transport <= QUERY_TCP; transport++) {
            world_ask(&world, expected[i].name, READ_PTR, transport);
            assert_string_equal(world_text(&world, READ_ANSWER), expected[i].answer);
        }
    world_close(&world);
}

/* So many instances, of names of seven octets. */
static void fill(struct zone_options options, unsigned count)
{
    world_open(&world, options, NULL, 0);
    for (unsigned i = 0; i < count; i++) {
        char key[64];
        snprintf(key, sizeof(key), "/service/" X10 X10 "/inst%03u", i);
        world_put(&world, key, "10.0.0.1:80", 0);
    }
    world_refresh(&world);
}

/* The octets of the answer section, whose owners are all pointers to the question. */
static size_t answer_len(size_t question_len)
{
    const uint8_t *begin = world.ask.reply + 12 + question_len, *at = begin;
    for (size_t i = world_count(&world, READ_ANSWER); i > 0; i--)
        at += 2 + 10 + reader_get16(at + 10);
    return (size_t)(at - begin);
}

/* A record is a pointer to the question's name, 10 octets, the instance's label and a pointer to
 * the type's name, which stands in the question, or, if it was asked in other letters, in the first
 * record. RFC 1035 4.1.4. */
static void share_the_end_of_their_names(void **state)
{
    enum { COUNT = 20, RECORD = 2 + 10 + 8 + 2, NAME = 44 };
    static const struct {
        const char *name;
        size_t len;
    } asked[] = {
        {"_" X10 X10 "._tcp." Z, COUNT * RECORD},
        {"_" X10 "XXXXXXXXXX._tcp." Z, COUNT * RECORD + NAME - 2},
        {"_" X10 X10 "._tcp.EMPUSA.INTERNAL.", COUNT * RECORD + NAME - 2},
    };
    (void)state;
    fill((struct zone_options){.domain = NULL}, COUNT);
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        world_ask(&world, asked[i].name, READ_PTR, QUERY_TCP);
        assert_int_equal(world_count(&world, READ_ANSWER), COUNT);
        if (answer_len(NAME + 4) != asked[i].len)
            fail_msg("%s: %zu octets", asked[i].name, answer_len(NAME + 4));
    }
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lead_from_types_and_lists_to_what_is_in_them),
        cmocka_unit_test(share_the_end_of_their_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
