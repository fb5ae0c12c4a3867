#!/bin/sh
# dpo-step --dry-sweep: losses over betas without a model, against formulas of the test's own and their differences.
. "$(dirname "$0")/../lib.sh"

# ---- log-probs of no model: pairs with ties and far outliers, labels with probes, single labels, rankings

$PYTHON - <<'EOF'
import json, random
r = random.Random(11)
def some(n):
    return [r.randrange(50) for _ in range(n)]
def write(name, n, lengths, labels=lambda i: None):
    with open(name + ".jsonl", "w") as f:
        for i in range(n):
            ns = lengths(i)
            row = {"prompt": some(3), "completions": [some(k) for k in ns]}
            for column in "policy", "ref":
                row["tlogp." + column] = [[-r.expovariate(.5) for _ in range(k)] for k in ns]
                if i == 5:  # this one is far off
                    k = (column == "ref") % len(ns)
                    row["tlogp." + column][k] = [-9.0] * ns[k]
                row["logp." + column] = [sum(t) for t in row["tlogp." + column]]
            if labels(i):
                row["label"] = labels(i)
            print(json.dumps(row), file=f)
write("pairs", 23, lambda i: [r.randint(1, 9), r.randint(1, 9)])
write("probes", 19, lambda i: [r.randint(1, 9), r.randint(1, 9)], lambda i: [int(i % 3 != 0), -1])
write("labels", 17, lambda i: [r.randint(1, 9)], lambda i: [int(i % 4 != 0)])
write("ranks", 11, lambda i: [r.randint(1, 9) for _ in range(2 + i % 3)])
EOF
for f in pairs probes labels ranks; do
	tstream import -o $f.tsz $f.jsonl && tstream export $f.tsz >$f.rows || exit 1
done

cat >check.py <<'EOF'
"""check.py RECORDS SWEEP [OPTION=X...]: the JSON of a sweep, against formulas and their central differences."""
import json, math, sys
rows, got = [json.loads(x) for x in open(sys.argv[1])], json.load(open(sys.argv[2]))
option = dict(label_smoothing=0., gamma=.5, tau=.05, alpha=.25, penalty=50., nll=None, desirable=1., undesirable=1.,
              divergence=None, ld=1., free=0., order=None)
for a in sys.argv[3:]:
    k, x = a.split("=")
    option[k] = x if k in ("divergence", "order") else float(x)
e, g = option["label_smoothing"], option["gamma"]
LS = lambda x: -math.log1p(math.exp(-x)) if x >= 0 else x - math.log1p(math.exp(x))
S = lambda x: math.exp(LS(x))
log1mexp = lambda a: math.log(-math.expm1(a)) if a > -math.log(2) else math.log1p(-math.exp(a))
smooth = lambda x: -(1 - e) * LS(x) - e * LS(-x)
mean = lambda x: sum(x) / len(x)
score = {None: lambda r: r, "js_divergence": LS, "forward_kl": lambda r: -math.exp(-r)}[option["divergence"]]

class Item:
    def __init__(self, row):
        self.id, self.label = row["id"], row.get("label")
        tokens = row["tlogp.policy"]
        self.n = [len(t) for t in tokens]
        shortest = min(self.n) if len(self.n) == 2 else 10 ** 9
        weigh = lambda name: [sum(t[:shortest]) + option["ld"] * sum(t[shortest:]) if option["ld"] != 1 else s
                              for t, s in zip(row["tlogp." + name], row["logp." + name])]
        self.raw = row["logp.policy"]
        self.less = [a - b for a, b in zip(self.raw, weigh("policy"))]
        self.q = [0.] * len(self.n) if option["free"] or "logp.ref" not in row else weigh("ref")
    p = property(lambda i: [a - b for a, b in zip(i.raw, i.less)])
    r = property(lambda i: [p - q for p, q in zip(i.p, i.q)])
    s = property(lambda i: [score(x) for x in i.r])
    a = property(lambda i: [p / n for p, n in zip(i.p, i.n)])
    good = property(lambda i: i.label[0] > 0)
    x = property(lambda i: i.s[0] - i.s[1])

