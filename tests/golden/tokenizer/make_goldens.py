"""Writes the small tokenizers and the golden encodings of this folder with the Python packages `tokenizers` (0.23.3) and `sentencepiece` (0.2.3).

    pip install tokenizers==0.23.3 sentencepiece==0.2.3 protobuf
    python tests/golden/tokenizer/make_goldens.py        # from the checkout's root
"""
import base64
import io
import json
import re
from pathlib import Path

import sentencepiece as spm
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = Path(__file__).parent
ATLAS = Path("docs/examples/atlas")

TEXTS = [
    "", " ", "  ", "\n", "\t\t\n \r\n", "Hello world", " Hello world", "Hello  world   again    ", "The mother tongue of Danielle Darrieux is French",
    "I'm sure they've said we'll go; it's HE'S don't I'D", "3 33 333 3333 33333 1,234,567.89", "naïve café — “quoted” … ½ ² Ⅷ", "cafe\u0301 A\u030a \u1100\u1161\u11a8 q\u0307\u0323",
    "Ελληνικά и русский текст", "日本語のテキスト、漢字かな交じり", "한국어 문장입니다", "नमस्ते दुनिया क्षत्रिय", "مرحبا بالعالم", "שלום עולם", "ไทยไม่มีช่องว่าง", "\u0b95\u0bca \u0995\u09cb",
    "🦙 llama 👩‍👩‍👧‍👦 family 🇩🇪🇫🇷", "😶‍🌫️✅🚀", "a\u00a0b\u2003c\u3000d\u0085e\u2028f\u180eg\u200bh", "\u0000\u0001\u007f control", "x" * 100, "ab" * 40, "    def f(x):\n        return x**2  # comment\n",
    "<|endoftext|>", "a<|endoftext|>b", " <|endoftext|> <|endoftext|>  x", "<|endoftex", "<s>Hello</s> world<unk>", "[MASK] a [MASK]b  [MASK]  c[MASK]", "word wordy sword word. word",
    "CamelCase snake_case kebab-case SCREAMING", "http://example.org/path?query=1&x=%20", "e-mail: someone@example.org!", "!!!???...---===***", "(a)[b]{c}<d>'e'\"f\"`g`",
    "tab\tseparated\tvalues", "line one\nline two\n\nline four\r\nend", "trailing space ", "  leading", "ſ's longſ 'ſ K'll", "ﬁ ﬂ ﬃ ligatures", "é e\u0301 é", "\ufeffbom", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐍈 𝟘𝟙",
    "١٢٣ ४५६ 一二三 ①②", "▁under▁score ▁", "<0x41> <0x0A>", "é▁ü\n▁", "Wanne-Eickel Central Station, located in Germany", "\u0301leading mark", "a\u0327\u0301\u0323b", "ㅎㅏㄴ \u1112\u1161\u11ab\u1100",
    "mixed 中文 and English词语 混合 123中4", "\r\n\r\n  \r\n x", " \u00a0 \u00a0y",
]

