/* empusa.h - libempusa: a program registers its services by itself, and reads what is registered.
 *
 * A registry object has a thread of its own, which keeps leases, compares each entry with what it
 * should be and puts back what vanished, through outages of etcd of any length. A program that ends
 * without unregistering, or is killed, vanishes from the registry when its lease is over.
 *
 * Codes: a call returns EMPUSA_OK (0), a failure EMPUSA_E_* (above 0), or EMPUSA_PENDING (below 0):
 * it is not done yet, and is being tried until it is. So `> 0` is what has failed. What a call
 * gives through a pointer changes on OK and on PENDING only, but for empusa_open()'s.
 *
 * Strings are NUL-terminated UTF-8. What is given is borrowed for the call, unless it says
 * otherwise.
 *
 * Structs: one that a program fills in begins with its size and grows at its end; the inline
 * functions below set the size and the defaults. A program that was built with a newer header gets
 * EMPUSA_E_BAD_INPUT from an older library for what that does not know. Structs that the library
 * fills in grow at their end, too: they are read through the pointer, never copied whole.
 *
 * Threads: every function may be called from any thread at any time, but nothing may use an object
 * any more once it is being closed, unregistered or stopped. Callbacks are called from the
 * library's thread and hold up everything else there: they are to be short, and the calls that
 * block refuse there, with EMPUSA_E_IN_CALLBACK.
 *
 * The library installs no signal handler, changes no signal's disposition and blocks all signals in
 * its thread; it never writes to a standard stream, and changes no variable of the environment.
 * After fork() a child cannot use what its parent opened: calls return EMPUSA_E_FORKED, and closing
 * does nothing. It may open a registry of its own.
 *
 * Units: *_s is whole seconds, *_ms milliseconds. */
#ifndef EMPUSA_H
#define EMPUSA_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EMPUSA_API __attribute__((visibility("default")))

enum empusa_code {
    EMPUSA_PENDING = -1, /* etcd has not answered; it is tried until it is done */
    EMPUSA_OK = 0,
    EMPUSA_E_BAD_INPUT,   /* empusa_error_field() says what is wrong */
    EMPUSA_E_NOT_FOUND,   /* there is no such switch */
    EMPUSA_E_CONFLICT,    /* another process has changed the entry */
    EMPUSA_E_DENIED,      /* user, password or role do not suffice */
    EMPUSA_E_UNREACHABLE, /* no member of etcd can be reached, */
    EMPUSA_E_TIMED_OUT,   /* or none answers in time */
    EMPUSA_E_TLS,         /* what keeps them from answering is TLS: certificates, or http:// */
    EMPUSA_E_BAD_REPLY,   /* what answers is no etcd, or its JSON gateway is off */
    EMPUSA_E_NO_SPACE,    /* etcd's database is full */
    EMPUSA_E_TOO_LARGE,   /* the entry is larger than an entry may be, or than etcd takes */
    EMPUSA_E_REFUSED,     /* etcd refuses it for another reason */
    EMPUSA_E_NO_MEMORY,
    EMPUSA_E_SYSTEM,      /* a thread, a file or a random number is not to be had */
    EMPUSA_E_IN_CALLBACK, /* a call that blocks, from a callback */
    EMPUSA_E_FORKED       /* from a child of the process that opened the registry */
};

/* A registry, an entry that this process keeps in it, and what follows a part of it. */
struct empusa;
struct empusa_registration;
struct empusa_watch;

/* Why the last call of this thread that failed did, for a person: one line without its LF, such as
 * `location "baz": no port`. registry: only if it was a call on that one; NULL: on any, and what
 * empusa_open() failed for. "" where there is none. Never NULL; valid until the next call of this
 * thread. Does not block. */
EMPUSA_API const char *empusa_error(const struct empusa *registry);
/* Of EMPUSA_E_BAD_INPUT: the name of the struct's member or the parameter that is wrong, such as
 * "location" or "tree_root"; else "". A constant. Does not block. */
