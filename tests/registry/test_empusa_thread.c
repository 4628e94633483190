/* libempusa's thread: its signals, its callbacks, and many who use it. */
#include "support/user.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define THREADS 4
#define EACH    20

static void a_callback_may_not_block(void **state)
{
    (void)state;
    struct empusa *own = NULL;
    struct empusa_options options = user_options(USER_NOWHERE);
    struct empusa_service service = user_service("n");
    struct empusa_registration *registration;
    options.arg = &own;
    user_forget();
    assert_int_equal(empusa_open(&options, &own), EMPUSA_OK);
    service.timeout_ms = 0;
    assert_int_equal(empusa_register(own, &service, &registration), EMPUSA_PENDING);
    user_wait_seen("L");
    assert_int_equal(user_seen.tried, EMPUSA_E_IN_CALLBACK);
    assert_int_equal(user_seen.code, EMPUSA_E_UNREACHABLE);
    empusa_close(own);
}

/* No handler of the program's runs on the library's thread. */
static void signals_are_left_alone(void **state)
{
    (void)state;
    unsigned threads = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    (void)user_listed(NULL); /* a thread that has not run yet blocks all in any case */
    for (struct dirent *task; (task = readdir(tasks));) {
        char path[300], line[128], name[32] = "";
        unsigned long long blocked = 0;
        snprintf(path, sizeof(path), "/proc/self/task/%s/status", task->d_name);
        FILE *file = fopen(path, "r");
        while (file && fgets(line, sizeof(line), file)) {
            (void)sscanf(line, "Name: %31s", name);
            (void)sscanf(line, "SigBlk: %llx", &blocked);
        }
        if (file)
            fclose(file);
        if (strcmp(name, "empusa") != 0)
            continue;
        threads++;
        for (int number = 1; number < 32; number++)
            if (number != SIGKILL && number != SIGSTOP)
                assert_true(blocked >> (number - 1) & 1);
    }
    closedir(tasks);
    assert_true(threads >= 1);
    struct sigaction action;
    assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
    assert_true(action.sa_handler == SIG_DFL);
}

static void on_service(void *arg, enum empusa_change change, const struct empusa_entry *entry)
{
    (void)arg;
    user_note("+-="[change], entry ? entry->name : NULL);
}

static void *use_in_thread(void *arg)
{
    unsigned failed = 0;
    for (unsigned i = 0; i < EACH; i++) {
        char name[32];
        struct empusa_registration *registration;
        struct empusa_watch *watch = NULL;
        snprintf(name, sizeof(name), "t%zu-%u", (size_t)arg, i);
        struct empusa_service service = user_service(name);
        failed += empusa_register(user_registry, &service, &registration) != EMPUSA_OK;
        failed += empusa_service_watch(user_registry, "web", on_service, NULL, &watch) != EMPUSA_OK;
        failed += empusa_drain(registration) != EMPUSA_OK;
        failed += empusa_register(user_registry, NULL, &registration) != EMPUSA_E_BAD_INPUT;
        failed += strcmp(empusa_error_field(user_registry), "size") != 0;
        failed += empusa_unregister(registration) != EMPUSA_OK;
        failed += empusa_watch_stop(watch) != EMPUSA_OK;
    }
    return (void *)(size_t)failed;
}

static void threads_may_share_a_registry(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_in_thread, (void *)i), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_string_equal(user_listed(NULL), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_callback_may_not_block),
        USER_TEST(signals_are_left_alone),
        USER_TEST(threads_may_share_a_registry),
    };
    return cmocka_run_group_tests(tests, user_start, user_stop);
}
