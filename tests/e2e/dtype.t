#!/bin/sh
# ref-logp and dpo-step with matrix products in BF16, on the real checkpoint.
. "$(dirname "$0")/../lib.sh"
real=$root/../shared/data/models/stories260K
[ -d "$real" ] || skip_all "no checkpoint"
$PYTHON - "$real/golden_logps.json" <<'EOF'
import json, sys
def rows(x):
    if isinstance(x, dict):
        if "ids" in x and "n_prompt" in x:
            yield x
        for v in x.values():
            yield from rows(v)
    elif isinstance(x, list):
        for v in x:
            yield from rows(v)
seen = list(rows(json.load(open(sys.argv[1]))))
with open("pairs.jsonl", "w") as f:
    for i in range(0, 4 * (len(seen) - 1), 3):
        a, b = seen[i % len(seen)], seen[(i + 1) % len(seen)]
        print(json.dumps({"prompt": a["ids"][:a["n_prompt"]], "chosen": a["ids"][a["n_prompt"]:], "rejected": b["ids"][b["n_prompt"]:]}), file=f)
EOF
tstream import -q --vocab 512 -o tokens.tsz pairs.jsonl
# The stream names no tokenizer, which is taken on trust.
if ! ref-logp -q -m "$real" --dtype bf16 -o half.tsz tokens.tsz 2>err; then
	grep -q "this processor does not multiply BF16" err
	ok "a processor without says so"
	finish
fi
ref-logp -q -m "$real" -o single.tsz tokens.tsz
tstream export half.tsz >half.out && tstream export single.tsz >single.out && $PYTHON - <<'EOF'
import json
a, b = ([x for l in open(t + ".out") for x in json.loads(l)["logp.ref"]] for t in ("half", "single"))
worst = max(abs(x - y) / abs(y) for x, y in zip(a, b))
print("# largest relative difference %.1e of %d" % (worst, len(a)))
raise SystemExit(not 0 < worst < 1e-2)
EOF
ok "log-probs within 1e-2 relative of single precision"
ref-logp -q -m "$real" --dtype bf16 -@ 1 -o one.tsz tokens.tsz && cmp half.tsz one.tsz
ok "the same bytes at any number of threads"
tstream head half.tsz | grep -q "^logp.ref.numerics *bf16"
ok "the header says how"

train() { # OUT OPTION...
	out=$1
	shift
	dpo-step -q -m "$real" -o "$out" --batch-size 3 --lr 1e-5 --log "$out.log" "$@"
}
exits 4 "a reference of another precision" train x --dtype bf16 single.tsz
says "'logp.ref' was computed in f32, this run computes in bf16" "is told apart"
train h --dtype bf16 half.tsz && head -n 1 h.log | grep -q '"loss":0.69314'
ok "the gate holds"
train f single.tsz && $PYTHON - <<'EOF'
import json
a, b = ([json.loads(l) for l in open(t + ".log")] for t in ("h", "f"))
raise SystemExit(len(a) != len(b) or any(abs(x["loss"] - y["loss"]) > 0.01 or abs(x["grad_norm"] / y["grad_norm"] - 1) > 0.02
                                         for x, y in zip(a[:2], b[:2])))
EOF
ok "losses within 0.01 and gradients' norms within 2 % of single precision, before steps part"
train h1 --dtype bf16 -@ 1 half.tsz && cmp h/model.safetensors h1/model.safetensors
ok "training too, at any number of threads"
for way in "--lora 4 --lora-dropout 0.1" "--lora 4 --dora"; do
	for t in 1 3; do
		train a$t --dtype bf16 $way -@ $t --lr 1e-3 half.tsz || break
	done
	cmp a1/adapter_model.safetensors a3/adapter_model.safetensors && head -n 1 a1.log | grep -q '"loss":0.69314'
	ok "$way: it begins as the reference, and is the same at any number of threads"
	rm -rf a1 a3
done
ok "an adapter on a base in four bits" sh -c "ref-logp -q -m '$real' --dtype bf16 --quantize nf4 -o q.tsz tokens.tsz &&
	dpo-step -q -m '$real' --dtype bf16 --quantize nf4 --lora 4 -o q q.tsz"
finish
