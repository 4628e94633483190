#include "registry/etcd/client.h"
#include "registry/scan.h"
#include "support/fake_store.h"

// clang-format off
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#define LIMIT_MS 10000

static struct fake_store etcd;

static struct seen {
    unsigned pages, done;
    size_t rows, cut;
    char text[2048]; /* "key=value:left " each */
    enum status answer, status;
    bool is_closing; /* close the client on the first page */
} seen;

static enum status on_page(void *arg, const struct scan_row *rows, size_t count)
{
    struct seen *out = arg;
    assert_int_equal(out->done, 0);
    assert_true(count > 0);
    assert_true(
        LIST_EMPTY(&etcd.client.etcd->rpcs)); /* nothing is under way while the reader reads */
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(out->text);
        const struct scan_row *row = &rows[i];
        snprintf(out->text + len, sizeof(out->text) - len, "%.*s=%.*s", (int)row->key_len, row->key,
                 (int)row->value_len, row->value);
        len = strlen(out->text);
        out->cut += row->is_cut;
        if (row->lease)
            snprintf(out->text + len, sizeof(out->text) - len, ":%d ", (int)row->left_s);
        else
            snprintf(out->text + len, sizeof(out->text) - len, " ");
    }
    out->rows += count;
    out->pages++;
    if (out->is_closing)
        client_loop_close_client(&etcd.client);
    return out->answer;
}

static void on_done(void *arg, enum status status, const struct detail *why)
{
    struct seen *out = arg;
    out->done++;
    out->status = status;
    assert_true(status == STATUS_OK || status == out->answer || why->text[0] != '\0');
}

static int set_up(void **state)
{
    (void)state;
    seen = (struct seen){.answer = STATUS_OK};
    return fake_store_start(&etcd, 2000) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return fake_store_stop(&etcd);
}

static void start(const char *prefix)
{
    struct kv_key key;
    snprintf(key.text, sizeof(key.text), "%s", prefix);
    key.len = strlen(prefix);
    assert_true(scan_start(etcd.client.etcd, &key, on_page, on_done, &seen));
    assert_int_equal(seen.pages + seen.done, 0);
}

static enum status scan_all(const char *prefix)
{
    start(prefix);
    assert_true(CLIENT_LOOP_UNTIL(&etcd.client, seen.done, LIMIT_MS));
    assert_int_equal(seen.done, 1);
    return seen.status;
}

static void an_empty_tree_has_no_page(void **state)
{
    (void)state;
    fake_store_put(&etcd, "/foobar/a", "1", 0);
    assert_int_equal(scan_all("/foo/"), STATUS_OK);
    assert_int_equal(seen.pages, 0);
    assert_int_equal(etcd.ranges, 1);
}

/* The one in its last second has a TTL of 0 in etcd's answer, the one that is gone -1. */
static void each_lease_is_asked_for_once_and_only_the_gone_are_left_out(void **state)
{
    (void)state;
    fake_store_add_lease(&etcd, 5, 60, 30);
    fake_store_add_lease(&etcd, 6, 60, -1);
    fake_store_add_lease(&etcd, 7, 60, 0);
    fake_store_put(&etcd, "/foo/a", "1", 5);
    fake_store_put(&etcd, "/foo/b", "2", 6);
    fake_store_put(&etcd, "/foo/c", "3", 0);
    fake_store_put(&etcd, "/foo/d", "4", 7);
    fake_store_put(&etcd, "/foo/e", "5", 5);
    fake_store_put(&etcd, "/foo/f", "6", 8); /* etcd knows no such lease */
    fake_store_put(&etcd, "/fop", "7", 0);
    assert_int_equal(scan_all("/foo/"), STATUS_OK);
    assert_string_equal(seen.text, "/foo/a=1:30 /foo/c=3 /foo/d=4:0 /foo/e=5:30 ");
    assert_int_equal(seen.pages, 1);
    assert_int_equal(etcd.questions, 4);
}

static void a_page_of_which_nothing_is_left_is_none(void **state)
{
    (void)state;
    fake_store_put(&etcd, "/foo/a", "1", 9);
    assert_int_equal(scan_all("/foo/"), STATUS_OK);
    assert_int_equal(seen.pages, 0);
    assert_int_equal(etcd.questions, 1);
}

static void leases_are_asked_for_some_at_a_time(void **state)
{
    (void)state;
    char key[16];
    for (int i = 0; i < 200; i++) {
        fake_store_add_lease(&etcd, 1000 + i * 37 % 200, 60, i * 37 % 200 + 1);
        snprintf(key, sizeof(key), "/foo/%03d", i);
        fake_store_put(&etcd, key, "", 1000 + i);
    }
    assert_int_equal(scan_all("/foo/"), STATUS_OK);
    assert_int_equal(seen.rows, 200);
    assert_int_equal(etcd.questions, 200);
    assert_true(etcd.gateway.connection_count <= 33);
    assert_non_null(strstr(seen.text, "/foo/000=:1 /foo/001=:2 /foo/002=:3 "));
}

/* Of a range that is answered by hand: keys of ten octets from `first` on, of `total` in all. */
static struct {
    unsigned first, count, total, value_len;
    char *text;
} page;

