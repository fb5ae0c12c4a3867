#!/usr/bin/python3
"""ref-logp and dpo-step against the PyTorch yardstick, on random checkpoints of odd sizes and on the real one.

    compare.py YARDSTICK BIN GRADIENTS FOLDER [REAL-MODEL]

YARDSTICK holds lm.py and torch_dpo.py, GRADIENTS is the program of gradients.c. Prints TAP. Needs python3-torch.
"""
import contextlib
import io
import json
import os
import random
import shutil
import subprocess
import sys

oracle, BIN, gradients, work = sys.argv[1:5]
real = sys.argv[5] if len(sys.argv) > 5 else None
sys.path.insert(0, oracle)
sys.dont_write_bytecode = True
import torch  # noqa: E402
import lm  # noqa: E402
import torch_dpo  # noqa: E402
import adapters  # noqa: E402
from cases import CASES  # noqa: E402

torch.set_num_threads(1)
STEPS = 4
count = failed = 0


def ok(good, what):
    global count, failed
    count += 1
    failed += not good
    print("%sok %d - %s" % ("" if good else "not ", count, what), flush=True)


def run(*args, **kw):
    done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)
    if done.returncode:
        sys.exit("# %s\n# exit %d: %s" % (" ".join(args), done.returncode, done.stderr.decode()))
    return done.stdout


def random_pairs(vocab, n, seed):
    r = random.Random(seed)
    sizes = [(1, 1, 1), (5, 1, 7), (1, 9, 2), (30, 20, 33)]
    sizes += [(r.randint(1, 40), r.randint(1, 30), r.randint(1, 30)) for _ in range(n - len(sizes))]
    return [dict(zip(("prompt", "chosen", "rejected"), ([r.randrange(vocab) for _ in range(k)] for k in s)))
            for s in sizes]


def check_logps(name, cfg, params, pairs, stream):
    ours = [json.loads(x)["logp.ref"] for x in run(BIN + "/tstream", "export", stream).splitlines()]
    worst = 0
    with torch.no_grad():
        for d, got in zip(pairs, ours):
            for s, x in zip(("chosen", "rejected"), got):
                want = float(torch_dpo.completion_logp(cfg, params, d["prompt"], d[s]))
                worst = max(worst, abs(x - want) / abs(want))
    ok(len(ours) == len(pairs) and worst < 1e-5, "%s: log-probs within 1e-5 relative (%.1e)" % (name, worst))


def check_gradients(name, model, cfg, params, pairs, stream):
    """Weight by weight, against the largest of its tensor, or, where a tensor's are all but zero (biases of keys
    that do not turn: softmax takes no notice of them), a thousandth of the largest of all."""
    out = os.path.join(work, "gradient")
    shutil.rmtree(out, ignore_errors=True)
    run(gradients, model, stream, out)
    leaves = {k: v.clone().requires_grad_(True) for k, v in params.items()}
    sum(torch_dpo.completion_logp(cfg, leaves, d["prompt"], d[s]) * w
        for d in pairs for s, w in (("chosen", 1.0), ("rejected", -0.7))).backward()
    want, got = {k: v.grad for k, v in leaves.items()}, lm.load(out)[0]
    floor = max(float(g.abs().max()) for g in want.values()) / 1000
    off = {k: float((got[k] - g).abs().max()) / max(float(g.abs().max()), floor) for k, g in want.items()}
    worst = max(off, key=off.get)
    ok(set(got) == set(want) and off[worst] < 1e-4,
       "%s: gradients within 1e-4 of autograd's (%.1e in %s)" % (name, off[worst], worst))


