/* tests/support/etcd_server.h - a private etcd for a test: loopback, free ports, data in a
 * temporary directory.
 *
 * $EMPUSA_ETCD names the directory of the etcd to run, or the binary itself; else `etcd` from $PATH
 * is taken. Requests here are blocking and do not use the client under test. The servers die with
 * the test. Several make a cluster. */
#ifndef SUPPORT_ETCD_SERVER_H
#define SUPPORT_ETCD_SERVER_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

struct etcd_server {
    char name[24], dir[64], endpoint[40]; /* "127.0.0.1:PORT" */
    char client_url[48], peer_url[48], cluster[256];
    uint16_t port;
    const char *const *extra; /* NULL-terminated; more arguments; must outlive the server */
    pid_t pid;                /* 0 = not running */
};

/* Not less than that, but for a signal. */
void etcd_server_sleep_ms(long ms);

/* A port that is free now, and that no other test takes while this process lives; 0 = none. */
uint16_t etcd_server_free_port(void);

/* One request; `body` NULL = GET. Returns the HTTP status, 0 = no answer; `reply` gets head and
 * body. A path below /v3 is below /v3beta in etcd 3.3. */
int etcd_server_ask(const struct etcd_server *server, const char *path, const char *body,
                    char *reply, size_t size);

/* POST, with the body formatted; true = HTTP status 200. */
__attribute__((format(printf, 3, 4))) bool
etcd_server_post(const struct etcd_server *server, const char *path, const char *format, ...);

/* Keys and values are text: up to 380 and 1,500 octets. */
bool etcd_server_put(const struct etcd_server *server, const char *key, const char *value);

/* Also true where there was no such key. */
bool etcd_server_delete(const struct etcd_server *server, const char *key);

/* Put `count` keys PREFIX0000000.. in transactions of 100. */
bool etcd_server_fill(const struct etcd_server *server, const char *prefix, size_t count);

/* Start it (again) without waiting. */
bool etcd_server_launch(struct etcd_server *server);

/* Wait up to 30 s for an answer that needs a leader. */
bool etcd_server_wait(struct etcd_server *server);

/* End it with a signal and wait for that. */
void etcd_server_kill(struct etcd_server *server, int signal_number);

/* Remove a file or a folder of a server's directory, with all that is in it. */
void etcd_server_remove(const char *dir, const char *name);

/* Its data is gone; it must not be running. */
void etcd_server_wipe(const struct etcd_server *server);

/* Copy its directory `from` to `to`, which must not be there; it must not be running. */
void etcd_server_copy(const struct etcd_server *server, const char *from, const char *to);

/* End it and leave nothing behind. */
void etcd_server_stop(struct etcd_server *server);

/* Start `count` servers as one cluster and wait until each answers; `extra` as above, or NULL. On
 * other ports where somebody outside the tests took one first. False: to be stopped all the same;
 * standard error says what one that has ended said last. */
bool etcd_server_start(struct etcd_server *servers, size_t count, const char *const *extra);

#endif
