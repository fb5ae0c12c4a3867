#!/bin/sh
# examples/read_tsz.py: another language reads what tstream exports, and notices what tstream notices.
root=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d) && cd "$dir" || exit 1
trap 'rm -rf "$dir"' EXIT
PATH=$BIN:$PATH
python=${PYTHON:-python3}
PYTHONPATH=$root/examples
PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH PYTHONDONTWRITEBYTECODE
n=0

ok() { # NAME: did the command before succeed?
	status=$?
	n=$((n + 1))
	if [ $status -eq 0 ]; then echo "ok $n - $1"; else echo "not ok $n - $1"; fi
}

cat >same.py <<'EOF'
import json, struct, sys
def single(x):  # numbers as single precision, which both sides print in their own way
    if isinstance(x, float):
        return struct.pack("<f", x)
    if isinstance(x, dict):
        return {k: single(v) for k, v in x.items()}
    return [single(v) for v in x] if isinstance(x, list) else x
a, b = ([json.loads(line, parse_int=float) for line in open(path, encoding="utf-8")] for path in sys.argv[1:])
sys.exit(not a or single(a) != single(b))
EOF

agrees() { # NAME STREAM: the reader's records are those of tstream export
	tstream export "$2" >exported && $python "$root/examples/read_tsz.py" "$2" >read &&
		$python same.py exported read
	ok "$1"
}

# ---- what is whole

cat >all.jsonl <<'EOF'
{"prompt":[1,2],"chosen":[3,4],"rejected":[5],"label":[1,0],"cut":[[0,0],[2,3]],"logp.b":[-2,-4],"logp.a":[-2.1,-3.3],"tlogp.a":[[-1,-1.1],[-3.3]],"meta":{"source":"ä","n":[1,null]}}
{"prompt":[],"chosen":[3,4],"rejected":[5],"label":[1,0],"cut":[[0,0],[0,0]],"logp.b":[-2,0],"logp.a":[-1.5,0],"tlogp.a":[[-1.5],[]],"meta":{}}
{"prompt":[7],"completions":[[3,4],[],[6,7,8]],"skip":[1,0,3],"label":[0.1,7,-3e5],"cut":[[0,0],[0,0],[9,9]],"logp.b":[-2,-4,-1],"logp.a":[-2.5,0,0],"tlogp.a":[[-2.5],[],[]],"meta":{}}
{"prompt":[7],"completions":[[3]],"label":[1],"cut":[[0,0]],"logp.b":[-0.333333333],"logp.a":[-123456.78],"tlogp.a":[[-123456.78]],"meta":{}}
EOF
tstream import -o all.tsz all.jsonl
agrees "tokens with every column" all.tsz
cat >text.jsonl <<'EOF'
{"prompt":"Grüße \u0000 \ud83d\ude00","chosen":"","rejected":"\"b\"\n"}
{"prompt":"","completions":["x","y","z"]}
EOF
tstream import -o text.tsz text.jsonl
agrees "text" text.tsz
awk 'BEGIN { for (i = 0; i < 20000; i++)
	printf "{\"prompt\":[%d,2,3,4,5,6,7,8,9],\"chosen\":[%d,%d],\"rejected\":[%d]}\n", i, i % 7, i % 11, i % 13 }' |
	tstream import -o many.tsz
[ "$(tstream ls many.tsz | grep -c '	B	')" -gt 1 ]
ok "a stream of several blocks"
agrees "several blocks" many.tsz
tstream cat -u -o stored.tsz many.tsz
agrees "stored blocks" stored.tsz
cat all.tsz all.tsz >twice.tsz
agrees "two segments" twice.tsz

# ---- what is not

cat >damage.py <<'EOF'
import io, sys
from read_tsz import members, records

whole = open("all.tsz", "rb").read()

def notices(what, data):
    try:
        list(records(io.BytesIO(data)))
    except ValueError:
        return
    print("# not noticed:", what)
    sys.exit(1)

cuts, at = [0], 0
while at < len(whole):
    at += int.from_bytes(whole[at + 40:at + 48], "little")
    cuts.append(at)
parts = [whole[a:b] for a, b in zip(cuts, cuts[1:])]
assert len(list(members(io.BytesIO(whole)))) == len(parts) == 3
if sys.argv[1] == "cut":
    for i in range(len(whole)):
        notices(f"cut at byte {i}", whole[:i])
elif sys.argv[1] == "flip":
    for i in range(len(whole)):
        for bit in (i % 8, (i + 5) % 8):
            notices(f"bit {bit} of byte {i}", whole[:i] + bytes([whole[i] ^ 1 << bit]) + whole[i + 1:])
else:
    for order in ((0, 2), (1, 2), (0, 1), (1, 0, 2), (0, 1, 1, 2), (0, 1, 2, 2), (0, 2, 1), (0, 0, 1, 2)):
        notices(f"members {order}", b"".join(parts[i] for i in order))
    other = open("text.tsz", "rb").read()
    notices("END of another stream", parts[0] + parts[1] + other[-len(parts[2]):])
EOF
for how in cut flip order; do
	$python damage.py $how
	ok "damage is noticed: $how"
done
head -c 500 all.tsz >cut.tsz
$python "$root/examples/read_tsz.py" cut.tsz >read 2>err
[ $? -eq 1 ] && grep -q '^read_tsz: cut.tsz: ' err
ok "exit 1 and a message for a stream that is cut off"

# ---- records that are not preferences

cat >metrics.py <<'EOF'
import hashlib, io, json, struct, zlib
from read_tsz import MAGIC, records

def document(meta, columns):
    header, data = {"__metadata__": meta} if meta else {}, b""
    for name, (dtype, code, values) in columns.items():
        raw = struct.pack(f"<{len(values)}{code}", *values)
        header[name] = {"dtype": dtype, "shape": [len(values)], "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % 64)
    return struct.pack("<Q", len(text)) + text + data

def member(kind, nrec, seq, first, payload):
    deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
    body = deflate.compress(payload) + deflate.flush()
    head = MAGIC + kind + struct.pack("<HIQQQQI", 0, nrec, seq, first, 72 + len(body), len(payload), zlib.crc32(body))
    return head + struct.pack("<I", zlib.crc32(head)) + body + struct.pack("<II", zlib.crc32(payload), len(payload))

head = document({"format": "tstream", "schema": "metrics"}, {})
block = document({}, {"loss": ("F64", "d", [0.7, 0.6, 0.5]), "step": ("I64", "q", [1, 2, 3])})
end = document({"records": "3", "payload.sha256": hashlib.sha256(head + block + b"?").hexdigest()}, {})
stream = member(b"H", 0, 0, 0, head) + member(b"B", 3, 1, 0, block) + member(b"x", 0, 2, 3, b"?") + member(b"E", 0, 3, 3, end)
assert list(records(io.BytesIO(stream))) == [
    {"loss": 0.7, "step": 1}, {"loss": 0.6, "step": 2}, {"loss": 0.5, "step": 3}]
EOF
$python metrics.py
ok "metrics, and a member to be skipped"

echo "1..$n"
