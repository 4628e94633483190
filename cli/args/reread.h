/* cli/args/reread.h - certificates and passwords that are renewed while a command stays.
 *
 * A keeper takes SIGHUP for its end, so nobody can tell it that the files of --ca-bundle, --etcd-cert,
 * --etcd-key and --etcd-password-file are other ones: what they held would be refused some day, and
 * its entry would go with its lease. So while etcd is away, the files are looked at, and read again
 * when one has changed since it was read. Bad ones are said once, and change nothing.
 *
 * Threads: the loop's. */
#ifndef CLI_ARGS_REREAD_H
#define CLI_ARGS_REREAD_H

#include "option.h"

#include "registry/etcd/etcd.h"

#include <sys/stat.h>

#define REREAD_FILES 4

struct reread {
    uv_timer_t timer;
    const struct options *options;
    const struct log *log;
    struct etcd *etcd;
    struct stat seen[REREAD_FILES]; /* as they were read; all zero: not there */
};

/* The files have been read just now, by connect_open() for `etcd`. All pointers must outlive it. */
void reread_start(struct reread *reread, uv_loop_t *loop, const struct options *options,
                  const struct log *log, struct etcd *etcd);

/* Etcd is away: look at the files, now and then, until it is back. May come again. */
void reread_begin(struct reread *reread);
void reread_end(struct reread *reread);

/* Its memory is needed until the loop has closed the timer. */
void reread_stop(struct reread *reread);

#endif
