#include "ascii.h"

static char ascii_fold(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool ascii_equal(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (ascii_fold(a[i]) != ascii_fold(b[i]))
            return false;
    return true;
}
