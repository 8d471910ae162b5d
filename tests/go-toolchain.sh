#!/bin/bash
# Gets the Go toolchain of one minor version from Debian's archive and unpacks it into a folder of its own.
# Nothing is installed, and apt's own sources and lists stay as they are.
#
# Usage: tests/go-toolchain.sh VERSION [FOLDER]     (VERSION: 1.19 or 1.21 to 1.27; FOLDER: build/go/VERSION)
# FOLDER/bin/go is the toolchain: it uses no network, and no other toolchain. Does nothing where it works already.
# Debian's archive keys check the indexes, the indexes the packages, as for any package that apt fetches.
set -eu
version=${1:?usage: tests/go-toolchain.sh VERSION [FOLDER]}
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "${2:-$root/build/go/$version}"
folder=$(cd "${2:-$root/build/go/$version}" && pwd)

case $version in
1.19) suite=bookworm ;;
1.21 | 1.22 | 1.23) suite=bookworm-backports ;;
1.24) suite=trixie ;;
1.25 | 1.26 | 1.27) suite=trixie-backports ;;
*)
    echo "$0: Debian has no Go $version: 1.19 and 1.21 to 1.27 are to be had" >&2
    exit 64
    ;;
esac

works() { "$folder/bin/go" version 2>/dev/null | grep -q "go${version}[. ]"; }
if works; then
    exit 0
fi

# An apt of our own: its lists are kept for the next version of the same suite.
apt=$(dirname "$folder")/apt-$suite
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/sources.list.d" "$folder"
# shellcheck disable=SC2016
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Label: Debian' 2>/dev/null | head -n 1)
[ -n "$mirror" ] || { echo "$0: apt knows no archive of Debian here: apt-get update" >&2 && exit 1; }
: >"$apt/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$apt/sources.list"
options=(-qq -o "Dir::Etc::SourceList=$apt/sources.list" -o "Dir::Etc::SourceParts=$apt/sources.list.d"
    -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null
    -o "Dir::State::Status=$apt/status" -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache"
    -o APT::Sandbox::User= -o APT::Update::Post-Invoke= -o APT::Update::Post-Invoke-Success=)

(
    flock 9
    cd "$apt"
    [ -n "$(find lists -maxdepth 1 -name '*Packages*' -mtime -1)" ] || apt-get "${options[@]}" update
    apt-get "${options[@]}" download "golang-$version-go" "golang-$version-src"
    for package in "golang-$version-go_"*.deb "golang-$version-src_"*.deb; do
        dpkg -x "$package" "$folder"
        rm -f "$package"
    done
) 9>"$apt/lock"

# Debian's toolchain takes its root to be /usr/lib/go-VERSION, so the command says where it is.
mkdir -p "$folder/bin"
cat >"$folder/bin/go" <<END
#!/bin/sh
export GOROOT="$folder/usr/lib/go-$version" GOTOOLCHAIN=local GOPROXY=off GOFLAGS="\${GOFLAGS--mod=mod}" \\
    GOCACHE="\${GOCACHE-$folder/cache}"
exec "\$GOROOT/bin/go" "\$@"
END
chmod +x "$folder/bin/go"
works || {
    echo "$0: $folder/bin/go does not work" >&2
    exit 1
}
