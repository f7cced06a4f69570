#!/usr/bin/env python3
"""House rules that a tool can check: which folder may include which, sizes, names, banned calls, a README in every folder, every test built.

    python3 tests/tidy/tidy.py            # from the root of the checkout; prints one line a fault and exits 1 if there is any

docs/notes/layers.md says why. A rule that makes one place worse is changed here, in the open, not worked around there.
"""
import os
import re
import subprocess
import sys

# What a folder may include besides itself. A trailing "/" takes the whole subtree.
INCLUDES = {
    "storage/base": [],
    "storage/json": ["storage/base"],
    "storage/text": ["storage/base"],
    "storage/delta": ["storage/base"],
    "storage/checkpoint": ["storage/base", "storage/delta"],
    "storage/kv": ["storage/base"],
    "storage/records": ["storage/base", "storage/kv"],
    "storage/objects": ["storage/base", "storage/text", "storage/delta", "storage/kv"],
    "storage/facts": ["storage/base", "storage/json", "storage/text", "storage/objects"],
    "storage/history": ["storage/"],
    "worker/protocol": ["storage/base", "storage/text"],
    "worker/collective": ["storage/base", "worker/protocol"],
    "worker/probe": ["storage/base"],
    "worker/tokenizer": ["storage/base"],
    "worker/chat": ["storage/base"],
    "worker/families": ["storage/base", "storage/delta", "storage/checkpoint"],
    "worker/model": ["storage/base", "storage/delta", "storage/checkpoint", "worker/collective", "worker/families"],
    "worker/edit": ["storage/base", "storage/text", "storage/delta", "storage/checkpoint", "worker/collective", "worker/families", "worker/model", "worker/tokenizer", "worker/protocol"],
    "worker/eval": ["storage/base", "storage/text", "worker/collective", "worker/families", "worker/model", "worker/tokenizer"],
    "worker/server": ["storage/base", "storage/text", "storage/delta", "storage/checkpoint", "worker/"],
    "coordinator/answers": ["storage/base", "storage/records", "worker/protocol"],
    "coordinator/core": ["storage/", "worker/families", "worker/tokenizer", "worker/protocol"],
    "coordinator/store": ["storage/", "coordinator/answers", "coordinator/core"],
    "coordinator/review": ["storage/", "coordinator/answers", "coordinator/store"],
    "coordinator/membership": ["storage/base", "worker/protocol"],
    "coordinator/jobs": ["storage/", "worker/protocol", "coordinator/core", "coordinator/membership"],
    "coordinator/operations": ["storage/", "worker/protocol", "coordinator/core", "coordinator/jobs", "coordinator/review", "coordinator/store"],
    "coordinator/server": ["storage/", "worker/protocol", "coordinator/"],
    "api/facts": ["storage/base", "storage/json", "storage/text", "storage/objects", "storage/facts"],
    "api/openapi": [],
    "api/program": ["storage/base"],
    "api/rest": ["storage/", "coordinator/", "worker/protocol", "api/openapi"],
    "api/daemon": ["storage/", "coordinator/", "worker/protocol", "api/program", "api/rest"],
    "api/gateway": ["storage/base", "storage/records", "coordinator/answers", "coordinator/membership", "worker/protocol", "api/program", "api/rest"],
    "api/client": ["storage/base"],
    "api/cli": ["storage/base", "storage/json", "storage/text", "storage/objects", "storage/facts", "coordinator/core", "worker/protocol", "api/client", "api/facts", "api/daemon", "api/program"],
    "cmake": [],
}

# Third-party headers and the only folders that may include them.
OWNERS = [
    (re.compile(r"^rocksdb/"), ["storage/kv", "tests/"]),
    (re.compile(r"^(ATen|c10|torch)/"), ["worker/", "cmake", "tests/worker", "tests/bench"]),
    (re.compile(r"^cpprest/|^pplx/"), ["api/client"]),
    (re.compile(r"^boost/beast"), ["api/rest", "tests/"]),
    (re.compile(r"^boost/"), ["storage/base", "worker/protocol", "worker/server", "worker/collective", "coordinator/", "api/", "tests/"]),
    (re.compile(r"^nlohmann/"), ["storage/json", "storage/checkpoint", "worker/", "coordinator/", "api/", "tests/"]),
    (re.compile(r"^openssl/"), ["storage/base", "api/", "tests/"]),
    (re.compile(r"^(spdlog|fmt)/"), ["storage/base"]),
    (re.compile(r"^CLI/"), ["api/cli", "api/daemon", "api/gateway", "worker/server"]),
    (re.compile(r"^pcre2"), ["worker/tokenizer"]),
    (re.compile(r"^utf8proc"), ["storage/text", "worker/tokenizer", "worker/chat"]),
]

LINES_MAX = {".cc": 500, ".h": 300}
FUNCTION_LINES_MAX = 70
LINE_CHARACTERS_MAX = 100
README_LINES_MAX = 80
SOURCES_MAX = 30

