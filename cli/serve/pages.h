/* cli/serve/pages.h - `serve --http`: the server's own figures behind the status pages.
 *
 * Threads: belongs to the control thread. */
#ifndef CLI_SERVE_PAGES_H
#define CLI_SERVE_PAGES_H

#include "dns/answer/answer.h"
#include "registry/base/status.h"

#include <stdint.h>
#include <uv.h>

struct hosts;
struct http_server;
struct follow;
struct server;
struct zone;

/* What is looked at; all must outlive the pages. */
struct pages {
    const struct server *server;
    const struct zone *zone;
    const struct hosts *hosts;    /* NULL: none are looked up */
    struct follow *const *follow; /* *mirror is NULL before the first contact is sought */
    const struct answer_env *env;
    uv_loop_t *loop; /* the rest is pages_start()'s */
    uint64_t started_s;
    struct http_server *http;
};

/* Bind and answer from the loop's next turn on. BAD_INPUT, SYSTEM, NO_MEMORY: as
 * http_server_start(). */
MUST_USE enum status pages_start(struct pages *pages, uv_loop_t *loop, const char *listen,
                                 struct detail *why);
const char *pages_url(const struct pages *pages);
/* Also when they were never started. */
void pages_stop(struct pages *pages);

#endif
