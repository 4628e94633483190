#include "client_loop.h"

static void client_loop_tick(uv_timer_t *timer)
{
    (void)timer;
}

void client_loop_open(struct client_loop *client)
{
    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&client->loop);
    uv_timer_init(&client->loop, &client->ticker);
    uv_timer_start(&client->ticker, client_loop_tick, 20, 20);
    client->etcd = NULL;
}

void client_loop_run_for(struct client_loop *client, uint64_t ms)
{
    uint64_t end_ms = uv_hrtime() / 1000000 + ms;
    while (uv_hrtime() / 1000000 < end_ms)
        uv_run(&client->loop, UV_RUN_ONCE);
}

enum status client_loop_connect(struct client_loop *client, const char *list,
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

void client_loop_close_client(struct client_loop *client)
{
    etcd_close(client->etcd);
    client->etcd = NULL;
}

int client_loop_close(struct client_loop *client)
{
    client_loop_close_client(client);
    uv_close((uv_handle_t *)&client->ticker, NULL);
    uv_run(&client->loop, UV_RUN_DEFAULT);
    return uv_loop_close(&client->loop);
}
