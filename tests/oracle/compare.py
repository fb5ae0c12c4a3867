#!/usr/bin/python3
"""ref-logp and dpo-step against the PyTorch yardstick, on random checkpoints of odd sizes and on the real one.

    compare.py ORACLE BIN FOLDER [REAL-MODEL]

ORACLE holds lm.py and torch_dpo.py. Prints TAP. Needs python3-torch.
"""
import json
import os
import random
import subprocess
import sys

oracle, BIN, work = sys.argv[1:4]
real = sys.argv[4] if len(sys.argv) > 4 else None
sys.path.insert(0, oracle)
sys.dont_write_bytecode = True
import torch  # noqa: E402
import lm  # noqa: E402
import torch_dpo  # noqa: E402

torch.set_num_threads(2)
GPT2 = dict(model_type="gpt2", vocab_size=211, n_positions=96, n_embd=36, n_layer=3, n_head=3)
LLAMA = dict(model_type="llama", vocab_size=301, hidden_size=40, intermediate_size=77, num_hidden_layers=3,
             num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=128)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=32)
CASES = {
    "gpt2": GPT2,
    "gpt2, untied, wide": dict(GPT2, tie_word_embeddings=False, n_inner=51, activation_function="gelu"),
    "gpt2, relu, unscaled": dict(GPT2, activation_function="relu", scale_attn_weights=False),
    "llama, 2 of 4 key-value heads": LLAMA,
    "llama, tied, head_dim 6, 1 key-value head": dict(LLAMA, tie_word_embeddings=True, head_dim=6,
                                                      num_key_value_heads=1, rms_norm_eps=1e-5),
    "llama, biases, linear scaling": dict(LLAMA, attention_bias=True, mlp_bias=True,
                                          rope_scaling=dict(type="linear", factor=2.5)),
    "llama, llama3 scaling": dict(LLAMA, rope_theta=500000.0, rope_scaling=LLAMA3, num_key_value_heads=4),
    "llama, transformers 5's rope_parameters": dict(LLAMA, rope_parameters=dict(LLAMA3, rope_theta=10000.0)),
}
count = failed = 0


def ok(good, what):
    global count, failed
    count += 1
    failed += not good
    print("%sok %d - %s" % ("" if good else "not ", count, what), flush=True)


def run(*args, **kw):
    return subprocess.run(args, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw).stdout


def random_pairs(vocab, n, seed):
    r = random.Random(seed)
    sizes = [(1, 1, 1), (5, 1, 7), (1, 9, 2), (30, 20, 33)]
    sizes += [(r.randint(1, 40), r.randint(1, 30), r.randint(1, 30)) for _ in range(n - len(sizes))]
    return [dict(zip(("prompt", "chosen", "rejected"), ([r.randrange(vocab) for _ in range(k)] for k in s)))
            for s in sizes]


def check(name, model, pairs):
    path, stream = os.path.join(work, "pairs.jsonl"), os.path.join(work, "ref.tsz")
    with open(path, "w") as f:
        f.writelines(json.dumps(d) + "\n" for d in pairs)
    tokens = run(BIN + "/tstream", "import", path)
    with open(stream, "wb") as f:
        f.write(run(BIN + "/ref-logp", "-q", "-m", model, input=tokens))
    ours = [json.loads(x)["logp.ref"] for x in run(BIN + "/tstream", "export", stream).splitlines()]
    params, cfg = lm.load(model)
    cfg = lm.settle(cfg)
    worst = 0
    with torch.no_grad():
        for d, got in zip(pairs, ours):
            for s, x in zip(("chosen", "rejected"), got):
                want = float(torch_dpo.completion_logp(cfg, params, d["prompt"], d[s]))
                worst = max(worst, abs(x - want) / abs(want))
    ok(len(ours) == len(pairs) and worst < 1e-5, "%s: log-probs within 1e-5 relative (%.1e)" % (name, worst))

    out, log = os.path.join(work, "out"), os.path.join(work, "log.jsonl")
    run("rm", "-rf", out)
    run(BIN + "/dpo-step", "-q", "-m", model, "-o", out, "--lr", "1e-4", "--batch-size", "4", "--max-steps", "10",
        "--epochs", "100", "--no-shuffle", "--schedule", "constant", "--micro-tokens", "100", "--log", log, stream)
    want = run(sys.executable, "-B", oracle + "/torch_dpo.py", "train", model, path, "-o", work + "/torch.safetensors",
               "--dtype", "float64", "--batch", "4", "--steps", "10", "--lr", "1e-4")
    want = [json.loads(x) for x in want.splitlines()]
    got = [json.loads(x) for x in open(log)]
    loss = max(abs(a["loss"] - b["loss"]) for a, b in zip(got, want))
    norm = max(abs(a["grad_norm"] / b["grad_norm"] - 1) for a, b in zip(got, want))
    ok(len(got) == len(want) == 10 and loss < 1e-5, "%s: losses of 10 steps within 1e-5 (%.1e)" % (name, loss))
    ok(norm < 1e-4, "%s: gradient norms within 1e-4 relative (%.1e)" % (name, norm))
    theirs = lm.read_safetensors(work + "/torch.safetensors")
    mine = lm.load(out)[0]
    far = sum(float((mine[k] - theirs[k].double()).pow(2).sum()) for k in theirs)
    way = sum(float((theirs[k].double() - params[k]).pow(2).sum()) for k in theirs)
    ok(set(mine) == set(theirs) and (far / way) ** 0.5 < 0.01,
       "%s: weights' change within 1 %% (%.2g %%)" % (name, 100 * (far / way) ** 0.5))


for i, (name, cfg) in enumerate(CASES.items()):
    folder = os.path.join(work, "model")
    lm.random_model(dict(cfg), folder, seed=i, std=0.1)
    check(name, folder, random_pairs(cfg["vocab_size"], 20, i))
if real:
    check("the real checkpoint", real, random_pairs(512, 20, 99))
print("1..%d" % count)
sys.exit(failed > 0)
