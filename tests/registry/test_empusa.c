/* libempusa against a real etcd, as a program uses it: through registry/empusa.h alone. */
#include "registry/empusa.h"
#include "support/etcd_server.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// clang-format off
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#define ROOT        "/test"
#define LOCATION    "10.1.2.3:8080"
#define PATIENCE    3000 /* of 10 ms */
#define MANY        1001 /* one more than a lease has keys */
#define DESCRIPTORS 200
#define THREADS     4
#define EACH        20
#define EVENTS      64
#define NOWHERE     "127.0.0.1:1" /* nothing listens there */
#define PAIR_SIZE   256           /* one octet longer than a pair may be */

static struct etcd_server server;
static struct empusa *registry;

/* What the library told, in order: a letter each. Written by its thread. */
static struct seen {
    pthread_mutex_t lock;
    char text[EVENTS + 1], last[64];
    size_t count;
    int code; /* of the last event, and of what was tried in a callback */
    int tried;
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void note(char letter, const char *name)
{
    pthread_mutex_lock(&seen.lock);
    if (seen.count < EVENTS)
        seen.text[seen.count++] = letter;
    seen.text[seen.count] = '\0';
    snprintf(seen.last, sizeof(seen.last), "%s", name ? name : "");
    pthread_mutex_unlock(&seen.lock);
}

static void forget(void)
{
    pthread_mutex_lock(&seen.lock);
    seen.count = 0;
    seen.text[0] = '\0';
    pthread_mutex_unlock(&seen.lock);
}

static void on_event(void *arg, const struct empusa_event *event)
{
    static const char letters[] = "LGRXVCDU";
    struct empusa **own = arg;
    pthread_mutex_lock(&seen.lock);
    seen.code = event->code;
    seen.tried = own && *own ? empusa_service_list(*own, NULL, NULL, NULL) : 0;
    pthread_mutex_unlock(&seen.lock);
    note(letters[event->kind], event->name);
}

static bool has_seen(const char *letters)
{
    pthread_mutex_lock(&seen.lock);
    bool has = strcmp(seen.text, letters) == 0;
    pthread_mutex_unlock(&seen.lock);
    return has;
}

static void wait_seen(const char *letters)
{
    for (int i = 0; i < PATIENCE && !has_seen(letters); i++)
        etcd_server_sleep_ms(10);
    pthread_mutex_lock(&seen.lock);
    assert_string_equal(seen.text, letters);
    pthread_mutex_unlock(&seen.lock);
}

static struct empusa_options options_of(const char *endpoint)
{
    struct empusa_options options;
    empusa_options_init(&options);
    options.endpoints = endpoint;
    options.tree_root = ROOT;
    options.no_environment = 1;
    options.on_event = on_event;
    return options;
}

static struct empusa_service service_of(const char *name)
{
    struct empusa_service service;
    empusa_service_init(&service, "web", name, LOCATION);
    return service;
}

static struct empusa_registration *register_one(const char *name)
{
    struct empusa_service service = service_of(name);
    struct empusa_registration *registration = NULL;
    if (empusa_register(registry, &service, &registration) != EMPUSA_OK)
        fail_msg("%s", empusa_error(registry));
    return registration;
}

/* All that is registered, as "name location state txt..;". */
static void append(void *arg, const struct empusa_entry *entry)
{
    char *out = arg;
    size_t len = strlen(out);
    len +=
        (size_t)sprintf(out + len, "%s/%s %s %s:%u %s", entry->type, entry->name, entry->location,
                        entry->host, entry->port, entry->is_draining ? "draining" : "up");
    for (size_t i = 0; i < entry->txt_count; i++)
        len += (size_t)sprintf(out + len, " %s", entry->txt[i].text);
    for (size_t i = 0; i < entry->subtype_count; i++)
        len += (size_t)sprintf(out + len, " _%s", entry->subtypes[i].text);
    strcpy(out + len, ";");
}

static const char *listed(const char *type)
{
    static char text[4096];
    text[0] = '\0';
    if (empusa_service_list(registry, type, append, text) != EMPUSA_OK)
        fail_msg("%s", empusa_error(registry));
    return text;
}

/* Every bad input is refused before anything is asked, with the member's name. */
static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const char *const two[] = {"a=1", "A=2"}, *const hole[] = {NULL}, *const bad[] = {"=1"};
    static char longer[PAIR_SIZE + 1];
    static const char *const wide[] = {longer};
    memset(longer, 'x', PAIR_SIZE);
    struct empusa_service rows[16], service = service_of("n");
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
        int code = empusa_register(registry, &rows[i], &registration);
        if (code != EMPUSA_E_BAD_INPUT || strcmp(empusa_error_field(registry), fields[i]) != 0)
            fail_msg("%s: %d, %s", fields[i], code, empusa_error(registry));
        assert_memory_equal(empusa_error(registry), fields[i], strlen(fields[i]));
        assert_ptr_equal(registration, &service);
    }
    struct empusa_registration *none;
    rows[5].location = "10.1.2.3";
    assert_int_equal(empusa_register(registry, &rows[5], &none), EMPUSA_E_BAD_INPUT);
    assert_string_equal(empusa_error(registry),
                        "location \"10.1.2.3\": no ':' and port after the host");
    assert_string_equal(empusa_error(NULL), empusa_error(registry));
    assert_string_equal(listed(NULL), "");
}

