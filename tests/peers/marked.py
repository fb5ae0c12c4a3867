"""marked.py MODEL TEXT TOKENS: special tokens that `pref-fmt --mark-data` marked are text to `tokenize`.

TEXT and TOKENS are the JSON lines of a stream before and after tokenize. What is wanted: the ids of the special tokens
that are not marked, and between them those of a tokenizer that has no special tokens at all, which is made here of
MODEL's. For tokenizers that look for added tokens in the text as it is, and that take no white space with them. Prints
how many records have marks.
"""
import json
import os
import re
import subprocess
import sys


def sides(row):
    """Text, and where it is marked, of prompt and each completion."""
    parts = [row[key].encode() for key in ("prompt", "chosen", "rejected")]
    marks = bytearray(len(b"".join(parts)))
    for start, end in row["plain"]:
        marks[start:end] = b"\1" * (end - start)
    n, end = len(parts[0]), len(parts[0]) + len(parts[1])
    yield parts[0] + parts[1], marks[:end]
    yield parts[0] + parts[2], marks[:n] + marks[end:]


def main(model, text, tokens):
    tokenizer = json.load(open(model + "/tokenizer.json", encoding="utf-8"))
    special = {t["content"].encode(): t["id"] for t in tokenizer["added_tokens"]}
    find = re.compile(b"|".join(re.escape(t) for t in sorted(special, key=len, reverse=True)))
    os.makedirs("none", exist_ok=True)
    json.dump(dict(tokenizer, added_tokens=[]), open("none/tokenizer.json", "w"))

    sequences, texts = [], []
    rows = [json.loads(line) for line in open(text, encoding="utf-8")]
    for row in rows:
        for data, marks in sides(row):
            at, sequence = 0, []
            for m in find.finditer(bytes(0xff if mark else c for c, mark in zip(data, marks))):
                sequence += [data[at:m.start()], special[m[0]]]
                at = m.end()
            sequences.append(sequence + [data[at:]])
            texts += [p.decode() for p in sequences[-1] if isinstance(p, bytes)]
    lines = "".join(json.dumps({"text": t}) + "\n" for t in texts)
    out = subprocess.run(["tokenize", "--encode", "-q", "-m", "none"], input=lines, text=True, check=True, stdout=subprocess.PIPE)
    ids = iter([json.loads(line)["ids"] for line in out.stdout.splitlines()])
    want = [sum(([p] if isinstance(p, int) else next(ids) for p in s), []) for s in sequences]
    got = [row["prompt"] + row[side] for row in map(json.loads, open(tokens)) for side in ("chosen", "rejected")]
    assert len(got) == len(want)
    for i, (g, w) in enumerate(zip(got, want)):
        assert g == w, (i, g, w)
    print(sum(row["plain"] != [] for row in rows))


main(*sys.argv[1:])
