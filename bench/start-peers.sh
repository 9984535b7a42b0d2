#!/bin/sh
# Starts buildkitd and dockerd for the benchmarks, with everything they keep in DIR, and prints what to set:
#   eval "$(sh bench/start-peers.sh DIR)"; npm run bench -- --work DIR/bench; kill $TSBUILD_BENCH_PEERS
# Needs root. What is not installed is left out. TSBUILD_BENCH_HTTP_REGISTRIES names registries without TLS, as host:port.
set -eu
dir=${1:?usage: start-peers.sh DIR}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
pids=""

# Waits until a daemon answers; says why when it does not.
await() {
  name=$1
  shift
  for _ in $(seq 100); do
    "$@" >"$dir/$name.answer" 2>&1 && return 0
    sleep 0.2
  done
  echo "$name does not answer:" >&2
  tail -n 5 "$dir/$name.log" >&2
  return 1
}

if command -v buildkitd >/dev/null && command -v buildctl >/dev/null; then
  cat >"$dir/buildkitd.toml" <<TOML
root = "$dir/buildkit"
[grpc]
  address = ["unix://$dir/buildkitd.sock"]
[worker.oci]
  enabled = true
  snapshotter = "overlayfs"
[worker.containerd]
  enabled = false
TOML
  for registry in ${TSBUILD_BENCH_HTTP_REGISTRIES:-}; do
    printf "[registry.\"%s\"]\n  http = true\n" "$registry" >>"$dir/buildkitd.toml"
  done
  setsid buildkitd --config "$dir/buildkitd.toml" >"$dir/buildkitd.log" 2>&1 &
  if await buildkitd buildctl --addr "unix://$dir/buildkitd.sock" debug workers; then
    pids="$pids $!"
    echo "export BUILDKIT_HOST=unix://$dir/buildkitd.sock"
  fi
fi

if command -v dockerd >/dev/null && command -v docker >/dev/null; then
  setsid dockerd --data-root "$dir/docker" --exec-root "$dir/docker-run" --pidfile "$dir/docker.pid" \
    --host "unix://$dir/docker.sock" --iptables=false --ip6tables=false --ip-masq=false >"$dir/dockerd.log" 2>&1 &
  if await dockerd docker --host "unix://$dir/docker.sock" version; then
    pids="$pids $!"
    echo "export DOCKER_HOST=unix://$dir/docker.sock"
  fi
fi

echo "export TSBUILD_BENCH_PEERS='$pids'"
