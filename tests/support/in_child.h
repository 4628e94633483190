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
static inline bool in_child(void (*test)(void))
{
    int status = -1;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        test();
        _exit(0);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* A field of /proc/self/status as hexadecimal digits: "CapEff". */
static inline unsigned long long in_child_status(const char *field)
{
    char line[256];
    unsigned long long value = ~0ULL;
    FILE *file = fopen("/proc/self/status", "re");
    while (file && fgets(line, sizeof(line), file))
        if (strncmp(line, field, strlen(field)) == 0 && line[strlen(field)] == ':')
            value = strtoull(line + strlen(field) + 1, NULL, 16);
    if (file)
        fclose(file);
    return value;
}

#endif