# Texts that are encoded only, and in no training text.
HARD_TEXTS = [
    "Pneumonoultramicroscopicsilicovolcanoconiosis" * 6, "".join(chr(0x4E00 + 37 * i) for i in range(160)), "aé漢🦙" * 40,
    "".join(chr(code) for code in range(0x20)), "".join(chr(code) for code in range(0x7F, 0xA1)), "\ufffe\uffff \ufdd0 \ufffd \U0010ffff \U0001ffff", "\ue000\uf8ff\U000f0000 private",
    "\u200d\u200d a\u200db \u200c\u200e\u200f \u2060\ufeff", "👨🏽‍🚀 👩🏿‍🔬 🏴\U000e0067\U000e0062\U000e007f 🏳️‍🌈 1️⃣#️⃣", "e" + "\u0301" * 30 + " o\u0308\u0323\u0308", "\u0e01\u0e33 \u0e33 \u0eb3 \uff76\uff9e",
    "\u1e9b\u0323 \u212b \u2126 \ufb2c \u0344", "ＦＵＬＬ　ｗｉｄｔｈ　１２３ ｶﾞ", "㈱ ㍿ ㎏ ℃ № ™ ½ ﷺ ﷽", "a\rb\r\nc\n\rd", "x" + " " * 40 + "y", "\n" * 9 + "z" + "\t" * 5, "▁▁▁ ▁ ▁▁x▁", " ▁a ▁ b",
    "<s>", "</s></s>", "<unk> <pad>", "a<bos>b<eos>", "<s> [INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nWho? [/INST] Me. </s>", "<|user|>\nHi<|end|>\n<|assistant|>\n", "<start_of_turn>user\nHi<end_of_turn>\n", "<|begin|><|begin|> x",
    "<0x0A><0x41>", "<0xE2><0x96><0x81>", "for (int i = 0; i < n; ++i) {\n\tsum += a[i];  // total\n}\n", "SELECT * FROM t WHERE a>='é' AND b<>\"ü\";", "{\"key\": [1, 2.5e-3, null]}", "$\\frac{a}{b}$ \\n \\\\",
    "Příliš žluťoučký kůň; Đặng Thị Hồng; ĐẸP", "İstanbul ı I i̇ ẞ ß Σίσυφος ΟΔΟΣ ǅ ﬅ", "été ÉTÉ E\u0301te\u0301 ñ Å", "Здравствуйте, мир! Ещё йод", "ქართული ენა, հայերեն, አማርኛ", "தமிழ் తెలుగు ಕನ್ನಡ മലയാളം", "中文，标点。“引号”（括号）", "ａ～ｂ・ｃ",
    "can't CAN'T don’t we'LL I'M", "U.S.A. 3.14 1e-9 0x1F v2.0.1 50% $9.99 €5", "a_b __init__ _x_ ٣٫١٤ Ⅻ ⅷ ⓐⒷ 🄰", "\x1b[31mred\x1b[0m \x08\x7f", "  two  spaces   three    four     five ", " \u2028 \u2029 \u0085 \u1680 \u180e ", "end\n\n", "\n", "\u00a0",
]

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"

TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}|"
          r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def corpus():
    lines = (ATLAS / "corpus.txt").read_text(encoding="utf-8").splitlines()[:1500]
    return lines + TEXTS * 3


def byte_level(pre_tokenizer, normalizer=None, **model):
    tokenizer = Tokenizer(models.BPE(**model))
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    return tokenizer


def train(tokenizer, size, alphabet, special=(), texts=None):
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, special_tokens=list(special), show_progress=False)
    tokenizer.train_from_iterator(corpus() if texts is None else texts, trainer)
    return tokenizer


def llama3():
    split = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer = train(byte_level(split, ignore_merges=True), 900, pre_tokenizers.ByteLevel.alphabet(), ["<|begin|>", "<|endoftext|>"])
    template = processors.TemplateProcessing(single="<|begin|> $A", special_tokens=[("<|begin|>", tokenizer.token_to_id("<|begin|>"))])
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template])
    return tokenizer


def qwen2():
    split = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(QWEN2), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    return train(byte_level(split, normalizers.NFC()), 900, pre_tokenizers.ByteLevel.alphabet(), ["<|endoftext|>"])


def tekken():
    """Mistral's byte-level form."""
    split = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(TEKKEN), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    return train(byte_level(split, ignore_merges=True), 900, pre_tokenizers.ByteLevel.alphabet(), ["<unk>", "<s>", "</s>", "[INST]", "[/INST]"])


def olmo2():
    """OLMo 2 and others with the pattern of cl100k, where Llama 3's comes from; ends a text by itself."""
    split = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer = train(byte_level(split), 900, pre_tokenizers.ByteLevel.alphabet(), ["<|endoftext|>", "<|pad|>"])
    tokenizer.add_special_tokens([AddedToken("<|user|>", normalized=False), AddedToken("<|assistant|>", normalized=False)])
    tokenizer.add_tokens([AddedToken("|||EMAIL_ADDRESS|||", normalized=True)])
    tokenizer.post_processor = processors.TemplateProcessing(single="$A <|endoftext|>", special_tokens=[("<|endoftext|>", tokenizer.token_to_id("<|endoftext|>"))])
    return tokenizer


