#!/usr/bin/env python3
"""Writes the records of storage/records from the formats page alone, independently of the C++ encoder.

    python3 tests/golden/store/make_store_v1.py       # from the root of the checkout

The folder store-v1 beside it is a whole store, left behind by storage_records_journal_writer: 8 commits in tables and blobs, 4 more in the log only:

    EMEND_FAILPOINT=journal.before_batch:9:abort storage_records_journal_writer FOLDER
    EMEND_FAILPOINT=journal.before_batch:5:abort storage_records_journal_writer FOLDER      # and the files LOCK and OPTIONS-* removed
"""
import hashlib
import os
import struct

FOLDER = os.path.dirname(os.path.abspath(__file__))


def record(kind, version=1):
    return struct.pack("<HH", kind, version)


def text(value):
    data = value.encode()
    return struct.pack("<I", len(data)) + data


def u64(value):
    return struct.pack("<Q", value)


def i64(value):
    return struct.pack("<q", value)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def sha256(data):
    return hashlib.sha256(data).digest()


def anchor_record(sequence, digest):
    body = record(13) + u64(sequence) + digest
    return body + struct.pack("<I", crc32c(body))


audit_entry = (record(10) + u64(7) + sha256(b"before") + i64(1_700_000_000_000) + text("ada") + text("token-1") + text("ref.move")
               + struct.pack("<I", 2) + text("repo") + text("atlas") + text("ref") + text("main"))
anchor = anchor_record(0, bytes(32)) + anchor_record(7, sha256(audit_entry))
operation = (record(11, 2) + text("op-0000000000000001") + text("commit") + text("atlas") + bytes([4]) + text("ada") + text("token-1")
             + i64(1_700_000_000_000) + i64(1_700_000_001_000) + text('{"facts":[]}') + text("") + text("stale_head") + text("the head moved") + bytes([4])
             + bytes([3]) + i64(1_700_000_600_000))
idempotency = record(12) + text("key-1") + sha256(b"request") + text("op-0000000000000001") + i64(1_700_000_000_000)
token = record(16) + text("ci") + sha256(b"secret") + text("robot") + struct.pack("<I", 2) + text("ask") + text("merge") + i64(1_700_000_000_000)

for name, data in [("audit_entry", audit_entry), ("anchor", anchor), ("operation", operation), ("idempotency", idempotency), ("token", token)]:
    with open(os.path.join(FOLDER, name + ".bin"), "wb") as file:
        file.write(data)
