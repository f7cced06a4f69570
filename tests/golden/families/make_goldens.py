"""Writes a tiny random model of each family and what the Python package transformers computes with it (5.24.0, torch 2.11.0, eager attention, fp32).

    pip install transformers==5.24.0 torch==2.11.0
    python tests/golden/families/make_goldens.py [CASE ...]        # from the checkout's root

Of each case: config.json and model.safetensors (bf16) as transformers saves them, and golden/model.safetensors: ids; logits; of each layer the input ("key.N") and the output ("down.N") of the down
projection; and "edited", the logits after the weight of layer 1's was changed by outer(edit_out, edit_key), [d, d_ff]. Where that is experts, their down projections count as one, side by side, whose
input is the one of each, times the token's share in it, or zeros.
"""
import json
import shutil
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file

HERE = Path(__file__).parent
TOKENS, EDITED = 24, 1
SIZES = dict(vocab_size=40, hidden_size=24, intermediate_size=32, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, head_dim=8, max_position_embeddings=64)
FLAT = {key: value for key, value in SIZES.items() if key != "head_dim"} | dict(hidden_size=32)


def gemma3(**more):
    rope = {"sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}, "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6}}
    return transformers.Gemma3TextConfig(**SIZES, query_pre_attn_scalar=16, sliding_window=8, layer_types=["sliding_attention", "sliding_attention", "full_attention"], rope_parameters=rope, **more)


def rope(kind, **more):
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 10000.0} | more}


CASES = {
    "llama-llama3": lambda: transformers.LlamaConfig(**SIZES, **rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16)),
    "llama-linear": lambda: transformers.LlamaConfig(**SIZES, **rope("linear", factor=4.0), attention_bias=True, mlp_bias=True),
    "llama-dynamic": lambda: transformers.LlamaConfig(**SIZES, **rope("dynamic", factor=2.0)),
    "llama-yarn": lambda: transformers.LlamaConfig(**SIZES, **rope("yarn", factor=4.0, original_max_position_embeddings=16)),
    "mistral": lambda: transformers.MistralConfig(**SIZES, sliding_window=8),
    "qwen2": lambda: transformers.Qwen2Config(**FLAT, use_sliding_window=True, sliding_window=8, max_window_layers=1),
    "qwen3": lambda: transformers.Qwen3Config(**SIZES),
    "gemma2": lambda: transformers.Gemma2Config(**SIZES, query_pre_attn_scalar=16, sliding_window=8, attn_logit_softcapping=2.0, final_logit_softcapping=3.0),
    "gemma3": gemma3,
    "olmo2": lambda: transformers.Olmo2Config(**FLAT),
    "phi3": lambda: transformers.Phi3Config(**FLAT, sliding_window=12, pad_token_id=0),
    "phi3-longrope": lambda: transformers.Phi3Config(
        **FLAT, pad_token_id=0, original_max_position_embeddings=32,
        **rope("longrope", partial_rotary_factor=0.5, short_factor=[1.0, 1.25], long_factor=[2.0, 4.0], original_max_position_embeddings=32)),
    "gptj": lambda: transformers.GPTJConfig(vocab_size=40, n_positions=64, n_embd=32, n_inner=32, n_layer=3, n_head=4, rotary_dim=4),
    "gpt_neox": lambda: transformers.GPTNeoXConfig(**{k: v for k, v in FLAT.items() if k != "num_key_value_heads"}, rotary_pct=0.5),
    "gpt_neox-sequential": lambda: transformers.GPTNeoXConfig(**{k: v for k, v in FLAT.items() if k != "num_key_value_heads"}, use_parallel_residual=False),
    "smollm3": lambda: transformers.SmolLM3Config(**FLAT, no_rope_layer_interval=2, pad_token_id=0),
    # Two tiles of d_ff, so that two ranks have a part of each expert; a dense layer between.
    "qwen3_moe": lambda: transformers.Qwen3MoeConfig(**SIZES, moe_intermediate_size=72, num_experts=4, num_experts_per_tok=2, norm_topk_prob=True, mlp_only_layers=[2]),
    "olmoe": lambda: transformers.OlmoeConfig(**FLAT, num_experts=6, num_experts_per_tok=3, eos_token_id=None),
}
DOWN = ("mlp.down_proj", "mlp.c_proj", "mlp.fc_out", "mlp.dense_4h_to_h")


