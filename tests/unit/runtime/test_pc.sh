#!/bin/sh
# taskrt.pc names the folders that stand beside it, wherever the tree was installed or moved to.
# Usage: test_pc.sh PKG-CONFIG TASKRT.PC LIBDIR INCLUDEDIR, the folders relative to the prefix.
set -eu
case $3 in /*) exit 0 ;; esac # a fixed place: nothing moves
case $4 in /*) exit 0 ;; esac

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/first/$3/pkgconfig"
cp "$2" "$tree/first/$3/pkgconfig/taskrt.pc"

# The two folders, with no "dir/.." left in them.
check() {
    for what in "libdir $3" "includedir $4"; do
        mkdir -p "$1/${what#* }"
        told=$(PKG_CONFIG_PATH=$1/$3/pkgconfig "$2" --variable="${what%% *}" taskrt)
        told=$(cd "$told" && pwd -P)
        wanted=$(cd "$1/${what#* }" && pwd -P)
        if [ "$told" != "$wanted" ]; then
            echo "${what%% *} is $told, not $wanted" >&2
            exit 1
        fi
    done
}
check "$tree/first" "$1" "$3" "$4"
mv "$tree/first" "$tree/second"
check "$tree/second" "$1" "$3" "$4"
