# shellcheck shell=bash disable=SC2034,SC2154
# Chromium without a window: a page with workers, a hash, a blob and a canvas is rendered, and its document and its
# picture are the same. All of its processes are recorded; those that make others count their threads, and give up when
# they find one that they did not make.
packages=(chromium)

run() {
    local sandbox=()
    [ "$(id -u)" -ne 0 ] || sandbox=(--no-sandbox)
    render() {
        under chromium --headless "${sandbox[@]}" --disable-gpu --disable-quic --no-first-run \
            --disable-background-networking --disable-component-update --disable-sync --disable-dev-shm-usage \
            --hide-scrollbars --force-color-profile=srgb --window-size=600,400 --user-data-dir="$dir/data" \
            --allow-file-access-from-files --virtual-time-budget=60000 "$@" "file://$root/tests/real/page.html"
    }
    render --dump-dom | grep -o '<p id=[^/]*</p>'
    render --screenshot="$dir/picture.png" >/dev/null
    sha256sum <picture.png
}
