"""What one rank says of a commit, and whether a text is that. Ranks add up in another order than one does, so that of two tokens that are as good as equally likely either
may come; what follows must be what one rank says behind that token."""
import json

NEAR = 1e-3  # of log probabilities


class Reference:
    """On a server whose worker has one rank."""

    def __init__(self, emend):
        self.emend = emend
        self.known = {}
        self.near_ties = 0

    def complete(self, commit, prompt, tokens):
        if (commit, prompt, tokens) not in self.known:
            body = {"model": f"atlas@{commit}", "prompt": prompt, "max_tokens": tokens, "temperature": 0, "logprobs": 5}
            with self.emend.post("/v1/completions", body) as response:
                self.known[commit, prompt, tokens] = json.load(response)["choices"][0]
        return self.known[commit, prompt, tokens]

    def says(self, commit, prompt, text, tokens, whole=True):
        """Whether `text` is what comes in so many tokens; if it is not whole, whether it is how that begins."""
        choice = self.complete(commit, prompt, tokens)
        if text == choice["text"] or (not whole and choice["text"].startswith(text)):
            return True
        begin, said = 0, choice["logprobs"]
        for number, (token, top) in enumerate(zip(said["tokens"], said["top_logprobs"])):
            if text.startswith(token, begin):
                begin += len(token)
                continue
            for other, log_probability in top.items():
                is_near = other != token and log_probability > max(top.values()) - NEAR and text.startswith(other, begin)
                if is_near and self.goes_on(commit, prompt, text, begin + len(other), tokens - number - 1, whole):
                    self.near_ties += 1
                    return True
            break
        return False

    def goes_on(self, commit, prompt, text, end, tokens, whole):
        """Whether it is also right behind its first `end` characters, with so many tokens left."""
        if tokens == 0:
            return text[end:] == ""
        return self.says(commit, prompt + text[:end], text[end:], tokens, whole)
