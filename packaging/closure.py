"""What a program needs to run: the shared libraries that the loader would take, and those that it opens by itself; whose package each is of, and under which licence.

    for library in libraries("build/bin/emend-worker", "build/deps"): print(library.name, library.path, library.is_private)

A library is private if it lies in build/deps (libtorch, CUDA), where ./dev unpacks what Debian does not package; the others are Debian's. What a worker opens on a GPU is
part of it once ./dev --cuda has fetched that.
"""
import dataclasses
import glob
import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[1]
# NVIDIA's driver brings these, of its own version; the container runtime mounts them.
OF_THE_DRIVER = {"libcuda.so.1", "libnvidia-ml.so.1"}
# libtorch's part for GPUs, and what that and cuDNN open in turn. All look for each other in their own folder, too.
OPENED_ON_GPUS = ("torch/lib/libtorch_cuda.so", "torch/lib/libtorch_cuda_linalg.so", "torch/lib/libcaffe2_nvrtc.so", "nvidia/cudnn/lib/*.so.*", "nvidia/cu13/lib/libnvrtc*.so.*")


@dataclasses.dataclass(frozen=True)
class Library:
    name: str  # as programs ask for it: "libssl.so.3", or an absolute path for the loader
    path: pathlib.Path
    is_private: bool


class Missing(Exception):
    """A library that the loader does not find."""


def private_folders(deps):
    python = pathlib.Path(deps) / "python"
    return [str(python / "torch/lib"), *sorted(str(folder) for folder in python.glob("nvidia/*/lib"))]


def is_for_gpus(deps):
    return (pathlib.Path(deps) / "python/nvidia/nccl").is_dir()


def libraries(program, deps):
    """Each once, by name."""
    found = {library.name: library for library in linked(program, deps)}
    if pathlib.Path(program).name == "emend-worker" and is_for_gpus(deps):
        for library in opened_on_gpus(deps):
            found.setdefault(library.name, library)
    return list(found.values())


def opened_on_gpus(deps):
    python = (pathlib.Path(deps) / "python").resolve()
    for pattern in OPENED_ON_GPUS:
        paths = sorted(python.glob(pattern))
        if not paths:
            raise Missing(f"a worker on a GPU opens {pattern}, which is not in {python}")
        for path in paths:
            yield Library(path.name, path, True)
            yield from linked(path, deps)


def linked(program, deps):
    environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(private_folders(deps))}
    listing = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True, env=environment).stdout
    found = []
    for line in listing.splitlines():
        match = re.match(r"\s+(\S+)(?: => (.+?))?(?: \(0x[0-9a-f]+\))?$", line)
        name, path = match.groups()
        if name.startswith("linux-vdso") or name in OF_THE_DRIVER:
            continue
        if path == "not found":
            raise Missing(f"{program} needs {name}, which is not there")
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
            target = docs / pathlib.Path(record).parent.name.split("-")[0].replace("_", "-")
            target.mkdir(parents=True, exist_ok=True)
            # In the wheel's papers, or above its lib folder.
            licences = [*(pathlib.Path(record).parent / "licenses").rglob("*"), *library.path.resolve().parents[1].glob("LICENSE*")]
            for licence in licences:
                if licence.is_file():
                    shutil.copyfile(licence, target / licence.name)
            if licences:
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
