#include "lease_id.h"

#include "registry/base/random.h"

/* 8, 8 and 47 bits: the sign bit of the int64_t that an ID is to etcd stays 0. */
#define LEASE_ID_TAG         0x45
#define LEASE_ID_TAG_SHIFT   55
#define LEASE_ID_TTL_SHIFT   47
#define LEASE_ID_RANDOM_MASK ((UINT64_C(1) << LEASE_ID_TTL_SHIFT) - 1)

/* All but the random bits. */
static uint64_t lease_id_stem(uint64_t ttl_s)
{
    uint64_t ttl_bits = ttl_s < LEASE_ID_TTL_MAX_S ? ttl_s : LEASE_ID_TTL_MAX_S;
    return (uint64_t)LEASE_ID_TAG << LEASE_ID_TAG_SHIFT | ttl_bits << LEASE_ID_TTL_SHIFT;
}

enum status lease_id_new(uint64_t ttl_s, int64_t *out)
{
    uint64_t bits;
    enum status status = random_fill(&bits, sizeof(bits));
    if (status != STATUS_OK)
        return status;
    bits &= LEASE_ID_RANDOM_MASK;
    *out = (int64_t)(lease_id_stem(ttl_s) | (bits ? bits : 1)); /* 0: lease_id_of_held() */
    return STATUS_OK;
}

int64_t lease_id_of_held(uint32_t ttl_s)
{
    return (int64_t)lease_id_stem(ttl_s);
}

bool lease_id_is_held(int64_t id)
{
    uint64_t bits = (uint64_t)id;
    return bits >> LEASE_ID_TAG_SHIFT == LEASE_ID_TAG && (bits >> LEASE_ID_TTL_SHIFT & 0xff) != 0 &&
           (bits & LEASE_ID_RANDOM_MASK) == 0;
}

uint32_t lease_id_ttl_s(int64_t id)
{
    uint64_t bits = (uint64_t)id;
    if (id == 0)
        return 0;
    /* An ID that others chose may have our tag by chance; with a TTL of 0 it is surely theirs. */
    uint32_t ttl_s = bits >> LEASE_ID_TTL_SHIFT & 0xff;
    return bits >> LEASE_ID_TAG_SHIFT == LEASE_ID_TAG && ttl_s ? ttl_s : LEASE_ID_TTL_ASSUMED_S;
}

bool lease_id_is_for(int64_t id, uint64_t ttl_s)
{
    return ((uint64_t)id & ~LEASE_ID_RANDOM_MASK) == lease_id_stem(ttl_s);
}
