# shellcheck shell=bash disable=SC2034,SC2154
# nginx with two workers and a pool of threads for files, under wrk; reloaded while it serves.
packages=(nginx-light wrk curl)
services=(nginx)

run() {
    local port
    port=$(free_port)
    cat >conf <<END
worker_processes 2;
daemon off;
pid $dir/pid;
error_log $dir/errors;
thread_pool files threads=4;
events { worker_connections 512; }
http {
    access_log off;
    client_body_temp_path $dir/body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;
    server {
        listen 127.0.0.1:$port;
        root $dir/pages;
        location /files/ { aio threads=files; directio 1; output_buffers 1 128k; }
        location /up/ { proxy_pass http://127.0.0.1:$port/files/; }
    }
}
END
    mkdir -p pages/files
    seq 400000 >pages/files/numbers
    head -c 4000 /dev/zero | tr '\0' x >pages/small
    start "$(command -v nginx || echo /usr/sbin/nginx)" -p "$dir" -c "$dir/conf"
    until_it curl -sf "http://127.0.0.1:$port/small"
    curl -sf "http://127.0.0.1:$port/files/numbers" | sha256sum
    curl -sf "http://127.0.0.1:$port/up/numbers" | sha256sum
    curl -s -o /dev/null -w '%{http_code}\n' "http://127.0.0.1:$port/none"
    load 64 small
    rate "$(awk '/^Requests\/sec/ { print $2 }' wrk.small)"
    load 16 files/numbers
    local old
    old=$(pgrep -P "$pid" | tr '\n' ' ')
    kill -HUP "$pid" # new workers; the old ones finish what they serve
    # shellcheck disable=SC2086
    until_it gone $old
    load 64 small
    kill -QUIT "$pid"
    ended "$pid"
    grep -cE '\[(alert|emerg|crit)\]' errors || true
}

gone() { ! kill -0 "$@"; }

# load CONNECTIONS PAGE: says what went wrong: nothing.
load() {
    wrk --timeout 60s -t 1 -c "$1" -d "$SECONDS_OF_LOAD" "http://127.0.0.1:$port/$2" >"wrk.${2//\//-}"
    grep -E 'Socket errors|Non-2xx' "wrk.${2//\//-}" || echo 'every request answered'
}
