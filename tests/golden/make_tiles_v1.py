#!/usr/bin/env python3
"""Writes tiles-v1.bin from the text of docs/reference/formats-delta.md alone. Version 1 is released: the file must not change."""
import hashlib
import struct


def leaves(rows, cols, element, data):
    index = 0
    for row in range(0, rows, 64):
        for col in range(0, cols, 64):
            tile = b"".join(data[(r * cols + col) * element:(r * cols + min(col + 64, cols)) * element] for r in range(row, min(row + 64, rows)))
            yield hashlib.sha256(b"\0" + struct.pack("<Q", index) + tile).digest()
            index += 1


def tensor(name, rows, cols, element):
    data = bytes(i % 251 for i in range(rows * cols * element))
    digests = list(leaves(rows, cols, element, data))
    return struct.pack("<I", len(name)) + name.encode() + struct.pack("<I", len(digests)) + b"".join(digests)


def main():
    body = struct.pack("<HHI", 22, 1, 3) + tensor("a.bias", 1, 3, 4) + tensor("b.weight", 70, 130, 2) + tensor("empty", 1, 0, 2)
    with open("tests/golden/tiles-v1.bin", "wb") as file:
        file.write(body + hashlib.sha256(body).digest())


if __name__ == "__main__":
    main()