def smollm():
    split = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    return train(byte_level(split), 900, pre_tokenizers.ByteLevel.alphabet(), ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])


def pythia():
    """GPT-NeoX's form with its runs of spaces, which are added tokens behind the vocabulary."""
    tokenizer = neox_like()
    tokenizer.add_tokens([AddedToken(" " * count, normalized=True) for count in range(24, 1, -1)])
    return tokenizer


def flags():
    """Digits, a prefix space, NFKC and added tokens of every kind."""
    split = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=True)])
    tokenizer = train(byte_level(split, normalizers.NFKC()), 700, pre_tokenizers.ByteLevel.alphabet(), ["<|endoftext|>"])
    tokenizer.add_special_tokens([AddedToken("[MASK]", lstrip=True, rstrip=True, normalized=False)])
    tokenizer.add_tokens([AddedToken("word", single_word=True, normalized=True), AddedToken("   ", normalized=False), AddedToken("ﬃ", normalized=True)])
    return tokenizer


def sentencepiece(pre_tokenizer, normalizer, decoder, fuse, special=("<unk>", "<s>", "</s>"), runs=(), template="<s>"):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=fuse, byte_fallback=True))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    # Trained over words, used over whole lines: the merges of the trainer must not cross spaces, the encoder's may.
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    train(tokenizer, 900, [], [*special, *runs] + [f"<0x{byte:02X}>" for byte in range(256)])
    written = json.loads(tokenizer.to_str())
    written["added_tokens"] = written["added_tokens"][:len(special) + len(runs)]
    for token in written["added_tokens"][len(special):]:
        token["special"] = False
    # Characters beyond Latin are left to the byte fallback.
    keep = {t: i for t, i in written["model"]["vocab"].items() if all(ord(c) < 0x250 or c == "▁" for c in t)}
    written["model"]["vocab"] = {t: i for i, t in enumerate(sorted(keep, key=keep.get))}
    written["model"]["merges"] = [m for m in written["model"]["merges"] if all(part in keep for part in (m[0], m[1], m[0] + m[1]))]
    written["model"]["merges"] += [[run[:-1], run[-1]] for run in runs if run[0] == "▁"]
    written["pre_tokenizer"] = None
    tokenizer = Tokenizer.from_str(json.dumps(written))
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoder
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{template} $A", special_tokens=[(template, tokenizer.token_to_id(template))])
    return tokenizer


def llama2():
    normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return sentencepiece(None, normalizer, decoder, fuse=True)


def phi3():
    """Llama 2's form; the added tokens take the white space behind them."""
    tokenizer = llama2()
    for text in ["<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>", "<|user|>"]:
        tokenizer.add_special_tokens([AddedToken(text, rstrip=text != "<|endoftext|>", normalized=False)])
    tokenizer.add_tokens([AddedToken("</s>", rstrip=True, normalized=False)])
    return tokenizer


def gemma():
    """Gemma 2 and 3: no space in front, a Split that finds nothing, and runs of spaces and lines that are added tokens of the vocabulary."""
    decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    runs = ["\n" * count for count in range(2, 6)] + ["▁" * count for count in range(2, 6)] + ["<table>", "</table>", "\t"]
    tokenizer = sentencepiece(pre_tokenizers.Split(" ", "merged_with_previous"), normalizers.Replace(" ", "▁"), decoder, fuse=True,
                              special=["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"], runs=runs, template="<bos>")
    return tokenizer


def metaspace():
    scheme = {"replacement": "▁", "prepend_scheme": "first"}
    return sentencepiece(pre_tokenizers.Metaspace(split=False, **scheme), None,
                         decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(**scheme)]), fuse=False)


