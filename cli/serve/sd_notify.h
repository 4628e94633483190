/* cli/serve/sd_notify.h - tell the service manager (sd_notify(3)) through the socket in
 * $NOTIFY_SOCKET. */
#ifndef CLI_SERVE_SD_NOTIFY_H
#define CLI_SERVE_SD_NOTIFY_H

#include <stdbool.h>
#include <uv.h>

/* "READY=1". Never waits. False: there was no room for it now; nobody who listens is no error. */
bool sd_notify_send(const char *state);

/* "READY=1", again and again on this timer, which is initialised, until there was room for it. */
void sd_notify_ready(uv_timer_t *timer);

#endif