tokens = lambda batch: -sum(i.raw[0] for i in batch) / sum(i.n[0] for i in batch)
each = lambda f: lambda b, batch, state: mean([f(b, i) for i in batch])
odds = lambda a: a - log1mexp(a)
def nll(default):
    return default if option["nll"] is None else option["nll"]
def exo(b, i):
    s = e or 1e-3
    return S(b * i.x) * (LS(b * i.x) - math.log(1 - s)) + S(-b * i.x) * (LS(-b * i.x) - math.log(s))
def discopop(b, i):
    m = S(b * i.x / option["tau"])
    return -LS(b * i.x) * (1 - m) + math.exp(-b * i.x) * m
def alphapo(b, i):
    reward = lambda a: (1 - math.exp(-option["alpha"] * a)) / option["alpha"]
    return smooth(b * (reward(i.a[0]) - reward(i.a[1])) - g)
def sorted_by(left, right):
    return lambda b, batch, state: mean([smooth(b * (x - y)) for x, y in
                                         zip(sorted(map(left, batch)), sorted(map(right, batch)))])
def kto(b, batch, state):
    if state.fixed is None:
        state.fixed = max(0, mean([i.r[1] for i in batch]))
    return mean([option["desirable"] * S(-b * (i.r[0] - state.fixed)) if i.good else
                 option["undesirable"] * S(b * (i.r[0] - state.fixed)) for i in batch])
def bco(b, batch, state):
    if state.fixed is None:
        state.seen += [b * r for i in batch for r in i.r]
        state.fixed = mean(state.seen)
    sides = lambda i: [(i.r[0], i.good)] if len(i.p) == 1 else [(i.r[0], True), (i.r[1], False)]
    return sum(-LS(b * r - state.fixed) if good else -LS(state.fixed - b * r) for i in batch for r, good in sides(i)) / len(batch)
def ranking(b, i):
    h = [b * r for r in i.r]
    return sum(math.log(sum(math.exp(x - h[k]) for x in h[k:])) for k in range(len(h)))
def apo_zero(b, i):
    if len(i.p) == 1:
        return S(-b * i.r[0] if i.good else b * i.r[0])
    return S(-b * i.r[0]) + S(b * i.r[1])

losses = {
    "sigmoid": each(lambda b, i: smooth(b * i.x)),
    "hinge": each(lambda b, i: max(0, 1 - b * i.x)),
    "ipo": each(lambda b, i: (i.s[0] / i.n[0] - i.s[1] / i.n[1] - .5 / b) ** 2),
    "ipo_sum": each(lambda b, i: (i.x - .5 / b) ** 2),
    "exo_pair": each(exo),
    "nca_pair": each(lambda b, i: -LS(b * i.r[0]) - .5 * LS(-b * i.r[0]) - .5 * LS(-b * i.r[1])),
    "robust": each(lambda b, i: (-(1 - e) * LS(b * i.x) + e * LS(-b * i.x)) / (1 - 2 * e)),
    "bco_pair": each(lambda b, i: -LS(b * i.r[0]) - LS(-b * i.r[1])),
    "sppo_hard": each(lambda b, i: (i.r[0] - .5 / b) ** 2 + (i.r[1] + .5 / b) ** 2),
    "aot": sorted_by(lambda i: i.p[0] - i.p[1], lambda i: i.q[0] - i.q[1]),
    "aot_unpaired": sorted_by(lambda i: i.r[0], lambda i: i.r[1]),
    "apo_zero": each(apo_zero),
    "apo_down": each(lambda b, i: S(b * i.r[0]) + S(-b * (i.r[0] - i.r[1]))),
    "discopop": each(discopop),
    "sft": lambda b, batch, state: tokens(batch),
    "sigmoid_norm": each(lambda b, i: -LS(b * (i.s[0] / i.n[0] - i.s[1] / i.n[1]))),
    "simpo": each(lambda b, i: smooth(b * (i.a[0] - i.a[1]) - g)),
    "cpo": lambda b, batch, state: mean([smooth(b * (i.p[0] - i.p[1])) for i in batch]) + nll(1) * tokens(batch),
    "orpo": each(lambda b, i: -b * LS(odds(i.a[0]) - odds(i.a[1])) - nll(1) * i.a[0]),
    "alphapo": each(alphapo),
    "slic": each(lambda b, i: max(0, b - i.p[0] + i.p[1]) - nll(.1) * i.p[0]),
    "dpop": each(lambda b, i: -LS(b * (i.r[0] - i.r[1] - option["penalty"] * max(0, -i.r[0])))),
    "floor": each(lambda b, i: max(0, -i.r[0])),
    "kto": kto,
    "bco": bco,
    "plackett_luce": each(ranking),
}
losses["sigmoid:2,sft:0.5"] = lambda b, batch, state: 2 * losses["sigmoid"](b, batch, state) + .5 * tokens(batch)

