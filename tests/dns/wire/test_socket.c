/* The sockets that a server listens on, as the kernel sees them. */
#include "dns/wire/socket.h"

#include "support/client.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>

static void addresses_are_written_as_people_write_them(void **state)
{
    static const struct {
        const char *host;
        uint16_t port;
        unsigned scope;
        const char *text;
    } rows[] = {
        {"127.0.0.1", 5300, 0, "127.0.0.1:5300"},
        {"0.0.0.0", 0, 0, "0.0.0.0:0"},
        {"::1", 53, 0, "[::1]:53"},
        {"fe80::1", 53, 2, "[fe80::1%2]:53"},
        {"fd00:1:2::3", 65535, 0, "[fd00:1:2::3]:65535"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[SOCKET_TEXT_MAX], shorter[8];
        struct sockaddr_storage address = client_address(rows[i].host, rows[i].port);
        if (rows[i].scope)
            ((struct sockaddr_in6 *)&address)->sin6_scope_id = rows[i].scope;
        socket_text(&address, text, sizeof(text));
        assert_string_equal(text, rows[i].text);
        socket_text(&address, shorter, sizeof(shorter));
        assert_int_equal(strlen(shorter), 7);
        assert_memory_equal(shorter, rows[i].text, 7);
    }
}

static void addresses_are_told_apart(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "127.0.0.2", "::1", "::", "0.0.0.0"};
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        struct sockaddr_storage a = client_address(hosts[i], 53);
        assert_int_equal(socket_is_wildcard(&a), i >= 3);
        assert_true(socket_is_inet(&a));
        for (size_t k = 0; k < 5; k++) {
            struct sockaddr_storage b = client_address(hosts[k], 53);
            assert_int_equal(socket_is_same(&a, &b), i == k);
            b = client_address(hosts[k], 54);
            assert_false(socket_is_same(&a, &b));
        }
    }
    struct sockaddr_storage a = client_address("fe80::1", 53), b = a;
    ((struct sockaddr_in6 *)&b)->sin6_scope_id = 2;
    assert_false(socket_is_same(&a, &b));
    a.ss_family = AF_UNIX;
    assert_false(socket_is_inet(&a));
}

/* A claim of any free port; the guard keeps it. */
static struct sockaddr_storage claim(const char *host, int *guard)
{
    struct sockaddr_storage address = client_address(host, 0);
    assert_int_equal(socket_claim(&address, guard, NULL), STATUS_OK);
    assert_int_not_equal(client_port(&address), 0);
    assert_true(*guard >= 0);
    return address;
}

static void workers_stand_side_by_side_and_nobody_else_beside_them(void **state)
{
    (void)state;
    int guard = -1, again = -1, fds[4];
    struct sockaddr_storage address = claim("127.0.0.1", &guard);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(socket_open(&address, SOCK_DGRAM, &fds[i], NULL), STATUS_OK);
        assert_int_equal(socket_open(&address, SOCK_STREAM, &fds[2 + i], NULL), STATUS_OK);
    }
    close(guard);
    /* For either protocol alone, too. */
    for (int i = 0; i < 3; i++) {
        struct detail why;
        char text[SOCKET_TEXT_MAX + 40];
        if (i == 1) {
            close(fds[0]);
            close(fds[1]);
        }
        assert_int_equal(socket_claim(&address, &again, &why), STATUS_SYSTEM);
        snprintf(text, sizeof(text), "127.0.0.1:%u: address already in use",
                 (unsigned)client_port(&address));
        assert_string_equal(why.text, text);
        if (i == 1) {
            close(fds[2]);
            close(fds[3]);
            assert_int_equal(socket_open(&address, SOCK_DGRAM, &fds[0], NULL), STATUS_OK);
        }
    }
    close(fds[0]);
    assert_int_equal(socket_claim(&address, &again, NULL), STATUS_OK);
    assert_int_equal(again, -1); /* nothing need be kept: the port was given */
}

static void what_the_machine_lacks_is_told_from_what_is_wrong(void **state)
{
    (void)state;
    struct sockaddr_storage address = client_address("192.0.2.1", 5300);
    struct detail why;
    int fd = -1;
    assert_int_equal(socket_claim(&address, &fd, &why), STATUS_NOT_FOUND);
    assert_non_null(strstr(why.text, "192.0.2.1:5300: "));
    assert_int_equal(socket_open(&address, SOCK_DGRAM, &fd, &why), STATUS_NOT_FOUND);
    assert_int_equal(socket_open(&address, SOCK_STREAM, &fd, &why), STATUS_NOT_FOUND);
    assert_int_equal(fd, -1);
}

