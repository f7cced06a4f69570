#!/usr/bin/env bash
# The checks that need an NVIDIA GPU, to be run when there is one. Minutes, and nothing is built there.
#
#   tests/gpu/check.sh pack     # where the tree is built: programs and the libraries that Debian has into build/gpu (some 40 MB)
#   tests/gpu/check.sh run      # on the GPU machine, in a checkout with build/gpu
#
# The GPU machine needs: a driver for CUDA 13; glibc of Debian 12 or newer; Python 3; and torch 2.11.0 for CUDA 13 with its nvidia packages, either as an
# installed Python package or as ./dev build --cuda unpacks it. One GPU will do: ranks that share it are given different NCCL_HOSTIDs. What each step shows:
#
#   arithmetic   the device's known answers; the libraries open
#   conformance  the suite of every back end over NCCL, 1, 2 and 4 ranks
#   loss         a rank killed in the middle of an all-reduce: the other is told within seconds
#   bench        latency and bandwidth of NCCL between 2 ranks, beside TCP
#   exact        commits solved on GPU and CPU; `emend verify --json` is the same text on both, on one rank and on two
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
cd "$root"
packed=build/gpu
programs=(build/bin/emend build/bin/emendd build/bin/emend-worker build/bin/emend_bench_collective build/bin/emend_test_rank_loss
  build/tests/worker_collective_conformance_test build/tests/worker_model_device_test)

pack() {
  rm -rf "$packed"
  mkdir -p "$packed/bin" "$packed/lib"
  local program library
  for program in "${programs[@]}"; do
    cp "$program" "$packed/bin/"
    strip "$packed/bin/$(basename "$program")"
    # glibc and the compiler's libraries are the machine's own, libtorch and CUDA come with torch.
    for library in $(ldd "$program" | awk '$3 ~ /^\// {print $3}' | grep -vE '/(libc|libm|libdl|libpthread|librt|libutil|libgcc_s|libstdc\+\+)\.so|/torch/lib/|/nvidia/'); do
      cp -Lu "$library" "$packed/lib/"
    done
  done
  du -sh "$packed"
}

# The folders of libtorch and of the nvidia packages, joined by colons.
torch_folders() {
  python3 - "$root/build/deps/python" <<'PYTHON'
import glob, importlib.util, os, sys
place = sys.argv[1]
if not os.path.isfile(place + "/nvidia/nccl/lib/libnccl.so.2"):
    found = importlib.util.find_spec("torch")
    if found is None:
        sys.exit("no torch for CUDA: neither an installed package nor ./dev build --cuda")
    place = os.path.dirname(os.path.dirname(found.origin))
print(":".join([place + "/torch/lib"] + sorted(glob.glob(place + "/nvidia/*/lib"))))
PYTHON
}

step() { printf '\n==> %s\n' "$*"; }

run() {
  local failed=0
  LD_LIBRARY_PATH="$root/$packed/lib:$(torch_folders)"
  export LD_LIBRARY_PATH EMEND_BIN="$root/$packed/bin" OMP_WAIT_POLICY=PASSIVE
  nvidia-smi -L
  step arithmetic
  "$packed/bin/worker_model_device_test" --gtest_filter='DeviceTest.*' || failed=1
  local ranks
  for ranks in 1 2 4; do
    step "conformance over $ranks ranks"
    python3 tests/gpu/ranks.py "$ranks" "$packed/bin/worker_collective_conformance_test" --gtest_brief=1 || failed=1
  done
  step loss
  python3 tests/gpu/ranks.py --killed 1 2 "$packed/bin/emend_test_rank_loss" || failed=1
  step "bench, NCCL"
  python3 tests/gpu/ranks.py 2 "$packed/bin/emend_bench_collective" || failed=1
  step "bench, TCP"
  "$packed/bin/emend_bench_collective" 2 || failed=1
  for ranks in 1 2; do
    step "exact over $ranks ranks"
    python3 tests/gpu/exact_test.py "$ranks" || failed=1
  done
  [[ "$failed" == 0 ]] && echo "all checks passed" || echo "SOME CHECKS FAILED"
  return "$failed"
}

case "${1:-}" in
  pack | run) "$1" ;;
  *) sed -n '2,17p' "$0"; exit 2 ;;
esac
