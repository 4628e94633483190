#include "allocation.h"

#include "allocators.h"

#include <ares.h>
#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ldns/ldns.h>
#include <locale.h>
#include <microhttpd.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <search.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

/* Macros, too. */
#undef curl_easy_setopt
#undef dprintf

#define SITES_MAX 4096

static struct {
    bool is_on, has_failed;
    unsigned good, bad; /* how many are still to succeed, and then to fail */
    size_t last_size, spared_size;
} allocation;

static struct {
    int fd; /* below 0: nobody wants to know */
    size_t count;
    const void *known[SITES_MAX];
} sites;

extern const char __executable_start[], etext[];

/* Before main(): tests change the environment. */
__attribute__((constructor)) static void sites_open(void)
{
    const char *folder = getenv("EMPUSA_ALLOCATION_SITES");
    char path[4096];
    sites.fd = -1;
    if (!folder)
        return;
    snprintf(path, sizeof(path), "%s/%s", folder, program_invocation_short_name);
    sites.fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
}

/* For tests/gates/allocations.sh: where in this program memory was refused, as an address of the call and the name
 * of what was called. What libraries call is not ours to note. */
static void sites_note(const void *caller, const char *name)
{
    if ((const char *)caller < __executable_start || (const char *)caller >= etext || sites.fd < 0)
        return;
    for (size_t i = 0; i < sites.count; i++)
        if (sites.known[i] == caller)
            return;
    dprintf(sites.fd, "%#zx %s\n", (size_t)((const char *)caller - __executable_start - 1), name);
    if (sites.count < SITES_MAX)
        sites.known[sites.count++] = caller;
}

static __thread bool is_paused;

/* Servers of a test have threads of their own. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Under the lock. */
static bool allocation_is_due(void)
{
    if (!allocation.is_on)
        return false;
    if (allocation.good > 0) {
        allocation.good--;
        return false;
    }
    if (allocation.bad == 0)
        return false;
    allocation.bad -= allocation.bad != ALLOCATION_ALL;
    allocation.has_failed = true;
    return true;
}

static bool allocation_fails(const void *caller, const char *name)
{
    if (is_paused)
        return false;
    pthread_mutex_lock(&lock);
    bool fails = allocation_is_due();
    if (fails)
        sites_note(caller, name);
    pthread_mutex_unlock(&lock);
    if (fails)
        errno = ENOMEM; /* as malloc() does, and as entry_parse() knows it */
    return fails;
}

/* It may not fail: nothing is left to be tested there. */
static void allocation_note(const void *caller, const char *name)
{
    pthread_mutex_lock(&lock);
    sites_note(caller, name);
    pthread_mutex_unlock(&lock);
}

static bool allocation_fails_of(size_t size, const void *caller, const char *name)
{
    pthread_mutex_lock(&lock);
    allocation.last_size = size;
    bool is_spared = size != 0 && size == allocation.spared_size;
    pthread_mutex_unlock(&lock);
    return !is_spared && allocation_fails(caller, name);
}

#define CALLER        __builtin_return_address(0)
#define OPENSSL_FAILS ERR_raise(ERR_LIB_USER, ERR_R_MALLOC_FAILURE)

/* The linker makes __real_x() the x() that it wraps. Weak: most programs have nothing wrapped. */
// clang-format off
#define WRAPPER(name, type, parameters, arguments, failed)                                         \
    __attribute__((weak)) type __real_##name parameters;                                           \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        return allocation_fails(CALLER, #name) ? (failed) : __real_##name arguments;               \
    }
// clang-format on
ALLOCATORS(WRAPPER)

__attribute__((weak)) void *__real_malloc(size_t size);
__attribute__((weak)) void *__real_calloc(size_t count, size_t size);
__attribute__((weak)) void *__real_realloc(void *old, size_t size);
__attribute__((weak)) CURLcode __real_curl_easy_setopt(CURL *easy, CURLoption option, ...);
__attribute__((weak)) int __real_ldns_buffer_printf(ldns_buffer *buffer, const char *format, ...);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
int __wrap_asprintf(char **out, const char *format, ...);
CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption option, ...);
int __wrap_ldns_buffer_printf(ldns_buffer *buffer, const char *format, ...);
struct MHD_Daemon *__wrap_MHD_start_daemon(unsigned flags, uint16_t port,
                                           MHD_AcceptPolicyCallback accept, void *accept_arg,
                                           MHD_AccessHandlerCallback handler, void *handler_arg,
                                           ...);

