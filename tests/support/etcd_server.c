#include "etcd_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ETCD_SERVER_ARGS_MAX 40
#define PORTS_BEGIN          10000 /* below the ephemeral ones, which any connection may have */
#define PORTS_END            30000
#define PORTS_BLOCK          100
#define STARTS_MAX           5
#define LOG_END              2000 /* octets of its log that are shown or searched */

void etcd_server_sleep_ms(long ms)
{
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

static bool etcd_server_is_free(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_bound = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    if (fd >= 0)
        close(fd);
    return is_bound;
}

/* A block of ports that no other test has while this process lives: the same blocks, and the same
 * names for them, as in tests/end/process.py, which says why. 0: none is left. */
static unsigned etcd_server_claim_block(void)
{
    unsigned count = (PORTS_END - PORTS_BEGIN) / PORTS_BLOCK;
    for (unsigned i = 0; i < count; i++) {
        struct sockaddr_un name = {.sun_family = AF_UNIX};
        unsigned block = ((unsigned)getpid() + i) % count;
        unsigned first = PORTS_BEGIN + block * PORTS_BLOCK;
        int len =
            snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "empusa-tests-ports-%u", first);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            return 0;
        if (bind(fd, (struct sockaddr *)&name,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)) == 0)
            return first; /* it stays open */
        close(fd);
    }
    return 0;
}

uint16_t etcd_server_free_port(void)
{
    static unsigned first, next;
    first = first ? first : etcd_server_claim_block();
    for (unsigned i = 0; first && i < PORTS_BLOCK; i++) {
        uint16_t port = (uint16_t)(first + next++ % PORTS_BLOCK);
        if (etcd_server_is_free(port))
            return port;
    }
    return 0;
}

static int etcd_server_connect(const struct etcd_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(server->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = 20};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int etcd_server_ask_once(const struct etcd_server *server, const char *path,
                                const char *body, char *reply, size_t size)
{
    char head[256];
    int fd = etcd_server_connect(server), status = 0;
    size_t len = 0;
    reply[0] = '\0';
    if (fd < 0)
        return 0;
    snprintf(head, sizeof(head),
             "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
             body ? "POST" : "GET", path, server->endpoint, body ? strlen(body) : 0);
    bool is_sent = send(fd, head, strlen(head), MSG_NOSIGNAL) == (ssize_t)strlen(head);
    if (is_sent && body)
        is_sent = send(fd, body, strlen(body), MSG_NOSIGNAL) == (ssize_t)strlen(body);
    while (is_sent && len + 1 < size) {
        ssize_t more = recv(fd, reply + len, size - 1 - len, 0);
        if (more <= 0)
            break;
        len += (size_t)more;
        reply[len] = '\0';
    }
    close(fd);
    return sscanf(reply, "HTTP/1.1 %d", &status) == 1 ? status : 0;
}

int etcd_server_ask(const struct etcd_server *server, const char *path, const char *body,
                    char *reply, size_t size)
{
    char old_path[128];
    int status = etcd_server_ask_once(server, path, body, reply, size);
    if (status != 404 || strncmp(path, "/v3/", 4) != 0 || !strstr(reply, "404 page not found"))
        return status;
    snprintf(old_path, sizeof(old_path), "/v3beta%s", path + 3);
    return etcd_server_ask_once(server, old_path, body, reply, size);
}

bool etcd_server_post(const struct etcd_server *server, const char *path, const char *format, ...)
{
    char body[8192], reply[8192];
    va_list args;
    va_start(args, format);
    vsnprintf(body, sizeof(body), format, args);
    va_end(args);
    return etcd_server_ask(server, path, body, reply, sizeof(reply)) == 200;
}

static bool etcd_server_is_healthy(const struct etcd_server *server)
{
    char reply[4096];
    return etcd_server_ask(server, "/health", NULL, reply, sizeof(reply)) == 200;
}

static void etcd_server_encode(const char *text, char *out)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i += 3) {
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (i + k < len ? (unsigned char)text[i + k] : 0U);
        for (size_t k = 0; k < 4; k++)
            *out++ = i + k > len ? '=' : alphabet[bits >> (18 - 6 * k) & 63];
    }
    *out = '\0';
}

