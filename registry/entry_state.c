
#include "entry.h"

#include <stdlib.h>
#include <string.h>

#define DRAINING "\"draining\""

/* A top-level member of an object, as offsets into its text. The text has been read by
 * entry_parse(), so it is well-formed, and ends where its braces are balanced. */
struct entry_state_member {
    size_t name, name_end;   /* with its quotes */
    size_t value, value_end; /* without blanks around */
};

struct entry_state_scan {
    const char *text;
    size_t len, at;
};

/* As cJSON, which has read the text: it takes all up to the blank for one. */
static void entry_state_skip_blanks(struct entry_state_scan *scan)
{
    while (scan->at < scan->len && (unsigned char)scan->text[scan->at] <= ' ')
        scan->at++;
}

/* An escaped octet never ends it. It may stop one behind a text that ends too soon. */
static void entry_state_skip_string(struct entry_state_scan *scan)
{
    for (scan->at++; scan->at < scan->len && scan->text[scan->at] != '"'; scan->at++) {
        if (scan->text[scan->at] == '\\')
            scan->at++;
    }
    scan->at++;
}

/* A value, up to the ',' or the bracket that ends it. */
static void entry_state_skip_value(struct entry_state_scan *scan)
{
    unsigned depth = 0;
    while (scan->at < scan->len) {
        char c = scan->text[scan->at];
        if (c == '"') {
            entry_state_skip_string(scan);
            continue;
        }
        if (depth == 0 && (c == ',' || c == '}' || c == ']'))
            return;
        if (c == '{' || c == '[')
            depth++;
        if (c == '}' || c == ']')
            depth--;
        scan->at++;
    }
}

/* The next member; false at the '}' that ends the object. */
static bool entry_state_next_member(struct entry_state_scan *scan, struct entry_state_member *out)
{
    entry_state_skip_blanks(scan);
    if (scan->at < scan->len && (scan->text[scan->at] == ',' || scan->text[scan->at] == '{')) {
        scan->at++;
        entry_state_skip_blanks(scan);
    }
    if (scan->at >= scan->len || scan->text[scan->at] != '"')
        return false;
    out->name = scan->at;
    entry_state_skip_string(scan);
    out->name_end = scan->at;
    entry_state_skip_blanks(scan);
    scan->at++; /* ':' */
    entry_state_skip_blanks(scan);
    out->value = scan->at;
    entry_state_skip_value(scan);
    out->value_end = scan->at;
    while (out->value_end > out->value && (unsigned char)scan->text[out->value_end - 1] <= ' ')
        out->value_end--;
    /* The text is well-formed, but no offset may lie outside if ever one is not. */
    return scan->at <= scan->len && out->value_end <= scan->len;
}

/* Where `state` is among the members, and where the object ends. */
struct entry_state_layout {
    struct entry_state_member state, previous, next; /* of state; zero where there is none */
    bool has_state;
    size_t count; /* members */
    size_t end;   /* of its '}' */
};

/* Of several the first counts, as it does in entry_parse(). */
static void entry_state_lay_out(const char *value, size_t len, struct entry_state_layout *out)
{
    static const char name[] = "\"state\"";
    struct entry_state_scan scan = {value, len, 0};
    struct entry_state_member member, before = {0};
    bool is_after = false;
    *out = (struct entry_state_layout){0};
    entry_state_skip_blanks(&scan);
    while (entry_state_next_member(&scan, &member)) {
        if (is_after)
            out->next = member;
        is_after = false;
        if (!out->has_state && member.name_end - member.name == sizeof(name) - 1 &&
            memcmp(value + member.name, name, sizeof(name) - 1) == 0) {
            out->has_state = is_after = true;
            out->state = member;
            out->previous = before;
        }
        before = member;
        out->count++;
    }
    out->end = scan.at;
}

