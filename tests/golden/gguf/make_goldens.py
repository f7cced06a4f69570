#!/usr/bin/env python3
"""A GGUF file with a tensor of every type that is read and metadata of every kind, and the tensors' values as the Python package `gguf` gives them.

    python3 make_goldens.py     # writes blocks.gguf and blocks.safetensors beside this script; needs gguf, numpy, safetensors
"""
import pathlib

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).parent
ROWS, ELEMENTS = 2, 512
# Where a block has 16-bit floats: anything else in it may be any bits.
HALVES = {Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208]}

random = np.random.default_rng(20261130)


def halves(count):
    """Finite ones of both signs, subnormals among them."""
    bits = random.integers(0, 0x4000, count, dtype=np.uint16) | (random.integers(0, 2, count, dtype=np.uint16) << 15)
    bits[::7] &= 0x83FF
    return bits


def blocks(kind):
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    count = ROWS * ELEMENTS // elements
    data = random.integers(0, 256, (count, size), dtype=np.uint8)
    for at in HALVES[kind]:
        data[:, at:at + 2] = halves(count).view(np.uint8).reshape(count, 2)
    return data.reshape(ROWS, -1)


writer = gguf.GGUFWriter(HERE / "blocks.gguf", "example")
writer.add_uint8("test.u8", 200)
writer.add_int8("test.i8", -100)
writer.add_uint16("test.u16", 60000)
writer.add_int16("test.i16", -30000)
writer.add_uint32("test.u32", 4000000000)
writer.add_int32("test.i32", -2000000000)
writer.add_uint64("test.u64", 1 << 40)
writer.add_int64("test.i64", -(1 << 40))
writer.add_float32("test.f32", 0.1)
writer.add_float64("test.f64", 0.1)
writer.add_bool("test.flag", True)
writer.add_string("test.text", "caf\u00e9 \U0001f40d")
writer.add_array("test.texts", ["a", "", "\u65e5\u672c"])
writer.add_array("test.integers", [1, -2, 3])
writer.add_array("test.numbers", [0.5, -1.5])
writer.add_array("test.flags", [True, False])

values = {}
for kind in [Type.F32, Type.F16, Type.BF16, *HALVES]:
    if kind == Type.F32:
        data = random.standard_normal((ROWS, ELEMENTS), dtype=np.float32)
        data[0, :4] = [0.0, -0.0, 1e-40, 3e38]
    elif kind == Type.F16:
        data = halves(ROWS * ELEMENTS).view(np.float16).reshape(ROWS, ELEMENTS)
    elif kind == Type.BF16:
        data = (random.standard_normal((ROWS, ELEMENTS), dtype=np.float32).view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)
    else:
        data = blocks(kind)
    writer.add_tensor(kind.name, data, raw_dtype=kind)
    values[kind.name] = np.ascontiguousarray(gguf.dequantize(data, kind), dtype=np.float32).reshape(ROWS, ELEMENTS)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
save_file(values, HERE / "blocks.safetensors")
