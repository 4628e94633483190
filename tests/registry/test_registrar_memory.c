/* What is registered, and the registrar, when the n-th allocation fails: it is said, and nothing is
 * half done.
 *
 * Linked with malloc(), calloc() and realloc() wrapped. */
#include "registry/registrar.h"
#include "registry/registration.h"
#include "support/allocation.h"
#include "support/fake_etcd.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PLAIN        "{\"location\":\"h:1\",\"txt\":{\"a\":\"b\"}}"

struct outcome {
    unsigned calls;
    enum status status;
};

static void on_done(void *arg, enum status status, enum registrar_outcome outcome,
                    const struct detail *why)
{
    struct outcome *out = arg;
    (void)outcome, (void)why;
    *out = (struct outcome){out->calls + 1, status};
}

/* Begins it, and lets it end. */
static enum status change(enum registrar_kind kind)
{
    static const struct kv_key key = {.text = "k", .len = 1};
    const struct registrar_change wanted = {.kind = kind,
                                            .key = &key,
                                            .value = "new",
                                            .value_len = 3,
                                            .expected = "old",
                                            .expected_len = 3,
                                            .ttl_s = 30};
    struct outcome out = {0};
    enum status status = registrar_start(fake_etcd(), &wanted, on_done, &out);
    fake_settle();
    assert_int_equal(out.calls, status == STATUS_OK);
    return status == STATUS_OK ? out.status : status;
}

static void a_change_without_memory_says_so(void **state)
{
    static const struct {
        enum registrar_kind kind;
        const char *before;
    } rows[] = {{REGISTRAR_REGISTER, PLAIN},       {REGISTRAR_REMOVE, PLAIN},
                {REGISTRAR_DRAIN, PLAIN},          {REGISTRAR_UNDRAIN, PLAIN},
                {REGISTRAR_SET_SWITCH, "x"},       {REGISTRAR_TOGGLE_SWITCH, "on"},
                {REGISTRAR_EXCHANGE_SWITCH, "old"}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        bool has_failed = true;
        for (unsigned good = 0; has_failed; good++) {
            assert_in_range(good, 0, 100);
            fake_reset();
            fake_put(rows[i].before, 0);
            int64_t revision = fake.revision;
            allocation_begin(good);
            enum status status = change(rows[i].kind);
            has_failed = allocation_end();
            assert_int_equal(status, has_failed ? STATUS_NO_MEMORY : STATUS_OK);
            assert_int_equal(fake.revision == revision, has_failed);
        }
    }
}

static void a_registration_without_memory_says_so(void **state)
{
    static const char *const txt[] = {"a=b", "c"}, *const subtypes[] = {"_x", "y"};
    const struct registration_fields fields = {.type = "t",
                                               .name = "n",
                                               .location = "h:1",
                                               .txt = txt,
                                               .txt_count = 2,
                                               .subtypes = subtypes,
                                               .subtype_count = 2};
    bool has_failed = true;
    (void)state;
    for (unsigned good = 0; has_failed; good++) {
        struct key_root root;
        struct registration made;
        struct fault fault;
        assert_in_range(good, 0, 10);
        assert_int_equal(key_root_parse("/foo", &root, NULL), STATUS_OK);
        allocation_begin(good);
        enum status status = registration_build(&root, &fields, &made, &fault);
        has_failed = allocation_end();
        assert_int_equal(status, has_failed ? STATUS_NO_MEMORY : STATUS_OK);
        if (has_failed)
            assert_string_equal(fault.why.text, "out of memory");
        if (status == STATUS_OK)
            registration_clear(&made);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_without_memory_says_so),
        cmocka_unit_test(a_registration_without_memory_says_so),
    };
    allocation_count_cjson();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