static void what_a_registry_needs_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *endpoints, *root, *protocol, *user, *discovery, *field;
    } rows[] = {
        {NULL, "/r", NULL, NULL, NULL, "endpoints"},
        {"h", "/r", NULL, NULL, NULL, "endpoints"},
        {"h:1 , ,h:2", "/r", NULL, NULL, NULL, "endpoints"},
        {"http://me:secret@h:1", "/r", NULL, NULL, NULL, "endpoints"},
        {"h:1", NULL, NULL, NULL, NULL, "tree_root"},
        {"h:1", "/\n", NULL, NULL, NULL, "tree_root"},
        {"h:1", "/r", "ftp", NULL, NULL, "protocol"},
        {"h:1", "/r", NULL, "me", NULL, "password_file"},
        {NULL, "/r", NULL, NULL, "me:secret@h", "discovery_srv"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct empusa *none = (void *)&server;
        struct empusa_options options = options_of(rows[i].endpoints);
        options.tree_root = rows[i].root;
        options.protocol = rows[i].protocol;
        options.user = rows[i].user;
        options.discovery_srv = rows[i].discovery;
        assert_int_equal(empusa_open(&options, &none), EMPUSA_E_BAD_INPUT);
        assert_null(none);
        assert_string_equal(empusa_error_field(none), rows[i].field);
        assert_null(strstr(empusa_error(NULL), "secret"));
    }
    struct empusa *none;
    struct empusa_options options = options_of(NOWHERE);
    options.cert = "/nowhere";
    options.key = "/nowhere";
    assert_int_equal(empusa_open(&options, &none), EMPUSA_E_BAD_INPUT);
    assert_non_null(strstr(empusa_error(NULL), "/nowhere"));
}

