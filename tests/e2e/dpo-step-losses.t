#!/bin/sh
# dpo-step --loss: every loss on the records that it takes, against its formula; lists, modifiers, what is refused.
. "$(dirname "$0")/../lib.sh"
OMP_WAIT_POLICY=passive # other tests may want the processors too
export OMP_WAIT_POLICY

# ---- a tiny model; pairs, labels with probes, single labels, rankings

cat >config.json <<'EOF'
{"model_type":"llama","vocab_size":50,"hidden_size":16,"intermediate_size":20,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"initializer_range":0.1}
EOF
$PYTHON - <<'EOF'
import json, random
r = random.Random(2)
def some(low, high):
    return [r.randrange(50) for _ in range(r.randint(low, high))]
def write(name, rows):
    with open(name + ".jsonl", "w") as f:
        for row in rows:
            print(json.dumps(row), file=f)
write("pairs", [{"prompt": some(1, 9), "chosen": some(2, 12), "rejected": some(2, 12)} for _ in range(13)])
write("probes", [{"prompt": some(1, 9), "completions": [some(2, 12), some(2, 12)], "label": [int(i % 3 != 0), -1]}
                 for i in range(13)])
write("labels", [{"prompt": some(1, 9), "completions": [some(2, 12)], "label": [int(i % 3 != 0)]} for i in range(13)])
write("ranks", [{"prompt": some(1, 9), "completions": [some(2, 12) for _ in range(2 + i % 3)]} for i in range(13)])
EOF
tstream import -o pairs-tokens.tsz pairs.jsonl &&
	dpo-step -q --init config.json -o model --loss sft --lr 0 --max-steps 1 pairs-tokens.tsz || exit 1
for f in pairs probes labels ranks; do
	tstream import $f.jsonl | ref-logp -q -m model -o $f.tsz || exit 1
done

losses=$(dpo-step --loss nonsense 2>&1 | sed -n '1s/.*none of //p' | tr -d ,)
[ "$(echo "$losses" | wc -w)" -ge 26 ]
ok "a loss that is none is told which there are"

dpo-step --loss help >help && [ "$(wc -l <help)" -eq $((2 * $(echo "$losses" | wc -w))) ]
ok "--loss help"
while read -r name _ && read -r line; do
	sed -n "/^\.It Cm $name\$/,/^\.It/p" "$root/man/preflosses.7" | grep -qxF -e "$line" || echo "$name: $line"
done <help >got
[ ! -s got ]
ok "the manual has the same table" || note "$(cat got)"

records() { # LOSS: which of the streams it takes
	case $1 in
	kto) echo probes ;;
	bco | apo_zero) echo labels ;;
	plackett_luce) echo ranks ;;
	*) echo pairs ;;
	esac
}

# ---- each by its formula, at the first step and later; the emitted stream says what it saw

cat >formula.py <<'EOF'
"""formula.py LOSS: each line of the log against the loss of the batch's records, by the emitted stream."""
import json, math, statistics, sys
name = sys.argv[1]
log, rows = ([json.loads(x) for x in open(p)] for p in ("log", "emit.out"))
LS = lambda x: -math.log1p(math.exp(-x)) if x >= 0 else x - math.log1p(math.exp(x))
S = lambda x: math.exp(LS(x))
log1mexp = lambda a: math.log(-math.expm1(a)) if a > -math.log(2) else math.log1p(-math.exp(a))
delta_sum = delta_count = 0.0

def pair(r):
    (tw, tl), (qw, ql) = r["tlogp.policy"], r["logp.ref"]  # their sums are rounded in logp.policy
    pw, pl, nw, nl = sum(tw), sum(tl), len(tw), len(tl)
    return pw, pl, qw, ql, nw, nl

def by_pair(f):
    return lambda batch: statistics.fmean(f(*pair(r)) for r in batch)

def nll(batch):
    done = [t for r in batch for t in r["tlogp.policy"][0]]
    return -sum(done) / len(done)

def sorted_by(left, right):
    def f(batch):
        a, b = sorted(map(left, batch)), sorted(map(right, batch))
        return statistics.fmean(-LS(.1 * (x - y)) for x, y in zip(a, b))
    return f

