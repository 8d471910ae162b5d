# shellcheck shell=bash disable=SC2034,SC2154
# node: its threads for files, names and hashes, worker threads, child processes, an HTTP server and its client.
declare -gA commands=([node]=nodejs)

run() {
    local status=0
    under node "$root/tests/real/node.js" || status=$?
    echo "status $status"
}
