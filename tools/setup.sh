# shellcheck shell=bash
# setup.sh - sourced by run and check: the packages of tools/packages, installed where missing.

say() {
    printf '\n== %s\n' "$*"
}

missing_packages() {
    local package
    while read -r package; do
        dpkg-query -W -f='${db:Status-Abbrev}\n' "$package" 2>/dev/null | grep -q '^ii' ||
            printf '%s\n' "$package"
    done <tools/packages
}

install_missing() {
    local missing install
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        printf 'tools/run and tools/check are for Debian. Elsewhere, install what the packages in\n'
        printf 'tools/packages hold, then type: meson setup build && ninja -C build\n'
        exit 1
    fi
    mapfile -t missing < <(missing_packages)
    [ ${#missing[@]} -eq 0 ] && return
    install="apt-get install -y --no-install-recommends ${missing[*]}"
    say "missing packages: ${missing[*]}"
    if [ "$(id -u)" -eq 0 ]; then
        as_root=()
    elif sudo -n true 2>/dev/null; then
        as_root=(sudo -n)
    else
        printf 'They need root to be installed; type this and start again:\n'
        printf 'sudo apt-get update && sudo %s\n' "$install"
        exit 1
    fi
    "${as_root[@]}" apt-get update -q
    # shellcheck disable=SC2086  # the words of a command
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive $install && return
    printf 'The packages could not be installed; mend what apt-get says above, and start again.\n'
    return 1
}

# build DIR TARGET OPTION...: configures once and compiles the target, all or programs.
build() {
    local dir=$1 target=$2
    shift 2
    if [ ! -e "$dir/build.ninja" ]; then
        meson setup "$dir" "$@" || return
    fi
    ninja -C "$dir" "$target"
}
