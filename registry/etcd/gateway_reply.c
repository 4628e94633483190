#include "gateway_reply.h"

#include "registry/base/base64.h"
#include "registry/base/buffer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cJSON *gateway_reply_begin(const char *text, size_t len, const char **end,
                                  enum status *status)
{
    /* cJSON returns NULL for both; malloc() tells them apart. */
    errno = 0;
    cJSON *root = text ? cJSON_ParseWithLengthOpts(text, len, end, false) : NULL;
    *status = root ? STATUS_OK : errno == ENOMEM ? STATUS_NO_MEMORY : STATUS_BAD_REPLY;
    return root;
}

cJSON *gateway_reply_json(const char *text, size_t len, enum status *status)
{
    const char *end;
    return gateway_reply_begin(text, len, &end, status);
}

/* For cJSON a string ends at a zero octet, written out or escaped: of a number or a value half would
 * be left, which makes sense. */
static bool gateway_reply_has_zero(const char *text, size_t len)
{
    static const char escaped[] = "\\u0000";
    return memchr(text, '\0', len) || memmem(text, len, escaped, sizeof(escaped) - 1);
}

/* cJSON stops behind the first value; a reply that something follows is not etcd's. */
cJSON *gateway_reply_parse(const char *text, size_t len, enum status *status)
{
    const char *end = NULL;
    bool is_text = text && !gateway_reply_has_zero(text, len);
    cJSON *root = gateway_reply_begin(is_text ? text : NULL, len, &end, status);
    if (!root)
        return NULL;
    while (end < text + len && (*end == ' ' || *end == '\t' || *end == '\r' || *end == '\n'))
        end++;
    if (end == text + len)
        return root;
    cJSON_Delete(root);
    *status = STATUS_BAD_REPLY;
    return NULL;
}

cJSON *gateway_reply_parse_begun(const char *text, size_t len, const char *closing,
                                 enum status *status)
{
    struct buffer whole;
    buffer_init(&whole, len + strlen(closing));
    buffer_add(&whole, text, len);
    buffer_add_text(&whole, closing);
    *status = whole.status;
    cJSON *root = *status == STATUS_OK ? gateway_reply_parse(whole.data, whole.len, status) : NULL;
    buffer_clear(&whole);
    return root;
}

/* A number that a double holds exactly, as those up to 2^53: cJSON knows no others. */
static bool gateway_reply_is_exact(const cJSON *item)
{
    double number = item->valuedouble;
    return number >= -9007199254740992.0 && number <= 9007199254740992.0 &&
           !(number > (double)(int64_t)number) && !(number < (double)(int64_t)number);
}

/* A number, or one in a string, of 64 bits with a sign or without. */
static bool gateway_reply_read(const cJSON *item, bool is_signed, uint64_t *out)
{
    if (cJSON_IsNumber(item) && gateway_reply_is_exact(item) &&
        (is_signed || item->valuedouble >= 0)) {
        *out = (uint64_t)(int64_t)item->valuedouble;
        return true;
    }
    const char *text = cJSON_GetStringValue(item);
    const char *digits = text && is_signed && *text == '-' ? text + 1 : text;
    if (!digits || !*digits || digits[strspn(digits, "0123456789")] != '\0')
        return false;
    errno = 0;
    *out = is_signed ? (uint64_t)strtoll(text, NULL, 10) : strtoull(text, NULL, 10);
    return errno == 0;
}

bool gateway_reply_has_uint(const cJSON *object, const char *name, uint64_t *out)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    *out = 0;
    return !item || gateway_reply_read(item, false, out);
}

bool gateway_reply_has_int(const cJSON *object, const char *name, int64_t *out)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    uint64_t bits = 0;
    bool is_good = !item || gateway_reply_read(item, true, &bits);
    *out = (int64_t)bits;
    return is_good;
}

bool gateway_reply_has_bool(const cJSON *object, const char *name, bool *out)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    *out = cJSON_IsTrue(item);
    return !item || cJSON_IsBool(item);
}

bool gateway_reply_has_only(const cJSON *object, const char *const *names)
{
    for (const cJSON *item = object ? object->child : NULL; item; item = item->next) {
        const char *const *name = names;
        while (*name && strcmp(*name, item->string) != 0)
            name++;
        if (!*name)
            return false;
    }
    return true;
}

int64_t gateway_reply_int(const cJSON *object, const char *name)
{
    int64_t number;
    return gateway_reply_has_int(object, name, &number) ? number : 0;
}

bool gateway_reply_bool(const cJSON *object, const char *name)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, name));
}

/* One that has a successor, as a watch begins there. */
static bool gateway_reply_is_revision(int64_t number)
{
    return number > 0 && number < INT64_MAX;
}