def kto(batch):
    r = [(x["logp.policy"][0] - x["logp.ref"][0], x["label"][0] > 0) for x in batch]
    kl = max(0, statistics.fmean(x["logp.policy"][1] - x["logp.ref"][1] for x in batch))
    assert abs(kl - log[at]["kl"]) < 1e-5
    return statistics.fmean(1 - S(.1 * (x - kl)) if good else 1 - S(.1 * (kl - x)) for x, good in r)

def bco(batch):
    global delta_sum, delta_count
    r = [(.1 * (x["logp.policy"][0] - x["logp.ref"][0]), x["label"][0] > 0) for x in batch]
    delta_sum += sum(x for x, _ in r)
    delta_count += len(r)
    d = delta_sum / delta_count
    assert abs(d - log[at]["delta"]) < 1e-5, (d, log[at]["delta"])
    return statistics.fmean(-LS(x - d) if good else -LS(d - x) for x, good in r)

def apo_zero(batch):
    return statistics.fmean((1 - S(x) if x_good else S(x)) for x, x_good in (
        (.1 * (x["logp.policy"][0] - x["logp.ref"][0]), x["label"][0] > 0) for x in batch))

def plackett_luce(batch):
    sum_ = 0
    for x in batch:
        h = [.1 * (p - q) for p, q in zip(x["logp.policy"], x["logp.ref"])]
        sum_ += sum(math.log(sum(map(math.exp, h[i:]))) - h[i] for i in range(len(h)))
    return sum_ / len(batch)

def exo(pw, pl, qw, ql, nw, nl):
    x, e = .1 * (pw - qw - pl + ql), 1e-3
    return S(x) * (LS(x) - math.log(1 - e)) + S(-x) * (LS(-x) - math.log(e))

def discopop(pw, pl, qw, ql, nw, nl):
    x = .1 * (pw - qw - pl + ql)
    m = S(x / .05)
    return -LS(x) * (1 - m) + math.exp(-x) * m

def orpo(batch):
    def odds(pw, pl, qw, ql, nw, nl):
        aw, al = pw / nw, pl / nl
        return -.1 * LS(aw - al - log1mexp(aw) + log1mexp(al)) - aw
    return by_pair(odds)(batch)

def alphapo(pw, pl, qw, ql, nw, nl):
    r = lambda a: (1 - math.exp(-.25 * a)) / .25
    return -LS(2 * (r(pw / nw) - r(pl / nl)) - .5)

