#include "load.h"

#include <stdlib.h>
#include <string.h>

#define HEADER_LEN 12
#define OPT_LEN    11 /* of our queries' OPT record, which the answer need not repeat */

void window_init(struct load_window *window, unsigned size)
{
    window->slots = calloc(size, sizeof(*window->slots));
    window->free = calloc(size, sizeof(*window->free));
    if (!window->slots || !window->free)
        load_fail("window");
    window->size = window->free_count = size;
    for (unsigned i = 0; i < size; i++) {
        window->slots[i].id = (uint16_t)i;
        window->free[i] = (uint16_t)(size - 1 - i);
    }
}

void window_free(struct load_window *window)
{
    free(window->slots);
    free(window->free);
}

const struct load_slot *window_take(struct load_window *window, struct load_queries *queries,
                                    uint64_t now_ns)
{
    struct load_slot *slot = &window->slots[window->free[--window->free_count]];
    size_t i = queries->next;

    queries->next = i + 1 < queries->count ? i + 1 : 0;
    slot->id = (uint16_t)(slot->id + LOAD_WINDOW_MAX);
    queries->at[i][0] = (uint8_t)(slot->id >> 8);
    queries->at[i][1] = (uint8_t)slot->id;
    slot->query = queries->at[i];
    slot->len = queries->len[i];
    slot->sent_ns = now_ns;
    return slot;
}

static void window_release(struct load_window *window, struct load_slot *slot)
{
    slot->sent_ns = 0;
    window->free[window->free_count++] = (uint16_t)(slot - window->slots);
}

static bool is_answer(const struct load_slot *slot, const uint8_t *message, size_t len)
{
    size_t question_len = slot->len - (size_t)HEADER_LEN - OPT_LEN;

    return slot->sent_ns && (message[2] & 0x80) && len >= HEADER_LEN + question_len &&
           memcmp(message + HEADER_LEN, slot->query + HEADER_LEN, question_len) == 0;
}

void window_answer(struct load_window *window, struct load_tally *tally, const uint8_t *message,
                   size_t len, uint64_t now_ns)
{
    unsigned id = len < HEADER_LEN ? 0 : (unsigned)(message[0] << 8 | message[1]);
    unsigned i = id % LOAD_WINDOW_MAX;
    struct load_slot *slot = i < window->size ? &window->slots[i] : NULL;

    if (len < HEADER_LEN || !slot || slot->id != id || !is_answer(slot, message, len)) {
        tally->unexpected++;
        return;
    }
    tally->answers++;
    tally->rcodes[message[3] & 15]++;
    tally->truncated += message[2] >> 1 & 1;
    if (tally->latency_ns && tally->latency_count < tally->latency_max)
        tally->latency_ns[tally->latency_count++] =
            (uint32_t)(now_ns > slot->sent_ns ? now_ns - slot->sent_ns : 0);
    window_release(window, slot);
}

void window_expire(struct load_window *window, struct load_tally *tally, uint64_t now_ns,
                   bool is_end)
{
    for (unsigned i = 0; i < window->size; i++) {
        struct load_slot *slot = &window->slots[i];
        if (!slot->sent_ns || (!is_end && slot->sent_ns + LOAD_LOST_NS > now_ns))
            continue;
        tally->lost++;
        window_release(window, slot);
    }
}
