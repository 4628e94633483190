/* tests/support/guard_world.h - a guard between an etcd and an owner, both in the hand of a test.
 *
 * Instances are numbers of a type. What is done to etcd is reported to the guard as follow reports it, and what the
 * guard reports is what the owner shows. A test includes fake_etcd.h, too: its clock and its leases are used. */
#ifndef SUPPORT_GUARD_WORLD_H
#define SUPPORT_GUARD_WORLD_H

#include "registry/feed/guard.h"
#include "support/fake_etcd.h"

#define WORLD_TYPES     3
#define WORLD_INSTANCES 6000
#define WORLD_TTL_S     30
#define WORLD_SHARED    1000 /* instances to a lease, when they share */

struct guard_world {
    struct guard *guard;
    bool is_sharing;
    uint32_t ttl_s; /* of leases that are granted; WORLD_TTL_S at first */
    struct {
        bool is_there;
        int64_t lease, revision;
    } instances[WORLD_TYPES][WORLD_INSTANCES];    /* in etcd */
    int64_t leases[WORLD_TYPES][WORLD_INSTANCES]; /* the last one of each, or of each that shares */
    int64_t revision;
    struct {
        bool is_there, is_marked;
        int64_t lease;
    } shown[WORLD_TYPES][WORLD_INSTANCES]; /* by the owner, uncommitted changes, too */
    unsigned shown_count, others;          /* and keys that are no instances of these */
    unsigned puts, removes, commits;       /* that reached the owner */
    int64_t committed;
    bool is_loading;
    char log[4096]; /* lines, all of them */
};

extern struct guard_world guard_world;

/* A guard and nothing else. share 0: none; what is reported goes to the owner directly. */
void guard_world_open(unsigned share, uint64_t hold_ms);
void guard_world_close(void);
/* For cmocka, before and after each test: with the usual share and hold. */
#define GUARD_WORLD_SHARE   80
#define GUARD_WORLD_HOLD_MS 60000
int guard_world_setup(void **state);
int guard_world_teardown(void **state);
#define GUARD_WORLD_TEST(name)                                                                     \
    cmocka_unit_test_setup_teardown(name, guard_world_setup, guard_world_teardown)
/* The same, and the guard's status is the test's matter. */
enum status guard_world_try_open(unsigned share, uint64_t hold_ms);

/* A group of changes to instances first..first+count-1 of a type, and its commit. Registered: under a lease of their
 * own each, or shared; register_bare: without. Expired: their leases are gone, too. */
void guard_world_register(unsigned type, unsigned first, unsigned count);
void guard_world_register_bare(unsigned type, unsigned first, unsigned count);
void guard_world_expire(unsigned type, unsigned first, unsigned count);
void guard_world_delete(unsigned type, unsigned first, unsigned count);

/* The same, without follow noticing: its watch is lost. */
void guard_world_miss(unsigned type, unsigned first, unsigned count, bool is_expired);

/* A load of all that etcd has. Broken off: only its beginning, half of what there is. */
void guard_world_load(void);
void guard_world_load_broken_off(void);
/* And a slice of it is committed in between, with time passing. */
void guard_world_load_for(uint64_t ms);

void guard_world_set_contact(bool is_live);

/* What the owner shows of a type; under a lease of 10 s or less. */
unsigned guard_world_shown(unsigned type);
unsigned guard_world_shown_short(unsigned type);
bool guard_world_is_shown(unsigned type, unsigned instance);
struct guard_counts guard_world_counts(void);
unsigned guard_world_asked(void); /* leases */

/* What happens to instances of type 0, and then what is shown of it, and held of that. */
enum guard_world_act {
    END,
    REGISTER,
    BARE,
    EXPIRE,
    DELETE,
    MISS,         /* expire, and nothing is reported */
    MISS_DELETED, /* the same */
    LOAD,
    OUTAGE,
    CONTACT,
    MUTE, /* count 1: no request is answered; 0: the next ones are */
    SHOWN,
    HELD
};

struct guard_world_row {
    uint64_t at_ms; /* from the beginning */
    enum guard_world_act act;
    unsigned first, count;
};

/* The rows up to END. What rows at 0 register is in the first load. */
void guard_world_play(const struct guard_world_row *rows);

#endif
