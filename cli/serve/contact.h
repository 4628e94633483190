/* cli/serve/contact.h - what the log says of the contact with etcd: one line when it is lost, one
 * when it stands again, which tells how long it did not; none for a try in vain.
 *
 * The first failure of an outage says least ("the reply was cut off"); a second later it is known
 * what is the matter, or all is over. So the line comes that late, with the last reason, and an
 * outage that ends sooner has the second line alone. Of further reasons only those of another kind
 * are told, each once (outage.h).
 *
 * Threads: the loop's. */
#ifndef CLI_SERVE_CONTACT_H
#define CLI_SERVE_CONTACT_H

#include "registry/base/log.h"
#include "registry/outage.h"

#include <uv.h>

struct contact {
    const struct log *log; /* must outlive it */
    uv_timer_t timer;      /* until the loss is told */
    bool is_lost, is_answering;
    uint64_t lost_ms; /* the last sign of life before that */
    enum status status;
    struct detail why;
    struct outage outage; /* which kinds of reasons have been told */
};

void contact_init(struct contact *contact, uv_loop_t *loop, const struct log *log);

/* It is lost, or still is and has another reason. seen_ms: when there was the last sign of life, on
 * the loop's clock; 0 = never, then there is nothing to wait for and it is told at once.
 * is_answering: queries are answered all the same. */
void contact_lose(struct contact *contact, enum status status, const struct detail *why,
                  uint64_t seen_ms, bool is_answering);

/* What is still to be told of the loss is told now: what comes of it is about to be. */
void contact_tell(struct contact *contact);

/* It stands, by this endpoint; also where it did before. */
void contact_regain(struct contact *contact, const char *endpoint);

void contact_close(struct contact *contact);

#endif
