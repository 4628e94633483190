#include "capture.h"

#include "allocation.h"

#include <stdlib.h>
#include <unistd.h>

void capture_begin(struct capture *capture, int fd)
{
    fflush(stdout);
    capture->fd = fd;
    capture->saved = dup(fd);
    capture->file = tmpfile();
    if (!capture->file || capture->saved < 0 || dup2(fileno(capture->file), fd) < 0)
        abort();
}

char *capture_end(struct capture *capture)
{
    fflush(stdout);
    if (dup2(capture->saved, capture->fd) < 0)
        abort();
    close(capture->saved);
    off_t size = lseek(fileno(capture->file), 0, SEEK_END);
    if (size < 0)
        abort();
    char *text = allocation_exempt((size_t)size + 1);
    if (pread(fileno(capture->file), text, (size_t)size, 0) != size)
        abort();
    fclose(capture->file);
    return text;
}
