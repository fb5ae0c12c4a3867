#!/usr/bin/python3
"""How cost grows: one thing is varied, the others stay.

    scale.py BIN BENCH OUT.csv

Tokens a second, the share of the limit (tests/bench/support/bench.h) and peak memory of ref-logp's and dpo-step's work
by tokens of the prompt, completions that share it, pairs a batch, parameters of the model and threads; and records a
second and peak memory of reading with every check, tokenizing, and reading and writing, by the records of a stream. A
point that cannot be, or would take longer than SECONDS_A_POINT by what the one before it took, or more memory than is
free, stays in the table without figures and with the reason. AXES chooses the axes; PROMPTS, COMPLETIONS, BATCHES,
MODELS, THREADS and RECORDS their points. A process begun by Python has the 14 MiB of that in its peak at the least.
"""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

BIN, BENCH, OUT = sys.argv[1:4]
SECONDS = float(os.environ.get("SECONDS_A_POINT", 60))
SHAPES = {  # hidden, inner, layers, heads, key-value heads, vocabulary, tied
    "3M": (128, 352, 4, 4, 2, 16384, True),
    "10M": (256, 704, 8, 4, 2, 16384, True),
    "30M": (384, 1024, 12, 6, 2, 32000, True),
    "135M": (576, 1536, 30, 9, 3, 49152, True),
    "360M": (960, 2560, 32, 15, 5, 49152, True),
    "1.1B": (2048, 5632, 22, 32, 4, 32000, False),
    "1.5B": (1536, 8960, 28, 12, 2, 151936, True),
}
BASE = dict(model="10M", prompt=128, answer=64, k=2, batch=4, threads=os.cpu_count())
work = tempfile.mkdtemp(prefix="scale.")
table = open(OUT, "w")


def points(name, default):
    return os.environ.get(name, default).split()


def parameters(h, inner, layers, heads, kv, vocab, tied):
    d = h // heads
    return vocab * h * (1 if tied else 2) + layers * (2 * h * h + 2 * h * kv * d + 3 * h * inner + 2 * h) + h


def row(axis, x, program, rate="", limit="", memory="", note=""):
    print(axis, x, program, rate, limit, memory, note, sep=",", file=table, flush=True)
    print("%-12s %10s %-9s %12s a second, %5s of the limit, %8s MiB %s" % (axis, x, program, rate, limit, memory, note),
          flush=True)


def run(args, **more):
    """Status, output, seconds and peak MiB."""
    begin = time.monotonic()
    p = subprocess.Popen(args, stdout=subprocess.PIPE, **more)
    text = p.stdout.read().decode()
    _, status, usage = os.wait4(p.pid, 0)
    return status, text, time.monotonic() - begin, usage.ru_maxrss / 1024


def model(name):
    folder = os.path.join(work, name)
    if not os.path.exists(folder):
        for other in os.listdir(work):  # one at a time, besides the base
            if other in SHAPES and other != BASE["model"]:
                shutil.rmtree(os.path.join(work, other))
        h, inner, layers, heads, kv, vocab, tied = SHAPES[name]
        config = os.path.join(work, "config.json")
        with open(config, "w") as f:
            json.dump({"model_type": "llama", "hidden_size": h, "intermediate_size": inner, "num_hidden_layers": layers,
                       "num_attention_heads": heads, "num_key_value_heads": kv, "vocab_size": vocab,
                       "tie_word_embeddings": tied, "max_position_embeddings": 8192}, f)
        subprocess.run([BENCH + "/init", config, folder], check=True)
    return folder


def pairs(p):
    """A stream of one batch."""
    r, lines, stream = random.Random(1), os.path.join(work, "pairs.jsonl"), os.path.join(work, "pairs.tsz")
    ids = lambda n: [r.randrange(16384) for _ in range(n)]
    with open(lines, "w") as f:
        for _ in range(p["batch"]):
            json.dump({"prompt": ids(p["prompt"]), "completions": [ids(p["answer"]) for _ in range(p["k"])],
                       "logp.ref": [-9.0 * p["answer"]] * p["k"]}, f)
            f.write("\n")
    subprocess.run([BIN + "/tstream", "import", "-o", stream, lines], check=True)
    return stream


def free_memory():
    with open("/proc/meminfo") as f:
        return int([x for x in f if x.startswith("MemAvailable")][0].split()[1]) / 1024


