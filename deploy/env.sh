# shellcheck shell=bash
# Sourced by the scripts of this repository: where things are and how to build.

QVG_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export QVG_ROOT
# Python wheels and tools that deploy/setup.sh installs.
export QVG_DEPS_DIR=${QVG_DEPS_DIR:-$HOME/.cache/qvgd}
export PATH=$QVG_DEPS_DIR/bin:$PATH
# Lets clones in different folders share what ccache holds.
export CCACHE_BASEDIR=$QVG_ROOT CCACHE_NOHASHDIR=true
export CCACHE_SLOPPINESS=pch_defines,time_macros
export CCACHE_MAXSIZE=${CCACHE_MAXSIZE:-10G}
# Colours and progress rewriting only make a log unreadable.
export NINJA_STATUS='[%f/%t %es] '

# say TEXT...: one line that tells what the script does now.
say() { printf '\n== %s\n' "$*"; }

# die TEXT...: one line to stderr, exit 1.
die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# build_jobs: compile jobs that cores and free memory allow (2 GiB each, which
# a file that includes Torch needs at its peak).
build_jobs() {
  local cores memory
  cores=$(nproc)
  memory=$(awk '/^MemAvailable/ {print int($2 / 2097152)}' /proc/meminfo)
  [ "$memory" -ge 1 ] || memory=1
  echo $((cores < memory ? cores : memory))
}

# run_logged LOG COMMAND...: runs it with its output in LOG; shows the end of
# LOG and fails if it fails.
run_logged() {
  local log=$1
  shift
  "$@" >"$log" 2>&1 && return
  tail -n 40 "$log" >&2
  die "failed: $* (whole log: $log)"
}
