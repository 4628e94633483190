/* tests/support/state_store.h - a copy on disk in a directory of the test's own, and what it has to hold. */
#ifndef SUPPORT_STATE_STORE_H
#define SUPPORT_STATE_STORE_H

#include "log_lines.h"
#include "registry/state/state_copy.h"

#define STATE_STORE_ROOT "/test/"
#define STATE_STORE_KEYS 2000 /* at most */

/* Keys by their number: what their value, lease and revision follow from; 0: the key is not there. */
struct state_model {
    uint32_t keys[STATE_STORE_KEYS];
    struct state_mark mark;
};

struct state_store {
    char dir[64], path[96]; /* the directory, and the file in it */
    struct log_lines lines;
    struct state_model found; /* by state_store_load() */
    bool is_odd;              /* and it was given something that no model holds */
};

/* Makes the directory, mode 0700; removes it and all that is in it. Abort where they cannot. */
void state_store_begin(struct state_store *store);
void state_store_end(struct state_store *store);
/* The file and its log are gone. */
void state_store_empty(struct state_store *store);

/* The key of a number, with the value and the rest that follow from `version`. Valid until the next call. */
const struct kv *state_store_kv(unsigned number, uint32_t version);

/* With a revision that no other one has; `found` means what it is. */
struct state_mark state_store_mark(int64_t revision);

/* Open, and load into `found`. The copy is still open with OK. */
enum status state_store_open(struct state_store *store, struct state_copy **out,
                             struct detail *why);
enum status state_store_load(struct state_store *store, struct state_copy *copy);
/* Both, and close it. NOT_FOUND: there was nothing. */
enum status state_store_read(struct state_store *store);

/* Make the copy that there is, or a new one, that of a model, as one state, and close the file. keep_log: what is
 * changed stays in the log. Aborts on failure. */
void state_store_write(struct state_store *store, const struct state_model *model, bool keep_log);
/* The same below another root; the keys of the model stay where they are. */
void state_store_write_root(struct state_store *store, const char *root,
                            const struct state_model *model);

bool state_model_is(const struct state_model *a, const struct state_model *b);

/* The file as octets, for free(); and put back. */
char *state_store_slurp(const char *path, size_t *len);
void state_store_spill(const char *path, const char *octets, size_t len);

#endif
