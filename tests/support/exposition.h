/* tests/support/exposition.h - a strict reader of Prometheus' text format 0.0.4, as metrics_write()
 * uses it: per family a HELP line, a TYPE line and its samples; counters end in _total, gauges do
 * not; no family and no series comes twice. */
#ifndef SUPPORT_EXPOSITION_H
#define SUPPORT_EXPOSITION_H

#include <stddef.h>

/* NULL: the text is good; else where it is not. *families: how many. */
const char *exposition_fault(const char *text, size_t *families);

#endif
