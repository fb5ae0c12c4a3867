"""start.py BIN MODEL THREADS: from the start of ref-logp to a first record's log-prob, the model in the page cache.

A stream of one record, a prompt of 32 tokens and two completions of 32; ten runs for each dtype, milliseconds by the
clock until its log-probs are read from the pipe, the shortest first.
"""
import json
import os
import subprocess
import sys
import time

bin_folder, model, threads = sys.argv[1:]
row = {"prompt": list(range(1, 33)), "completions": [list(range(40, 72)), list(range(80, 112))]}
record = subprocess.run([os.path.join(bin_folder, "tstream"), "import", "-q", "-o", "-"], input=json.dumps(row).encode(),
                        stdout=subprocess.PIPE, check=True).stdout


def first_logp(dtype):
    start = time.perf_counter()
    ref_logp = subprocess.Popen([os.path.join(bin_folder, "ref-logp"), "-q", "-@", threads, "--dtype", dtype, "-m", model],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    ref_logp.stdin.write(record)
    ref_logp.stdin.close()
    while ref_logp.stdout.read(1 << 20):
        taken = time.perf_counter() - start
    if ref_logp.wait():
        sys.exit(1)
    return 1000 * taken


for dtype in "f32", "bf16":
    print(dtype, *("%.0f" % ms for ms in sorted(first_logp(dtype) for _ in range(10))))
