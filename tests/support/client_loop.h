/* tests/support/client_loop.h - a loop and a client on it, for tests. */
#ifndef SUPPORT_CLIENT_LOOP_H
#define SUPPORT_CLIENT_LOOP_H

#include "registry/etcd/etcd.h"

#include <signal.h>
#include <string.h>

struct client_loop {
    uv_loop_t loop;
    uv_timer_t ticker; /* lets a condition be looked at in time */
    struct etcd *etcd;
};

/* Without a client. SIGPIPE is ignored from now on. */
void client_loop_open(struct client_loop *client);

/* Let the loop turn for so long. */
void client_loop_run_for(struct client_loop *client, uint64_t ms);

/* Open client->etcd. The endpoints are as in --etcd-endpoint, NULL for none; other options may be set in
 * `options`. BAD_INPUT: the list; else what etcd_open() says. */
enum status client_loop_connect(struct client_loop *client, const char *list,
                                struct etcd_options options);

/* Also when there is none. */
void client_loop_close_client(struct client_loop *client);

/* 0 = all handles were closed. */
int client_loop_close(struct client_loop *client);

/* Run the loop until the condition holds; false = it did not within the time. */
#define CLIENT_LOOP_UNTIL(client, condition, limit_ms)                                             \
    ({                                                                                             \
        uint64_t end_ms_ = uv_hrtime() / 1000000 + (limit_ms);                                     \
        while (!(condition) && uv_hrtime() / 1000000 < end_ms_)                                    \
            uv_run(&(client)->loop, UV_RUN_ONCE);                                                  \
        (bool)(condition);                                                                         \
    })

#endif
