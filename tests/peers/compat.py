"""compat.py RULE MODEL TEXT TOKENS: the rules of `tokenize --compat`, written down a second time.

After the projects' sources (trl 1.9 and 0.28, direct-preference-optimization, LLaMA-Factory, OpenRLHF), with their
lists, slices and masks. TEXT and TOKENS are the JSON lines of a stream before and after `tokenize --compat RULE`; ids of
single texts come from `tokenize --encode`. What is compared of each completion: all ids, which of them are counted,
and which records were dropped. Needs nothing but Python and tokenize in the PATH.
"""
import argparse
import json
import subprocess
import sys


def encode(model, texts):
    """{(text, special): ids}"""
    ids = {}
    for special in (False, True):
        wanted = sorted({t for t, s in texts if s == special})
        if wanted:
            lines = "".join(json.dumps({"text": t}) + "\n" for t in wanted)
            out = subprocess.run(["tokenize", "--encode", "-q", "-m", model] + ["--special"] * special, input=lines, text=True,
                                 encoding="utf-8", check=True, stdout=subprocess.PIPE).stdout
            for text, line in zip(wanted, out.splitlines()):
                ids[text, special] = json.loads(line)["ids"]
    return ids


class Trl:
    max_length, max_prompt, truncate = 1024, None, "keep-start"

    def texts(self, o, prompt, completions):
        if not o.rendered:
            completions = [c if c.endswith(o.eos_token) else c + o.eos_token for c in completions]
        return [(prompt, not o.rendered)] + [(prompt + c, not o.rendered) for c in completions]

    def sides(self, o, prompt_ids, joined):
        if o.truncate == "keep-start" and not len(prompt_ids) < o.max_length:
            return None
        sl = slice(None, o.max_length) if o.truncate == "keep-start" else slice(-o.max_length, None)
        sides = []
        for whole in joined:
            completion_ids = whole[len(prompt_ids):]
            ids, mask = prompt_ids + completion_ids, [0] * len(prompt_ids) + [1] * len(completion_ids)
            sides.append((ids[sl], mask[sl]))
        return sides


class Alone:
    def texts(self, o, prompt, completions):
        return [(t, False) for t in [prompt] + completions]


class Trl028(Alone):
    max_length, max_prompt, truncate = 1024, 512, "keep-end"

    def sides(self, o, prompt_ids, completions):
        if o.eos == "always" or not o.rendered:
            completions = [c + [o.eos_id] for c in completions]
        prompt_ids = prompt_ids[-o.max_prompt:]
        sides = []
        for c in completions:
            ids, mask = prompt_ids + c, [0] * len(prompt_ids) + [1] * len(c)
            if o.truncate == "keep-start":
                ids, mask = ids[:o.max_length], mask[:o.max_length]
            else:
                ids, mask = ids[-o.max_length:], mask[-o.max_length:]
            sides.append((ids, mask))
        return sides


class DpoPaper(Alone):
    max_length, max_prompt, truncate = 512, 256, "keep-end"

    def sides(self, o, prompt_ids, completions):
        assert all(o.eos_id not in ids for ids in [prompt_ids] + completions)
        completions = [c + [o.eos_id] for c in completions]
        longer_response_length = max(map(len, completions))
        if len(prompt_ids) + longer_response_length > o.max_length:
            prompt_ids = prompt_ids[:o.max_prompt] if o.truncate == "keep-start" else prompt_ids[-o.max_prompt:]
        if len(prompt_ids) + longer_response_length > o.max_length:
            completions = [c[:o.max_length - o.max_prompt] for c in completions]
        return [(prompt_ids + c, [0] * len(prompt_ids) + [1] * len(c)) for c in completions]


def infer_seqlen(source_len, target_len, cutoff_len):
    if target_len * 2 < cutoff_len:
        max_target_len = cutoff_len
    elif source_len * 2 < cutoff_len:
        max_target_len = cutoff_len - source_len
    else:
        max_target_len = int(cutoff_len * (target_len / (source_len + target_len)))
    new_target_len = min(max_target_len, target_len)
    return min(max(cutoff_len - new_target_len, 0), source_len), new_target_len


