"""texts.py FILE ...: all strings of more than 40 characters in JSON or JSON Lines, plain or gzipped, each once, as
lines {"text": ...}: prompts and answers as people and models wrote them."""
import gzip
import json
import sys

seen = set()


def walk(v):
    if isinstance(v, str):
        if len(v) > 40 and v not in seen:
            seen.add(v)
            print(json.dumps({"text": v}, ensure_ascii=False))
    else:
        for child in v.values() if isinstance(v, dict) else v if isinstance(v, list) else ():
            walk(child)


for path in sys.argv[1:]:
    text = (gzip.open if path.endswith(".gz") else open)(path, "rb").read().decode()
    try:
        walk(json.loads(text))
    except ValueError:
        for line in text.splitlines():
            try:
                walk(json.loads(line))
            except ValueError:
                pass  # some rows of HH are cut off on purpose