def side(item, c):
    if item.label and (len(item.p) == 1 or item.label[-1] == -1):
        return None if c else int(not item.good)
    return 0 if c == 0 else 1 if c == len(item.p) - 1 else None

class State:
    seen, fixed = [], None

def sweep(name, b):
    items, size = [Item(x) for x in rows], got["batch_size"]
    if option["order"]:
        at = {i.id: i for i in items}
        items = [at[x.strip()] for x in open(option["order"])]
    sums, of, sides, weights, state = 0, 0, ([], []), {}, State()
    state.seen = []
    for first in range(0, len(items), size):
        batch = items[first:first + size]
        state.fixed = None
        count = sum(i.n[0] for i in batch) if name == "sft" else len(batch)
        sums += count * losses[name](b, batch, state)
        of += count
        for i in batch:
            for c in range(len(i.p)):
                if name == "sft" and c:
                    continue
                was, h, values = i.raw[c], 1e-5, []
                for p in was + h, was - h:
                    i.raw[c] = p
                    values.append(losses[name](b, batch, state))
                i.raw[c] = was
                d = abs(values[0] - values[1]) / (2 * h) * len(batch)
                weights[i.id] = weights.get(i.id, 0) + d
                if side(i, c) is not None:
                    sides[side(i, c)].append(d)
    return sums / of, sides, weights

def near(what, a, b, tolerance=1e-5):
    assert abs(a - b) <= tolerance * max(1e-3, abs(b)), (cell["loss"], cell["beta"], what, a, b)

assert got["records"] == len(rows)
for cell in got["sweep"]:
    loss, sides, weights = sweep(cell["loss"], cell["beta"])
    near("loss", cell["mean"], loss)
    for key, d in zip(("chosen", "rejected"), sides):
        near(key, cell["gradient/" + key], mean(d)) if d else None
        assert d or cell["gradient/" + key] is None
    w = list(weights.values())
    near("effective", cell["effective"], sum(w) ** 2 / sum(x * x for x in w) if any(w) else 0, 1e-4)
    assert len(cell["heaviest"]) == min(3, sum(x > 1e-12 for x in w)), (cell, w)
    heaviest = sorted(w, reverse=True)
    for k, h in enumerate(cell["heaviest"]):
        near("share", h["share"], weights[h["id"]] / sum(w), 1e-4)
        near("rank", h["share"], heaviest[k] / sum(w), 1e-4)
