"""pref-fmt.py ROWS TEMPLATE [MB]: how fast pref-fmt is, in megabytes of input a second of one processor.

ROWS is the gzipped file of real HH rows, which are repeated with a number before each first question. Best of three
runs, user and system time, one thread, nothing compressed; and at level 1 for comparison. pref-fmt in the PATH.
"""
import gzip
import json
import os
import subprocess
import sys
import tempfile


def make(rows, path, size):
    made = n = 0
    with open(path, "w", encoding="utf-8") as f:
        while made < size:
            for row in rows:
                line = row.replace('": "\\n\\nHuman: ', '": "\\n\\nHuman: %d. ' % n)
                made += f.write(line + "\n")
            n += 1
    return os.path.getsize(path)


def seconds(command):
    best = None
    for _ in range(3):
        child = subprocess.Popen(command)
        _, status, usage = os.wait4(child.pid, 0)
        assert status == 0, command
        spent = usage.ru_utime + usage.ru_stime
        best = spent if best is None or spent < best else best
    return best


def main(rows, template, size=200):
    with gzip.open(rows, "rt", encoding="utf-8") as f:
        rows = f.read().splitlines()
    with tempfile.TemporaryDirectory() as folder:
        plain, packed = folder + "/rows.jsonl", folder + "/rows.jsonl.gz"
        megabytes = make(rows, plain, int(size) * 10**6) / 1e6
        with open(packed, "wb") as f:
            subprocess.run(["gzip", "-1", "-c", plain], stdout=f, check=True)
        command = ["pref-fmt", "-q", "-@", "1", "--max-bad", "999999999", "-o", "/dev/null"]
        chat = ["--chat", "-t", template]
        for name, options in (("plain", ["-u", plain]), ("gzip", ["-u", packed]), ("plain, compressing", [plain]),
                              ("plain, chat template", ["-u", *chat, plain])):
            print(json.dumps({"pref-fmt": name, "MB": round(megabytes), "MB_per_second": round(megabytes / seconds(command + options), 1)}))


main(*sys.argv[1:])