bool gateway_reply_header(const cJSON *object, struct gateway_reply_header *out)
{
    const cJSON *header = cJSON_GetObjectItemCaseSensitive(object, "header");
    struct gateway_reply_header found;
    bool is_good = cJSON_IsObject(header) &&
                   gateway_reply_has_int(header, "revision", &found.revision) &&
                   gateway_reply_has_uint(header, "cluster_id", &found.cluster_id) &&
                   gateway_reply_has_uint(header, "member_id", &found.member_id) &&
                   gateway_reply_has_uint(header, "raft_term", &found.raft_term) &&
                   gateway_reply_is_revision(found.revision) && found.cluster_id != 0;
    if (is_good)
        *out = found;
    return is_good;
}

#define GATEWAY_REPLY_TEXT_MAX ((size_t)KV_OCTETS_MAX / 3 * 4)

/* Decode a member's base64 where it lies: what it stands for is shorter. Of one that is too long
 * the beginning is taken, GATEWAY_REPLY_TEXT_MAX being whole groups of four. */
static bool gateway_reply_octets(cJSON *item, const char **octets, size_t *len, bool *is_cut)
{
    if (!cJSON_IsString(item))
        return false;
    char *text = item->valuestring;
    size_t text_len = strlen(text);
    *is_cut = text_len > GATEWAY_REPLY_TEXT_MAX;
    if (!base64_decode(text, *is_cut ? GATEWAY_REPLY_TEXT_MAX : text_len, text, len))
        return false;
    text[*len] = '\0';
    *octets = text;
    return true;
}

/* False: a number that is none. What is not known is not looked at. */
static bool gateway_reply_kv_number(const cJSON *item, struct kv *out)
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
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        uint64_t number;
        if (strcmp(item->string, numbers[i].name) != 0)
            continue;
        if (!gateway_reply_read(item, true, &number))
            return false;
        memcpy((char *)out + numbers[i].offset, &number, sizeof(number));
    }
    return true;
}

/* A key or a value that comes twice is refused: which of the two counts is left open (RFC 8259
 * 4). */
static bool gateway_reply_kv_member(cJSON *item, struct kv *kv)
{
    if (strcmp(item->string, "key") == 0)
        return !kv->key && gateway_reply_octets(item, &kv->key, &kv->key_len, &kv->is_key_cut);
    if (strcmp(item->string, "value") == 0)
        return !kv->value[0] &&
               gateway_reply_octets(item, &kv->value, &kv->value_len, &kv->is_value_cut);
    return gateway_reply_kv_number(item, kv);
}

bool gateway_reply_kv(cJSON *object, struct kv *out)
{
    struct kv kv = {.key = NULL, .value = ""};
    if (!cJSON_IsObject(object))
        return false;
    /* One walk: a look-up by name for each member would compare six times as often. */
    for (cJSON *item = object->child; item; item = item->next)
        if (!gateway_reply_kv_member(item, &kv))
            return false;
    if (!kv.key || !gateway_reply_is_revision(kv.mod_revision))
        return false;
    *out = kv;
    return true;
}

/* etcd's order of keys: octet by octet, without signs. */
static int gateway_reply_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order ? order : (a_len > b_len) - (a_len < b_len);
}

bool gateway_reply_kv_is_within(const struct kv *kv, const char *from, size_t from_len,
                                const char *end, size_t end_len)
{
    if (end_len == 0)
        return gateway_reply_compare(kv->key, kv->key_len, from, from_len) == 0;
    bool is_open = end_len == 1 && end[0] == '\0';
    return gateway_reply_compare(kv->key, kv->key_len, from, from_len) >= 0 &&
           (is_open || gateway_reply_compare(kv->key, kv->key_len, end, end_len) < 0);
}

/* Known messages. The first row that is contained in the message counts. */
static const struct {
    const char *text;
    enum status status;
    enum gateway_reply_class class;
} reply_messages[] = {
    {"requested lease not found", STATUS_NOT_FOUND, GATEWAY_REPLY_FINAL},
    {"lease already exists", STATUS_CONFLICT, GATEWAY_REPLY_FINAL},
    {"has been compacted", STATUS_COMPACTED, GATEWAY_REPLY_FINAL},
    /* of a store that was since wiped: */
    {"is a future revision", STATUS_COMPACTED, GATEWAY_REPLY_FINAL},
    {"larger than max", STATUS_TOO_LARGE, GATEWAY_REPLY_FINAL},
    {"request is too large", STATUS_TOO_LARGE, GATEWAY_REPLY_FINAL},
    {"too many operations", STATUS_TOO_MANY, GATEWAY_REPLY_FINAL},
    /* an alarm of the whole cluster, until an operator ends it: */
    {"database space exceeded", STATUS_NO_SPACE, GATEWAY_REPLY_FINAL},
    {"invalid auth token", STATUS_DENIED, GATEWAY_REPLY_TOKEN},
    {"user name is empty", STATUS_DENIED, GATEWAY_REPLY_TOKEN},
    {"revision of auth store is old", STATUS_DENIED, GATEWAY_REPLY_TOKEN},
    {"authentication is not enabled", STATUS_DENIED, GATEWAY_REPLY_NO_AUTH},
    {"authentication failed", STATUS_DENIED, GATEWAY_REPLY_FINAL},
    /* JWT, after a change of users: */
    {"revision in header is old", STATUS_DENIED, GATEWAY_REPLY_TOKEN},
    {"permission denied", STATUS_DENIED, GATEWAY_REPLY_PERMISSION},
    {"PermissionDenied", STATUS_DENIED, GATEWAY_REPLY_PERMISSION},
    /* the gateway's, in plain text, to a client certificate that names somebody (etcd#10392): */
    {"CommonName of client", STATUS_DENIED, GATEWAY_REPLY_FINAL},
    {"too many requests", STATUS_UNREACHABLE, GATEWAY_REPLY_UNDONE},
    {"no leader", STATUS_UNREACHABLE, GATEWAY_REPLY_UNDONE},
    /* a write that has timed out may be carried out later: */
    {"request timed out", STATUS_TIMED_OUT, GATEWAY_REPLY_UNKNOWN},
    {"context deadline exceeded", STATUS_TIMED_OUT, GATEWAY_REPLY_UNKNOWN},
};

