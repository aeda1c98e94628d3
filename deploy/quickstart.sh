#!/usr/bin/env bash
# From a clone to a video: installs what is missing, builds the server and the
# client, and walks through a maze that answers to actions. No GPU needed.
set -euo pipefail
# shellcheck source=deploy/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

FRAMES=160
# Out of a corner, along, around, and back the way it came: walls seen before
# must look the same again, which only the cache remembers.
SCRIPT='forward*24,left*8,forward*24,right*16,forward*16,left*32,forward*24,right*16'
OUT=$QVG_ROOT/out
SERVER_LOG=$OUT/qvgd.log

usage() {
  cat <<'TEXT'
Usage: deploy/quickstart.sh

Installs what is missing (deploy/setup.sh), builds qvgd and qvg into
build/release, plays 160 frames of TinyWorld on a server of its own, and leaves
out/quickstart.mp4 and out/quickstart.png.
TEXT
}

build() {
  say "Building qvgd and qvg (log: build/release.log)"
  mkdir -p build
  run_logged build/release.log cmake --preset release
  run_logged build/release.log \
    cmake --build --preset release -j "$(build_jobs)" --target qvgd qvg
}

free_ports() {
  python3 - <<'PYTHON'
import socket
sockets = [socket.create_server(('127.0.0.1', 0)) for _ in range(2)]
print(*(s.getsockname()[1] for s in sockets))
PYTHON
}

# Sets SERVER and SERVER_PID.
start_server() {
  local port metrics_port
  read -r port metrics_port < <(free_ports)
  SERVER=127.0.0.1:$port
  say "Starting qvgd on $SERVER (log: $SERVER_LOG)"
  build/release/bin/qvgd --grpc-port="$port" --metrics-port="$metrics_port" \
    2>"$SERVER_LOG" &
  SERVER_PID=$!
  trap stop_server EXIT
  for _ in $(seq 150); do
    build/release/bin/qvg info --server="$SERVER" >/dev/null 2>&1 && return
    kill -0 "$SERVER_PID" 2>/dev/null || break
    sleep 0.2
  done
  tail -n 20 "$SERVER_LOG" >&2
  die "qvgd did not start"
}

stop_server() {
  kill "$SERVER_PID" 2>/dev/null || return 0
  wait "$SERVER_PID" || true
}

play() {
  say "Playing $FRAMES frames: $SCRIPT"
  build/release/bin/qvg play --server="$SERVER" --frames=$FRAMES --seed=7 \
    --script="$SCRIPT" --out="$OUT/quickstart.mp4" \
    --sheet="$OUT/quickstart.png" --json >"$OUT/quickstart.json"
}

summary() {
  say "Done"
  python3 - "$OUT/quickstart.json" <<'PYTHON'
import json, sys
run = json.load(open(sys.argv[1]))
print(f'''frames              {run['frames']}
frames per second   {run['fps']:.1f}
first frames after  {run['first_frame_s']:.2f} s
cache as BF16       {run['cache_bytes_bf16']:,} bytes
cache as stored     {run['cache_bytes']:,} bytes ({run['codec']})
ratio               {run['cache_ratio']:.2f}''')
PYTHON
  cat <<TEXT
video               out/quickstart.mp4
contact sheet       out/quickstart.png

Try next:
  build/release/bin/qvgd &
  build/release/bin/qvg play --frames=320 --script='forward*40,left*32' --out=walk.mp4
  build/release/bin/qvg play --codec=bf16 --out=bf16.mp4   # nothing compressed
  build/release/bin/qvg models; build/release/bin/qvg sessions
  curl -s localhost:8002/metrics
TEXT
}

main() {
  case ${1-} in
    '') ;;
    --help | -h) usage && exit ;;
    *) die "unknown option $1 (see --help)" ;;
  esac
  cd "$QVG_ROOT"
  mkdir -p "$OUT"
  say "Installing what is missing"
  deploy/setup.sh
  build
  start_server
  play
  stop_server
  summary
}

main "$@"
