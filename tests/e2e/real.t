#!/bin/sh
# The whole pipe on real input: a trained checkpoint, Anthropic's HH transcripts.
. "$(dirname "$0")/../lib.sh"
data=$root/../shared/data
model=$data/models/stories260K
rows=$data/prefs/hh-rlhf/harmless-1500.jsonl.gz
[ -d "$model" ] && [ -e "$rows" ] || skip_all "needs ../shared/data"
OMP_WAIT_POLICY=passive # several programs share the processors
export OMP_WAIT_POLICY

# ---- 200 rows to train on, one of them bad; 100 others to test

pref-fmt -q --limit 200 --max-bad 1 "$rows" | tokenize -q -m "$model" --max-length 200 | ref-logp -q -m "$model" |
	tee train.tsz | dpo-step -m "$model" -o policy --epochs 2 --lr 5e-4 --warmup 0.1 --log log 2>err
ok "pref-fmt | tokenize | ref-logp | dpo-step" || note "$(cat err)"
note "$(tail -n 1 err)"
pref-fmt -q --skip 200 --limit 100 "$rows" | tokenize -q -m "$model" --max-length 200 | ref-logp -q -m "$model" -o test.tsz
ok "pref-fmt | tokenize | ref-logp"
ok "train.tsz is whole" tstream check --full train.tsz
grep -q '^train.tsz: whole, 199 records' out
ok "and has what was good"
tstream head train.tsz >head && $PYTHON - "$model" <<'EOF'
import hashlib, sys
head = dict(line.split(None, 1) for line in open("head") if not line.startswith("prov"))
prov = [line.split()[1] for line in open("head") if line.startswith("prov")]
assert prov == ["pref-fmt", "tokenize", "ref-logp"]
assert head["tokenizer.sha256"].strip() == hashlib.sha256(open(sys.argv[1] + "/tokenizer.json", "rb").read()).hexdigest()
assert head["vocab"].strip() == "512" and head["max_length"].strip() == "200"
EOF
ok "its header says what made it"
for f in config.json tokenizer.json tokenizer_config.json; do cmp "$model/$f" policy/$f || echo $f; done >got
[ ! -s got ]
ok "the policy has config and tokenizer"

# ---- did it learn?

$PYTHON - <<'EOF'
import json, math
log = [json.loads(line) for line in open("log")]
assert [x["step"] for x in log] == list(range(1, 51))
assert abs(log[0]["loss"] - math.log(2)) < 1e-4 and abs(log[0]["rewards/margins"]) < 1e-3
assert log[0]["learning_rate"] == 0 and max(x["learning_rate"] for x in log) == 5e-4
first, last = log[:25], log[25:]
mean = lambda part, key: sum(x[key] for x in part) / len(part)
print("# loss %.4f, then %.4f; margin %.4f, then %.4f; accuracy %.3f" % (mean(first, "loss"), mean(last, "loss"),
      mean(first, "rewards/margins"), mean(last, "rewards/margins"), mean(last, "rewards/accuracies")))
assert mean(last, "loss") < math.log(2) - 0.1
assert mean(last, "rewards/margins") > mean(first, "rewards/margins") + 0.3
assert all(0 < x["grad_norm"] < 1000 and 0 < x["entropy"] < math.log(512) for x in log)
EOF
ok "the loss starts at ln 2 and falls, the margin rises"
for part in train test; do
	ref-logp -q -m policy --as policy $part.tsz | tee $part-scored.tsz | evalwin --json >$part.json
	ok "ref-logp | evalwin on the $part rows"
done
evalwin test-scored.tsz >table
ok "evalwin prints a table"
note "$(sed -n 1,17p table)"
$PYTHON - <<'EOF'
import json, math
train, test = (json.load(open(part + ".json")) for part in ("train", "test"))
assert train["pairs"] == 199 and test["pairs"] == 100
assert train["rewards/margins"] > 0.2 and train["by_reward"]["rate"] > 0.6 and train["loss"] < math.log(2) - 0.05
for x in train, test:
    low, high = x["by_reward"]["rate_interval"]
    assert 0 <= low <= x["by_reward"]["rate"] <= high <= 1
    assert x["logps/chosen"] < 0 and x["ref_logps/chosen"] < 0 and "same-columns" not in x["warnings"]
print("# win rate by reward: %.3f on training rows, %.3f on others" % (train["by_reward"]["rate"], test["by_reward"]["rate"]))
EOF
ok "training rows are preferred, figures are plausible"

# ---- the same from other files of the same model

tstream head --json train.tsz >head.json && tstream export train.tsz | head -n 16 | tstream import --head head.json -o few.tsz
for m in sharded bf16 f16; do
	ref-logp -q -m "$model/$m" --as $m --no-tokens few.tsz | dpo-step -q -m "$model/$m" -o $m --reference $m &&
		ref-logp -q -m $m --as after --no-tokens -o after.tsz few.tsz || echo $m
done >got
[ ! -s got ]
ok "shards, BF16 and F16" || note "$(cat got)"
ok "in shards it is the same model" dpo-step -q -m "$model/sharded" -o a few.tsz
exits 4 "in BF16 it is another" dpo-step -q -m "$model/bf16" -o b few.tsz
says "'logp.ref' comes from model 9fe9a7f6539f" "and named"

finish