def unigram(special, bytes_too):
    """The pieces and scores of a SentencePiece model, as published files have them; the special tokens and the bytes have the score 0."""
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(sentencepiece_model(model_type="unigram", vocab_size=800, character_coverage=0.99, normalization_rule_name="identity"))
    vocab = [[piece.piece, piece.score] for piece in proto.pieces if piece.type == proto.SentencePiece.NORMAL]
    vocab = [[text, 0.0] for text in special] + ([[f"<0x{byte:02X}>", 0.0] for byte in range(256)] if bytes_too else []) + vocab
    tokenizer = Tokenizer(models.Unigram([tuple(pair) for pair in vocab], unk_id=special.index("<unk>"), byte_fallback=bytes_too))
    tokenizer.add_special_tokens(special)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    return tokenizer


def t5():
    tokenizer = unigram(["<pad>", "</s>", "<unk>"], bytes_too=False)
    tokenizer.add_special_tokens([AddedToken(f"<extra_id_{i}>", normalized=False) for i in range(3)])
    tokenizer.normalizer = normalizers.Precompiled(nmt_nfkc())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")])
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", tokenizer.token_to_id("</s>"))])
    return tokenizer


def unigram_bytes():
    tokenizer = unigram(["<unk>", "<s>", "</s>"], bytes_too=True)
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[(text, tokenizer.token_to_id(text)) for text in ("<s>", "</s>")])
    return tokenizer


def neox_like():
    """GPT-NeoX's form: merges as strings, NFC, GPT-2's pattern."""
    return train(byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False), normalizers.NFC()), 700, pre_tokenizers.ByteLevel.alphabet(),
                 ["<|endoftext|>", "<|padding|>"])


CUT_TEXTS = [
    "Hello, world!  It's   1234 (or so)... \u00bd \u2167 \u0663", "a-b--c---d _x_ $5+3=8 ~`^|<>", "\u2026\u00ab\u00e9t\u00e9\u00bb\u3001\u300c\u6f22\u5b57\u300d\uff01", "tab\tnew\nline\r\n\u00a0\u2003\u3000end ",
    "e\u0301 \u0928\u092e\u0938\u094d\u0924\u0947 a\u200db \u24d0\u24b6 \U0001f130 \u203fx", "xx--yy-- --zz --", "--", "", "  ", "\u2581a b\u2581 \u2581", "12 345\u4e00\u0be7", "\U0001f999\U0001f468\u200d\U0001f469!", "aXbXXc XX", "X",
]
REWRITE_TEXTS = [
    "Stra\u00dfe \u1e9e \u0130I\u0131i \u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2 \u01c5 \u10a0 \u13a0", "e\u0301 \u00e9 a\u0328\u0301 \u0e01\u0e33 \u0928\u093f \u20dd", "\ufb01 \u00bd \u2460 \uff21\uff42 \uff76\uff9e \ufdfa \u33a5", "  lead and trail \u00a0\u3000", "\t\n",
    "".join(chr(code) for code in range(0x20)) + "\x7f\x80\x8f\x9f", "a\u00adb\u200bc\u200fd\u2028e\ufefff\ufffdg\u1680h\u2581i", "\r\n \r\n", "  two   spaces    four", "\u1100\u1161\u11a8 \uac01 \u1112\u1161", "\u212b \u2126 \u0344 \u1e9b\u0323",
    "x\u0300 x\u0338 =\u0338 \u0041\u030a", "\U0001f468\u200d\U0001f469 \U0001d518 \U0002f800", "", " ", "aab abab",
]


def regex(pattern):
    return {"Regex": pattern}


