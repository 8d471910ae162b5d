# shellcheck shell=bash disable=SC2034,SC2154
# Firefox without a window: a page with workers, a hash and a canvas is rendered, and what it says and its picture are
# the same. Its processes come from a server that forks them by clone() into namespaces, and runs the handlers of
# pthread_atfork itself; each then forbids itself system calls.
packages=(firefox-esr python3)
may_lose='threads that are started under such a filter, when the memory that is there for them is used up'

run() {
    not_as_root
    export HOME=$dir MOZ_HEADLESS=1
    python3 -I "$root/tests/real/page_server.py" "$root/tests/real/page.html" >said &
    started+=("$!")
    until_it test -s said
    under firefox-esr --headless --window-size 600,400 --screenshot "$dir/picture.png" \
        "http://127.0.0.1:$(head -1 said)/" >log 2>&1
    tail -n +2 said
    echo "$(grep -c 'exited on signal' log || true) of its processes killed"
    sha256sum <picture.png
}
