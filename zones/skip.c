#include "skip.h"

const char *skip_text(enum skip skip)
{
    static const char *const texts[SKIP_COUNT] = {[SKIP_NONE] = "it is served",
#define SKIP_TEXT(name, sentence) [SKIP_##name] = sentence,
                                                  SKIP_LIST(SKIP_TEXT)
#undef SKIP_TEXT
    };
    return (unsigned)skip < SKIP_COUNT ? texts[skip] : "unknown reason";
}
