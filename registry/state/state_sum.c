#include "state_sum.h"

#include "registry/base/siphash.h"

#include <endian.h>
#include <string.h>

/* SipHash of what follows, its key being the sums of what went before: so the parts need not be
 * copied together, and an octet that moves from the key to the value changes the sum, too. */
static uint64_t state_sum_next(uint64_t first, uint64_t second, const void *octets, size_t len)
{
    uint64_t key[2] = {htole64(first), htole64(second)}, sum;
    siphash((const uint8_t *)key, octets, len, (uint8_t *)&sum);
    return le64toh(sum);
}

uint64_t state_sum(const void *octets, size_t len)
{
    return state_sum_next(0, 0, octets, len);
}

uint64_t state_sum_kv(const struct kv *kv)
{
    uint64_t numbers[2] = {htole64((uint64_t)kv->lease), htole64((uint64_t)kv->mod_revision)};
    uint64_t key = state_sum(kv->key, kv->key_len);
    uint64_t value = state_sum_next(key, 0, kv->value, kv->value_len);
    return state_sum_next(key, value, numbers, sizeof(numbers));
}
