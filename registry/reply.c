#include "reply.h"

#include "base64.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t reply_uint(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    if (cJSON_IsString(item))
        return strtoull(item->valuestring, NULL, 10);
    if (cJSON_IsNumber(item) && item->valueint > 0)
        return (uint64_t)item->valueint;
    return 0;
}

int64_t reply_int(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    if (cJSON_IsString(item))
        return strtoll(item->valuestring, NULL, 10);
    return cJSON_IsNumber(item) ? item->valueint : 0;
}

bool reply_bool(const cJSON *object, const char *name)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, name));
}

bool reply_header(const cJSON *object, struct reply_header *out)
{
    const cJSON *header = cJSON_GetObjectItemCaseSensitive(object, "header");
    if (!cJSON_IsObject(header))
        return false;
    out->revision = reply_int(header, "revision");
    out->cluster_id = reply_uint(header, "cluster_id");
    out->member_id = reply_uint(header, "member_id");
    out->raft_term = reply_uint(header, "raft_term");
    return true;
}

/* Decode a member's base64 where it lies. */
static bool reply_octets(cJSON *item, const char **octets, size_t *len)
{
    if (!cJSON_IsString(item))
        return false;
    char *text = item->valuestring;
    if (!base64_decode(text, strlen(text), text, len))
        return false;
    text[*len] = '\0';
    *octets = text;
    return true;
}

static void reply_kv_number(const cJSON *item, struct kv *out)
{
    static const struct {
        const char *name;
        size_t offset;
    } numbers[] = {
        {"create_revision", offsetof(struct kv, create_revision)},
        {"mod_revision", offsetof(struct kv, mod_revision)},
        {"version", offsetof(struct kv, version)},
        {"lease", offsetof(struct kv, lease)},
    };
    int64_t number = cJSON_IsString(item)   ? strtoll(item->valuestring, NULL, 10)
                     : cJSON_IsNumber(item) ? item->valueint
                                            : 0;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (strcmp(item->string, numbers[i].name) == 0)
            memcpy((char *)out + numbers[i].offset, &number, sizeof(number));
}

bool reply_kv(cJSON *object, struct kv *out)
{
    struct kv kv = {.key = NULL, .value = ""};
    if (!cJSON_IsObject(object))
        return false;
    /* One walk: a look-up by name for each member would compare six times as often. */
    for (cJSON *item = object->child; item; item = item->next) {
        if (strcmp(item->string, "key") == 0) {
            if (kv.key || !reply_octets(item, &kv.key, &kv.key_len))
                return false;
        } else if (strcmp(item->string, "value") == 0) {
            if (kv.value[0] || !reply_octets(item, &kv.value, &kv.value_len))
                return false;
        } else {
            reply_kv_number(item, &kv);
        }
    }
    if (!kv.key)
        return false;
    *out = kv;
    return true;
}

/* Known messages. The first row that is contained in the message counts. */
static const struct {
    const char *text;
    enum status status;
    enum reply_class class;
} reply_messages[] = {
    {"requested lease not found", STATUS_NOT_FOUND, REPLY_FINAL},
    {"lease already exists", STATUS_CONFLICT, REPLY_FINAL},
    {"has been compacted", STATUS_COMPACTED, REPLY_FINAL},
    {"is a future revision", STATUS_COMPACTED, REPLY_FINAL}, /* of a store that was since wiped */
    {"larger than max", STATUS_TOO_LARGE, REPLY_FINAL},
    {"request is too large", STATUS_TOO_LARGE, REPLY_FINAL},
    {"too many operations", STATUS_TOO_MANY, REPLY_FINAL},
    {"database space exceeded", STATUS_NO_SPACE, REPLY_FINAL},
    {"invalid auth token", STATUS_DENIED, REPLY_TOKEN},
    {"user name is empty", STATUS_DENIED, REPLY_TOKEN},
    {"revision of auth store is old", STATUS_DENIED, REPLY_TOKEN},
    {"authentication is not enabled", STATUS_DENIED, REPLY_NO_AUTH},
    {"authentication failed", STATUS_DENIED, REPLY_FINAL},
    {"permission denied", STATUS_DENIED, REPLY_FINAL},
    {"PermissionDenied", STATUS_DENIED, REPLY_FINAL},
    {"CommonName of client", STATUS_DENIED, REPLY_FINAL},
    {"too many requests", STATUS_UNREACHABLE, REPLY_UNDONE},
    {"no leader", STATUS_UNREACHABLE, REPLY_UNDONE},
    {"request timed out", STATUS_TIMED_OUT, REPLY_UNKNOWN},
    {"context deadline exceeded", STATUS_TIMED_OUT, REPLY_UNKNOWN},
};

