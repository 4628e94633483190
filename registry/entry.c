/* A plain location is read in place. JSON goes through cJSON, made fit for it before. All memory
 * comes from cJSON's allocator, whose hooks let a test refuse it. */
#include "entry.h"

#include "key.h"
#include "registry/base/ascii.h"
#include "registry/base/utf8.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct entry *entry;
    char *text;      /* where the next string goes, in entry->owned */
    size_t txt_size; /* octets of the pairs so far, as in ENTRY_TXT_SIZE_MAX */
    uint8_t nul;     /* stands for U+0000; 0 = there is none */
};

static size_t entry_key_len_of(const char *pair, size_t len)
{
    const char *equals = len > 0 ? memchr(pair, '=', len) : NULL;
    return equals ? (size_t)(equals - pair) : len;
}

/* RFC 6763 6.4: a key is printable ASCII without '=', and not empty. A string of a TXT record has
 * one octet for its length (RFC 1035 3.3): 255 is the most it says. */
enum status entry_check_txt(const char *pair, size_t len, struct detail *why)
{
    size_t key_len = entry_key_len_of(pair, len);
    if (key_len == 0)
        return detail_set(why, STATUS_BAD_INPUT, "the key is empty");
    if (len > ENTRY_TXT_PAIR_MAX)
        return detail_set(why, STATUS_BAD_INPUT, "longer than %d octets", ENTRY_TXT_PAIR_MAX);
    for (size_t i = 0; i < key_len; i++)
        if (pair[i] < 0x20 || pair[i] > 0x7e)
            return detail_set(why, STATUS_BAD_INPUT, "the key is not printable ASCII");
    return STATUS_OK;
}

/* People write subtypes as they stand in DNS, with an underscore, or without: both mean one. */
static void entry_strip_underscore(const char **subtype, size_t *len)
{
    if (*len > 0 && **subtype == '_') {
        ++*subtype;
        --*len;
    }
}

enum status entry_check_subtype(const char *subtype, size_t len, struct detail *why)
{
    entry_strip_underscore(&subtype, &len);
    if (len == 0)
        return detail_set(why, STATUS_BAD_INPUT, "must not be empty");
    if (len > ENTRY_SUBTYPE_MAX)
        return detail_set(why, STATUS_BAD_INPUT, "longer than %d octets", ENTRY_SUBTYPE_MAX);
    if (!utf8_is_clean(subtype, len))
        return detail_set(why, STATUS_BAD_INPUT, "must be UTF-8 without control characters");
    return STATUS_OK;
}

static int entry_compare_strings(const void *left, const void *right)
{
    const struct entry_string *a = left, *b = right;
    int order = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);
    return order ? order : (a->len > b->len) - (a->len < b->len);
}

static size_t entry_whole_len_of(const char *text, size_t len)
{
    (void)text;
    return len;
}

/* Keep the first of the strings whose keys are the same name, and sort. Returns how many stay. Each
 * is compared with each, since only the order in which they came says which is the first; they are
 * ENTRY_TXT_MAX at most. */
static uint16_t entry_sort_strings(struct entry_string *strings, uint16_t count,
                                   size_t (*key_len)(const char *text, size_t len))
{
    uint16_t kept = 0;
    for (uint16_t i = 0; i < count; i++) {
        size_t len = key_len(strings[i].text, strings[i].len);
        uint16_t j = 0;
        while (j < kept && (key_len(strings[j].text, strings[j].len) != len ||
                            !ascii_equal(strings[j].text, strings[i].text, len)))
            j++;
        if (j == kept)
            strings[kept++] = strings[i];
    }
    /* qsort() must not be given NULL, not even to sort nothing. */
    if (kept > 1)
        qsort(strings, kept, sizeof(*strings), entry_compare_strings);
    return kept;
}

unsigned entry_sort(struct entry *entry)
{
    uint16_t txt_count = entry->txt_count;
    entry->txt_count = entry_sort_strings(entry->txt, txt_count, entry_key_len_of);
    entry->subtype_count =
        entry_sort_strings(entry->subtypes, entry->subtype_count, entry_whole_len_of);
    return (unsigned)(txt_count - entry->txt_count);
}

/* Copy a string of cJSON's behind what has been copied so far. */
static size_t entry_copy_text(struct reader *reader, char *to, const char *string)
{
    size_t len = strlen(string);
    for (size_t i = 0; i < len; i++)
        to[i] = reader->nul && (uint8_t)string[i] == reader->nul ? '\0' : string[i];
    return len;
}

static enum status entry_read_location(struct reader *reader, const cJSON *item, struct detail *why)
{
    struct entry *entry = reader->entry;
    if (!cJSON_IsString(item))
        return detail_set(why, STATUS_BAD_INPUT, "not a string");
    /* The address will point into this copy, which lives as long as the entry; cJSON's does not. */
    entry->location_text.text = reader->text;
    size_t len = entry_copy_text(reader, reader->text, item->valuestring);
    entry->location_text.len = entry_text_len(reader->text, len);
    reader->text += len;
    return address_parse(entry->location_text.text, entry->location_text.len, &entry->location,
                         why);
}