bool etcd_server_put(const struct etcd_server *server, const char *key, const char *value)
{
    char key64[512], value64[2048];
    etcd_server_encode(key, key64);
    etcd_server_encode(value, value64);
    return etcd_server_post(server, "/v3/kv/put", "{\"key\":\"%s\",\"value\":\"%s\"}", key64,
                            value64);
}

bool etcd_server_delete(const struct etcd_server *server, const char *key)
{
    char key64[512];
    etcd_server_encode(key, key64);
    return etcd_server_post(server, "/v3/kv/deleterange", "{\"key\":\"%s\"}", key64);
}

bool etcd_server_fill(const struct etcd_server *server, const char *prefix, size_t count)
{
    bool is_done = true;
    for (size_t i = 0; i < count && is_done; i += 100) {
        char body[32768] = "{\"success\":[", reply[65536];
        for (size_t k = i; k < i + 100 && k < count; k++) {
            char key[128], key64[256];
            size_t len = strlen(body);
            snprintf(key, sizeof(key), "%s%07zu", prefix, k);
            etcd_server_encode(key, key64);
            snprintf(body + len, sizeof(body) - len,
                     "%s{\"request_put\":{\"key\":\"%s\",\"value\":\"dmFsdWU=\"}}",
                     k > i ? "," : "", key64);
        }
        strcat(body, "]}");
        is_done = etcd_server_ask(server, "/v3/kv/txn", body, reply, sizeof(reply)) == 200;
    }
    return is_done;
}

/* What to run, for execvp(). */
static const char *etcd_server_binary(char *space, size_t size)
{
    const char *chosen = getenv("EMPUSA_ETCD");
    struct stat st;
    if (!chosen || !*chosen)
        return "etcd";
    if (stat(chosen, &st) != 0 || !S_ISDIR(st.st_mode))
        return chosen;
    snprintf(space, size, "%s/etcd", chosen);
    return space;
}

static void etcd_server_exec(const struct etcd_server *server)
{
    char data[80], log[80], binary[512];
    snprintf(data, sizeof(data), "%.63s/data", server->dir);
    snprintf(log, sizeof(log), "%.63s/log", server->dir);
    const char *args[ETCD_SERVER_ARGS_MAX] = {etcd_server_binary(binary, sizeof(binary)),
                                              "--name",
                                              server->name,
                                              "--data-dir",
                                              data,
                                              "--listen-client-urls",
                                              server->client_url,
                                              "--advertise-client-urls",
                                              server->client_url,
                                              "--listen-peer-urls",
                                              server->peer_url,
                                              "--initial-advertise-peer-urls",
                                              server->peer_url,
                                              "--initial-cluster",
                                              server->cluster};
    size_t count = 15;
    for (size_t i = 0; server->extra && server->extra[i] && count + 1 < ETCD_SERVER_ARGS_MAX; i++)
        args[count++] = server->extra[i];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, 1);
    dup2(fd, 2);
    union {
        const char **args;
        char **argv;
    } list = {.args = args};
    execvp(args[0], list.argv);
    _exit(127);
}

bool etcd_server_launch(struct etcd_server *server)
{
    server->pid = fork();
    if (server->pid == 0)
        etcd_server_exec(server);
    return server->pid > 0;
}

bool etcd_server_wait(struct etcd_server *server)
{
    for (int i = 0; i < 600; i++) {
        if (waitpid(server->pid, NULL, WNOHANG) == server->pid) {
            server->pid = 0;
            return false;
        }
        if (etcd_server_is_healthy(server))
            return true;
        etcd_server_sleep_ms(50);
    }
    return false;
}

