#include "fake_store.h"

#include "allocation.h"

#include <stdlib.h>
#include <string.h>

/* Its length: there may be a NUL behind it. */
static size_t fake_store_text(const cJSON *object, const char *name, char out[64])
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    size_t len = 0;
    if (cJSON_IsString(item) && strlen(item->valuestring) < 80 &&
        !base64_decode(item->valuestring, strlen(item->valuestring), out, &len))
        abort();
    out[len] = '\0';
    return len;
}

static int64_t fake_store_number(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!item)
        return 0;
    return cJSON_IsString(item) ? strtoll(item->valuestring, NULL, 10) : (int64_t)item->valuedouble;
}

struct fake_store_key *fake_store_find(struct fake_store *etcd, const char *key)
{
    for (size_t i = 0; i < etcd->key_count; i++)
        if (strcmp(etcd->keys[i].key, key) == 0)
            return &etcd->keys[i];
    return NULL;
}

void fake_store_put(struct fake_store *etcd, const char *key, const char *value, int64_t lease)
{
    struct fake_store_key *found = fake_store_find(etcd, key);
    int64_t created = found ? found->created : etcd->revision + 1;
    if (!found) {
        size_t at = etcd->key_count++;
        if (at == FAKE_STORE_KEYS)
            abort();
        for (; at > 0 && strcmp(etcd->keys[at - 1].key, key) > 0; at--)
            etcd->keys[at] = etcd->keys[at - 1];
        found = &etcd->keys[at];
    }
    *found =
        (struct fake_store_key){.revision = ++etcd->revision, .created = created, .lease = lease};
    snprintf(found->key, sizeof(found->key), "%s", key);
    snprintf(found->value, sizeof(found->value), "%s", value);
}

static bool fake_store_remove(struct fake_store *etcd, const char *key)
{
    struct fake_store_key *found = fake_store_find(etcd, key);
    if (!found)
        return false;
    struct fake_store_key *gone = &etcd->gone[++etcd->revision % FAKE_STORE_GONE];
    *gone = *found;
    gone->revision = etcd->revision;
    etcd->key_count--;
    memmove(found, found + 1, (size_t)(&etcd->keys[etcd->key_count] - found) * sizeof(*found));
    return true;
}

void fake_store_delete(struct fake_store *etcd, const char *key)
{
    if (!fake_store_remove(etcd, key))
        abort();
}

struct fake_store_lease *fake_store_lease(struct fake_store *etcd, int64_t id)
{
    for (size_t i = 0; i < etcd->lease_count; i++)
        if (etcd->leases[i].id == id)
            return &etcd->leases[i];
    return NULL;
}

void fake_store_add_lease(struct fake_store *etcd, int64_t id, int64_t ttl_s, int64_t left_s)
{
    if (etcd->lease_count == FAKE_STORE_LEASES)
        abort();
    etcd->leases[etcd->lease_count++] = (struct fake_store_lease){id, ttl_s, left_s};
}

void fake_store_header(const struct fake_store *etcd, FILE *out)
{
    fprintf(out,
            "\"header\":{\"cluster_id\":\"1\",\"member_id\":\"2\",\"raft_term\":\"3\","
            "\"revision\":\"%" PRId64 "\"}",
            etcd->revision);
}

static void fake_store_kv(FILE *out, const struct fake_store_key *key)
{
    char key64[96] = "", value64[96] = "";
    base64_encode(key->key, strlen(key->key), key64);
    base64_encode(key->value, strlen(key->value), value64);
    fprintf(out,
            "{\"key\":\"%s\",\"value\":\"%s\",\"create_revision\":\"%" PRId64
            "\",\"version\":\"1\",\"mod_revision\":\"%" PRId64 "\",\"lease\":\"%" PRId64 "\"}",
            key64, value64, key->created, key->revision, key->lease);
}

static void fake_store_range(struct fake_store *etcd, const cJSON *asked, FILE *out)
{
    char from[64], end[64];
    int64_t limit = fake_store_number(asked, "limit"), given = 0;
    unsigned count = 0;
    bool is_behind = fake_store_text(asked, "key", from) > strlen(from);
    fake_store_text(asked, "range_end", end);
    fprintf(out, "\"kvs\":[");
    for (size_t i = 0; i < etcd->key_count; i++) {
        const struct fake_store_key *key = &etcd->keys[i];
        int order = strcmp(key->key, from);
        bool is_in =
            end[0] ? order >= is_behind && strcmp(key->key, end) < 0 : order == 0 && !is_behind;
        count += is_in;
        if (is_in && (limit == 0 || given < limit)) {
            fprintf(out, "%s", given++ ? "," : "");
            fake_store_kv(out, key);
        }
    }
    fprintf(out, "],\"more\":%s,\"count\":\"%u\"", given < count ? "true" : "false", count);
}

