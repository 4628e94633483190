#include "command.h"

#include <stdio.h>
#include <string.h>

/* Longer words are not compared: nobody meant them. */
#define WORD_MAX  40
#define PART_MIN  3
#define WORDS_MAX 64

static bool command_is_same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

const struct command *command_find(const struct command_table *table, const char *group,
                                   const char *name)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct command *command = &table->commands[i];
        if (command_is_same(command->group, group) && strcmp(command->name, name) == 0)
            return command;
    }
    return NULL;
}

const struct command_group *command_group(const struct command_table *table, const char *name)
{
    for (size_t i = 0; i < table->group_count; i++) {
        if (strcmp(table->groups[i].name, name) == 0)
            return &table->groups[i];
    }
    return NULL;
}

const char *command_word(const struct command_table *table, const char *group, size_t i)
{
    if (!group) {
        if (i < table->group_count)
            return table->groups[i].name;
        i -= table->group_count;
    }
    for (size_t k = 0; k < table->count; k++) {
        const struct command *command = &table->commands[k];
        if (!command->is_hidden && command_is_same(command->group, group) && i-- == 0)
            return command->name;
    }
    return NULL;
}

static size_t command_least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: Levenshtein's distance, but that an exchange of neighbours counts as
 * one, so "sevre" is one slip from "serve" and not two. No cell depends on what is more than two
 * rows above it: three rows of the matrix suffice, taken in turns. */
size_t command_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][WORD_MAX + 1];
    if (a_len > WORD_MAX || b_len > WORD_MAX)
        return a_len + b_len;
    for (size_t k = 0; k <= b_len; k++)
        rows[0][k] = k;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t k = 1; k <= b_len; k++) {
            row[k] = command_least(above[k - 1] + (a[i - 1] != b[k - 1]),
                                   command_least(above[k], row[k - 1]) + 1);
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
                row[k] = command_least(row[k], two_above[k - 2] + 1);
        }
    }
    return rows[a_len % 3][b_len];
}

/* The distance, if a slip of the fingers can account for it; else SIZE_MAX. Short words are many: a
 * slip in one leaves its first letter. */
static size_t command_slip(const char *typed, size_t len, const char *word, size_t word_len)
{
    size_t longer = len > word_len ? len : word_len;
    size_t allowed = longer < 3 ? 0 : longer < 6 ? 1 : longer < 9 ? 2 : 3;
    size_t distance = command_distance(typed, len, word, word_len);
    bool is_slip = len > 0 && distance <= allowed && (longer >= 6 || typed[0] == word[0]);
    return is_slip ? distance : SIZE_MAX;
}

/* Whether a part of `word`, from a '-' or its beginning on, begins with `typed` or almost is it.
 * What is short to the whole word is a part of too many to mean any. */
static bool command_is_part(const char *typed, size_t len, const char *word)
{
    size_t word_len = strlen(word);
    if (len < PART_MIN || len * 3 < word_len)
        return false;
    for (const char *part = word; part; part = strchr(part, '-')) {
        part += *part == '-';
        size_t part_len = strlen(part);
        if (part_len >= len && memcmp(part, typed, len) == 0)
            return true;
        if (part != word && command_slip(typed, len, part, part_len) != SIZE_MAX)
            return true;
    }
    return false;
}

/* How likely it was meant, the less the likelier; SIZE_MAX: not at all. */
static size_t command_rank_of(const char *typed, size_t len, const char *word)
{
    size_t distance = command_slip(typed, len, word, strlen(word));
    return distance == SIZE_MAX && command_is_part(typed, len, word) ? WORD_MAX : distance;
}

const char *command_suggest(const char *typed, size_t len, const char *const *names, size_t count)
{
    const char *best = NULL;
    size_t best_rank = SIZE_MAX;
    bool is_tie = false;
    for (size_t i = 0; i < count; i++) {
        size_t rank = command_rank_of(typed, len, names[i]);
        if (rank == SIZE_MAX || rank > best_rank)
            continue;
        /* The same name may be there twice: "ttl" of services and of switches. */
        is_tie = rank == best_rank && (is_tie || strcmp(best, names[i]) != 0);
        best = names[i];
        best_rank = rank;
    }
    return is_tie ? NULL : best;
}

/* Whether the word may follow `group`; after none, commands of groups are looked at, too: "list".
 */
static bool command_may_follow(const char *group, const struct command *command)
{
    return !command->is_hidden && (!group || command_is_same(command->group, group));
}

static void command_add_meant(const char *name, char *out, size_t size)
{
    size_t len = strlen(out);
    snprintf(out + len, size - len, "%s\"%s\"", len ? " or " : "", name);
}

bool command_nearest(const struct command_table *table, const char *group, const char *word,
                     char *out, size_t size)
{
    const char *names[WORDS_MAX] = {NULL};
    size_t count = 0;
    for (size_t i = 0; !group && i < table->group_count; i++)
        names[count++] = table->groups[i].name;
    for (size_t i = 0; i < table->count && count < WORDS_MAX; i++) {
        if (command_may_follow(group, &table->commands[i]))
            names[count++] = table->commands[i].name;
    }
    const char *best = command_suggest(word, strlen(word), names, count);
    if (!best)
        return false;
    out[0] = '\0';
    if (!group && command_group(table, best))
        command_add_meant(best, out, size);
    /* All of that name, as "list" is a command of two groups. */
    for (size_t i = 0; i < table->count; i++) {
        const struct command *command = &table->commands[i];
        if (command_may_follow(group, command) && strcmp(command->name, best) == 0)
            command_add_meant(command->full_name, out, size);
    }
    return true;
}

const char *command_operand(const struct command *command, size_t i, size_t *len)
{
    const char *name = command->operands;
    for (; name && i > 0; i--) {
        name = strchr(name, ' ');
        name = name ? name + 1 : NULL;
    }
    if (name)
        *len = strcspn(name, " ");
    return name;
}