x = lambda pw, pl, qw, ql, *_: .1 * (pw - qw - pl + ql)
formulas = {
    "sigmoid": by_pair(lambda *a: -LS(x(*a))),
    "hinge": by_pair(lambda *a: max(0, 1 - x(*a))),
    "ipo": by_pair(lambda pw, pl, qw, ql, nw, nl: ((pw - qw) / nw - (pl - ql) / nl - 5) ** 2),
    "ipo_sum": by_pair(lambda *a: (x(*a) / .1 - 5) ** 2),
    "exo_pair": by_pair(exo),
    "nca_pair": by_pair(lambda pw, pl, qw, ql, *_: -LS(.1 * (pw - qw)) - .5 * LS(-.1 * (pw - qw)) - .5 * LS(-.1 * (pl - ql))),
    "robust": by_pair(lambda *a: -LS(x(*a))),
    "bco_pair": by_pair(lambda pw, pl, qw, ql, *_: -LS(.1 * (pw - qw)) - LS(-.1 * (pl - ql))),
    "sppo_hard": by_pair(lambda pw, pl, qw, ql, *_: (pw - qw - 5) ** 2 + (pl - ql + 5) ** 2),
    "aot": sorted_by(lambda r: pair(r)[0] - pair(r)[1], lambda r: pair(r)[2] - pair(r)[3]),
    "aot_unpaired": sorted_by(lambda r: pair(r)[0] - pair(r)[2], lambda r: pair(r)[1] - pair(r)[3]),
    "apo_zero": apo_zero,
    "apo_down": by_pair(lambda pw, pl, qw, ql, *_: S(.1 * (pw - qw)) + 1 - S(.1 * (pw - qw - pl + ql))),
    "discopop": by_pair(discopop),
    "sft": nll,
    "sigmoid_norm": by_pair(lambda pw, pl, qw, ql, nw, nl: -LS(5 * ((pw - qw) / nw - (pl - ql) / nl))),
    "simpo": by_pair(lambda pw, pl, qw, ql, nw, nl: -LS(2 * (pw / nw - pl / nl) - .5)),
    "cpo": lambda b: by_pair(lambda pw, pl, *_: -LS(.1 * (pw - pl)))(b) + nll(b),
    "orpo": orpo,
    "alphapo": by_pair(alphapo),
    "slic": by_pair(lambda pw, pl, *_: max(0, 1 - pw + pl) - .1 * pw),
    "dpop": by_pair(lambda pw, pl, qw, ql, *_: -LS(.1 * (pw - qw - pl + ql - 50 * max(0, qw - pw)))),
    "floor": by_pair(lambda pw, pl, qw, ql, *_: max(0, qw - pw)),
    "sigmoid,floor:50": by_pair(lambda pw, pl, qw, ql, *_: -LS(.1 * (pw - qw - pl + ql)) + 50 * max(0, qw - pw)),
    "kto": kto,
    "bco": bco,
    "plackett_luce": plackett_luce,
    "sigmoid:1,sft:0.2": lambda b: formulas["sigmoid"](b) + .2 * nll(b),
    "sigmoid:0.8,bco_pair:0.2,sft": lambda b: .8 * formulas["sigmoid"](b) + .2 * formulas["bco_pair"](b) + nll(b),
}
assert len(log) == 8
first = 0
for at, line in enumerate(log):
    n = 1 if at % 4 == 3 else 4
    want = formulas[name](rows[first:first + n])
    first += n
    assert abs(line["loss"] - want) <= 2e-5 * max(1, abs(want)), (at, line["loss"], want)
    assert 0 < line["grad_norm"] < 1e4 or name in ("hinge", "slic", "floor"), line
assert first == len(rows) == 26
EOF
for l in $losses sigmoid:1,sft:0.2 sigmoid:0.8,bco_pair:0.2,sft sigmoid,floor:50; do
	emit=$([ $l = sft ] || echo "--emit emit.tsz")
	# shellcheck disable=SC2086
	dpo-step -q -m model -o out.d --loss $l --lr 3e-4 --epochs 2 --batch-size 4 --log log $emit $(records "$l").tsz &&
		if [ $l = sft ]; then
			continue
		fi && tstream export emit.tsz >emit.out && $PYTHON formula.py "$l"
	ok "$l"
done

# ---- a loss over the batch sees all of it; any loss learns

for l in aot aot_unpaired kto bco "kto:1,sft:0.1" sigmoid; do
	for micro in 1 40 100000; do
		dpo-step -q -m model -o out.$micro --loss "$l" --lr 1e-3 --epochs 3 --batch-size 6 --micro-tokens $micro --log log.$micro \
			$(records "${l%%:*}").tsz
	done
	$PYTHON - <<'EOF'
import json
for rows in zip(*(open("log.%s" % x) for x in ("1", "40", "100000"))):
    a, *others = map(json.loads, rows)
    for b in others:
        for k in "loss", "grad_norm", "logps/chosen":
            assert abs(a[k] - b[k]) <= 1e-4 * max(1, abs(a[k])), (k, a[k], b[k])
EOF
	ok "$l in parts is as in one"
done
for l in $losses; do
	case $l in sft | floor) continue ;; esac
	dpo-step -q -m model -o out.d --loss $l --lr 1e-2 --epochs 8 --batch-size 13 --log log --eval $(records $l).tsz \
		$(records $l).tsz && $PYTHON - "$l" <<'EOF'
import json, sys
evals = [x for x in map(json.loads, open("log")) if "eval_loss" in x]
first, last = evals[0], evals[-1]
if not last["eval_loss"] < first["eval_loss"]:
    print("%s: loss from %g to %g" % (sys.argv[1], first["eval_loss"], last["eval_loss"]))
gap = lambda x: x["eval_rewards/chosen"] - x["eval_rewards/rejected"]
if sys.argv[1] != "discopop" and not gap(last) > gap(first) + 0.01:  # which begins with a step back
    print("%s: margin from %g to %g" % (sys.argv[1], gap(first), gap(last)))