static bool entry_read_protocol(struct reader *reader, const cJSON *item)
{
    const char *text = cJSON_IsString(item) ? item->valuestring : "";
    bool is_udp = strcmp(text, "udp") == 0;
    if (!is_udp && strcmp(text, "tcp") != 0)
        return false;
    reader->entry->protocol = is_udp ? ENTRY_PROTOCOL_UDP : ENTRY_PROTOCOL_TCP;
    return true;
}

/* JSON has one kind of number: 10.0 and 1e1 are 10, and 10.5 is refused. */
static bool entry_read_u16(const cJSON *item, bool *has, uint16_t *out)
{
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= UINT16_MAX) ||
        item->valuedouble > (uint16_t)item->valuedouble)
        return false;
    *has = true;
    *out = (uint16_t)item->valuedouble;
    return true;
}

static bool entry_read_priority(struct reader *reader, const cJSON *item)
{
    return entry_read_u16(item, &reader->entry->has_priority, &reader->entry->priority);
}

static bool entry_read_weight(struct reader *reader, const cJSON *item)
{
    return entry_read_u16(item, &reader->entry->has_weight, &reader->entry->weight);
}

static bool entry_read_state(struct reader *reader, const cJSON *item)
{
    if (!cJSON_IsString(item))
        return false;
    reader->entry->is_draining = strcmp(item->valuestring, "draining") == 0;
    return reader->entry->is_draining || strcmp(item->valuestring, "up") == 0;
}

/* `true` is a key without '=', which says something else than an empty value (RFC 6763 6.4). A key
 * with an '=' would be read back as a shorter one. The text of a pair that is refused is written
 * over by what comes next. */
static bool entry_read_pair(struct reader *reader, const cJSON *item)
{
    struct entry *entry = reader->entry;
    if ((!cJSON_IsString(item) && !cJSON_IsTrue(item)) || strchr(item->string, '=') ||
        entry->txt_count == ENTRY_TXT_MAX)
        return false;
    size_t len = entry_copy_text(reader, reader->text, item->string);
    if (cJSON_IsString(item)) {
        reader->text[len++] = '=';
        len += entry_copy_text(reader, reader->text + len, item->valuestring);
    }
    if (entry_check_txt(reader->text, len, NULL) != STATUS_OK ||
        reader->txt_size + len + 1 > ENTRY_TXT_SIZE_MAX)
        return false;
    entry->txt[entry->txt_count++] = (struct entry_string){reader->text, len};
    reader->txt_size += len + 1;
    reader->text += len;
    return true;
}

static bool entry_read_txt(struct reader *reader, const cJSON *item)
{
    const cJSON *pair;
    if (!cJSON_IsObject(item))
        return false;
    cJSON_ArrayForEach(pair, item) reader->entry->ignored += !entry_read_pair(reader, pair);
    return true;
}

static bool entry_read_subtype(struct reader *reader, const cJSON *item)
{
    struct entry *entry = reader->entry;
    if (!cJSON_IsString(item) || entry->subtype_count == ENTRY_SUBTYPES_MAX)
        return false;
    const char *text = reader->text;
    size_t len = entry_copy_text(reader, reader->text, item->valuestring);
    if (entry_check_subtype(text, len, NULL) != STATUS_OK)
        return false;
    reader->text += len;
    entry_strip_underscore(&text, &len);
    entry->subtypes[entry->subtype_count++] = (struct entry_string){text, len};
    return true;
}

static bool entry_read_subtypes(struct reader *reader, const cJSON *item)
{
    const cJSON *subtype;
    if (!cJSON_IsArray(item))
        return false;
    cJSON_ArrayForEach(subtype, item) reader->entry->ignored +=
        !entry_read_subtype(reader, subtype);
    return true;
}

static const struct {
    const char *name;
    bool (*read)(struct reader *reader, const cJSON *item); /* false: ignored */
} members[] = {
    {"protocol", entry_read_protocol}, {"priority", entry_read_priority},
    {"weight", entry_read_weight},     {"txt", entry_read_txt},
    {"subtypes", entry_read_subtypes}, {"state", entry_read_state},
};

static size_t entry_child_count(const cJSON *object, const char *name, size_t max)
{
    int count = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(object, name));
    return (size_t)count < max ? (size_t)count : max;
}

/* One block for the arrays and, behind them, all strings: decoded, with '=' instead of the quotes
 * and the colon, they are never longer than the value they come from, as each of its members is
 * read once: of two with one name cJSON always gives the first. */
static bool entry_allocate(struct reader *reader, const cJSON *object, size_t len)
{
    size_t txt = entry_child_count(object, "txt", ENTRY_TXT_MAX);
    size_t subtypes = entry_child_count(object, "subtypes", ENTRY_SUBTYPES_MAX);
    size_t size = (txt + subtypes) * sizeof(struct entry_string);
    struct entry_string *strings = cJSON_malloc(size + len);
    if (!strings)
        return false;
    reader->entry->owned = strings;
    reader->entry->txt = txt > 0 ? strings : NULL;
    reader->entry->subtypes = subtypes > 0 ? strings + txt : NULL;
    reader->text = (char *)(strings + txt + subtypes);
    return true;
}

