#include "zones/store/member_vector.h"

#include "support/random.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ITEMS 9000 /* direct chunks and some pages */
#define STEPS 40000

/* Each item knows its position, as its owner would. */
struct item {
    uint32_t position;
    bool is_in;
};

static struct {
    struct item items[2 * ITEMS]; /* the second half stands in for the first */
    const struct item *drafted[ITEMS], *published[ITEMS];
    uint32_t drafted_count, published_count;
} model;

static void check_published(const struct member_vector *list)
{
    uint32_t count = list->published ? list->published->count : 0;
    assert_int_equal(count, model.published_count);
    for (uint32_t i = 0; i < count; i++)
        assert_ptr_equal(member_vector_at(list->published, i), model.published[i]);
}

static void publish(struct member_vector *list, uint32_t ttl_s)
{
    bool has_draft = list->draft != NULL;
    bool is_other = list->published && list->published->ttl_s != ttl_s;
    assert_int_equal(member_vector_publish(list, ttl_s), has_draft || is_other);
    memcpy(model.published, model.drafted, sizeof(model.drafted));
    model.published_count = model.drafted_count;
    check_published(list);
    if (list->published)
        assert_int_equal(list->published->ttl_s, ttl_s);
    assert_false(member_vector_publish(list, ttl_s));
    rcu_collect();
}

static void append(struct member_vector *list, struct item *item)
{
    assert_int_equal(member_vector_append(list, item, &item->position), STATUS_OK);
    assert_int_equal(item->position, model.drafted_count);
    model.drafted[model.drafted_count++] = item;
    item->is_in = true;
}

static void remove_at(struct member_vector *list, uint32_t position)
{
    ((struct item *)(uintptr_t)model.drafted[position])->is_in = false;
    struct item *moved = member_vector_remove(list, position);
    const struct item *last = model.drafted[--model.drafted_count];
    if (position == model.drafted_count) {
        assert_null(moved);
        return;
    }
    assert_ptr_equal(moved, last);
    moved->position = position;
    model.drafted[position] = last;
}

/* Another edition of an item is seen at once, in the draft and in what is published. */
static void replace_at(struct member_vector *list, uint32_t position)
{
    struct item *old = (struct item *)(uintptr_t)model.drafted[position];
    size_t index = (size_t)(old - model.items);
    struct item *item = &model.items[index < ITEMS ? index + ITEMS : index - ITEMS];
    *item = (struct item){position, true};
    old->is_in = false;
    member_vector_replace(list, position, old, item);
    model.drafted[position] = item;
    if (position < model.published_count && model.published[position] == old)
        model.published[position] = item;
}

static struct item *unused(const struct random *random)
{
    size_t start = (size_t)random->state % ITEMS;
    for (size_t i = 0; i < ITEMS; i++) {
        struct item *item = &model.items[(start + i) % ITEMS];
        if (!item->is_in && !item[ITEMS].is_in)
            return item;
    }
    return NULL;
}

static void step(struct member_vector *list, struct random *random, uint32_t wanted)
{
    uint64_t choice = random_draw(random, 10);
    if (choice == 0) {
        publish(list, (uint32_t)random_draw(random, 3));
    } else if (choice == 1 && model.drafted_count > 0) {
        replace_at(list, (uint32_t)random_draw(random, model.drafted_count));
    } else if (model.drafted_count > wanted) {
        remove_at(list, (uint32_t)random_draw(random, model.drafted_count));
    } else {
        struct item *item = unused(random);
        if (item)
            append(list, item);
    }
}

static void holds_what_an_array_holds(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {0, 3900, 8000}; /* around which it grows and shrinks */
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct member_vector list = {.draft = NULL};
        struct random random = random_begin(31);
        memset(&model, 0, sizeof(model));
        while (model.drafted_count < sizes[i])
            append(&list, &model.items[model.drafted_count]);
        uint32_t wanted = sizes[i] + 100;
        for (unsigned j = 0; j < STEPS; j++) {
            if (random_draw(&random, 300) == 0)
                wanted = sizes[i] + (uint32_t)random_draw(&random, 400);
            step(&list, &random, wanted);
            assert_int_equal(list.live, model.drafted_count);
            if (j % 64 == 0)
                check_published(&list);
        }
        publish(&list, 9);
        member_vector_clear(&list);
        assert_null(list.published);
        rcu_barrier_all();
    }
}

