#!/usr/bin/env python3
"""Writes payload-v1.bin and payload-keys-v1.bin from the text of docs/reference/formats-delta.md alone. Version 1 is released: the files must not change."""
import struct


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def text(value):
    raw = value.encode()
    return struct.pack("<I", len(raw)) + raw


def payload(codec, body):
    head = struct.pack("<HHHHH", 3, 1, codec, 1, 0) + text("") + text("")
    return head + struct.pack("<QI", len(body), crc32c(body)) + body


def tensor(name, rows, cols, columns):
    out = text(name) + struct.pack("<QQI", rows, cols, len(columns))
    for shift, a, b in columns:
        assert len(a) == rows and len(b) == cols
        out += struct.pack("<B", shift) + struct.pack(f"<{rows}h", *a) + struct.pack(f"<{cols}h", *b)
    return out


def key(name, values):
    return text(name) + struct.pack("<I", len(values)) + struct.pack(f"<{len(values)}f", *values)


def main():
    columns = struct.pack("<I", 2)
    columns += tensor("transformer.h.3.mlp.c_proj.weight", 3, 2, [(11, [32767, -32767, 0], [1, -2]), (0, [1, 2, 3], [-32768, 4])])
    columns += tensor("transformer.h.4.mlp.c_proj.weight", 2, 4, [(62, [0, 0], [7, 8, 9, 10])])
    with open("payload-v1.bin", "wb") as out:
        out.write(payload(1, columns))
    keys = struct.pack("<I", 2)
    keys += key("transformer.h.3.mlp.c_proj.weight", [1.5, -0.0, 2.0**-149])
    keys += key("transformer.h.4.mlp.c_proj.weight", [])
    with open("payload-keys-v1.bin", "wb") as out:
        out.write(payload(16, keys))
    with open("payload-target-v1.bin", "wb") as out:
        out.write(payload(17, struct.pack("<iI3f", 8, 3, 1.5, -0.0, 2.0**-149)))


if __name__ == "__main__":
    main()
