# What mmdebstrap is told of this machine's apt: sourced by packaging/sysroot, tests/ami/image and
# tests/uml/userland.
# shellcheck shell=bash

# This machine's release of Debian.
codename() {
    # shellcheck disable=SC1091
    (. /etc/os-release && echo "${VERSION_CODENAME:-}")
}

# debian_sources [RELEASE]: Debian's own suites among the apt sources, one line each; other people's repositories
# have other suites. Those of another release are at the same places.
# shellcheck disable=SC2120  # the release may be left out
debian_sources() {
    # shellcheck disable=SC2016  # the variables are apt's
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v codename="$(codename)" -v release="${1:-$(codename)}" '
            $2 ~ "^" codename "(-updates|-security)?$" && $3 == "main" && !seen[$0]++ {
                print "deb", $1, release substr($2, length(codename) + 1), $3
            }'
}

# What of the apt configuration it takes to reach them.
apt_options() {
    apt-config dump --no-empty --format '%F "%v";%n' Acquire |
        sed -n 's/^\(Acquire::https\?::Proxy\b.*\)/--aptopt=\1/p'
    echo '--aptopt=Acquire::Retries "3";'
}