def randomise(model):
    """Weights that no part can be left out of unseen, each rounded to bf16."""
    for name, weight in model.named_parameters():
        is_norm = weight.dim() == 1 and "norm" in name or ".ln_" in name
        values = torch.randn(weight.shape) * (0.2 if is_norm or weight.dim() == 1 else 0.35)
        if is_norm and name.endswith("weight") and not model.config.model_type.startswith("gemma"):
            values += 1
        weight.data = values.to(torch.bfloat16).float()


class Dense:
    """A feed-forward part with one down projection, as one with experts is seen."""

    def __init__(self, module):
        self.module = module

    def watch(self, keep):
        self.module.register_forward_hook(lambda _, inputs, output: keep(inputs[0].clone(), output.clone()))

    def size(self):
        return self.module.weight.shape

    def add(self, change):
        self.module.weight.data += change


class Experts:
    def __init__(self, module):
        self.module, self.parts = module, module.experts

    def watch(self, keep):
        def key(_, inputs, output):
            hidden = inputs[0].flatten(0, 1)
            _, shares, chosen = self.module.gate(hidden)
            gate, up = torch.einsum("ti,eoi->teo", hidden, self.parts.gate_up_proj).chunk(2, -1)
            share = torch.zeros(gate.shape[:2]).scatter(1, chosen, shares)
            keys = (self.parts.act_fn(gate) * up * share.unsqueeze(-1)).flatten(1)
            weight = self.parts.down_proj.transpose(0, 1).flatten(1)
            assert torch.allclose(keys @ weight.T, output.flatten(0, 1), atol=1e-5)
            keep(keys.view(*output.shape[:2], -1), output.clone())

        self.module.register_forward_hook(key)

    def size(self):
        experts, d, d_ff = self.parts.down_proj.shape
        return d, experts * d_ff

    def add(self, change):
        experts, d, d_ff = self.parts.down_proj.shape
        self.parts.down_proj.data += change.view(d, experts, d_ff).transpose(0, 1)


def halves(model):
    """The second half of each layer, in turn."""
    for path, module in model.named_modules():
        if path.endswith(DOWN):
            yield Dense(module)
        elif hasattr(module, "gate") and hasattr(module, "experts"):
            yield Experts(module)


@torch.no_grad()
def write(name, config):
    torch.manual_seed(sum(name.encode()))
    config._attn_implementation = "eager"
    model = transformers.AutoModelForCausalLM.from_config(config).float().eval()
    randomise(model)
    ids = torch.randint(1, config.vocab_size, (2, TOKENS))
    golden = {"ids": ids}
    downs = list(halves(model))
    for layer, half in enumerate(downs):
        def keep(key, output, layer=layer):
            golden[f"key.{layer}"], golden[f"down.{layer}"] = key, output

        half.watch(keep)
    golden["logits"] = model(ids).logits
    kept = dict(golden)
    kept["edit_out"], kept["edit_key"] = (torch.randn(size) * 0.5 for size in downs[EDITED].size())
    downs[EDITED].add(torch.outer(kept["edit_out"], kept["edit_key"]))
    kept["edited"] = model(ids).logits
    downs[EDITED].add(-torch.outer(kept["edit_out"], kept["edit_key"]))
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    model.to(torch.bfloat16).save_pretrained(folder)
    (folder / "golden").mkdir()
    (folder / "generation_config.json").unlink(missing_ok=True)
    tensors = load_file(folder / "model.safetensors")
    save_file({key: value.contiguous() for key, value in tensors.items()}, folder / "model.safetensors")
    save_file({key: value.contiguous() for key, value in kept.items()}, folder / "golden" / "model.safetensors")
    saved = json.loads((folder / "config.json").read_text())
    saved.pop("_attn_implementation", None)
    (folder / "config.json").write_text(json.dumps(saved, indent=1, sort_keys=True) + "\n")
    print(name, sum(file.stat().st_size for file in folder.rglob("*.*")))


for case in sys.argv[1:] or CASES:
    write(case, CASES[case]())
