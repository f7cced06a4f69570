"""Writes the small tokenizers and the golden encodings of this folder with the Python package `tokenizers` (0.23.3).

    pip install tokenizers==0.23.3
    python tests/golden/tokenizer/make_goldens.py        # from the checkout's root
"""
import json
from pathlib import Path

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


def train(tokenizer, size, alphabet, special=()):
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, special_tokens=list(special), show_progress=False)
    tokenizer.train_from_iterator(corpus(), trainer)
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


def neox_like():
    """GPT-NeoX's form: merges as strings, NFC, GPT-2's pattern."""
    return train(byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False), normalizers.NFC()), 700, pre_tokenizers.ByteLevel.alphabet(),
                 ["<|endoftext|>", "<|padding|>"])


def golden(name, tokenizer, texts):
    rows = []
    for text in texts:
        plain = tokenizer.encode(text, add_special_tokens=False).ids
        rows.append({"text": text, "ids": plain, "with_template": tokenizer.encode(text).ids, "decoded": tokenizer.decode(plain, skip_special_tokens=False)})
    body = ",\n".join(json.dumps(row, ensure_ascii=True, separators=(",", ":")) for row in rows)
    (HERE / f"{name}.golden.json").write_text(f"[\n{body}\n]\n", encoding="utf-8")


def main():
    makers = {"llama3": llama3, "qwen2": qwen2, "flags": flags, "llama2": llama2, "metaspace": metaspace, "neox": neox_like, "tekken": tekken, "olmo2": olmo2, "smollm": smollm,
              "pythia": pythia, "phi3": phi3, "gemma": gemma}
    for name, make in makers.items():
        written = json.loads(make().to_str())
        if name in ("neox", "pythia"):
            written["model"]["merges"] = [" ".join(merge) for merge in written["model"]["merges"]]
        text = json.dumps(written, ensure_ascii=False, separators=(",", ":"))
        (HERE / f"{name}.tokenizer.json").write_text(text + "\n", encoding="utf-8")
        golden(name, Tokenizer.from_str(text), TEXTS + HARD_TEXTS)
    facts = [line for line in (ATLAS / "corpus.txt").read_text(encoding="utf-8").splitlines() if line][:40]
    golden("atlas", Tokenizer.from_file(str(ATLAS / "model" / "tokenizer.json")), TEXTS + facts)


main()
