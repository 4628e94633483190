#include "state_store.h"

#include "registry/state/state_head.h"
#include "registry/state/state_rows.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

static void must(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "state_store: %s\n", what);
    abort();
}

void state_store_begin(struct state_store *store)
{
    memset(store, 0, sizeof(*store));
    log_lines_init(&store->lines);
    /* In memory, where that is to be had: nothing waits for a disk. */
    snprintf(store->dir, sizeof(store->dir), "%s/empusa-state-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    must(mkdtemp(store->dir) != NULL, "mkdtemp");
    snprintf(store->path, sizeof(store->path), "%s/registry.db", store->dir);
}

void state_store_empty(struct state_store *store)
{
    DIR *dir = opendir(store->dir);
    must(dir != NULL, "opendir");
    for (const struct dirent *entry; (entry = readdir(dir));)
        if (entry->d_name[0] != '.')
            must(unlinkat(dirfd(dir), entry->d_name, 0) == 0, "unlink");
    closedir(dir);
}

void state_store_end(struct state_store *store)
{
    state_store_empty(store);
    must(rmdir(store->dir) == 0, "rmdir");
}

const struct kv *state_store_kv(unsigned number, uint32_t version)
{
    static char key[64], value[4096];
    static struct kv kv;
    /* Some empty, some of a page and more. */
    size_t len = version % 7 == 0 ? 0 : version % 31 == 0 ? 3000 : version % 90;
    memset(value, 'a' + (int)(version % 26), sizeof(value));
    kv = (struct kv){.key = key, .value = value, .value_len = len, .mod_revision = version};
    kv.lease = version % 3 == 0 ? 0 : (int64_t)(version * UINT64_C(0x9e3779b97f4a7c15));
    kv.key_len = (size_t)snprintf(key, sizeof(key), STATE_STORE_ROOT "service/web/%05u", number);
    return &kv;
}

struct state_mark state_store_mark(int64_t revision)
{
    return (struct state_mark){.revision = revision,
                               .cluster_id = UINT64_C(0xfedcba9876543210),
                               .serial = (uint32_t)revision + 7,
                               .contact_s = 1700000000 + revision};
}

static bool state_store_take(void *arg, const struct kv *kv)
{
    struct state_store *store = arg;
    unsigned number = STATE_STORE_KEYS;
    size_t at = strlen(STATE_STORE_ROOT "service/web/");
    if (kv->key_len == at + 5)
        number = (unsigned)strtoul(kv->key + at, NULL, 10);
    if (number >= STATE_STORE_KEYS || kv->mod_revision <= 0) {
        store->is_odd = true;
        return true;
    }
    const struct kv *right = state_store_kv(number, (uint32_t)kv->mod_revision);
    if (memcmp(kv->key, right->key, at) != 0 || kv->lease != right->lease ||
        kv->value_len != right->value_len || memcmp(kv->value, right->value, kv->value_len) != 0)
        store->is_odd = true;
    store->found.keys[number] = (uint32_t)kv->mod_revision;
    return true;
}

enum status state_store_open(struct state_store *store, struct state_copy **out, struct detail *why)
{
    return state_copy_open(store->dir, STATE_STORE_ROOT, strlen(STATE_STORE_ROOT),
                           &store->lines.log, out, why);
}

enum status state_store_load(struct state_store *store, struct state_copy *copy)
{
    store->found = (struct state_model){.mark = {0}};
    return state_copy_load(copy, state_store_take, store, &store->found.mark);
}

enum status state_store_read(struct state_store *store)
{
    struct detail why;
    struct state_copy *copy = NULL;
    enum status status = state_store_open(store, &copy, &why);
    if (status == STATUS_OK)
        status = state_store_load(store, copy);
    state_copy_close(copy);
    return status;
}

static void state_store_write_as(struct state_store *store, const char *text,
                                 const struct state_model *model, bool keep_log)
{
    struct state_db *db = NULL;
    struct state_root root = {text, strlen(text)};
    struct detail why = {""};
    struct state_mark before;
    must(state_db_open(store->path, false, &db, &why) == STATUS_OK, why.text);
    enum status found = state_head_read(db, &root, &before, &why); /* what its rows add up to */
    must(found == STATUS_OK || found == STATUS_NOT_FOUND, why.text);
    must(state_head_prepare(db, &why) == STATUS_OK, why.text);
    must(state_db_begin(db, &why) == STATUS_OK, why.text);
    for (unsigned i = 0; i < STATE_STORE_KEYS; i++) {
        const struct kv *kv = state_store_kv(i, model->keys[i]);
        enum status status = model->keys[i] > 0 ? state_rows_put(db, kv, &why)
                                                : state_rows_remove(db, kv->key, kv->key_len, &why);
        must(status == STATUS_OK, why.text);
    }
    must(state_head_commit(db, &root, &model->mark, &why) == STATUS_OK, why.text);
    state_db_close(db, keep_log);
}

void state_store_write(struct state_store *store, const struct state_model *model, bool keep_log)
{
    state_store_write_as(store, STATE_STORE_ROOT, model, keep_log);
}

void state_store_write_root(struct state_store *store, const char *root,
                            const struct state_model *model)
{
    state_store_write_as(store, root, model, false);
}

bool state_model_is(const struct state_model *a, const struct state_model *b)
{
    return memcmp(a->keys, b->keys, sizeof(a->keys)) == 0 && a->mark.revision == b->mark.revision &&
           a->mark.cluster_id == b->mark.cluster_id && a->mark.serial == b->mark.serial &&
           a->mark.contact_s == b->mark.contact_s;
}

char *state_store_slurp(const char *path, size_t *len)
{
    FILE *file = fopen(path, "re");
    must(file != NULL, path);
    fseek(file, 0, SEEK_END);
    *len = (size_t)ftell(file);
    rewind(file);
    char *octets = malloc(*len + 1);
    must(octets && fread(octets, 1, *len, file) == *len, path);
    fclose(file);
    return octets;
}

void state_store_spill(const char *path, const char *octets, size_t len)
{
    FILE *file = fopen(path, "we");
    must(file != NULL, path);
    must(fwrite(octets, 1, len, file) == len, path);
    must(fclose(file) == 0, path);
}