static void decide_page(void *arg, const char *path, const char *body, struct fake_row *row)
{
    size_t len;
    char key[16], key64[24] = "";
    if (strcmp(path, "/v3/kv/range") != 0) {
        fake_store_decide(arg, path, body, row);
        return;
    }
    etcd.ranges++;
    snprintf(etcd.last, sizeof(etcd.last), "%s", body);
    free(page.text);
    FILE *out = open_memstream(&page.text, &len);
    fprintf(out, "{");
    fake_store_header(&etcd, out);
    fprintf(out, ",\"kvs\":[");
    for (unsigned i = page.first; i < page.first + page.count; i++) {
        snprintf(key, sizeof(key), "/foo/%05u", i);
        base64_encode(key, 10, key64);
        fprintf(out, "%s{\"key\":\"%s\",\"mod_revision\":\"1\",\"value\":\"",
                i > page.first ? "," : "", key64);
        for (unsigned at = 0; at < page.value_len; at += 3)
            fputs("eHh4", out);
        fprintf(out, "\"}");
    }
    page.first += page.count;
    unsigned left = page.total - page.first + page.count;
    fprintf(out, "],\"more\":%s,\"count\":\"%u\"}", left > page.count ? "true" : "false", left);
    fclose(out);
    row->body = page.text;
    page.count = left - page.count < page.count ? left - page.count : page.count;
}

static void the_next_page_is_of_the_same_revision_and_begins_behind_the_last_key(void **state)
{
    (void)state;
    page.first = 0;
    page.count = 25000;
    page.total = 25001;
    page.value_len = 0;
    etcd.revision = 77;
    etcd.gateway.decide = decide_page;
    assert_int_equal(scan_all("/foo/"), STATUS_OK);
    assert_int_equal(seen.pages, 2);
    assert_int_equal(seen.rows, 25001);
    assert_int_equal(etcd.ranges, 2);
    assert_non_null(strstr(etcd.last, "\"revision\":\"77\""));
    assert_non_null(strstr(etcd.last, "\"key\":\"L2Zvby8yNDk5OQA=\"")); /* /foo/24999 and a NUL */
    free(page.text);
    page.text = NULL;
}

/* Twelve values of 1.5 MB, of which five fill a page. */
static void long_values_make_short_pages(void **state)
{
    (void)state;
    page.first = 0;
    page.count = page.total = 12;
    page.value_len = 1500000;
    etcd.gateway.decide = decide_page;
    start("/foo/");
    assert_true(CLIENT_LOOP_UNTIL(&etcd.client, seen.pages == 1, LIMIT_MS));
    assert_int_equal(seen.rows, 5);
    page.first = 5;
    page.count = 5;
    assert_true(CLIENT_LOOP_UNTIL(&etcd.client, etcd.ranges == 2, LIMIT_MS));
    assert_non_null(strstr(etcd.last, "\"limit\":5"));
    assert_non_null(strstr(etcd.last, "\"key\":\"L2Zvby8wMDAwNAA=\""));
    client_loop_close_client(&etcd.client);
    free(page.text);
    page.text = NULL;
}

static void a_value_that_is_too_long_is_left_out(void **state)
{
    (void)state;
    page.first = 0;
    page.count = page.total = 2;
    page.value_len = 3000000;
    etcd.gateway.decide = decide_page;
    assert_int_equal(scan_all("/foo/"), STATUS_OK);
    assert_string_equal(seen.text, "/foo/00000= /foo/00001= ");
    assert_int_equal(seen.cut, 2);
    free(page.text);
    page.text = NULL;
}

static void what_the_reader_says_ends_it(void **state)
{
    (void)state;
    fake_store_put(&etcd, "/foo/a", "1", 0);
    seen.answer = STATUS_TOO_LARGE;
    assert_int_equal(scan_all("/foo/"), STATUS_TOO_LARGE);
}

static void what_etcd_refuses_is_told(void **state)
{
    (void)state;
    static const char *const paths[] = {"/v3/kv/range", "/v3/lease/timetolive"};
    for (size_t i = 0; i < 2; i++) {
        if (i > 0)
            assert_int_equal(set_up(state), 0);
        for (int64_t lease = 5; lease < 50; lease++) {
            char key[16];
            snprintf(key, sizeof(key), "/foo/%02d", (int)lease);
            fake_store_put(&etcd, key, "1", lease);
        }
        etcd.fail = (struct fake_row){paths[i], 403,
                                      "{\"error\":\"etcdserver: permission denied\",\"code\":7}",
                                      FAKE_KEEP, 1};
        assert_int_equal(scan_all("/foo/"), STATUS_DENIED);
        assert_int_equal(seen.pages, 0);
        if (i == 0)
            assert_int_equal(tear_down(state), 0);
    }
}

static void closing_the_client_cancels_it_wherever_it_stands(void **state)
{
    (void)state;
    for (unsigned stage = 0; stage < 2; stage++) {
        if (stage > 0)
            assert_int_equal(set_up(state), 0);
        fake_store_put(&etcd, "/foo/a", "1", 5);
        fake_store_put(&etcd, "/foo/b", "1", 6);
        start("/foo/");
        if (stage == 1)
            assert_true(CLIENT_LOOP_UNTIL(&etcd.client, etcd.questions > 0, LIMIT_MS));
        client_loop_close_client(&etcd.client);
        assert_int_equal(seen.done, 1);
        assert_int_equal(seen.status, STATUS_CANCELLED);
        if (stage == 0)
            assert_int_equal(tear_down(state), 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_tree_has_no_page),
        TEST(each_lease_is_asked_for_once_and_only_the_gone_are_left_out),
        TEST(a_page_of_which_nothing_is_left_is_none),
        TEST(leases_are_asked_for_some_at_a_time),
        TEST(the_next_page_is_of_the_same_revision_and_begins_behind_the_last_key),
        TEST(long_values_make_short_pages),
        TEST(a_value_that_is_too_long_is_left_out),
        TEST(what_the_reader_says_ends_it),
        TEST(what_etcd_refuses_is_told),
        TEST(closing_the_client_cancels_it_wherever_it_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
