#!/bin/sh
# dpo-step: runs that are killed, stopped and taken up again; runs as a chain of updates; the best of a run.
. "$(dirname "$0")/../lib.sh"
OMP_WAIT_POLICY=passive # other tests may want the processors too
export OMP_WAIT_POLICY

cat >config.json <<'EOF'
{"model_type":"llama","vocab_size":50,"hidden_size":16,"intermediate_size":20,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"initializer_range":0.1}
EOF
$PYTHON - <<'EOF'
import json, random
r = random.Random(3)
def some(low, high):
    return [r.randrange(50) for _ in range(r.randint(low, high))]
for path, n in ("train", 21), ("test", 10), ("other", 21):
    with open(path + ".jsonl", "w") as f:
        for i in range(n):
            print(json.dumps({"prompt": some(0, 9), "chosen": some(2, 12), "rejected": some(2, 12)}), file=f)
EOF
for f in train test other; do tstream import -o $f-tokens.tsz $f.jsonl; done
dpo-step -q --init config.json -o model --loss sft --lr 0 --max-steps 1 train-tokens.tsz &&
	for f in train test other; do ref-logp -q -m model -o $f.tsz $f-tokens.tsz || exit 1; done || exit 1

# A run with everything that has a state: shuffled epochs, bf16 moments, an average, a reference that follows,
# displacement, evaluations, lines of several steps.
full() { # OUT OPTION...
	out=$1
	shift
	dpo-step -q -m model -o "$out" --lr 3e-3 --batch-size 4 --epochs 6 --schedule cosine --warmup 3 --moments bf16 \
		--ema 0.9 --sync-ref 7:0.5 --on-displacement add-sft:0.1 --displacement 0 --eval test.tsz --eval-every 5 --best loss \
		--log-every 3 --log "$out.log" --log-records "$out.rec.gz" --log-tokens --emit "$out.tsz" "$@"
}

same_run() { # A B: the same weights, metrics and records
	zcat "$1.rec.gz" >a.rec && zcat "$2.rec.gz" >b.rec && cmp a.rec b.rec &&
		cmp "$1/model.safetensors" "$2/model.safetensors" && cmp "$1.log" "$2.log" && tstream export "$1.tsz" >a.out &&
		tstream export "$2.tsz" >b.out && cmp a.out b.out
}

full whole train.tsz && [ "$(zcat whole.rec.gz | wc -l)" -eq 126 ] && [ "$(grep -c eval_loss whole.log)" -eq 9 ] && [ ! -e whole.ckpt ]
ok "a run that keeps itself cleans up after it"

# ---- killed at any moment

