# How the static libraries are built that muster is linked with and Debian's own packages do not do for:
# sourced by packaging/libraries/openssl and libcurl, each of which prints the folder (include/, lib/) of
# what it built and nothing else:
#
#     packaging/libraries/libcurl [--fresh] [--link FILE] [ARCH]
#
# ARCH: for the cross compiler, as packaging/sysroot. FILE: becomes a link to that folder, and nothing is printed.
#
# The source is Debian's source package, security patches included, found through this machine's own apt
# sources: apt checks the signatures, and the tree names no host. A packager elsewhere sets
# MUSTER_OPENSSL_TARBALL and MUSTER_CURL_TARBALL to files as NAME-X.Y.Z.tar.gz.
#
# The result is kept in ${XDG_CACHE_HOME:-~/.cache}/muster/NAME-VERSION-KEY, KEY being a hash of the recipe
# and of what it builds with, so that a clean clone on the same machine has it at once. --fresh builds it
# anew, for example for the newest patches.
# shellcheck shell=bash

# shellcheck source=packaging/apt.sh
. "$here/../apt.sh"

# For size; each function its own section, of which the linker takes what is called. No unwinding tables:
# no exception of ours goes through C.
c_flags="-Os -ffunction-sections -fdata-sections -fstack-protector-strong -D_FORTIFY_SOURCE=2"
c_flags+=" -fno-asynchronous-unwind-tables -fno-unwind-tables -fPIC"
c_flags=${MUSTER_LIBRARY_FLAGS:-$c_flags} # for a sanitizer

say() { printf '%s: %s\n' "$name" "$*" >&2; }
die() { say "$*"; exit 1; }

# logged COMMAND...: silent where all is well.
logged() { "$@" >"$work/log" 2>&1 || { tail -n 40 "$work/log" >&2; die "$1 failed"; }; }

# Debian's source package, unpacked and patched, as $work/source. The machine's own package lists stay
# as they are: apt is given lists, cache and sources of its own.
fetch_with_apt() {
    command -v apt-get >/dev/null || die "no apt-get here: set $tarball_variable"
    mkdir -p "$work"/apt/{parts,lists/partial,cache/archives/partial} "$work/download"
    # As root, apt downloads as the user _apt, who must be able to come here.
    if [[ $(id -u) == 0 ]] && id _apt >/dev/null 2>&1; then
        chmod 755 "$work"
        chown -R _apt "$work/download" "$work/apt/lists/partial"
    fi
    debian_sources | sed 's/^deb /deb-src /' >"$work/apt/parts/muster.list"
    [[ -s $work/apt/parts/muster.list ]] ||
        die "the apt sources name no suite of Debian's $(codename): set $tarball_variable"
    local options=(-qq -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$work/apt/parts"
        -o "Dir::State::lists=$work/apt/lists" -o "Dir::Cache=$work/apt/cache"
        -o APT::Update::Post-Invoke-Success::= -o Acquire::Retries=3)
    say "fetching the distribution's source package"
    logged apt-get "${options[@]}" update

    local versions
    mapfile -t versions < <(apt-cache "${options[@]}" showsrc --only-source "$name" |
        sed -n 's/^Version: //p' | sort -rV)
    # The newest first. A mirror's index may name what its pool has not yet, or no longer.
    for version in "${versions[@]}"; do
        # Downloaded first, unpacked as ourselves.
        if (cd "$work/download" && apt-get "${options[@]}" source --download-only "$name=$version" \
            >"$work/log" 2>&1); then
            logged dpkg-source --no-check --extract "$work/download/${name}_${version#*:}.dsc" "$work/source"
            return
        fi
        say "$version is listed, and not all of it can be fetched: $(grep -m 1 '^E:' "$work/log")"
    done
    die "no version of it can be fetched: set $tarball_variable"
}

fetch_tarball() {
    say "unpacking ${!tarball_variable}"
    version=$(basename "${!tarball_variable}" | sed 's/^[^0-9]*//; s/\.tar.*//')
    mkdir "$work/source"
    logged tar -xf "${!tarball_variable}" -C "$work/source" --strip-components=1
}

# key_of WORD...: of what the result depends on, besides what is fetched; with what else it is built.
key_of() {
    {
        cat "$0" "$here/common.sh"
        "$compiler" --version
        echo "$arch" "$sysroot" "$c_flags" "$@"
        [[ -z ${!tarball_variable:-} ]] || sha256sum <"${!tarball_variable}"
    } | sha256sum | cut -c1-12
}

found() { compgen -G "$cache/$name-*-$key/lib" | head -n 1; }

# build_once: calls compile, which leaves include/ and lib/ in $work/installed, unless that was done.
build_once() {
    if [[ -z $(found || true) ]]; then
        # On the disk's own temporary folder, not in the cache: _apt cannot enter root's home.
        work=$(mktemp -d "${TMPDIR:-/tmp}/muster-$name.XXXXXX")
        trap 'rm -rf "$work"' EXIT
        if [[ -n ${!tarball_variable:-} ]]; then fetch_tarball; else fetch_with_apt; fi
        say "building $version${arch:+ for $arch}"
        compile
        keep
    fi
    local prefix
    prefix=$(found) || die "the build left nothing in $cache"
    if [[ -n $link ]]; then
        # ninja makes the folders of what is to come out.
        [[ -L $link ]] || rm -rf "$link"
        mkdir -p "$(dirname "$link")"
        ln -sfn "${prefix%/lib}" "$link"
    else
        echo "${prefix%/lib}"
    fi
}

keep() {
    local target="$cache/$name-${version//[^A-Za-z0-9.+~-]/_}-$key"
    mkdir -p "$cache"
    rm -rf "$target.$$"
    mkdir "$target.$$"
    cp -r "$work/installed/include" "$work/installed/lib" "$target.$$/"
    # Two builds at the same time: the first one stays.
    mv -T "$target.$$" "$target" 2>/dev/null || rm -rf "$target.$$"
    say "$(cat "$target"/lib/*.a | wc -c) bytes of libraries in $target"
}

fresh= link=
while [[ ${1:-} == --* ]]; do
    case $1 in
    --fresh) fresh=yes ;;
    --link) link=$2; shift ;;
    *) die "usage: packaging/libraries/$name [--fresh] [--link FILE] [ARCH]" ;;
    esac
    shift
done
arch=${1:-} compiler=${CC:-cc} sysroot=
if [[ -n $arch ]]; then
    [[ $arch == arm64 ]] || die "$arch: no cross compiler is known but that for arm64"
    compiler=aarch64-linux-gnu-gcc
    sysroot=$("$here/../sysroot" "$arch")
fi
cache="${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/muster"
