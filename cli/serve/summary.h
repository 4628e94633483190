/* cli/serve/summary.h - what a server holds and has done, in one line of the log.
 *
 * Threads: the control thread. */
#ifndef CLI_SERVE_SUMMARY_H
#define CLI_SERVE_SUMMARY_H

#include "dns/answer/answer_types.h"
#include "registry/base/log.h"

struct server;
struct zone;

void summary_log(const struct log *log, const struct zone *zone, const struct server *server,
                 enum answer_state state);

#endif
