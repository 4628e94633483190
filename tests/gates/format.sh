#!/bin/sh
# Every C file is as clang-format 14 writes it.
set -eu
files=$(find registry zones dns cli tests -name '*.[ch]' | sort)
wrong=0
for file in $files; do
    clang-format-14 --dry-run -Werror "$file" 2>/dev/null || {
        echo "$file: clang-format-14 -i would change it"
        wrong=$((wrong + 1))
    }
done
echo "$(echo "$files" | wc -l) files, $wrong not formatted"
[ "$wrong" -eq 0 ]
