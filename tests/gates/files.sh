# Sourced by gates: the project's own text files, without what was built and without corpora.
# shellcheck shell=sh
files() {
    find . \( -name 'build*' -type d -o -name .git -o -name __pycache__ -o -path ./tests/fuzz/corpus \) -prune \
        -o -type f -print | sort
}