EMPUSA_API const char *empusa_error_field(const struct empusa *registry);

enum empusa_event_kind {
    /* Of the registry: etcd cannot be used, for the reason `why`, and can be again. While it lasts
     * everything is tried again; leases may run out meanwhile. */
    EMPUSA_EVENT_CONTACT_LOST,
    EMPUSA_EVENT_CONTACT_REGAINED,
    /* Of a registration. */
    EMPUSA_EVENT_REGISTERED, /* after EMPUSA_PENDING */
    EMPUSA_EVENT_REFUSED,    /* after EMPUSA_PENDING: trying again is in vain, and ends. `why` */
    EMPUSA_EVENT_VANISHED,   /* its entry was not there any more: it is put back */
    EMPUSA_EVENT_CHANGED,    /* another process changed it: it is put back */
    EMPUSA_EVENT_DRAINED,    /* another process drained it: it gets no new clients. It stays so, */
    EMPUSA_EVENT_UNDRAINED   /* until another process, or empusa_undrain(), ends that */
};

struct empusa_event {
    enum empusa_event_kind kind;
    struct empusa_registration *registration; /* NULL: of the registry */
    const char *type, *name;                  /* of the registration, or NULL */
    int code;        /* why: EMPUSA_E_*; EMPUSA_OK where nothing is wrong */
    const char *why; /* for a person; "" */
};

/* From the library's thread, never from inside a call. *event is borrowed for the call. Kinds that
 * a program does not know are to be ignored. */
typedef void empusa_on_event(void *arg, const struct empusa_event *event);

/* How etcd is reached. A member that is NULL or 0 is taken from the variable behind it, which means
 * what it means to the program empusa (an empty one is unset); EMPUSA_CONFIG is not read. */
struct empusa_options {
    size_t size;
    const char *endpoints; /* EMPUSA_ETCD_ENDPOINT: HOST:PORT or URLs, commas or blanks between */
    const char *protocol;  /* EMPUSA_ETCD_PROTOCOL: "http" (the default) or "https" */
    const char *discovery_srv; /* EMPUSA_ETCD_DISCOVERY_SRV: a domain; endpoints may be left out */
    const char *tree_root;     /* EMPUSA_TREE_ROOT: needed */
    const char *ca_bundle;     /* EMPUSA_CA_BUNDLE, then REQUESTS_CA_BUNDLE: a PEM file */
    const char *cert, *key;    /* EMPUSA_ETCD_CERT, EMPUSA_ETCD_KEY: PEM files */
    const char *user;          /* EMPUSA_ETCD_USER: needs a password, */
    const char *password_file; /* EMPUSA_ETCD_PASSWORD_FILE: from the first line of this file, */
    const char *password;      /* EMPUSA_ETCD_PASSWORD: or itself, where there is no file */
    uint32_t timeout_ms;       /* EMPUSA_ETCD_TIMEOUT, in seconds: bound on one request; 5000 */
    int no_environment;        /* not 0: no variable is read */
    empusa_on_event *on_event; /* or NULL */
    void *arg;                 /* handed to on_event */
};

static inline void empusa_options_init(struct empusa_options *options)
{
    memset(options, 0, sizeof(*options));
    options->size = sizeof(*options);
}

/* Open a registry and start its thread. options NULL: all from the variables. Reads the files that
 * are named, and blocks for no longer; etcd need not be there.
 * OK: *out is to be given to empusa_close(). Else *out is NULL, and empusa_error(NULL) says why:
 * BAD_INPUT, TOO_LARGE (a file), NO_MEMORY, SYSTEM. Secrets are copied; what the library overwrites are its copies. */
EMPUSA_API int empusa_open(const struct empusa_options *options, struct empusa **out);

