#include "rdata.h"

#include "zones/name/txt.h"

static_assert(RDATA_MEMBER_TXT_MAX >= TXT_MEMBER_SIZE_MAX, "room for any instance");

/* "<key>=<value>", cut at 255 octets. */
static uint8_t *rdata_put_pair(uint8_t *at, const char *key, size_t key_len, const uint8_t *value,
                               size_t value_len)
{
    if (key_len + value_len > 255)
        value_len = 255 - key_len;
    *at++ = (uint8_t)(key_len + value_len);
    memcpy(at, key, key_len);
    memcpy(at + key_len, value, value_len);
    return at + key_len + value_len;
}

size_t rdata_member_txt(const struct instance *instance, uint8_t *out)
{
    size_t name_len;
    const uint8_t *name = instance_registry_name(instance, &name_len);
    const uint8_t *txt = instance_txt(instance);
    size_t before = instance->type_len ? instance->type_at : instance->txt_len;
    size_t after = (size_t)instance->txt_len - before - instance->type_len;
    uint8_t *at = rdata_put_pair(out, "name=", 5, name, name_len);
    at = rdata_put_pair(at, "location=", 9, instance_location(instance), instance->location_len);
    memcpy(at, txt, before);
    memcpy(at + before, txt + before + instance->type_len, after);
    return (size_t)(at - out) + before + after;
}
