/* tests/support/in_child.h - what changes a process for good, tested in a child of its own. */
#ifndef SUPPORT_IN_CHILD_H
#define SUPPORT_IN_CHILD_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child, instead of cmocka's: say what is wrong, and end. */
#define CHILD_EXPECT(condition)                                                                    \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

/* Whether `test` went well, in a child that ends with it. */
bool in_child(void (*test)(void));

/* A field of /proc/self/status as hexadecimal digits: "CapEff". */
unsigned long long in_child_status(const char *field);

#endif
