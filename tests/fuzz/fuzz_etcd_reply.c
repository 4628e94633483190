/* What an etcd, or whoever answers in its place, may send: replies cut at places that the input
 * chooses give the same as in one piece; key-values and errors never lead astray. */
#include "registry/base/base64.h"
#include "registry/etcd/gateway_reply.h"
#include "registry/etcd/json_split.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was told, as a running hash. */
struct told {
    uint64_t hash;
    unsigned count;
};

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void mix(struct told *told, uint8_t mark, const char *text, size_t len)
{
    told->hash = (told->hash ^ mark) * UINT64_C(1099511628211);
    for (size_t i = 0; i < len; i++)
        told->hash = (told->hash ^ (uint8_t)text[i]) * UINT64_C(1099511628211);
    told->count++;
}

static enum status on_begin(void *arg, const char *text, size_t len)
{
    mix(arg, 'B', text, len);
    return STATUS_OK;
}

static void try_kv(cJSON *object)
{
    struct kv kv;
    if (!gateway_reply_kv(object, &kv))
        return;
    check(kv.key && kv.value && kv.key[kv.key_len] == '\0' && kv.value[kv.value_len] == '\0');
}

static enum status on_element(void *arg, const char *text, size_t len)
{
    check(len >= 2 && len <= JSON_SPLIT_ELEMENT_MAX && text[0] == '{');
    mix(arg, 'E', text, len);
    cJSON *object = cJSON_ParseWithLength(text, len);
    cJSON *kv = cJSON_GetObjectItemCaseSensitive(object, "kv");
    try_kv(kv ? kv : object);
    cJSON_Delete(object);
    return STATUS_OK;
}

static enum status on_rest(void *arg, const char *text, size_t len)
{
    check(strlen(text) <= len);
    mix(arg, 'R', text, len);
    struct gateway_reply_header header;
    cJSON *root = cJSON_ParseWithLength(text, len);
    if (!gateway_reply_header(root, &header))
        gateway_reply_header(cJSON_GetObjectItemCaseSensitive(root, "result"), &header);
    cJSON_Delete(root);
    return STATUS_OK;
}

static const struct json_split_events events = {on_begin, on_element, on_rest};

/* Pieces of 1 to `most` octets; 0 = all in one. */
static enum status feed(const char *parent, const char *array, const uint8_t *data, size_t size,
                        size_t most, struct told *told)
{
    struct json_split stream;
    enum status status = STATUS_OK;
    uint32_t random = (uint32_t)(size * 2654435761U) ^ (size ? data[0] : 0);
    *told = (struct told){0};
    json_split_init(&stream, parent, array, &events, told);
    for (size_t at = 0; at < size && status == STATUS_OK;) {
        random = random * 1664525U + 1013904223U;
        size_t part = most ? 1 + (random >> 16) % most : size;
        part = part < size - at ? part : size - at;
        char *copy = malloc(part);
        check(copy);
        memcpy(copy, data + at, part);
        status = json_split_feed(&stream, copy, part);
        free(copy);
        at += part;
    }
    json_split_clear(&stream);
    return status;
}

static void try_stream(const char *parent, const char *array, const uint8_t *data, size_t size)
{
    static const size_t mosts[] = {1, 3, 64};
    struct told whole, cut;
    enum status status = feed(parent, array, data, size, 0, &whole);
    for (size_t i = 0; i < sizeof(mosts) / sizeof(mosts[0]); i++) {
        check(feed(parent, array, data, size, mosts[i], &cut) == status);
        check(cut.hash == whole.hash && cut.count == whole.count);
    }
}

static void try_error(const uint8_t *data, size_t size)
{
    static const long statuses[] = {200, 400, 404, 429, 503};
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        struct gateway_reply_error error;
        gateway_reply_error(statuses[i], (const char *)data, size, &error);
        check(error.status != STATUS_OK && (unsigned)error.status < STATUS_COUNT);
        check(error.class <= GATEWAY_REPLY_PATH &&
              memchr(error.message, '\0', sizeof(error.message)));
        for (const char *at = error.message; *at; at++)
            check((unsigned char)*at >= 0x20 && *at != 0x7f);
    }
}

static void try_base64(const uint8_t *data, size_t size)
{
    char *out = malloc(size + 4), *again = malloc(size + 4);
    size_t len;
    check(out && again);
    if (base64_decode((const char *)data, size, out, &len)) {
        check(len <= size / 4 * 3 && base64_encoded_len(len) == size);
        base64_encode(out, len, again);
        check(memcmp(again, data, size) == 0);
    }
    free(out);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_stream(NULL, "kvs", data, size);
    try_stream("result", "events", data, size);
    try_stream(NULL, NULL, data, size); /* what people give to service register --from */
    try_error(data, size);
    try_base64(data, size);
    return 0;
}
