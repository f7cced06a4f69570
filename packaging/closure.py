"""What a program needs to run: the shared libraries that the loader would take, whose package each is of, and under which licence.

    for library in libraries("build/bin/emend-worker", "build/deps"): print(library.name, library.path, library.is_private)

A library is private if it lies in build/deps (libtorch, CUDA's runtime), where ./dev unpacks what Debian does not package; the others are Debian's.
"""
import dataclasses
import glob
import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[1]


@dataclasses.dataclass(frozen=True)
class Library:
    name: str  # as programs ask for it: "libssl.so.3", or an absolute path for the loader
    path: pathlib.Path
    is_private: bool


class Missing(Exception):
    """A library that the loader does not find."""


def private_folders(deps):
    return [str(pathlib.Path(deps) / folder) for folder in ("python/torch/lib", "python/nvidia/cu13/lib")]


def libraries(program, deps):
    environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(private_folders(deps))}
    listing = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True, env=environment).stdout
    found = []
    for line in listing.splitlines():
        match = re.match(r"\s+(\S+)(?: => (.+?))?(?: \(0x[0-9a-f]+\))?$", line)
        name, path = match.groups()
        if path == "not found":
            raise Missing(f"{program} needs {name}, which is not there")
        if name.startswith("linux-vdso"):
            continue
        path = pathlib.Path(path or name)
        found.append(Library(name, path, (pathlib.Path(deps) / "python").resolve() in path.resolve().parents))
    return found


def copy_licence(library, deps, docs):
    """Puts the licence under docs/PACKAGE/."""
    if library.is_private:
        copy_wheel_licence(library, deps, docs)
        return
    # Debian 12 keeps /lib as a link to /usr/lib, and its database has either name.
    real = str(library.path.resolve())
    for path in (str(library.path), real, real.removeprefix("/usr")):
        owner = subprocess.run(["dpkg-query", "--search", path], capture_output=True, text=True, check=False)
        if owner.returncode == 0:
            package = owner.stdout.split(":")[0]
            target = docs / package / "copyright"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(f"/usr/share/doc/{package}/copyright", target)
            return
    raise Missing(f"{library.path} is of no Debian package, so its licence is not known")


def copy_wheel_licence(library, deps, docs):
    wheels = (pathlib.Path(deps) / "python").resolve()
    name = str(library.path.resolve().relative_to(wheels))
    for record in glob.glob(f"{wheels}/*.dist-info/RECORD"):
        if any(line.startswith(name + ",") for line in open(record, encoding="utf-8")):
            licences = pathlib.Path(record).parent / "licenses"
            target = docs / pathlib.Path(record).parent.name.split("-")[0].replace("_", "-")
            shutil.copytree(licences, target, dirs_exist_ok=True)
            return
    raise Missing(f"{library.path} is of no wheel, so its licence is not known")


def place_program(source, target, run_path=None):
    """A copy without debug symbols. `run_path` is where it looks for private libraries, instead of in the folder that it was built in."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755)
    subprocess.run(["strip", "--strip-unneeded", str(target)], check=True)
    change = ["--set-rpath", run_path] if run_path else ["--remove-rpath"]
    subprocess.run(["patchelf", *change, str(target)], check=True)


def place_library(library, target):
    """A copy; of a private one a link where that is possible: libtorch has half a gigabyte, and nobody writes to either name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if library.is_private:
            os.link(library.path.resolve(), target)
            return
    except OSError:
        pass
    shutil.copyfile(library.path, target)
    target.chmod(0o755)