/* Names and meaning of the variables are those of the command line's. */
static void variables_stand_in_for_options(void **state)
{
    (void)state;
    struct empusa *other;
    assert_int_equal(empusa_open(NULL, &other), EMPUSA_E_BAD_INPUT);
    assert_string_equal(empusa_error(NULL), "tree_root: neither given nor in EMPUSA_TREE_ROOT");
    char endpoints[64];
    snprintf(endpoints, sizeof(endpoints), "%s %s", NOWHERE, server.endpoint);
    setenv("EMPUSA_TREE_ROOT", "//test/", 1);
    setenv("EMPUSA_ETCD_ENDPOINT", endpoints, 1);
    setenv("EMPUSA_ETCD_TIMEOUT", "0", 1);
    assert_int_equal(empusa_open(NULL, &other), EMPUSA_E_BAD_INPUT);
    assert_string_equal(empusa_error_field(NULL), "timeout_ms");
    setenv("EMPUSA_ETCD_TIMEOUT", "", 1); /* as if it were not there */
    assert_int_equal(empusa_open(NULL, &other), EMPUSA_OK);
    struct empusa_registration *registration = register_one("from-variables");
    char text[512] = "";
    assert_int_equal(empusa_service_list(other, NULL, append, text), EMPUSA_OK);
    assert_string_equal(text, "web/from-variables " LOCATION " " LOCATION " up;");
    assert_int_equal(empusa_unregister(registration), EMPUSA_OK);
    empusa_close(other);
    unsetenv("EMPUSA_TREE_ROOT");
    unsetenv("EMPUSA_ETCD_ENDPOINT");
    unsetenv("EMPUSA_ETCD_TIMEOUT");
}

static void null_is_borne(void **state)
{
    (void)state;
    struct empusa_registration *registration;
    struct empusa_watch *watch;
    struct empusa_service service = service_of("n");
    char *value;
    empusa_close(NULL);
    assert_int_equal(empusa_unregister(NULL), EMPUSA_OK);
    assert_int_equal(empusa_watch_stop(NULL), EMPUSA_OK);
    assert_int_equal(empusa_is_registered(NULL), 0);
    assert_int_equal(empusa_register(NULL, &service, &registration), EMPUSA_E_BAD_INPUT);
    assert_string_equal(empusa_error_field(NULL), "registry");
    assert_int_equal(empusa_register(registry, NULL, &registration), EMPUSA_E_BAD_INPUT);
    assert_string_equal(empusa_error_field(registry), "size");
    assert_int_equal(empusa_update(NULL, &service), EMPUSA_E_BAD_INPUT);
    assert_int_equal(empusa_drain(NULL), EMPUSA_E_BAD_INPUT);
    assert_int_equal(empusa_service_list(NULL, NULL, append, NULL), EMPUSA_E_BAD_INPUT);
    assert_int_equal(empusa_service_watch(NULL, NULL, NULL, NULL, &watch), EMPUSA_E_BAD_INPUT);
    assert_int_equal(empusa_switch_get(registry, NULL, &value, NULL), EMPUSA_E_BAD_INPUT);
    assert_string_equal(empusa_error_field(registry), "path");
}

/* A program that was built with a newer header: what it does not use does no harm. */
static void a_struct_may_grow(void **state)
{
    (void)state;
    struct {
        struct empusa_service service;
        int later;
    } newer = {.service = service_of("newer")};
    struct empusa_registration *registration;
    newer.service.size = sizeof(newer);
    assert_int_equal(empusa_register(registry, &newer.service, &registration), EMPUSA_OK);
    assert_int_equal(empusa_unregister(registration), EMPUSA_OK);
    newer.later = 1;
    assert_int_equal(empusa_register(registry, &newer.service, &registration), EMPUSA_E_BAD_INPUT);
    assert_string_equal(empusa_error_field(registry), "size");
}

