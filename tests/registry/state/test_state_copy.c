/* What a copy on disk gives: what was written, or nothing; and what becomes of one that is not used. */
#include "registry/state/state_db.h"
#include "support/in_child.h"
#include "support/random.h"
#include "support/state_store.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <stdio.h>
#include <cmocka.h>
// clang-format on

#include <sys/stat.h>
#include <unistd.h>

static struct state_store store;
static char log_path[128];

static int begin(void **state)
{
    (void)state;
    state_store_begin(&store);
    snprintf(log_path, sizeof(log_path), "%s-wal", store.path);
    return 0;
}

static int end(void **state)
{
    (void)state;
    state_store_end(&store);
    return 0;
}

static struct state_model some_model(unsigned keys, uint32_t seed)
{
    struct state_model model = {.mark = state_store_mark(seed)};
    for (unsigned i = 0; i < keys; i++)
        model.keys[i] = 1 + i * 17 + seed;
    return model;
}

static bool is_there(const char *suffix)
{
    char path[128];
    snprintf(path, sizeof(path), "%s%s", store.path, suffix);
    return access(path, F_OK) == 0;
}

static void what_was_written_is_read_with_or_without_its_log(void **state)
{
    (void)state;
    for (int keep_log = 0; keep_log <= 1; keep_log++) {
        struct state_model model = some_model(keep_log ? 1500 : 1000, 5 + (uint32_t)keep_log);
        state_store_write(&store, &model, keep_log);
        assert_int_equal(is_there("-wal"), keep_log);
        assert_int_equal(state_store_read(&store), STATUS_OK);
        assert_false(store.is_odd);
        assert_true(state_model_is(&store.found, &model));
    }
    assert_string_equal(log_lines_take(&store.lines), "");
}

