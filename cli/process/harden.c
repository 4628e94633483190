#include "harden.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void harden_environment(void)
{
    unsetenv("SSLKEYLOGFILE");
}

void harden_secrets(void)
{
    /* A program that the kernel pipes core files to (core_pattern) gets them whatever the limit,
     * but for one of 1 octet, which the kernel's do_coredump() refuses; and no file is that short.
     * Hard and soft, so that it cannot be raised again; children inherit it. Where the hard limit
     * is 0 already it stays, as only root may raise it. */
    setrlimit(RLIMIT_CORE, &(struct rlimit){1, 1});
}

void harden_writes(void)
{
    signal(SIGXFSZ, SIG_IGN);
}

void harden_execution(void)
{
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* Only who has CAP_SETPCAP may; for others no_new_privs makes the set worthless. The kernel says
 * itself which capability is its last: there may be more than when this was compiled. */
void harden_bounding_set(void)
{
    for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0;
         capability++)
        prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}

enum status harden_capabilities(struct detail *why)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    /* A kernel that does not know ambient capabilities (before 4.3) has none to clear. */
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SYS_capset, &header, none) != 0)
        return detail_set(why, STATUS_SYSTEM, "capabilities could not be dropped: %s",
                          strerror(errno));
    return STATUS_OK;
}

void harden_warn(const struct log *log, const char *option, const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & (S_IROTH | S_IWOTH)))
        log_printf(log, LOG_LEVEL_WARNING, "--%s \"%s\": others may read or change it (chmod o-rw)",
                   option, path);
}
