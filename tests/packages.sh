# shellcheck shell=bash disable=SC2034
# To be sourced. install_packages PACKAGE... installs what is missing with apt-get, as root or with sudo, and
# says so; says nothing when all is there.

install_packages() {
    local missing=() package as_root=()
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' ||
            missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { echo "missing, and no root or sudo to install them: ${missing[*]}" >&2; return 1; }
        as_root=(sudo)
    fi
    echo "installing: ${missing[*]}"
    "${as_root[@]}" apt-get -qq update &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
            -o Dpkg::Use-Pty=0 install "${missing[@]}" >/dev/null
}

# What it takes to configure and build the project.
BUILD_PACKAGES=(binutils cmake g++ gcc libc6-dev libcmocka-dev libdw-dev libelf-dev libiberty-dev libjansson-dev
    libunwind-dev ninja-build pkg-config zlib1g-dev)

# What the tests start, besides: compilers of other languages, servers, debuggers.
TEST_PACKAGES=(faketime gccgo-12 gdb git golang-1.19-go golang-1.19-src jq libcap2-bin libglib2.0-dev libjemalloc2 procps python3
    redis-server redis-tools spin)
command -v rustc >/dev/null || TEST_PACKAGES+=(rustc)

CLANG_PACKAGES=(clang-14 libclang-rt-14-dev)

# Debian 12 has these versions of them; others have other opinions.
LINT_PACKAGES=("${TEST_PACKAGES[@]}" clang-format-14 clang-tidy-14 cppcheck shellcheck)
