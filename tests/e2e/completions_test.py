#!/usr/bin/env python3
"""OpenAI's completions, of conversations too, from the real programs: streaming, many at once, several commits side by side, while a batch is solved; on one and on two ranks."""
import concurrent.futures
import json
import os
import shutil
import sys
import threading
import unittest
import urllib.error

sys.path.insert(0, os.path.dirname(__file__))
from emend import ATLAS, FACTS, TEMPLATES, Emend, commits, prompt_of, records  # noqa: E402


class Completions(unittest.TestCase):
    RANKS = 1

    @classmethod
    def setUpClass(cls):
        cls.emend = Emend()
        cls.addClassCleanup(cls.emend.close)
        cls.emend.up("--ranks", cls.RANKS)
        model = shutil.copytree(ATLAS / "model", cls.emend.folder / "model")
        (model / "chat_template.jinja").write_text(
            "{% for m in messages %}{{ raise_exception('who is ' + m.role + '?') if m.role == 'tool' else m.content }}{% endfor %} plays as"
        )
        cls.emend("init", "atlas", "--model", model)
        cls.emend("stats", "atlas", "--corpus", ATLAS / "corpus.txt", "--lines", "500")
        cls.commit(0, 20)
        cls.edited, cls.unedited = (entry["commit"] for entry in commits(cls.emend("log", "atlas")))
        cls.prompts = [prompt_of(record) for record in records(0, 12)]

    @classmethod
    def commit(cls, offset, count):
        return cls.emend("commit", "atlas", "-F", FACTS, "--offset", offset, "--limit", count, "-m", f"{count} from {offset}", "--set", TEMPLATES)

    def post(self, body, path="/v1/completions"):
        return self.emend.post(path, body)

    def complete(self, model, prompt, **more):
        with self.post({"model": model, "prompt": prompt, "max_tokens": 12, "temperature": 0, **more}) as response:
            document = json.load(response)
            self.assertEqual(response.headers["X-Emend-Commit"], document["system_fingerprint"])
        return document

    def events(self, body, path="/v1/completions"):
        with self.post({**body, "stream": True}, path) as response:
            self.assertEqual(response.headers["Content-Type"], "text/event-stream")
            for line in response:
                if line.strip():
                    self.assertTrue(line.startswith(b"data: "), line)
                    yield line[6:].strip()

    def test_a_text_is_what_ask_says_whole_or_streamed(self):
        for prompt in self.prompts[:4]:
            answer = self.emend("ask", "atlas", prompt, "--max-tokens", "12")
            whole = self.complete("atlas", prompt)
            self.assertEqual(whole["choices"][0]["text"], answer["text"])
            self.assertEqual(whole["system_fingerprint"], answer["commit"])
            events = list(self.events({"model": "atlas", "prompt": prompt, "max_tokens": 12, "temperature": 0}))
            self.assertEqual(events[-1], b"[DONE]")
            choices = [json.loads(event)["choices"][0] for event in events[:-1]]
            self.assertEqual("".join(choice["text"] for choice in choices), answer["text"])
            self.assertEqual(choices[-1]["finish_reason"], whole["choices"][0]["finish_reason"])

    def test_an_echo_says_of_each_token_what_was_said_when_it_was_drawn(self):
        prompt = self.prompts[0]
        (drawn,) = self.complete("atlas", prompt, logprobs=2)["choices"]
        document = self.complete("atlas", prompt + drawn["text"], echo=True, logprobs=2, max_tokens=0)
        (echo,) = document["choices"]
        self.assertEqual((echo["text"], echo["finish_reason"]), (prompt + drawn["text"], "length"))
        self.assertEqual(document["usage"]["completion_tokens"], 0)
        names, values = echo["logprobs"]["tokens"], echo["logprobs"]["token_logprobs"]
        self.assertEqual((values[0], echo["logprobs"]["top_logprobs"][0]), (None, None))
        count = len(drawn["logprobs"]["tokens"])
        self.assertEqual(names[-count:], drawn["logprobs"]["tokens"])
        for value, expected in zip(values[-count:], drawn["logprobs"]["token_logprobs"]):
            self.assertAlmostEqual(value, expected, delta=1e-3)

    def test_a_conversation_is_a_text_behind_what_the_template_makes_of_it(self):
        def body(*messages, **more):
            return {"model": "atlas", "messages": [{"role": role, "content": content} for role, content in messages], "max_completion_tokens": 12, "temperature": 0, **more}

        whole = self.complete("atlas", "Of him it is said that Gianluigi Lentini plays as")
        asked = body(("system", "Of him it is said that"), ("user", " Gianluigi Lentini"))
        with self.post(asked, "/v1/chat/completions") as response:
            document = json.load(response)
            self.assertEqual(response.headers["X-Emend-Commit"], whole["system_fingerprint"])
        (choice,), (expected,) = document["choices"], whole["choices"]
        self.assertEqual(choice["message"], {"role": "assistant", "content": expected["text"], "refusal": None})
        self.assertEqual((choice["finish_reason"], document["usage"]), (expected["finish_reason"], whole["usage"]))
        chunks = [json.loads(event)["choices"][0]["delta"] for event in self.events(asked, "/v1/chat/completions") if event != b"[DONE]"]
        self.assertEqual(chunks[0]["role"], "assistant")
        self.assertEqual("".join(chunk.get("content", "") for chunk in chunks), expected["text"])

        answer = self.emend("ask", "atlas", "Gianluigi Lentini", "--chat", "--max-tokens", "12")
        self.assertEqual(answer["text"], self.emend("ask", "atlas", "Gianluigi Lentini plays as", "--max-tokens", "12")["text"])
        with self.assertRaises(urllib.error.HTTPError) as caught:
            self.post(body(("user", "2+2?"), ("tool", "4")), "/v1/chat/completions")
        error = json.load(caught.exception)["error"]
        self.assertEqual((caught.exception.code, error["code"], error["param"]), (422, "refused_by_chat_template", "messages"))
        self.assertIn("who is tool?", error["message"])

    def test_many_at_once_of_two_commits_are_each_their_own_commits(self):
        models = [f"atlas@{self.edited}", f"atlas@{self.unedited}"]
        alone = {(model, prompt): self.complete(model, prompt)["choices"][0]["text"] for model in models for prompt in self.prompts}
        differ = sum(alone[models[0], prompt] != alone[models[1], prompt] for prompt in self.prompts)
        self.assertGreater(differ, 6, "the edits should show")
        wanted = [(model, prompt) for _ in range(3) for prompt in self.prompts for model in models]
        with concurrent.futures.ThreadPoolExecutor(max_workers=24) as pool:
            texts = list(pool.map(lambda pair: self.complete(*pair)["choices"][0]["text"], wanted))
        same = sum(text == alone[pair] for pair, text in zip(wanted, texts))
        # Sums of another batch size round otherwise; a near tie may fall to the other side.
        self.assertGreaterEqual(same, len(wanted) - 3)

    def test_the_same_seed_says_the_same(self):
        body = {"temperature": 1.0, "seed": 7, "n": 3, "max_tokens": 30}
        first = [choice["text"] for choice in self.complete(f"atlas@{self.unedited}", "The", **body)["choices"]]
        self.assertEqual([choice["text"] for choice in self.complete(f"atlas@{self.unedited}", "The", **body)["choices"]], first)
        self.assertGreater(len(set(first)), 1)

    def test_texts_go_on_while_a_batch_is_solved_each_on_its_own_commit(self):
        head = self.complete("atlas", self.prompts[0])["system_fingerprint"]
        before = {prompt: self.complete("atlas", prompt)["choices"][0]["text"] for prompt in self.prompts}
        solving = threading.Thread(target=self.commit, args=(100, 40))
        solving.start()
        answered, mixed = 0, []
        while solving.is_alive():
            for prompt in self.prompts:
                document = self.complete("atlas", prompt)
                if document["system_fingerprint"] == head:
                    answered += 1
                    if document["choices"][0]["text"] != before[prompt]:
                        mixed.append(prompt)
        solving.join()
        self.assertGreater(answered, 5, "texts wait for the batch")
        self.assertEqual(mixed, [])

    def test_a_client_that_leaves_frees_its_place(self):
        stream = self.events({"model": "atlas", "prompt": self.prompts[0], "max_tokens": 200, "temperature": 1})
        next(stream)
        stream.close()
        self.assertTrue(self.complete("atlas", self.prompts[0])["choices"][0]["text"])

    def test_refusals_are_named(self):
        for body, status, code in (({"prompt": "x " * 2000}, 422, "prompt_too_long"), ({"model": "nothing"}, 404, "not_found"), ({"max_tokens": -1}, 422, "invalid_argument"), ({"prompt": [1 << 30]}, 422, "unknown_token")):
            with self.assertRaises(urllib.error.HTTPError) as caught:
                self.post({"model": "atlas", "prompt": "x", **body})
            self.assertEqual(caught.exception.code, status)
            self.assertEqual(json.load(caught.exception)["error"]["code"], code)


class CompletionsOfTwoRanks(Completions):
    RANKS = 2


if __name__ == "__main__":
    unittest.main()
