/* tests/support/fake_answer.h - stands in for dns/wire/query.h and dns/answer/answer.h where
 * sockets are tested.
 *
 * A reply is the header and the question followed by env.nsid. A type of 1000 and more asks for a
 * reply of so many octets, AXFR over TCP is a transfer, a name that begins with "cookie" proves
 * itself, and one that begins with "looks" takes a millisecond to look at many instances. A test
 * that includes it is linked with it: see tests/CMakeLists.txt. */
#ifndef SUPPORT_FAKE_ANSWER_H
#define SUPPORT_FAKE_ANSWER_H

#include "dns/answer/answer.h"
#include "dns/answer/message.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FAKE_LOOKS      8192
#define FAKE_SIZED_TYPE 1000
#define FAKE_AXFR       252

/* Calls of answer_prepare(), and questions that answer_fetch() was given; atomic, to be set to 0 by the test. */
extern unsigned fake_prepared, fake_fetched;

#endif