EOF
done >got 2>&1
[ ! -s got ]
ok "each loss falls, and rewards part" || note "$(cat got)"

# ---- parameters and modifiers

first_loss() { # STREAM OPTION...: the loss of the first step
	stream=$1
	shift
	dpo-step -q -m model -o out.d --batch-size 13 --max-steps 1 --log - "$@" "$stream" | sed 's/.*"loss":\([^,]*\),.*/\1/'
}

near() { # GOT WANT NAME
	$PYTHON -c 'import math, sys; a, b = float(sys.argv[1]), eval(sys.argv[2]); sys.exit(not abs(a - b) < 1e-4 * max(1, abs(b)))' "$1" "$2"
	result $? "$3" || note "got $1, want $2"
}

near "$(first_loss pairs.tsz --beta 0.5 --loss ipo)" "1 / (4 * .5 ** 2)" "--beta"
near "$(first_loss pairs.tsz --label-smoothing 0.2)" "math.log(2)" "--label-smoothing"
near "$(first_loss pairs.tsz --loss discopop --tau 1)" "(math.log(2) + 1) / 2" "--tau"
near "$(first_loss probes.tsz --loss kto --desirable 3 --undesirable 0.5)" "(3 * 8 + 0.5 * 5) / 13 / 2" "--desirable, --undesirable"
near "$(first_loss pairs.tsz --f-divergence forward_kl --loss hinge)" "1" "--f-divergence"
near "$(first_loss pairs.tsz --f-divergence alpha_divergence --f-alpha 0.3)" "math.log(2)" "--f-alpha"
near "$(first_loss pairs.tsz --loss sigmoid:3)" "3 * math.log(2)" "a weight"
tstream export pairs.tsz >pairs.out
$PYTHON - <<'EOF' >want
import json, math, statistics
rows = [json.loads(x) for x in open("pairs.out")]
n = lambda r: (len(r["chosen"]), len(r["rejected"]))
print(statistics.fmean(math.log1p(math.exp(-.1 * (r["logp.ref"][0] - r["logp.ref"][1]))) for r in rows))
w = [math.log1p(math.exp(-(4 * (r["logp.ref"][0] / n(r)[0] - r["logp.ref"][1] / n(r)[1]) - 1.5))) for r in rows]
print(statistics.fmean(w))
EOF
near "$(first_loss pairs.tsz --reference-free)" "$(sed -n 1p want)" "--reference-free"
for l in aot aot_unpaired bco_pair plackett_luce; do
	first_loss pairs.tsz --loss $l --reference-free
done >got
[ "$(wc -l <got)" -eq 4 ]
ok "of others too"
near "$(first_loss pairs.tsz --loss simpo --beta 4 --gamma 1.5)" "$(sed -n 2p want)" "--gamma"
ref-logp -q -m model --no-tokens --as few -o few.tsz pairs.tsz
exits 4 "--ld-alpha without the reference's tokens" dpo-step -q -m model -o no --ld-alpha 0.5 --reference few few.tsz
says "--ld-alpha needs 'tlogp.few'; ref-logp adds it without --no-tokens" "says what is missing"
near "$(first_loss pairs.tsz --ld-alpha 0.5)" "math.log(2)" "--ld-alpha starts at ln 2, as both sides have it"
dpo-step -q -m model -o out.d --ld-alpha 0 --lr 1e-3 --epochs 2 --batch-size 13 --emit emit.tsz --log log pairs.tsz &&
	tstream export emit.tsz >emit.out && $PYTHON - <<'EOF'
import json, math, statistics
log, rows = ([json.loads(x) for x in open(p)] for p in ("log", "emit.out"))
def h(r):
    m = min(map(len, r["tlogp.policy"]))
    d = [sum(p[:m]) - sum(q[:m]) for p, q in zip(r["tlogp.policy"], r["tlogp.ref"])]
    return .1 * (d[0] - d[1])
want = statistics.fmean(math.log1p(math.exp(-h(r))) for r in rows[13:])
assert abs(log[1]["loss"] - want) < 1e-5 and abs(want - math.log(2)) > 1e-3, (log[1]["loss"], want)
EOF
ok "--ld-alpha: tails count less on both"
wpo=$(first_loss pairs.tsz --wpo)
$PYTHON -c 'import math, sys; sys.exit(not 0.001 < float(sys.argv[1]) < math.log(2) * 1.5)' "$wpo"
ok "--wpo weighs pairs" || note "$wpo"

