# shellcheck shell=bash disable=SC2034,SC2154
# What the programs of tests/real share. tests/real/NAME.sh sets `packages`, may set `commands` ([COMMAND]=PACKAGE,
# installed only where there is no such command), `services` (what Debian starts by itself after installing) and
# `may_lose` (why tasks may be lost, as README says), and defines
#
#   prepare    compiles what is to be compiled into $made; optional
#   run        does everything once in the empty folder $dir, starts the program by `under` and `start`, and prints
#              what has to be the same with and without the preload; `rate NUMBER` says how fast it was (in anything
#              a second), else the time of the whole run tells.
#
# Every function of a row runs with errexit.

# under COMMAND...: runs it, under the preload where this run is to be preloaded.
under() { (with_preload "$@"); }

# start COMMAND...: the same in the background, as the process $pid; it is ended when the run ends.
start() {
    with_preload "$@" &
    pid=$!
    started+=("$pid")
}

with_preload() {
    local environment=()
    [ "$preload" = no ] || environment=("LD_PRELOAD=$library" "LEAKSPY_OUT=$recordings/$BASHPID.$RANDOM")
    exec "${as_user[@]}" env "${environment[@]}" "$@"
}

# For servers that refuse to be root: what is run from now on is another user's, and so is $dir. The user is changed
# before anything is preloaded: a recording belongs to who made it.
as_user=()
not_as_root() {
    [ "$(id -u)" -ne 0 ] && return
    as_user=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
    chown nobody "$dir"
}

rate() { echo "$1" >"$rate_file"; }

# until_it COMMAND...: until it succeeds, for a minute at most.
until_it() {
    local tries
    for ((tries = 0; tries < 1200; tries++)); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.05
    done
    echo "after a minute still not: $*" >&2
    return 1
}

# ended PID [STATUS]: waits for its end; says how it was.
ended() {
    local status=0
    wait "$1" || status=$?
    echo "ended with $status"
}

free_port() {
    local port
    for ((port = 20000 + RANDOM % 10000; ; port++)); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# one_run PRELOAD NUMBER: what the row's `run` prints goes to $work/NAME/NUMBER.PRELOAD.out; its rate to .rate.
one_run() {
    preload=$1
    local base=$work/$name/$2.$1
    dir=$base.dir rate_file=$base.rate started=()
    mkdir "$dir"
    local begin=${EPOCHREALTIME/./}
    (
        trap '[ ${#started[@]} -eq 0 ] || kill -9 "${started[@]}" 2>/dev/null || true' EXIT
        set -e
        cd "$dir"
        run
    ) >"$base.out" 2>"$base.err" </dev/null || echo "the run failed" >>"$base.out"
    local end=${EPOCHREALTIME/./}
    [ -e "$rate_file" ] || awk -v us=$((end - begin)) 'BEGIN { print 1e6 / us }' >"$rate_file"
    rm -rf "$dir"
}

# Reads all recordings; adds to $count, $tasks and $lost, and removes them.
read_recordings() {
    local file spawned gone
    for file in "$recordings"/*; do
        [ -e "$file" ] || continue
        if ! "$leakspy" report --all --format json "$file" >"$work/report" 2>"$work/error"; then
            echo "$name: $file: $(cat "$work/error")"
            bad=1
            [ -n "${KEEP:-}" ] && cp "$file" "$work/$name"
            continue
        fi
        read -r spawned gone < <(jq -r '"\(.totals.spawned // 0) \(.totals.lost)"' "$work/report")
        count=$((count + 1)) tasks=$((tasks + spawned)) lost=$((lost + gone))
    done
    rm -f "$recordings"/*
}

# to_be_had PACKAGE...: installed now, if that is allowed.
to_be_had() {
    local package
    [ "${INSTALL:-yes}" = no ] || { install_packages "$@"; return; }
    for package; do
        dpkg-query -W -f='${Status}' "$package" | grep -q '^install ok installed$' || return
    done
}

# compare NAME: all pairs of a program, and its row. 77: it is not to be had.
compare() {
    name=$1 packages=() services=() may_lose='' count=0 tasks=0 lost=0 bad=0 made=$work/$1/made
    local -A commands=()
    local command service running=() pair order
    prepare() { :; }
    # shellcheck source=/dev/null
    . "$root/tests/real/$name.sh" || return 2
    mkdir -p "$made"
    for command in "${!commands[@]}"; do
        command -v "$command" >/dev/null || packages+=("${commands[$command]}")
    done
    for service in "${services[@]}"; do
        pgrep -x "$service" >/dev/null && running+=("$service")
    done
    to_be_had "${packages[@]}" >"$work/$name/install" 2>&1 || {
        echo "$name: skipped, for it is not to be had: ${packages[*]}"
        return 77
    }
    for service in "${services[@]}"; do
        [[ " ${running[*]} " = *" $service "* ]] || ! pgrep -x "$service" >/dev/null ||
            service "$service" stop >/dev/null 2>&1
    done
    (set -e; cd "$made"; prepare) >"$work/$name/prepare" 2>&1 || {
        echo "$name: could not be prepared: $(tail -n 3 "$work/$name/prepare")"
        return 1
    }
    for ((pair = 0; pair < ${row_pairs:-$pairs}; pair++)); do
        order=(no yes)
        ((pair % 2)) && order=(yes no) # the second of two may find warmer caches
        for preload in "${order[@]}"; do
            one_run "$preload" "$pair"
            [ "$preload" = no ] || read_recordings
        done
        if ! diff "$work/$name/$pair.no.out" "$work/$name/$pair.yes.out" >"$work/$name/diff" ||
            grep -q '^the run failed$' "$work/$name/$pair.no.out"; then
            echo "$name: bare (<) and preloaded (>) differ, or failed:"
            head -n 20 "$work/$name/diff"
            tail -n 5 "$work/$name/$pair".{no,yes}.err
            bad=1
        fi
        paste -d' ' "$work/$name/$pair".{no,yes}.rate
    done >"$work/$name/rates"
    grep -v '^[0-9.e+-]* [0-9.e+-]*$' "$work/$name/rates"
    [ "$tasks" -gt 0 ] || { echo "$name: nothing was recorded"; bad=1; }
    [ "$lost" -eq 0 ] || [ -n "$may_lose" ] || bad=1
    grep '^[0-9.e+-]* [0-9.e+-]*$' "$work/$name/rates" | awk '{ print $2 / $1, $1 }' | sort -n |
        awk -v name="$name" -v count="$count" -v tasks="$tasks" -v lost="$lost" '
            { ratio[NR] = $1; bare[NR] = $2 }
            function at(share) { return ratio[1 + int((NR - 1) * share + 0.5)] }
            END { asort_bare(); printf "%-12s | %10.4g /s | %14.3f | %6.3f to %6.3f | %10d | %8d | %4d\n", name,
                  middle, at(0.5), at(0.25), at(0.75), count, tasks, lost }
            function asort_bare(  i, j, t) {
                for (i = 2; i <= NR; i++)
                    for (j = i; j > 1 && bare[j - 1] > bare[j]; j--) { t = bare[j]; bare[j] = bare[j - 1]; bare[j - 1] = t }
                middle = bare[1 + int((NR - 1) / 2 + 0.5)]
            }'
    return "$bad"
}
