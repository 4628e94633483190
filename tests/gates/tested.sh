#!/bin/sh
# Every .c file of the rooms has a unit test file of its own, tests/<room>/test_<file>.c. tested.txt lists those that
# need none, and why.
set -eu
status=0
count=0
bare=0
for file in $(find registry zones dns cli -name '*.c' | sort); do
    count=$((count + 1))
    stem=$(basename "$file" .c)
    [ ! -e "tests/${file%/*}/test_$stem.c" ] || continue
    bare=$((bare + 1))
    grep -q "^$file: " tests/gates/tested.txt || {
        echo "$file: no tests/${file%/*}/test_$stem.c"
        status=1
    }
done
stale=$(sed -n 's/^\([a-z][^:]*\): .*/\1/p' tests/gates/tested.txt | while read -r file; do
    [ -e "$file" ] || echo "tested.txt: $file: no such file"
done)
if [ -n "$stale" ]; then
    echo "$stale"
    status=1
fi
echo "$count files, $bare without a unit test file"
exit "$status"
