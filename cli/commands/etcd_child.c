#include "etcd_child.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOG_NAME       "etcd.log"
#define DATABASE       "member/snap/db"
#define START_TRIES    600 /* 50 ms each */
#define STOP_TRIES     100
#define TRY_NS         50000000
#define URL_SIZE       48
#define LAST_LINE_SIZE 300

/* Looking again is all there is to do: no event says that etcd takes connections, and no loop runs
 * here that could wait for its end. It has 30 s, as it reads its whole log before it listens. */
static void etcd_child_pause_a_little(void)
{
    nanosleep(&(struct timespec){.tv_nsec = TRY_NS}, NULL);
}

/* Before anything is made, so that nothing has to be taken back. An empty part of PATH, the working
 * directory to execvp(3), is passed over. */
static enum status etcd_child_find_etcd(char *out, size_t size, struct detail *why)
{
    const char *path = getenv("PATH");
    if (!path || !*path)
        path = "/usr/local/bin:/usr/bin:/bin";
    while (*path) {
        size_t len = strcspn(path, ":");
        if (len > 0 && (size_t)snprintf(out, size, "%.*s/etcd", (int)len, path) < size &&
            access(out, X_OK) == 0)
            return STATUS_OK;
        path += len + (path[len] == ':');
    }
    return detail_set(why, STATUS_NOT_FOUND,
                      "there is no etcd in PATH: install the Debian package etcd-server "
                      "(apt-get install etcd-server)");
}

static struct sockaddr_in etcd_child_loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* Ports that nobody has; both are held until both are known, so that they differ. Somebody else may
 * take one before etcd does: then etcd ends, and its last line says so. */
static enum status etcd_child_find_ports(uint16_t ports[2], struct detail *why)
{
    int fds[2] = {-1, -1};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < 2 && status == STATUS_OK; i++) {
        struct sockaddr_in address = etcd_child_loopback(0);
        socklen_t len = sizeof(address);
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fds[i] < 0 || bind(fds[i], (struct sockaddr *)&address, len) != 0 ||
            getsockname(fds[i], (struct sockaddr *)&address, &len) != 0)
            status =
                detail_set(why, STATUS_SYSTEM, "no free port on 127.0.0.1: %s", strerror(errno));
        ports[i] = ntohs(address.sin_port);
    }
    for (size_t i = 0; i < 2; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    return status;
}

static enum status etcd_child_name_data(const char *data_dir, struct etcd_child *child,
                                        struct detail *why)
{
    const char *temporary = getenv("TMPDIR");
    size_t size = sizeof(child->data);
    int len;
    child->is_temporary = !data_dir;
    if (data_dir)
        len = snprintf(child->data, size, "%s", data_dir);
    else
        len = snprintf(child->data, size, "%s/empusa-dev-XXXXXX",
                       temporary && *temporary ? temporary : "/tmp");
    if (len <= 0 || (size_t)len >= size)
        return detail_set(why, STATUS_SYSTEM, "the data directory's name is empty or too long");
    /* open() would follow a link that has a '/' or a "/." behind it. */
    while (len > 1 && (child->data[len - 1] == '/' ||
                       (child->data[len - 1] == '.' && child->data[len - 2] == '/')))
        child->data[--len] = '\0';
    return STATUS_OK;
}

/* An etcd that somebody else has started there holds this file locked. Of our lock on the directory
 * it knows nothing. */
