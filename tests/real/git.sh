# shellcheck shell=bash disable=SC2034,SC2154
# git: a repository made, packed with threads, cloned over a pipe, rebased and checked; all names come out the same.
packages=(git)

export HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1
git_() {
    under git -c user.name=a -c user.email=a@b -c pack.threads=4 -c index.threads=4 -c init.defaultBranch=main \
        -c protocol.file.allow=always -c gc.auto=0 "$@"
}

run() {
    local i
    export GIT_AUTHOR_DATE='2020-01-01T00:00:00Z' GIT_COMMITTER_DATE='2020-01-01T00:00:00Z'
    git_ init -q one
    cd "$dir/one" || return
    for ((i = 0; i < 20; i++)); do
        mkdir -p "folder$i"
        seq $((i * 100)) $((i * 100 + 3000)) | split -a 3 -l 20 - "folder$i/file"
        git_ add -A
        git_ commit -q -m "commit $i"
    done
    git_ checkout -q -b side HEAD~5
    echo side >side
    git_ add side
    git_ commit -q -m side
    git_ rebase -q main
    git_ repack -q -a -d -f --depth=20 --window=20
    git_ gc -q
    git_ fsck --full --strict
    cd "$dir" || return
    git_ clone -q --no-local one two
    cd two || return
    git_ log --format=%H side 2>/dev/null || git_ log --format=%H origin/side
    git_ grep --threads 4 -c 2999 | sort
    git_ status --porcelain
    git_ merge-base HEAD origin/main || true
    git_ no-such-command 2>&1 || echo "status $?"
}
