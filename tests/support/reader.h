/* tests/support/reader.h - a strict reader of DNS replies: what a suspicious client would accept.
 *
 * It shares no code with dns/. Names come out whole; a message is refused for anything that RFC
 * 1035, 2181, 2782, 3597 and 6891 do not allow in a reply: compression that points anywhere but to
 * the beginning of a label that stands before, or that is used where it must not be; data that does
 * not fill its length; a record twice; two TTLs in one RRset; octets behind the end. */
#ifndef SUPPORT_READER_H
#define SUPPORT_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READER_NAME_MAX    255
#define READER_RECORDS_MAX 8192
#define READER_ARENA       (4u << 20)

enum {
    READ_A = 1,
    READ_NS = 2,
    READ_CNAME = 5,
    READ_SOA = 6,
    READ_PTR = 12,
    READ_HINFO = 13,
    READ_TXT = 16,
    READ_AAAA = 28,
    READ_SRV = 33,
    READ_OPT = 41,
    READ_TSIG = 250,
    READ_ANY = 255
};

enum { READ_ANSWER, READ_AUTHORITY, READ_ADDITIONAL };

struct reader_name {
    uint8_t
        wire[READER_NAME_MAX]; /* absolute, without compression, in the letters of the message */
    size_t len;
};

struct reader_record {
    uint16_t at; /* where its data begins in the message */
    uint16_t type, rr_class;
    uint32_t ttl_s;
    uint8_t section;
    struct reader_name owner;
    const uint8_t *data; /* names in it whole */
    size_t len;
};

/* A large object: keep it in static memory. */
struct reader {
    uint16_t id;
    uint8_t opcode, rcode; /* rcode: the header's four bits */
    bool is_response, is_authoritative, is_truncated, wants_recursion, has_recursion, has_ad,
        has_cd, has_z;
    bool has_question;
    struct reader_name question;
    uint16_t question_type, question_class;
    size_t count; /* records, without OPT and TSIG */
    struct reader_record records[READER_RECORDS_MAX];
    bool has_opt;
    uint16_t opt_size, opt_flags;
    uint8_t opt_rcode, opt_version;
    bool has_tsig;
    uint16_t tsig_error;
    const uint8_t *options; /* into the message */
    size_t options_len;

    const uint8_t *bytes;
    size_t bytes_len, at;
    size_t arena_used;
    uint8_t label_starts[0x4000]; /* where labels begin that a pointer may point to */
    struct reader_record *sorted[READER_RECORDS_MAX];
    uint8_t arena[READER_ARENA];
};

/* Two octets in the network's order. */
uint16_t reader_get16(const uint8_t *at);

/* The same, four. */
uint32_t reader_get32(const uint8_t *at);

/* ASCII letters alone (RFC 4343). */
uint8_t reader_lower(uint8_t octet);

/* Whether they are equal but for ASCII letters' case. */
bool reader_is_same(const uint8_t *a, const uint8_t *b, size_t len);

/* As memcmp(), of whole record data. Names in it are equal whatever their letters' case (RFC
 * 4034 6.2). */
int reader_compare_data(uint16_t type, const uint8_t *a, size_t a_len, const uint8_t *b,
                        size_t b_len);

/* Read a reply. NULL, or what is wrong with it. The reader borrows the message. */
const char *reader_read(struct reader *reader, const uint8_t *bytes, size_t len);

/* The parts of reader_read(), for messages that are no reply of their own, such as a transfer's:
 * the header of reader->bytes, and the question or a record at reader->at, which goes on behind
 * it. NULL, or what is wrong. */
void reader_header(struct reader *reader);
const char *reader_question(struct reader *reader);
const char *reader_record(struct reader *reader, uint8_t section);

/* The data of an option; NULL when it is not there. */
const uint8_t *reader_option(const struct reader *reader, uint16_t code, size_t *len);

#endif