/* How many chunks and pages two versions do not share. */
static uint32_t others(const struct member_version *a, const struct member_version *b)
{
    uint32_t count = 0, chunks = (a->count + MEMBER_VECTOR_CHUNK - 1) / MEMBER_VECTOR_CHUNK;
    for (uint32_t i = 0; i < chunks; i++) {
        count += member_vector_chunk_at(a, i) != member_vector_chunk_at(b, i);
        if (i >= MEMBER_VECTOR_DIRECT && (i - MEMBER_VECTOR_DIRECT) % MEMBER_VECTOR_CHUNK == 0) {
            uint32_t page = MEMBER_VECTOR_DIRECT + (i - MEMBER_VECTOR_DIRECT) / MEMBER_VECTOR_CHUNK;
            count += a->chunks[page] != b->chunks[page];
        }
    }
    return count;
}

static void a_change_copies_the_same_whatever_the_size(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {10, 4000, 4200, 100000, 1000000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct item item = {.position = 0}, other = item;
        struct member_vector list = {.draft = NULL};
        uint32_t position;
        for (uint32_t j = 0; j < sizes[i]; j++)
            assert_int_equal(member_vector_append(&list, &item, &position), STATUS_OK);
        assert_true(member_vector_publish(&list, 1));
        const struct member_version *before = list.published;
        assert_true(before->capacity <= (MEMBER_VECTOR_DIRECT + sizes[i] / 4096 + 1) * 9 / 8 + 1);
        member_vector_replace(&list, sizes[i] / 2, &item, &other);
        assert_false(member_vector_publish(&list, 1));
        assert_ptr_equal(list.published, before);
        assert_ptr_equal(member_vector_at(before, sizes[i] / 2), &other);
        (void)member_vector_remove(&list, sizes[i] / 3);
        assert_int_equal(member_vector_append(&list, &item, &position), STATUS_OK);
        assert_int_equal(position, sizes[i] - 1);
        assert_true(member_vector_publish(&list, 1));
        assert_in_range(others(before, list.published), 1, 4);
        member_vector_clear(&list);
        rcu_barrier_all();
    }
}

static void fills_and_empties_at_the_edges_of_chunks(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1,   63,   64,   65,   127,  128,  129,
                                     640, 4095, 4096, 4097, 8191, 8192, 8193};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct member_vector list = {.draft = NULL};
        memset(&model, 0, sizeof(model));
        for (uint32_t j = 0; j < sizes[i]; j++)
            append(&list, &model.items[j]);
        publish(&list, 1);
        while (model.drafted_count > 0)
            remove_at(&list, 0);
        check_published(&list);
        publish(&list, 1);
        append(&list, &model.items[0]);
        publish(&list, 1);
        member_vector_clear(&list);
        rcu_barrier_all();
    }
}

/* Growing to some pages and back again leaves no memory behind, whichever page empties. */
static void pages_that_empty_are_given_back(void **state)
{
    (void)state;
    size_t held[4];
    memset(&model, 0, sizeof(model));
    struct member_vector list = {.draft = NULL};
    for (unsigned round = 0; round < 4; round++) {
        while (model.drafted_count < ITEMS)
            append(&list, &model.items[model.drafted_count]);
        publish(&list, 1);
        while (model.drafted_count > 0) {
            remove_at(&list, model.drafted_count - 1);
            if (model.drafted_count % 500 == 0)
                publish(&list, 1);
        }
        publish(&list, 1);
        rcu_barrier_all();
        held[round] = mallinfo2().uordblks;
    }
    assert_int_equal(held[3], held[2]);
    while (model.drafted_count < ITEMS)
        append(&list, &model.items[model.drafted_count]);
    publish(&list, 1);
    member_vector_retire(&list); /* all of it: pages, too */
    rcu_barrier_all();
    /* What retire leaves is the caller's to forget. */
    assert_true(mallinfo2().uordblks <= held[3]);
}

static void retires_all_with_readers(void **state)
{
    (void)state;
    struct member_vector list = {.draft = NULL};
    memset(&model, 0, sizeof(model));
    for (uint32_t j = 0; j < 130; j++)
        append(&list, &model.items[j]);
    publish(&list, 1);
    member_vector_retire(&list);
    check_published(&list);
    rcu_barrier_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_what_an_array_holds),
        cmocka_unit_test(a_change_copies_the_same_whatever_the_size),
        cmocka_unit_test(fills_and_empties_at_the_edges_of_chunks),
        cmocka_unit_test(pages_that_empty_are_given_back),
        cmocka_unit_test(retires_all_with_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