void *__wrap_malloc(size_t size)
{
    return allocation_fails_of(size, CALLER, "malloc") ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return allocation_fails_of(count * size, CALLER, "calloc") ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return allocation_fails_of(size, CALLER, "realloc") ? NULL : __real_realloc(old, size);
}

int __wrap_asprintf(char **out, const char *format, ...)
{
    va_list args;
    if (allocation_fails(CALLER, "asprintf"))
        return -1;
    va_start(args, format);
    int len = __real_vasprintf(out, format, args);
    va_end(args);
    return len;
}

/* libcurl copies strings and what describes a blob; all else needs no memory. */
CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption option, ...)
{
    const struct curl_easyoption *known = curl_easy_option_by_id(option);
    va_list args;
    va_start(args, option);
    void *value = va_arg(args, void *); /* a long is passed as a pointer is */
    va_end(args);
    if (!value || (known && known->type != CURLOT_STRING && known->type != CURLOT_BLOB))
        allocation_note(CALLER, "curl_easy_setopt");
    else if (allocation_fails(CALLER, "curl_easy_setopt"))
        return CURLE_OUT_OF_MEMORY;
    return __real_curl_easy_setopt(easy, option, value);
}

int __wrap_ldns_buffer_printf(ldns_buffer *buffer, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    if (allocation_fails(CALLER, "ldns_buffer_printf")) {
        buffer->_status = LDNS_STATUS_MEM_ERR;
        return -1;
    }
    va_start(args, format);
    int len = __real_vasprintf(&text, format, args);
    va_end(args);
    len = len < 0 ? len : __real_ldns_buffer_printf(buffer, "%s", text);
    free(text);
    return len;
}

struct MHD_Daemon *__wrap_MHD_start_daemon(unsigned flags, uint16_t port,
                                           MHD_AcceptPolicyCallback accept, void *accept_arg,
                                           MHD_AccessHandlerCallback handler, void *handler_arg,
                                           ...)
{
    va_list args;
    if (allocation_fails(CALLER, "MHD_start_daemon"))
        return NULL;
    va_start(args, handler_arg);
    struct MHD_Daemon *daemon =
        MHD_start_daemon_va(flags, port, accept, accept_arg, handler, handler_arg, args);
    va_end(args);
    return daemon;
}

bool allocation_pause(void)
{
    bool was_paused = is_paused;
    is_paused = true;
    return was_paused;
}

void allocation_resume(bool was_paused)
{
    is_paused = was_paused;
}

void allocation_begin_many(unsigned good, unsigned bad)
{
    pthread_mutex_lock(&lock);
    allocation.good = good;
    allocation.bad = bad;
    allocation.has_failed = false;
    allocation.is_on = true;
    pthread_mutex_unlock(&lock);
}

void allocation_begin(unsigned good)
{
    allocation_begin_many(good, 1);
}

bool allocation_has_failed(void)
{
    pthread_mutex_lock(&lock);
    bool has_failed = allocation.has_failed;
    pthread_mutex_unlock(&lock);
    return has_failed;
}

bool allocation_end(void)
{
    pthread_mutex_lock(&lock);
    allocation.is_on = false;
    bool has_failed = allocation.has_failed;
    pthread_mutex_unlock(&lock);
    return has_failed;
}

size_t allocation_last_size(void)
{
    pthread_mutex_lock(&lock);
    size_t size = allocation.last_size;
    pthread_mutex_unlock(&lock);
    return size;
}

void allocation_spare(size_t size)
{
    pthread_mutex_lock(&lock);
    allocation.spared_size = size;
    pthread_mutex_unlock(&lock);
}

void allocation_count_cjson(void)
{
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = __wrap_malloc, .free_fn = free});
}

void *allocation_exempt(size_t size)
{
    void *memory = __real_calloc ? __real_calloc(1, size) : calloc(1, size);
    if (!memory)
        abort();
    return memory;
}
