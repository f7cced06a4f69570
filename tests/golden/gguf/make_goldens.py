#!/usr/bin/env python3
"""What the Python packages say of GGUF files, written beside this script:

- blocks.gguf, blocks.safetensors: a tensor of every type that is read and metadata of every kind, and the tensors' values as `gguf` gives them;
- pieces.gguf, pieces.golden.json: a SentencePiece vocabulary with scores, and what `tokenizers` makes of texts with the merges that `transformers` finds.

    python3 make_goldens.py     # needs gguf, numpy, safetensors, tokenizers, transformers
"""
import json
import pathlib

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors
from transformers.tokenization_utils_base import generate_merges

HERE = pathlib.Path(__file__).parent
TOKENIZERS = HERE.parent / "tokenizer"
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


# ---- A SentencePiece vocabulary ----
NORMAL, UNKNOWN, CONTROL, GIVEN, BYTE = 1, 2, 3, 4, 6
small = json.loads((TOKENIZERS / "llama2.tokenizer.json").read_text())
pieces = sorted(small["model"]["vocab"], key=small["model"]["vocab"].get)
given = ["\n\n", "\u2581\u2581", "<tool>"]  # in the file a space is one
kinds, scores = [], []
for number, piece in enumerate(pieces):
    kind = UNKNOWN if piece == "<unk>" else CONTROL if piece in ("<s>", "</s>") else BYTE if piece.startswith("<0x") else NORMAL
    kinds.append(kind)
    scores.append(-float(number // 4) if kind == NORMAL else 0.0)  # equal ones in fours
pieces += given
kinds += [GIVEN] * len(given)
scores += [-1000.0] * len(given)  # as converters write them; SentencePiece's own are 0

writer = gguf.GGUFWriter(HERE / "pieces.gguf", "example")
writer.add_tokenizer_model("llama")
writer.add_token_list([piece.replace("\u2581", " ") if kind == GIVEN else piece for piece, kind in zip(pieces, kinds)])
writer.add_token_scores(scores)
writer.add_token_types(kinds)
writer.add_bos_token_id(pieces.index("<s>"))
writer.add_eos_token_id(pieces.index("</s>"))
writer.add_unk_token_id(pieces.index("<unk>"))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.close()

vocabulary = {piece: number for number, piece in enumerate(pieces)}
merges = generate_merges(vocabulary, {piece: 0.0 if kind == GIVEN else score for piece, kind, score in zip(pieces, kinds, scores)}, {piece for piece, kind in zip(pieces, kinds) if kind not in (NORMAL, GIVEN)})
tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", pieces.index("<s>"))])
tokenizer.add_special_tokens([AddedToken(piece, normalized=False) for piece in ("<unk>", "<s>", "</s>")])
tokenizer.add_tokens([AddedToken(piece, normalized=False) for piece in given if "\u2581" not in piece])
texts = [row["text"] for row in json.loads((TOKENIZERS / "llama2.golden.json").read_text())] + ["a<tool>b", "one  two   three", "x\n\ny\n\n\n", "\u2581\u2581 \u2581"]
rows = [{"text": text, "ids": tokenizer.encode(text, add_special_tokens=False).ids, "with_template": tokenizer.encode(text).ids} for text in texts]
(HERE / "pieces.golden.json").write_text("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows) + "\n]\n")
