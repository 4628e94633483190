/* cli/process/harden.h - what this process may do, reduced to what it needs, and its secrets kept
 * to itself.
 *
 * Threads: before others are started. */
#ifndef CLI_PROCESS_HARDEN_H
#define CLI_PROCESS_HARDEN_H

#include "registry/base/log.h"

/* At the very start: SSLKEYLOGFILE would make libcurl write the keys of all sessions to a file. */
void harden_environment(void);

/* Before a secret is read: no core file shall hold it. */
void harden_secrets(void);

/* A file that may not grow any more (RLIMIT_FSIZE) fails to be written, and does not end the
 * process. */
void harden_writes(void);

/* Whatever this process executes gains no rights by it. */
void harden_execution(void);

/* No capability can be gained any more: while we still may, as root, before it is given up. */
void harden_bounding_set(void);
/* No capability is left. SYSTEM. */
MUST_USE enum status harden_capabilities(struct detail *why);

/* WARNING where others may read or change a file with a secret. `option` is without its dashes. */
void harden_warn(const struct log *log, const char *option, const char *path);

#endif
