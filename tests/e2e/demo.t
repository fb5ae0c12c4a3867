#!/bin/sh
# examples/sentiment/: the experiment, much smaller.
. "$(dirname "$0")/../lib.sh"
unset MAKEFLAGS MAKELEVEL MFLAGS
example=$root/examples/sentiment

# demo FOLDER [VARIABLE=VALUE...]
demo() {
	demo_out=$PWD/$1
	shift
	${MAKE:-make} -C "$example" BIN="$BIN" OUT="$demo_out" TEXTS=1000 PAIRS=512 TESTS=150 \
		SFT="--lr 4e-3 --warmup 9 --batch-size 8" DPO="--lr 5e-4 --warmup 3 --batch-size 8" "$@"
}

# stamps FOLDER: each file and when it was written.
stamps() {
	find "$1" -type f -exec stat -c '%n %y' {} + | sort
}

# rate FILE JUDGE KEY: a number, or the first of an array, from evalwin's JSON.
rate() {
	sed "s/.*\"$2\":{[^}]*\"$3\":\[*\([0-9.]*\).*/\1/" "$1"
}

# above X Y: is X larger?
above() {
	[ -n "$1" ] && [ -n "$2" ] && awk -v x="$1" -v y="$2" 'BEGIN { exit !(x + 0 > y + 0) }'
}

# ---- the text

reviews() { # AWK...
	"$@" -f "$example/reviews.awk" -v what=pairs -v n=50 -v seed=3 "$example/grammar.txt" &&
		"$@" -f "$example/reviews.awk" -v what=texts -v n=50 -v seed=3 "$example/grammar.txt"
}
reviews awk >want && [ "$(wc -l <want)" -eq 100 ]
ok "reviews and pairs of them"
for awk in mawk gawk original-awk; do
	if command -v $awk >/dev/null; then
		reviews $awk >got
		same got want "the same ones by $awk"
	else
		skip "the same ones by $awk" "not installed"
	fi
done
sed 's/^HOW:/NOW:/' "$example/grammar.txt" >broken
exits 1 "a rule that is missing" awk -f "$example/reviews.awk" -v what=texts -v n=5 -v seed=3 broken
says "reviews.awk: the grammar has no rule for HOW" "is named"
awk -f "$example/tokenizer.awk" "$example/grammar.txt" >tokenizer.json
same "$example/model/tokenizer.json" tokenizer.json "the tokenizer is the grammar's"

# ---- all of it

ok "make" demo all
for f in reviews.jsonl pairs.jsonl sft/model.safetensors sft/config.json sft/tokenizer.json sft.log \
	policy/model.safetensors policy/config.json policy/tokenizer.json policy.log before.json after.json \
	reward.json length.json words.txt report.txt; do
	[ -s all/$f ] || echo $f
done >got
for f in sft.tokens sft-test.tokens train.tokens test.tokens train.ref test.ref test.policy; do
	tstream check -q --full all/$f.tsz || echo $f
done >>got 2>&1
[ ! -s got ]
ok "all stages are there, and the streams whole" || note "$(cat got)"
[ "$(wc -l <all/pairs.jsonl)" -eq 662 ] && [ "$(tstream export all/train.ref.tsz | wc -l)" -eq 512 ] &&
	[ "$(tstream export all/test.policy.tsz | wc -l)" -eq 150 ]
ok "as many records as asked for"
sed 's/.*"prompt":"\([^"]*\)".*/\1/' all/pairs.jsonl | sort | uniq -d >got
[ ! -s got ]
ok "no prompt is there twice"
is "$(tstream head all/train.ref.tsz | sed -n 's/^eos  *//p')" \
	"$(sed -n 's/.*"eos_token_id": \([0-9]*\),/\1/p' "$example/model/config.json")" "EOS of tokenizer and config"
tstream export all/train.ref.tsz | sed 's/"logp.*//' | grep -vc '"prompt":\[439,.*"chosen":\[[0-9,]*,439\],"rejected":\[[0-9,]*,439\]' >got
is "$(cat got)" 0 "each prompt begins with BOS, each completion ends with EOS"

# ---- what was learnt

loss=$(sed -n 's/.*"eval_loss":\([0-9.]*\).*/\1/p' all/sft.log | tail -n 1)
above 1.2 "$loss"
ok "the language model learnt the grammar" || note "loss $loss"
before=$(rate all/before.json by_logp rate) low=$(rate all/before.json by_logp rate_interval)
above 0.5 "$low" && above "$before" 0.4
ok "before DPO, a better completion is as likely as a worse one" || note "$before, at least $low"
low=$(rate all/reward.json by_reward rate_interval)
above "$low" 0.6
ok "after it, its reward is higher" || note "$(rate all/reward.json by_reward rate), at least $low"
after=$(rate all/after.json by_logp rate)
above "$after" "$before"
ok "and it is the likelier one more often" || note "$before before, $after after"
low=$(rate all/length.json by_logp rate_interval)
above 0.5 "$low" && above "$(rate all/length.json by_logp rate)" 0.4
ok "length does not tell" || note "$(rate all/length.json by_logp rate), at least $low"
grep -q 'the one of higher reward.*all rewards are 0' all/report.txt && grep -q 'lowest: .*\(awful\|bored\|horrible\|terrible\)' all/report.txt
ok "the report says so" || note "$(cat all/report.txt)"

# ---- what is made again

stamps all >want
ok "make once more" demo all
stamps all >got
same got want "makes nothing again"
ok "make with another setting of DPO" demo all DPO="--lr 5e-4 --max-steps 2"
stamps all >got
diff want got | sed -n 's/^> \([^ ]*\) .*/\1/p' >changed
cat >want <<'END'
all/after.json
all/policy.log
all/policy.settings
all/policy/config.json
all/policy/model.safetensors
all/policy/tokenizer.json
all/policy/tokenizer_config.json
all/report.txt
all/reward.json
all/test.policy.jsonl
all/test.policy.tsz
all/words.txt
END
same changed want "makes what depends on it again, and nothing else"

# ---- threads

ok "make with one thread" demo one TEXTS=48 PAIRS=24 TESTS=20 THREADS=1
ok "make with two" demo two TEXTS=48 PAIRS=24 TESTS=20 THREADS=2
diff -r one two >got 2>&1
ok "the same weights, log-probs and results, bit by bit" || note "$(head got)"
ok "make with another seed" demo other TEXTS=48 PAIRS=24 TESTS=20 SEED=2 \
	"$PWD/other/sft/model.safetensors" "$PWD/other/pairs.jsonl"
! cmp -s one/sft/model.safetensors other/sft/model.safetensors && ! cmp -s one/pairs.jsonl other/pairs.jsonl
ok "other weights, other text"
ok "make clean" demo one clean
is "$(ls one)" "" "leaves nothing"

finish