static void an_entry_is_kept_and_changed(void **state)
{
    (void)state;
    static const char *const txt[] = {"path=/", "beta"}, *const subtypes[] = {"_printer"};
    struct empusa_service service = service_of("shop");
    struct empusa_registration *shop, *blog = register_one("blog");
    service.subtypes = subtypes, service.subtype_count = 1;
    assert_int_equal(empusa_register(registry, &service, &shop), EMPUSA_OK);
    assert_int_equal(empusa_is_registered(shop), 1);
    assert_string_equal(listed("web"), "web/blog " LOCATION " " LOCATION " up;web/shop " LOCATION
                                       " " LOCATION " up _printer;");
    assert_string_equal(listed("other"), "");
    service.txt = txt, service.txt_count = 2;
    service.location = "[fd00::1]:80";
    assert_int_equal(empusa_drain(blog), EMPUSA_OK);
    assert_int_equal(empusa_drain(shop), EMPUSA_OK);
    assert_int_equal(empusa_update(shop, &service), EMPUSA_OK);
    assert_string_equal(listed(NULL),
                        "web/blog " LOCATION " " LOCATION
                        " draining;web/shop [fd00::1]:80 fd00::1:80 draining beta path=/ "
                        "_printer;");
    assert_int_equal(empusa_undrain(shop), EMPUSA_OK);
    assert_int_equal(empusa_undrain(shop), EMPUSA_OK); /* it is so already */
    service.name = "shops";
    assert_int_equal(empusa_update(shop, &service), EMPUSA_E_BAD_INPUT);
    assert_string_equal(empusa_error(registry), "name: is not what was registered");
    assert_int_equal(empusa_unregister(blog), EMPUSA_OK);
    assert_string_equal(listed(NULL), "web/shop [fd00::1]:80 fd00::1:80 up beta path=/ _printer;");
    assert_int_equal(empusa_unregister(shop), EMPUSA_OK);
    assert_string_equal(listed(NULL), "");
}

/* What others do to an entry is told. */
static void others_are_told_of(void **state)
{
    (void)state;
    struct empusa_service service = service_of("n");
    struct empusa_registration *registration;
    service.ttl_s = 3; /* a beat a second */
    assert_int_equal(empusa_register(registry, &service, &registration), EMPUSA_OK);
    forget();
    assert_true(etcd_server_delete(&server, ROOT "/service/web/n"));
    wait_seen("V");
    assert_string_equal(seen.last, "n");
    assert_true(etcd_server_put(&server, ROOT "/service/web/n", "other:1"));
    wait_seen("VC");
    for (int i = 0; i < PATIENCE && !strstr(listed(NULL), LOCATION); i++)
        etcd_server_sleep_ms(10);
    assert_string_equal(listed(NULL), "web/n " LOCATION " " LOCATION " up;");
    assert_int_equal(empusa_unregister(registration), EMPUSA_OK);
}

/* One that another process has taken over is left to it. */
static void what_is_anothers_is_left(void **state)
{
    (void)state;
    struct empusa_registration *registration = register_one("n");
    assert_true(etcd_server_put(&server, ROOT "/service/web/n", "other:1"));
    assert_int_equal(empusa_unregister(registration), EMPUSA_E_CONFLICT);
    assert_string_equal(listed(NULL), "web/n other:1 other:1 up;");
    assert_true(etcd_server_delete(&server, ROOT "/service/web/n"));
}

static void a_callback_may_not_block(void **state)
{
    (void)state;
    struct empusa *own = NULL;
    struct empusa_options options = options_of(NOWHERE);
    struct empusa_service service = service_of("n");
    struct empusa_registration *registration;
    options.arg = &own;
    forget();
    assert_int_equal(empusa_open(&options, &own), EMPUSA_OK);
    service.timeout_ms = 0;
    assert_int_equal(empusa_register(own, &service, &registration), EMPUSA_PENDING);
    wait_seen("L");
    assert_int_equal(seen.tried, EMPUSA_E_IN_CALLBACK);
    assert_int_equal(seen.code, EMPUSA_E_UNREACHABLE);
    empusa_close(own);
}

static void etcd_being_away_is_borne(void **state)
{
    (void)state;
    struct empusa_service service = service_of("late");
    struct empusa_registration *early, *late;
    struct empusa_service short_lived = service_of("early");
    short_lived.ttl_s = 3;
    assert_int_equal(empusa_register(registry, &short_lived, &early), EMPUSA_OK);
    forget();
    etcd_server_kill(&server, SIGKILL);
    service.timeout_ms = 200;
    assert_int_equal(empusa_register(registry, &service, &late), EMPUSA_PENDING);
    assert_int_equal(empusa_is_registered(late), 0);
    wait_seen("L");
    assert_int_equal(empusa_service_list(registry, NULL, append, NULL), EMPUSA_E_UNREACHABLE);
    assert_true(etcd_server_launch(&server) && etcd_server_wait(&server));
    for (int i = 0; i < PATIENCE && !(has_seen("LRG") || has_seen("LGR")); i++)
        etcd_server_sleep_ms(10);
    assert_true(has_seen("LRG") || has_seen("LGR"));
    assert_int_equal(empusa_is_registered(late), 1);
    assert_string_equal(listed(NULL), "web/early " LOCATION " " LOCATION " up;web/late " LOCATION
                                      " " LOCATION " up;");
    assert_int_equal(empusa_unregister(early), EMPUSA_OK);
    assert_int_equal(empusa_unregister(late), EMPUSA_OK);
}

