# shellcheck shell=bash disable=SC2034,SC2154
# PostgreSQL: initdb, pgbench, recovery after a backend was killed, and after all of it was.
packages=(postgresql-15)
services=(postgresql)

bin=/usr/lib/postgresql/15/bin

sql() { "$bin/psql" -h "$dir" -U owner -d postgres -qAt -c "$1"; }
serve() {
    start "$bin/postgres" -D "$dir/data" -c listen_addresses= -c "unix_socket_directories=$dir" \
        -c max_parallel_workers=2 -c restart_after_crash=on
    until_it sql 'select 1'
}
bench() { "$bin/pgbench" -h "$dir" -U owner "$@" postgres; }

# What every transaction of pgbench keeps: all balances have the same sum.
balances() {
    sql 'select (select sum(abalance) from pgbench_accounts) = (select sum(bbalance) from pgbench_branches),
         (select sum(abalance) from pgbench_accounts) = (select sum(tbalance) from pgbench_tellers),
         (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history)'
}

run() {
    not_as_root
    under "$bin/initdb" -N -U owner -A trust -D "$dir/data" | grep -c ok
    serve
    bench -i -s 2 -q
    bench -n -c 4 -j 2 -t 200 | grep -E 'processed|failed'
    bench -n -c 4 -j 2 -T "$SECONDS_OF_LOAD" >load
    rate "$(awk '/^tps/ { print $3 }' load)"
    bench -n -C -c 2 -t 50 | grep -E 'processed|failed' # a connection, and so a process, for each
    balances
    sql 'set max_parallel_workers_per_gather = 2; set parallel_setup_cost = 0; set parallel_tuple_cost = 0;
         set min_parallel_table_scan_size = 0; select count(*), sum(aid) from pgbench_accounts'

    # a backend is killed: the others are ended, and all recovers by itself
    bench -n -c 4 -j 2 -T 30 >crash 2>&1 &
    local client=$!
    until_it backend
    sleep 0.5
    kill -9 "$(backend)"
    wait "$client" || true
    until_it sql 'select 1'
    balances

    # everything is killed in the middle of work
    sql 'create table kept as select generate_series(1, 1000) as n'
    bench -n -c 4 -j 2 -T 30 >crash 2>&1 &
    client=$!
    until_it backend
    sleep 0.5
    local children
    children=$(pgrep -P "$pid" | tr '\n' ' ')
    # shellcheck disable=SC2086
    kill -9 "$pid" $children
    ended "$pid"
    wait "$client" || true
    # shellcheck disable=SC2086
    until_it gone $children
    rm -f data/postmaster.pid
    serve
    balances
    sql 'select count(*), sum(n) from kept'
    kill -INT "$pid"
    ended "$pid"
}
backend() { sql "select pid from pg_stat_activity where application_name = 'pgbench' limit 1" | grep .; }
gone() { ! kill -0 "$@"; }
