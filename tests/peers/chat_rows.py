"""chat_rows.py DATA: pref-fmt's prompts and completions against Jinja2's, over all templates and real rows.

The rule, written down a second time: the prompt is the template's text of the prompt's messages with the
generation prompt, cut to what it shares with the conversation's text; a completion is the rest of that.
Needs jinja2 and pref-fmt in the PATH.
"""
import datetime
import gzip
import json
import os
import subprocess
import sys
import tempfile

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_pass"), [], [], body).set_lineno(line)

    def _pass(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    env.filters["tojson"] = lambda x, ensure_ascii=False, indent=None, separators=None, sort_keys=False: json.dumps(
        x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda f: datetime.datetime(2024, 7, 26).strftime(f)
    return env


def rows_of(data):
    """Messages of the prompt, of chosen, of rejected."""
    for line in list(gzip.open(data + "/prefs/hh-rlhf/harmless-1500.jsonl.gz"))[:40]:
        row = json.loads(line)
        sides = []
        for side in ("chosen", "rejected"):
            turns = row[side].replace("\n\nHuman:", "\0u").replace("\n\nAssistant:", "\0a").split("\0")[1:]
            sides.append([{"role": "user" if t[0] == "u" else "assistant", "content": t[1:].strip()} for t in turns])
        n = 0
        while n < min(map(len, sides)) and sides[0][n] == sides[1][n]:
            n += 1
        if n and all(len(s) > n and s[-1]["content"] for s in sides):
            yield sides[0][:n], sides[0][n:], sides[1][n:]
    for row in json.load(open(data + "/prefs/llama-factory/dpo_en_demo.json"))[:40]:
        role = {"human": "user", "gpt": "assistant", "system": "system"}

        def one(m):
            return {"role": role[m["from"]], "content": m["value"]}
        yield [one(m) for m in row["conversations"]], [one(row["chosen"])], [one(row["rejected"])]


def parted(template, prompt, chosen, rejected):
    def text(messages, ask):
        return template.render(messages=messages, tools=None, documents=None, add_generation_prompt=ask, bos_token="<s>",
                               eos_token="</s>")
    try:
        start = text(prompt, prompt[-1]["role"] != "assistant")
        wholes = [text(prompt + c, False) for c in (chosen, rejected)]
    except Exception as e:
        return type(e).__name__
    start = os.path.commonprefix([start] + wholes)
    return [start] + [w[len(start):] for w in wholes]


def main(data):
    rows = list(rows_of(data))
    wrong = parts = refused = 0
    with tempfile.TemporaryDirectory() as tmp:
        path = tmp + "/rows.jsonl"
        with open(path, "w") as f:
            for p, c, r in rows:
                print(json.dumps({"prompt": p, "chosen": c, "rejected": r}), file=f)
        for folder, _, names in sorted(os.walk(data + "/templates")):
            for name in sorted(n for n in names if n.endswith(".jinja")):
                file = os.path.join(folder, name)
                try:
                    template = environment().from_string(open(file).read())
                except jinja2.TemplateSyntaxError:
                    continue
                done = subprocess.run(["pref-fmt", "-q", "--jsonl", "--keep", "all", "-t", file, "--bos", "<s>", "--eos", "</s>",
                                       "--now", "2024-07-26", "--max-bad", "1000", "--rejects", tmp + "/bad", path],
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                got = iter([json.loads(line) for line in done.stdout.decode().splitlines()])
                bad = {r["line"]: r for r in map(json.loads, open(tmp + "/bad"))}
                for i, row in enumerate(rows, 1):
                    want = parted(template, *row)
                    if isinstance(want, str):
                        refused += 1
                        ok = i in bad and want in bad[i]["detail"]
                    elif i in bad:
                        ok = False
                    else:
                        g = next(got)
                        parts += 1
                        ok = [g["prompt"], g["chosen"], g["rejected"]] == want
                    if not ok:
                        wrong += 1
                        print("#", name, i, want if isinstance(want, str) else "", bad.get(i, {}).get("detail"), file=sys.stderr)
    print("# %d rows parted, %d refused by their templates" % (parts, refused))
    return wrong > 0 or parts < 1000


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
