/* dns/answer/tsig.h - what is said to queries signed with a key that we do not have: RFC
 * 8945 5.2.1.
 *
 * We have no keys. The reply is NOTAUTH with a TSIG record that is not signed and says BADKEY; a
 * TSIG record that cannot be read earns FORMERR.
 *
 * Threads: pure. */
#ifndef DNS_ANSWER_TSIG_H
#define DNS_ANSWER_TSIG_H

#include "answer_types.h"
#include "dns/wire/query.h"

/* Write the reply to a query with query->tsig, as answer() would. Truncated without the TSIG record
 * where that does not fit. */
void tsig_answer(const struct answer_env *env, const struct query *query, uint8_t *out, size_t size,
                 struct answer_result *result);

#endif