static void entry_note_ignored(struct entry *entry, const char *member)
{
    if (!entry->ignored_member)
        entry->ignored_member = member;
}

static enum status entry_read_members(struct reader *reader, const cJSON *object, size_t len,
                                      struct detail *why)
{
    const cJSON *location = cJSON_GetObjectItemCaseSensitive(object, "location");
    if (!location)
        return detail_set(why, STATUS_BAD_INPUT, "no member \"location\"");
    if (!entry_allocate(reader, object, len))
        return detail_set(why, STATUS_NO_MEMORY, "out of memory");
    if (entry_read_location(reader, location, why) != STATUS_OK)
        return detail_wrap(why, STATUS_BAD_INPUT, "member \"location\"");
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, members[i].name);
        unsigned ignored = reader->entry->ignored;
        if (item && !members[i].read(reader, item))
            reader->entry->ignored++;
        if (reader->entry->ignored > ignored)
            entry_note_ignored(reader->entry, members[i].name);
    }
    unsigned dropped = entry_sort(reader->entry);
    if (dropped > 0)
        entry_note_ignored(reader->entry, "txt");
    reader->entry->ignored += dropped;
    /* Where there are none it is NULL, even if room was made for some that were refused. */
    if (reader->entry->txt_count == 0)
        reader->entry->txt = NULL;
    if (reader->entry->subtype_count == 0)
        reader->entry->subtypes = NULL;
    return STATUS_OK;
}

/* Read the text of an object with nothing but blanks behind it: cJSON stops at its end and does not
 * look at what follows. */
static enum status entry_parse_text(const char *text, size_t len, cJSON **out, struct detail *why)
{
    const char *end = NULL;
    /* cJSON returns NULL for both; malloc() tells them apart. */
    errno = 0;
    cJSON *object = cJSON_ParseWithLengthOpts(text, len, &end, 0);
    if (!object && errno == ENOMEM)
        return detail_set(why, STATUS_NO_MEMORY, "out of memory");
    if (!object)
        return detail_set(why, STATUS_BAD_INPUT, "not JSON");
    while (end < text + len && (*end == ' ' || *end == '\t' || *end == '\n' || *end == '\r'))
        end++;
    if (end < text + len) {
        cJSON_Delete(object);
        return detail_set(why, STATUS_BAD_INPUT, "there is something behind the JSON object");
    }
    *out = object;
    return STATUS_OK;
}

static enum status entry_parse_object(const char *value, size_t len, struct entry *entry,
                                      struct detail *why)
{
    struct reader reader = {.entry = entry};
    enum status status = STATUS_BAD_INPUT;
    cJSON *object = NULL;
    char *text = cJSON_malloc(len);
    if (!text)
        return detail_set(why, STATUS_NO_MEMORY, "out of memory");
    size_t text_len = entry_text_prepare(value, len, text, &reader.nul);
    if (text_len > 0)
        status = entry_parse_text(text, text_len, &object, why);
    else
        (void)detail_set(why, status, "not JSON");
    if (status == STATUS_OK)
        status = entry_read_members(&reader, object, len, why);
    cJSON_Delete(object);
    cJSON_free(text);
    return status;
}

/* strtod() and printf(), and cJSON by them, take the decimal point of the thread's locale, which in
 * libempusa is the program's, and cJSON knows none of more than one octet. glibc has "C" ready: no
 * memory is needed for it. */
static enum status entry_parse_json(const char *value, size_t len, struct entry *entry,
                                    struct detail *why)
{
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t previous = uselocale(plain);
    enum status status = entry_parse_object(value, len, entry, why);
    uselocale(previous);
    freelocale(plain);
    return status;
}

size_t entry_text_len(const char *value, size_t len)
{
    while (len > 0 && (value[len - 1] == '\n' || value[len - 1] == '\r'))
        len--;
    return len;
}

enum status entry_parse(const char *value, size_t len, struct entry *out, struct detail *why)
{
    /* RFC 2782 has 0 for those who need no weights, but to HAProxy a weight of 0 is a server that
     * gets no clients: that is how an instance that is draining is published. */
    struct entry entry = {.weight = 1};
    enum status status;
    if (len > ENTRY_VALUE_MAX)
        return detail_set(why, STATUS_BAD_INPUT, "longer than %d octets", ENTRY_VALUE_MAX);
    len = entry_text_len(value, len);
    entry.location_text = (struct entry_string){value, len};
    /* No host begins with a '{', so the two forms cannot be confused. */
    if (len > 0 && value[0] == '{')
        status = entry_parse_json(value, len, &entry, why);
    else
        status = address_parse(value, len, &entry.location, why);
    if (status == STATUS_OK)
        *out = entry;
    else
        entry_clear(&entry);
    return status;
}

void entry_clear(struct entry *entry)
{
    cJSON_free(entry->owned);
    entry->owned = NULL;
    entry->txt = entry->subtypes = NULL;
    entry->txt_count = entry->subtype_count = 0;
}
