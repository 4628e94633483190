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

static inline void client_loop_tick(uv_timer_t *timer)
{
    (void)timer;
}

static inline void client_loop_open(struct client_loop *client)
{
    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&client->loop);
    uv_timer_init(&client->loop, &client->ticker);
    uv_timer_start(&client->ticker, client_loop_tick, 20, 20);
    client->etcd = NULL;
}

static inline void client_loop_run_for(struct client_loop *client, uint64_t ms)
{
    uint64_t end_ms = uv_hrtime() / 1000000 + ms;
    while (uv_hrtime() / 1000000 < end_ms)
        uv_run(&client->loop, UV_RUN_ONCE);
}

/* The endpoints as in --etcd-endpoint; other options may be set in `options`. */
static inline enum status client_loop_connect(struct client_loop *client, const char *list,
                                              struct etcd_options options)
{
    struct endpoint endpoints[ENDPOINT_LIST_MAX];
    size_t count = 0;
    struct detail why;
    if (list &&
        endpoint_parse_list(list, false, endpoints, ENDPOINT_LIST_MAX, &count, &why) != STATUS_OK)
        return STATUS_BAD_INPUT;
    options.endpoints = endpoints;
    options.endpoint_count = count;
    return etcd_open(&client->loop, &options, &client->etcd, &why);
}

static inline void client_loop_close_client(struct client_loop *client)
{
    etcd_close(client->etcd);
    client->etcd = NULL;
}

/* 0 = all handles were closed. */
static inline int client_loop_close(struct client_loop *client)
{
    client_loop_close_client(client);
    uv_close((uv_handle_t *)&client->ticker, NULL);
    uv_run(&client->loop, UV_RUN_DEFAULT);
    return uv_loop_close(&client->loop);
}

/* Run the loop until the condition holds; false = it did not within the time. */
#define CLIENT_LOOP_UNTIL(client, condition, limit_ms)                                             \
    ({                                                                                             \
        uint64_t end_ms_ = uv_hrtime() / 1000000 + (limit_ms);                                     \
        while (!(condition) && uv_hrtime() / 1000000 < end_ms_)                                    \
            uv_run(&(client)->loop, UV_RUN_ONCE);                                                  \
        (bool)(condition);                                                                         \
    })

#endif