static void fake_store_op(struct fake_store *etcd, const cJSON *op, FILE *out)
{
    char key[64], value[64];
    if (strcmp(op->string, "request_range") == 0) {
        fprintf(out, "{\"response_range\":{");
        fake_store_range(etcd, op, out);
        fprintf(out, "}}");
        return;
    }
    fake_store_text(op, "key", key);
    if (strcmp(op->string, "request_delete_range") == 0) {
        bool is_gone = fake_store_remove(etcd, key);
        fprintf(out, "{\"response_delete_range\":{\"deleted\":\"%d\"}}", is_gone);
        return;
    }
    fake_store_text(op, "value", value);
    fake_store_put(etcd, key, value, fake_store_number(op, "lease"));
    fprintf(out, "{\"response_put\":{}}");
}

static bool fake_store_holds(struct fake_store *etcd, const cJSON *compares)
{
    const cJSON *compare;
    cJSON_ArrayForEach(compare, compares)
    {
        char key[64];
        fake_store_text(compare, "key", key);
        const struct fake_store_key *found = fake_store_find(etcd, key);
        if ((found ? found->revision : 0) != fake_store_number(compare, "mod_revision"))
            return false;
    }
    return true;
}

static void fake_store_refuse(struct fake_row *row, const char *message, FILE *out)
{
    row->status = 400;
    fprintf(out, "\"error\":\"%s\",\"message\":\"%s\",\"code\":3", message, message);
}

static void fake_store_txn(struct fake_store *etcd, const cJSON *root, struct fake_row *row,
                           FILE *out)
{
    const cJSON *compares = cJSON_GetObjectItemCaseSensitive(root, "compare"), *op;
    const cJSON *success = cJSON_GetObjectItemCaseSensitive(root, "success");
    size_t compare_count = (size_t)cJSON_GetArraySize(compares);
    size_t op_count = (size_t)cJSON_GetArraySize(success), at = 0;
    bool succeeded = fake_store_holds(etcd, compares);
    const cJSON *ops = succeeded ? success : cJSON_GetObjectItemCaseSensitive(root, "failure");
    etcd->txns++;
    etcd->writes += op_count > 0 && compare_count > 0;
    if (etcd->ops_max && (op_count > etcd->ops_max || compare_count > etcd->ops_max)) {
        fake_store_refuse(row, "etcdserver: too many operations in txn request", out);
        return;
    }
    if (etcd->octets_max && strlen(etcd->last) > etcd->octets_max) {
        fake_store_refuse(row, "etcdserver: request is too large", out);
        return;
    }
    fprintf(out, "\"succeeded\":%s,\"responses\":[", succeeded ? "true" : "false");
    cJSON_ArrayForEach(op, ops)
    {
        fprintf(out, "%s", at++ ? "," : "");
        fake_store_op(etcd, op->child, out);
    }
    fprintf(out, "],");
    fake_store_header(etcd, out); /* its revision is that of what was written */
}

static void fake_store_grant(struct fake_store *etcd, const cJSON *root, FILE *out)
{
    int64_t id = fake_store_number(root, "ID"), ttl_s = fake_store_number(root, "TTL");
    etcd->grants++;
    fake_store_add_lease(etcd, id, ttl_s, ttl_s);
    fake_store_header(etcd, out);
    fprintf(out, ",\"ID\":\"%" PRId64 "\",\"TTL\":\"%" PRId64 "\"", id, ttl_s);
}

/* As etcd writes it: what is 0 is left out. */
static void fake_store_time_left(struct fake_store *etcd, const cJSON *root, FILE *out)
{
    int64_t id = fake_store_number(root, "ID");
    const struct fake_store_lease *lease = fake_store_lease(etcd, id);
    etcd->questions++;
    fake_store_header(etcd, out);
    fprintf(out, ",\"ID\":\"%" PRId64 "\"", id);
    if (!lease || lease->left_s < 0)
        fprintf(out, ",\"TTL\":\"-1\"");
    else if (lease->left_s > 0)
        fprintf(out, ",\"TTL\":\"%" PRId64 "\"", lease->left_s);
    if (lease)
        fprintf(out, ",\"grantedTTL\":\"%" PRId64 "\"", lease->ttl_s);
}

/* By revision, as etcd does. */
static void fake_store_events(const struct fake_store *etcd, int64_t from, FILE *out)
{
    const struct fake_store_key *end = etcd->keys + etcd->key_count;
    const char *comma = "";
    fprintf(out, "{\"result\":{");
    fake_store_header(etcd, out);
    fprintf(out, ",\"events\":[");
    for (; from <= etcd->revision; from++) {
        const struct fake_store_key *gone = &etcd->gone[from % FAKE_STORE_GONE], *key = etcd->keys;
        while (key < end && key->revision != from)
            key++;
        if (key == end && gone->revision != from)
            continue;
        fprintf(out, "%s{%s\"kv\":", comma, key < end ? "" : "\"type\":\"DELETE\",");
        fake_store_kv(out, key < end ? key : gone);
        fprintf(out, "}");
        comma = ",";
    }
    fprintf(out, "]}}\n");
}

