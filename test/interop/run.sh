#!/usr/bin/env bash
# Exchanges images with other programs, each way, and prints a table. Not part of npm test: it needs the programs, root,
# and ports 5931 to 5934 of this machine. Usage: npm run build && test/interop/run.sh [ROW…]
set -u
here=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
started=()
failed=0
cleanup() {
  for pid in "${started[@]:-}"; do [ -n "$pid" ] && kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done
  umount -q "$work"/docker/data/* 2>/dev/null
  rm -rf "$work"
}
trap cleanup EXIT

export HOME=$work/home TSBUILD_ROOT=$work/store DOCKER_CONFIG=$work/home/.docker TSBUILD_CONFIG=$work/config.json
mkdir -p "$DOCKER_CONFIG" "$work/context"
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY XDG_CONFIG_HOME XDG_RUNTIME_DIR REGISTRY_AUTH_FILE
tsbuild() { node "$here/bin/tsbuild.js" "$@"; }
other() { TSBUILD_ROOT=$work/other tsbuild "$@"; }

plain=127.0.0.1:5931 guarded=127.0.0.1:5932 tls=localhost:5933 own=127.0.0.1:5934
echo "{}" >"$DOCKER_CONFIG/config.json"
echo "{\"registries\":{\"$tls\":{\"plainHttp\":false}}}" >"$TSBUILD_CONFIG"
printf 'FROM scratch\nCOPY f d/ /d/\nENV A=b\nCMD ["/d/f"]\n' >"$work/context/Dockerfile"
mkdir -p "$work/context/d" && date >"$work/context/f" && ln -s f "$work/context/d/link"

# row NAME PROGRAM STEPS: a function that fails when the exchange does
row() {
  local name=$1 program=$2 steps=$3
  if [ ${#wanted[@]} -gt 0 ] && [[ ! " ${wanted[*]} " == *" ${steps%%_*} "* ]]; then return; fi
  if ! command -v "$program" >/dev/null; then
    printf '%-11s %s\n' "no $program" "$name"
    return
  fi
  # Not as a condition: bash would go on behind a step that fails.
  (set -e; "$steps") >"$work/log" 2>&1
  if [ $? -eq 0 ]; then
    printf '%-11s %s\n' ok "$name"
    return
  fi
  printf '%-11s %s\n' FAILED "$name"
  sed 's/^/    /' "$work/log" | tail -20
  failed=1
}
wanted=("$@")

# wait_for URL: until somebody answers there
wait_for() { for _ in $(seq 100); do curl -sk -o /dev/null "$1" && return; sleep 0.1; done; return 1; }
image_id() { tsbuild inspect "$1" | grep -o 'sha256:[0-9a-f]*' | head -1; }
same_image() { [ "$(other images -q --no-trunc "$1")" = "$id" ]; }

serve_distribution() { # NAME ADDRESS MORE-SETTINGS
  mkdir -p "$work/$1"
  printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: %s}}\nhttp:\n  addr: %s\n%b' "$work/$1" "$2" "$3" >"$work/$1.yml"
  docker-registry serve "$work/$1.yml" >"$work/$1.log" 2>&1 &
  started+=($!)
}

start_all() {
  tsbuild -q -t local/app:1 "$work/context" >/dev/null || exit 1
  id=$(tsbuild images -q --no-trunc local/app)
  # The program itself and no function around it: it is stopped by its process ID.
  node "$here/bin/tsbuild.js" registry serve --addr $own --allow-push --allow-delete >"$work/own.log" 2>&1 &
  started+=($!)
  wait_for "http://$own/v2/" || exit 1
  command -v docker-registry >/dev/null || return
  serve_distribution plain $plain ''
  node -e 'process.stdout.write("ann:" + require(process.argv[1]).hashSync("secret", 5) + "\n")' \
    "$here/node_modules/bcryptjs/umd" >"$work/htpasswd"
  serve_distribution guarded $guarded "auth: {htpasswd: {realm: test, path: $work/htpasswd}}\n"
  certs="$here/fixtures/tls"
  serve_distribution tls $tls "  tls: {certificate: $certs/server.crt, key: $certs/server.key}\n"
  wait_for "http://$plain/v2/" && wait_for "http://$guarded/v2/" && wait_for "https://$tls/v2/"
}

# --- docker-registry
distribution_plain() {
  tsbuild tag local/app:1 $plain/app:1
  pushed=$(tsbuild push -q $plain/app:1)
  [ "$(other pull -q $plain/app:1)" = "$pushed" ]
  same_image $plain/app:1
}
distribution_htpasswd() {
  tsbuild tag local/app:1 $guarded/app:1
  if tsbuild push -q $guarded/app:1; then return 1; fi
  printf secret | tsbuild login -u ann --password-stdin $guarded
  tsbuild push -q $guarded/app:1
  other pull -q $guarded/app:1
  same_image $guarded/app:1
  tsbuild logout $guarded
  if tsbuild push -q $guarded/app:1; then return 1; fi
}
distribution_tls() {
  tsbuild tag local/app:1 $tls/app:1
  if tsbuild push -q $tls/app:1; then return 1; fi
  mkdir -p "$work/certs/$tls" && cp "$here/fixtures/tls/ca.crt" "$work/certs/$tls/"
  tsbuild push -q --cert-dir "$work/certs" $tls/app:1
  other pull -q --cert-dir "$here/fixtures/tls" $tls/app:1
  same_image $tls/app:1
}

# --- skopeo
skopeo_reads() {
  tsbuild save -o "$work/docker.tar" local/app:1
  tsbuild save -o "$work/oci.tar" --format oci local/app:1
  skopeo copy "docker-archive:$work/docker.tar" "dir:$work/skopeo-docker"
  skopeo copy "oci-archive:$work/oci.tar" "dir:$work/skopeo-oci"
  tsbuild -q -o "type=oci,dest=$work/layout,tar=false" -t local/app:1 "$work/context"
  skopeo inspect "oci:$work/layout:1"
  skopeo copy --src-tls-verify=false docker://$own/local/app:1 "dir:$work/skopeo-own"
}
skopeo_writes() {
  tsbuild save -o "$work/oci.tar" --format oci local/app:1
  skopeo copy "oci-archive:$work/oci.tar" "oci-archive:$work/skopeo.oci.tar:skopeo/oci:1"
  skopeo copy "oci-archive:$work/oci.tar" "docker-archive:$work/skopeo.docker.tar:skopeo/docker:1"
  other load -t skopeo/oci:1 -i "$work/skopeo.oci.tar"
  same_image skopeo/oci:1
  other load -i "$work/skopeo.docker.tar"
  skopeo copy --dest-tls-verify=false "oci-archive:$work/oci.tar" docker://$own/skopeo/app:1
  skopeo copy --src-tls-verify=false --dest-tls-verify=false docker://$own/skopeo/app:1 docker://$own/skopeo/copy:1
  skopeo list-tags --tls-verify=false docker://$own/skopeo/copy
  other pull -q $own/skopeo/copy:1
  same_image $own/skopeo/copy:1
  skopeo delete --tls-verify=false docker://$own/skopeo/copy:1
}

# --- umoci
umoci_reads() {
  rm -rf "$work/umoci" && tsbuild -q -o "type=oci,dest=$work/umoci,tar=false" -t local/app:1 "$work/context"
  rm -rf "$work/bundle"
  umoci unpack --image "$work/umoci:1" "$work/bundle"
  cmp "$work/bundle/rootfs/d/f" "$work/context/f"
}
umoci_writes() {
  rm -rf "$work/umoci" && tsbuild -q -o "type=oci,dest=$work/umoci,tar=false" -t local/app:1 "$work/context"
  rm -rf "$work/bundle"
  umoci unpack --image "$work/umoci:1" "$work/bundle"
  cp "$work/context/f" "$work/bundle/rootfs/inserted"
  rm "$work/bundle/rootfs/d/link"
  umoci repack --image "$work/umoci:1" "$work/bundle"
  umoci config --image "$work/umoci:1" --config.env C=d
  other load -i "$work/umoci"
  other cat local/app:1:/inserted | cmp - "$work/context/f"
  if other cat local/app:1:/d/link; then return 1; fi
  mkdir -p "$work/from" && printf 'FROM base\nCOPY --from=base /inserted /again\n' >"$work/from/Dockerfile"
  other -q -t umoci/built:1 --build-context "base=oci-layout://$work/umoci:1" "$work/from"
  other cat umoci/built:1:/again | cmp - "$work/context/f"
}

# --- buildah, podman: each with a store of its own
containers() { "$1" --root "$work/containers" --runroot "$work/containers-run" --storage-driver vfs "${@:2}"; }
buildah_reads() {
  tsbuild save -o "$work/oci.tar" --format oci local/app:1
  containers buildah pull -q "oci-archive:$work/oci.tar"
  containers buildah pull -q --tls-verify=false docker://$own/local/app:1
  name=$(containers buildah from --tls-verify=false --pull-never $own/local/app:1)
  cmp "$(containers buildah mount "$name")/d/f" "$work/context/f"
  containers buildah rm "$name"
}
buildah_writes() {
  name=$(containers buildah from scratch)
  containers buildah copy "$name" "$work/context/f" /f
  containers buildah commit -q "$name" buildah/app:1
  containers buildah push -q --tls-verify=false buildah/app:1 docker://$own/buildah/app:1
  containers buildah push -q buildah/app:1 "oci-archive:$work/buildah.tar"
  other pull -q $own/buildah/app:1
  other cat $own/buildah/app:1:/f | cmp - "$work/context/f"
  other load -t buildah/loaded:1 -i "$work/buildah.tar"
}
podman_reads() {
  tsbuild save -o "$work/docker.tar" local/app:1
  containers podman load -q -i "$work/docker.tar"
  containers podman pull -q --tls-verify=false $own/local/app:1
  containers podman image inspect $own/local/app:1 | grep -q "${id#sha256:}"
}
podman_writes() {
  containers podman pull -q --tls-verify=false $own/local/app:1
  containers podman save -q -o "$work/podman.docker.tar" $own/local/app:1
  containers podman save -q --format oci-archive -o "$work/podman.oci.tar" $own/local/app:1
  other load -i "$work/podman.docker.tar"
  same_image $own/local/app:1
  other rmi $own/local/app:1
  other load -i "$work/podman.oci.tar"
  same_image $own/local/app:1
  containers podman push -q --tls-verify=false $own/local/app:1 $own/podman/app:1
  other pull -q $own/podman/app:1
}

# --- dockerd
start_docker() {
  mkdir -p "$work/docker"
  dockerd --data-root "$work/docker/data" --exec-root "$work/docker/exec" -H "unix://$work/docker/sock" \
    -p "$work/docker/pid" --bridge=none --iptables=false --ip6tables=false --ip-masq=false --storage-driver=vfs \
    >"$work/docker.log" 2>&1 &
  started+=($!)
  for _ in $(seq 200); do DOCKER_HOST=unix://$work/docker/sock docker version >/dev/null 2>&1 && break; sleep 0.1; done
  export DOCKER_HOST=unix://$work/docker/sock
}
docker_reads() {
  tsbuild save -o "$work/docker.tar" local/app:1
  docker load -q -i "$work/docker.tar"
  [ "$(docker image inspect -f '{{.Id}}' local/app:1)" = "$id" ]
  tsbuild save local/app:1 | docker load -q
  docker pull -q $own/local/app:1
}
docker_writes() {
  tsbuild save local/app:1 | docker load -q
  docker tag local/app:1 docker/app:1
  docker save -o "$work/saved.tar" docker/app:1
  other load -i "$work/saved.tar"
  same_image docker/app:1
  docker tag local/app:1 $own/docker/app:1
  docker push -q $own/docker/app:1
  other pull -q $own/docker/app:1
  same_image $own/docker/app:1
}

start_all
row "docker-registry, plain: push and pull" docker-registry distribution_plain
row "docker-registry with htpasswd: login, push, pull, logout" docker-registry distribution_htpasswd
row "docker-registry with TLS by its own authority: --cert-dir" docker-registry distribution_tls
row "skopeo reads archives, layouts and registry serve" skopeo skopeo_reads
row "skopeo writes archives and to registry serve, deletes there" skopeo skopeo_writes
row "umoci unpacks a layout" umoci umoci_reads
row "umoci changes a layout, tsbuild loads it and builds on it" umoci umoci_writes
row "buildah pulls archives and from registry serve" buildah buildah_reads
row "buildah pushes archives and to registry serve" buildah buildah_writes
row "podman loads archives, pulls from registry serve" podman podman_reads
row "podman saves both archives, pushes to registry serve" podman podman_writes
command -v dockerd >/dev/null && start_docker
row "dockerd loads archives, pulls from registry serve" dockerd docker_reads
row "dockerd saves an archive, pushes to registry serve" dockerd docker_writes
exit $failed