def split(pattern, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def components():
    """A small tokenizer whose merges respect no border, and each component in its place."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True))
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    train(tokenizer, 760, [], [f"<0x{byte:02X}>" for byte in range(256)], (TEXTS + CUT_TEXTS) * 2 + corpus()[:300])
    base = json.loads(tokenizer.to_str())
    base["added_tokens"] = []
    charsmap = base64.b64encode(nmt_nfkc()).decode()
    behaviors = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
    cuts = [split({"String": "X"}, behavior, invert) for behavior in behaviors for invert in (False, True)]
    cuts += [split(regex("-+|X"), behavior) for behavior in behaviors]
    cuts += [split(regex(pattern)) for pattern in (r"\w+", r"[\w-]+", r"\W", r"\s+$", r"^\S", r"\h+", r"\d", r"[[:punct:]]+", r"\p{Lu}|\p{Han}", r"x*", r"(?i:HELLO|it's)", r"a++|\s?+-", r"[]X]", r"[^]X]+")]
    cuts += [{"type": "Punctuation", "behavior": behavior} for behavior in behaviors]
    cuts += [{"type": "Digits", "individual_digits": individual} for individual in (False, True)]
    cuts += [{"type": "Whitespace"}, {"type": "WhitespaceSplit"}]
    cuts += [{"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": scheme, "split": split} for scheme in ("always", "never", "first") for split in (False, True)]
    cuts += [{"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}]},
             {"type": "Sequence", "pretokenizers": [{"type": "Whitespace"}, {"type": "Digits", "individual_digits": True}, {"type": "Punctuation", "behavior": "Isolated"}]}]
    rewrites = [{"type": kind} for kind in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt")]
    rewrites += [{"type": "Strip", "strip_left": left, "strip_right": not left} for left in (False, True)] + [{"type": "Strip", "strip_left": True, "strip_right": True}]
    rewrites += [{"type": "Prepend", "prepend": "\u2581"}, {"type": "Replace", "pattern": {"String": "ab"}, "content": ""}, {"type": "Replace", "pattern": regex(" {2,}"), "content": "\u2581"}]
    rewrites += [{"type": "Precompiled", "precompiled_charsmap": charsmap}]
    rewrites += [{"type": "Sequence", "normalizers": [{"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"}, {"type": "Strip", "strip_left": True, "strip_right": True}]}]
    whole = {"type": "Fuse"}
    decoded = [{"type": "Sequence", "decoders": steps} for steps in (
        [{"type": "ByteFallback"}, {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}],
        [{"type": "ByteFallback"}, {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "never", "split": True}],
        [{"type": "Replace", "pattern": {"String": "e"}, "content": "E"}, {"type": "ByteFallback"}, whole, {"type": "Strip", "content": " ", "start": 1, "stop": 1}],
        [{"type": "Strip", "content": " ", "start": 1, "stop": 0}, {"type": "ByteFallback"}, whole])]
    cases = [("pre_tokenizer", part, CUT_TEXTS) for part in cuts] + [("normalizer", part, REWRITE_TEXTS) for part in rewrites] + [("decoder", part, [text for text in CUT_TEXTS if text]) for part in decoded]
    written = []
    for place, part, texts in cases:
        tokenizer = Tokenizer.from_str(json.dumps(base | {place: part}))
        rows = []
        for text in texts:
            ids = tokenizer.encode(text, add_special_tokens=False).ids
            rows.append({"text": text, "ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False)})
        if part["type"] == "Precompiled":
            part = {"type": "Precompiled"}  # the test puts the charsmap in
        written.append({place: part, "rows": rows})
    write_tokenizer("components", base)
    write_rows("components", written)


def sentencepiece_model(**options):
    """The bytes of a tokenizer.model. An unknown token decodes as its piece, as with a tokenizer.json."""
    model = io.BytesIO()
    spm.SentencePieceTrainer.train(sentence_iterator=iter(corpus()), model_writer=model, minloglevel=2, num_threads=1, unk_surface="<unk>", **options)
    return model.getvalue()


def nmt_nfkc():
    """The charsmap of SentencePiece's rules nmt_nfkc, from a model that is trained with them."""
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(sentencepiece_model(vocab_size=400, model_type="char", normalization_rule_name="nmt_nfkc"))
    return proto.normalizer_spec.precompiled_charsmap


SENTENCEPIECE = {
    "sp_unigram": dict(model_type="unigram", vocab_size=700, character_coverage=0.99),
    "sp_unigram_bytes": dict(model_type="unigram", vocab_size=900, character_coverage=0.98, byte_fallback=True, user_defined_symbols=["<table>", "  ", "ﬁ", "co"]),
    "sp_bpe": dict(model_type="bpe", vocab_size=700, character_coverage=0.99),
    "sp_bpe_bytes": dict(model_type="bpe", vocab_size=900, character_coverage=0.98, byte_fallback=True, user_defined_symbols=["<table>", "▁▁", "ﬁ", "co"]),
    "sp_llama": dict(model_type="bpe", vocab_size=800, character_coverage=0.98, byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True),
    "sp_gemma": dict(model_type="bpe", vocab_size=800, character_coverage=0.98, byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=False, pad_id=0,
                     eos_id=1, bos_id=2, unk_id=3, eos_piece="<eos>", bos_piece="<bos>", control_symbols=["<start_of_turn>"], user_defined_symbols=["▁" * count for count in range(2, 6)] + ["\n", "\n\n", "\t", "<table>"]),
}


def sentencepiece_goldens():
    """What lies between control pieces is encoded each for itself, as a tokenizer.json would have it."""
    for name, options in SENTENCEPIECE.items():
        model = sentencepiece_model(**{"normalization_rule_name": "nmt_nfkc", **options})
        (HERE / f"{name}.tokenizer.model").write_bytes(model)
        processor = spm.SentencePieceProcessor(model_proto=model)
        special = {processor.id_to_piece(id): id for id in range(processor.vocab_size()) if processor.is_control(id) or processor.is_unknown(id)}
        cut = re.compile("(" + "|".join(re.escape(text) for text in special) + ")")
        rows = []
        for text in TEXTS + HARD_TEXTS + REWRITE_TEXTS + CUT_TEXTS:
            parts = [part for part in cut.split(text) if part]
            ids = [id for part in parts for id in ([special[part]] if part in special else processor.encode(part))]
            bos = [] if processor.bos_id() < 0 else [processor.bos_id()]
            row = {"text": text, "ids": ids, "with_template": bos + ids}
            if not any(part in special for part in parts):
                row["decoded"] = processor.decode(ids)
            rows.append(row)
        write_rows(name, rows)


def write_tokenizer(name, tokenizer):
    (HERE / f"{name}.tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


def write_rows(name, rows):
    body = ",\n".join(json.dumps(row, ensure_ascii=True, separators=(",", ":")) for row in rows)
    (HERE / f"{name}.golden.json").write_text(f"[\n{body}\n]\n", encoding="utf-8")


def golden(name, tokenizer, texts):
    rows = []
    for text in texts:
        plain = tokenizer.encode(text, add_special_tokens=False).ids
        rows.append({"text": text, "ids": plain, "with_template": tokenizer.encode(text).ids, "decoded": tokenizer.decode(plain, skip_special_tokens=False)})
    write_rows(name, rows)


def main():
    makers = {"llama3": llama3, "qwen2": qwen2, "flags": flags, "llama2": llama2, "metaspace": metaspace, "neox": neox_like, "tekken": tekken, "olmo2": olmo2, "smollm": smollm,
              "pythia": pythia, "phi3": phi3, "gemma": gemma, "t5": t5, "unigram_bytes": unigram_bytes}
    for name, make in makers.items():
        written = json.loads(make().to_str())
        if name in ("neox", "pythia"):
            written["model"]["merges"] = [" ".join(merge) for merge in written["model"]["merges"]]
        write_tokenizer(name, written)
        golden(name, Tokenizer.from_str(json.dumps(written)), TEXTS + HARD_TEXTS)
    components()
    sentencepiece_goldens()
    facts = [line for line in (ATLAS / "corpus.txt").read_text(encoding="utf-8").splitlines() if line][:40]
    golden("atlas", Tokenizer.from_file(str(ATLAS / "model" / "tokenizer.json")), TEXTS + facts)


main()
