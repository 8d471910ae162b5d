#!/bin/bash
# Compares what leakspy says of daemons that Debian packages, written in Go, with what their own runtimes say of
# themselves (tests/e2e/go_oracle.py): by their process, with the frames that pprof shows and with all, and by a core.
# They are unpacked and not installed, so that none is started as a service; each listens on loopback, for seconds.
#
# Usage: tests/go-daemons.sh [NAME...]      (all of the table)
# BUILD: where leakspy was built (build/default). Downloads packages of some 150 MB.
# Prints a row a comparison. The exit status is 0 when all of those that are to be had were the same, 77 when none is.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/packages.sh
leakspy=$(realpath "${BUILD:-build/default}/analyzer/leakspy")
[ -x "$leakspy" ] || { echo "$0: there is no $leakspy: build it first" >&2; exit 2; }
install_packages gdb python3 || exit 77

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
chmod 755 "$scratch" # for apt's own user

# name | package | command, which runs in a folder of its own; FILES is the folder of the files below
daemons="
prometheus    | prometheus               | usr/bin/prometheus --config.file=FILES/prometheus --storage.tsdb.path=data --web.listen-address=127.0.0.1:29090
node-exporter | prometheus-node-exporter | usr/bin/prometheus-node-exporter --web.listen-address=127.0.0.1:29100
etcd          | etcd-server              | usr/bin/etcd --data-dir data --listen-client-urls http://127.0.0.1:22379 --advertise-client-urls http://127.0.0.1:22379 --listen-peer-urls http://127.0.0.1:22380
nats          | nats-server              | usr/sbin/nats-server -a 127.0.0.1 -p 24222 -m 28222 -js -sd data
influxdb      | influxdb                 | usr/bin/influxd -config FILES/influxdb
syncthing     | syncthing                | usr/bin/syncthing serve --home data --no-browser --no-default-folder --skip-port-probing --gui-address 127.0.0.1:28384
containerd    | containerd               | usr/bin/containerd --root data --state state -a socket
rclone        | rclone                   | usr/bin/rclone serve http --addr 127.0.0.1:28081 FILES
victoria      | victoria-metrics         | usr/bin/victoria-metrics -storageDataPath data -httpListenAddr 127.0.0.1:28428
vmagent       | victoria-metrics         | usr/bin/vmagent -remoteWrite.url=http://127.0.0.1:28428/api/v1/write -httpListenAddr=127.0.0.1:28429
gobgpd        | gobgpd                   | usr/bin/gobgpd --api-hosts 127.0.0.1:25051
mtail         | mtail                    | usr/bin/mtail --progs FILES/mtail --logs FILES/log --address 127.0.0.1 --port 23903
yggdrasil     | yggdrasil                | usr/sbin/yggdrasil -useconffile FILES/yggdrasil
"
files=$scratch/files
mkdir -p "$files/mtail"
touch "$files/log"
cat >"$files/prometheus" <<'END'
global: {scrape_interval: 1s}
scrape_configs: [{job_name: self, static_configs: [{targets: ['127.0.0.1:29090']}]}]
END
cat >"$files/influxdb" <<'END'
bind-address = "127.0.0.1:28088"
[meta]
  dir = "meta"
[data]
  dir = "data"
  wal-dir = "wal"
[http]
  bind-address = "127.0.0.1:28086"
END
printf 'counter lines\n/x/ { lines++ }\n' >"$files/mtail/lines.mtail"
echo '{ "AdminListen": "tcp://127.0.0.1:29001", "IfName": "none", "Peers": [], "MulticastInterfaces": [] }' >"$files/yggdrasil"

# unpack PACKAGE: once each, below $scratch/root.
unpack() {
    [ -e "$scratch/$1" ] && return
    mkdir "$scratch/$1" && (cd "$scratch/$1" && apt-get -qq download "$1" >/dev/null 2>&1 && dpkg -x "$1"_*.deb "$scratch/root")
}

same=0 bad=0
wanted=" $* "
while IFS='|' read -r name package command; do
    name=${name// /} package=${package// /}
    [ -n "$name" ] || continue
    [ $# -eq 0 ] || [[ $wanted == *" $name "* ]] || continue
    unpack "$package" || { printf '%-14s not to be had\n' "$name"; continue; }
    read -ra argv <<<"${command//FILES/$files}"
    argv[0]=$scratch/root/${argv[0]}
    for way in "" "--env GOTRACEBACK=system" "--core --env GOTRACEBACK=system"; do
        # shellcheck disable=SC2086
        said=$(timeout 170 python3 tests/e2e/go_oracle.py run --after 2 --functions --least 3 $way "$leakspy" -- "${argv[@]}" 2>&1) &&
            same=$((same + 1)) || bad=$((bad + 1))
        printf '%-14s %-33s %s\n' "$name" "$way" "$said"
    done
done <<<"$daemons"
echo "$same the same, $bad not"
[ $((same + bad)) -gt 0 ] || exit 77
[ "$bad" -eq 0 ]