# ---- records of other kinds

ls >before
takes() { # LOSS STREAM SAYS
	exits 4 "$1 on $2" dpo-step -q -m model -o no --loss "$1" "$2.tsz"
	says "completion" "names the record"
	says "$3" "and what it takes"
}
takes sigmoid ranks "the loss takes pairs"
takes sigmoid labels "the loss takes pairs"
takes kto pairs "the loss takes a completion with a label and a probe (pref-fmt --probes)"
takes kto labels "the loss takes a completion with a label and a probe (pref-fmt --probes)"
takes bco probes "the loss has no use for probes"
takes plackett_luce labels "the loss takes two completions or more"
takes bco ranks "the loss takes pairs, or single completions with a label"

# ---- what has no effect or no meaning

while read -r options; do
	# shellcheck disable=SC2086
	dpo-step -m model -o no $options pairs.tsz >out 2>err
	[ $? -eq 2 ] && [ ! -s out ] && echo "$options: $(head -n 1 err | cut -c 11-)"
done >got <<'EOF'
--loss sft --beta 0.1
--loss sigmoid --tau 0.1
--loss sigmoid --gamma 1
--loss hinge --label-smoothing 0.1
--loss ipo --nll 1
--loss cpo --f-divergence js_divergence
--loss nca_pair --f-divergence js_divergence
--f-alpha 0.5
--f-divergence js_divergence --f-alpha 0.5
--loss exo_pair --label-smoothing 0
--loss kto --ld-alpha 0.5
--loss kto,sigmoid
--loss plackett_luce,sigmoid
--loss sigmoid,sigmoid
--loss sigmoid:0
--loss sigmoid:x
--loss sigmoid:-1
--loss sigmoid:
--loss ,
--loss simpo --reference-free
--loss simpo --reference ref
--reference-free --reference ref
--beta 0
EOF
cat >want <<'EOF'
--loss sft --beta 0.1: --beta has no effect with this loss
--loss sigmoid --tau 0.1: --tau has no effect with this loss
--loss sigmoid --gamma 1: --gamma has no effect with this loss
--loss hinge --label-smoothing 0.1: --label-smoothing has no effect with this loss
--loss ipo --nll 1: --nll has no effect with this loss
--loss cpo --f-divergence js_divergence: --f-divergence has no meaning for loss cpo
--loss nca_pair --f-divergence js_divergence: --f-divergence has no meaning for loss nca_pair
--f-alpha 0.5: --f-alpha has no effect without --f-divergence alpha_divergence
--f-divergence js_divergence --f-alpha 0.5: --f-alpha has no effect without --f-divergence alpha_divergence
--loss exo_pair --label-smoothing 0: --label-smoothing: exo_pair needs one above 0
--loss kto --ld-alpha 0.5: --ld-alpha has no meaning for loss kto
--loss kto,sigmoid: these losses take records of different kinds
--loss plackett_luce,sigmoid: these losses take records of different kinds
--loss sigmoid,sigmoid: --loss: a loss is named twice
--loss sigmoid:0: --loss: '0' is no weight above 0
--loss sigmoid:x: --loss: 'x' is no weight above 0
--loss sigmoid:-1: --loss: '-1' is no weight above 0
--loss sigmoid:: --loss: '' is no weight above 0
--loss simpo --reference-free: --reference-free has no meaning for loss simpo
--loss simpo --reference ref: --reference has no effect with a loss that needs none
--reference-free --reference ref: --reference has no effect with a loss that needs none
--beta 0: --beta: 0 is not above 0 to 1e+06
EOF
grep -v '^--loss ,' got >got.rest
same got.rest want "options without effect or meaning are errors"
grep -q "^--loss ,: --loss: '' is none of sigmoid, " got
ok "a name is needed"
ls | grep -v '^\(out\|err\|got\|got.rest\|want\)$' | grep -vxF -f before >extra
[ "$(cat extra)" = extra ] || [ ! -s extra ]
ok "and nothing is written" || note "$(cat extra)"
finish