/* gRPC codes of other messages. What etcd calls an invalid argument is none of the command line:
 * BAD_INPUT is not among them. */
static const struct {
    int64_t code;
    enum status status;
    enum reply_class class;
} reply_codes[] = {
    {1, STATUS_UNREACHABLE, REPLY_UNKNOWN}, {3, STATUS_REFUSED, REPLY_FINAL},
    {4, STATUS_TIMED_OUT, REPLY_UNKNOWN},   {5, STATUS_NOT_FOUND, REPLY_FINAL},
    {7, STATUS_DENIED, REPLY_FINAL},        {8, STATUS_UNREACHABLE, REPLY_UNDONE},
    {11, STATUS_REFUSED, REPLY_FINAL},      {14, STATUS_UNREACHABLE, REPLY_UNKNOWN},
    {16, STATUS_DENIED, REPLY_TOKEN},
};

static void reply_classify(int64_t code, long http_status, struct reply_error *out)
{
    for (size_t i = 0; i < sizeof(reply_messages) / sizeof(reply_messages[0]); i++) {
        if (strstr(out->message, reply_messages[i].text)) {
            out->status = reply_messages[i].status;
            out->class = reply_messages[i].class;
            return;
        }
    }
    for (size_t i = 0; i < sizeof(reply_codes) / sizeof(reply_codes[0]); i++) {
        if (code == reply_codes[i].code) {
            out->status = reply_codes[i].status;
            out->class = reply_codes[i].class;
            return;
        }
    }
    out->status = http_status >= 500 ? STATUS_UNREACHABLE : STATUS_BAD_REPLY;
    out->class = http_status >= 500 ? REPLY_UNKNOWN : REPLY_UNDONE;
}

/* One printable line, whatever a stranger's server sends. */
static void reply_print(struct reply_error *out, const char *text, size_t len)
{
    size_t at = 0;
    for (size_t i = 0; i < len && at < sizeof(out->message) - 1; i++) {
        unsigned char octet = (unsigned char)text[i];
        if (octet == '\n' && i + 1 == len)
            break;
        out->message[at++] = octet < 0x20 || octet == 0x7f ? ' ' : text[i];
    }
    out->message[at] = '\0';
}

void reply_error_message(const char *message, struct reply_error *out)
{
    reply_print(out, message, strlen(message));
    reply_classify(strstr(message, "code = Unauthenticated") ? 16 : 0, 200, out);
}

/* {"error":{"grpc_code":14,"message":..}} of a stream, {"error":M,"message":M,"code":N}, or
 * {"code":N,"message":M}. */
static bool reply_error_json(const cJSON *root, struct reply_error *out, int64_t *code)
{
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(root, "error");
    const cJSON *object = cJSON_IsObject(error) ? error : root;
    const cJSON *message = cJSON_GetObjectItemCaseSensitive(object, "message");
    if (!cJSON_IsString(message))
        message = error;
    if (!cJSON_IsString(message))
        return false;
    reply_print(out, message->valuestring, strlen(message->valuestring));
    *code = reply_int(object, "code");
    if (*code == 0)
        *code = reply_int(object, "grpc_code");
    return true;
}

/* etcd and its proxies say in several ways that there is nothing at a path. A lease that is not
 * found has status 404, too, but its own words. */
static bool reply_is_path(long http_status, bool is_json, int64_t code, const char *message)
{
    if (http_status != 404 && http_status != 405 && http_status != 501)
        return false;
    return !is_json || code == 12 || strcmp(message, "Not Found") == 0;
}

void reply_error(long http_status, const char *body, size_t len, struct reply_error *out)
{
    int64_t code = 0;
    if (!body)
        len = 0;
    cJSON *root = cJSON_ParseWithLength(len ? body : "", len);
    bool is_json = reply_error_json(root, out, &code);
    cJSON_Delete(root);
    if (!is_json)
        reply_print(out, body, len);
    reply_classify(code, http_status, out);
    if (reply_is_path(http_status, is_json, code, out->message)) {
        out->status = STATUS_BAD_REPLY;
        out->class = REPLY_PATH;
    }
    if (is_json && out->message[0])
        return;
    char text[sizeof(out->message)];
    memcpy(text, out->message, sizeof(text));
    snprintf(out->message, sizeof(out->message), "HTTP status %ld%s%.120s", http_status,
             text[0] ? ": " : "", text);
}
