#!/bin/sh
# codespell; spelling.txt lists words of ours, and mistakes that tests make on purpose.
set -eu
. tests/gates/files.sh
files | grep -v -e '^./LICENSE$' -e '^./tests/gates/spelling.txt$' |
    xargs codespell --ignore-words tests/gates/spelling.txt
echo "$(files | wc -l) files"
