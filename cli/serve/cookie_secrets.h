/* cli/serve/cookie_secrets.h - the secrets of DNS cookies (RFC 9018): one or two lines of 32
 * hexadecimal digits.
 *
 * The first makes cookies, both are taken: so that a secret can be exchanged on one server after
 * another.
 *
 * Threads: pure but for the file. */
#ifndef CLI_SERVE_COOKIE_SECRETS_H
#define CLI_SERVE_COOKIE_SECRETS_H

#include "cli/args/option.h"

#include "dns/answer/answer.h"

/* From the file of --cookie-secret-file; without that option random ones, once: later they stay. On
 * failure those in *env stay. BAD_INPUT, SYSTEM: *why names option, file and reason. */
MUST_USE enum status cookie_secrets_load(const struct options *options, struct answer_env *env,
                                         struct detail *why);

#endif
