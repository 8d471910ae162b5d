#!/bin/sh
# What `cmake --install` puts where, and that it can be used from there: the manual page, the command and the library
# that it finds, libtaskrt by pkg-config. The program is the one that the README shows.
# Usage: test_install.sh SOURCES BUILD VERSION CMAKE CC BINDIR LIBDIR INCLUDEDIR MANDIR, the folders relative to the prefix.
set -eu
sources=$1 build=$2 version=$3 cmake=$4 cc=$5 bin=$6 lib=$7 include=$8 man=$9
case "$bin:$lib:$include:$man" in /* | *:/*) exit 77 ;; esac # a fixed place: nothing to be tried

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
fail() {
    echo "$*" >&2
    exit 1
}

"$cmake" --install "$build" --prefix "$tree" >"$tree.log" 2>&1 || { cat "$tree.log" >&2 && rm -f "$tree.log" && fail "cmake --install"; }
rm -f "$tree.log"
(cd "$tree" && find . ! -type d | sort) >"$tree/found"
{
    echo ./found
    echo "./$bin/leakspy"
    echo "./$include/taskrt.h"
    echo "./$include/taskrt_inspect.h"
    echo "./$lib/libleakspy.so"
    echo "./$lib/libtaskrt.so"
    echo "./$lib/libtaskrt.so.$version"
    echo "./$lib/libtaskrt.so.1"
    echo "./$lib/pkgconfig/taskrt.pc"
    echo "./$man/man1/leakspy.1"
} | sort >"$tree/wanted"
sed -i '/wanted$/d' "$tree/found"
diff "$tree/wanted" "$tree/found" >&2 || fail "that is what is installed, and should be"
grep -q '^\.TH LEAKSPY 1 ' "$tree/$man/man1/leakspy.1" || fail "leakspy.1 is no manual page"

# The first block of the README that includes something, up to the text after it.
cd "$tree"
awk '/^    #include/ { on = 1 } on && /^[^ ]/ { exit } on { print substr($0, 5) }' "$sources/README.md" |
    sed '/^gcc /d' >squares.c
flags=$(PKG_CONFIG_PATH=$tree/$lib/pkgconfig pkg-config --cflags --libs taskrt)
# shellcheck disable=SC2086
"$cc" -Wall -Wextra -Werror -pedantic squares.c $flags -o squares
export LD_LIBRARY_PATH="$tree/$lib"
unset LEAKSPY_LIBRARY LEAKSPY_OUT LD_PRELOAD
[ "$(./squares)" = 49 ] || fail "the example of the README says $(./squares)"

[ "$("$bin/leakspy" run -o squares.rec ./squares 2>said)" = 49 ] || fail "under leakspy run it says something else"
grep -q "^leakspy: recorded in .*squares.rec$" said || { cat said >&2 && fail "leakspy run did not record"; }
"$bin/leakspy" report --format json squares.rec >told.json
jq -e '.source.end == "exited" and (.source.runtimes | contains(["taskrt"])) and .totals.lost == 0' told.json >/dev/null ||
    { cat told.json >&2 && fail "that is not what was to be reported"; }
