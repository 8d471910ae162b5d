# shellcheck shell=bash disable=SC2034,SC2154
# A Rust program with panics.
declare -gA commands=([rustc]=rustc)

prepare() { rustc --edition 2021 -O -o "$made/panics" "$root/tests/real/panics.rs"; }

run() {
    local status=0
    under RUST_BACKTRACE=0 "$made/panics" || status=$?
    echo "status $status"
}
