/* cli/serve/renewal.h - the secrets and certificates of a server: at its start, and again on
 * SIGHUP.
 *
 * What cannot be used leaves in force what was read before, and a WARNING says so.
 *
 * Threads: belongs to the control thread. */
#ifndef CLI_SERVE_RENEWAL_H
#define CLI_SERVE_RENEWAL_H

#include "cli/args/option.h"

#include "dns/answer/answer.h"

#include <uv.h>

struct etcd;
struct server;

/* All must outlive it; *server and *etcd may come later. */
struct renewal {
    const struct options *options;
    const struct log *log;
    struct answer_env *env;
    struct server *const *server;
    struct etcd *const *etcd;
    uv_timer_t timer; /* the rest is renewal_start()'s */
    uint64_t not_before_ms;
};

/* Read the secrets of cookies into *env the first time. As cookie_secrets_load(). */
MUST_USE enum status renewal_begin(struct renewal *renewal, struct detail *why);

void renewal_start(struct renewal *renewal, uv_loop_t *loop);
/* All of it again: at once, but once a second at most, because each time all files are read and
 * checked. However often it is asked, the last time is heeded. */
void renewal_ask(struct renewal *renewal);
void renewal_stop(struct renewal *renewal);

#endif
