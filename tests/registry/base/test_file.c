#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "registry/base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX 200000

static char path[] = "/tmp/empusa-test-XXXXXX";

static void put(size_t len, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_TRUNC);
    assert_true(fd >= 0);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void it_is_read_whole_up_to_its_limit(void **state)
{
    static const size_t lens[] = {0, 1, 65535, 65536, 65537, MAX - 1, MAX, MAX + 1};
    (void)state;
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        struct file file = {0};
        struct detail why = {""};
        put(lens[i], 0600);
        enum status status = file_read(path, MAX, i % 2 == 0, &file, &why);
        if (lens[i] > MAX) {
            assert_int_equal(status, STATUS_TOO_LARGE);
            assert_null(file.data);
            continue;
        }
        assert_int_equal(status, STATUS_OK);
        assert_int_equal(file.len, lens[i]);
        assert_int_equal(strlen(file.data), lens[i]);
        assert_false(file.is_open_to_others);
        file_clear(&file);
        assert_null(file.data);
    }
}

/* As one does that grows while it is read. */
static void one_that_has_more_than_it_says_is_read_whole(void **state)
{
    struct file file = {0};
    struct detail why = {""};
    struct stat st;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), count = 2000;
    (void)state;
    /* Each second page another mapping, and so a line. */
    char *pages = mmap(NULL, count * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(pages, MAP_FAILED);
    for (size_t i = 0; i < count; i += 2)
        assert_int_equal(mprotect(pages + i * page, page, PROT_READ), 0);
    assert_int_equal(stat("/proc/self/maps", &st), 0);
    assert_int_equal(st.st_size, 0);
    assert_int_equal(file_read("/proc/self/maps", 1 << 20, true, &file, &why), STATUS_OK);
    assert_in_range(file.len, 65537, 1 << 20);
    assert_int_equal(strlen(file.data), file.len);
    assert_int_equal(file.data[file.len - 1], '\n');
    file_clear(&file);
    assert_int_equal(file_read("/proc/self/maps", 65537, true, &file, &why), STATUS_TOO_LARGE);
    assert_string_equal(why.text, "longer than 65537 octets");
    munmap(pages, count * page);
}

static void who_may_read_it_is_seen(void **state)
{
    static const struct {
        mode_t mode;
        bool is_open;
    } rows[] = {{0600, false}, {0640, false}, {0660, false}, {0604, true}, {0602, true}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct file file;
        struct detail why;
        put(1, rows[i].mode);
        assert_int_equal(file_read(path, MAX, true, &file, &why), STATUS_OK);
        assert_int_equal(file.is_open_to_others, rows[i].is_open);
        file_clear(&file);
    }
}

static void what_cannot_be_read_says_why(void **state)
{
    struct file file = {0};
    struct detail why = {""};
    (void)state;
    assert_int_equal(file_read("/nonexistent/file", MAX, true, &file, &why), STATUS_SYSTEM);
    assert_string_equal(why.text, "No such file or directory");
    assert_int_equal(file_read("/tmp", MAX, true, &file, &why), STATUS_SYSTEM);
    assert_string_equal(why.text, "Is a directory");
    assert_null(file.data);
}

/* Whoever opens it would wait for one who writes. */
static void a_pipe_is_not_waited_for(void **state)
{
    struct file file = {0};
    struct detail why = {""};
    (void)state;
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(file_read(path, MAX, false, &file, &why), STATUS_OK);
    assert_int_equal(file.len, 0);
    file_clear(&file);
    int fd = open(path, O_RDWR | O_NONBLOCK);
    assert_int_equal(file_read(path, MAX, false, &file, &why), STATUS_SYSTEM);
    assert_int_equal(write(fd, "later", 5), 5);
    close(fd);
}

static int setup(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    close(fd);
    return fd < 0;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_read_whole_up_to_its_limit),
        cmocka_unit_test(one_that_has_more_than_it_says_is_read_whole),
        cmocka_unit_test(who_may_read_it_is_seen),
        cmocka_unit_test(what_cannot_be_read_says_why),
        cmocka_unit_test(a_pipe_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
