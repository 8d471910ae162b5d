#!/bin/bash
# Shows leakspy at work: installs what is missing, builds, runs the leaking server under the preload, sends it
# 50 requests, prints the report, and ends the server.
set -eu
cd "$(dirname "$0")/.."
. tests/packages.sh
install_packages "${BUILD_PACKAGES[@]}"

build=build/default
scratch=$(mktemp -d)
server=
end() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$scratch"
}
trap end EXIT

echo "== build"
if ! { cmake --preset default && cmake --build --preset default -j "$(nproc)" --target \
        leakspy leakspy_preload sample_server sample_load; } >"$scratch/log" 2>&1; then
    cat "$scratch/log"
    exit 1
fi
say_and_run() {
    echo "\$ $*"
    "$@"
}

echo "== run the leaking server, unchanged, with the recorder loaded"
echo "\$ LD_PRELOAD=$build/preload/libleakspy.so $build/samples/server &"
LD_PRELOAD=$PWD/$build/preload/libleakspy.so LEAKSPY_OUT=$scratch/server.rec \
    "$build/samples/server" >"$scratch/out" &
server=$!
for _ in $(seq 100); do
    grep -q listening "$scratch/out" && break
    sleep 0.1
done
cat "$scratch/out"
port=$(sed -n 's/.*:\([0-9]*\)$/\1/p' "$scratch/out")

echo "== send it 50 requests"
say_and_run "$build/samples/load" "$port" 50
sleep 2

echo "== ask what is parked for more than a second"
say_and_run "$build/analyzer/leakspy" report --threshold 1s "$scratch/server.rec"
