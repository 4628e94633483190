#include "fake_dns.h"

#include "allocation.h"

#include <arpa/inet.h>
#include <strings.h>

struct fake_dns_reply {
    unsigned char octets[2048];
    size_t len;
};

static void fake_dns_add16(struct fake_dns_reply *reply, unsigned number)
{
    reply->octets[reply->len++] = (unsigned char)(number >> 8);
    reply->octets[reply->len++] = (unsigned char)number;
}

static void fake_dns_add_name(struct fake_dns_reply *reply, const char *name)
{
    while (*name) {
        size_t len = strcspn(name, ".");
        reply->octets[reply->len++] = (unsigned char)len;
        memcpy(reply->octets + reply->len, name, len);
        reply->len += len;
        name += len + (name[len] == '.');
    }
    reply->octets[reply->len++] = 0;
}

static void fake_dns_add_record(struct fake_dns_reply *reply, const struct fake_dns_row *row)
{
    fake_dns_add16(reply, 0xc00c);
    fake_dns_add16(reply, row->type);
    fake_dns_add16(reply, 1);
    fake_dns_add16(reply, 0);
    fake_dns_add16(reply, row->ttl_s);
    size_t at = reply->len;
    fake_dns_add16(reply, 0);
    if (row->type == FAKE_DNS_SRV) {
        fake_dns_add16(reply, 10);
        fake_dns_add16(reply, 5);
        fake_dns_add16(reply, row->port);
        fake_dns_add_name(reply, row->data);
    } else {
        bool is_v4 = row->type == FAKE_DNS_A;
        inet_pton(is_v4 ? AF_INET : AF_INET6, row->data, reply->octets + reply->len);
        reply->len += is_v4 ? 4 : 16;
    }
    reply->octets[at] = (unsigned char)((reply->len - at - 2) >> 8);
    reply->octets[at + 1] = (unsigned char)(reply->len - at - 2);
}

/* The name of the question, with dots; returns where it ends. */
static size_t fake_dns_question(const struct fake_dns *dns, size_t len, char *name)
{
    size_t at = 12;
    name[0] = '\0';
    while (at < len && dns->in[at]) {
        size_t label = (unsigned char)dns->in[at];
        if (at + 1 + label >= len || strlen(name) + label + 2 > 256)
            return 0;
        strncat(name, dns->in + at + 1, label);
        strcat(name, ".");
        at += 1 + label;
    }
    if (name[0])
        name[strlen(name) - 1] = '\0';
    return at + 5 <= len ? at + 5 : 0;
}

/* False: not to be answered. */
static bool fake_dns_answer(const struct fake_dns *dns, size_t len, struct fake_dns_reply *reply)
{
    char name[300];
    size_t end = fake_dns_question(dns, len, name);
    bool has_name = false;
    unsigned count = 0;
    if (end == 0)
        return false;
    unsigned type = (unsigned char)dns->in[end - 3];
    memcpy(reply->octets, dns->in, end);
    reply->len = end;
    for (size_t i = 0; i < dns->row_count; i++) {
        if (strcasecmp(dns->rows[i].name, name) != 0)
            continue;
        if (dns->rows[i].type == 0)
            return false;
        has_name = true;
        if (dns->rows[i].type == type) {
            fake_dns_add_record(reply, &dns->rows[i]);
            count++;
        }
    }
    reply->octets[2] = 0x85;
    reply->octets[3] = has_name ? 0x80 : 0x83;
    reply->octets[7] = (unsigned char)count;
    memset(reply->octets + 8, 0, 4);
    return true;
}

static void fake_dns_alloc(uv_handle_t *handle, size_t size, uv_buf_t *out)
{
    struct fake_dns *dns = handle->data;
    (void)size;
    *out = uv_buf_init(dns->in, sizeof(dns->in));
}