/* Unregister what is registered, stop what is watched, end the thread and release it all: pointers
 * to registrations and watches are not valid any more. Blocks until etcd has answered, 5 s at most;
 * what could not be unregistered vanishes when its lease is over. Before the process ends by
 * exit(): OpenSSL clears up there, under the thread's feet. NULL, or from a callback, or in a child
 * after fork(): nothing. */
EMPUSA_API void empusa_close(struct empusa *registry);

enum empusa_protocol { EMPUSA_PROTOCOL_NONE, EMPUSA_PROTOCOL_TCP, EMPUSA_PROTOCOL_UDP };

/* What is registered. */
struct empusa_service {
    size_t size;
    const char *type, *name; /* together they are its identity in the registry */
    const char *location;    /* HOST:PORT, IPV4:PORT or [IPV6]:PORT */
    uint32_t ttl_s;          /* of its lease: how long it outlives a crash. 30; not 0 */
    uint32_t timeout_ms;     /* how long calls on its registration wait. 5000; 0: not at all */
    const char *const *txt;  /* "KEY=VALUE" or "KEY": of its TXT record */
    size_t txt_count;
    const char *const *subtypes; /* of DNS-SD, with or without a leading '_' */
    size_t subtype_count;
    enum empusa_protocol protocol; /* of its DNS names; NONE: what the type says, else TCP */
    int priority, weight;          /* of its SRV record, 0..65535; -1: 0 and 1 */
    int is_draining;               /* not 0: registered so that it gets no clients yet */
};

/* ttl_s 30, timeout_ms 5000, priority and weight -1, all else nothing. */
static inline void empusa_service_init(struct empusa_service *service, const char *type,
                                       const char *name, const char *location)
{
    memset(service, 0, sizeof(*service));
    service->size = sizeof(*service);
    service->type = type;
    service->name = name;
    service->location = location;
    service->ttl_s = 30;
    service->timeout_ms = 5000;
    service->priority = service->weight = -1;
}

/* Register a service, and keep it registered: what is there under its type and name is replaced.
 * Blocks until it is registered, timeout_ms at most. All of one registry with one TTL share leases,
 * 1,000 to each.
 * OK, PENDING: *out is to be given to empusa_unregister(), before empusa_close(). PENDING: etcd is
 * away, and is asked until it answers; empusa_is_registered() and EMPUSA_EVENT_REGISTERED say when
 * it has. Else it is not registered, and not tried again: BAD_INPUT, DENIED, TOO_LARGE, REFUSED,
 * NO_MEMORY, SYSTEM, IN_CALLBACK, FORKED. */
EMPUSA_API int empusa_register(struct empusa *registry, const struct empusa_service *service,
                               struct empusa_registration **out);

/* Exchange the entry: its location, TXT, subtypes, protocol, priority and weight are those of
 * `service`. Its type, name and ttl_s have to be those that it was registered with; its is_draining
 * is not looked at: an entry stays drained. Blocks until it is written, timeout_ms at most.
 * PENDING: it will be. Others as empusa_register(); the entry stays as it was then. */
EMPUSA_API int empusa_update(struct empusa_registration *registration,
                             const struct empusa_service *service);
/* Give it no new clients, and take it back into use. Blocks as long as empusa_register() did at
 * most. PENDING: it will be. OK also where it is so already. */
EMPUSA_API int empusa_drain(struct empusa_registration *registration);
EMPUSA_API int empusa_undrain(struct empusa_registration *registration);

/* 1: it was registered, so far as we know, and is kept so. 0: not yet, or it was refused; also for
 * NULL. Does not block. */
EMPUSA_API int empusa_is_registered(const struct empusa_registration *registration);

/* Remove the entry where it is still our own, and release the registration, whatever is returned.
 * Blocks until etcd has answered, as long as empusa_register() did at most. OK: it is gone, or was
 * already. CONFLICT: another process has changed it, and it stays as that left it. Others: it
 * stands there, or may do so, until its lease is over. NULL: nothing. IN_CALLBACK, FORKED: it is
 * not released. */
