/* Locations and endpoints: what is taken is taken again from what was made of it. */
#include "registry/base/address.h"
#include "registry/base/utf8.h"
#include "registry/etcd/endpoint.h"
#include "registry/key.h"
#include "zones/name/label.h"

#include <stdlib.h>
#include <string.h>

#define ENDPOINTS_MAX 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void try_location(const char *text, size_t len)
{
    struct address location;
    struct detail why;
    if (address_parse(text, len, &location, &why) != STATUS_OK)
        return;
    check(len <= ADDRESS_TEXT_MAX && utf8_is_clean(text, len));
    check(location.port > 0 && location.host_len > 0);
    check(location.host >= text && location.host + location.host_len < text + len);
}

static void try_endpoint(const char *text, size_t len)
{
    struct endpoint endpoint, again;
    struct detail why;
    if (endpoint_parse(text, len, false, &endpoint, &why) != STATUS_OK)
        return;
    check(endpoint_parse(endpoint.url, strlen(endpoint.url), true, &again, &why) == STATUS_OK);
    check(strcmp(endpoint.url, again.url) == 0 && strcmp(endpoint.host, again.host) == 0);
    check(endpoint.is_https == again.is_https && endpoint.is_literal == again.is_literal);
}

static void try_list(const char *text, size_t len)
{
    struct endpoint list[ENDPOINTS_MAX];
    struct detail why;
    size_t count = 0;
    char *string = strndup(text, len);
    check(string != NULL);
    if (endpoint_parse_list(string, false, list, ENDPOINTS_MAX, &count, &why) == STATUS_OK)
        check(count > 0 && count <= ENDPOINTS_MAX);
    else
        check(count == 0);
    free(string);
}

static void try_tree(const char *text, size_t len)
{
    struct key_root root;
    struct key_parts parts;
    struct kv_key key;
    struct detail why;
    char *string = strndup(text, len);
    check(string != NULL && key_root_parse("/r", &root, &why) == STATUS_OK);
    key_split(text, len, &parts);
    if (key_of_service(&root, string, string, &key, &why) == STATUS_OK) {
        key_split(key.text + root.len, key.len - root.len, &parts);
        check(parts.kind == KEY_KIND_SERVICE && parts.type_len == parts.name_len);
    }
    if (key_of_switch(&root, string, &key, &why) == STATUS_OK) {
        key_split(key.text + root.len, key.len - root.len, &parts);
        check(parts.kind == KEY_KIND_SWITCH && parts.name_len == strlen(string));
    }
    (void)!label_check_switch(string, &why);
    if (key_root_parse(string, &root, &why) == STATUS_OK) {
        struct key_root again;
        check(key_root_parse(root.len > 0 ? root.text : "/", &again, &why) == STATUS_OK);
        check(strcmp(root.text, again.text) == 0);
    }
    free(string);
}

static void try_show(const char *text, size_t len)
{
    char *shown = malloc(len * UTF8_SHOW_MAX + 1);
    check(shown != NULL);
    size_t shown_len = utf8_show(text, len, shown, len * UTF8_SHOW_MAX + 1);
    check(utf8_is_clean(shown, shown_len));
    check(shown_len >= len);
    free(shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    try_location(text, size);
    try_endpoint(text, size);
    try_list(text, size);
    try_tree(text, size);
    try_show(text, size);
    return 0;
}