void fake_store_tell(struct fake_store *etcd, int64_t revision)
{
    size_t len = 0;
    bool was_paused = allocation_pause();
    free(etcd->reply);
    FILE *out = open_memstream(&etcd->reply, &len);
    fake_store_events(etcd, revision, out);
    fclose(out);
    fake_gateway_go_on(&etcd->gateway, etcd->reply);
    allocation_resume(was_paused);
}

static void fake_store_watch(struct fake_store *etcd, const cJSON *root, FILE *out)
{
    const cJSON *asked = cJSON_GetObjectItemCaseSensitive(root, "create_request");
    int64_t from = fake_store_number(asked, "start_revision");
    fprintf(out, "{\"result\":{");
    fake_store_header(etcd, out);
    fprintf(out, ",\"created\":true}}\n");
    if (from > 0 && from <= etcd->revision)
        fake_store_events(etcd, from, out);
}

static void fake_store_answer(struct fake_store *etcd, const char *path, const cJSON *root,
                              struct fake_row *row, FILE *out)
{
    fprintf(out, "{");
    if (strcmp(path, "/v3/kv/range") == 0) {
        etcd->ranges++;
        fake_store_header(etcd, out);
        fprintf(out, ",");
        fake_store_range(etcd, root, out);
    } else if (strcmp(path, "/v3/kv/txn") == 0) {
        fake_store_txn(etcd, root, row, out);
    } else if (strcmp(path, "/v3/lease/grant") == 0) {
        fake_store_grant(etcd, root, out);
    } else if (strcmp(path, "/v3/auth/authenticate") == 0) {
        fake_store_header(etcd, out);
        fprintf(out, ",\"token\":\"t.1\"");
    } else {
        fake_store_time_left(etcd, root, out);
    }
    fprintf(out, "}");
}

void fake_store_decide(void *arg, const char *path, const char *body, struct fake_row *row)
{
    struct fake_store *etcd = arg;
    size_t len = 0;
    if (strcmp(path, "/version") == 0)
        return;
    snprintf(etcd->last, sizeof(etcd->last), "%s", body);
    if (etcd->is_mute)
        row->end = FAKE_MUTE;
    if (etcd->fail.uses > 0 && strcmp(etcd->fail.path, path) == 0) {
        etcd->fail.uses--;
        *row = etcd->fail;
        return;
    }
    cJSON *root = cJSON_Parse(body);
    free(etcd->reply);
    FILE *out = open_memstream(&etcd->reply, &len);
    if (strcmp(path, "/v3/watch") == 0)
        fake_store_watch(etcd, root, out);
    else
        fake_store_answer(etcd, path, root, row, out);
    fclose(out);
    cJSON_Delete(root);
    row->body = etcd->reply;
}

bool fake_store_start(struct fake_store *etcd, uint32_t timeout_ms)
{
    static const struct fake_row rows[] = {
        {"/version", 200, "{\"etcdserver\":\"3.4.23\",\"etcdcluster\":\"3.4.0\"}", FAKE_KEEP, 0},
        {"/v3/kv/range", 200, NULL, FAKE_KEEP, 0},
        {"/v3/kv/txn", 200, NULL, FAKE_KEEP, 0},
        {"/v3/lease/grant", 200, NULL, FAKE_KEEP, 0},
        {"/v3/lease/timetolive", 200, NULL, FAKE_KEEP, 0},
        {"/v3/auth/authenticate", 200, NULL, FAKE_KEEP, 0},
        {"/v3/watch", 200, NULL, FAKE_CHUNK, 0},
    };
    memset(etcd, 0, sizeof(*etcd));
    etcd->revision = 1;
    client_loop_open(&etcd->client);
    if (!fake_gateway_start(&etcd->gateway, &etcd->client.loop, rows,
                            sizeof(rows) / sizeof(rows[0])))
        return false;
    etcd->gateway.decide = fake_store_decide;
    etcd->gateway.arg = etcd;
    return client_loop_connect(&etcd->client, etcd->gateway.endpoint,
                               (struct etcd_options){.timeout_ms = timeout_ms}) == STATUS_OK;
}

int fake_store_stop(struct fake_store *etcd)
{
    if (etcd->client.etcd)
        client_loop_close_client(&etcd->client);
    fake_gateway_stop(&etcd->gateway);
    uv_close((uv_handle_t *)&etcd->client.ticker, NULL);
    uv_run(&etcd->client.loop, UV_RUN_DEFAULT);
    free(etcd->reply);
    return uv_loop_close(&etcd->client.loop);
}
