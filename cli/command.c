#include "command.h"

#include <stdio.h>
#include <string.h>

/* Longer words are not compared: nobody meant them. */
#define WORD_MAX 40

static bool is_same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

const struct command *command_find(const struct command_table *table, const char *group,
                                   const char *name)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct command *command = &table->commands[i];
        if (is_same(command->group, group) && strcmp(command->name, name) == 0)
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
        if (!command->is_hidden && is_same(command->group, group) && i-- == 0)
            return command->name;
    }
    return NULL;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t command_distance(const char *typed, const char *word)
{
    size_t typed_len = strlen(typed), word_len = strlen(word);
    if (typed_len > WORD_MAX || word_len > WORD_MAX)
        return typed_len + word_len;
    size_t row[WORD_MAX + 1];
    for (size_t k = 0; k <= word_len; k++)
        row[k] = k;
    for (size_t i = 1; i <= typed_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t k = 1; k <= word_len; k++) {
            size_t exchange = diagonal + (typed[i - 1] != word[k - 1]);
            diagonal = row[k];
            row[k] = least(exchange, least(row[k], row[k - 1]) + 1);
        }
    }
    return row[word_len];
}

bool command_is_near(const char *typed, const char *word, size_t distance)
{
    size_t typed_len = strlen(typed), word_len = strlen(word);
    return distance * 2 <= (typed_len > word_len ? typed_len : word_len);
}

/* A command of a group typed without the group: "register". */
static const struct command *grouped(const struct command_table *table, const char *word)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->commands[i].group && strcmp(table->commands[i].name, word) == 0)
            return &table->commands[i];
    }
    return NULL;
}

bool command_nearest(const struct command_table *table, const char *group, const char *word,
                     char *out, size_t size)
{
    const struct command *command = group ? NULL : grouped(table, word);
    if (command) {
        command_full_name(command, out, size);
        return true;
    }
    const char *best = NULL, *candidate;
    size_t best_distance = SIZE_MAX;
    for (size_t i = 0; (candidate = command_word(table, group, i)); i++) {
        size_t distance = command_distance(word, candidate);
        if (distance < best_distance) {
            best = candidate;
            best_distance = distance;
        }
    }
    if (!best || !command_is_near(word, best, best_distance))
        return false;
    snprintf(out, size, "%s%s%s", group ? group : "", group ? " " : "", best);
    return true;
}

void command_full_name(const struct command *command, char *out, size_t size)
{
    snprintf(out, size, "%s%s%s", command->group ? command->group : "", command->group ? " " : "",
             command->name);
}

size_t command_operands(const struct command *command)
{
    size_t count = 0;
    for (const char *p = command->operands; p && *p; p++)
        count += p == command->operands || p[-1] == ' ';
    return count;
}
