#include "service_options.h"

#include <string.h>

/* The fault of a field as that of its option. */
static enum status service_options_fault(const struct options *options, enum status status,
                                         const struct fault *fault, struct detail *why)
{
    static const enum option_id ids[] = {
        [REGISTRATION_TYPE] = OPTION_SERVICE_TYPE,
        [REGISTRATION_NAME] = OPTION_SERVICE_NAME,
        [REGISTRATION_LOCATION] = OPTION_SERVICE_LOCATION,
        [REGISTRATION_TXT] = OPTION_SERVICE_TXT,
        [REGISTRATION_SUBTYPE] = OPTION_SERVICE_SUBTYPE,
    };
    /* The registry says which field; only here it has the name of an option. */
    *why = fault->why;
    if (status == STATUS_OK || status == STATUS_NO_MEMORY)
        return status;
    if (fault->field == REGISTRATION_ENTRY)
        return detail_wrap(why, status, "the entry");
    return options_fault(options, ids[fault->field], fault->value, why);
}

enum status service_options_key(const struct options *options, const struct key_root *root,
                                struct kv_key *out, struct detail *why)
{
    struct fault fault = {0};
    enum status status = registration_key(root, options_text(options, OPTION_SERVICE_TYPE),
                                          options_text(options, OPTION_SERVICE_NAME), out, &fault);
    return service_options_fault(options, status, &fault, why);
}

static enum entry_protocol service_options_read_protocol(const struct options *options)
{
    const char *protocol = options_text(options, OPTION_SERVICE_PROTOCOL);
    if (!protocol)
        return ENTRY_PROTOCOL_NONE;
    return strcmp(protocol, "udp") == 0 ? ENTRY_PROTOCOL_UDP : ENTRY_PROTOCOL_TCP;
}

enum status service_options_read(const struct options *options, const struct key_root *root,
                                 struct registration *out, struct detail *why)
{
    uint64_t ttl_s = options_number(options, OPTION_SERVICE_TTL);
    const struct registration_fields fields = {
        .type = options_text(options, OPTION_SERVICE_TYPE),
        .name = options_text(options, OPTION_SERVICE_NAME),
        .location = options_text(options, OPTION_SERVICE_LOCATION),
        .txt = (const char *const *)options->values[OPTION_SERVICE_TXT].texts,
        .txt_count = options_count(options, OPTION_SERVICE_TXT),
        .subtypes = (const char *const *)options->values[OPTION_SERVICE_SUBTYPE].texts,
        .subtype_count = options_count(options, OPTION_SERVICE_SUBTYPE),
        .protocol = service_options_read_protocol(options),
        .has_priority = options_has(options, OPTION_SERVICE_PRIORITY),
        .has_weight = options_has(options, OPTION_SERVICE_WEIGHT),
        .priority = (uint16_t)options_number(options, OPTION_SERVICE_PRIORITY),
        .weight = (uint16_t)options_number(options, OPTION_SERVICE_WEIGHT),
    };
    struct fault fault = {0};
    /* Checked where both have names: to the keeper it is a lease that ends between two beats. */
    if (ttl_s > 0 && options_number(options, OPTION_SERVICE_REFRESH) >= ttl_s)
        return detail_set(why, STATUS_BAD_INPUT,
                          "--refresh-every \"%s\": not shorter than --ttl \"%s\"",
                          options_text(options, OPTION_SERVICE_REFRESH),
                          options_text(options, OPTION_SERVICE_TTL));
    return service_options_fault(options, registration_build(root, &fields, out, &fault), &fault,
                                 why);
}
