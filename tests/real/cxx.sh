# shellcheck shell=bash disable=SC2034,SC2154
# A C++ program with exceptions, in many threads at once.
packages=(g++)

prepare() { g++ -O2 -std=c++20 -pthread -o "$made/throwing" "$root/tests/real/throwing.cc"; }

run() {
    local status=0
    under "$made/throwing" || status=$?
    echo "status $status"
}
