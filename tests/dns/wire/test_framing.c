#include "dns/wire/framing.h"

#include "support/client.h"
#include "zones/name/rr.h"

static const struct {
    const char *stream;
    size_t len;
    size_t lens[4]; /* of the messages; up to count */
    unsigned count;
    size_t left; /* behind the last of them */
} rows[] = {
    {"", 0, {0}, 0, 0},
    {"\0", 1, {0}, 0, 1},
    {"\0\3", 2, {0}, 0, 2},
    {"\0\3ab", 4, {0}, 0, 4},
    {"\0\3abc", 5, {3}, 1, 0},
    {"\0\3abc\0", 6, {3}, 1, 1},
    {"\0\0\0\0\0\1x", 7, {0, 0, 1}, 3, 0}, /* lengths below a header's are messages, too */
    {"\0\3abc\0\2de\1\0f", 12, {3, 2}, 2, 3},
    {"\xff\xff"
     "abc",
     5,
     {0},
     0,
     5},
};

static void a_stream_is_cut_at_its_lengths(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct framing framing = {(const uint8_t *)rows[i].stream, rows[i].len, 0};
        const uint8_t *message;
        size_t len;
        unsigned count = 0;
        while (framing_next(&framing, &message, &len)) {
            assert_true(count < rows[i].count);
            assert_int_equal(len, rows[i].lens[count++]);
            assert_ptr_equal(message + len, framing.bytes + framing.at);
        }
        assert_int_equal(count, rows[i].count);
        assert_int_equal(framing.len - framing.at, rows[i].left);
    }
}

static void the_longest_message_fits_the_longest_frame(void **state)
{
    static uint8_t stream[FRAMING_MAX];
    (void)state;
    rr_put16(stream, 65535);
    struct framing framing = {stream, sizeof(stream) - 1, 0};
    const uint8_t *message;
    size_t len;
    assert_false(framing_next(&framing, &message, &len));
    framing.len++;
    assert_true(framing_next(&framing, &message, &len));
    assert_int_equal(len, 65535);
    assert_int_equal(framing.at, FRAMING_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_is_cut_at_its_lengths),
        cmocka_unit_test(the_longest_message_fits_the_longest_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