BANNED = [
    (re.compile(r"#include\s*[<\"]torch/torch\.h"), "include the ATen headers that are needed; torch/torch.h costs half a minute a file"),
    (re.compile(r"\bstd::(rand|srand)\b|(?<![\w:])rand\(\)"), "take an emend::Random"),
    (re.compile(r"\bsystem\("), "start programs by posix_spawn with an argument list"),
    (re.compile(r"\b(if|while|switch) \((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\bco_await\b"), "g++ 12 miscompiles a condition that awaits with a temporary: name what is awaited, then test it"),
    (re.compile(r"\bstrtok\b|\bsprintf\(|\bstrcpy\("), "use std::string"),
    (re.compile(r"\busing namespace std;"), "name what is used"),
    (re.compile(r"\btorch::(jit::)?load\b"), "model files are read by storage/checkpoint alone; pickles never"),
]

faults = []


def fault(path, line, text):
    faults.append(f"{path}:{line}: {text}")


def tracked():
    listing = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], capture_output=True, text=True, check=True)
    return [name for name in listing.stdout.splitlines() if os.path.isfile(name)]


def folder_of(path):
    parts = path.split("/")
    return "/".join(parts[:2]) if len(parts) > 2 else parts[0]


def allowed(folder, target):
    if target == folder:
        return True
    return any(target == entry or (entry.endswith("/") and target.startswith(entry)) for entry in INCLUDES[folder])


def check_includes(path, number, line):
    match = re.match(r"\s*#include\s*([<\"])([^>\"]+)[>\"]", line)
    if not match:
        return
    header = match.group(2)
    folder = folder_of(path)
    if match.group(1) == '"' and not path.startswith("tests/") and "/" in header:
        target = folder_of(header)
        if folder not in INCLUDES:
            fault(path, number, f"the folder {folder} is not in tests/tidy/tidy.py's table")
        elif not allowed(folder, target):
            fault(path, number, f"{folder} may not include {target} (table in tests/tidy/tidy.py)")
    for pattern, owners in OWNERS:
        if pattern.match(header):
            if not any(path.startswith(owner) for owner in owners):
                fault(path, number, f"<{header}> belongs to {', '.join(owners)}")
            break


def check_functions(path, lines):
    """A function is taken to begin at a line that ends with "{" behind a ")" and to end at the first "}" of the same indentation."""
    begin = None
    for number, line in enumerate(lines, 1):
        if begin is None:
            if re.match(r"^( {0,4})[A-Za-z].*\)( const| override| final| noexcept| ->.*)* \{$", line) and not re.match(r"^\s*(namespace|class|struct|enum|if|for|while|switch|TEST|return|EXPECT|ASSERT)", line):
                begin = (number, len(line) - len(line.lstrip()))
        elif re.match(r"^ {%d}\}" % begin[1], line):
            if number - begin[0] + 1 > FUNCTION_LINES_MAX:
                fault(path, begin[0], f"the function is {number - begin[0] + 1} lines long, at most {FUNCTION_LINES_MAX}: split it")
            begin = None


def check_source(path):
    with open(path, encoding="utf-8") as source:
        lines = source.read().split("\n")
    extension = os.path.splitext(path)[1]
    if len(lines) - 1 > LINES_MAX[extension]:
        fault(path, 1, f"{len(lines) - 1} lines, at most {LINES_MAX[extension]}: split it")
    if extension == ".h" and "#pragma once" not in lines and not path.endswith("_pch.h"):
        fault(path, 1, "a header needs #pragma once")
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_CHARACTERS_MAX and 'R"' not in line:  # a raw string cannot be cut
            fault(path, number, f"{len(line)} characters, at most {LINE_CHARACTERS_MAX}")
        if line.rstrip() != line:
            fault(path, number, "spaces at the end of the line")
        check_includes(path, number, line)
        for pattern, instead in BANNED:
            if pattern.search(line):
                fault(path, number, f"banned: {instead}")
    check_functions(path, lines)


def check_folders(files):
    folders = {}
    for path in files:
        if os.path.splitext(path)[1] in LINES_MAX:
            folders.setdefault(os.path.dirname(path), []).append(path)
    for folder, sources in sorted(folders.items()):
        if folder.split("/")[0] not in ("storage", "worker", "coordinator", "api"):
            continue
        readme = folder + "/README.md"
        if not os.path.isfile(readme):
            fault(folder, 1, "every folder has a README.md of at most a page: purpose, where to start, invariants, allowed includes")
        elif len(open(readme, encoding="utf-8").read().split("\n")) > README_LINES_MAX:
            fault(readme, 1, f"longer than a page ({README_LINES_MAX} lines)")
        if len([source for source in sources if source.endswith(".cc")]) > SOURCES_MAX:
            fault(folder, 1, f"more than {SOURCES_MAX} sources: this is more than one idea")


def check_tests_are_built(files):
    for path in files:
        if path.startswith("tests/") and path.endswith("_test.cc"):
            lists = os.path.join(os.path.dirname(path), "CMakeLists.txt")
            stem = os.path.basename(path)[: -len("_test.cc")]  # a list may add the ending itself
            text = open(lists, encoding="utf-8").read() if os.path.isfile(lists) else ""
            takes_others = any("SOURCES" not in call for call in re.findall(r"emend_test\([^()]*\)", text))
            if not takes_others and not re.search(rf"\b{stem}\b|\b{stem}_test\b", text):
                fault(path, 1, f"{lists} does not build this test")


def main():
    files = tracked()
    for path in files:
        if os.path.splitext(path)[1] in LINES_MAX:
            check_source(path)
    check_folders(files)
    check_tests_are_built(files)
    for line in faults:
        print(line)
    print(f"tidy: {len(files)} files, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
