/* Memory that runs out at random, in a program that was not built for it: to be preloaded.
 *
 * What stands in the file that EMPUSA_EXHAUST names is shared with the test, which may change it at any time. What the
 * loader asks for is not refused: it cannot go on without. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SPARED_MAX 16

/* Little-endian words in the file. */
struct exhaust {
    uint64_t share;   /* of 2^32: how many allocations fail; 0: none */
    uint64_t seed;    /* of who fails */
    uint64_t asked;   /* while share was not 0 */
    uint64_t refused; /* of those */
    int64_t live;     /* blocks that have not been freed, since the program began */
};

static struct exhaust *shared;
static struct {
    uintptr_t begin, end;
} spared[SPARED_MAX];
static unsigned spared_count;
static __thread uint64_t state;

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *memory);

static int exhaust_note_library(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size, (void)arg;
    for (unsigned i = 0; strstr(info->dlpi_name, "/ld-linux") && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type != PT_LOAD || !(header->p_flags & PF_X) || spared_count == SPARED_MAX)
            continue;
        spared[spared_count].begin = info->dlpi_addr + header->p_vaddr;
        spared[spared_count].end = spared[spared_count].begin + header->p_memsz;
        spared_count++;
    }
    return 0;
}

__attribute__((constructor)) static void exhaust_begin(void)
{
    const char *path = getenv("EMPUSA_EXHAUST");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    dl_iterate_phdr(exhaust_note_library, NULL);
    void *memory = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (memory != MAP_FAILED)
        shared = memory;
}

static void exhaust_count(int64_t blocks)
{
    if (shared)
        __atomic_fetch_add(&shared->live, blocks, __ATOMIC_RELAXED);
}

/* xorshift64*, for each thread its own. */
static uint32_t exhaust_draw(void)
{
    if (state == 0)
        state = (shared->seed ^ (uint64_t)(uintptr_t)&state) * UINT64_C(0x9e3779b97f4a7c15) | 1;
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)(state * UINT64_C(0x2545f4914f6cdd1d) >> 32);
}

static bool exhaust_fails(const void *caller)
{
    uint64_t share = shared ? __atomic_load_n(&shared->share, __ATOMIC_RELAXED) : 0;
    if (share == 0)
        return false;
    for (unsigned i = 0; i < spared_count; i++)
        if ((uintptr_t)caller >= spared[i].begin && (uintptr_t)caller < spared[i].end)
            return false;
    __atomic_fetch_add(&shared->asked, 1, __ATOMIC_RELAXED);
    if (exhaust_draw() >= share)
        return false;
    __atomic_fetch_add(&shared->refused, 1, __ATOMIC_RELAXED);
    errno = ENOMEM;
    return true;
}

static void *exhaust_counted(void *memory)
{
    exhaust_count(memory != NULL);
    return memory;
}

#define CALLER __builtin_return_address(0)

void *malloc(size_t size)
{
    return exhaust_fails(CALLER) ? NULL : exhaust_counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    return exhaust_fails(CALLER) ? NULL : exhaust_counted(__libc_calloc(count, size));
}

void *realloc(void *old, size_t size)
{
    if (size != 0 && exhaust_fails(CALLER))
        return NULL;
    void *memory = __libc_realloc(old, size);
    exhaust_count((!old && memory) - (old && !memory && size == 0));
    return memory;
}

void *memalign(size_t alignment, size_t size)
{
    return exhaust_fails(CALLER) ? NULL : exhaust_counted(__libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return exhaust_fails(CALLER) ? NULL : exhaust_counted(__libc_memalign(alignment, size));
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    if (exhaust_fails(CALLER))
        return ENOMEM;
    void *memory = exhaust_counted(__libc_memalign(alignment, size));
    if (!memory)
        return ENOMEM;
    *out = memory;
    return 0;
}

void free(void *memory)
{
    exhaust_count(-(memory != NULL));
    __libc_free(memory);
}
