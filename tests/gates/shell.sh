#!/bin/sh
# Every shell script passes ShellCheck.
set -eu
. tests/gates/files.sh
scripts=$(files | grep -e '\.sh$' -e '^./\.ci/run$')
# shellcheck disable=SC2086 # no blanks in our names
shellcheck -x $scripts
echo "$(echo "$scripts" | wc -l) scripts"