/* `value` with its octets from..to replaced. */
static enum status entry_state_splice(const char *value, size_t len, size_t from, size_t to,
                                      const char *text, char **out, size_t *out_len)
{
    size_t text_len = strlen(text);
    size_t total = from + text_len + (len - to);
    if (total > ENTRY_VALUE_MAX)
        return STATUS_TOO_LARGE;
    char *made = malloc(total + 1);
    if (!made)
        return STATUS_NO_MEMORY;
    memcpy(made, value, from);
    memcpy(made + from, text, text_len);
    memcpy(made + from + text_len, value + to, len - to);
    made[total] = '\0';
    *out = made;
    *out_len = total;
    return STATUS_OK;
}

/* What was edited is read once more: a second "state", or one spelt with escapes, would go on
 * saying the same, and who drains an instance must be able to rely on it. */
static enum status entry_state_check(const char *value, size_t len, bool is_draining,
                                     struct detail *why)
{
    struct entry entry;
    enum status status = entry_parse(value, len, &entry, why);
    if (status != STATUS_OK)
        return status;
    if (entry.is_draining != is_draining)
        status = detail_set(why, STATUS_BAD_INPUT, "its \"state\" is there twice or oddly spelt");
    entry_clear(&entry);
    return status;
}

static enum status entry_state_change(const struct entry *entry, const char *value, size_t len,
                                      bool is_draining, char **out, size_t *out_len)
{
    /* A shallow copy will do: it is rendered, and never cleared. */
    struct entry changed = *entry;
    struct entry_state_layout layout = {0};
    bool is_object = len > 0 && value[0] == '{';
    changed.is_draining = is_draining;
    if (is_object)
        entry_state_lay_out(value, len, &layout);
    /* Of location and state nothing is left but plain text. */
    if (!is_object || (!is_draining && layout.count <= 2))
        return entry_render(&changed, out, out_len);
    size_t from = layout.state.name, to = layout.state.value_end;
    if (is_draining && !layout.has_state)
        return entry_state_splice(value, len, layout.end, layout.end, ",\"state\":" DRAINING, out,
                                  out_len);
    if (is_draining)
        from = layout.state.value;
    else if (layout.next.name_end > 0)
        to = layout.next.name; /* and the ',' behind it */
    else if (layout.previous.name_end > 0)
        from = layout.previous.value_end; /* and the ',' before it */
    return entry_state_splice(value, len, from, to, is_draining ? DRAINING : "", out, out_len);
}

enum status entry_state_set(const char *value, size_t len, bool is_draining, char **out,
                            size_t *out_len, struct detail *why)
{
    struct entry entry;
    char *made = NULL;
    size_t made_len = 0;
    enum status status = entry_parse(value, len, &entry, why);
    if (status != STATUS_OK)
        return status;
    if (entry.is_draining == is_draining)
        status = STATUS_CONFLICT;
    else
        status = entry_state_change(&entry, value, len, is_draining, &made, &made_len);
    entry_clear(&entry);
    if (status != STATUS_OK)
        return detail_set(why, status, "%s", status_text(status));
    status = entry_state_check(made, made_len, is_draining, why);
    if (status != STATUS_OK) {
        free(made);
        return status;
    }
    *out = made;
    *out_len = made_len;
    return STATUS_OK;
}

bool entry_state_differs_only(const char *value, size_t len, const char *found, size_t found_len,
                              bool *is_draining)
{
    /* Whoever drains edits the text as we do, so the octets can be compared. `value` already has
     * one of the two states: that is CONFLICT, and no match. */
    bool is_same = false;
    for (unsigned i = 0; i < 2 && !is_same; i++) {
        char *other = NULL;
        size_t other_len = 0;
        *is_draining = i == 0;
        if (entry_state_set(value, len, *is_draining, &other, &other_len, NULL) == STATUS_OK)
            is_same = other && other_len == found_len && memcmp(other, found, found_len) == 0;
        free(other);
    }
    return is_same;
}
