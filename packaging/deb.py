#!/usr/bin/env python3
"""Makes the Debian packages: emend (emendd, emend-gateway, the command line, units) and emend-worker (with libtorch in /usr/lib/emend).

    python3 packaging/deb.py --bin build/bin --deps build/deps --out build/packages [--compression none]

The trees are laid out here and packed by dpkg-deb; what they depend on is found by dpkg-shlibdeps.
"""
import argparse
import gzip
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile

import closure

DEBIAN = closure.ROOT / "packaging/debian"
PRIVATE_LIBRARIES = "usr/lib/emend"
PACKAGES = {
    "emend": {"programs": ["emendd", "emend-gateway", "emend"], "services": ["emendd", "emend-gateway"]},
    "emend-worker": {"programs": ["emend-worker", "emend-probe"], "services": ["emend-worker@"]},
}


def version():
    return re.search(r"project\(emend VERSION ([\d.]+)", (closure.ROOT / "CMakeLists.txt").read_text()).group(1)


def put(source, target, mode=0o644):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def place_programs(name, options, root):
    private = {}
    for program in PACKAGES[name]["programs"]:
        found = [library for library in closure.libraries(options.bin / program, options.deps) if library.is_private]
        closure.place_program(options.bin / program, root / "usr/bin" / program, "$ORIGIN/../lib/emend" if found else None)
        private.update({library.name: library for library in found})
    for library in private.values():
        closure.place_library(library, root / PRIVATE_LIBRARIES / library.name)
        closure.copy_licence(library, options.deps, root / "usr/share/doc" / name / "licences")
    return bool(private)


def place_papers(name, root):
    docs = root / "usr/share/doc" / name
    put(DEBIAN / "copyright", docs / "copyright")
    put(closure.ROOT / "docs/guides/debian.md", docs / "debian.md")
    # The time of the source, so that the same source gives the same package.
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    date = subprocess.run(["date", "--utc", "--rfc-email", f"--date=@{seconds}"], capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C"}).stdout
    entry = f"{name} ({version()}) unstable; urgency=medium\n\n  * See docs/changelog in the source.\n\n -- emend maintainers <maintainers@emend.invalid>  {date}"
    (docs / "changelog.gz").write_bytes(gzip.compress(entry.encode(), mtime=0))


def place_help(options, root):
    """The manual page and the completion of three shells, as the command line itself makes them."""
    def made(*words):
        return subprocess.run([options.bin / "emend", *words], capture_output=True, check=True).stdout
    shells = {"bash": "bash-completion/completions/emend", "zsh": "zsh/vendor-completions/_emend", "fish": "fish/vendor_completions.d/emend.fish"}
    files = {root / "usr/share" / path: made("completion", shell) for shell, path in shells.items()}
    files[root / "usr/share/man/man1/emend.1.gz"] = gzip.compress(made("help", "--man"), mtime=0)
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o644)


def place_system_files(name, root):
    put(DEBIAN / "emend.sysusers", root / f"usr/lib/sysusers.d/{name}.conf")
    for service in PACKAGES[name]["services"]:
        put(DEBIAN / f"{service}.service", root / "lib/systemd/system" / f"{service}.service")
        put(DEBIAN / f"{service.rstrip('@')}.default", root / "etc/default" / service.rstrip("@"))
    (root / "etc/emend").mkdir(mode=0o755)


def dependencies(root):
    """As a line of Depends. dpkg-shlibdeps wants to run where a source package is."""
    # Of the libraries for GPUs one needs the driver, which is of no package that must be there.
    libraries = [path for path in root.glob(f"{PRIVATE_LIBRARIES}/*") if path.name != "libcaffe2_nvrtc.so"]
    programs = [str(path) for path in [*(root / "usr/bin").iterdir(), *libraries]]
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "debian").mkdir()
        (pathlib.Path(folder) / "debian/control").write_text("Source: emend\n\nPackage: emend\nArchitecture: any\n")
        # --ignore-missing-info: the private libraries are of no Debian package.
        words = ["dpkg-shlibdeps", "-O", "--ignore-missing-info", f"-l{root / PRIVATE_LIBRARIES}", *programs]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True)
    return re.search(r"^shlibs:Depends=(.*)$", done.stdout, re.MULTILINE).group(1)


def write_control(name, root):
    control = root / "DEBIAN"
    control.mkdir()
    architecture = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
    size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file()) // 1024
    fields = (DEBIAN / f"{name}.control").read_text().replace("${shlibs}", dependencies(root))
    (control / "control").write_text(fields.replace("\nMaintainer:", f"\nVersion: {version()}\nArchitecture: {architecture}\nInstalled-Size: {size}\nMaintainer:"))
    services = PACKAGES[name]["services"]
    (control / "conffiles").write_text("".join(f"/etc/default/{service.rstrip('@')}\n" for service in services))
    # Of a template, every instance.
    units = shlex.join(f"{service.replace('@', '@*')}.service" for service in services)
    for script in ("postinst", "prerm", "postrm"):
        text = (DEBIAN / script).read_text().replace("#PACKAGE#", name).replace("#UNITS#", units)
        (control / script).write_text(text)
        (control / script).chmod(0o755)


def build(name, options):
    root = options.out / f"{name}.tree"
    shutil.rmtree(root, ignore_errors=True)
    place_programs(name, options, root)
    place_system_files(name, root)
    place_papers(name, root)
    if "emend" in PACKAGES[name]["programs"]:
        place_help(options, root)
    write_control(name, root)
    package = options.out / f"{name}_{version()}_{subprocess.run(['dpkg', '--print-architecture'], capture_output=True, text=True, check=True).stdout.strip()}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", f"-Z{options.compression}", "--build", root, package], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(root)
    return package


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder of the programs")
    parser.add_argument("--deps", type=pathlib.Path, required=True, help="build/deps")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="the packages go here")
    parser.add_argument("--compression", default="gzip", choices=["gzip", "xz", "none"])
    options = parser.parse_args()
    os.umask(0o022)
    options.out = options.out.resolve()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in PACKAGES:
        print(build(name, options))


if __name__ == "__main__":
    main()
