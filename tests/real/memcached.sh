# shellcheck shell=bash disable=SC2034,SC2154
# memcached with four threads, under memcslap.
packages=(memcached libmemcached-tools)
services=(memcached)

run() {
    local port
    port=$(free_port)
    start memcached -u "$(id -un)" -l 127.0.0.1 -p "$port" -t 4 -m $((SECONDS_OF_LOAD * 64)) # nothing is evicted
    until_it memcping --servers=127.0.0.1:"$port"
    seq 20000 >numbers
    echo 'hello, world' >greeting
    memccp --servers=127.0.0.1:"$port" numbers greeting
    local number=$((SECONDS_OF_LOAD * 5000)) begin=${EPOCHREALTIME/./}
    memcslap --servers=127.0.0.1:"$port" --concurrency=8 --execute-number="$number" --test=set >/dev/null
    memcslap --servers=127.0.0.1:"$port" --concurrency=8 --execute-number="$number" --initial-load=1000 --test=get >/dev/null
    rate "$(awk -v n="$number" -v us=$((${EPOCHREALTIME/./} - begin)) 'BEGIN { print 16 * n * 1e6 / us }')"
    memccat --servers=127.0.0.1:"$port" numbers greeting | sha256sum
    memcstat --servers=127.0.0.1:"$port" | grep -E '(threads|evictions|total_connections_rejected|auth_errors):'
    kill -TERM "$pid"
    ended "$pid"
}
