"""Adapters (dpo-step --lora) against autograd through W + scale B A, for compare.py."""
import json
import os
import shutil

import torch

import lm
import torch_dpo

STEPS = 4
KINDS = ["--lora 3", "--lora 2 --rslora --lora-alpha 7", "--lora 3 --dora --lora-alpha 6"]
PREFIX = "base_model.model."


def read(folder):
    config = json.load(open(os.path.join(folder, "adapter_config.json")))
    return config, {k: v.double() for k, v in lm.read_safetensors(os.path.join(folder, "adapter_model.safetensors")).items()}


def effective(params, config, adapter):
    """The model's parameters under an adapter, as PEFT defines them."""
    out = dict(params)
    for key, a in adapter.items():
        if not key.endswith(".lora_A.weight"):
            continue
        module = key[len(PREFIX):-len(".lora_A.weight")]
        b, w = adapter[PREFIX + module + ".lora_B.weight"], params[module + ".weight"]
        scale = config["lora_alpha"] / (len(a) ** 0.5 if config["use_rslora"] else len(a))
        w = (w.T if config["fan_in_fan_out"] else w) + scale * b @ a
        if config["use_dora"]:
            w = w * (adapter[PREFIX + module + ".lora_magnitude_vector"] / w.detach().norm(dim=1))[:, None]
        out[module + ".weight"] = w.T if config["fan_in_fan_out"] else w
    return out


def train(cfg, params, config, start, pairs):
    leaves = {k: v.clone().requires_grad_(True) for k, v in start.items()}
    step = torch.optim.AdamW(leaves.values(), lr=1e-3, weight_decay=0)
    ref = [[float(torch_dpo.completion_logp(cfg, params, d["prompt"], d[s])) for s in ("chosen", "rejected")] for d in pairs]
    for _ in range(STEPS):
        step.zero_grad()
        now = effective(params, config, leaves)
        h = torch.stack([torch_dpo.completion_logp(cfg, now, d["prompt"], d["chosen"]) - c -
                         torch_dpo.completion_logp(cfg, now, d["prompt"], d["rejected"]) + r
                         for d, (c, r) in zip(pairs, ref)])
        (-torch.nn.functional.logsigmoid(0.1 * h)).mean().backward()
        step.step()
    return {k: v.detach() for k, v in leaves.items()}


def check(ok, run, BIN, work, name, model, cfg, params, pairs, stream):
    out, merged = os.path.join(work, "adapter"), os.path.join(work, "merged")
    for kind in KINDS:
        base = [BIN + "/dpo-step", "-q", "-m", model, "-o", out, *kind.split(), "--batch-size", str(len(pairs)), "--epochs",
                str(STEPS), "--no-shuffle", "--schedule", "constant", "--clip", "0", "--micro-tokens", "100", stream]
        shutil.rmtree(out, ignore_errors=True)
        shutil.rmtree(merged, ignore_errors=True)
        run(*base, "--lr", "0")
        config, start = read(out)
        run(*base, "--lr", "1e-3")
        mine, theirs = read(out)[1], train(cfg, params, config, start, pairs)
        far = sum(float((mine[k] - v).pow(2).sum()) for k, v in theirs.items())
        way = sum(float((start[k] - v).pow(2).sum()) for k, v in theirs.items())
        ok(set(mine) == set(theirs) and (far / way) ** 0.5 < 0.01,
           "%s, %s: weights' change within 1 %% (%.2g %%)" % (name, kind, 100 * (far / way) ** 0.5))
        now = effective(params, config, mine)
        tokens = run(BIN + "/ref-logp", "-q", "-m", model, "--apply", out, "--as", "policy", stream)
        got = [json.loads(x)["logp.policy"] for x in run(BIN + "/tstream", "export", input=tokens).splitlines()]
        want = [[float(torch_dpo.completion_logp(cfg, now, d["prompt"], d[s])) for s in ("chosen", "rejected")] for d in pairs]
        far = max(abs(a - b) / abs(b) for g, w in zip(got, want) for a, b in zip(g, w))
        ok(far < 1e-5, "%s, %s: log-probs by --apply within 1e-5 relative (%.1e)" % (name, kind, far))
        run(BIN + "/dpo-step", "-q", "-m", model, "--apply", out, "--merge", "-o", merged)
        mine = lm.load(merged)[0]
        far = max(float((mine[k] - v).abs().max() / v.abs().max()) for k, v in now.items() if k in mine)
        ok(far < 1e-6, "%s, %s: merged weights within 1e-6 (%.1e)" % (name, kind, far))
