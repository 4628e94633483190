/* cli/args/option_rows.h - every option, once: what parses it, explains it and documents it.
 *
 * X(ID, members of struct option_row...). The order is the order of help texts. */
#ifndef CLI_ARGS_OPTION_ROWS_H
#define CLI_ARGS_OPTION_ROWS_H

/* Of every command. */
#define OPTION_GLOBAL_LIST(X)                                                                      \
    X(ETCD_ENDPOINT, .name = "etcd-endpoint", .argument = "HOST:PORT", .kind = OPTION_LIST,        \
      .is_required = true, .variable = "EMPUSA_ETCD_ENDPOINT",                                     \
      .help = "a member of etcd: HOST:PORT, [IPV6]:PORT or a URL; several share the work and "     \
              "stand in for one another")                                                          \
    X(ETCD_PROTOCOL, .name = "etcd-protocol", .argument = "http|https", .kind = OPTION_CHOICE,     \
      .variable = "EMPUSA_ETCD_PROTOCOL", .fallback = "http",                                      \
      .help = "for endpoints that are no URLs")                                                    \
    X(TREE_ROOT, .name = "tree-root", .argument = "PATH", .is_required = true,                     \
      .variable = "EMPUSA_TREE_ROOT",                                                              \
      .help = "the key in etcd below which the registry lives, such as /foo")                      \
    X(CA_BUNDLE, .name = "ca-bundle", .argument = "FILE", .variable = "EMPUSA_CA_BUNDLE",          \
      .second_variable = "REQUESTS_CA_BUNDLE",                                                     \
      .help = "certificates (PEM) that vouch for etcd's, instead of the system's")                 \
    X(ETCD_CERT, .name = "etcd-cert", .argument = "FILE", .variable = "EMPUSA_ETCD_CERT",          \
      .help = "client certificate (PEM)")                                                          \
    X(ETCD_KEY, .name = "etcd-key", .argument = "FILE", .variable = "EMPUSA_ETCD_KEY",             \
      .help = "its private key (PEM)")                                                             \
    X(ETCD_USER, .name = "etcd-user", .argument = "NAME", .variable = "EMPUSA_ETCD_USER",          \
      .help = "user of etcd")                                                                      \
    X(ETCD_PASSWORD, .name = "etcd-password-file", .argument = "FILE", .kind = OPTION_SECRET,      \
      .variable = "EMPUSA_ETCD_PASSWORD_FILE", .second_variable = "EMPUSA_ETCD_PASSWORD",          \
      .help = "file with the user's password; the second variable holds the password itself")      \
    X(ETCD_DISCOVERY_SRV, .name = "etcd-discovery-srv", .argument = "DOMAIN",                      \
      .variable = "EMPUSA_ETCD_DISCOVERY_SRV",                                                     \
      .help = "find etcd by the SRV records _etcd-client._tcp.DOMAIN and "                         \
              "_etcd-client-ssl._tcp.DOMAIN; "                                                     \
              "with https the certificates must name DOMAIN")                                      \
    X(ETCD_TIMEOUT, .name = "etcd-timeout", .argument = "SECONDS", .kind = OPTION_NUMBER,          \
      .variable = "EMPUSA_ETCD_TIMEOUT", .min = 1, .max = 3600, .fallback = "5",                   \
      .help = "bound on one request to etcd")                                                      \
    X(ETCD_API_VERSION, .name = "etcd-api-version", .argument = "2|3", .kind = OPTION_CHOICE,      \
      .variable = "EMPUSA_ETCD_API_VERSION",                                                       \
      .help = "ignored; for scripts that were written for etcd's v2 API: v3 is spoken")            \
    X(CONFIG, .name = "config", .argument = "FILE", .variable = "EMPUSA_CONFIG",                   \
      .help = "variables that the environment does not have, in lines EMPUSA_X=value as systemd "  \
              "reads them")                                                                        \
    X(LOG_LEVEL, .name = "log-level", .argument = "LEVEL", .kind = OPTION_LEVEL,                   \
      .variable = "EMPUSA_LOGLEVEL", .fallback = "INFO",                                           \
      .help = "minimum level to log: DEBUG, INFO, WARNING or ERROR")

