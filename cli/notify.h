/* cli/notify.h - tell the service manager (sd_notify(3)) through the socket in $NOTIFY_SOCKET. */
#ifndef CLI_NOTIFY_H
#define CLI_NOTIFY_H

/* "READY=1". Nobody who listens is no error. */
void notify_send(const char *state);

#endif
