# shellcheck shell=bash disable=SC2034,SC2154
# tmux: a server with windows and panes, in which programs print much and are waited for.
packages=(tmux)

t() { under tmux -f /dev/null -S "$dir/socket" "$@"; }

run() {
    local i
    export TERM=xterm LC_ALL=C.UTF-8
    t new-session -d -s main -x 120 -y 40 'exec sh'
    for i in 1 2 3; do
        t new-window -d -t "main:$i" "seq 20000; echo window $i is done; exec cat"
        t split-window -d -t "main:$i" "exec sh -c 'echo pane $i; exec cat'"
    done
    for i in 1 2 3; do
        until_it shows "main:$i.0" "window $i is done"
        until_it shows "main:$i.1" "pane $i"
        t capture-pane -p -t "main:$i.0" | grep -v '^$' | tail -n 5
        t display-message -p -t "main:$i.1" '#{pane_width}'
    done
    # shellcheck disable=SC2016
    t send-keys -t main:0 'echo $((6 * 7)) and more' Enter
    until_it shows main:0 '42 and more'
    t wait-for -S channel
    t wait-for channel
    t run-shell 'echo from a shell'
    for ((i = 0; i < 40; i++)); do # each is a client, and a shell of the server's
        t run-shell "echo $i >>$dir/shells"
    done
    wc -l <shells
    t list-windows -F '#{window_index} #{window_panes}'
    t kill-server
    until_it t_is_gone
    echo gone
}
shows() { tmux -f /dev/null -S "$dir/socket" capture-pane -p -t "$1" | grep -q "$2"; }
t_is_gone() { ! tmux -S "$dir/socket" list-sessions; }
