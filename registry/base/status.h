/* registry/base/status.h - what a function that can fail says.
 *
 * Every function of the project that can fail returns MUST_USE enum status and
 * changes its out-parameters only on STATUS_OK. The sentence for a person is
 * in a fixed-size struct detail that the caller owns and callers further out
 * prefix, so failing needs no memory.
 *
 * As everything includes it, it brings bool, size_t, va_list and the integers
 * of fixed width, too.
 *
 * Threads: pure functions on the caller's memory. */
#ifndef REGISTRY_BASE_STATUS_H
#define REGISTRY_BASE_STATUS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_USE               __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* X(name, sentence, exit status of a command that ends with it) */
#define STATUS_LIST(X)                                                                             \
    X(OK, "done", 0)                                                                               \
    X(BAD_INPUT, "an argument is wrong", 2)                                                        \
    X(BAD_REPLY, "the reply makes no sense", 1)                                                    \
    X(NOT_FOUND, "there is no such thing", 1)                                                      \
    X(CONFLICT, "another process was faster", 1)                                                   \
    X(DENIED, "access denied", 1)                                                                  \
    X(UNREACHABLE, "no endpoint can be reached", 1)                                                \
    X(NOT_PLAIN, "nothing answers without TLS", 1)                                                 \
    X(NOT_TLS, "nothing answers over TLS", 1)                                                      \
    X(UNTRUSTED, "nobody who is trusted vouches for the server's certificate", 1)                  \
    X(OUT_OF_DATE, "the server's certificate is not valid now", 1)                                 \
    X(OTHER_NAME, "the server's certificate is for another name", 1)                               \
    X(CLIENT_CERT, "the server takes a client certificate only, or another one", 1)                \
    X(TIMED_OUT, "no answer in time", 1)                                                           \
    X(UNRESOLVED, "a name cannot be looked up", 1)                                                 \
    X(NO_GATEWAY, "etcd answers, but its JSON gateway is off", 1)                                  \
    X(COMPACTED, "the revision asked for has been compacted", 1)                                   \
    X(NO_SPACE, "the database is full", 1)                                                         \
    X(TOO_LARGE, "too large", 1)                                                                   \
    X(TOO_MANY, "too many operations for one transaction", 1)                                      \
    X(REFUSED, "etcd refused the request", 1)                                                      \
    X(NO_MEMORY, "out of memory", 1)                                                               \
    X(SYSTEM, "a system call failed", 1)                                                           \
    X(CANCELLED, "cancelled", 1)

enum status {
#define STATUS_ENUM(name, sentence, exit_status) STATUS_##name,
    STATUS_LIST(STATUS_ENUM)
#undef STATUS_ENUM
        STATUS_COUNT
};

/* The sentence of a status ("access denied"); never NULL. */
const char *status_text(enum status status);

/* Whether TLS, or its absence, is what keeps an endpoint from answering: NOT_PLAIN..CLIENT_CERT. It
 * says more than that another endpoint is away. */
bool status_is_tls(enum status status);

/* The exit status of a command that ended with it: 0, 1 or 2. */
int status_exit(enum status status);

/* Why something failed, for a person, wrapped outward by each caller:
 * "range: http://10.0.0.7:2379: connection refused". What is too long loses its
 * middle (utf8_format()), so that a quoted text never pushes the reason out. */
struct detail {
    char text[512];
};

/* Why an input of several fields was refused, for a caller that says by itself which field, under
 * the name that it has for whoever filled it in. */
struct fault {
    int field;         /* an enum of the header of whoever refuses */
    const char *value; /* at fault; borrowed from the input. NULL: it is in no single value */
    struct detail why; /* what is wrong; it names neither */
};

/* Set the text. `detail` may be NULL (nobody wants to know).
 * Returns `status`, so that `return detail_set(why, STATUS_X, ...)` reads well. */
enum status detail_set(struct detail *detail, enum status status, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Put "<formatted>: " before the text. Returns `status`. */
enum status detail_wrap(struct detail *detail, enum status status, const char *format, ...)
    PRINTF_LIKE(3, 4);

#endif
