/* tests/support/verify.h - whether a reply is what the oracle, and the rules for any reply, want.
 *
 * Used by the tests of whole answers and by the fuzzer: each calls what a worker calls and hands
 * the octets here. A fault comes back as a sentence. */
#ifndef SUPPORT_VERIFY_H
#define SUPPORT_VERIFY_H

#include "dns/answer/answer.h"
#include "oracle.h"
#include "reader.h"

struct verify {
    const struct oracle *oracle;
    const struct answer_env *env;
    enum query_transport transport;
    const uint8_t *query;
    size_t query_len;
    const uint8_t *reply;
    const struct answer_result *result;
    struct reader *reader;

    /* Of the query, when it is a plain one: one question and at most one good OPT record. */
    struct reader_name name, absolute;
    uint16_t type, rr_class;
    bool has_opt, is_short;
    uint16_t opt_size, opt_flags;
};

/* Check a reply of result->len octets. NULL, or what is wrong with it: a constant. The caller
 * fills the fields of *verify down to `reader`. */
const char *verify_reply(struct verify *verify);

#endif
