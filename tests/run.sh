#!/usr/bin/env bash
# Builds everything and runs every test that has to be green.
set -euo pipefail
# shellcheck source=deploy/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/../deploy/env.sh"

usage() {
  cat <<'TEXT'
Usage: tests/run.sh [--quick] [--filter=REGEX] [--sanitize]

Installs what is missing (deploy/setup.sh), builds the preset `release` and
runs its tests.

  --quick         only unit tests and checks of the tree
  --filter=REGEX  only tests whose name matches
  --sanitize      before that, the tests of the presets `asan` and `tsan`

Logs are in build/<preset>/Testing.
TEXT
}

# build PRESET: quiet unless it fails.
build() {
  local log=build/$1.log
  say "build $1 (log: $log)"
  mkdir -p build
  run_logged "$log" cmake --preset "$1"
  run_logged "$log" cmake --build --preset "$1" -j "$(build_jobs)"
}

# run_tests PRESET CTEST_OPTION...
run_tests() {
  local preset=$1
  shift
  say "test $preset"
  ctest --test-dir "build/$preset" -j "$(nproc)" --output-on-failure \
    --no-tests=error --schedule-random "$@"
}

# Checks of the tree and measurements say nothing new under a sanitizer.
sanitize() {
  local preset
  export ASAN_OPTIONS=detect_leaks=1
  export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
  # Packaged libraries are not instrumented: what they do among themselves
  # looks like races.
  export TSAN_OPTIONS=halt_on_error=1:ignore_noninstrumented_modules=1
  for preset in asan tsan; do
    build "$preset"
    run_tests "$preset" -LE 'structure|bench'
  done
}

main() {
  local only=() sanitize='' option
  for option in "$@"; do
    case $option in
      --quick) only=(-L 'unit|structure') ;;
      --filter=*) only=(-R "${option#*=}") ;;
      --sanitize) sanitize=yes ;;
      --help | -h) usage && exit ;;
      *) die "unknown option $option (see --help)" ;;
    esac
  done
  cd "$QVG_ROOT"
  local start=$SECONDS
  deploy/setup.sh
  build release
  [ -z "$sanitize" ] || sanitize
  run_tests release -LE soak "${only[@]}"
  echo "tests/run.sh: $((SECONDS - start)) s"
}

main "$@"
