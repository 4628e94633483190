/* tests/support/user.h - a program that uses libempusa, and an etcd for it.
 *
 * What the library tells is noted in order, a letter for each: of events L (contact lost), G (regained), R
 * (registered), X (refused), V (vanished), C (changed), D (drained), U (undrained). */
#ifndef SUPPORT_USER_H
#define SUPPORT_USER_H

#include "etcd_server.h"
#include "registry/empusa.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define USER_ROOT     "/test"
#define USER_LOCATION "10.1.2.3:8080" /* of every service here */
#define USER_NOWHERE  "127.0.0.1:1"   /* nothing listens there */
#define USER_PATIENCE 3000            /* of 10 ms */
#define USER_NOTES    64

/* Under the lock, as the library's thread writes it. */
struct user_seen {
    pthread_mutex_t lock;
    char text[USER_NOTES + 1], last[64]; /* the letters, and what the last was about */
    size_t count;
    int code;  /* of the last event */
    int tried; /* what a call that blocks returned in it */
};

extern struct etcd_server user_server;
extern struct empusa *user_registry;
extern struct user_seen user_seen;

void user_note(char letter, const char *name);
void user_forget(void);
bool user_has_seen(const char *letters);
/* Fails the test when something else was seen at last. */
void user_wait_seen(const char *letters);

/* At an endpoint, without the environment. arg: where there is a registry, it is asked in each event. */
struct empusa_options user_options(const char *endpoint);
/* Of type "web". */
struct empusa_service user_service(const char *name);
/* Fails the test when it is not registered. */
struct empusa_registration *user_register(const char *name);

/* Appends "type/name location host:port state txt.. _subtype..;" to the string `arg`. */
void user_append(void *arg, const struct empusa_entry *entry);
/* All of a type, so. Valid until the next call. */
const char *user_listed(const char *type);
/* Adds 1 to the unsigned `arg`. */
void user_count_entry(void *arg, const struct empusa_entry *entry);

/* cmocka's set-up and tear-down, of the etcd for a group and of the registry for a test. */
int user_start(void **state);
int user_stop(void **state);
int user_open(void **state);
int user_close(void **state);

#define USER_TEST(test) cmocka_unit_test_setup_teardown(test, user_open, user_close)

#endif
