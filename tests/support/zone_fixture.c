#include "zone_fixture.h"

static void fixture_on_log(void *arg, enum log_level level, const char *kind, const char *text)
{
    struct fixture *fixture = arg;
    (void)kind;
    fixture->warnings += level == LOG_LEVEL_WARNING;
    snprintf(fixture->warning, sizeof(fixture->warning), "%s", text);
}

static void fixture_on_host(struct fixture *fixture, char sign, const char *name)
{
    size_t len = strlen(fixture->hosts);
    snprintf(fixture->hosts + len, sizeof(fixture->hosts) - len, "%c%s ", sign, name);
}

static enum status fixture_on_added(void *arg, const char *name)
{
    fixture_on_host(arg, '+', name);
    return STATUS_OK;
}

static void fixture_on_removed(void *arg, const char *name)
{
    fixture_on_host(arg, '-', name);
}

void fixture_open(struct fixture *fixture, struct zone_options options)
{
    struct detail why;
    memset(fixture, 0, sizeof(*fixture));
    options.domain = options.domain ? options.domain : "z";
    options.record_ttl_s = options.record_ttl_s ? options.record_ttl_s : 10;
    options.negative_ttl_s = options.negative_ttl_s ? options.negative_ttl_s : 5;
    options.has_switches = true;
    options.log = (struct log){.write = fixture_on_log, .arg = fixture};
    options.host_added = fixture_on_added;
    options.host_removed = fixture_on_removed;
    options.arg = fixture;
    if (zone_new(&options, &fixture->zone, &why) != STATUS_OK)
        fail_msg("%s", why.text);
}

void fixture_close(struct fixture *fixture)
{
    zone_free(fixture->zone);
}

void fixture_put_leased(struct fixture *fixture, const char *key, const char *value, int64_t lease)
{
    assert_int_equal(
        zone_put(fixture->zone, key, strlen(key), value, strlen(value), ++fixture->revision, lease),
        STATUS_OK);
}

void fixture_put(struct fixture *fixture, const char *key, const char *value)
{
    fixture_put_leased(fixture, key, value, 0);
}

void fixture_remove(struct fixture *fixture, const char *key)
{
    fixture->revision++;
    zone_remove(fixture->zone, key, strlen(key));
}

void fixture_commit(struct fixture *fixture)
{
    zone_commit(fixture->zone, ++fixture->revision);
}

struct zone_counts fixture_counts(const struct fixture *fixture)
{
    struct zone_counts counts;
    zone_counts(fixture->zone, &counts);
    return counts;
}

const struct node *fixture_find(const struct fixture *fixture, const char *text)
{
    const struct view *view = zone_view(fixture->zone);
    struct name_buffer name = {.len = 0};
    if (*text)
        assert_int_equal(name_from_text(text, &name, NULL), STATUS_OK);
    name.len = (uint8_t)(name.len - (name.len > 0)); /* relative: without the root label */
    name_fold_exact(name.octets, name.octets, name.len);
    return view_find(view, name_of(&name), name_hash(&view->seed, name_of(&name)));
}

int fixture_kind(const struct fixture *fixture, const char *text)
{
    const struct node *node = fixture_find(fixture, text);
    return node ? (int)node_kind(node) : -1;
}

static int fixture_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

const char *fixture_text(struct fixture *fixture, const char *owner)
{
    char *all = NULL, *lines[1024], *rest = NULL;
    size_t size, count = 0, used = 0, owner_len = strlen(owner);
    FILE *file = open_memstream(&all, &size);
    assert_non_null(file);
    assert_int_equal(text_zone(fixture->zone, file), STATUS_OK);
    fclose(file);
    for (char *line = strtok_r(all, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (strncasecmp(line, owner, owner_len) == 0 && line[owner_len] == '.')
            lines[count++] = line;
    qsort(lines, count, sizeof(lines[0]), fixture_compare);
    fixture->text[0] = '\0';
    for (size_t i = 0; i < count; i++)
        used +=
            (size_t)snprintf(fixture->text + used, sizeof(fixture->text) - used, "%s\n", lines[i]);
    free(all);
    for (char *at = fixture->text; *at; at++)
        if (*at == '\t')
            *at = ' ';
    return fixture->text;
}
