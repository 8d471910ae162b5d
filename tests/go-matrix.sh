#!/bin/bash
# Runs the end-to-end tests of Go programs with every version of Go that Debian offers, and compares what leakspy says
# of programs that nobody here wrote with what their own runtimes say: of tests of Go's library, of the Go tree's test
# programs, and of stripped programs from npm (esbuild, tsgo); old ones stand for Go 1.18 and 1.20, which Debian does not
# have. Installs what it needs; toolchains and programs below build/.
#
# Usage: tests/go-matrix.sh [VERSION | npm]...      (default: 1.19 1.21 1.22 1.23 1.24 1.25 1.26 1.27 npm)
# The table comes last; the exit status is 0 when everything in it is good. A version takes some minutes.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/packages.sh

all=("$@")
[ ${#all[@]} -eq 0 ] && all=(1.19 1.21 1.22 1.23 1.24 1.25 1.26 1.27 npm)
build=$PWD/build/go-matrix
leakspy=$build/analyzer/leakspy
jobs=$(nproc)
install_packages "${BUILD_PACKAGES[@]}" gdb python3 || exit 1

table=() bad=0
# row WHAT GOOD WORDS...
row() {
    local what=$1 good=$2
    shift 2
    table+=("$(printf '%-4s %-34s %s' "$([ "$good" -eq 0 ] && echo ok || echo BAD)" "$what" "$*")")
    [ "$good" -eq 0 ] || bad=1
}

# configure [CMAKE OPTION...]: prints what went wrong.
configure() {
    cmake -B "$build" -G Ninja -S . "$@" >"$build.log" 2>&1 || {
        cat "$build.log"
        return 1
    }
}

# Builds the command, the tests of Go programs, and the programs.
build_tests() {
    local targets
    mapfile -t targets < <(ninja -C "$build" -t targets all |
        sed -nE 's/^(leakspy|leakspy_preload|test_go[a-z0-9_]*|sample_[a-z0-9_]*): phony$/\1/p')
    ninja -C "$build" -j "$jobs" "${targets[@]}"
}

# compare WHAT OPTION... -- PROGRAM ARG...: one row by go_oracle.py.
compare() {
    local what=$1 options=() said
    shift
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    said=$(timeout 300 python3 tests/e2e/go_oracle.py run "${options[@]}" "$leakspy" "$@" 2>&1)
    row "$what" $? "$(tail -n 1 <<<"$said")"
    [ "$(wc -l <<<"$said")" -le 1 ] || echo "$what: $said"
}

# Tests of Go's library, beside those that are tests in CMake: a package and what its tests are given.
foreign="
sync -test.count=1000
context -test.count=1000
net -test.count=10
os/exec -test.count=100
"

run_version() {
    local version=$1 go passed what arguments binary goroot
    tests/go-toolchain.sh "$version" || {
        row "$version" 1 "no toolchain"
        return
    }
    go=$PWD/build/go/$version/bin/go
    goroot=$("$go" env GOROOT)
    echo "== Go $version: build"
    if ! configure "-DLEAKSPY_GO=$go" || ! build_tests >"$build.log" 2>&1; then
        tail -n 30 "$build.log"
        row "$version" 1 "the build failed"
        return
    fi
    echo "== Go $version: tests"
    (cd "$build" && ctest -j "$jobs" -R '^test_go' --output-on-failure --timeout 600 >"$build.log" 2>&1)
    local status=$?
    passed=$(grep -c '^\[       OK \]' "$build/Testing/Temporary/LastTest.log")
    row "$version tests" $status "$passed cases good; $(grep 'tests passed' "$build.log")"
    [ $status -eq 0 ] || grep -E '^\[  FAILED  \] [^0-9]|\(Failed\)|\(Timeout\)|^  goroutine' "$build.log" | sort -u | head -n 40

    mkdir -p "$build/foreign"
    while read -r what arguments; do
        [ -n "$what" ] || continue
        binary=$build/foreign/$version-${what//\//-}
        if ! env GOFLAGS= "$go" test -c -o "$binary" "$what" >"$build.log" 2>&1; then
            row "$version $what" 1 "cannot be built: $(tail -n 1 "$build.log")"
            continue
        fi
        # shellcheck disable=SC2086
        compare "$version tests of $what" --cwd "$goroot/src/$what" --after 0.5 --least 3 -- "$binary" $arguments
        rm -f "$binary"
    done <<<"$foreign"
}

# Stripped programs that somebody else built: every frame of the report has a function, too.
run_npm() {
    local npm=$PWD/build/go-npm modules esbuild tsgo
    modules=$npm/node_modules
    command -v npm >/dev/null || install_packages npm || {
        row npm 1 "there is no npm"
        return
    }
    mkdir -p "$npm/www"
    echo 'console.log("leakspy")' >"$npm/www/a.js"
    (cd "$npm" && npm install --no-fund --no-audit --ignore-scripts esbuild @typescript/native-preview \
        esbuild-1-18@npm:esbuild-linux-64@0.14.50 esbuild-1-20@npm:@esbuild/linux-x64@0.17.19 >"$build.log" 2>&1) || {
        cat "$build.log"
        row npm 1 "cannot install esbuild and @typescript/native-preview"
        return
    }
    esbuild=$(find "$modules/@esbuild" -type f -name esbuild | head -n 1)
    tsgo=$(find "$modules/@typescript" -type f -name tsgo | head -n 1)
    if ! configure || ! cmake --build "$build" -j "$jobs" --target leakspy >"$build.log" 2>&1; then
        tail -n 30 "$build.log"
        row npm 1 "the build failed"
        return
    fi
    local common=(--hold-stdin --after 1 --least 5 --functions --cwd "$npm/www")
    compare "esbuild --watch" "${common[@]}" -- "$esbuild" a.js --bundle --outfile=out.js --watch
    compare "esbuild --serve" "${common[@]}" -- "$esbuild" a.js --bundle --outdir=out --serve=127.0.0.1:0
    compare "esbuild --watch (core)" "${common[@]}" --core -- "$esbuild" a.js --bundle --outfile=out.js --watch
    compare "tsgo --lsp" "${common[@]}" -- "$tsgo" --lsp --stdio
    compare "tsgo --lsp (core)" "${common[@]}" --core -- "$tsgo" --lsp --stdio
    local version old
    common+=(--least 3) # the first have no more
    for version in 1.18 1.20; do
        old=$modules/esbuild-${version/./-}/bin/esbuild
        compare "$version esbuild --watch" "${common[@]}" -- "$old" a.js --bundle --outfile=old.js --watch
        compare "$version esbuild --serve" "${common[@]}" -- "$old" a.js --bundle --outdir=old --serve=127.0.0.1:0
        compare "$version esbuild --watch (core)" "${common[@]}" --core -- "$old" a.js --bundle --outfile=old.js --watch
    done
}

mkdir -p build
for what in "${all[@]}"; do
    if [ "$what" = npm ]; then
        run_npm
    else
        run_version "$what"
    fi
done
rm -f "$build.log"
echo
printf '%s\n' "${table[@]}"
exit "$bad"
