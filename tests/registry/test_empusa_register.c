/* What a program gives libempusa to register, and changes of it. */
#include "support/user.h"

#include <stdlib.h>
#include <string.h>

#define PAIR_SIZE 256 /* one octet longer than a pair may be */

/* Every bad input is refused before anything is asked, with the member's name. */
static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const char *const two[] = {"a=1", "A=2"}, *const hole[] = {NULL}, *const bad[] = {"=1"};
    static char longer[PAIR_SIZE + 1];
    static const char *const wide[] = {longer};
    memset(longer, 'x', PAIR_SIZE);
    struct empusa_service rows[16], service = user_service("n");
    for (size_t i = 0; i < 16; i++)
        rows[i] = service;
    rows[0].type = NULL;
    rows[1].type = "a/b";
    rows[2].name = NULL;
    rows[3].name = "";
    rows[4].location = NULL;
    rows[5].location = "10.1.2.3";
    rows[6].txt = two, rows[6].txt_count = 2;
    rows[7].txt = hole, rows[7].txt_count = 1;
    rows[8].txt = NULL, rows[8].txt_count = 1;
    rows[9].txt = wide, rows[9].txt_count = 1;
    rows[10].subtypes = bad, rows[10].subtype_count = 0, rows[10].priority = 65536;
    rows[11].weight = -2;
    rows[12].protocol = (enum empusa_protocol)3;
    rows[13].ttl_s = 0;
    rows[14].size = 8;
    rows[15].subtypes = hole, rows[15].subtype_count = 1;
    static const char *const fields[] = {
        "type", "type", "name",     "name",   "location", "location", "txt",  "txt",
        "txt",  "txt",  "priority", "weight", "protocol", "ttl_s",    "size", "subtypes"};
    for (size_t i = 0; i < 16; i++) {
        struct empusa_registration *registration = (void *)&service;
        int code = empusa_register(user_registry, &rows[i], &registration);
        if (code != EMPUSA_E_BAD_INPUT || strcmp(empusa_error_field(user_registry), fields[i]) != 0)
            fail_msg("%s: %d, %s", fields[i], code, empusa_error(user_registry));
        assert_memory_equal(empusa_error(user_registry), fields[i], strlen(fields[i]));
        assert_ptr_equal(registration, &service);
    }
    struct empusa_registration *none;
    rows[5].location = "10.1.2.3";
    assert_int_equal(empusa_register(user_registry, &rows[5], &none), EMPUSA_E_BAD_INPUT);
    assert_string_equal(empusa_error(user_registry),
                        "location \"10.1.2.3\": no ':' and port after the host");
    assert_string_equal(empusa_error(NULL), empusa_error(user_registry));
    assert_string_equal(user_listed(NULL), "");
}

static void an_entry_is_kept_and_changed(void **state)
{
    (void)state;
    static const char *const txt[] = {"path=/", "beta"}, *const subtypes[] = {"_printer"};
    struct empusa_service service = user_service("shop");
    struct empusa_registration *shop, *blog = user_register("blog");
    service.subtypes = subtypes, service.subtype_count = 1;
    assert_int_equal(empusa_register(user_registry, &service, &shop), EMPUSA_OK);
    assert_int_equal(empusa_is_registered(shop), 1);
    assert_string_equal(user_listed("web"),
                        "web/blog " USER_LOCATION " " USER_LOCATION " up;web/shop " USER_LOCATION
                        " " USER_LOCATION " up _printer;");
    assert_string_equal(user_listed("other"), "");
    service.txt = txt, service.txt_count = 2;
    service.location = "[fd00::1]:80";
    assert_int_equal(empusa_drain(blog), EMPUSA_OK);
    assert_int_equal(empusa_drain(shop), EMPUSA_OK);
    assert_int_equal(empusa_update(shop, &service), EMPUSA_OK);
    assert_string_equal(user_listed(NULL),
                        "web/blog " USER_LOCATION " " USER_LOCATION
                        " draining;web/shop [fd00::1]:80 fd00::1:80 draining beta path=/ "
                        "_printer;");
    assert_int_equal(empusa_undrain(shop), EMPUSA_OK);
    assert_int_equal(empusa_undrain(shop), EMPUSA_OK); /* it is so already */
    service.name = "shops";
    assert_int_equal(empusa_update(shop, &service), EMPUSA_E_BAD_INPUT);
    assert_string_equal(empusa_error(user_registry), "name: is not what was registered");
    assert_int_equal(empusa_unregister(blog), EMPUSA_OK);
    assert_string_equal(user_listed(NULL),
                        "web/shop [fd00::1]:80 fd00::1:80 up beta path=/ _printer;");
    assert_int_equal(empusa_unregister(shop), EMPUSA_OK);
    assert_string_equal(user_listed(NULL), "");
}

static void note_numbers(void *arg, const struct empusa_entry *entry)
{
    int *numbers = arg;
    numbers[0] = entry->priority;
    numbers[1] = entry->weight;
}

static void priority_and_weight_are_those_given(void **state)
{
    (void)state;
    static const int rows[][4] = {
        {-1, -1, 0, 1}, {0, 0, 0, 0}, {7, 9, 7, 9}, {65535, 65535, 65535, 65535}};
    for (size_t i = 0; i < 4; i++) {
        struct empusa_service service = user_service("n");
        struct empusa_registration *registration;
        int numbers[2] = {-1, -1};
        service.priority = rows[i][0], service.weight = rows[i][1];
        assert_int_equal(empusa_register(user_registry, &service, &registration), EMPUSA_OK);
        assert_int_equal(empusa_service_list(user_registry, NULL, note_numbers, numbers),
                         EMPUSA_OK);
        assert_memory_equal(numbers, rows[i] + 2, sizeof(numbers));
        assert_int_equal(empusa_unregister(registration), EMPUSA_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        USER_TEST(what_is_wrong_is_named),
        USER_TEST(an_entry_is_kept_and_changed),
        USER_TEST(priority_and_weight_are_those_given),
    };
    return cmocka_run_group_tests(tests, user_start, user_stop);
}
