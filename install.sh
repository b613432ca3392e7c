#!/bin/sh
# Installs mutt and muttdev for one user, without root: an environment of its own, and two links in PREFIX/bin.
set -eu

usage() {
    cat <<'TEXT'
usage: install.sh [--wheel FILE] [--prefix DIR] [--python PROGRAM] [--no-stack] [--dry-run]
       install.sh --uninstall [--prefix DIR] [--dry-run]

Without --wheel it installs the checkout it stands in, packages as the lock files have them. Run again, it brings the
installation up to date. --no-stack leaves out the servers that `muttdev up` starts. PREFIX is ~/.local.
TEXT
}

fail() {
    printf 'install.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

# Runs a command, or says it.
run() {
    if [ "$dry" = yes ]; then
        printf '+'
        printf ' %s' "$@"
        printf '\n'
    else
        "$@"
    fi
}

# Whether a link in PREFIX/bin is ours.
ours() {
    [ -L "$1" ] && [ "$(readlink "$1")" = "$home/bin/$(basename "$1")" ]
}

uninstall() {
    for name in mutt muttdev; do
        if ours "$prefix/bin/$name"; then
            run rm -f "$prefix/bin/$name"
        fi
    done
    if [ -d "$home" ]; then
        run rm -rf "$home"
        echo "mutt is removed; data of a stack (.mutt) stays where it is"
    else
        echo "there was nothing to remove"
    fi
}

# The pinned versions of a lock file, without hashes: pip takes no hashes for what it builds itself.
pins() {
    sed -n 's/^\([A-Za-z0-9][A-Za-z0-9._-]*==[^ ;\\]*\).*/\1/p' "$1"
}

install_wheel() {
    run "$home/bin/python" -m pip install --quiet --disable-pip-version-check "$1$extra"
    run "$home/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall "$1"
}

install_checkout() {
    run "$home/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
        -r "$here/requirements.lock" -r "$here/requirements-build.lock"
    run "$home/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
        --force-reinstall "$here"
    if [ -n "$extra" ]; then
        constraints="$home/constraints.txt"
        [ "$dry" = yes ] || pins "$here/requirements-dev.lock" >"$constraints"
        run "$home/bin/python" -m pip install --quiet --disable-pip-version-check --no-build-isolation \
            -c "$constraints" "$here$extra"
    fi
}

prefix=${HOME:-}/.local
python=python3
wheel=
extra='[stack]'
dry=no
remove=no
while [ $# -gt 0 ]; do
    case $1 in
        --wheel | --prefix | --python)
            [ $# -gt 1 ] || fail "$1 wants a value" 2
            case $1 in
                --wheel) wheel=$2 ;;
                --prefix) prefix=$2 ;;
                --python) python=$2 ;;
            esac
            shift
            ;;
        --no-stack) extra= ;;
        --dry-run) dry=yes ;;
        --uninstall) remove=yes ;;
        --help | -h)
            usage
            exit 0
            ;;
        *)
            usage >&2
            fail "no such option: $1" 2
            ;;
    esac
    shift
done

case $prefix in
    /*) ;;
    *) prefix=$PWD/$prefix ;;
esac
home=$prefix/share/mutt
here=$(cd "$(dirname "$0")" && pwd)

if [ "$remove" = yes ]; then
    uninstall
    exit 0
fi

command -v "$python" >/dev/null 2>&1 || fail "$python is not there; install Python 3.11 or newer, or give --python PROGRAM"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$python is older than 3.11; give a newer one with --python PROGRAM"
if [ -n "$wheel" ]; then
    [ -f "$wheel" ] || fail "there is no wheel $wheel"
    wheel=$(cd "$(dirname "$wheel")" && pwd)/$(basename "$wheel")
elif [ ! -f "$here/pyproject.toml" ]; then
    fail "this is no checkout; give a wheel with --wheel FILE"
fi
for name in mutt muttdev; do
    link=$prefix/bin/$name
    if [ -e "$link" ] || [ -L "$link" ]; then
        ours "$link" || fail "$link belongs to something else; remove it, or give another --prefix"
    fi
done

if [ ! -x "$home/bin/python" ]; then
    run "$python" -m venv "$home"
fi
if [ -n "$wheel" ]; then
    install_wheel "$wheel"
else
    install_checkout
fi
run mkdir -p "$prefix/bin"
for name in mutt muttdev; do
    run ln -sf "$home/bin/$name" "$prefix/bin/$name"
done
if [ "$dry" = yes ]; then
    exit 0
fi
"$prefix/bin/mutt" --help >/dev/null || fail "mutt was installed and does not start"
echo "mutt and muttdev are in $prefix/bin; next: muttdev setup"
case ":$PATH:" in
    *":$prefix/bin:"*) ;;
    *) echo "put it on the PATH: PATH=\"$prefix/bin:\$PATH\"" ;;
esac
