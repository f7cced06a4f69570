#!/usr/bin/env python3
"""Assembles what goes into the images: a folder for each, with its programs, every library that they need, and all licences. No base image lies under it.

    python3 packaging/stage.py --bin build/bin --deps build/deps --out build/images [coordinator gateway worker cli proxy]

k8s/images/Containerfile copies the folders as they are, so what tests/packaging runs is what an engine would run.
"""
import argparse
import os
import pathlib
import platform
import shutil

import closure

DEBIAN_LIBRARIES = f"usr/lib/{platform.machine()}-linux-gnu"
PRIVATE_LIBRARIES = "usr/lib/emend"
PROGRAMS = {"coordinator": ["emendd", "emend"], "gateway": ["emend-gateway"], "worker": ["emend-worker", "emend-probe"], "cli": ["emend"], "proxy": ["nginx"]}
USER = "10001"  # as in the manifests; the name is for programs that look it up


def program_path(options, name):
    return options.deps / "nginx/usr/sbin/nginx" if name == "nginx" else options.bin / name


def place_system_files(root):
    for folder in ("tmp", "etc", "proc", "dev", "run"):
        (root / folder).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    (root / "etc/passwd").write_text(f"root:x:0:0:root:/:/none\nemend:x:{USER}:{USER}:emend:/tmp:/none\n")
    (root / "etc/group").write_text(f"root:x:0:\nemend:x:{USER}:\n")
    (root / "etc/nsswitch.conf").write_text("hosts: files dns\n")


def place_libraries(program, options, root):
    for library in closure.libraries(program, options.deps):
        if library.name.startswith("/"):
            target = root / library.name.lstrip("/")
        else:
            target = root / (PRIVATE_LIBRARIES if library.is_private else DEBIAN_LIBRARIES) / library.name
        if not target.exists():
            closure.place_library(library, target)
            closure.copy_licence(library, options.deps, root / "usr/share/doc")


def assemble(stage, options):
    root = options.out / stage
    shutil.rmtree(root, ignore_errors=True)
    place_system_files(root)
    for name in PROGRAMS[stage]:
        source = program_path(options, name)
        is_own = name != "nginx"
        needs_private = any(library.is_private for library in closure.libraries(source, options.deps))
        closure.place_program(source, root / "usr/bin" / name, f"$ORIGIN/../lib/{pathlib.Path(PRIVATE_LIBRARIES).name}" if needs_private else None)
        place_libraries(source, options, root)
        licence = closure.ROOT / "LICENSE" if is_own else options.deps / "nginx/usr/share/doc/nginx/copyright"
        docs = root / "usr/share/doc" / ("emend" if is_own else name)
        docs.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(licence, docs / "copyright")
    if "emend" in PROGRAMS[stage]:
        # Servers behind a public authority.
        (root / "usr/lib/ssl").mkdir(parents=True)
        shutil.copyfile("/etc/ssl/certs/ca-certificates.crt", root / "usr/lib/ssl/cert.pem")
    return root


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder of the programs")
    parser.add_argument("--deps", type=pathlib.Path, required=True, help="build/deps")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="a folder for each image goes here")
    parser.add_argument("stages", nargs="*", choices=[*PROGRAMS, []], help="all of them unless named")
    options = parser.parse_args()
    os.umask(0o022)
    for stage in options.stages or PROGRAMS:
        root = assemble(stage, options)
        size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file() and not path.is_symlink())
        print(f"{root}  {size / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