static void a_directory_without_one_has_none_and_takes_one(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(rmdir(store.dir), 0);
    assert_int_equal(state_store_read(&store), STATUS_NOT_FOUND);
    assert_int_equal(stat(store.dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(stat(store.path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    /* What another process made, and then had no time to fill. */
    assert_int_equal(state_store_read(&store), STATUS_NOT_FOUND);
    struct state_model model = some_model(3, 1);
    state_store_write(&store, &model, false);
    assert_int_equal(state_store_read(&store), STATUS_OK);
    assert_true(state_model_is(&store.found, &model));
    assert_string_equal(log_lines_take(&store.lines), "");
}

static void open_while_it_is_open(void)
{
    struct detail why;
    struct state_copy *copy = NULL;
    CHILD_EXPECT(state_store_open(&store, &copy, &why) == STATUS_CONFLICT);
    CHILD_EXPECT(strcmp(why.text, "another process uses it") == 0);
    CHILD_EXPECT(strcmp(log_lines_take(&store.lines), "") == 0);
}

static void one_process_has_it_and_no_child_of_it(void **state)
{
    (void)state;
    struct detail why;
    for (int is_filled = 0; is_filled <= 1; is_filled++) {
        struct state_copy *copy = NULL;
        assert_int_equal(state_store_open(&store, &copy, &why), STATUS_OK);
        assert_true(in_child(open_while_it_is_open));
        state_copy_close(copy);
        struct state_model model = some_model(3, 1);
        state_store_write(&store, &model, true);
    }
}

static void one_of_another_root_is_neither_used_nor_changed(void **state)
{
    (void)state;
    struct detail why;
    struct state_copy *copy = NULL;
    struct state_model model = some_model(30, 1);
    size_t before_len, after_len;
    state_store_write(&store, &model, false);
    char *before = state_store_slurp(store.path, &before_len);
    assert_int_equal(state_copy_open(store.dir, "/other/", 7, &store.lines.log, &copy, &why),
                     STATUS_OK);
    assert_non_null(strstr(log_lines_take(&store.lines), "it is of the tree root \"/test/\""));
    assert_int_equal(state_store_load(&store, copy), STATUS_NOT_FOUND);
    assert_false(state_copy_is_writable(copy));
    state_copy_close(copy);
    char *after = state_store_slurp(store.path, &after_len);
    assert_int_equal(before_len, after_len);
    assert_memory_equal(before, after, before_len);
    free(before);
    free(after);
    assert_int_equal(state_store_read(&store), STATUS_OK);
}

static void one_that_is_damaged_is_put_aside_and_a_new_one_begun(void **state)
{
    (void)state;
    struct state_model model = some_model(30, 1);
    for (int i = 0; i < 2; i++) {
        size_t len;
        state_store_write(&store, &model, false);
        char *octets = state_store_slurp(store.path, &len);
        char *row = memmem(octets, len, "service/web/00017", 17);
        assert_non_null(row);
        row[16] ^= 1;
        state_store_spill(store.path, octets, len);
        free(octets);
        assert_int_equal(state_store_read(&store), STATUS_BAD_REPLY);
        assert_non_null(
            strstr(log_lines_take(&store.lines), "damaged, it is now registry.db.damaged"));
        assert_true(is_there(".damaged"));
        assert_int_equal(state_store_read(&store), STATUS_NOT_FOUND);
        assert_string_equal(log_lines_take(&store.lines), "");
    }
    /* No database at all. */
    state_store_spill(store.path, "This is a text, and no database of whatever kind.\n", 50);
    assert_int_equal(state_store_read(&store), STATUS_NOT_FOUND);
    assert_non_null(strstr(log_lines_take(&store.lines), "damaged"));
    assert_int_equal(state_store_read(&store), STATUS_NOT_FOUND);
    assert_string_equal(log_lines_take(&store.lines), "");
}

/* As a user who may not write there. */
static void read_without_the_right_to_write(void)
{
    CHILD_EXPECT(chown(store.dir, 65534, 65534) == 0 && chmod(store.dir, 0500) == 0);
    CHILD_EXPECT(setresuid(65534, 65534, 65534) == 0);
    struct detail why;
    struct state_copy *copy = NULL;
    CHILD_EXPECT(state_store_open(&store, &copy, &why) == STATUS_OK);
    CHILD_EXPECT(!state_copy_is_writable(copy));
    CHILD_EXPECT(strstr(log_lines_take(&store.lines), "no copy is kept"));
    CHILD_EXPECT(state_store_load(&store, copy) == STATUS_OK);
    CHILD_EXPECT(!state_copy_is_loaded(copy));
    CHILD_EXPECT(store.found.keys[29] > 0 && !store.is_odd);
    state_copy_close(copy);
    CHILD_EXPECT(strcmp(log_lines_take(&store.lines), "") == 0);
}

static void what_cannot_be_written_is_read_all_the_same(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    for (int keep_log = 0; keep_log <= 1; keep_log++) {
        struct state_model model = some_model(30, 1);
        state_store_write(&store, &model, keep_log);
        assert_int_equal(chmod(store.path, 0444), 0);
        assert_int_equal(keep_log ? chmod(log_path, 0444) : 0, 0);
        assert_true(in_child(read_without_the_right_to_write));
        assert_int_equal(chown(store.dir, geteuid(), getegid()), 0);
        assert_int_equal(chmod(store.dir, 0700), 0);
    }
}

static void try_to_open_nothing(void)
{
    CHILD_EXPECT(chown(store.dir, 65534, 65534) == 0 && chmod(store.dir, 0500) == 0);
    CHILD_EXPECT(setresuid(65534, 65534, 65534) == 0);
    struct detail why;
    struct state_copy *copy = NULL;
    CHILD_EXPECT(state_store_open(&store, &copy, &why) == STATUS_OK);
    CHILD_EXPECT(!state_copy_is_writable(copy));
    CHILD_EXPECT(state_store_load(&store, copy) == STATUS_NOT_FOUND);
    state_copy_close(copy);
    const char *lines = log_lines_take(&store.lines);
    CHILD_EXPECT(strstr(lines, "no copy is kept: Permission denied"));
    CHILD_EXPECT(!strstr(lines, "cannot be used"));
}

static void an_empty_directory_that_cannot_be_written_is_said_once(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_true(in_child(try_to_open_nothing));
    assert_int_equal(chown(store.dir, geteuid(), getegid()), 0);
}

struct image {
    size_t lens[2];
    char *files[2]; /* the file and its log */
};

#define SECTOR 512
#define PAGE   4096

/* What media do: a bit, a sector that reads as zeros, a page that was written elsewhere, an end that is missing. */
static void damage(struct random *random, char *octets, size_t *len)
{
    size_t at = random_draw(random, *len), sector = at - at % SECTOR, page = at - at % PAGE;
    switch (random_draw(random, 10)) {
    case 0:
        memset(octets + sector, 0, *len - sector < SECTOR ? *len - sector : SECTOR);
        break;
    case 1:
        if (*len > 2 * PAGE && page + PAGE <= *len)
            memmove(octets + page, octets + random_draw(random, *len / PAGE) * PAGE, PAGE);
        break;
    case 2:
        *len = at;
        break;
    default:
        octets[at] = (char)(octets[at] ^ 1 << random_draw(random, 8));
    }
}

static bool is_right_with_damage(const struct image *image, struct random *random,
                                 const struct state_model models[2], unsigned *used)
{
    struct random before = *random;
    size_t which = random_draw(random, image->lens[0] + image->lens[1]) >= image->lens[0];
    state_store_empty(&store);
    for (size_t i = 0; i < 2; i++) {
        size_t len = image->lens[i];
        char *octets = malloc(len + 1);
        assert_non_null(octets);
        if (len > 0)
            memcpy(octets, image->files[i], len);
        if (i == which)
            damage(random, octets, &len);
        if (image->lens[i] > 0)
            state_store_spill(i == 0 ? store.path : log_path, octets, len);
        free(octets);
    }
    if (state_store_read(&store) != STATUS_OK)
        return true;
    (*used)++;
    if (!store.is_odd &&
        (state_model_is(&store.found, &models[0]) || state_model_is(&store.found, &models[1])))
        return true;
    print_message("wrong, with the seed %llu\n", (unsigned long long)before.state);
    return false;
}

/* Anywhere in the file or its log: what is then read is what was written, then or before, or nothing. */
static void whatever_is_damaged_nothing_wrong_is_read(void **state)
{
    (void)state;
    struct random random = random_begin(20261130);
    unsigned tries = getenv("EMPUSA_LONG") ? 10000 : 700;
    for (int has_log = 0; has_log <= 1; has_log++) {
        struct image image = {{0}, {NULL}};
        struct state_model models[2] = {some_model(300, 1)};
        unsigned used = 0;
        models[1] = models[0];
        models[1].mark = state_store_mark(1000);
        models[1].keys[17] = models[1].keys[170] = 1000;
        models[1].keys[18] = 0;
        state_store_empty(&store);
        state_store_write(&store, &models[0], false);
        state_store_write(&store, &models[1], has_log);
        image.files[0] = state_store_slurp(store.path, &image.lens[0]);
        if (has_log)
            image.files[1] = state_store_slurp(log_path, &image.lens[1]);
        for (unsigned i = 0; i < tries; i++)
            assert_true(is_right_with_damage(&image, &random, models, &used));
        print_message("%u of %u damaged copies were used\n", used, tries);
        assert_true(used > 0 && used < tries);
        free(image.files[0]);
        free(image.files[1]);
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_written_is_read_with_or_without_its_log),
        TEST(a_directory_without_one_has_none_and_takes_one),
        TEST(one_process_has_it_and_no_child_of_it),
        TEST(one_of_another_root_is_neither_used_nor_changed),
        TEST(one_that_is_damaged_is_put_aside_and_a_new_one_begun),
        TEST(what_cannot_be_written_is_read_all_the_same),
        TEST(an_empty_directory_that_cannot_be_written_is_said_once),
        TEST(whatever_is_damaged_nothing_wrong_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