void etcd_server_kill(struct etcd_server *server, int signal_number)
{
    if (server->pid <= 0)
        return;
    kill(server->pid, signal_number);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

void etcd_server_remove(const char *dir, const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%.63s/%.15s", dir, name);
    pid_t pid = fork();
    if (pid == 0) {
        execlp("rm", "rm", "-rf", path, (char *)NULL);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
}

void etcd_server_wipe(const struct etcd_server *server)
{
    etcd_server_remove(server->dir, "data");
}

void etcd_server_copy(const struct etcd_server *server, const char *from, const char *to)
{
    char source[128], target[128];
    snprintf(source, sizeof(source), "%.63s/%.15s", server->dir, from);
    snprintf(target, sizeof(target), "%.63s/%.15s", server->dir, to);
    pid_t pid = fork();
    if (pid == 0) {
        execlp("cp", "cp", "-r", source, target, (char *)NULL);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
}

void etcd_server_stop(struct etcd_server *server)
{
    etcd_server_kill(server, SIGKILL);
    if (server->dir[0])
        etcd_server_remove(server->dir, "");
    server->dir[0] = '\0';
}

static bool etcd_server_prepare(struct etcd_server *server, size_t number)
{
    *server = (struct etcd_server){.port = etcd_server_free_port()};
    snprintf(server->name, sizeof(server->name), "m%zu", number);
    snprintf(server->dir, sizeof(server->dir), "/tmp/empusa-etcd-XXXXXX");
    if (!mkdtemp(server->dir))
        return false;
    snprintf(server->endpoint, sizeof(server->endpoint), "127.0.0.1:%u", (unsigned)server->port);
    snprintf(server->client_url, sizeof(server->client_url), "http://127.0.0.1:%u",
             (unsigned)server->port);
    snprintf(server->peer_url, sizeof(server->peer_url), "http://127.0.0.1:%u",
             (unsigned)etcd_server_free_port());
    return server->port;
}

/* What it said last: into `out`, as text. */
static void etcd_server_read_log(const struct etcd_server *server, char out[LOG_END + 1])
{
    char path[80];
    snprintf(path, sizeof(path), "%.63s/log", server->dir);
    out[0] = '\0';
    FILE *file = fopen(path, "r");
    if (!file)
        return;
    if (fseek(file, -LOG_END, SEEK_END) != 0)
        rewind(file);
    out[fread(out, 1, LOG_END, file)] = '\0';
    fclose(file);
}

/* Whether one of them ended since somebody else had its port; what others said is shown. */
static bool etcd_server_met_another(const struct etcd_server *servers, size_t count)
{
    char said[LOG_END + 1];
    bool is_taken = false;
    for (size_t i = 0; i < count && servers[i].dir[0]; i++) {
        etcd_server_read_log(&servers[i], said);
        is_taken = is_taken || strstr(said, "address already in use");
        if (servers[i].pid <= 0)
            fprintf(stderr, "etcd %s has ended: %s\n", servers[i].name, said);
    }
    return is_taken;
}

static bool etcd_server_start_once(struct etcd_server *servers, size_t count,
                                   const char *const *extra)
{
    char cluster[sizeof(servers->cluster)] = "";
    for (size_t i = 0; i < count; i++) {
        if (!etcd_server_prepare(&servers[i], i))
            return false;
        size_t len = strlen(cluster);
        snprintf(cluster + len, sizeof(cluster) - len, "%s%.23s=%.47s", i ? "," : "",
                 servers[i].name, servers[i].peer_url);
    }
    for (size_t i = 0; i < count; i++) {
        memcpy(servers[i].cluster, cluster, sizeof(cluster));
        servers[i].extra = extra;
        if (!etcd_server_launch(&servers[i]))
            return false;
    }
    for (size_t i = 0; i < count; i++)
        if (!etcd_server_wait(&servers[i]))
            return false;
    return true;
}

bool etcd_server_start(struct etcd_server *servers, size_t count, const char *const *extra)
{
    memset(servers, 0, count * sizeof(*servers));
    for (int starts = 1; !etcd_server_start_once(servers, count, extra); starts++) {
        if (!etcd_server_met_another(servers, count) || starts == STARTS_MAX)
            return false;
        for (size_t i = 0; i < count; i++)
            etcd_server_stop(&servers[i]);
    }
    return true;
}