static int option_of(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);
    assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

static void sockets_are_set_up_for_what_they_do(void **state)
{
    static const struct {
        const char *host;
        bool is_wildcard;
    } rows[] = {{"127.0.0.1", false}, {"0.0.0.0", true}, {"::1", false}, {"::", true}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool is_v4 = i < 2;
        int guard = -1, udp = -1, tcp = -1;
        struct sockaddr_storage address = claim(rows[i].host, &guard);
        assert_int_equal(socket_open(&address, SOCK_DGRAM, &udp, NULL), STATUS_OK);
        assert_int_equal(socket_open(&address, SOCK_STREAM, &tcp, NULL), STATUS_OK);
        for (int k = 0; k < 2; k++) {
            int fd = k ? tcp : udp;
            assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
            assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
            if (!is_v4)
                assert_int_equal(option_of(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
        }
        /* RFC 2181 4: only there need a reply be told where to come from. */
        assert_int_equal(is_v4 ? option_of(udp, IPPROTO_IP, IP_PKTINFO)
                               : option_of(udp, IPPROTO_IPV6, IPV6_RECVPKTINFO),
                         rows[i].is_wildcard);
        /* RFC 9715: no fragments, no belief in what strangers say of the path. */
        assert_int_equal(is_v4 ? option_of(udp, IPPROTO_IP, IP_MTU_DISCOVER)
                               : option_of(udp, IPPROTO_IPV6, IPV6_MTU_DISCOVER),
                         is_v4 ? IP_PMTUDISC_OMIT : IPV6_PMTUDISC_OMIT);
        assert_int_equal(option_of(tcp, IPPROTO_TCP, TCP_NODELAY), 1);
        assert_int_equal(option_of(tcp, SOL_SOCKET, SO_ACCEPTCONN), 1);
        assert_int_equal(option_of(tcp, SOL_SOCKET, SO_SNDBUF), 2 * 65536);
        assert_true(option_of(udp, SOL_SOCKET, SO_RCVBUF) > 65536);
        close(guard);
        close(udp);
        close(tcp);
    }
}

/* What a client has not taken is known, and dropped when it is to be. */
static void what_is_unsent_can_be_dropped(void **state)
{
    static uint8_t octets[60000];
    (void)state;
    int guard = -1, listener = -1;
    struct sockaddr_storage address = claim("127.0.0.1", &guard);
    assert_int_equal(socket_open(&address, SOCK_STREAM, &listener, NULL), STATUS_OK);
    for (int is_dropped = 0; is_dropped < 2; is_dropped++) {
        int fd = client_connect_from(&address, "127.0.0.1");
        int server = accept(listener, NULL, NULL);
        assert_true(server >= 0);
        assert_int_equal(socket_unsent(server), 0);
        assert_int_equal(send(server, octets, sizeof(octets), 0), sizeof(octets));
        assert_in_range(socket_unsent(server), 1, sizeof(octets));
        if (is_dropped) {
            socket_drop(server);
            close(server);
            uint8_t taken[sizeof(octets)];
            assert_false(client_read(fd, taken, sizeof(taken)));
        } else {
            assert_true(client_read(fd, octets, sizeof(octets)));
            usleep(50000); /* the acknowledgement */
            assert_int_equal(socket_unsent(server), 0);
            close(server);
        }
        close(fd);
    }
    /* Of one that is gone nothing is waited for. */
    int fd = client_connect_from(&address, "127.0.0.1");
    int server = accept(listener, NULL, NULL);
    assert_int_equal(send(server, octets, sizeof(octets), 0), sizeof(octets));
    socket_drop(fd);
    close(fd);
    usleep(20000);
    assert_int_equal(socket_unsent(server), 0);
    close(server);
    close(listener);
    close(guard);
    assert_int_equal(socket_unsent(-1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_written_as_people_write_them),
        cmocka_unit_test(addresses_are_told_apart),
        cmocka_unit_test(workers_stand_side_by_side_and_nobody_else_beside_them),
        cmocka_unit_test(what_the_machine_lacks_is_told_from_what_is_wrong),
        cmocka_unit_test(sockets_are_set_up_for_what_they_do),
        cmocka_unit_test(what_is_unsent_can_be_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
