# shellcheck shell=bash disable=SC2034,SC2154
# redis with its append-only file: loaded, its log rewritten by a child, killed, restarted from the log.
packages=(redis-server redis-tools)
services=(redis-server)

redis() { redis-cli -s "$dir/socket" "$@"; }
serve() {
    start redis-server --port 0 --unixsocket "$dir/socket" --dir "$dir" --save '' --appendonly yes \
        --appendfsync everysec --io-threads 2 --enable-debug-command yes --daemonize no --logfile "$dir/log"
    until_it redis ping
    until_it loaded
}
loaded() { redis info persistence | grep -q '^loading:0'; }
rewritten() { redis info persistence | tr -d '\r' | grep -q '^aof_rewrite_in_progress:0'; }

run() {
    serve
    local number=$((SECONDS_OF_LOAD * 30000)) begin=${EPOCHREALTIME/./}
    redis-benchmark -s "$dir/socket" -c 50 -n "$number" -t set,get,lpush,lpop -q >"$dir/benchmark"
    rate "$(awk -v n="$number" -v us=$((${EPOCHREALTIME/./} - begin)) 'BEGIN { print 4 * n * 1e6 / us }')"
    seq 5000 | awk '{ print "SET key:" $1, $1 * 7; print "RPUSH list:" $1 % 10, $1; print "INCRBY sum", $1 }' |
        redis | sort | uniq -c | awk '{ n += $1 } END { print n, "answers" }'
    redis bgrewriteaof
    until_it rewritten
    redis info persistence | tr -d '\r' | grep '^aof_last_bgrewrite_status'
    seq 5001 6000 | awk '{ print "SET key:" $1, $1 * 7 }' | redis | sort | uniq -c
    redis dbsize
    redis debug digest
    kill -9 "$pid"
    ended "$pid"
    serve
    redis dbsize
    redis debug digest
    redis get sum
    redis llen list:3
    redis flushall async
    redis shutdown nosave
    ended "$pid"
}