def model_axis(axis, values, apply):
    speed = {}  # operations a second, of what was measured last
    for x in values:
        p = dict(BASE)
        apply(p, x)
        count = parameters(*SHAPES[p["model"]])
        tokens = p["batch"] * (p["prompt"] + p["k"] * p["answer"])
        for program, passes, bytes_each in (("ref-logp", 1, 4), ("dpo-step", 3, 16)):
            need = count * bytes_each / (1 << 20) + 600
            # Warmed up by a step, and two measured; attention besides the weights.
            work_each = 3 * passes * tokens * (2 * count + 4 * SHAPES[p["model"]][0] * SHAPES[p["model"]][2] * p["prompt"] / 2)
            if program == "dpo-step" and p["k"] == 1:
                row(axis, x, program, note="no loss for one completion without labels")
            elif need > free_memory():
                row(axis, x, program, note="%.0f MiB needed and %.0f free" % (need, free_memory()))
            elif program in speed and work_each / speed[program] > SECONDS:
                row(axis, x, program, note="about %.0f s" % (work_each / speed[program]))
            else:
                env = dict(os.environ, OMP_NUM_THREADS=str(p["threads"]))
                status, text, seconds, _ = run([BENCH + "/model", model(p["model"]), pairs(p), str(p["batch"]), "2", "f32",
                                                program], env=env)
                if status:
                    row(axis, x, program, note="failed")
                    continue
                said = json.loads(text)[program.replace("-", "_")]
                speed[program] = work_each / (3 * said["step_seconds"])
                row(axis, x, program, said["tokens_per_second"], said["share_of_limit"], said["peak_rss_mib"])


def stream_axis(values):
    folder = os.path.join(work, "tokenizer")
    os.makedirs(folder)
    with open(folder + "/tokenizer.json", "w") as f:  # characters, and a space
        json.dump({"model": {"type": "BPE", "vocab": {c: i for i, c in enumerate("abcdefghijklmnopqrstuvwxyz ")},
                             "merges": []}}, f)
    r, some = random.Random(1), os.path.join(work, "some")
    words = lambda n: " ".join("".join(r.choice("abcdefgh") for _ in range(3)) for _ in range(n))
    with open(some + ".jsonl", "w") as f:
        for i in range(1000):
            json.dump({"prompt": "%s %s" % (words(1), words(1)), "chosen": " " + words(1), "rejected": " " + words(1)}, f)
            f.write("\n")
    subprocess.run([BIN + "/tstream", "import", "-o", some + "1000.tsz", some + ".jsonl"], check=True)
    before = 1000
    for x in values:
        n, text = int(x), some + x + ".tsz"
        if n > 1000:  # of the last one again and again; values must be multiples of each other
            with open(text, "wb") as out:
                subprocess.run([BIN + "/tstream", "cat"] + [some + str(before) + ".tsz"] * (n // before), check=True,
                               stdout=out)
        before = n
        tokens = os.path.join(work, "tokens.tsz")
        for program, args in (("tstream check", [BIN + "/tstream", "check", "--full", text]),
                              ("tokenize", [BIN + "/tokenize", "-q", "--eos", "never", "-m", folder, "-o", tokens, text]),
                              ("tstream cat", [BIN + "/tstream", "cat", "-o", os.path.join(work, "again.tsz"), tokens])):
            status, _, seconds, peak = run(args, stderr=subprocess.DEVNULL)
            if status:
                row("records", x, program, note="failed")
            else:
                row("records", x, program, "%.0f" % (n / seconds), "", "%.1f" % peak)


print("axis", "x", "program", "a second", "share of limit", "peak MiB", "note", sep=",", file=table)
axes = points("AXES", "prompt completions batch threads parameters records")
try:
    if "prompt" in axes:
        model_axis("prompt", points("PROMPTS", "64 128 256 512 1024 2048 4096"), lambda p, x: p.update(prompt=int(x)))
    if "completions" in axes:
        model_axis("completions", points("COMPLETIONS", "1 2 4 8 16"), lambda p, x: p.update(k=int(x)))
    if "batch" in axes:
        model_axis("batch", points("BATCHES", "1 2 4 8 16 32"), lambda p, x: p.update(batch=int(x)))
    if "threads" in axes:
        model_axis("threads", points("THREADS", " ".join(str(1 << i) for i in range(os.cpu_count().bit_length()))),
                   lambda p, x: p.update(threads=int(x)))
    if "parameters" in axes:
        model_axis("parameters", points("MODELS", "3M 10M 30M 135M 360M 1.1B 1.5B"), lambda p, x: p.update(model=x, batch=1))
    if "records" in axes:
        stream_axis(points("RECORDS", "1000 10000 100000 1000000 10000000"))
finally:
    shutil.rmtree(work)
