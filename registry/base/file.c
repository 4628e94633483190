#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_FIRST 65536 /* of what does not know its length */

/* Room for `size` octets and the NUL. Not realloc(), which would leave what was read in freed
 * memory. */
static bool file_make_room(struct file *file, size_t size)
{
    char *data = malloc(size + 1);
    if (!data)
        return false;
    if (file->data) {
        memcpy(data, file->data, file->len);
        explicit_bzero(file->data, file->len);
    }
    free(file->data);
    file->data = data;
    return true;
}

/* Up to `size` octets, or to the end. */
static enum status file_read_all(int fd, struct file *file, size_t size, struct detail *why)
{
    ssize_t got = 1;
    if (!file_make_room(file, size))
        return detail_set(why, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
    while (file->len < size && got != 0) {
        got = read(fd, file->data + file->len, size - file->len);
        if (got < 0 && errno != EINTR)
            return detail_set(why, STATUS_SYSTEM, "%s", strerror(errno));
        file->len += got > 0 ? (size_t)got : 0;
    }
    file->data[file->len] = '\0';
    return STATUS_OK;
}

/* A pipe has no length, so there is room for all that it may bring; a file that says less than it
 * has, as those of /proc do, or that grows meanwhile, gets FILE_FIRST, and `max` where that is not
 * enough. The mode of a pipe or a device says little about who reads what comes through it. */
static enum status file_read_open(int fd, size_t max, struct file *file, struct detail *why)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return detail_set(why, STATUS_SYSTEM, "%s", strerror(errno));
    size_t size = max;
    if (S_ISREG(st.st_mode)) {
        file->is_open_to_others = st.st_mode & (S_IROTH | S_IWOTH);
        if (st.st_size < (off_t)max)
            size = st.st_size > FILE_FIRST ? (size_t)st.st_size : FILE_FIRST;
        if (size > max)
            size = max;
    }
    /* An octet more than expected, which shows that there is more. */
    enum status status = file_read_all(fd, file, size + 1, why);
    if (status == STATUS_OK && file->len > size && size < max)
        status = file_read_all(fd, file, max + 1, why);
    if (status == STATUS_OK && file->len > max)
        status = detail_set(why, STATUS_TOO_LARGE, "longer than %zu octets", max);
    return status;
}

enum status file_read(const char *path, size_t max, bool may_wait, struct file *out,
                      struct detail *why)
{
    struct file file = {0};
    /* O_NOCTTY: a terminal must not become the controlling one of who has none. O_NONBLOCK: open()
     * would wait for somebody who writes to a pipe. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (may_wait ? 0 : O_NONBLOCK));
    if (fd < 0)
        return detail_set(why, STATUS_SYSTEM, "%s", strerror(errno));
    enum status status = file_read_open(fd, max, &file, why);
    close(fd);
    if (status == STATUS_OK)
        *out = file;
    else
        file_clear(&file);
    return status;
}

void file_clear(struct file *file)
{
    if (file->data)
        /* memset() before free() may be left out by the compiler, as nobody reads what it
         * writes. */
        explicit_bzero(file->data, file->len);
    free(file->data);
    *file = (struct file){0};
}
