#include "bound.h"

#include "registry/base/address.h"

bool bound_address(const struct server *server, size_t i, struct sockaddr_storage *out)
{
    char text[4096], *rest = text, *one;
    server_addresses(server, text, sizeof(text));
    while ((one = strsep(&rest, ", ")) && (*one == '\0' || i-- > 0))
        ;
    return one && address_parse_listen(one, 0, out, NULL) == STATUS_OK;
}