/* gRPC codes of other messages. What etcd calls an invalid argument is none of the command line:
 * BAD_INPUT is not among them. 1 (cancelled) is what a member says that shuts down. */
static const struct {
    int64_t code;
    enum status status;
    enum gateway_reply_class class;
} reply_codes[] = {
    {1, STATUS_UNREACHABLE, GATEWAY_REPLY_UNKNOWN}, {3, STATUS_REFUSED, GATEWAY_REPLY_FINAL},
    {4, STATUS_TIMED_OUT, GATEWAY_REPLY_UNKNOWN},   {5, STATUS_NOT_FOUND, GATEWAY_REPLY_FINAL},
    {7, STATUS_DENIED, GATEWAY_REPLY_PERMISSION},   {8, STATUS_UNREACHABLE, GATEWAY_REPLY_UNDONE},
    {11, STATUS_REFUSED, GATEWAY_REPLY_FINAL},      {14, STATUS_UNREACHABLE, GATEWAY_REPLY_UNKNOWN},
    {16, STATUS_DENIED, GATEWAY_REPLY_TOKEN},
};

static void gateway_reply_classify(int64_t code, long http_status, struct gateway_reply_error *out)
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
    /* Mostly a proxy's, of whose answers only 4xx says that nothing was done. */
    out->status = http_status >= 500 ? STATUS_UNREACHABLE : STATUS_BAD_REPLY;
    out->class =
        http_status >= 400 && http_status < 500 ? GATEWAY_REPLY_UNDONE : GATEWAY_REPLY_UNKNOWN;
}

/* One printable line, whatever a stranger's server sends. */
static void gateway_reply_print(struct gateway_reply_error *out, const char *text, size_t len)
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

void gateway_reply_error_message(const char *message, struct gateway_reply_error *out)
{
    gateway_reply_print(out, message, strlen(message));
    /* The code stands in words here; of the others the messages are known. */
    gateway_reply_classify(strstr(message, "code = Unauthenticated") ? 16 : 0, 200, out);
}

/* {"error":{"grpc_code":14,"message":..}} of a stream, {"error":M,"message":M,"code":N}, or
 * {"code":N,"message":M}. */
static bool gateway_reply_error_json(const cJSON *root, struct gateway_reply_error *out,
                                     int64_t *code)
{
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(root, "error");
    const cJSON *object = cJSON_IsObject(error) ? error : root;
    const cJSON *message = cJSON_GetObjectItemCaseSensitive(object, "message");
    if (!cJSON_IsString(message))
        message = error;
    if (!cJSON_IsString(message))
        return false;
    gateway_reply_print(out, message->valuestring, strlen(message->valuestring));
    *code = gateway_reply_int(object, "code");
    if (*code == 0)
        *code = gateway_reply_int(object, "grpc_code");
    return true;
}

/* etcd and its proxies say in several ways that there is nothing at a path. A lease that is not
 * found has status 404, too, but its own words. */
static bool gateway_reply_is_path(long http_status, bool is_json, int64_t code, const char *message)
{
    if (http_status != 404 && http_status != 405 && http_status != 501)
        return false;
    return !is_json || code == 12 || strcmp(message, "Not Found") == 0;
}

void gateway_reply_error(long http_status, const char *body, size_t len,
                         struct gateway_reply_error *out)
{
    int64_t code = 0;
    if (!body)
        len = 0;
    enum status status; /* of a text that is none, the words count */
    cJSON *root = gateway_reply_json(len ? body : "", len, &status);
    bool is_json = gateway_reply_error_json(root, out, &code);
    cJSON_Delete(root);
    if (!is_json)
        gateway_reply_print(out, body, len);
    gateway_reply_classify(code, http_status, out);
    if (gateway_reply_is_path(http_status, is_json, code, out->message)) {
        out->status = STATUS_BAD_REPLY;
        out->class = GATEWAY_REPLY_PATH;
    }
    if (is_json && out->message[0])
        return;
    char text[sizeof(out->message)];
    memcpy(text, out->message, sizeof(text));
    snprintf(out->message, sizeof(out->message), "HTTP status %ld%s%.120s", http_status,
             text[0] ? ": " : "", text);
}