#define OPTION_SERVICE_LIST(X)                                                                     \
    X(SERVICE_TYPE, .name = "service-type", .argument = "TYPE", .is_required = true,               \
      .variable = "EMPUSA_SERVICE_TYPE", .help = "type of the service, such as http")              \
    X(SERVICE_TYPE_ONLY, .name = "service-type", .argument = "TYPE",                               \
      .variable = "EMPUSA_SERVICE_TYPE", .help = "services of this type only")                     \
    X(SERVICE_NAME, .name = "service-name", .argument = "NAME", .is_required = true,               \
      .variable = "EMPUSA_SERVICE_NAME", .help = "name of the service, unique in its type")        \
    X(SERVICE_LOCATION, .name = "service-location", .argument = "HOST:PORT", .is_required = true,  \
      .variable = "EMPUSA_SERVICE_LOCATION",                                                       \
      .help = "where it is: HOST:PORT, IPV4:PORT or [IPV6]:PORT")                                  \
    X(SERVICE_TTL, .name = "ttl", .argument = "SECONDS", .kind = OPTION_NUMBER,                    \
      .variable = "EMPUSA_SERVICE_TTL", .min = 0, .max = 9000000000,                               \
      .help = "forget it after this time unless it is registered again; 0 = never")                \
    X(SERVICE_REFRESH, .name = "refresh-every", .argument = "SECONDS", .kind = OPTION_NUMBER,      \
      .variable = "EMPUSA_SERVICE_REFRESH_EVERY", .min = 0, .max = 9000000000,                     \
      .help =                                                                                      \
          "stay, keep it registered at this interval, and unregister it on SIGTERM or SIGINT; "    \
          "0 = do not stay")                                                                       \
    X(SERVICE_PROTOCOL, .name = "protocol", .argument = "tcp|udp", .kind = OPTION_CHOICE,          \
      .help = "the protocol of its DNS names; without it what the type says, else tcp")            \
    X(SERVICE_PRIORITY, .name = "priority", .argument = "N", .kind = OPTION_NUMBER, .min = 0,      \
      .max = 65535, .help = "priority of its SRV record; the lowest is used first")                \
    X(SERVICE_WEIGHT, .name = "weight", .argument = "N", .kind = OPTION_NUMBER, .min = 0,          \
      .max = 65535, .help = "weight of its SRV record among those of the same priority")           \
    X(SERVICE_TXT, .name = "txt", .argument = "KEY=VALUE", .kind = OPTION_REPEATED,                \
      .help = "a pair of its TXT record, or a KEY alone")                                          \
    X(SERVICE_SUBTYPE, .name = "subtype", .argument = "NAME", .kind = OPTION_REPEATED,             \
      .help = "a DNS-SD subtype under which it can be found, too")                                 \
    X(SERVICE_FROM, .name = "from", .argument = "FILE",                                            \
      .help = "register what this file says, - for standard input, in the JSON that service list " \
              "prints; of the options above only --ttl goes with it")                              \
    X(SWITCH_TTL, .name = "ttl", .argument = "SECONDS", .kind = OPTION_NUMBER,                     \
      .variable = "EMPUSA_SWITCH_TTL", .min = 0, .max = 9000000000,                                \
      .help = "forget it after this time unless it is set again; 0 = never")                       \
    X(FORMAT, .name = "format", .argument = "table|json", .kind = OPTION_CHOICE,                   \
      .fallback = "table", .help = "how to print")

#define OPTION_DEV_LIST(X)                                                                         \
    X(DATA_DIR, .name = "data-dir", .argument = "DIR", .variable = "EMPUSA_DATA_DIR",              \
      .help = "keep etcd's data here instead of in a temporary directory")                         \
    X(LISTEN_DEV, .name = "listen", .argument = "ADDR:PORT", .kind = OPTION_LIST,                  \
      .variable = "EMPUSA_LISTEN", .fallback = "127.0.0.1:5300",                                   \
      .help = "answer DNS here, over UDP and TCP; port 53 if left out")

