#!/bin/sh
# examples/steps/: a chain of updates by make, interrupted, against one run.
. "$(dirname "$0")/../lib.sh"
unset MAKEFLAGS MAKELEVEL MFLAGS
OMP_WAIT_POLICY=passive # other tests may want the processors too
export OMP_WAIT_POLICY

cat >config.json <<'EOF'
{"model_type":"llama","vocab_size":50,"hidden_size":16,"intermediate_size":20,"num_hidden_layers":2,"num_attention_heads":4,"initializer_range":0.1}
EOF
$PYTHON - <<'EOF'
import json, random
r = random.Random(8)
def some(low, high):
    return [r.randrange(50) for _ in range(r.randint(low, high))]
for path, n in ("train", 21), ("test", 35):
    with open(path + ".jsonl", "w") as f:
        for i in range(n):
            print(json.dumps({"prompt": some(1, 9), "chosen": some(2, 12), "rejected": some(2, 12)}), file=f)
EOF
for f in train test; do tstream import -o $f-tokens.tsz $f.jsonl; done
dpo-step -q --init config.json -o model --loss sft --lr 0 --max-steps 1 train-tokens.tsz &&
	for f in train test; do ref-logp -q -m model -o $f.tsz $f-tokens.tsz || exit 1; done || exit 1

run="--lr 3e-3 --warmup 0.2 --batch-size 4 --epochs 5 --max-steps 23 --schedule cosine"
chain() { # OUT VARIABLE=VALUE|OPTION|TARGET...
	chain_out=$PWD/$1
	shift
	${MAKE:-make} --no-print-directory -C "$root/examples/steps" BIN="$BIN" MODEL="$PWD/model" TRAIN="$PWD/train.tsz" TEST="$PWD/test.tsz" OUT="$chain_out" \
		STEPS=23 EVERY=5 BETA=0.2 RUN="$run --beta 0.2" "$@"
}
stamps() {
	find "$1" -type f -exec stat -c '%n %y' {} + | sort
}

# shellcheck disable=SC2086
dpo-step -q -m model -o whole --log whole.log $run --beta 0.2 train.tsz
ok "a run in one call"
ok "a part of the chain" chain one "$PWD/one/update-0010.tsz"
is "$(ls one | tr '\n' ' ')" "log-0005.jsonl log-0010.jsonl run.settings update-0005.tsz update-0010.tsz " "is two links"
stamps one >before
ok "the rest of it" chain one
stamps one >after
comm -23 before after >got
[ ! -s got ]
ok "makes nothing again" || note "$(cat got)"
cmp one/policy/model.safetensors whole/model.safetensors
ok "its end is that of the run in one call"
cmp one/log.jsonl whole.log
ok "and so are the metrics"
chain one >out
stamps one | cmp - after && tail -n 5 out >curve && ref-logp -q -m whole --as policy test.tsz | evalwin --beta 0.2 --json >last.json &&
	$PYTHON - <<'EOF'
import json
rows, last = [x.split() for x in open("curve")], json.load(open("last.json"))
assert [r[0] for r in rows] == ["0005", "0010", "0015", "0020", "0023"], rows
for got, key in zip(rows[-1][1:], ("loss", "rewards/accuracies", "rewards/margins")):
    assert abs(float(got) - last[key]) < 6e-5, (got, last[key])
assert float(rows[0][1]) != float(rows[-1][1])
EOF
ok "once more: only the curve is shown" || note "$(cat out)"
ok "in links of another length, two at a time" chain two EVERY=9 -j 2
is "$(cd two && echo update-*)" "update-0009.tsz update-0018.tsz update-0023.tsz" "they are others"
cmp two/policy/model.safetensors whole/model.safetensors && cmp two/log.jsonl whole.log
ok "with the same end"
ok "another setting" chain one RUN="$run --beta 0.3"
stamps one | comm -12 - after >got
[ ! -s got ]
ok "makes all of it again" || note "$(cat got)"
rm -f train.tsz
ref-logp -q -m model --as other train-tokens.tsz -o train.tsz
exits 2 "another stream" chain one RUN="$run --beta 0.3"
says "no column 'logp.ref'" "is refused"
is "$(cd one && echo update-*)" "update-0005.tsz update-0010.tsz update-0015.tsz update-0020.tsz update-0023.tsz" "and the chain stays"
ok "make clean" chain one clean
is "$(ls one)" "" "leaves nothing"

finish
