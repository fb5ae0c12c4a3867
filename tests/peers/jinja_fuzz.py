"""jinja_fuzz.py DATA [N [SEED]]: N damaged templates, rendered by pref-fmt --render and by Jinja2.

Output must be equal; where Jinja2 raises, so must we, with the same exception by name. Real templates lose,
double or exchange a few bytes for what means something in the language. Needs jinja2 and pref-fmt in the PATH.
"""
import gzip
import json
import os
import random
import subprocess
import sys
import tempfile

import chat_rows

PIECES = ["{%", "%}", "{{", "}}", "{#", "#}", "(", ")", "[", "'", "|", ".", "-", " if ", " else ", " in ", " is ", "not ",
          "{% endif %}", "{% endfor %}", "loop", "~", "0", ":", "**", "%", "*", "\\", "\n", "messages", "|list", "|tojson",
          "namespace()", "[::-1]", "|length", "|trim", " and ", " or ", "none", "true", ".items()", "|first", "|last", "[0]",
          "{%- ", " -%}", "loop.index", "|upper", "|join(',')", "1.5", "//", "|string", "|default('x')", ".strip()", "|sort",
          ".split()", "|reverse", "|int", "|e", "|map('upper')", "|selectattr('role')", " + ", "==", "<", "|indent(2)", "range(3)"]


def damaged(r, text):
    for _ in range(r.randint(1, 3)):
        at, n = r.randint(0, len(text)), r.randint(0, 5)
        new = r.choice(PIECES) if r.random() < 0.7 else text[at:at + n]
        text = text[:at] + new + text[at + (n if r.random() < 0.5 else 0):]
    return text


def theirs(env, source, v):
    try:
        return {"output": env.from_string(source).render(**v)}
    except RecursionError:
        return None
    except Exception as e:
        return {"error": type(e).__name__}


def main(data, n=500, seed=1):
    rows = [json.loads(line) for line in gzip.open(data + "/templates/golden.jsonl.gz")]
    r = random.Random(seed)
    env = chat_rows.environment()
    wrong = same = errors = 0
    with tempfile.TemporaryDirectory() as tmp:
        for i in range(n):
            row = r.choice(rows)
            source = damaged(r, open(os.path.join(data, "templates", row["template"])).read())
            v = {k: x for k, x in row.items() if k not in ("output", "error")}
            want = theirs(env, source, dict({"tools": None, "documents": None, "bos_token": "<s>", "eos_token": "</s>"}, **v))
            if want is None:
                continue
            path = tmp + "/t.jinja"
            open(path, "w").write(source)
            done = subprocess.run(["pref-fmt", "--render", "-t", path, "--bos", "<s>", "--eos", "</s>", "--now", "2024-07-26"],
                                  input=json.dumps(v).encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            text = done.stderr.decode()
            if done.returncode == 0:
                got = json.loads(done.stdout)
                if "error" in got:
                    got = {"error": got["error"].split(":")[0]}
            else:
                got = {"error": text.split("line ", 1)[-1].split(": ")[1] if "line " in text else text}
            if got == want:
                same += 1
                errors += "error" in want
            else:
                wrong += 1
                keep = os.path.join(tempfile.gettempdir(), "jinja-%d.jinja" % i)
                open(keep, "w").write(source)
                print("# case %d, %s %s: want %.150r, got %.150r" % (i, row["template"], row["case"], want, got), file=sys.stderr)
    print("# %d the same (%d errors), %d not" % (same, errors, wrong))
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(int, sys.argv[2:])))
