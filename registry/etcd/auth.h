/* registry/etcd/auth.h - the token that stands for a user and a password.
 *
 * A password check costs etcd some 70 ms and a round of consensus, so there is one token for all
 * requests, fetched when it is first needed and again when etcd no longer knows it.
 *
 * Threads: as etcd.h. */
#ifndef REGISTRY_ETCD_AUTH_H
#define REGISTRY_ETCD_AUTH_H

#include "client.h"

/* Whether a token must be fetched before anything else can be asked. */
bool auth_is_needed(const struct client_auth *auth);

/* Ask this member, whose prefix is known, for a token, unless a request is under way. All parked
 * calls are woken at the end: then there is a token, or `failures` has gone up and `error` says
 * why. NO_MEMORY. */
MUST_USE enum status auth_fetch(struct etcd *etcd, struct member *member);

/* etcd refused the token that was sent with a request (NULL = none): it is not used again. */
void auth_forget(struct client_auth *auth, const char *token);

/* Permission was denied to a request of this kind (< CLIENT_KINDS) that had this token (NULL =
 * none). etcd 3.3, and 3.4 and 3.5 from before September 2022, say that of a watch whose token they
 * do not know, too. True: there is a newer token, or this one is forgotten; the request is worth
 * another try. False: the refusal is to be believed. What a new token does not mend is doubted
 * again after 5 s, doubled each time up to 5 minutes: a password check is not for the asking. */
bool auth_doubt(struct client_auth *auth, unsigned kind, const char *token, uint64_t now_ms);

/* A request of this kind was allowed. */
void auth_trust(struct client_auth *auth, unsigned kind);

/* Whether the password was refused so lately that it is not worth another try: 1 s after the first
 * time, doubled up to 10 s. `error` says what etcd said. */
bool auth_is_refused(const struct client_auth *auth, uint64_t now_ms);

/* etcd has authentication switched off. */
void auth_switch_off(struct client_auth *auth);

/* Take another password. NO_MEMORY. */
MUST_USE enum status auth_set_password(struct client_auth *auth, const char *password);

void auth_clear(struct client_auth *auth);

#endif
