/* tests/support/capture.h - what a call writes to a descriptor, for tests of what prints. */
#ifndef SUPPORT_CAPTURE_H
#define SUPPORT_CAPTURE_H

#include <stdio.h>

struct capture {
    int fd, saved;
    FILE *file;
};

/* From now on. Aborts where it cannot; so does capture_end(). */
void capture_begin(struct capture *capture, int fd);

/* What was written, NUL-terminated, to be freed; the descriptor is as before. */
char *capture_end(struct capture *capture);

#endif