class LlamaFactory(Alone):
    max_length, max_prompt, truncate = 2048, None, None

    def sides(self, o, prompt_ids, completions):
        if o.eos == "always" or (o.eos == "auto" and not o.rendered):
            completions = [c + [o.eos_id] for c in completions]
        source_len, target_len = infer_seqlen(len(prompt_ids), max(map(len, completions)), o.max_length)
        prompt_ids = prompt_ids[:source_len]
        return [(prompt_ids + c[:target_len], [0] * source_len + [1] * len(c[:target_len])) for c in completions]


class OpenRlhf:
    max_length, max_prompt, truncate = 512, None, None

    def texts(self, o, prompt, completions):
        texts = [(prompt, False)]
        for c in completions:
            text = (prompt + c).rstrip("\n")
            if not text.endswith(o.eos_token):
                text += " " + o.eos_token
            texts.append((text, False))
        return texts

    def sides(self, o, prompt_ids, wholes):
        if len(prompt_ids[:o.max_length]) >= o.max_length - 2:
            return None
        sides = []
        for whole in wholes:
            ids = whole[:o.max_length]
            ids[-1] = o.eos_id
            mask = [1] * len(ids)
            mask[:len(prompt_ids)] = [0] * len(mask[:len(prompt_ids)])
            sides.append((ids, mask))
        return sides


RULES = {"trl": Trl, "trl-0.28": Trl028, "dpo-paper": DpoPaper, "llama-factory": LlamaFactory, "openrlhf": OpenRlhf}


def parts(row):
    """Prompt and completions of a line of `tstream export`."""
    if "chosen" in row:
        return row["prompt"], [row["chosen"], row["rejected"]]
    return row["prompt"], row["completions"] if "completions" in row else [row["completion"]]


def counted(ids, mask):
    """As all of them have it: the log-prob of token t is that of logits t - 1, so the first has none."""
    return ids, [t for t in range(1, len(ids)) if mask[t]]


def main():
    p = argparse.ArgumentParser()
    for name in ("rule", "model", "text", "tokens"):
        p.add_argument(name)
    p.add_argument("--rendered", action="store_true")
    p.add_argument("--eos", default="auto")
    p.add_argument("--max-length", type=int)
    p.add_argument("--max-prompt", type=int)
    p.add_argument("--truncate")
    o = p.parse_args()
    rule = RULES[o.rule]()
    for name in ("max_length", "max_prompt", "truncate"):
        setattr(o, name, getattr(o, name) or getattr(rule, name))
    token = json.load(open(o.model + "/tokenizer_config.json", encoding="utf-8"))["eos_token"]
    o.eos_token = token["content"] if isinstance(token, dict) else token
    o.eos_id, = encode(o.model, [(o.eos_token, False)])[o.eos_token, False]
    rows = [json.loads(line) for line in open(o.text, encoding="utf-8")]
    got = {}
    for line in open(o.tokens, encoding="utf-8"):
        row = json.loads(line)
        prompt, completions = parts(row)
        skips = row.get("skip", [0] * len(completions))
        got[row["id"]] = [counted(prompt + c, [0] * (len(prompt) + s) + [1] * (len(c) - s)) for c, s in zip(completions, skips)]
    texts = [rule.texts(o, *parts(row)) for row in rows]
    ids = encode(o.model, [t for ts in texts for t in ts])
    kept = 0
    for row, ts in zip(rows, texts):
        prompt, *rest = [list(ids[t]) for t in ts]
        sides = rule.sides(o, prompt, rest)
        want = [counted(*side) for side in sides] if sides else None
        if want and not all(c for _, c in want):
            want = None
        assert got.get(row["id"]) == want, (row, got.get(row["id"]), want)
        kept += want is not None
    assert len(got) == kept, (len(got), kept)
    print(len(rows), kept)


if __name__ == "__main__":
    sys.exit(main())
