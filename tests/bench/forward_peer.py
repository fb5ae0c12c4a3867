#!/usr/bin/python3
"""What ref-logp does, by eager PyTorch: forward_peer.py ORACLE MODEL PAIRS.jsonl DTYPE BATCH STEPS THREADS

Chosen and rejected rows padded to the longest, full logits, as torch_dpo.py in the folder ORACLE batches them; one batch
to warm up, then STEPS. One JSON object.
"""
import json
import resource
import sys
import time

import torch

sys.path.insert(0, sys.argv[1])
import lm
import torch_dpo

model, pairs, dtype = sys.argv[2:5]
batch, steps, threads = map(int, sys.argv[5:8])
torch.set_num_threads(threads)
p, config = lm.load(model, getattr(torch, dtype))
net, data = torch_dpo.Padded(config), torch_dpo.pairs_of(pairs)
seconds = 0
with torch.no_grad():
    for step in range(steps + 1):
        some = [data[(step * batch + i) % len(data)] for i in range(batch)]
        start = time.monotonic()
        torch_dpo.batch_logps(net, p, some)
        seconds += time.monotonic() - start if step else 0
print(json.dumps({"pairs_per_second": batch * steps / seconds,
                  "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