static void fake_dns_spoil(struct fake_dns *dns, struct fake_dns_reply *reply)
{
    static const unsigned char rcodes[] = {
        [FAKE_DNS_SERVFAIL] = 2, [FAKE_DNS_NXDOMAIN] = 3, [FAKE_DNS_REFUSED] = 5};
    enum fake_dns_fault fault = dns->fault;
    if (dns->fault_count && --dns->fault_count == 0)
        dns->fault = FAKE_DNS_GOOD;
    switch (fault) {
    case FAKE_DNS_GOOD:
        break;
    case FAKE_DNS_GARBAGE:
        memset(reply->octets + 2, 0xa5, reply->len - 2);
        break;
    case FAKE_DNS_CORRUPT:
        reply->octets[7] = 200;
        break;
    case FAKE_DNS_TRUNCATED:
        reply->octets[2] |= 2;
        break;
    case FAKE_DNS_WRONG_ID:
        reply->octets[0] ^= 0x55;
        break;
    default:
        reply->octets[3] = 0x80 | rcodes[fault];
        reply->octets[7] = 0;
        reply->len = fake_dns_question(dns, reply->len, (char[300]){""});
        break;
    }
}

struct fake_dns_delayed {
    uv_timer_t timer;
    struct fake_dns *dns;
    struct fake_dns_reply reply;
    struct sockaddr_storage to;
};

static void fake_dns_free_delayed(uv_handle_t *handle)
{
    free(handle->data);
}

static void fake_dns_send_delayed(uv_timer_t *timer)
{
    struct fake_dns_delayed *delayed = timer->data;
    uv_buf_t out = uv_buf_init((char *)delayed->reply.octets, (unsigned)delayed->reply.len);
    if (!uv_is_closing((uv_handle_t *)&delayed->dns->udp))
        uv_udp_try_send(&delayed->dns->udp, &out, 1, (struct sockaddr *)&delayed->to);
    uv_close((uv_handle_t *)timer, fake_dns_free_delayed);
}

/* `dns` must live as long as the answer is on its way. */
static void fake_dns_delay(struct fake_dns *dns, const struct fake_dns_reply *reply,
                           const struct sockaddr *to)
{
    struct fake_dns_delayed *delayed = allocation_exempt(sizeof(*delayed));
    delayed->dns = dns;
    delayed->reply = *reply;
    memcpy(&delayed->to, to, sizeof(struct sockaddr_in));
    uv_timer_init(dns->udp.loop, &delayed->timer);
    delayed->timer.data = delayed;
    uv_timer_start(&delayed->timer, fake_dns_send_delayed, dns->late_ms, 0);
}

static void fake_dns_receive(uv_udp_t *udp, ssize_t len, const uv_buf_t *buffer,
                             const struct sockaddr *from, unsigned flags)
{
    struct fake_dns *dns = udp->data;
    struct fake_dns_reply reply;
    (void)buffer, (void)flags;
    if (len <= 0 || !from)
        return;
    unsigned number = ++dns->asked;
    if (number >= dns->lose_first && number - dns->lose_first < dns->lose_count)
        return;
    if (!fake_dns_answer(dns, (size_t)len, &reply))
        return;
    fake_dns_spoil(dns, &reply);
    if (dns->late_ms) {
        fake_dns_delay(dns, &reply, from);
        return;
    }
    uv_buf_t out = uv_buf_init((char *)reply.octets, (unsigned)reply.len);
    uv_udp_try_send(udp, &out, 1, from);
}

bool fake_dns_start(struct fake_dns *dns, uv_loop_t *loop, const struct fake_dns_row *rows,
                    size_t row_count)
{
    struct sockaddr_in address;
    int len = sizeof(address);
    memset(dns, 0, sizeof(*dns));
    dns->rows = rows;
    dns->row_count = row_count;
    uv_udp_init(loop, &dns->udp);
    dns->udp.data = dns;
    uv_ip4_addr("127.0.0.1", 0, &address);
    if (uv_udp_bind(&dns->udp, (struct sockaddr *)&address, 0) != 0 ||
        uv_udp_recv_start(&dns->udp, fake_dns_alloc, fake_dns_receive) != 0 ||
        uv_udp_getsockname(&dns->udp, (struct sockaddr *)&address, &len) != 0)
        return false;
    snprintf(dns->address, sizeof(dns->address), "127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
    return true;
}

void fake_dns_stop(struct fake_dns *dns)
{
    uv_close((uv_handle_t *)&dns->udp, NULL);
}
