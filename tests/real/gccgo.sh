# shellcheck shell=bash disable=SC2034,SC2154
# The HTTP server of Go's library, built by gccgo, under wrk; and its client.
packages=(gccgo-12 wrk curl)

prepare() { gccgo-12 -O2 -g -o "$made/http" "$root/tests/real/http.go"; }

run() {
    start "$made/http" >address
    until_it grep -q : address
    local at
    at=$(cat address)
    curl -s "http://$at/echo?text=hello"
    wrk --timeout 60s -t 1 -c 32 -d "$SECONDS_OF_LOAD" "http://$at/echo?text=x" >load
    rate "$(awk '/^Requests\/sec/ { print $2 }' load)"
    grep -E 'Socket errors|Non-2xx' load || echo 'every request answered'
    curl -s "http://$at/relay?times=200"
    curl -s "http://$at/panic" || echo "no answer: $?"
    curl -s "http://$at/end"
    ended "$pid"
}
