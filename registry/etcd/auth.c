#include "client.h"

#include "registry/base/backoff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AUTH_TIMEOUT_MS 3000
#define AUTH_REPLY_MAX  65536

#define AUTH_FRESH_MS       2000 /* so young a token is good */
#define AUTH_DOUBT_MS       5000U
#define AUTH_DOUBT_MAX_MS   300000U
#define AUTH_REFUSED_MS     1000U
#define AUTH_REFUSED_MAX_MS 10000U

bool auth_is_needed(const struct client_auth *auth)
{
    return auth->user && !auth->token && !auth->is_off;
}

/* A core dump or a later use of the memory shall not show a password or a token. libcurl does not
 * wipe its copies. */
static void auth_wipe(char **secret)
{
    if (*secret)
        explicit_bzero(*secret, strlen(*secret));
    free(*secret);
    *secret = NULL;
}

/* Requests that were under way with one token are refused one after the other. Only the first drops
 * it: the others would each drop the next one. etcd that asks for a token where none was sent has
 * authentication switched on again, whatever it said before. */
void auth_forget(struct client_auth *auth, const char *token)
{
    bool is_same = token ? auth->token && strcmp(auth->token, token) == 0 : !auth->token;
    if (!is_same)
        return;
    auth_wipe(&auth->token);
    auth->is_off = false;
}

bool auth_doubt(struct client_auth *auth, unsigned kind, const char *token, uint64_t now_ms)
{
    struct client_doubt *doubt = &auth->doubts[kind];
    if (!auth->user)
        return false;
    bool is_current = token ? auth->token && strcmp(auth->token, token) == 0 : !auth->token;
    /* Another request has dropped it: one new token answers the doubts of both. */
    if (!is_current)
        return true;
    if (now_ms < doubt->until_ms || (token && now_ms - auth->fetched_ms < AUTH_FRESH_MS))
        return false;
    doubt->until_ms = now_ms + backoff_pause(AUTH_DOUBT_MS, AUTH_DOUBT_MAX_MS, ++doubt->times);
    auth_forget(auth, token);
    return true;
}

void auth_trust(struct client_auth *auth, unsigned kind)
{
    auth->doubts[kind].times = 0;
}

bool auth_is_refused(const struct client_auth *auth, uint64_t now_ms)
{
    return now_ms < auth->refused_until_ms;
}

void auth_switch_off(struct client_auth *auth)
{
    auth_wipe(&auth->token);
    auth->is_off = true;
}

enum status auth_set_password(struct client_auth *auth, const char *password)
{
    char *copy = strdup(password);
    if (!copy)
        return STATUS_NO_MEMORY;
    /* The token goes, too: etcd voids those of a user whose password changes. */
    auth_wipe(&auth->password);
    auth_wipe(&auth->token);
    auth->password = copy;
    auth->refusals = 0;
    auth->refused_until_ms = 0;
    return STATUS_OK;
}

/* Called twice: when the client closes, before its HTTP client does, and when its memory goes. */
void auth_clear(struct client_auth *auth)
{
    if (auth->request)
        http_client_cancel(auth->request);
    auth->request = NULL;
    auth_wipe(&auth->password);
    auth_wipe(&auth->token);
    free(auth->user);
    auth->user = NULL;
    buffer_clear(&auth->reply);
}

static bool auth_on_data(void *arg, long status, const char *octets, size_t len)
{
    struct etcd *etcd = arg;
    (void)status;
    buffer_add(&etcd->auth.reply, octets, len);
    return etcd->auth.reply.status == STATUS_OK;
}

/* It goes into a header line: a line break in it would begin another header. */
static bool auth_is_token(const cJSON *token)
{
    if (!cJSON_IsString(token) || !token->valuestring[0])
        return false;
    for (const char *at = token->valuestring; *at; at++)
        if (*at <= ' ' || *at > '~')
            return false;
    return true;
}