cat >kill.py <<'EOF'
"""kill.py SEED INPUT COMMAND...: runs the command again and again with --resume and a pipe from INPUT, killing it
now and then."""
import random, subprocess, sys, time
r, path, command = random.Random(sys.argv[1]), sys.argv[2], sys.argv[3:]
killed = 0
while True:
    cat = subprocess.Popen(["cat", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    p = subprocess.Popen(command + ["--resume"], stdin=cat.stdout)
    cat.stdout.close()
    try:
        p.wait(r.uniform(0.005, 0.12 + killed * 0.002))  # longer and longer, so that it ends on a busy machine too
    except subprocess.TimeoutExpired:
        p.kill()
        killed += 1
    cat.wait()
    if p.wait() == 0:
        break
    assert p.returncode == -9, p.returncode
    assert killed < 500
print(killed)
EOF
declare_full() { # the arguments of full, for another program to run
	echo -m model -o killed --lr 3e-3 --batch-size 4 --epochs 6 --schedule cosine --warmup 3 --moments bf16 --ema 0.9 --sync-ref 7:0.5 \
		--on-displacement add-sft:0.1 --displacement 0 --eval test.tsz --eval-every 5 --best loss --log-every 3 --log killed.log \
		--log-records killed.rec.gz --log-tokens --emit killed.tsz
}
for seed in 1 2 3 4; do
	rm -rf killed killed.*
	# shellcheck disable=SC2046
	$PYTHON kill.py $seed /dev/null dpo-step -q $(declare_full) --checkpoint-every $seed train.tsz >>kills && same_run killed whole || echo $seed
done >got 2>&1
[ ! -s got ]
ok "killed anywhere and resumed: bit by bit the same" || note "$(cat got)"
[ "$($PYTHON -c 'print(sum(map(int, open("kills"))))')" -gt 3 ]
ok "and it was killed" || note "$(cat kills)"

# ---- stopped

wait_for() { # STEP: until that checkpoint of the run in $pid exists
	while [ ! -e "slow.ckpt/step-$(printf %012d "$1").tsz" ] && kill -0 $pid 2>/dev/null; do sleep 0.01; done
}

slow() { # one that takes a while
	exec dpo-step -m model -o slow --lr 1e-4 --batch-size 2 --epochs 100000 --log slow.log --checkpoint-every 50 "$@"
}
in_shell() {
	("$@")
}
for signal in TERM INT; do
	rm -rf slow slow.*
	# A shell's background jobs ignore SIGINT: Python's do not.
	$PYTHON -c 'import signal, subprocess, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
p = subprocess.Popen(sys.argv[1:], stderr=open("err", "w"))
open("pid", "w").write(str(p.pid))
sys.exit(p.wait())' dpo-step -m model -o slow --lr 1e-4 --batch-size 2 --epochs 100000 --log slow.log --checkpoint-every 50 train.tsz &
	job=$!
	while [ ! -s pid ]; do sleep 0.01; done
	pid=$(cat pid)
	rm pid
	wait_for 50
	kill -$signal "$pid"
	wait $job
	is $? 75 "SIG$signal: exit 75"
	step=$(sed -n "s/^dpo-step: stopped after step \([0-9]*\) of 1100000 by SIG$signal; --resume goes on from slow.ckpt\$/\1/p" err)
	[ -n "$step" ] && [ "$(ls slow.ckpt)" = "step-$(printf %012d "$step").tsz" ] && [ "$(wc -l <slow.log)" -eq "$step" ]
	ok "with a checkpoint, and says so" || note "$(cat err)" "$(ls slow.ckpt)"
done
exits 1 "another run is not begun over it" in_shell slow train.tsz
says "slow.ckpt holds a run that was left (step-" "and says why"
(slow --resume train.tsz) 2>err &
pid=$!
while [ ! -e slow.ckpt ] || ! grep -q 'going on after' err; do sleep 0.01; done
exits 1 "nor a second one beside it" in_shell slow --resume train.tsz
says "slow.ckpt: another run is at work in it" "and says why"
before=$(ls slow.ckpt)
kill -USR1 $pid
while [ "$(ls slow.ckpt)" = "$before" ]; do sleep 0.01; done
kill -0 $pid
ok "SIGUSR1: a checkpoint, and it goes on"
kill -9 $pid
wait $pid 2>/dev/null
exits 75 "--time-limit" in_shell slow --resume --time-limit 1 train.tsz
says "by the time limit; --resume goes on" "is said"

# ---- what must be the same

checkpoint=$(ls -d slow.ckpt/*)
refuses() { # WHAT SAYS OPTION...
	what=$1 text=$2
	shift 2
	exits 4 "resumed with another $what" dpo-step -q -m model -o slow --lr 1e-4 --batch-size 2 --epochs 100000 --log slow.log --resume "$@"
	says "$checkpoint: made with $text" "is refused by name"
}
refuses rate "--lr=0.0001, now it is --lr=0.001" --lr 1e-3 train.tsz
refuses loss "--loss=sigmoid, now it is --loss=hinge" --loss hinge train.tsz
refuses option "--no-shuffle=no, now it is --no-shuffle=yes" --no-shuffle train.tsz
refuses data "another data: " other.tsz
refuses evaluation "another data in --eval: none, now it is " --eval test.tsz train.tsz
dpo-step -q -m model -o model2 --lr 1e-2 --max-steps 1 train.tsz && ref-logp -q -m model2 -o train2.tsz train-tokens.tsz
exits 4 "resumed with another model" dpo-step -q -m model2 -o slow --lr 1e-4 --batch-size 2 --epochs 100000 --log slow.log --resume train2.tsz
says "$checkpoint: made with another model: " "is refused by name"
cp slow.log short.log
head -c 100 short.log >slow.log
exits 4 "a log that was cut" in_shell slow --resume train.tsz
says "slow.log: 100 bytes, where the run left" "is refused by name"
exits 0 "threads may change" dpo-step -q -m model -o other -@ 1 --lr 1e-3 --checkpoint-every 1 --keep 3 train.tsz
is "$(ls other.ckpt | tr '\n' ' ')" "step-000000000001.tsz step-000000000002.tsz " "--keep leaves the last ones, if there are so many"
rm -rf other.ckpt
dpo-step -q -m model -o other --lr 1e-3 --batch-size 2 --checkpoint-every 2 --keep 3 train.tsz
is "$(ls other.ckpt | tr '\n' ' ')" "step-000000000006.tsz step-000000000008.tsz step-000000000010.tsz " "and no others"
head -c 2000 other.ckpt/step-000000000010.tsz >cut && mv cut other.ckpt/step-000000000010.tsz
exits 3 "a damaged checkpoint" dpo-step -q -m model -o other --lr 1e-3 --batch-size 2 --resume train.tsz
says "other.ckpt/step-000000000010.tsz: " "is named"
rm -rf other.ckpt

# ---- from a pipe

exits 75 "data from a pipe" sh -c 'cat train.tsz | dpo-step -m model -o piped --lr 1e-3 --batch-size 2 --epochs 200000 --time-limit 1'
ls piped.ckpt | grep -q '^data-000000000000.tsz$'
ok "is kept"
exits 4 "is looked at again" sh -c 'dpo-step -m model -o piped --lr 1e-3 --batch-size 2 --epochs 300000 --resume </dev/null'
says "stdin is not read: piped.ckpt/data-000000000000.tsz has what it gave" "instead of the pipe"
says "made with --epochs=200000, now it is --epochs=300000" "and the run goes on"
rm -rf piped.ckpt
run=$(declare_full | sed 's/killed/piped/g')
# shellcheck disable=SC2086
$PYTHON kill.py 7 train.tsz dpo-step -q $run --checkpoint-every 2 >kills && same_run piped whole
ok "killed with a pipe" || note "$(cat kills)"

# ---- a chain of updates

link() { # FROM TO OPTION...: as whole, but for the best of it
	from=$1 to=$2
	shift 2
	dpo-step -q -m model ${from:+--apply "$from"} -o "$to" --lr 3e-3 --batch-size 4 --epochs 6 --schedule cosine --warmup 3 \
		--optimizer lion --moments int8 --ema 0.9 --sync-ref 7:0.5 --log-every 3 --log "$to.log" "$@" train.tsz
}
link "" one && link "" s1.tsz --steps 5 && link s1.tsz s2.tsz --steps 11 && link s2.tsz s3.tsz --steps 1 &&
	link s3.tsz last --steps 100 && cmp one/model.safetensors last/model.safetensors &&
	cat s1.tsz.log s2.tsz.log s3.tsz.log last.log | cmp - one.log
ok "a run in four calls is as in one"
tstream check --full s2.tsz >out && tstream head s2.tsz >out && grep -q '^run.step  *16$' out && grep -q '^schema  *update$' out
ok "an update is a stream" || note "$(cat out)"
link "" all.tsz && link s3.tsz all2.tsz --steps 100 && size=$(wc -c <all.tsz) && [ "$(wc -c <all2.tsz)" -gt $((2 * size)) ]
ok "without --steps it holds weights alone"
exits 1 "a run at its end" link all2.tsz no.tsz --steps 1
says "all2.tsz: the run is at its end already, after 36 steps" "says so"
exits 4 "an update that carries no run" link all.tsz no.tsz --steps 1
says "all.tsz: it does not carry a run; without --steps a new one begins with it" "says so"
exits 4 "another option" link s1.tsz no.tsz --steps 1 --clip 2
says "s1.tsz: made with --clip=1, now it is --clip=2" "is named"
exits 4 "an update of another model" dpo-step -q -m model2 --apply s1.tsz -o no --loss sft train.tsz
says "s1.tsz: an update of model" "is named"
exits 4 "data is no update" dpo-step -q -m model --apply train.tsz -o no --loss sft train.tsz
says "train.tsz: no update but a stream of pref.logps" "is named"
link s1.tsz - --steps 2 | tstream check --full - >out && grep -q whole out
ok "to standard output"
[ ! -e no ] && [ ! -e no.tsz ]
ok "nothing is left of those"

# ---- another run from an update

ok "an update to begin with" dpo-step -q -m model --apply all.tsz -o new --loss sft --lr 0 --max-steps 1 train.tsz
cmp -s new/model.safetensors one/model.safetensors
ok "is the model that it was made with"
ref-logp -q -m model --apply all.tsz --as start -o start.tsz train.tsz && ref-logp -q -m one --as start -o start2.tsz train.tsz &&
	tstream diff start.tsz start2.tsz >out
ok "ref-logp --apply computes with it too" || note "$(cat out)"
ok "and is its reference" dpo-step -q -m model --apply all.tsz -o new --reference start --lr 1e-3 start.tsz
exits 4 "the base's log-probs are not" dpo-step -q -m model --apply all.tsz -o no train.tsz
says "'logp.ref' comes from model" "and it says so"
exits 4 "nor does the gate believe them" dpo-step -q -m model --apply all.tsz -o no --allow-mismatch train.tsz

# ---- the best, and early ends

$PYTHON - <<'EOF'
import json
log = [json.loads(x) for x in open("whole.log")]
best = min((x for x in log if "eval_loss" in x), key=lambda x: x["eval_loss"])
json.dump(best, open("best.json", "w"))
EOF
dpo-step -m model -o overfit --lr 2e-2 --batch-size 4 --epochs 30 --eval test.tsz --eval-every 5 --best loss --patience 3 --log o.log \
	train.tsz 2>err && grep -q '^dpo-step: step [0-9]*: 3 evaluations since a better one: the run ends$' err &&
	ref-logp -q -m overfit --as policy test.tsz | evalwin --json --bootstrap 0 >best.json && $PYTHON - <<'EOF'
import json
log, got = [json.loads(x) for x in open("o.log")], json.load(open("best.json"))
evals = [x for x in log if "eval_loss" in x]
values = [x["eval_loss"] for x in evals]
at = values.index(min(values))
assert at == len(evals) - 4 and evals[at]["step"] < 100, values
assert abs(values[at] - got["loss"]) < 1e-5, (values[at], got["loss"])
assert log[-1]["step"] == evals[-1]["step"] < 180
EOF
ok "--best and --patience" || note "$(cat err)"
dpo-step -m model -o overfit --lr 2e-2 --batch-size 4 --epochs 10 --eval test.tsz --eval-every 5 --best accuracy --log o.log \
	train.tsz 2>err && ref-logp -q -m overfit --as policy test.tsz | evalwin --json --bootstrap 0 >best.json && $PYTHON - <<'EOF'
import json
got = json.load(open("best.json"))
most = max(x["eval_rewards/accuracies"] for x in map(json.loads, open("o.log")) if "eval_loss" in x)
assert abs(got["rewards/accuracies"] - most) < 1e-9, (got["rewards/accuracies"], most)
EOF
ok "--best accuracy" || note "$(cat err)"

# ---- displacement: rejected completions that begin as the chosen do, so that both fall

$PYTHON - <<'EOF'
import json, random
r = random.Random(5)
with open("near.jsonl", "w") as f:
    for i in range(40):
        c = [r.randrange(50) for _ in range(r.randint(4, 12))]
        print(json.dumps({"prompt": [1, 2], "chosen": c, "rejected": c[:-1] + [r.randrange(50)]}), file=f)
EOF
tstream import near.jsonl | ref-logp -q -m model -o near.tsz
fall() {
	dpo-step -m model -o fallen --lr 3e-2 --batch-size 8 --epochs 10 --log fall.log "$@" near.tsz 2>err
}
fall --on-displacement warn && [ "$(grep -c 'chosen completions became less likely than at the start' err)" -eq 1 ] &&
	grep -q 'by [0-9.]* nats a token (short ones [-0-9.]*, medium [-0-9.]*, long [-0-9.]*)$' err && [ "$(wc -l <fall.log)" -eq 50 ]
ok "--on-displacement warn" || note "$(cat err)"
cp fall.log warned.log
fall --on-displacement stop && grep -q ': the run ends$' err && [ "$(wc -l <fall.log)" -lt 50 ] &&
	head -n "$(wc -l <fall.log)" warned.log | cmp - fall.log
ok "--on-displacement stop" || note "$(cat err)"
for what in add-sft:1 dpop:2; do
	fall --on-displacement $what && grep -q ': the loss gets a further term$' err && $PYTHON - <<'EOF'
import json
a, b = ([json.loads(x)["logps/chosen"] for x in open(p)] for p in ("warned.log", "fall.log"))
assert sum(b[-5:]) > sum(a[-5:]) + 10, (a[-5:], b[-5:])
EOF
	ok "--on-displacement $what holds them" || note "$(cat err)"
done

# ---- what makes no sense

while read -r says options; do
	# shellcheck disable=SC2086
	dpo-step -m model $options train.tsz >out 2>err
	[ $? -eq 2 ] && [ ! -s out ] && [ "$(head -n 1 err)" = "dpo-step: $(echo "$says" | tr _ ' ')" ] ||
		note "$options: $(head -n 1 err)"
done >got <<'EOF'
a_run_with_checkpoints_needs_an_OUT_with_a_name -o - --checkpoint-every 1
--keep_has_no_effect_without_--checkpoint-every,_--time-limit,_--best_or_--resume -o no --keep 2
--best_has_no_effect_without_--eval -o no --best loss
--patience_has_no_effect_without_--best_and_--eval-every -o no --eval test.tsz --eval-every 1 --patience 1
--patience_has_no_effect_without_--best_and_--eval-every -o no --eval test.tsz --best loss --patience 1
--steps_and_--best_contradict_each_other -o no.tsz --steps 1 --best loss --eval test.tsz
only_one_of_-o,_--log,_--log-records_and_--emit_can_be_standard_output -o - --log -
--beta1_has_no_effect_with_--optimizer_rmsprop -o no --optimizer rmsprop --beta1 0.5
--eps_has_no_effect_with_--optimizer_lion -o no --optimizer lion --eps 1
--moments_has_no_effect_with_--optimizer_adafactor -o no --optimizer adafactor --moments int8
--displacement_has_no_effect_without_--on-displacement -o no --displacement 1
--on-displacement_has_no_effect_with_a_loss_that_needs_no_reference -o no --loss sft --on-displacement warn
--on-displacement:_sft_is_in_--loss_already -o no --loss sigmoid,sft --on-displacement add-sft:1
--on-displacement:_'panic'_is_none_of_warn,_stop,_add-sft:W,_dpop:W -o no --on-displacement panic
--on-displacement:_'0'_is_no_weight_above_0 -o no --on-displacement dpop:0
--sync-ref:_'7'_is_not_STEPS:SHARE_with_a_share_above_0_and_up_to_1 -o no --sync-ref 7
--sync-ref:_'7:2'_is_not_STEPS:SHARE_with_a_share_above_0_and_up_to_1 -o no --sync-ref 7:2
--sync-ref_has_no_effect_with_a_loss_that_needs_none -o no --loss sft --sync-ref 7:0.5
EOF
[ ! -s got ]
ok "options without effect are errors" || cat got
exits 5 "--max-mem" dpo-step -m model -o no --max-mem 1 --micro-tokens 100000 --batch-size 21 train.tsz
says "GiB of memory are needed, --max-mem allows 0.00" "is kept to"

finish
