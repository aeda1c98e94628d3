#!/usr/bin/env bash
# Proves that the two commands of the README work on a machine with nothing
# installed: bootstraps a bare Debian into a folder, clones this repository
# into it and runs them there in a chroot.
set -euo pipefail
# shellcheck source=deploy/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

usage() {
  cat <<'TEXT'
Usage: deploy/prove_clean.sh [--dir=DIR] [--suite=NAME]... [COMMAND...]

Runs the COMMANDs (default: deploy/quickstart.sh twice, then tests/run.sh
twice) in the last commit of this repository, in a bare root of each suite
(default: bookworm and trixie), and prints how long each took. Needs root and
the package debootstrap. The roots are made anew below DIR (default:
/var/tmp/qvgd-clean) and are left there.
TEXT
}

# make_root SUITE ROOT: a minimal Debian that gets its packages from where
# this host gets them.
make_root() {
  local suite=$1 root=$2 host
  host=$(. /etc/os-release && echo "$VERSION_CODENAME")
  rm -rf --one-file-system "$root"
  debootstrap --variant=minbase "$suite" "$root" >"$root.log" 2>&1 ||
    die "debootstrap failed, see $root.log"
  rm -f "$root/etc/apt/sources.list"
  copy_apt_sources "$host" "$suite" "$root"
  apt-config dump --format '%f "%v";%n' Acquire \
    >"$root/etc/apt/apt.conf.d/99host"
  cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
  [ ! -e /etc/pip.conf ] || cp -L /etc/pip.conf "$root/etc/"
  mkdir -p "$root/etc/ssl/certs" "$root/usr/local/share/ca-certificates"
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  cp -r /usr/local/share/ca-certificates/. \
    "$root/usr/local/share/ca-certificates/"
}

# copy_apt_sources HOST_SUITE SUITE ROOT: those of the host that are Debian's.
copy_apt_sources() {
  local file
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
    grep -qs "debian-archive\|//deb\.debian\|/debian " "$file" || continue
    sed "s/$1/$2/g" "$file" >"$3/etc/apt/${file#/etc/apt/}"
  done
}

# run_in ROOT COMMAND: in the clone, with an environment of its own, in mount
# and process namespaces that end with it.
run_in() {
  # shellcheck disable=SC2016  # expanded inside
  unshare --mount --pid --fork bash -c '
    mount -t proc proc "$0/proc"
    mount --bind /dev "$0/dev" && mount --bind /dev/shm "$0/dev/shm"
    exec chroot "$0" /usr/bin/env -i HOME=/root LANG=C.UTF-8 \
      PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
      bash -c "cd /src/qvgd && $1"' "$1" "$2" </dev/null
}

# prove SUITE COMMAND...: appends a line to RESULTS for each command.
prove() {
  local suite=$1 root=$DIR/$1 command start
  shift
  say "$suite: bootstrap into $root"
  make_root "$suite" "$root"
  git clone --quiet --no-hardlinks "$QVG_ROOT" "$root/src/qvgd"
  for command in "$@"; do
    say "$suite: $command"
    start=$SECONDS
    run_in "$root" "$command" || die "$suite: $command failed"
    RESULTS+=("$(printf '%-10s %5d s  %s' "$suite" $((SECONDS - start)) \
      "$command")")
  done
}

main() {
  local suites=() suite
  DIR=/var/tmp/qvgd-clean RESULTS=()
  while [ $# -gt 0 ]; do
    case $1 in
      --dir=*) DIR=${1#*=} ;;
      --suite=*) suites+=("${1#*=}") ;;
      --help | -h) usage && exit ;;
      -*) die "unknown option $1 (see --help)" ;;
      *) break ;;
    esac
    shift
  done
  [ "$(id -u)" = 0 ] || die "needs root (chroot)"
  command -v debootstrap >/dev/null || die "needs the package debootstrap"
  [ ${#suites[@]} -gt 0 ] || suites=(bookworm trixie)
  [ $# -gt 0 ] || set -- deploy/quickstart.sh deploy/quickstart.sh \
    tests/run.sh tests/run.sh
  mkdir -p "$DIR"
  for suite in "${suites[@]}"; do
    prove "$suite" "$@"
  done
  say "all of it worked on a bare machine"
  printf '%s\n' "${RESULTS[@]}"
}

main "$@"
