#!/usr/bin/python3
"""What dpo-step says that it will need, and what it took, by model and way of training.

    memory.py BIN FOLDER [MODEL...]

Random BF16 checkpoints of Llama's shapes are made in FOLDER, one after the other, and removed. Two steps each, on records
of 256 tokens of prompt and two completions of 128, one record a batch. Peaks are those of the process, mapped files
included; GiB.
"""
import json
import os
import random
import shutil
import subprocess
import sys

BIN, work = sys.argv[1:3]
SIZES = {  # hidden, inner, layers, heads, key-value heads, vocabulary, tied
    "SmolLM2-135M": (576, 1536, 30, 9, 3, 49152, True),
    "SmolLM2-360M": (960, 2560, 32, 15, 5, 49152, True),
    "TinyLlama-1.1B": (2048, 5632, 22, 32, 4, 32000, False),
    "Llama-3.2-3B": (3072, 8192, 28, 24, 8, 128256, True),
    "Llama-3.1-8B": (4096, 14336, 32, 32, 8, 128256, False),
}
WAYS = {
    "full": "",
    "full, frugal": "--recompute --clip 0 --moments int8",
    "adapter": "--lora 16 --recompute",
    "adapter, nf4": "--lora 16 --recompute --quantize nf4",
}


def shapes(h, inner, layers, heads, kv, vocab, tied):
    d = h // heads
    yield "model.embed_tokens.weight", [vocab, h]
    for i in range(layers):
        p = "model.layers.%d." % i
        for name, shape in (("self_attn.q_proj", [h, h]), ("self_attn.k_proj", [kv * d, h]), ("self_attn.v_proj", [kv * d, h]),
                            ("self_attn.o_proj", [h, h]), ("mlp.gate_proj", [inner, h]), ("mlp.up_proj", [inner, h]),
                            ("mlp.down_proj", [h, inner]), ("input_layernorm", [h]), ("post_attention_layernorm", [h])):
            yield p + name + ".weight", shape
    yield "model.norm.weight", [h]
    if not tied:
        yield "lm_head.weight", [vocab, h]


def make(folder, size):
    h, inner, layers, heads, kv, vocab, tied = size
    os.makedirs(folder)
    json.dump({"model_type": "llama", "hidden_size": h, "intermediate_size": inner, "num_hidden_layers": layers,
               "num_attention_heads": heads, "num_key_value_heads": kv, "vocab_size": vocab, "tie_word_embeddings": tied,
               "max_position_embeddings": 2048}, open(folder + "/config.json", "w"))
    head, at = {}, 0
    for name, shape in shapes(*size):
        n = 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        head[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + n]}
        at += n
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 64)
    # BF16 of about 0.01 with random signs and fractions.
    r = random.Random(1)
    some = b"".join(bytes((r.randrange(256), 0x3c | r.randrange(2) << 7)) for _ in range(1 << 19))
    with open(folder + "/model.safetensors", "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text)
        while at > 0:
            f.write(some[:at])
            at -= len(some)


def run(*args):
    p = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = p.stdout.read().decode()
    _, status, usage = os.wait4(p.pid, 0)
    return status, text, usage.ru_maxrss / (1 << 20)


for name in sys.argv[3:] or SIZES:
    model, pairs, tokens, out = (os.path.join(work, x) for x in ("model", "pairs.jsonl", "tokens.tsz", "out.tsz"))
    shutil.rmtree(model, ignore_errors=True)
    make(model, SIZES[name])
    with open(pairs, "w") as f:
        for i in range(2):
            json.dump({k: [random.randrange(32000) for _ in range(n)]
                       for k, n in (("prompt", 256), ("chosen", 128), ("rejected", 128))}, f)
            f.write("\n")
    run(BIN + "/tstream", "import", "-o", tokens, pairs)
    for way, options in WAYS.items():
        ref = os.path.join(work, way.replace(" ", "") + ".tsz")
        dtype = ["--dtype", "bf16"] + (["--quantize", "nf4"] if "nf4" in way else [])
        status, text, _ = run(BIN + "/ref-logp", "-q", "-m", model, *dtype, "-o", ref, tokens)
        if status:
            sys.exit(text)
        status, text, peak = run(BIN + "/dpo-step", "-m", model, "-o", out, "--batch-size", "1", *dtype[:2], *options.split(),
                                 ref)
        said = [x.split("up to ")[1].split()[0] for x in text.splitlines() if "up to " in x]
        print("%-15s %-13s said %6s, took %6.2f%s" % (name, way, said[0] if said else "?", peak,
                                                      "" if status == 0 else " (%s)" % text.splitlines()[-1]), flush=True)
    shutil.rmtree(model)
