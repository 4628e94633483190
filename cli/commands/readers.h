/* cli/commands/readers.h - what of a zone other name servers do not take, though it is good DNS.
 *
 * BIND refuses a whole zone, as its primary, for a host whose name is no host name (RFC 952:
 * letters, digits, hyphens), and, whatever it is to the zone, for a set of more than 100 records.
 * Both are settings of BIND, so a person is told.
 *
 * Threads: the control thread, between two commits. */
#ifndef CLI_COMMANDS_READERS_H
#define CLI_COMMANDS_READERS_H

#include "zones/zone.h"

/* One WARNING for each of the two, with how many there are and the first. */
void readers_warn(const struct zone *zone, const struct log *log);

#endif
