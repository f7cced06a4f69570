#!/usr/bin/env bash
# Prints the Secrets that the manifests expect: a token for workers, and certificates of an authority that is made here and whose key is thrown away.
#
#   k8s/make-secrets.sh | kubectl apply -f -           valid for a year; to renew, do it again and restart the workers', gateways' and coordinator's pods
#
# Where cert-manager runs, let it make the certificates instead: the Secrets' names and keys are the ones that it writes.
set -euo pipefail
namespace=emend
days=365

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
umask 077

# openssl says much on standard error that is no error.
quietly() { "$@" 2>"$folder/messages" || { cat "$folder/messages" >&2; exit 1; }; }

make_authority() {
  quietly openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days "$days" -subj "/CN=emend authority" \
    -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign" -keyout "$folder/ca.key" -out "$folder/ca.crt"
}

# make_certificate NAME USAGE DNS_NAME…
make_certificate() {
  local name="$1" usage="$2" names
  shift 2
  names="$(printf 'DNS:%s,' "$@")"
  quietly openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj "/CN=$1" -keyout "$folder/$name.key" -out "$folder/$name.csr"
  printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=%s\nsubjectAltName=%s\n' "$usage" "${names%,}" >"$folder/$name.ext"
  quietly openssl x509 -req -in "$folder/$name.csr" -CA "$folder/ca.crt" -CAkey "$folder/ca.key" -days "$days" -extfile "$folder/$name.ext" -out "$folder/$name.crt"
}

# print_secret NAME TYPE KEY=FILE…
print_secret() {
  printf -- '---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: %s\n  namespace: %s\ntype: %s\ndata:\n' "$1" "$namespace" "$2"
  local entry
  for entry in "${@:3}"; do printf '  %s: %s\n' "${entry%%=*}" "$(base64 -w 0 "${entry#*=}")"; done
}

print_certificate() {
  print_secret "emend-$1-tls" kubernetes.io/tls "tls.crt=$folder/$1.crt" "tls.key=$folder/$1.key" "ca.crt=$folder/ca.crt"
}

names_of() { printf '%s\n' "$1" "$1.$namespace" "$1.$namespace.svc" "$1.$namespace.svc.cluster.local"; }

make_authority
mapfile -t coordinator_names < <(names_of emend-coordinator)
# Workers dial each gateway by the name of its pod: one more pod needs its names here.
mapfile -t gateway_names < <(for pod in emend-gateway-0 emend-gateway-1; do names_of "$pod.emend-gateway"; done)
mapfile -t rest_names < <(names_of emend-rest)
mapfile -t answers_names < <(names_of emend-answers)
make_certificate coordinator serverAuth "${coordinator_names[@]}"
make_certificate gateway serverAuth "${gateway_names[@]}"
make_certificate rest serverAuth "${rest_names[@]}" localhost
make_certificate answers serverAuth "${answers_names[@]}" localhost
make_certificate worker clientAuth emend-worker
printf 'emend_%s\n' "$(openssl rand -hex 24)" >"$folder/worker-token"

print_secret emend-worker-token Opaque "worker-token=$folder/worker-token"
print_certificate coordinator
print_certificate gateway
print_certificate worker
print_certificate rest
print_certificate answers
