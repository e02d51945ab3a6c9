#!/bin/sh
# Installs what the workbook needs and this machine lacks: a C compiler, make, pkg-config, Check
# (the unit tests), Doxygen and Graphviz (the documentation), expat and SQLite (two of the example
# programs). It uses the machine's own package manager, does nothing when all is there, and
# installs nothing that only an option needs.
set -u

fail() {
    echo "setup: $*" >&2
    exit 1
}

have() {
    command -v "$1" > /dev/null 2>&1
}

# A compiler without the C library's headers is no compiler: let it read one.
compiles() {
    for cc in "${CC:-cc}" gcc clang; do
        # ${CC} may be two words ("ccache gcc"), so it stands without quotes.
        echo '#include <stdio.h>' | $cc -E -x c - > /dev/null 2>&1 && return 0
    done
    return 1
}

library() {
    have pkg-config && pkg-config --exists "$1" 2> /dev/null
}

# Prints the things that are missing, one word each.
missing() {
    compiles || echo compiler
    have make || echo make
    have bash || echo bash
    have pkg-config || echo pkg-config
    library check || echo check
    library expat || echo expat
    library sqlite3 || echo sqlite
    have doxygen || echo doxygen
    have dot || echo graphviz
}

# What a package manager calls a thing.
package() {
    case "$1:$2" in
    apt:compiler) echo gcc libc6-dev ;;
    apt:expat) echo libexpat1-dev ;;
    apt:sqlite) echo libsqlite3-dev ;;
    dnf:compiler) echo gcc glibc-devel ;;
    dnf:pkg-config) echo pkgconf-pkg-config ;;
    dnf:check) echo check-devel ;;
    dnf:expat) echo expat-devel ;;
    dnf:sqlite) echo sqlite-devel ;;
    apk:compiler) echo gcc musl-dev linux-headers ;;
    apk:pkg-config) echo pkgconf ;;
    apk:check) echo check-dev ;;
    apk:expat) echo expat-dev ;;
    apk:sqlite) echo sqlite-dev ;;
    brew:compiler) echo gcc ;;
    brew:pkg-config) echo pkgconf ;;
    *) echo "$2" ;;
    esac
}

things=$(missing | tr '\n' ' ')
things=${things% }
if [ -z "$things" ]; then
    echo "setup: everything is there"
    exit 0
fi
echo "setup: missing: $things"

manager=
for candidate in "apt apt-get" "dnf dnf" "apk apk" "brew brew"; do
    if have "${candidate#* }"; then
        manager=${candidate% *}
        break
    fi
done
[ -n "$manager" ] ||
    fail "this system has none of apt, dnf, apk and brew; please install by hand: $things"

packages=
for thing in $things; do
    packages="$packages $(package "$manager" "$thing")"
done
packages=${packages# }

case $manager in
apt) install="apt-get install" ;;
apk) install="apk add" ;;
*) install="$manager install" ;;
esac

# Who may install: root, whoever sudo lets; brew wants neither.
as_root=
if [ "$manager" != brew ] && [ "$(id -u)" -ne 0 ]; then
    if ! have sudo; then
        fail "installing needs root, and there is no sudo; as root: $install $packages"
    elif sudo -n true 2> /dev/null || [ -t 0 ]; then
        as_root=sudo
    else
        fail "installing needs root, and sudo wants a password; run it in a terminal"
    fi
fi

log=$(mktemp "${TMPDIR:-/tmp}/setup.XXXXXX") || fail "cannot write to ${TMPDIR:-/tmp}"
trap 'rm -f "$log"' EXIT
trap 'exit 1' HUP INT TERM

# Runs a command quietly; if it fails, shows its last lines and says what that means.
step() {
    what=$1
    shift
    echo "setup: $what"
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive "$@" < /dev/null > "$log" 2>&1 && return 0
    tail -n 5 "$log" >&2
    fail "that failed (its last lines are above): is there a network, and are the" \
        "package sources of $manager right?"
}

apt_options="-o DPkg::Lock::Timeout=120 -o Acquire::Retries=2 -o Acquire::http::Timeout=20"

# Package names and options are lists of words, so they stand without quotes from here on.
# shellcheck disable=SC2086
case $manager in
apt)
    step "apt-get update" apt-get $apt_options -q update
    step "$install $packages" \
        apt-get $apt_options -q -y --no-install-recommends install $packages
    ;;
dnf) step "$install $packages" dnf -q -y install $packages ;;
apk) step "$install $packages" apk add -q $packages ;;
brew) step "$install $packages" brew install -q $packages ;;
esac

things=$(missing | tr '\n' ' ')
[ -z "$things" ] || fail "installed, and yet still missing: $things"
echo "setup: everything is there now"