static unsigned count_leases(void)
{
    char reply[4096];
    unsigned count = 0;
    assert_int_equal(etcd_server_ask(&server, "/v3/lease/leases", "{}", reply, sizeof(reply)), 200);
    for (const char *at = reply; (at = strstr(at, "\"ID\":\"")); at++)
        count += at[6] >= '0' && at[6] <= '9';
    return count;
}

/* Not through /proc/self/fd: ThreadSanitizer takes the directory's descriptor for that of a socket
 * which was closed. */
static unsigned count_descriptors(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 2 * MANY; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* An outage ends for all of them at once: no reason to take a program all its descriptors. */
static void come_back_from_an_outage(void)
{
    unsigned most = 0;
    forget();
    etcd_server_kill(&server, SIGKILL);
    for (int i = 0; i < PATIENCE && !has_seen("L"); i++)
        etcd_server_sleep_ms(10);
    assert_true(etcd_server_launch(&server) && etcd_server_wait(&server));
    for (int i = 0; i < PATIENCE && !has_seen("LG"); i++) {
        unsigned now = count_descriptors();
        most = now > most ? now : most;
        etcd_server_sleep_ms(10);
    }
    assert_true(has_seen("LG"));
    assert_in_range(most, 1, DESCRIPTORS);
}

static void count_entry(void *arg, const struct empusa_entry *entry)
{
    (void)entry;
    ++*(unsigned *)arg;
}

/* And what is registered when the registry is closed goes with it. */
static void a_thousand_share_a_lease(void **state)
{
    (void)state;
    struct empusa *own;
    struct empusa_options options = options_of(server.endpoint);
    unsigned count = 0, before = count_leases();
    assert_int_equal(empusa_open(&options, &own), EMPUSA_OK);
    for (unsigned i = 0; i < MANY; i++) {
        char name[16];
        struct empusa_registration *registration;
        snprintf(name, sizeof(name), "%04u", i);
        struct empusa_service service = service_of(name);
        service.ttl_s = 10; /* beats while etcd is away */
        if (empusa_register(own, &service, &registration) != EMPUSA_OK)
            fail_msg("%u: %s", i, empusa_error(own));
    }
    assert_int_equal(empusa_service_list(registry, "web", count_entry, &count), EMPUSA_OK);
    assert_int_equal(count, MANY);
    assert_int_equal(count_leases(), before + 2);
    come_back_from_an_outage();
    assert_int_equal(count_leases(), before + 2);
    empusa_close(own);
    for (int i = 0; i < PATIENCE && count > 0;
         i++) { /* a slow machine leaves some to their lease */
        count = 0;
        assert_int_equal(empusa_service_list(registry, "web", count_entry, &count), EMPUSA_OK);
        etcd_server_sleep_ms(10);
    }
    assert_int_equal(count, 0);
}

static void on_service(void *arg, enum empusa_change change, const struct empusa_entry *entry)
{
    (void)arg;
    note("+-="[change], entry ? entry->name : NULL);
}

static void on_switch(void *arg, enum empusa_change change, const struct empusa_switch *of)
{
    (void)arg;
    note("pr="[change], of ? of->path : NULL);
    if (of && change == EMPUSA_CHANGE_PUT)
        assert_int_equal(of->value[of->value_len], '\0');
}

/* First all, then each change once, over an outage, too. */
static void services_are_followed(void **state)
{
    (void)state;
    struct empusa_watch *watch;
    struct empusa_registration *one = register_one("one");
    assert_true(etcd_server_put(&server, ROOT "/service/web/bad", "no location"));
    forget();
    assert_int_equal(empusa_service_watch(registry, "web", on_service, NULL, &watch), EMPUSA_OK);
    wait_seen("+=");
    assert_true(etcd_server_put(&server, ROOT "/service/other/x", "h:1"));
    struct empusa_registration *two = register_one("two");
    wait_seen("+=+");
    assert_int_equal(empusa_unregister(two), EMPUSA_OK);
    wait_seen("+=+-");
    assert_string_equal(seen.last, "two");
    assert_true(etcd_server_put(&server, ROOT "/service/web/bad", "h:1"));
    wait_seen("+=+-+");
    assert_true(etcd_server_put(&server, ROOT "/service/web/bad", "no location"));
    wait_seen("+=+-+-");
    etcd_server_kill(&server, SIGKILL);
    wait_seen("+=+-+-L");
    assert_true(etcd_server_launch(&server) && etcd_server_wait(&server));
    wait_seen("+=+-+-LG");
    assert_true(etcd_server_put(&server, ROOT "/service/web/bad", "h:2"));
    wait_seen("+=+-+-LG+");
    assert_string_equal(seen.last, "bad");
    assert_int_equal(empusa_watch_stop(watch), EMPUSA_OK);
    assert_true(etcd_server_delete(&server, ROOT "/service/web/bad"));
    assert_true(etcd_server_delete(&server, ROOT "/service/other/x"));
    assert_int_equal(empusa_unregister(one), EMPUSA_OK);
    assert_true(has_seen("+=+-+-LG+"));
}

/* A store that was wiped is read anew: what is gone is told, what is there is not told again. */
static void a_difference_is_told(void **state)
{
    (void)state;
    struct empusa_watch *watch;
    assert_true(etcd_server_put(&server, ROOT "/service/web/gone", "h:1"));
    forget();
    assert_int_equal(empusa_service_watch(registry, NULL, on_service, NULL, &watch), EMPUSA_OK);
    wait_seen("+=");
    etcd_server_kill(&server, SIGKILL);
    wait_seen("+=L");
    etcd_server_wipe(&server);
    assert_true(etcd_server_launch(&server) && etcd_server_wait(&server));
    for (int i = 0; i < PATIENCE && !(has_seen("+=L-=G") || has_seen("+=LG-=")); i++)
        etcd_server_sleep_ms(10);
    assert_true(has_seen("+=L-=G") || has_seen("+=LG-="));
    assert_int_equal(empusa_watch_stop(watch), EMPUSA_OK);
}

static void switches_are_read_and_followed(void **state)
{
    (void)state;
    struct empusa_watch *watch;
    char *value;
    size_t len;
    assert_int_equal(empusa_switch_get(registry, "f/s", &value, &len), EMPUSA_E_NOT_FOUND);
    assert_string_equal(empusa_error(registry), "there is no switch \"f/s\"");
    assert_int_equal(empusa_switch_get(registry, "f//s", &value, &len), EMPUSA_E_BAD_INPUT);
    assert_true(etcd_server_put(&server, ROOT "/switch/f/s", "on"));
    assert_int_equal(empusa_switch_get(registry, "f/s", &value, &len), EMPUSA_OK);
    assert_string_equal(value, "on");
    assert_int_equal(len, 2);
    free(value);
    forget();
    assert_int_equal(empusa_switch_watch(registry, "f/s", on_switch, NULL, &watch), EMPUSA_OK);
    wait_seen("p=");
    assert_true(etcd_server_put(&server, ROOT "/switch/f/search", "on")); /* not meant */
    assert_true(etcd_server_put(&server, ROOT "/switch/f/s/below", "on"));
    wait_seen("p=p");
    assert_string_equal(seen.last, "f/s/below");
    assert_true(etcd_server_delete(&server, ROOT "/switch/f/search"));
    assert_true(etcd_server_delete(&server, ROOT "/switch/f/s"));
    wait_seen("p=pr");
    assert_string_equal(seen.last, "f/s");
    assert_int_equal(empusa_watch_stop(watch), EMPUSA_OK);
    assert_true(etcd_server_delete(&server, ROOT "/switch/f/s/below"));
}

/* In the child: a code for each of what went wrong. */
static int use_in_child(struct empusa_registration *registration)
{
    struct empusa_service service = service_of("child");
    struct empusa_registration *none;
    struct empusa *own;
    struct empusa_options options = options_of(server.endpoint);
    if (empusa_register(registry, &service, &none) != EMPUSA_E_FORKED)
        return 1;
    if (empusa_unregister(registration) != EMPUSA_E_FORKED)
        return 2;
    if (empusa_is_registered(registration) != 0)
        return 3;
    empusa_close(registry);
#ifdef __SANITIZE_THREAD__ /* it knows no threads of such a child */
    return 0;
#endif
    if (empusa_open(&options, &own) != EMPUSA_OK)
        return 4;
    if (empusa_register(own, &service, &none) != EMPUSA_OK)
        return 5;
    empusa_close(own);
    return 0;
}

static void a_child_cannot_use_its_parents(void **state)
{
    (void)state;
    struct empusa_registration *registration = register_one("parent");
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(use_in_child(registration));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_string_equal(listed(NULL), "web/parent " LOCATION " " LOCATION " up;");
    assert_int_equal(empusa_unregister(registration), EMPUSA_OK);
}

/* No handler of the program's runs on the library's thread. */
static void signals_are_left_alone(void **state)
{
    (void)state;
    unsigned threads = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
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

static void *use_in_thread(void *arg)
{
    unsigned failed = 0;
    for (unsigned i = 0; i < EACH; i++) {
        char name[32];
        struct empusa_registration *registration;
        struct empusa_watch *watch = NULL;
        snprintf(name, sizeof(name), "t%zu-%u", (size_t)arg, i);
        struct empusa_service service = service_of(name);
        failed += empusa_register(registry, &service, &registration) != EMPUSA_OK;
        failed += empusa_service_watch(registry, "web", on_service, NULL, &watch) != EMPUSA_OK;
        failed += empusa_drain(registration) != EMPUSA_OK;
        failed += empusa_register(registry, NULL, &registration) != EMPUSA_E_BAD_INPUT;
        failed += strcmp(empusa_error_field(registry), "size") != 0;
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
    assert_string_equal(listed(NULL), "");
}

static int open_registry(void **state)
{
    (void)state;
    struct empusa_options options = options_of(server.endpoint);
    return empusa_open(&options, &registry);
}

static int close_registry(void **state)
{
    (void)state;
    empusa_close(registry);
    return 0;
}

static int open_server(void **state)
{
    (void)state;
    return etcd_server_start(&server, 1, NULL) ? 0 : -1;
}

static int stop_server(void **state)
{
    (void)state;
    etcd_server_stop(&server);
    return 0;
}

#define OPEN(test) cmocka_unit_test_setup_teardown(test, open_registry, close_registry)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_registry_needs_is_named),
        cmocka_unit_test(a_callback_may_not_block),
        OPEN(variables_stand_in_for_options),
        OPEN(what_is_wrong_is_named),
        OPEN(null_is_borne),
        OPEN(a_struct_may_grow),
        OPEN(an_entry_is_kept_and_changed),
        OPEN(others_are_told_of),
        OPEN(what_is_anothers_is_left),
        OPEN(services_are_followed),
        OPEN(switches_are_read_and_followed),
        OPEN(a_child_cannot_use_its_parents),
        OPEN(signals_are_left_alone),
        OPEN(threads_may_share_a_registry),
        OPEN(a_thousand_share_a_lease),
        OPEN(etcd_being_away_is_borne),
        OPEN(a_difference_is_told),
    };
    return cmocka_run_group_tests(tests, open_server, stop_server);
}
