#!/bin/bash
# Runs the tools that read the sources: what they say is to be mended, or excluded with the reason in the file that
# tells them what to look for.
#
# Usage: tests/lint.sh [TOOL...]      (default: all but clang-tidy-target)
#
#   clang-format        all C files                                  .clang-format
#   scripts             all of them, by shellcheck                   in the scripts
#   cppcheck            runtime, preload, analyzer                   tests/cppcheck.supp
#   clang-tidy          all C files that are built                   .clang-tidy, tests/.clang-tidy
#   clang-tidy-target   runtime, preload: what runs inside programs  the same
#
# The last three take what is compiled and how from the preset `default`.
set -u
cd "$(dirname "$0")/.." || exit 1
tools=(clang-format scripts cppcheck clang-tidy)
jobs=$(nproc)
lint=build/lint

# files PATTERN...: those of the project; where it is no repository, what is not built.
files() {
    if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git ls-files -z --cached --others --exclude-standard -- "$@"
    else
        local pattern names=()
        for pattern in "$@"; do names+=(-o -name "${pattern##*/}"); done
        find . -path ./build -prune -o -type f \( -false "${names[@]}" \) -print0
    fi
}

# Makes $lint/compile_commands.json: each file once, as it is compiled for what is shipped if it is.
database() {
    mkdir -p "$lint"
    cmake --preset default >"$lint/log" 2>&1 || { cat "$lint/log" && return 1; }
    python3 - build/default/compile_commands.json "$lint/compile_commands.json" <<'END'
import json
import sys

entries = {}
for entry in json.load(open(sys.argv[1])):
    entry["command"] = entry["command"].replace(" -fno-tree-loop-distribute-patterns", "")  # clang has none
    if entry["file"].endswith(".c") and "/build/" not in entry["file"]:
        entries.setdefault(entry["file"], entry)
json.dump(list(entries.values()), open(sys.argv[2], "w"), indent=1)
END
}

lint_clang-format() {
    files '*.c' '*.h' | xargs -0 -P "$jobs" -n 50 clang-format-14 --dry-run -Werror
}

lint_scripts() {
    files '*.sh' .ci/run | xargs -0 shellcheck -x -e SC2317 # functions are called by names made up of two
}

lint_cppcheck() {
    database && cppcheck --quiet --project="$lint/compile_commands.json" -j "$jobs" -D__x86_64__ \
        --file-filter='runtime/*' --file-filter='preload/*' --file-filter='analyzer/*' \
        --enable=warning,performance,portability --library=posix,gnu --suppressions-list=tests/cppcheck.supp \
        --error-exitcode=1
}

# tidy PATTERN: the files whose path within the project it matches.
tidy() {
    # A few files at a time, in any order, so that both ends of the list come to their end together.
    database && python3 -c 'import json, sys; print("\0".join(e["file"] for e in json.load(open(sys.argv[1]))), end="\0")' \
        "$lint/compile_commands.json" | grep -zE "^$PWD/$1" | xargs -0 -P "$jobs" -n 4 clang-tidy-14 --quiet -p "$lint"
}

lint_clang-tidy() { tidy ''; }
lint_clang-tidy-target() { tidy '(runtime|preload)/'; }

[ $# -gt 0 ] || set -- "${tools[@]}"
status=0
for tool in "$@"; do
    "lint_$tool" || status=1
done
exit "$status"
