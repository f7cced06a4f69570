#!/usr/bin/env python3
"""Runs a program once per rank of a group, as processes that find each other in a folder (tests/worker/collective/process_rank.h).

    python3 tests/gpu/ranks.py 2 build/tests/worker_collective_conformance_test                    # over NCCL, on this machine's GPUs
    python3 tests/gpu/ranks.py --device cpu 3 build/tests/worker_collective_conformance_test       # over TCP
    python3 tests/gpu/ranks.py --killed 1 2 build/bin/emend_test_rank_loss                         # rank 1 is expected to be killed

Exits 0 if all ranks do, 1 if one does not, and 77 (ctest's "skipped") with a message if GPUs are asked for and there is none.
"""
import argparse
import os
import signal
import subprocess
import sys
import tempfile

SKIPPED = 77
SECONDS_MAX = 300


def gpu_count():
    try:
        listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return len([line for line in listing.stdout.splitlines() if line.startswith("GPU ")]) if listing.returncode == 0 else 0


def environment(rank, arguments, folder, gpus):
    own = dict(os.environ, EMEND_TEST_RANK=str(rank), EMEND_TEST_RANKS=str(arguments.ranks), EMEND_TEST_FOLDER=folder, EMEND_TEST_DEVICE=arguments.device,
               OMP_WAIT_POLICY="PASSIVE")
    if arguments.device == "cuda" and arguments.ranks > gpus:
        # NCCL refuses two ranks on one GPU unless each seems to be on a machine of its own; what such ranks have between them is then a socket.
        own.update(NCCL_HOSTID=f"rank{rank}", NCCL_SOCKET_IFNAME="lo", NCCL_IB_DISABLE="1", NCCL_NVLS_ENABLE="0", NCCL_MNNVL_ENABLE="0", NCCL_RAS_ENABLE="0",
                   NCCL_MAX_CTAS="2")
    return own


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ranks", type=int)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--killed", type=int, help="the rank that must end by SIGKILL")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    gpus = gpu_count() if arguments.device == "cuda" else 0
    if arguments.device == "cuda" and gpus == 0:
        print("skipped: there is no NVIDIA GPU here (nvidia-smi -L lists none)")
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="emend-ranks-") as folder:
        ranks = [subprocess.Popen(arguments.command, env=environment(rank, arguments, folder, gpus)) for rank in range(arguments.ranks)]
        ended = []
        for process in ranks:
            try:
                ended.append(process.wait(SECONDS_MAX))
            except subprocess.TimeoutExpired:
                process.kill()
                ended.append(process.wait())
    expected = [-signal.SIGKILL if rank == arguments.killed else 0 for rank in range(arguments.ranks)]
    if ended != expected:
        print(f"ranks ended with {ended}, expected {expected}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