/* Of serve, and of dev but for --listen. */
#define OPTION_SERVE_MORE_LIST(X)                                                                  \
    X(DOMAIN, .name = "domain", .argument = "NAME", .variable = "EMPUSA_DOMAIN",                   \
      .fallback = "empusa.internal", .help = "the zone's name")                                    \
    X(WORKERS, .name = "workers", .argument = "N", .kind = OPTION_NUMBER, .min = 1, .max = 1024,   \
      .variable = "EMPUSA_WORKERS", .default_help = "one per CPU", .help = "threads that answer")  \
    X(RECORD_TTL, .name = "record-ttl", .argument = "SECONDS", .kind = OPTION_NUMBER,              \
      .variable = "EMPUSA_RECORD_TTL", .min = 0, .max = 604800, .fallback = "10",                  \
      .help = "TTL of records, never above that of the entry's lease")                             \
    X(NEGATIVE_TTL, .name = "negative-ttl", .argument = "SECONDS", .kind = OPTION_NUMBER,          \
      .variable = "EMPUSA_NEGATIVE_TTL", .min = 0, .max = 604800, .fallback = "5",                 \
      .help = "TTL of the answer that a name does not exist")                                      \
    X(HOST_DOMAIN, .name = "host-domain", .argument = "NAME", .variable = "EMPUSA_HOST_DOMAIN",    \
      .default_help = "host.<zone>", .help = "where hosts without a dot are")                      \
    X(HOST, .name = "host", .argument = "NAME=ADDR", .kind = OPTION_LIST,                          \
      .variable = "EMPUSA_HOST", .help = "address of a host without a dot")                        \
    X(NO_RESOLVE_HOSTS, .name = "no-resolve-hosts", .kind = OPTION_FLAG,                           \
      .variable = "EMPUSA_NO_RESOLVE_HOSTS",                                                       \
      .help = "do not look up the other hosts without a dot")                                      \
    X(NO_SWITCHES, .name = "no-switches", .kind = OPTION_FLAG, .variable = "EMPUSA_NO_SWITCHES",   \
      .help = "do not publish switches")                                                           \
    X(NS, .name = "ns", .argument = "NAME=ADDR", .kind = OPTION_LIST, .variable = "EMPUSA_NS",     \
      .default_help = "ns.<zone> at the addresses listened on",                                    \
      .help = "a name server of the zone; the same on all servers")                                \
    X(STATE_DIR, .name = "state-dir", .argument = "DIR", .variable = "EMPUSA_STATE_DIR",           \
      .help = "keep a copy of the tree in this directory, and answer from it after a start until " \
              "etcd does")                                                                         \
    X(STALE_LIMIT, .name = "stale-limit", .argument = "SECONDS", .kind = OPTION_NUMBER,            \
      .variable = "EMPUSA_STALE_LIMIT", .min = 0, .max = 31536000, .fallback = "86400",            \
      .help = "how long to answer from what is known without etcd")                                \
    X(GUARD, .name = "guard", .argument = "SHARE|off", .variable = "EMPUSA_GUARD",                 \
      .fallback = "off",                                                                           \
      .help = "go on answering what expires all at once: of a type, more than this share, in "     \
              "percent, of its services within 10 s; 80 where services can be cut off from etcd")  \
    X(GUARD_HOLD, .name = "guard-hold", .argument = "SECONDS", .kind = OPTION_NUMBER,              \
      .variable = "EMPUSA_GUARD_HOLD", .min = 1, .max = 31536000, .fallback = "60",                \
      .help = "how long, from when each expired")                                                  \
    X(HTTP, .name = "http", .argument = "ADDR:PORT", .variable = "EMPUSA_HTTP",                    \
      .default_help = "off", .help = "serve /metrics, /healthz and /readyz here, over HTTP")       \
    X(HTTP_CONNECTIONS, .name = "http-connections", .argument = "N", .kind = OPTION_NUMBER,        \
      .variable = "EMPUSA_HTTP_CONNECTIONS", .min = 1, .max = 10000, .fallback = "256",            \
      .help = "HTTP connections at the same time; with one more, the one that has been longest "   \
              "without a whole request is ended")                                                  \
    X(HTTP_HOST, .name = "http-host", .argument = "NAME", .kind = OPTION_LIST,                     \
      .variable = "EMPUSA_HTTP_HOST", .default_help = "localhost and the host name",               \
      .help = "a name that HTTP requests may ask for; metrics and probes may ask for any")         \
    X(ALLOW_QUERY, .name = "allow-query", .argument = "CIDR", .kind = OPTION_LIST,                 \
      .variable = "EMPUSA_ALLOW_QUERY", .default_help = "any",                                     \
      .help = "who may ask; others get REFUSED")                                                   \
    X(ALLOW_TRANSFER, .name = "allow-transfer", .argument = "CIDR", .kind = OPTION_LIST,           \
      .variable = "EMPUSA_ALLOW_TRANSFER", .default_help = "none",                                 \
      .help = "who may ask for the whole zone; others get REFUSED")                                \
    X(NSID, .name = "nsid", .argument = "TEXT", .variable = "EMPUSA_NSID",                         \
      .default_help = "the host name",                                                             \
      .help = "what clients are told that ask which server this "                                  \
              "is")                                                                                \
    X(COOKIE_SECRET, .name = "cookie-secret-file", .argument = "FILE",                             \
      .variable = "EMPUSA_COOKIE_SECRET_FILE", .default_help = "random",                           \
      .help = "one or two lines of 32 hexadecimal digits: the secret of DNS cookies, and the one " \
              "before it; the same on all servers")                                                \
    X(RATE_LIMIT, .name = "rate-limit", .argument = "N", .kind = OPTION_NUMBER,                    \
      .variable = "EMPUSA_RATE_LIMIT", .min = 0, .max = 1000000000, .fallback = "200",             \
      .help = "answers a second per client prefix; 0 = no limit; loopback is exempt")              \
    X(MAX_UDP_SIZE, .name = "max-udp-size", .argument = "N", .kind = OPTION_NUMBER,                \
      .variable = "EMPUSA_MAX_UDP_SIZE", .min = 512, .max = 4096, .fallback = "1232",              \
      .help = "octets of the longest UDP answer")                                                  \
    X(TCP_CONNECTIONS, .name = "tcp-connections", .argument = "N", .kind = OPTION_NUMBER,          \
      .variable = "EMPUSA_TCP_CONNECTIONS", .min = 1, .max = 1000000, .fallback = "1024",          \
      .help = "TCP connections at the same time")                                                  \
    X(TCP_IDLE, .name = "tcp-idle", .argument = "SECONDS", .kind = OPTION_NUMBER,                  \
      .variable = "EMPUSA_TCP_IDLE", .min = 1, .max = 3600, .fallback = "10",                      \
      .help = "close a TCP connection that has been idle for this long")                           \
    X(USER, .name = "user", .argument = "NAME", .variable = "EMPUSA_USER",                         \
      .help = "run as this user once the ports are bound")

#define OPTION_SERVE_LIST(X)                                                                       \
    X(LISTEN, .name = "listen", .argument = "ADDR:PORT", .kind = OPTION_LIST,                      \
      .variable = "EMPUSA_LISTEN", .default_help = "127.0.0.1:5300 and [::1]:5300",                \
      .help = "answer DNS here, over UDP and TCP; port 53 if left out")                            \
    OPTION_SERVE_MORE_LIST(X)

#define OPTION_LIST_ALL(X)                                                                         \
    OPTION_GLOBAL_LIST(X) OPTION_SERVICE_LIST(X) OPTION_DEV_LIST(X) OPTION_SERVE_LIST(X)

#endif