/* BAD_REPLY: no token in it. */
static enum status auth_take_token(struct client_auth *auth)
{
    enum status status;
    cJSON *root = gateway_reply_parse(auth->reply.data, auth->reply.len, &status);
    const cJSON *token = cJSON_GetObjectItemCaseSensitive(root, "token");
    char *copy = NULL;
    if (status == STATUS_OK && !auth_is_token(token))
        status = STATUS_BAD_REPLY;
    else if (status == STATUS_OK && !(copy = strdup(token->valuestring)))
        status = STATUS_NO_MEMORY;
    cJSON_Delete(root);
    if (status != STATUS_OK)
        return status;
    auth_wipe(&auth->token);
    auth->token = copy;
    return STATUS_OK;
}

static void auth_fail(struct client_auth *auth, uint64_t now_ms)
{
    if (auth->error.class == GATEWAY_REPLY_NO_AUTH) {
        auth_switch_off(auth); /* no failure: whoever waits goes on without */
        return;
    }
    auth->failures++;
    /* Only what etcd says of the password: that a member is away holds back no attempt on
     * another. */
    if (auth->error.class == GATEWAY_REPLY_FINAL)
        auth->refused_until_ms =
            now_ms + backoff_pause(AUTH_REFUSED_MS, AUTH_REFUSED_MAX_MS, ++auth->refusals);
}

static void auth_on_done(void *arg, const struct http_client_result *result)
{
    struct etcd *etcd = arg;
    struct client_auth *auth = &etcd->auth;
    bool is_200 = result->code == CURLE_OK && result->status == 200;
    enum status status = auth->reply.status;
    if (status == STATUS_OK)
        status = is_200 ? auth_take_token(auth) : STATUS_BAD_REPLY;
    auth->request = NULL;
    auth->failed = auth->asked;
    if (status == STATUS_OK) {
        auth->fetched_ms = uv_now(etcd->loop);
        auth->refusals = 0;
        etcd->wake(etcd);
        return;
    }
    /* UNDONE: to ask for a token changes nothing, so another member may be asked. */
    auth->error =
        (struct gateway_reply_error){status, GATEWAY_REPLY_UNDONE, "no token in the reply"};
    if (status == STATUS_NO_MEMORY)
        snprintf(auth->error.message, sizeof(auth->error.message), "%s", status_text(status));
    else if (result->code != CURLE_OK) {
        auth->error.status = result->kind;
        snprintf(auth->error.message, sizeof(auth->error.message), "%.190s", result->why.text);
    } else if (!is_200) {
        gateway_reply_error(result->status, auth->reply.data, auth->reply.len, &auth->error);
    }
    auth_fail(auth, uv_now(etcd->loop));
    etcd->wake(etcd);
}

/* The name and the password may hold anything, so cJSON quotes them. */
static char *auth_body(const struct client_auth *auth)
{
    cJSON *root = cJSON_CreateObject();
    char *body = NULL;
    if (cJSON_AddStringToObject(root, "name", auth->user) &&
        cJSON_AddStringToObject(root, "password", auth->password ? auth->password : ""))
        body = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    return body;
}

enum status auth_fetch(struct etcd *etcd, struct member *member)
{
    struct client_auth *auth = &etcd->auth;
    if (auth->request)
        return STATUS_OK; /* its end wakes this one, too, whichever member was asked */
    char url[sizeof(member->endpoint.url) + 40];
    snprintf(url, sizeof(url), "%s%s/auth/authenticate", member->request_url, member->prefix);
    char *body = auth_body(auth);
    if (!body)
        return STATUS_NO_MEMORY;
    /* Without memory for the header it goes out without: etcd does not look at it. */
    struct http_client_options options = {
        .url = url,
        .addresses = member->addresses,
        .connect_to = member->connect_to,
        .headers = curl_slist_append(NULL, "Content-Type: application/json"),
        .body = body,
        .body_len = strlen(body),
        .timeout_ms = AUTH_TIMEOUT_MS,
        .is_urgent = true, /* as what waits for it may be */
    };
    buffer_clear(&auth->reply);
    buffer_init(&auth->reply, AUTH_REPLY_MAX);
    auth->asked = member;
    auth->request = http_client_start(etcd->http, &options, auth_on_data, auth_on_done, etcd);
    explicit_bzero(body, strlen(body));
    cJSON_free(body);
    return auth->request ? STATUS_OK : STATUS_NO_MEMORY;
}
