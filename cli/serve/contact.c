#include "contact.h"

#include "cli/args/session.h"

#include <inttypes.h>

#define CONTACT_TELL_MS 1000
#define MS_PER_S        1000

static void contact_say(struct contact *contact)
{
    const char *advice = session_outage_advice(contact->status);
    if (!outage_is_new(&contact->outage, contact->status))
        return;
    log_printf(contact->log, LOG_LEVEL_WARNING, "no contact with etcd, trying again: %s%s%s (%s)",
               contact->why.text, *advice ? "; " : "", advice,
               contact->is_answering ? "answering what is known"
                                     : "queries fail until it is there");
}

static void contact_on_timer(uv_timer_t *timer)
{
    contact_say(timer->data);
}

void contact_init(struct contact *contact, uv_loop_t *loop, const struct log *log)
{
    *contact = (struct contact){.log = log};
    uv_timer_init(loop, &contact->timer);
    contact->timer.data = contact;
}

void contact_lose(struct contact *contact, enum status status, const struct detail *why,
                  uint64_t seen_ms, bool is_answering)
{
    bool is_first = !contact->is_lost;
    contact->status = status;
    contact->why = *why;
    contact->is_answering = is_answering;
    if (is_first) {
        contact->is_lost = true;
        contact->lost_ms = seen_ms ? seen_ms : uv_now(contact->timer.loop);
        contact->outage = (struct outage){0};
    }
    if (is_first && seen_ms != 0)
        uv_timer_start(&contact->timer, contact_on_timer, CONTACT_TELL_MS, 0);
    else if (!uv_is_active((uv_handle_t *)&contact->timer))
        contact_say(contact);
}

void contact_tell(struct contact *contact)
{
    if (!uv_is_active((uv_handle_t *)&contact->timer))
        return;
    uv_timer_stop(&contact->timer);
    contact_say(contact);
}

void contact_regain(struct contact *contact, const char *endpoint)
{
    uint64_t lasted_ms = uv_now(contact->timer.loop) - contact->lost_ms;
    bool is_told = !uv_is_active((uv_handle_t *)&contact->timer);
    if (!contact->is_lost)
        return;
    log_printf(contact->log, is_told ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
               "contact with etcd again after %" PRIu64 ".%" PRIu64 " s: %s%s%s%s",
               lasted_ms / MS_PER_S, lasted_ms % MS_PER_S / 100, endpoint,
               is_told ? "" : " (it was lost: ", is_told ? "" : contact->why.text,
               is_told ? "" : ")");
    contact->is_lost = false;
    uv_timer_stop(&contact->timer);
}

void contact_close(struct contact *contact)
{
    uv_close((uv_handle_t *)&contact->timer, NULL);
}
