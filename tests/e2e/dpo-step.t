#!/bin/sh
# dpo-step: what it trains on and in which order, metrics, the gate, what it writes and leaves, the manual's examples.
. "$(dirname "$0")/../lib.sh"
OMP_WAIT_POLICY=passive # other tests may want the processors too
export OMP_WAIT_POLICY

cat >model.py <<'EOF'
"""Model folders: cast FROM TO DTYPE | shard FROM TO N | poison FROM TO TENSOR | strip FROM TO | list FOLDER"""
import json, os, shutil, struct, sys

def read(path):
    blob = open(path, "rb").read()
    n, = struct.unpack("<Q", blob[:8])
    head = json.loads(blob[8:8 + n])
    meta = head.pop("__metadata__", {})
    return meta, {k: (t["dtype"], t["shape"], blob[8 + n + t["data_offsets"][0]:8 + n + t["data_offsets"][1]])
                  for k, t in head.items()}

def write(path, tensors):
    head, at = {"__metadata__": {"format": "pt", "test": "x"}}, 0
    for k, (dtype, shape, data) in tensors.items():
        head[k] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(head).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(t[2] for t in tensors.values()))

def cast(data, dtype):
    x = struct.unpack("<%df" % (len(data) // 4), data)
    if dtype == "F16":
        return struct.pack("<%de" % len(x), *x)
    if dtype == "F64":
        return struct.pack("<%dd" % len(x), *x)
    return b"".join(data[i + 2:i + 4] for i in range(0, len(data), 4))  # BF16, cut off

def shards(folder):
    index = folder + "/model.safetensors.index.json"
    if not os.path.exists(index):
        return ["model.safetensors"]
    return sorted(set(json.load(open(index))["weight_map"].values()))

what, source = sys.argv[1:3]
if what == "list":
    for f in shards(source):
        meta, tensors = read(source + "/" + f)
        for k in sorted(tensors):
            print(f, k, *tensors[k][:2], meta.get("format"))
    sys.exit()
to, how = sys.argv[3], (sys.argv + [None])[4]
shutil.copytree(source, to)
tensors = read(to + "/model.safetensors")[1]
if what == "cast":
    write(to + "/model.safetensors", {k: (how, s, cast(d, how)) for k, (_, s, d) in tensors.items()})
elif what == "poison":
    dtype, shape, data = tensors[how]
    tensors[how] = dtype, shape, data[:-4] + struct.pack("<f", float("nan"))
    write(to + "/model.safetensors", tensors)
elif what == "strip":
    write(to + "/model.safetensors", {k.replace("transformer.", ""): t for k, t in tensors.items()})
elif what == "shard":
    os.remove(to + "/model.safetensors")
    n, places = int(how), {}
    for i in range(n):
        name = "model-%05d-of-%05d.safetensors" % (i + 1, n)
        part = {k: t for j, (k, t) in enumerate(tensors.items()) if j % n == i}
        write(to + "/" + name, part)
        places.update({k: name for k in part})
    json.dump({"metadata": {"total_size": 1}, "weight_map": places}, open(to + "/model.safetensors.index.json", "w"))
EOF

# ---- two tiny models with random weights, pairs to train and test on

mkdir gpt2 llama
cat >gpt2/config.json <<'EOF'
{"model_type":"gpt2","vocab_size":50,"n_positions":24,"n_embd":12,"n_layer":2,"n_head":2}
EOF
cat >llama/config.json <<'EOF'
{"model_type":"llama","vocab_size":50,"hidden_size":16,"intermediate_size":20,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"initializer_range":0.1}
EOF
$PYTHON - <<'EOF'
import json, random
r = random.Random(1)
def some(low, high):
    return [r.randrange(50) for _ in range(r.randint(low, high))]
for path, n in ("train", 21), ("test", 10):
    with open(path + ".jsonl", "w") as f:
        for i in range(n):
            print(json.dumps({"prompt": some(0, 9), "chosen": some(2, 12), "rejected": some(2, 12)}), file=f)
with open("text.jsonl", "w") as f:
    for i in range(12):
        print(json.dumps({"prompt": some(0, 5), "completions": [some(2, 12) for _ in range(i % 3 + 1)]}), file=f)
EOF
for f in train test text; do tstream import -o $f-tokens.tsz $f.jsonl; done
mv text-tokens.tsz text.tsz
for m in gpt2 llama; do
	dpo-step -q --init $m/config.json -o $m.new --loss sft --lr 0 --max-steps 1 text.tsz && rm -r $m && mv $m.new $m &&
		ref-logp -q -m $m -o $m.tsz train-tokens.tsz && ref-logp -q -m $m -o $m-test.tsz test-tokens.tsz || exit 1
done
cp llama.tsz train.tsz
cp llama-test.tsz test.tsz
ls >before

nothing_left() { # NAME: nothing is there that was not before, but for what tests write themselves
	ls | grep -v '^\(out\|err\|got\|want\|log\|extra\)$' | grep -vxF -f before >extra
	[ ! -s extra ]
	result $? "$1" || note "$(cat extra)"
}

# ---- a run

exits 0 "trains" dpo-step -m llama -o new --lr 1e-3 --batch-size 4 --epochs 2 --log log --emit emit.tsz --eval test.tsz --eval-every 5 train.tsz
[ ! -s out ] && [ "$(grep -c '^dpo-step: step [0-9]*: eval loss' err)" -eq 4 ] &&
	grep -q '^dpo-step: 0.0 M parameters, 21 records, 12 steps; up to 0.03 GiB of memory$' err &&
	tail -n 1 err | grep -q '^dpo-step: 12 steps, [0-9]* tokens, last loss 0\.[0-9]*$'
ok "and says how it goes" || note "$(cat err)"
is "$(ls new | tr '\n' ' ')" "config.json model.safetensors " "writes a model"
cmp new/config.json llama/config.json
ok "with the config that it had"
cmp -s new/model.safetensors llama/model.safetensors
[ $? -eq 1 ]
ok "and other weights"
ok "which load again" ref-logp -q -m new --as policy -o policy.tsz test.tsz
tstream export emit.tsz >emit.out
tstream check --full emit.tsz >check.out
ok "the emitted stream is whole"

# Every line of the log, by the emitted stream.
cat >metrics.py <<'EOF'
import json, math, sys
log = [json.loads(line) for line in open("log")]
rows = [json.loads(line) for line in open("emit.out")]
test = [json.loads(line) for line in open("test.jsonl")]
size, epoch, rate = 4, 21, 1e-3
train = [x for x in log if "loss" in x]
evals = [x for x in log if "eval_loss" in x]
assert [x["step"] for x in train] == list(range(1, 13))
assert [x["step"] for x in log] == [0, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 10, 10, 11, 12, 12]
keys = ["loss", "entropy", "mean_token_accuracy", "logps/chosen", "logits/chosen", "logps/rejected", "logits/rejected",
        "rewards/chosen", "rewards/rejected", "rewards/accuracies", "rewards/margins", "change/chosen"]
for x in train + evals:
    for name in "short", "medium", "long":  # of which a line may have none
        x.pop("change/chosen_" + name, x.pop("eval_change/chosen_" + name, 0))
assert all(list(x) == ["step", "epoch"] + keys + ["grad_norm", "learning_rate", "num_tokens"] for x in train)
assert all(list(x) == ["step", "epoch"] + ["eval_" + k for k in keys] for x in evals)
def near(a, b, tolerance=1e-5):
    assert abs(a - b) <= tolerance * max(1, abs(b)), (a, b)
at = tokens = 0
for i, x in enumerate(train):
    left = epoch - i % 6 * size
    batch = rows[at:at + min(size, left)]
    at += len(batch)
    h = []
    for r in batch:
        tokens += len(r["prompt"]) + len(r["chosen"]) + len(r["rejected"])
        h.append([0.1 * (p - q) for p, q in zip(r["logp.policy"], r["logp.ref"])])
    mean = lambda v: sum(v) / len(batch)
    near(x["epoch"], (i + 1) / 6)
    near(x["loss"], mean([math.log1p(math.exp(l - w)) for w, l in h]))
    near(x["logps/chosen"], mean([r["logp.policy"][0] for r in batch]))
    near(x["logps/rejected"], mean([r["logp.policy"][1] for r in batch]))
    near(x["rewards/chosen"], mean([w for w, l in h]))
    near(x["rewards/rejected"], mean([l for w, l in h]))
    near(x["rewards/margins"], mean([w - l for w, l in h]))
    if i:
        near(x["rewards/accuracies"], mean([w > l for w, l in h]))
    near(x["learning_rate"], rate * (12 - i) / 12, 1e-12)
    assert x["num_tokens"] == tokens
    assert 0 < x["grad_norm"] < 10 and 0 <= x["mean_token_accuracy"] <= 1 and 0 < x["entropy"] < math.log(50)
assert at == len(rows) == 42
near(train[0]["loss"], math.log(2))
near(evals[0]["eval_loss"], math.log(2))
assert sum(x["loss"] for x in train[6:]) / 6 < 0.68 and sum(x["rewards/margins"] for x in train[6:]) / 6 > 0.03
EOF
$PYTHON metrics.py
ok "each metric is what the manual says"
evalwin --json --bootstrap 0 policy.tsz >evalwin.json && $PYTHON - <<'EOF'
import json
last = [json.loads(line) for line in open("log")][-1]
want = json.load(open("evalwin.json"))
for key in ("loss", "rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies", "logps/chosen", "logps/rejected"):
    assert abs(last["eval_" + key] - want[key]) < 1e-5, (key, last["eval_" + key], want[key])
EOF
ok "the last evaluation is what ref-logp and evalwin make of the model"
dpo-step -q -m llama -o other --lr 1e-3 --batch-size 4 --epochs 2 train.tsz >out 2>err
[ ! -s out ] && [ ! -s err ] && cmp other/model.safetensors new/model.safetensors
ok "-q says nothing; evaluation, log and stream change nothing"
dpo-step -q -m llama -o other --lr 1e-3 --batch-size 4 --epochs 2 --log-every 5 --log log5 train.tsz && $PYTHON - <<'EOF'
import json
each = [x for x in map(json.loads, open("log")) if "loss" in x]
means = [json.loads(line) for line in open("log5")]
assert [x["step"] for x in means] == [5, 10, 12]
start = 0
for m in means:
    part = each[start:m["step"]]
    weights = [1 if x["step"] % 6 == 0 else 4 for x in part]  # records
    for k in ("loss", "logps/chosen", "logps/rejected", "rewards/chosen", "rewards/rejected", "rewards/accuracies",
              "rewards/margins", "grad_norm"):
        assert abs(m[k] - sum(w * x[k] for w, x in zip(weights, part)) / sum(weights)) < 1e-9, k
    assert min(x["entropy"] for x in part) < m["entropy"] < max(x["entropy"] for x in part)
    assert all(m[k] == part[-1][k] for k in ("epoch", "learning_rate", "num_tokens"))
    start = m["step"]
EOF
ok "--log-every takes means over records"

# ---- records, by the emitted stream and by the log

dpo-step -q -m llama -o other --lr 1e-3 --batch-size 4 --epochs 2 --log log --log-records rec.jsonl --log-tokens --emit emit.tsz train.tsz &&
	tstream export emit.tsz >emit.out && dpo-step -q -m llama -o other --lr 1e-3 --batch-size 4 --epochs 2 --log-records rec.jsonl.gz train.tsz &&
	$PYTHON - <<'EOF'
import gzip, json, math
rows, got, log = ([json.loads(x) for x in open(p)] for p in ("emit.out", "rec.jsonl", "log"))
def near(a, b):
    assert abs(a - b) <= 1e-5 * max(1, abs(b)), (a, b)
assert len(rows) == len(got) == 42 and [x["id"] for x in rows] == [x["id"] for x in got]
for r, g in zip(rows, got):
    (pw, pl), (qw, ql) = r["logp.policy"], r["logp.ref"]
    x = .1 * (pw - qw - pl + ql)
    near(g["loss"], math.log1p(math.exp(-x)))
    for side, p, q, t, u in zip(("chosen", "rejected"), r["logp.policy"], r["logp.ref"], r["tlogp.policy"], r["tlogp.ref"]):
        near(g["logps/" + side], p)
        near(g["ref_logps/" + side], q)
        near(g["rewards/" + side], .1 * (p - q))
        assert g["tokens/" + side] == len(t) == len(g["log_ratios/" + side])
        near(g["gradient/" + side], (-.1 if side == "chosen" else .1) / (1 + math.exp(x)))
        for a, b, c in zip(g["log_ratios/" + side], t, u):
            near(a, b - c)
    near(g["rewards/margins"], x)
for line in log:
    mine = [g for g in got if g["step"] == line["step"]]
    assert mine and all(g["epoch"] == line["epoch"] for g in mine)
    for k in "loss", "rewards/chosen", "rewards/margins", "logps/rejected":
        near(line[k], sum(g[k] for g in mine) / len(mine))
    change = sum(g["logps/chosen"] - g["ref_logps/chosen"] for g in mine)
    near(line["change/chosen"], change / sum(g["tokens/chosen"] for g in mine))
lengths = sorted(g["tokens/chosen"] for g in got if g["step"] <= 6)
cuts = lengths[7], lengths[14]
for line in log:
    for k, name in enumerate(("short", "medium", "long")):
        mine = [g for g in got if g["step"] == line["step"] and sum(g["tokens/chosen"] >= c for c in cuts) == k]
        if not mine:
            assert "change/chosen_" + name not in line
            continue
        near(line["change/chosen_" + name], sum(g["logps/chosen"] - g["ref_logps/chosen"] for g in mine) /
             sum(g["tokens/chosen"] for g in mine))
for g in got:
    del g["log_ratios/chosen"], g["log_ratios/rejected"]
assert got == [json.loads(x) for x in gzip.open("rec.jsonl.gz")]
EOF
ok "--log-records and --log-tokens, and the change of chosen ones"
[ "$(gzip -l rec.jsonl.gz | sed -n '2s/.* \([0-9]*\) .*rec.*/\1/p')" != 0 ] && gzip -t rec.jsonl.gz
ok "gzipped by name"
dpo-step -q -m llama -o other --batch-size 4 --log - train.tsz >out && [ "$(wc -l <out)" -eq 6 ] &&
	grep -q '"learning_rate":1e-06,' out
ok "--log - and the default rate"
dpo-step -q -m llama -o other --batch-size 4 --lr 1 --clip 1e-9 --warmup 3 --schedule cosine --log - train.tsz |
	sed 's/.*"learning_rate":\([^,]*\).*/\1/' >got
printf '%s\n' 0 0.3333333333333333 0.6666666666666666 1 0.75 0.25 >want
$PYTHON -c 'import sys
a, b = ([float(x) for x in open(p)] for p in ("got", "want"))
sys.exit(len(a) != len(b) or any(abs(x - y) > 1e-12 for x, y in zip(a, b)))'
ok "--warmup and --schedule" || note "$(cat got)"
dpo-step -q -m llama -o other --batch-size 4 --warmup 0.34 --schedule constant --log - train.tsz |
	sed 's/.*"learning_rate":\([^,]*\).*/\1/' | tr '\n' ' ' >got
is "$(cat got)" "0 5e-07 1e-06 1e-06 1e-06 1e-06 " "--warmup as a share"
dpo-step -q -m llama -o other --batch-size 4 --epochs 3 --max-steps 7 --log log7 train.tsz &&
	[ "$(wc -l <log7)" -eq 7 ] && grep -q '"step":7,"epoch":1.1666666666666667.*"learning_rate":1.42857142857142[0-9]*e-07' log7
ok "--max-steps ends the schedule too" || note "$(tail -n 1 log7)"
dpo-step -q -m llama -o other --lr 0 --epochs 2 train.tsz && cmp other/model.safetensors llama/model.safetensors
ok "a learning rate of 0 changes nothing"

# ---- one source or another, one way or another

run() { # NAME OPTION...: the run that others are compared with, into NAME and NAME.log
	name=$1
	shift
	dpo-step -q -m llama -o $name --lr 1e-3 --batch-size 4 --epochs 2 --log $name.log --emit $name.tsz "$@"
}

same_run() { # NAME: as new, bit by bit
	cmp $1/model.safetensors new/model.safetensors && grep '"loss"' log | cmp - $1.log && tstream export $1.tsz | cmp - emit.out
}

run a train.tsz && same_run a
ok "the same again"
run a <train.tsz && same_run a && run a - <train.tsz && same_run a
ok "from standard input"
cat train.tsz | run a && same_run a && tstream cat train.tsz | run a - && same_run a
ok "from a pipe"
tstream export train.tsz >train.out && tstream head --json train.tsz >head.json
head -n 8 train.out | tstream import --head head.json -o part1.tsz && tail -n +9 train.out | tstream import --head head.json -o part2.tsz
run a part1.tsz - <part2.tsz && same_run a && cat part1.tsz part2.tsz | run a && same_run a
ok "from several files, and segments"
for n in 1 2 5; do run a -@ $n train.tsz && same_run a || echo $n; done >got
[ ! -s got ]
ok "at 1, 2 and 5 threads"
run a --micro-tokens 1 train.tsz && run b --micro-tokens 100000 train.tsz && $PYTHON - <<'EOF'
import json
for a, b in zip(open("a.log"), open("b.log")):
    a, b = json.loads(a), json.loads(b)
    assert a.keys() == b.keys()
    for k in a:
        if k != "rewards/accuracies":
            assert abs(a[k] - b[k]) <= 1e-4 * max(1, abs(a[k])), (k, a[k], b[k])
EOF
ok "micro-batches change nothing but rounding"

# ---- order

ids() { tstream export "$1" | cut -d '"' -f 4; }
ids train.tsz >ids.train
ids emit.tsz >ids.emit
head -n 21 ids.emit >epoch1
tail -n 21 ids.emit >epoch2
sort ids.train >ids.sorted
sort epoch1 | cmp - ids.sorted && sort epoch2 | cmp - ids.sorted
ok "each record once an epoch"
! cmp -s epoch1 ids.train && ! cmp -s epoch2 ids.train && ! cmp -s epoch1 epoch2
ok "in another order each time"
run a --seed 0 train.tsz && same_run a
ok "the default seed is 0"
run a --seed 1 train.tsz && ids a.tsz >ids.a && ! cmp -s ids.a ids.emit && head -n 21 ids.a | sort | cmp - ids.sorted &&
	! cmp -s a/model.safetensors new/model.safetensors
ok "--seed changes the order"
run a --no-shuffle train.tsz && ids a.tsz >ids.a && cat ids.train ids.train | cmp - ids.a
ok "--no-shuffle keeps it"
run a --no-prov train.tsz && tstream head a.tsz | grep -q prov
[ $? -eq 1 ]
ok "--no-prov"
tstream head emit.tsz | tail -n 1 | grep -q '^prov  *dpo-step [0-9.]* --model=llama --lr=1e-3 --epochs=2 --batch-size=4 <- '
ok "provenance otherwise"
dpo-step -q -m llama -o other --emit - --max-steps 2 --batch-size 4 train.tsz | tstream check - | grep -q ' 8 records '
ok "--emit -, no more than was trained on"

# ---- text

exits 0 "--init and --loss sft" dpo-step --init llama/config.json -o base --loss sft --lr 1e-2 --epochs 10 --batch-size 5 --log log --eval text.tsz text.tsz
grep -q '^dpo-step: step 30: eval loss [0-9.]*, tokens predicted first 0\.[0-9]*$' err
ok "says how it goes" || note "$(cat err)"
ref-logp -q -m base -o a.tsz text.tsz && tstream export a.tsz >a.out && $PYTHON - <<'EOF'
import json, math
log = [json.loads(line) for line in open("log")]
keys = ["loss", "entropy", "mean_token_accuracy", "logps/chosen", "logits/chosen"]
train, evals = [x for x in log if "loss" in x], [x for x in log if "eval_loss" in x]
assert all(list(x) == ["step", "epoch"] + keys + ["grad_norm", "learning_rate", "num_tokens"] for x in train)
assert all(list(x) == ["step", "epoch"] + ["eval_" + k for k in keys] for x in evals)
assert len(train) == 30 and [x["step"] for x in evals] == [0, 30]
rows = [json.loads(line) for line in open("a.out")]
done = [(r.get("completions") or [r["chosen"]])[0] for r in rows]
each = [r["tlogp.ref"][0] for r in rows]
counted = sum(map(len, each))
assert counted == sum(len(c) - (not r["prompt"]) for c, r in zip(done, rows))
assert abs(evals[1]["eval_loss"] + sum(map(sum, each)) / counted) < 1e-5
assert abs(evals[1]["eval_logps/chosen"] - sum(map(sum, each)) / len(rows)) < 1e-4
assert abs(evals[0]["eval_loss"] - math.log(50)) < 0.3 and evals[1]["eval_loss"] < evals[0]["eval_loss"] - 1
assert train[-1]["num_tokens"] == 10 * sum(len(r["prompt"]) + len(c) for r, c in zip(rows, done))
assert abs(train[0]["learning_rate"] - 1e-2) < 1e-12
EOF
ok "the loss is the mean by token of the first completions"
dpo-step -q --init llama/config.json -o a --loss sft --max-steps 1 --log - text.tsz | grep -q '"learning_rate":2e-05,'
ok "the default rate is another"
dpo-step -q --init llama/config.json -o a --loss sft --lr 0 --seed 5 text.tsz &&
	dpo-step -q --init llama/config.json -o b --loss sft --lr 0 --seed 5 --no-shuffle text.tsz &&
	dpo-step -q --init llama/config.json -o c --loss sft --lr 0 --seed 6 --no-shuffle text.tsz &&
	cmp a/model.safetensors b/model.safetensors && ! cmp -s a/model.safetensors c/model.safetensors
ok "--seed decides the weights of --init"
ok "sft of a model that is there" dpo-step -q -m gpt2 -o other --loss sft train-tokens.tsz
mkdir settings
cp llama/config.json settings/tiny.json
cp llama/config.json settings
for f in tokenizer.json tokenizer_config.json special_tokens_map.json generation_config.json chat_template.jinja vocab.json \
	merges.txt added_tokens.json tokenizer.model chat_template.json; do
	echo "$f" >settings/$f
done
echo x >settings/README.md
dpo-step -q --init settings/config.json -o a --loss sft text.tsz && ls a >got && for f in $(ls a); do
	[ $f = model.safetensors ] || cmp a/$f settings/$f
done && { ls settings | grep -v 'README\|tiny'; echo model.safetensors; } | sort | cmp - got
ok "files beside the config are copied" || note "$(cat got)"
sed 's/"hidden_size":16/"hidden_size":32/' llama/config.json >settings/tiny.json
dpo-step -q --init settings/tiny.json -o a --loss sft --max-steps 1 text.tsz && cmp a/config.json settings/tiny.json
ok "a config of another name is the model's config all the same"
rm settings/config.json
dpo-step -q --init settings/tiny.json -o b --loss sft --max-steps 1 text.tsz && ref-logp -q -m b -o b.tsz test-tokens.tsz
ok "also where there is no other"
dpo-step -q -m llama -o other train.tsz && cp settings/chat_template.jinja settings/tokenizer.json llama &&
	dpo-step -q -m llama -o other train.tsz && cmp other/chat_template.jinja settings/chat_template.jinja &&
	cmp other/tokenizer.json settings/tokenizer.json && rm llama/chat_template.jinja llama/tokenizer.json
ok "so are those of a model"

# ---- the gate

ls >before
id=$(sed -n 3p ids.train)
tamper() { # AMOUNT: to the chosen log-prob of the third record, in tampered.tsz
	$PYTHON - "$1" <<'EOF' | tstream import --head head.json -o tampered.tsz
import json, sys
for i, line in enumerate(open("train.out")):
    r = json.loads(line)
    if i == 2:
        r["logp.ref"][0] += float(sys.argv[1]) * (1e-3 + 1e-4 * abs(r["logp.ref"][0]))
    del r["tlogp.ref"]
    print(json.dumps(r))
EOF
}
sed 's/ tlogp.ref//' head.json >head.new && mv head.new head.json
echo tampered.tsz >>before
tamper -1.1
exits 4 "the gate does not open for another log-prob" dpo-step -q -m llama -o no --batch-size 21 tampered.tsz
says "dpo-step: record $id: before the first update the policy gives its chosen completion log-prob -" "and names the record"
exits 4 "nor with --allow-mismatch" dpo-step -q -m llama -o no --batch-size 21 --allow-mismatch tampered.tsz
tamper -0.9
ok "rounding gets through" dpo-step -q -m llama -o other --batch-size 21 tampered.tsz
tamper -100
ok "records after the first batch are not looked at" dpo-step -q -m llama -o other --batch-size 2 --no-shuffle tampered.tsz
exits 4 "another model's reference is refused" dpo-step -q -m llama -o no gpt2.tsz
says "dpo-step: 'logp.ref' comes from model" "and named"
exits 4 "nor does the gate believe it" dpo-step -q -m llama -o no --allow-mismatch gpt2.tsz
says ": before the first update the policy gives its" "and says why"
exits 4 "no reference" dpo-step -q -m llama -o no train-tokens.tsz
says "dpo-step: the stream has no column 'logp.ref'; ref-logp adds it" "and what to do"
exits 4 "no reference of that name" dpo-step -q -m llama -o no --reference base train.tsz
says "dpo-step: the stream has no column 'logp.base'" "and named"
ref-logp -q -m llama --as base -o both.tsz gpt2.tsz
ok "--reference" dpo-step -q -m llama -o other --reference base both.tsz
exits 4 "no reference in --eval" dpo-step -q -m llama -o no --eval test-tokens.tsz train.tsz
exits 4 "another model's in --eval" dpo-step -q -m llama -o no --eval gpt2-test.tsz train.tsz
echo both.tsz >>before
nothing_left "nothing is left of those"

# ---- what does not belong together

echo '{"prompt":"a","chosen":"b","rejected":"c","logp.ref":[-1,-2]}' | tstream import -o text-text.tsz
exits 4 "text" dpo-step -q -m llama -o no text-text.tsz
says "the stream holds text" "is named"
cp -r llama tokenized
echo '{}' >tokenized/tokenizer.json
sed 's/^{/{"tokenizer.sha256":"0123456789abcdef",/' head.json >other-head.json
sed 's/,"tlogp.ref":\[\(\[[^]]*\],*\)*\]//' train.out | tstream import --head other-head.json -o other-tokens.tsz
exits 4 "another tokenizer" dpo-step -q -m tokenized -o no other-tokens.tsz
says "the stream was made with tokenizer 0123456789ab, tokenized has" "is named"
ok "--allow-mismatch" dpo-step -q -m tokenized -o other --allow-mismatch other-tokens.tsz
tstream import --vocab 51 test.jsonl | ref-logp -q -m llama --allow-mismatch -o larger.tsz
exits 4 "a larger vocabulary" dpo-step -q -m llama -o no larger.tsz
exits 4 "also in --eval" dpo-step -q -m llama -o no --eval larger.tsz train.tsz
ref-logp -q -m llama -o texts.tsz text.tsz
exits 4 "records that are no pairs" dpo-step -q -m llama -o no --no-shuffle texts.tsz
says "dpo-step: record $(ids texts.tsz | head -n 1) has 1 completion: the loss takes pairs" "are named"
echo '{"prompt":[1],"chosen":[2],"rejected":[]}' | tstream import | ref-logp -q -m llama -o empty.tsz
exits 1 "a completion without tokens" dpo-step -q -m llama -o no empty.tsz
says ": completion 2 has no token that counts" "is named"
tstream head --json train.tsz >h.json && tstream import --head h.json -o none.tsz </dev/null
exits 1 "no records" dpo-step -q -m llama -o no none.tsz
says "dpo-step: the stream holds no records" "is said"
echo '{"prompt":[1],"chosen":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24],"rejected":[1],"logp.ref":[-1,-2]}' |
	tstream import -o long.tsz
exits 5 "longer than learned positions" dpo-step -q -m gpt2 -o no --allow-mismatch long.tsz
says "a sequence of 25 tokens; the model has 24 positions" "is named"
size=$(wc -c <train.tsz)
for n in 0 64 1000 $((size - 1)); do
	head -c $n train.tsz | dpo-step -q -m llama -o no --emit no.tsz 2>err
	[ $? -eq 3 ] || echo "$n, a pipe"
	head -c $n train.tsz >cut.tsz
	dpo-step -q -m llama -o no cut.tsz 2>err
	[ $? -eq 3 ] || echo "$n, a file"
	dpo-step -q -m llama -o no --eval cut.tsz train.tsz 2>err
	[ $? -eq 3 ] || echo "$n, --eval"
done >got
[ ! -s got ]
ok "streams that are cut off" || note "$(cat got)"
$PYTHON - <<'EOF'
b = bytearray(open("train.tsz", "rb").read())
b[len(b) // 2] ^= 4
open("flip.tsz", "wb").write(b)
EOF
exits 3 "a bit that flipped is found before work starts" dpo-step -q -m llama -o no --log log flip.tsz
exits 1 "no such stream" dpo-step -q -m llama -o no nothing.tsz
exits 1 "no such model" dpo-step -q -m nothing -o no train.tsz
exits 1 "no such config" dpo-step -q --init nothing.json --loss sft -o no text.tsz
says "nothing.json: No such file or directory" "is named"
exits 1 "a log in no folder" dpo-step -q -m llama -o no --log nowhere/log train.tsz
exits 1 "a stream in no folder" dpo-step -q -m llama -o no --emit nowhere/emit train.tsz
if [ -e /dev/full ]; then
	exits 1 "a log on a full disk" dpo-step -q -m llama -o no --log /dev/full train.tsz
else
	skip "a log on a full disk" "no /dev/full"
fi
cat >>before <<'EOF'
text-text.tsz
tokenized
other-head.json
other-tokens.tsz
larger.tsz
texts.tsz
empty.tsz
h.json
none.tsz
long.tsz
cut.tsz
flip.tsz
EOF
nothing_left "nothing is left of those"

# ---- what is not finite

$PYTHON model.py poison llama nan model.norm.weight
$PYTHON model.py poison llama inf model.embed_tokens.weight # only token 49 has it
echo nan >>before
echo inf >>before
exits 1 "weights that are no numbers" dpo-step -q -m nan -o no --allow-mismatch --no-shuffle train.tsz
says "dpo-step: step 1, record $(head -n 1 ids.train): a log-prob is nan" "step and record are named"
exits 1 "--loss sft" dpo-step -q -m nan -o no --loss sft --no-shuffle text.tsz
says "dpo-step: step 1, record $(ids text.tsz | head -n 1): a log-prob is nan" "step and record are named"
n=$($PYTHON -c 'import json
print(next(i for i, r in enumerate(map(json.loads, open("train.jsonl")))
           if 49 in r["prompt"] + r["chosen"][:-1] + r["rejected"][:-1]))')
exits 1 "in one record only" dpo-step -q -m inf -o no --allow-mismatch --no-shuffle --batch-size 1 train.tsz
says "dpo-step: step $((n + 1)), record $(sed -n $((n + 1))p ids.train): a log-prob is nan" "step and record are named"
exits 1 "a run that explodes" dpo-step -q -m llama -o no --lr 1000 --weight-decay 10 --epochs 100 --emit no.tsz --log log --log-records rec.gz train.tsz
grep -q '^dpo-step: step [0-9]*, record.* [0-9a-f]*: .* is .*\(nan\|inf\)$' err
ok "is stopped" || note "$(cat err)"
[ -s log ] && [ "$(zcat rec.gz | tail -n 1 | sed 's/,"epoch.*//')" = "$(tail -n 1 log | sed 's/,"epoch.*//')" ]
ok "its logs stay, to the last step"
rm -f rec.gz
nothing_left "nothing else does"

# ---- where it writes

mkdir folder
echo precious >folder/thesis.tex
echo precious >file
exits 1 "a folder that is no model is left alone" dpo-step -q -m llama -o folder train.tsz
says "dpo-step: folder: exists and is not a model folder; it is left alone" "and named"
exits 1 "before anything else" dpo-step -q -m nothing -o folder nothing.tsz
exits 1 "so is a file" dpo-step -q -m llama -o file train.tsz
[ "$(ls folder)" = thesis.tex ] && [ "$(cat file)" = precious ]
ok "both are as they were"
exits 1 "no folder to make it in" dpo-step -q -m llama -o nowhere/out train.tsz
ls >before
$PYTHON model.py shard llama a.old 3 && rm -r a && mv a.old a && ok "a model is replaced" dpo-step -q -m llama -o a/ train.tsz
is "$(ls a | tr '\n' ' ')" "config.json model.safetensors " "by all of the new, and nothing of the old"
cp -r llama self && dpo-step -q -m llama -o a --lr 1e-3 train.tsz && dpo-step -q -m self -o self --lr 1e-3 train.tsz &&
	cmp a/model.safetensors self/model.safetensors
ok "the model itself can be"
rm -r self
nothing_left "nothing lies beside it"

# ---- as it came

for how in "cast BF16" "cast F16" "cast F64" "shard 3" "shard 1"; do
	rm -rf from a b
	$PYTHON model.py ${how% *} llama from ${how#* }
	ref-logp -q -m from -o from.tsz train-tokens.tsz && dpo-step -q -m from -o a --lr 1e-2 from.tsz &&
		dpo-step -q -m from -o b --lr 0 from.tsz || echo "$how: failed"
	$PYTHON model.py list from >want && $PYTHON model.py list a | cmp - want && $PYTHON model.py list b | cmp - want
	ref-logp -q -m a --as x -o a.tsz from.tsz && ref-logp -q -m b --as x -o b.tsz from.tsz || echo "$how: does not load"
	d=$(tstream head from.tsz | sed -n 's/^logp.ref.model.sha256 //p')
	[ "$(tstream head b.tsz | sed -n 's/^logp.x.model.sha256 //p')" = "$d" ] || echo "$how: not the same untrained"
	[ "$(tstream head a.tsz | sed -n 's/^logp.x.model.sha256 //p')" != "$d" ] || echo "$how: not trained"
	evalwin --policy x --json --bootstrap 0 a.tsz >a.json
	$PYTHON -c 'import json, sys; sys.exit(json.load(open("a.json"))["rewards/margins"] < 0.05)' || echo "$how: learnt nothing"
done >got 2>&1
[ ! -s got ]
ok "BF16, F16, F64, shards: names, dtypes and files as they were" || note "$(cat got)"
rm -rf from
$PYTHON model.py strip gpt2 from && ref-logp -q -m from -o from.tsz train-tokens.tsz && dpo-step -q -m from -o a from.tsz &&
	$PYTHON model.py list from >want && $PYTHON model.py list a >got
same got want "names without a prefix too"

# ---- options that would have no effect, or make no sense

while read -r says options; do
	# shellcheck disable=SC2086
	dpo-step $options train.tsz >out 2>err
	[ $? -eq 2 ] && [ ! -s out ] && [ "$(head -n 1 err)" = "dpo-step: $(echo "$says" | tr _ ' ')" ] ||
		note "$options: $(head -n 1 err)"
done >got <<'EOF'
-o_OUT_is_missing -m llama
one_of_-m_MODEL_and_--init_CONFIG_is_needed -o no
one_of_-m_MODEL_and_--init_CONFIG_is_needed -m llama --init llama/config.json -o no --loss sft
--init_starts_from_random_weights,_which_are_no_reference's:_--loss_sft_can_train_them --init llama/config.json -o no
--beta_has_no_effect_with_this_loss -m llama -o no --loss sft --beta 0.1
--label-smoothing_has_no_effect_with_this_loss -m llama -o no --loss sft --label-smoothing 0
--reference_has_no_effect_with_a_loss_that_needs_none -m llama -o no --loss sft --reference ref
--emit_has_no_effect_with_--loss_sft -m llama -o no --loss sft --emit no.tsz
--seed_has_no_effect_with_--no-shuffle -m llama -o no --no-shuffle --seed 1
--eval-every_has_no_effect_without_--eval -m llama -o no --eval-every 1
--log-every_has_no_effect_without_--log -m llama -o no --log-every 1
--no-prov_has_no_effect_without_--emit,_an_update_or_checkpoints -m llama -o no --no-prov
EOF
[ ! -s got ]
ok "options without effect are errors" || cat got
exits 2 "two things cannot both be standard output" dpo-step -q -m llama -o no --log - --emit - train.tsz
[ ! -e no ]
ok "and nothing is written"

# ---- signals

cat >signals.py <<'EOF'
import glob, os, shutil, signal, subprocess, sys, time
what = sys.argv[1]
signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs ignore it
if what == "interrupt":  # well into the run
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if os.path.exists("log"):
            os.remove("log")
        p = subprocess.Popen(["dpo-step", "-q", "-m", "llama", "-o", "no", "--emit", "no.tsz", "--log", "log",
                              "--epochs", "1000000"], stdin=subprocess.PIPE)
        p.stdin.write(open("train.tsz", "rb").read())
        p.stdin.close()
        while p.poll() is None and not (os.path.exists("log") and os.path.getsize("log") > 2000):
            time.sleep(0.01)
        p.send_signal(s)
        assert p.wait() == -s, p.returncode
    sys.exit()
# While it writes: as soon as there is something beside OUT, and a little later each time.
def digest(folder):
    head = subprocess.run("ref-logp -q -m %s test-tokens.tsz | tstream head" % folder, shell=True, check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    return [line.split()[1] for line in head.splitlines() if line.startswith("logp.ref.model.sha256")][0]
command = ["dpo-step", "-q", "-m", "large", "-o", "OUT", "--loss", "sft", "--lr", "1", "--max-steps", "1", "text.tsz"]
subprocess.run(command, check=True)
new, old = digest("OUT"), digest("large")
assert new != old
shutil.rmtree("OUT")
seen = set()
for there in (False, True):
    for i in range(8):
        shutil.rmtree("OUT", ignore_errors=True)
        for f in glob.glob("OUT.tmp.*"):
            shutil.rmtree(f)
        if there:
            shutil.copytree("large", "OUT")
        p = subprocess.Popen(command)
        while p.poll() is None and not glob.glob("OUT.tmp.*"):
            pass
        time.sleep(0.002 * i)
        p.kill()
        p.wait()
        if there or os.path.exists("OUT"):
            got = digest("OUT")
            assert got == new or (there and got == old), got
            seen.add("new" if got == new else "old")
        else:
            seen.add("none")
assert "none" in seen and "old" in seen, seen
EOF
ls | grep -v '^log$' >before
$PYTHON signals.py interrupt
ok "SIGINT, SIGTERM and SIGKILL end a run"
nothing_left "and leave nothing"
mkdir config
sed 's/50/20000/; s/"hidden_size":16/"hidden_size":64/' llama/config.json >config/config.json
dpo-step -q --init config/config.json -o large --loss sft --lr 0 --max-steps 1 text.tsz && $PYTHON signals.py write
ok "SIGKILL while it writes: old or new, never half"
rm -rf OUT OUT.tmp.*

# ---- the manual

ln -s llama MODEL && cp llama/config.json config.json && cp train-tokens.tsz tokens.tsz && rm -rf policy base
sed -n 's/^\.Dl \$ //p; /^\.Bd -literal -offset indent/,/^\.Ed/{/^\./d; s/\\e$/\\/; p}' "$root/man/dpo-step.1" >examples
is "$(wc -l <examples)" 21 "the manual has examples of 21 lines"
ok "they work" sh -e examples
grep -q 'policy .policy., reference .ref.' out && [ -e aligned/model.safetensors ] && [ "$(wc -l <log.jsonl)" -eq 8 ]
ok "and do what it says" || note "$(cat out)" "$(cat log.jsonl)"

finish
