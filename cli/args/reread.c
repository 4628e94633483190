#include "reread.h"

#include "connect.h"

#include <string.h>

#define REREAD_MS 1000

static const char *reread_path(const struct options *options, size_t i)
{
    static const enum option_id files[REREAD_FILES - 1] = {OPTION_CA_BUNDLE, OPTION_ETCD_CERT,
                                                           OPTION_ETCD_KEY};
    return i < REREAD_FILES - 1 ? options_text(options, files[i])
                                : options_secret_file(options, OPTION_ETCD_PASSWORD);
}

static bool reread_is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Whether a file is another one than was seen last, which it is from now on. One that is not there is
 * about to be replaced: the one before is still remembered. */
static bool reread_has_changed(struct reread *reread)
{
    bool has_changed = false;
    for (size_t i = 0; i < REREAD_FILES; i++) {
        const char *path = reread_path(reread->options, i);
        struct stat now;
        if (!path || stat(path, &now) != 0 || reread_is_same(&now, &reread->seen[i]))
            continue;
        reread->seen[i] = now;
        has_changed = true;
    }
    return has_changed;
}

static void reread_on_timer(uv_timer_t *timer)
{
    struct reread *reread = timer->data;
    struct detail why;
    if (!reread_has_changed(reread))
        return;
    if (connect_reload(reread->etcd, reread->options, &why) == STATUS_OK)
        log_printf(reread->log, LOG_LEVEL_INFO, "secrets and certificates have been read again");
    else
        log_printf(reread->log, LOG_LEVEL_WARNING, "secrets and certificates stay as they are: %s",
                   why.text);
}

void reread_start(struct reread *reread, uv_loop_t *loop, const struct options *options,
                  const struct log *log, struct etcd *etcd)
{
    *reread = (struct reread){.options = options, .log = log, .etcd = etcd};
    uv_timer_init(loop, &reread->timer);
    reread->timer.data = reread;
    (void)reread_has_changed(reread);
}

void reread_begin(struct reread *reread)
{
    if (!uv_is_active((uv_handle_t *)&reread->timer))
        uv_timer_start(&reread->timer, reread_on_timer, 0, REREAD_MS);
}

void reread_end(struct reread *reread)
{
    uv_timer_stop(&reread->timer);
}

void reread_stop(struct reread *reread)
{
    uv_close((uv_handle_t *)&reread->timer, NULL);
}
