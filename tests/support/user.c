#include "user.h"

#include <stdio.h>
#include <string.h>

struct etcd_server user_server;
struct empusa *user_registry;
struct user_seen user_seen = {.lock = PTHREAD_MUTEX_INITIALIZER};

void user_note(char letter, const char *name)
{
    pthread_mutex_lock(&user_seen.lock);
    if (user_seen.count < USER_NOTES)
        user_seen.text[user_seen.count++] = letter;
    user_seen.text[user_seen.count] = '\0';
    snprintf(user_seen.last, sizeof(user_seen.last), "%s", name ? name : "");
    pthread_mutex_unlock(&user_seen.lock);
}

void user_forget(void)
{
    pthread_mutex_lock(&user_seen.lock);
    user_seen.count = 0;
    user_seen.text[0] = '\0';
    pthread_mutex_unlock(&user_seen.lock);
}

static void user_on_event(void *arg, const struct empusa_event *event)
{
    static const char letters[] = "LGRXVCDU";
    struct empusa **own = arg;
    pthread_mutex_lock(&user_seen.lock);
    user_seen.code = event->code;
    user_seen.tried = own && *own ? empusa_service_list(*own, NULL, NULL, NULL) : 0;
    pthread_mutex_unlock(&user_seen.lock);
    user_note(letters[event->kind], event->name);
}

bool user_has_seen(const char *letters)
{
    pthread_mutex_lock(&user_seen.lock);
    bool has = strcmp(user_seen.text, letters) == 0;
    pthread_mutex_unlock(&user_seen.lock);
    return has;
}

void user_wait_seen(const char *letters)
{
    for (int i = 0; i < USER_PATIENCE && !user_has_seen(letters); i++)
        etcd_server_sleep_ms(10);
    pthread_mutex_lock(&user_seen.lock);
    assert_string_equal(user_seen.text, letters);
    pthread_mutex_unlock(&user_seen.lock);
}

struct empusa_options user_options(const char *endpoint)
{
    struct empusa_options options;
    empusa_options_init(&options);
    options.endpoints = endpoint;
    options.tree_root = USER_ROOT;
    options.no_environment = 1;
    options.on_event = user_on_event;
    return options;
}

struct empusa_service user_service(const char *name)
{
    struct empusa_service service;
    empusa_service_init(&service, "web", name, USER_LOCATION);
    return service;
}

struct empusa_registration *user_register(const char *name)
{
    struct empusa_service service = user_service(name);
    struct empusa_registration *registration = NULL;
    if (empusa_register(user_registry, &service, &registration) != EMPUSA_OK)
        fail_msg("%s", empusa_error(user_registry));
    return registration;
}

void user_append(void *arg, const struct empusa_entry *entry)
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

const char *user_listed(const char *type)
{
    static char text[4096];
    text[0] = '\0';
    if (empusa_service_list(user_registry, type, user_append, text) != EMPUSA_OK)
        fail_msg("%s", empusa_error(user_registry));
    return text;
}

void user_count_entry(void *arg, const struct empusa_entry *entry)
{
    (void)entry;
    ++*(unsigned *)arg;
}

int user_open(void **state)
{
    (void)state;
    struct empusa_options options = user_options(user_server.endpoint);
    return empusa_open(&options, &user_registry);
}

int user_close(void **state)
{
    (void)state;
    empusa_close(user_registry);
    return 0;
}

int user_start(void **state)
{
    (void)state;
    return etcd_server_start(&user_server, 1, NULL) ? 0 : -1;
}

int user_stop(void **state)
{
    (void)state;
    etcd_server_stop(&user_server);
    return 0;
}