def check_training(name, model, params, pairs_path, stream, *loss, theirs=None):
    out, log, torch_out = (os.path.join(work, x) for x in ("out", "log.jsonl", "torch.safetensors"))
    shutil.rmtree(out, ignore_errors=True)
    run(BIN + "/dpo-step", "-q", "-m", model, "-o", out, "--lr", "1e-4", "--batch-size", "4", "--max-steps", str(STEPS),
        "--epochs", "100", "--no-shuffle", "--schedule", "constant", "--micro-tokens", "100", "--log", log, *loss, stream)
    lines = io.StringIO()
    sys.argv = ["torch_dpo.py", "train", model, pairs_path, "-o", torch_out, "--dtype", "float64", "--batch", "4",
                "--steps", str(STEPS), "--lr", "1e-4", "--threads", "1", *(theirs or loss)]
    with contextlib.redirect_stdout(lines):
        torch_dpo.main()
    want = [json.loads(x) for x in lines.getvalue().splitlines()]
    got = [json.loads(x) for x in open(log)]
    far = max(abs(a["loss"] - b["loss"]) / max(1, b["loss"]) for a, b in zip(got, want))
    norm = max(abs(a["grad_norm"] / b["grad_norm"] - 1) for a, b in zip(got, want))
    near = 1e-4 if "ipo_sum" in loss else 1e-5  # the square of a difference of sums of log-probs
    ok(len(got) == len(want) == STEPS and far < near, "%s: losses of %d steps within %g (%.1e)" % (name, STEPS, near, far))
    ok(norm < 1e-4, "%s: gradient norms within 1e-4 relative (%.1e)" % (name, norm))
    theirs, mine = lm.read_safetensors(torch_out), lm.load(out)[0]
    far = sum(float((mine[k] - theirs[k].double()).pow(2).sum()) for k in theirs)
    way = sum(float((theirs[k].double() - params[k]).pow(2).sum()) for k in theirs)
    ok(set(mine) == set(theirs) and (far / way) ** 0.5 < 0.01,
       "%s: weights' change within 1 %% (%.2g %%)" % (name, 100 * (far / way) ** 0.5))


def check(name, model, pairs):
    path, stream = os.path.join(work, "pairs.jsonl"), os.path.join(work, "ref.tsz")
    with open(path, "w") as f:
        f.writelines(json.dumps(d) + "\n" for d in pairs)
    tokens = run(BIN + "/tstream", "import", path)
    with open(stream, "wb") as f:
        f.write(run(BIN + "/ref-logp", "-q", "-m", model, input=tokens))
    params, cfg = lm.load(model)
    check_logps(name, lm.settle(cfg), params, pairs, stream)
    check_gradients(name, model, lm.settle(cfg), params, pairs, stream)
    check_training(name, model, params, path, stream)
    return params, path, stream


def check_losses(name, model, params, path, stream):
    """Those that the yardstick knows, besides the one that every model was trained by."""
    for loss, theirs in (("--loss hinge", None), ("--loss ipo_sum --beta 0.5", "--loss ipo --beta 0.5"),
                         ("--loss robust --label-smoothing 0.1", None), ("--label-smoothing 0.2 --beta 0.3", None)):
        check_training(name + ", " + loss, model, params, path, stream, *loss.split(), theirs=theirs and theirs.split())


class Lion(torch.optim.Optimizer):
    """Chen et al., arXiv 2302.06675, algorithm 2."""

    def __init__(self, params, lr, betas=(0.9, 0.99)):
        super().__init__(params, {"lr": lr, "betas": betas})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                b1, b2 = group["betas"]
                p.sub_(group["lr"] * torch.sign(b1 * m + (1 - b1) * p.grad))
                m.mul_(b2).add_((1 - b2) * p.grad)


class Adafactor(torch.optim.Optimizer):
    """As transformers has it at a given rate: scale_parameter and relative_step off."""

    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self):
        for p in self.param_groups[0]["params"]:
            s, g2 = self.state[p], p.grad ** 2 + 1e-30
            s["t"] = s.get("t", 0) + 1
            keep = 1 - s["t"] ** -0.8
            if p.dim() == 2:
                s["row"] = keep * s.get("row", 0) + (1 - keep) * g2.mean(1)
                s["col"] = keep * s.get("col", 0) + (1 - keep) * g2.mean(0)
                v = s["row"][:, None] * s["col"][None, :] / s["row"].mean()
            else:
                v = s["v"] = keep * s.get("v", 0) + (1 - keep) * g2
            u = p.grad / v.sqrt()
            p.sub_(self.param_groups[0]["lr"] * u / max(1.0, float((u ** 2).mean().sqrt())))


