#include "support/in_child.h"

#include "cli/serve/privileges.h"

#include <grp.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cmocka.h>

#define OTHER "nobody"

static void users_are_found_by_name(void **state)
{
    (void)state;
    struct privileges user = {.name = "before"};
    struct detail why = {""};
    assert_int_equal(privileges_find("empusa-test-no-such", &user, &why), STATUS_NOT_FOUND);
    assert_string_equal(why.text, "no such user");
    assert_string_equal(user.name, "before");
    assert_int_equal(privileges_find("root", &user, &why), STATUS_OK);
    assert_string_equal(user.name, "root");
    assert_int_equal(user.uid, 0);
    assert_int_equal(user.gid, 0);
}

static void check_become(void)
{
    struct privileges user;
    gid_t groups[64];
    uid_t uids[3];
    gid_t gids[3];
    CHILD_EXPECT(privileges_find(OTHER, &user, NULL) == STATUS_OK);
    CHILD_EXPECT(setgroups(2, (gid_t[]){0, 4}) == 0);
    CHILD_EXPECT(privileges_become(&user, NULL) == STATUS_OK);
    CHILD_EXPECT(getresuid(&uids[0], &uids[1], &uids[2]) == 0);
    CHILD_EXPECT(getresgid(&gids[0], &gids[1], &gids[2]) == 0);
    for (int i = 0; i < 3; i++)
        CHILD_EXPECT(uids[i] == user.uid && gids[i] == user.gid);
    int count = getgroups(64, groups);
    for (int i = 0; i < count; i++)
        CHILD_EXPECT(groups[i] != 0 && groups[i] != 4);
    CHILD_EXPECT(in_child_status("CapEff") == 0 && in_child_status("CapPrm") == 0);
    CHILD_EXPECT(in_child_status("CapBnd") == 0);
    CHILD_EXPECT(setuid(0) != 0 && setgid(0) != 0);
    CHILD_EXPECT(privileges_become(&user, NULL) == STATUS_OK); /* who is it already */
    struct privileges root = {.name = "root"};
    struct detail why = {""};
    CHILD_EXPECT(privileges_become(&root, &why) == STATUS_SYSTEM);
    CHILD_EXPECT(strncmp(why.text, "cannot become that user: ", 25) == 0);
}

static void the_user_is_become_for_good(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_true(in_child(check_become));
}

/* As a service manager may have given it some. */
static void check_ambient(void)
{
    struct privileges user;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct some[_LINUX_CAPABILITY_U32S_3] = {{0}};
    some[0].effective = some[0].permitted = some[0].inheritable = 1U << CAP_NET_BIND_SERVICE;
    CHILD_EXPECT(privileges_find(OTHER, &user, NULL) == STATUS_OK);
    CHILD_EXPECT(setgroups(0, NULL) == 0 && prctl(PR_SET_KEEPCAPS, 1) == 0);
    CHILD_EXPECT(setresgid(user.gid, user.gid, user.gid) == 0);
    CHILD_EXPECT(setresuid(user.uid, user.uid, user.uid) == 0);
    CHILD_EXPECT(syscall(SYS_capset, &header, some) == 0);
    CHILD_EXPECT(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0) == 0);
    CHILD_EXPECT(in_child_status("CapAmb") != 0);
    CHILD_EXPECT(privileges_become(&user, NULL) == STATUS_OK);
    CHILD_EXPECT(in_child_status("CapEff") == 0 && in_child_status("CapPrm") == 0);
    CHILD_EXPECT(in_child_status("CapInh") == 0 && in_child_status("CapAmb") == 0);
}

static void who_is_that_user_already_keeps_no_capability(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_true(in_child(check_ambient));
}

static void check_root(void)
{
    struct privileges root;
    unsigned long long before = in_child_status("CapEff");
    CHILD_EXPECT(privileges_find("root", &root, NULL) == STATUS_OK);
    CHILD_EXPECT(privileges_become(&root, NULL) == STATUS_OK);
    CHILD_EXPECT(in_child_status("CapEff") == before);
}

static void root_keeps_what_it_has(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_true(in_child(check_root));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_are_found_by_name),
        cmocka_unit_test(the_user_is_become_for_good),
        cmocka_unit_test(who_is_that_user_already_keeps_no_capability),
        cmocka_unit_test(root_keeps_what_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
