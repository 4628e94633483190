/* An entry becomes one block with a NUL behind each text: it outlives the reply that it was read
 * from, may go to another thread, and is released by one free() wherever it ends. */
#include "empusa_entry.h"

#include "entry.h"

#include <stdlib.h>

/* Where the next text goes. */
struct empusa_entry_writer {
    char *at;
};

static const char *empusa_entry_put(struct empusa_entry_writer *writer, const char *text,
                                    size_t len)
{
    char *put = writer->at;
    memcpy(put, text, len);
    put[len] = '\0';
    writer->at += len + 1;
    return put;
}

static void empusa_entry_put_list(struct empusa_entry_writer *writer, struct empusa_text *out,
                                  const struct entry_string *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        out[i].text = empusa_entry_put(writer, list[i].text, list[i].len);
        out[i].len = list[i].len;
    }
}

static size_t empusa_entry_list_size(const struct entry_string *list, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += sizeof(struct empusa_text) + list[i].len + 1;
    return size;
}

static const enum empusa_protocol protocols[] = {
    [ENTRY_PROTOCOL_NONE] = EMPUSA_PROTOCOL_NONE,
    [ENTRY_PROTOCOL_TCP] = EMPUSA_PROTOCOL_TCP,
    [ENTRY_PROTOCOL_UDP] = EMPUSA_PROTOCOL_UDP,
};

static enum status empusa_entry_copy(const struct key_parts *key, const struct entry *entry,
                                     int64_t revision, struct empusa_entry_copy **out)
{
    /* 4 are the NULs behind type, name, location and host; those of the lists are in their
     * sizes. */
    size_t size = sizeof(**out) + empusa_entry_list_size(entry->txt, entry->txt_count) +
                  empusa_entry_list_size(entry->subtypes, entry->subtype_count) + key->type_len +
                  key->name_len + entry->location_text.len + entry->location.host_len + 4;
    struct empusa_entry_copy *copy = malloc(size);
    if (!copy)
        return STATUS_NO_MEMORY;
    /* The arrays first, as they are aligned behind the struct; the texts need no alignment. */
    struct empusa_text *txt = (struct empusa_text *)(copy + 1), *subtypes = txt + entry->txt_count;
    struct empusa_entry_writer writer = {(char *)(subtypes + entry->subtype_count)};
    empusa_entry_put_list(&writer, txt, entry->txt, entry->txt_count);
    empusa_entry_put_list(&writer, subtypes, entry->subtypes, entry->subtype_count);
    copy->next = NULL;
    copy->entry = (struct empusa_entry){
        .type = empusa_entry_put(&writer, key->type, key->type_len),
        .name = empusa_entry_put(&writer, key->name, key->name_len),
        .location = empusa_entry_put(&writer, entry->location_text.text, entry->location_text.len),
        .host = empusa_entry_put(&writer, entry->location.host, entry->location.host_len),
        .port = entry->location.port,
        .priority = entry->priority,
        .weight = entry->weight,
        .protocol = protocols[entry->protocol],
        .is_draining = entry->is_draining,
        .txt = entry->txt_count > 0 ? txt : NULL,
        .subtypes = entry->subtype_count > 0 ? subtypes : NULL,
        .txt_count = entry->txt_count,
        .subtype_count = entry->subtype_count,
        .revision = revision,
    };
    *out = copy;
    return STATUS_OK;
}

/* A key with a NUL in it is refused: as a string it would pass for another one. */
static bool empusa_entry_split(const struct key_root *root, const char *key, size_t key_len,
                               struct key_parts *out)
{
    if (key_len < root->len)
        return false;
    key_split(key + root->len, key_len - root->len, out);
    return out->kind != KEY_KIND_OTHER && !memchr(key, '\0', key_len);
}

bool empusa_entry_name(const struct key_root *root, const char *key, size_t key_len,
                       char out[KV_KEY_MAX + 2], const char **type, const char **name)
{
    struct key_parts parts;
    if (key_len > KV_KEY_MAX || !empusa_entry_split(root, key, key_len, &parts))
        return false;
    struct empusa_entry_writer writer = {out};
    bool has_type = parts.kind == KEY_KIND_SERVICE;
    *type = empusa_entry_put(&writer, has_type ? parts.type : "", has_type ? parts.type_len : 0);
    *name = empusa_entry_put(&writer, parts.name, parts.name_len);
    return true;
}

enum status empusa_entry_read(const struct key_root *root, const struct kv *kv,
                              struct empusa_entry_copy **out)
{
    struct key_parts key;
    struct entry entry;
    /* What was cut has lost its end, and may look like a whole entry all the same. */
    if (kv->is_key_cut || kv->is_value_cut ||
        !empusa_entry_split(root, kv->key, kv->key_len, &key) || key.kind != KEY_KIND_SERVICE)
        return STATUS_NOT_FOUND;
    enum status status = entry_parse(kv->value, kv->value_len, &entry, NULL);
    if (status != STATUS_OK)
        return status == STATUS_BAD_INPUT ? STATUS_NOT_FOUND : status;
    status = empusa_entry_copy(&key, &entry, kv->mod_revision, out);
    entry_clear(&entry);
    return status;
}
