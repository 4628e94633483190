#include "text.h"

#include "zones/name/name.h"
#include "zones/name/rr.h"

#include <ldns/ldns.h>
#include <stdlib.h>

#define FIXED_LEN 11 /* the root as owner, type, class, TTL, length */

/* Made once for all lines: a record may have 64 KiB, and a zone millions of records. `wire` is what
 * ldns reads, `line` what it writes. */
struct text {
    ldns_buffer *line;
    uint8_t wire[FIXED_LEN + UINT16_MAX];
    char name[NAME_TEXT_MAX];
};

enum status text_new(struct text **out)
{
    struct text *text = malloc(sizeof(*text));
    if (!text)
        return STATUS_NO_MEMORY;
    text->line = ldns_buffer_new(LDNS_MAX_LINELEN);
    if (!text->line) {
        free(text);
        return STATUS_NO_MEMORY;
    }
    *out = text;
    return STATUS_OK;
}

void text_free(struct text *text)
{
    if (!text)
        return;
    ldns_buffer_free(text->line);
    free(text);
}

/* Without memory the buffer's status says so at the end of the line. */
static void text_put(struct text *text, const char *string)
{
    size_t len = strlen(string);
    if (ldns_buffer_reserve(text->line, len))
        ldns_buffer_write(text->line, string, len);
}

/* What every reader takes as it is; Knot takes nothing else. */
static bool text_is_plain(uint8_t octet)
{
    return name_is_alnum(name_fold_octet(octet)) || memchr("-_*/", octet, 4);
}

static char *text_octet_to_text(uint8_t octet, char *at)
{
    /* RFC 3597 5: a backslash and '#' alone begin unknown data. */
    if (octet <= 0x20 || octet >= 0x7f || octet == '#')
        return at + snprintf(at, 5, "\\%03u", octet);
    if (!text_is_plain(octet))
        *at++ = '\\';
    *at++ = (char)octet;
    return at;
}

static void text_put_name(struct text *text, const uint8_t *name)
{
    char *at = text->name;
    if (name[0] == 0)
        *at++ = '.';
    for (; name[0] != 0; name += 1u + name[0]) {
        for (unsigned i = 1; i <= name[0]; i++)
            at = text_octet_to_text(name[i], at);
        *at++ = '.';
    }
    *at = '\0';
    text_put(text, text->name);
}

/* ldns reads whole records: with the root as owner it does not copy the name. */
static enum status text_read_data(struct text *text, const struct dump_record *record,
                                  ldns_rr **out)
{
    size_t position = 0;
    uint8_t *at = text->wire + 1;
    text->wire[0] = 0;
    rr_put16(at, record->type);
    rr_put16(at + 2, CLASS_IN);
    rr_put32(at + 4, record->ttl_s);
    rr_put16(at + 8, record->rdata_len);
    memcpy(at + 10, record->rdata, record->rdata_len);
    ldns_status status = ldns_wire2rr(out, text->wire, FIXED_LEN + (size_t)record->rdata_len,
                                      &position, LDNS_SECTION_ANSWER);
    if (status == LDNS_STATUS_OK)
        return STATUS_OK;
    return status == LDNS_STATUS_MEM_ERR ? STATUS_NO_MEMORY : STATUS_BAD_INPUT;
}

/* False: without memory. */
static bool text_put_data(struct text *text, const ldns_rr *rr)
{
    bool is_whole = true;
    for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
        const ldns_rdf *field = ldns_rr_rdf(rr, i);
        text_put(text, i == 0 ? "\t" : " ");
        if (ldns_rdf_get_type(field) == LDNS_RDF_TYPE_DNAME)
            text_put_name(text, ldns_rdf_data(field));
        else
            is_whole &= ldns_rdf2buffer_str(text->line, field) == LDNS_STATUS_OK;
    }
    return is_whole;
}

enum status text_line(struct text *text, const struct dump_record *record, const char **out,
                      size_t *out_len)
{
    ldns_rr *rr = NULL;
    enum status status = text_read_data(text, record, &rr);
    if (status != STATUS_OK)
        return status;
    ldns_buffer_clear(text->line);
    text_put_name(text, record->owner);
    ldns_buffer_printf(text->line, "\t%u\tIN\t", record->ttl_s);
    ldns_status type_status = ldns_rr_type2buffer_str(text->line, (ldns_rr_type)record->type);
    bool is_whole = text_put_data(text, rr) && type_status == LDNS_STATUS_OK;
    text_put(text, "\n");
    ldns_rr_free(rr);
    if (!is_whole || ldns_buffer_status(text->line) != LDNS_STATUS_OK)
        return STATUS_NO_MEMORY;
    *out = (const char *)ldns_buffer_begin(text->line);
    *out_len = ldns_buffer_position(text->line);
    return STATUS_OK;
}

struct output {
    struct text *text;
    FILE *file;
    enum status status;
};

static bool text_write_line(void *arg, const struct dump_record *record)
{
    struct output *output = arg;
    const char *line;
    size_t len;
    output->status = text_line(output->text, record, &line, &len);
    if (output->status == STATUS_OK && fwrite(line, 1, len, output->file) != len)
        output->status = STATUS_SYSTEM;
    return output->status == STATUS_OK;
}

enum status text_zone(const struct zone *zone, FILE *file)
{
    struct output output = {.file = file};
    enum status status = text_new(&output.text);
    if (status != STATUS_OK)
        return status;
    status = dump_zone(zone, text_write_line, &output);
    text_free(output.text);
    /* It is text_write_line() that breaks off, and knows why. */
    return status == STATUS_CANCELLED ? output.status : status;
}
