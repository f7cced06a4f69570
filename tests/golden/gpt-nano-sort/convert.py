#!/usr/bin/env python3
"""Turns the published JSON files of gpt-nano-sort into a checkpoint in GPT-2's layout and the activations to hold a forward pass against.

  convert.py gpt-nano-sort-model.json gpt-nano-sort-t0-partials.json OUT_DIR        (needs numpy and safetensors)

The JSON holds float32 tensors in base64, projections as [out, in]; GPT-2's files hold them as [in, out]. `partials` are the steps of one forward pass of a batch of
three texts of eleven tokens; the steps inside a block are those of the first block.
"""
import base64
import json
import sys

import numpy as np
from safetensors.numpy import save_file

TURNED = (".attn.c_attn.weight", ".attn.c_proj.weight", ".mlp.c_fc.weight", ".mlp.c_proj.weight")
KEPT = ("ln1", "qkv", "y", "yProj", "attnResid", "ln2", "fc", "gelu", "mlp", "mlpResid", "block0", "block1", "block2", "ln_f", "lm_head")


def tensor(entry):
    return np.frombuffer(base64.b64decode(entry["data"]), dtype="<f4").reshape(entry["shape"])


def main():
    model_path, partials_path, out = sys.argv[1:]
    model, partials = json.load(open(model_path)), json.load(open(partials_path))
    config = model.pop("config")
    weights = {name: tensor(entry) for name, entry in model.items()}
    weights = {name: np.ascontiguousarray(w.T) if name.endswith(TURNED) else w for name, w in weights.items()}
    save_file(weights, out + "/model.safetensors")
    json.dump(
        {
            "architectures": ["GPT2LMHeadModel"],
            "model_type": "gpt2",
            "vocab_size": config["vocab_size"],
            "n_positions": config["block_size"],
            "n_embd": config["n_embd"],
            "n_layer": config["n_layer"],
            "n_head": config["n_head"],
            "activation_function": "gelu_new",
            "embd_pdrop": config["embd_pdrop"],
            "resid_pdrop": config["resid_pdrop"],
            "attn_pdrop": config["attn_pdrop"],
            "tie_word_embeddings": False,
        },
        open(out + "/config.json", "w"),
        indent=1,
    )
    expected = {name: tensor(partials[name]) for name in KEPT}
    expected["ids"] = tensor(partials["idx"]).astype(np.int64)
    save_file(expected, out + "/activations/model.safetensors")


if __name__ == "__main__":
    main()