print(len(got["sweep"]))
EOF
matches() { # NAME CELLS FILE OPTION... [-- FORMULA-OPTION...]
	name=$1 cells=$2 file=$3
	shift 3
	with=
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		with="$with $1"
		shift
	done
	[ $# -eq 0 ] || shift
	# shellcheck disable=SC2086
	dpo-step --dry-sweep --json $with $file.tsz >sweep.json 2>err &&
		$PYTHON check.py $file.rows sweep.json "$@" >cells 2>>err && [ "$(cat cells)" -eq "$cells" ]
	ok "$name" || note "$(cat err cells)"
}

# ---- every loss, its value, gradients, weights

matches "all on pairs" 117 pairs --no-shuffle --batch-size 5
matches "all on pairs at given betas" 71 pairs --no-shuffle --betas 0.02,0.5,1.5
[ "$($PYTHON -c 'import json; print(*sorted(x["loss"] for x in json.load(open("sweep.json"))["skipped"]))')" = kto ]
ok "kto is skipped"
matches "kto" 5 probes --no-shuffle --batch-size 7 --loss kto --desirable 1.2 --undesirable 0.7 -- desirable=1.2 undesirable=0.7
matches "bco on labels" 5 labels --no-shuffle --batch-size 4 --loss bco
matches "labels" 11 labels --no-shuffle
[ "$($PYTHON -c 'import json; print(len(json.load(open("sweep.json"))["skipped"]))')" -eq 23 ]
ok "what takes pairs is skipped"
matches "rankings" 6 ranks --no-shuffle
matches "a list" 2 pairs --no-shuffle --loss sigmoid:2,sft:0.5 --betas 0.1,1
matches "parameters" 117 pairs --no-shuffle --label-smoothing 0.2 --gamma 1.5 --tau 0.3 --alpha 0.5 --penalty 3 --nll 0.3 -- \
	label_smoothing=0.2 gamma=1.5 tau=0.3 alpha=0.5 penalty=3 nll=0.3
matches "--reference-free" 91 pairs --no-shuffle --reference-free -- free=1
matches "--ld-alpha" 111 pairs --no-shuffle --ld-alpha 0.3 -- ld=0.3
matches "--f-divergence" 40 pairs --no-shuffle --f-divergence js_divergence -- divergence=js_divergence
tstream import -o one.tsz <<EOF
$(sed -e 's/"t*logp.ref":[^l]*,"/"/' -e 's/,"t*logp.ref":.*}/}/' pairs.rows)
EOF
tstream export one.tsz >one.rows && grep -c ref one.rows >refs
[ "$(cat refs)" -eq 0 ]
ok "a stream without a reference"
matches "has losses too" 26 one --no-shuffle

# ---- batches as those of training

cat >config.json <<'EOF'
{"model_type":"llama","vocab_size":50,"hidden_size":16,"intermediate_size":20,"num_hidden_layers":1,"num_attention_heads":4,"initializer_range":0.1}
EOF
$PYTHON -c 'import json, sys
for x in open("pairs.rows"):
    x = json.loads(x)
    print(json.dumps({k: v for k, v in x.items() if "logp" not in k}))' >plain.jsonl
tstream import -o plain.tsz plain.jsonl && dpo-step -q --init config.json -o model --loss sft --lr 0 --max-steps 1 plain.tsz &&
	ref-logp -q -m model plain.tsz | dpo-step -q -m model -o out.d --lr 0 --seed 5 --batch-size 6 --emit - |
	tstream export - | sed 's/.*"id":"\([0-9a-f]*\)".*/\1/' >order
[ "$(sort -u order | wc -l)" -eq 23 ]
ok "an order of training"
matches "its batches" 5 pairs --loss aot_unpaired --seed 5 --batch-size 6 -- order=order
matches "and with a state" 5 pairs --loss bco --seed 5 --batch-size 6 -- order=order

# ---- the table

dpo-step --dry-sweep --loss hinge --betas 0.1,10 --top 1 pairs.tsz >out 2>err && [ ! -s err ]
ok "as a table"
sed 's/  *$//' out >got
dpo-step --dry-sweep --loss hinge --betas 0.1,10 --top 1 --json pairs.tsz >sweep.json
$PYTHON - >want <<'EOF'
import json
s = json.load(open("sweep.json"))
print("23 records; policy 'policy', reference 'ref'; in batches of 8, shuffled by seed 0\n")
print("loss                  beta        mean  |g chosen|  |g reject|   effective            heaviest")
for c in s["sweep"]:
    print("%-14s%12g%12.5g%12.5g%12.5g%12.1f%7.1f %%   %s %.1f %%" % (
        c["loss"], c["beta"], c["mean"], c["gradient/chosen"], c["gradient/rejected"], c["effective"],
        100 * c["effective"] / 23, c["heaviest"][0]["id"], 100 * c["heaviest"][0]["share"]))
EOF
same got want "with the same figures"
dpo-step --dry-sweep --json -@ 1 pairs.tsz >one && dpo-step --dry-sweep --json -@ 3 pairs.tsz | cmp - one
ok "the same at any number of threads"
dpo-step --dry-sweep --json --policy ref --loss floor pairs.tsz >out &&
	grep -q '"mean":0,"gradient/chosen":0,"gradient/rejected":0,"effective":0,"heaviest":\[\]' out
ok "before training, and without a gradient" || note "$(cat out)"
dpo-step --dry-sweep <pairs.tsz | sed 1,3d | awk '{print $1}' | uniq | sort >got
dpo-step --loss help | sed -n 'p;n' | awk '{print $1}' | sed '$a\\' | sort >want
same got want "each loss is there"

# ---- what makes no sense

exits 4 "another policy" dpo-step --dry-sweep --policy other pairs.tsz
says "no column 'logp.other' in the stream, which has logp.policy, logp.ref" "is named"
exits 4 "another reference" dpo-step --dry-sweep --reference other pairs.tsz
exits 4 "no log-probs" dpo-step --dry-sweep plain.tsz
says "which has no log-probs" "are missed"
exits 4 "a loss for other records" dpo-step --dry-sweep --loss kto pairs.tsz
says "no loss can be evaluated: kto: the loss takes a completion with a label and a probe" "is refused"
exits 2 "a modifier that no loss has so" dpo-step --dry-sweep --f-alpha 2 pairs.tsz
exits 3 "a stream that was cut" sh -c 'head -c 3000 pairs.tsz | dpo-step --dry-sweep'
while read -r says options; do
	# shellcheck disable=SC2086
	dpo-step $options pairs.tsz >out 2>err
	[ $? -eq 2 ] && [ ! -s out ] && [ "$(head -n 1 err)" = "dpo-step: $(echo "$says" | tr _ ' ')" ] ||
		note "$options: $(head -n 1 err)"
done >got <<'EOF'
--model_has_no_effect_with_--dry-sweep --dry-sweep -m model
--output_has_no_effect_with_--dry-sweep --dry-sweep -o x
--beta_has_no_effect_with_--dry-sweep --dry-sweep --beta 1
--wpo_has_no_effect_with_--dry-sweep --dry-sweep --wpo
--lr_has_no_effect_with_--dry-sweep --dry-sweep --lr 1
--seed_has_no_effect_with_--no-shuffle --dry-sweep --no-shuffle --seed 1
--batch-size_has_no_effect_on_this_loss --dry-sweep --loss ipo --batch-size 4
--betas_has_no_effect_on_this_loss --dry-sweep --loss sft --betas 4
--betas_has_no_effect_without_--dry-sweep -m model -o x --betas 1
--json_has_no_effect_without_--dry-sweep -m model -o x --json
--betas:_'1,'_is_not_up_to_64_numbers_above_0_and_up_to_1e6 --dry-sweep --betas 1,
--betas:_'0'_is_not_up_to_64_numbers_above_0_and_up_to_1e6 --dry-sweep --betas 0
--betas:_'nan'_is_not_up_to_64_numbers_above_0_and_up_to_1e6 --dry-sweep --betas nan
EOF
[ ! -s got ]
ok "options that contradict it" || cat got

finish
