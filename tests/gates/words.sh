#!/bin/sh
# The tree speaks of what is, not of how it came to be or of what may come; and of nothing outside. Brackets keep
# this file from matching itself.
set -eu
. tests/gates/files.sh
if files | xargs grep -n -I \
    -E '\b([T]ODO|[F]IXME|[X]XX)\b|(^|[^r/])/?\b[s]hared/[a-z]+\.(md|sh)|/[w]ork/|\b[i]ssue #?[0-9]'; then
    exit 1
fi
if files | xargs grep -n -I -E '[[:blank:]]+$'; then
    echo "blanks at the end of a line"
    exit 1
fi
top=$(find . -mindepth 1 -maxdepth 1 ! -name '.*' ! -name 'build*' | sort | tr '\n' ' ')
if [ "$top" != './CMakeLists.txt ./LICENSE ./README.md ./cli ./dns ./registry ./tests ./zones ' ]; then
    echo "the top level holds: $top"
    exit 1
fi
echo "$(files | wc -l) files"