static bool etcd_child_is_in_use(const struct etcd_child *child)
{
    int fd = openat(child->directory, DATABASE, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    bool is_locked = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (fd >= 0)
        close(fd);
    return is_locked;
}

/* Of a link Linux says ENOTDIR where a directory was asked for, POSIX ELOOP. */
static const char *etcd_child_fault_of_name(const struct etcd_child *child)
{
    struct stat st;
    if (errno != ELOOP && errno != ENOTDIR)
        return strerror(errno);
    return lstat(child->data, &st) == 0 && S_ISLNK(st.st_mode)
               ? "a symbolic link: name the directory itself"
               : "not a directory";
}

/* What is in a directory of others, or where others may write, is theirs. The lock is the open
 * descriptor's (flock(2)), so that none is left behind however we end. */
static const char *etcd_child_fault_of_data(struct etcd_child *child)
{
    struct stat st;
    child->directory = open(child->data, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (child->directory < 0)
        return etcd_child_fault_of_name(child);
    if (fstat(child->directory, &st) != 0)
        return strerror(errno);
    if (st.st_uid != geteuid())
        return "belongs to another user";
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        return "others may write to it (chmod go-w)";
    if (flock(child->directory, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? "in use by another empusa dev" : strerror(errno);
    return etcd_child_is_in_use(child) ? "in use by another etcd" : NULL;
}

static enum status etcd_child_make_data(const char *data_dir, struct etcd_child *child,
                                        struct detail *why)
{
    enum status status = etcd_child_name_data(data_dir, child, why);
    if (status != STATUS_OK)
        return status;
    bool is_made =
        data_dir ? mkdir(child->data, 0700) == 0 || errno == EEXIST : mkdtemp(child->data) != NULL;
    const char *fault = is_made ? etcd_child_fault_of_data(child) : strerror(errno);
    if (!fault)
        return STATUS_OK;
    if (child->directory >= 0)
        close(child->directory);
    child->directory = -1;
    if (is_made && !data_dir)
        rmdir(child->data);
    return detail_set(why, STATUS_SYSTEM, "%s%s: %s", data_dir ? "--data-dir " : "", child->data,
                      fault);
}

static int etcd_child_remove_one(const char *path, const struct stat *status, int kind,
                                 struct FTW *ftw)
{
    (void)status;
    (void)kind;
    (void)ftw;
    return remove(path);
}

/* What is in a directory before itself. No link is followed: what is behind it is not etcd's. */
static void etcd_child_remove_data(const struct etcd_child *child)
{
    if (child->is_temporary)
        nftw(child->data, etcd_child_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Settings of another etcd on this machine (ETCD_...) would be taken by ours. etcd 3.4, which is
 * Debian 12's, starts on arm64 only where that is said to be meant. */
static enum status etcd_child_execute(const char *program, uint16_t peer_port,
                                      struct etcd_child *child, struct detail *why)
{
#if defined(__x86_64__)
    static const char *const set[] = {NULL};
#else
    static const char *const set[] = {"ETCD_UNSUPPORTED_ARCH=arm64", NULL};
#endif
    /* A cluster of one listens for peers, too; the usual 2380 may be another etcd's. It does not
     * start unless its name and its peer URL are in --initial-cluster. */
    char clients[URL_SIZE], peers[URL_SIZE], cluster[URL_SIZE + 8];
    snprintf(clients, sizeof(clients), "http://127.0.0.1:%u", child->port);
    snprintf(peers, sizeof(peers), "http://127.0.0.1:%u", peer_port);
    snprintf(cluster, sizeof(cluster), "dev=%s", peers);
    const char *const argv[] = {program,     "--name",
                                "dev",       "--data-dir",
                                child->data, "--listen-client-urls",
                                clients,     "--advertise-client-urls",
                                clients,     "--listen-peer-urls",
                                peers,       "--initial-advertise-peer-urls",
                                peers,       "--initial-cluster",
                                cluster,     NULL};
    /* Below the directory that was checked, and through no link: what it leads to would be cut to
     * 0. */
    int log = openat(child->directory, LOG_NAME,
                     O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (log < 0)
        return detail_set(why, STATUS_SYSTEM, "%s/" LOG_NAME ": %s", child->data, strerror(errno));
    const struct process_options options = {.argv = argv,
                                            .set = set,
                                            .unset = "ETCD_",
                                            .streams = {-1, log, log},
                                            .has_group = true,
                                            .death_signal = SIGKILL};
    enum status status = process_start(&options, &child->process, why);
    close(log);
    return status == STATUS_OK ? status : detail_wrap(why, STATUS_SYSTEM, "etcd");
}

/* To be connected is enough: what etcd does not answer yet, serve asks again. */
static bool etcd_child_accepts(uint16_t port)
{
    struct sockaddr_in address = etcd_child_loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_connected =
        fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    if (fd >= 0)
        close(fd);
    return is_connected;
}

static enum status etcd_child_wait_until_up(struct etcd_child *child,
                                            etcd_child_cancelled *cancelled, void *arg,
                                            struct detail *why)
{
    for (int i = 0; i < START_TRIES; i++) {
        if (!etcd_child_is_running(child, why))
            return STATUS_SYSTEM;
        if (cancelled && cancelled(arg))
            return detail_set(why, STATUS_SYSTEM, "interrupted");
        if (etcd_child_accepts(child->port))
            return STATUS_OK;
        etcd_child_pause_a_little();
    }
    return detail_set(why, STATUS_SYSTEM, "etcd does not come up: see %s/" LOG_NAME, child->data);
}

enum status etcd_child_start(const char *data_dir, etcd_child_cancelled *cancelled, void *arg,
                             struct etcd_child *out, struct detail *why)
{
    struct etcd_child child = {.directory = -1};
    char program[PATH_MAX];
    uint16_t ports[2];
    enum status status = etcd_child_find_etcd(program, sizeof(program), why);
    if (status == STATUS_OK)
        status = etcd_child_find_ports(ports, why);
    if (status == STATUS_OK)
        status = etcd_child_make_data(data_dir, &child, why);
    if (status != STATUS_OK)
        return status;
    child.port = ports[0];
    status = etcd_child_execute(program, ports[1], &child, why);
    if (status == STATUS_OK)
        status = etcd_child_wait_until_up(&child, cancelled, arg, why);
    /* Also what never came up is stopped: it may still do so, and its directory is to go. */
    if (status == STATUS_OK)
        *out = child;
    else
        etcd_child_stop(&child);
    return status;
}

static void etcd_child_read_last_line(const struct etcd_child *child, char out[LAST_LINE_SIZE])
{
    char line[LAST_LINE_SIZE];
    out[0] = '\0';
    /* Not what a link leads to: etcd has not written that. Nor is a FIFO waited for. */
    int fd = openat(child->directory, LOG_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
    if (fd >= 0 && !file)
        close(fd);
    while (file && fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\n")] = '\0';
        if (*line)
            snprintf(out, LAST_LINE_SIZE, "%s", line);
    }
    if (file)
        fclose(file);
}

bool etcd_child_is_running(struct etcd_child *child, struct detail *why)
{
    int status;
    char line[LAST_LINE_SIZE];
    if (child->process.pid == 0)
        return false;
    if (!process_has_ended(&child->process, &status))
        return true;
    etcd_child_read_last_line(child, line);
    detail_set(why, STATUS_SYSTEM, "etcd has ended (%s %d): %s",
               WIFSIGNALED(status) ? "signal" : "exit status",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), line);
    return false;
}

void etcd_child_stop(struct etcd_child *child)
{
    int status;
    /* An etcd that has ended by itself, or was never started, has the pid 0: then only its
     * directory is left to be removed. */
    process_signal(&child->process, SIGTERM);
    for (int i = 0; !process_has_ended(&child->process, &status); i++) {
        if (i == STOP_TRIES)
            process_signal(&child->process, SIGKILL);
        etcd_child_pause_a_little();
    }
    etcd_child_remove_data(child);
    if (child->directory >= 0)
        close(child->directory);
    child->directory = -1;
}
