"""Opens a model's folder with transformers, in fp32, and says of each prompt (a JSON list on standard input) how it goes on by the likeliest tokens, and how likely the
first ones are: {"text", "top"}. Run by referees.py."""
import json
import os
import sys

# Only what is called is looked for: a CPU calls nothing of the libraries that torch has for GPUs.
sys.setdlopenflags(os.RTLD_LAZY)
import torch  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402

TOKENS = 6
LIKELIEST = 40


@torch.no_grad()
def answer(model, tokenizer, prompt):
    asked = tokenizer(prompt, return_tensors="pt")
    said = model.generate(**asked, max_new_tokens=TOKENS, do_sample=False, return_dict_in_generate=True, output_logits=True)
    likeliest = said.logits[0][0].double().log_softmax(-1).topk(LIKELIEST)
    text = tokenizer.decode(said.sequences[0, asked["input_ids"].shape[1] :], skip_special_tokens=True)
    return {"text": text, "top": {tokenizer.decode([token]): value for token, value in zip(likeliest.indices.tolist(), likeliest.values.tolist())}}


def main(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    json.dump([answer(model, tokenizer, prompt) for prompt in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
