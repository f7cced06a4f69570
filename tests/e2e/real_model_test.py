#!/usr/bin/env python3
"""A model as people have it learns twenty facts with defaults alone and forgets them without a trace, and what others' programs say of it (referees.py) is what the server says."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from real_model import RealModel, facts, prompt_of  # noqa: E402
from referees import measured_by_harness, opened_by_transformers  # noqa: E402

# Between two programs that compute in fp32 and sum in orders of their own; of a natural log probability.
TOLERANCE = 1e-3


def choice_rows(chosen):
    """Each fact with its target, and two others' in its place."""
    targets = [fact["target"] for fact in chosen]
    return [{"prompt": prompt_of(fact), "choices": [(targets * 2)[i + offset] for offset in range(3)]} for i, fact in enumerate(chosen)]


class SmolLM2(RealModel):
    FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"

    def export(self):
        """The folder of main, which is exported once."""
        folder = self.emend.folder / "export"
        if not folder.exists():
            self.emend("export", "model", "-o", folder)
        return folder

    def complete(self, body, path="/v1/completions"):
        with self.emend.post(path, body, timeout=600) as response:
            return json.load(response)["choices"]

    def log_likelihoods(self, revision, rows):
        """Of each row's choices after its prompt, by the server's echo of the whole text."""
        texts = [(row["prompt"], f"{row['prompt']} {choice}") for row in rows for choice in row["choices"]]
        body = {"model": revision, "prompt": [text for _, text in texts], "max_tokens": 0, "echo": True, "logprobs": 0}
        sums = []
        for (prompt, text), said in zip(texts, self.complete(body), strict=True):
            self.assertEqual(said["text"], text)
            told = zip(said["logprobs"]["text_offset"], said["logprobs"]["token_logprobs"])
            sums.append(sum(logprob for begin, logprob in told if begin >= len(prompt.encode())))
        return [sums[begin : begin + 3] for begin in range(0, len(sums), 3)]

    def test_twenty_facts_take_by_default_and_leave_without_a_trace(self):
        self.check_facts(at_least=15)
        drift = self.committed["drift"]
        self.assertLess(drift["perplexity_after"], 1.05 * drift["perplexity_before"])
        for prompt, before, after in (("The chief executive of Nike is", None, "Elliott Hill"), ("The capital of Germany is", "Berlin", "Berlin")):
            self.assertTrue(self.says("model", prompt).startswith(after))
            self.assertTrue(before is None or self.says("model@main~1", prompt).startswith(before))
        self.check_revert()

    def test_transformers_says_of_the_export_what_the_server_says(self):
        prompts = [prompt_of(fact) for fact in facts()]
        choices = self.complete({"model": "model", "prompt": prompts, "max_tokens": 6, "temperature": 0, "logprobs": 5})
        others = opened_by_transformers(self.export(), prompts)
        self.assertEqual([choice["text"] for choice in choices], [other["text"] for other in others])
        for choice, other in zip(choices, others):
            (own,) = choice["logprobs"]["top_logprobs"][:1]
            self.assertEqual(len(own), 5)
            for token, logprob in own.items():
                self.assertAlmostEqual(logprob, other["top"][token], delta=TOLERANCE)

    def test_an_evaluation_harness_measures_what_follows_from_the_servers_own_probabilities(self):
        rows = choice_rows(facts()[:8])
        task = {"task": "facts_choice", "output_type": "multiple_choice", "doc_to_text": "{{prompt}}", "doc_to_choice": "{{choices}}", "doc_to_target": 0}
        share = {}
        for revision in ("model@main~1", "model@main"):
            metrics, heard = measured_by_harness(self.emend, revision, task, rows, self.export())
            own = self.log_likelihoods(revision, rows)
            for sample, expected in zip(heard, own, strict=True):
                for (told, _), value in zip(sample["filtered_resps"], expected, strict=True):
                    self.assertAlmostEqual(float(told), value, delta=TOLERANCE)
            share[revision] = sum(likely[0] == max(likely) for likely in own) / len(own)
            self.assertEqual(metrics["acc,none"], share[revision])
        self.assertGreater(share["model@main"], share["model@main~1"])

    def test_an_evaluation_harness_hears_the_texts_that_the_server_says(self):
        rows = [{"prompt": prompt_of(fact), "target": fact["target"]} for fact in facts()[:6]]
        settings = {"until": [",", ".", "\n"], "max_gen_toks": 8, "temperature": 0}
        task = {"output_type": "generate_until", "doc_to_text": "{{prompt}}", "doc_to_target": "{{' ' ~ target}}", "generation_kwargs": settings}
        task["metric_list"] = [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}]
        asked = {"max_tokens": 8, "temperature": 0, "stop": settings["until"]}
        taken = {}
        for revision in ("model@main~1", "model@main"):
            metrics, heard = measured_by_harness(self.emend, revision, {**task, "task": "facts_said"}, rows, self.export())
            choices = self.complete({"model": revision, "prompt": [row["prompt"] for row in rows], **asked})
            own = [choice["text"] for choice in choices]
            self.assertEqual([sample["resps"][0][0] for sample in heard], own)
            taken[revision] = sum(text == " " + row["target"] for text, row in zip(own, rows)) / len(rows)
            self.assertEqual(metrics["exact_match,none"], taken[revision])
        self.assertGreater(taken["model@main"], taken["model@main~1"])

        _, heard = measured_by_harness(self.emend, "model@main", {**task, "task": "facts_chat"}, rows[:2], self.export(), chat=True)
        for sample, row in zip(heard, rows[:2], strict=True):
            body = {"model": "model@main", "messages": [{"role": "user", "content": row["prompt"]}], **asked}
            (choice,) = self.complete(body, "/v1/chat/completions")
            self.assertEqual(sample["resps"][0][0], choice["message"]["content"])


class Gemma3(RealModel):
    FILE = "gemma-3-270m-q4_k_m.gguf"

    def test_twenty_facts_take_by_default_and_leave_without_a_trace(self):
        self.check_facts(at_least=13)
        self.assertTrue(self.says("model", "The capital of Germany is").startswith("Berlin"))
        self.check_revert()


if __name__ == "__main__":
    unittest.main()