EMPUSA_API int empusa_unregister(struct empusa_registration *registration);

/* Text of any octets with a NUL behind it. */
struct empusa_text {
    const char *text;
    size_t len; /* without the NUL */
};

/* A service as it is registered. NULL-terminated texts; without TXT or subtypes: NULL and 0. */
struct empusa_entry {
    const char *type, *name;
    const char *location; /* as it was registered: "[fd00::1]:80" */
    const char *host;     /* "fd00::1" */
    uint16_t port;
    uint16_t priority, weight;
    enum empusa_protocol protocol;
    int is_draining;
    const struct empusa_text *txt, *subtypes;
    size_t txt_count, subtype_count;
    int64_t revision; /* etcd's, at which it was written last */
};

/* *entry is borrowed for the call. */
typedef void empusa_on_entry(void *arg, const struct empusa_entry *entry);

/* List the services of a type, or all (type NULL), in the order of their keys. Blocks until etcd
 * has answered, timeout_ms of the options at most; then on_entry is called for each from this
 * thread, and may use the registry. What is no entry is left out, as it is in DNS. BAD_INPUT,
 * DENIED, UNREACHABLE, TIMED_OUT, TLS, BAD_REPLY, NO_MEMORY, IN_CALLBACK, FORKED: on_entry was not
 * called. */
EMPUSA_API int empusa_service_list(struct empusa *registry, const char *type,
                                   empusa_on_entry *on_entry, void *arg);

enum empusa_change {
    EMPUSA_CHANGE_PUT,    /* it is there now, or is there and has changed */
    EMPUSA_CHANGE_REMOVE, /* it is gone: of it only what it is called and the revision are given */
    EMPUSA_CHANGE_CURRENT /* what was told so far is all there is. NULL is given */
};

/* From the library's thread. *entry is borrowed for the call. */
typedef void empusa_on_service(void *arg, enum empusa_change change,
                               const struct empusa_entry *entry);

/* Follow the services of a type, or all (type NULL): first all that are there, then CURRENT, then
 * each change as it comes. While etcd is away nothing is removed; afterwards the difference is told
 * and CURRENT comes again if all had to be read anew. Does not wait for etcd.
 * OK: *out is to be given to empusa_watch_stop(). BAD_INPUT, NO_MEMORY, SYSTEM, IN_CALLBACK,
 * FORKED. */
EMPUSA_API int empusa_service_watch(struct empusa *registry, const char *type,
                                    empusa_on_service *on_service, void *arg,
                                    struct empusa_watch **out);

/* The value of a switch, such as "features/search". Blocks as empusa_service_list(). OK: *value is
 * the caller's, to be given to free(), NUL-terminated; *len (NULL: nobody wants it) its octets.
 * NOT_FOUND: there is no such switch. */
EMPUSA_API int empusa_switch_get(struct empusa *registry, const char *path, char **value,
                                 size_t *len);

struct empusa_switch {
    const char *path;
    const char *value; /* NUL-terminated, may hold any octets; REMOVE: NULL */
    size_t value_len;
    int64_t revision;
};

/* As empusa_on_service. */
typedef void empusa_on_switch(void *arg, enum empusa_change change,
                              const struct empusa_switch *change_of);

/* Follow a switch and all below it ("features": "features/search", too), or all switches (path
 * NULL); as empusa_service_watch(). */
EMPUSA_API int empusa_switch_watch(struct empusa *registry, const char *path,
                                   empusa_on_switch *on_switch, void *arg,
                                   struct empusa_watch **out);

/* No callback of it runs any more when this returns, and it is released. Blocks for a callback that
 * runs; not for etcd. NULL: nothing. IN_CALLBACK, FORKED: it goes on. */
EMPUSA_API int empusa_watch_stop(struct empusa_watch *watch);

#ifdef __cplusplus
}
#endif

#endif