def check_optimizers(name, model, cfg, params, pairs, stream):
    """Weights after some steps by each of the other optimizers, DPO's loss on whole batches. Lion and Adafactor make
    steps of gradients that are nothing but rounding, as those of keys' biases are: not for a model that has them."""
    theirs = {"rmsprop": lambda p: torch.optim.RMSprop(p, lr=1e-4), "lion": lambda p: Lion(p, lr=1e-5),
              "sgd": lambda p: torch.optim.SGD(p, lr=1e-2, momentum=0.9), "adafactor": lambda p: Adafactor(p, lr=1e-4)}
    rates = {"rmsprop": "1e-4", "lion": "1e-5", "sgd": "1e-2", "adafactor": "1e-4"}
    ref = [[float(torch_dpo.completion_logp(cfg, params, d["prompt"], d[s])) for s in ("chosen", "rejected")] for d in pairs]
    for optimizer, make in theirs.items():
        out = os.path.join(work, "out")
        shutil.rmtree(out, ignore_errors=True)
        run(BIN + "/dpo-step", "-q", "-m", model, "-o", out, "--lr", rates[optimizer], "--batch-size", str(len(pairs)),
            "--epochs", str(STEPS), "--no-shuffle", "--schedule", "constant", "--optimizer", optimizer, "--clip", "0", stream)
        leaves = {k: v.clone().requires_grad_(True) for k, v in params.items()}
        step = make(list(leaves.values()))
        for _ in range(STEPS):
            step.zero_grad()
            h = torch.stack([torch_dpo.completion_logp(cfg, leaves, d["prompt"], d["chosen"]) - c -
                             torch_dpo.completion_logp(cfg, leaves, d["prompt"], d["rejected"]) + r
                             for d, (c, r) in zip(pairs, ref)])
            (-torch.nn.functional.logsigmoid(0.1 * h)).mean().backward()
            step.step()
        mine = lm.load(out)[0]
        far = sum(float((mine[k] - v.detach()).pow(2).sum()) for k, v in leaves.items())
        way = sum(float((params[k] - v.detach()).pow(2).sum()) for k, v in leaves.items())
        ok((far / way) ** 0.5 < 0.01, "%s, %s: weights' change within 1 %% (%.2g %%)" % (name, optimizer, 100 * (far / way) ** 0.5))


def check_init(name, model):
    """A model from nothing has the tensors of that config."""
    out, stream = os.path.join(work, "out"), os.path.join(work, "ref.tsz")
    shutil.rmtree(out, ignore_errors=True)
    run(BIN + "/dpo-step", "-q", "--init", model + "/config.json", "-o", out, "--loss", "sft", "--max-steps", "1", stream)
    params, cfg = lm.load(out)
    ok({k: tuple(v.shape) for k, v in params.items()} == lm.shapes(cfg), name + ": initial weights have names and shapes")


for i, (name, cfg) in enumerate(CASES.items()):
    folder = os.path.join(work, "model")
    lm.random_model(dict(cfg), folder, seed=i, std=0.1)
    seen = check(name, folder, random_pairs(cfg["vocab_size"], 12, i))
    if i == 0:
        check_losses(name, folder, *seen)
    if name == "llama, 2 of 4 key-value heads":
        check_optimizers(name, folder, lm.settle(dict(cfg)), seen[0], random_pairs(cfg["vocab_size"], 12, i), seen[2])
    if name in ("gpt2", "llama, biases, linear scaling", "gpt_neox", "phi3, longrope"):
        adapters.check(ok, run, BIN, work, name, folder, lm.settle(dict(cfg)), seen[0],
                       random_pairs(cfg["vocab_size"], 12, i), seen[2])
    if "," not in name:
        check_init(name, folder)
if real:
    check("the real checkpoint", real, random_pairs(512, 12, 99))
print("1..%d" % count)
sys.exit(failed > 0)
