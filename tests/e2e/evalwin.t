#!/bin/sh
# evalwin: the table, every figure of --json against an independent computation, refusals, manual.
root=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d) && cd "$dir" || exit 1
trap 'rm -rf "$dir"' EXIT
PATH=$BIN:$PATH
python=${PYTHON:-python3}
n=0

ok() { # NAME: did the command before succeed?
	status=$?
	n=$((n + 1))
	if [ $status -eq 0 ]; then echo "ok $n - $1"; else echo "not ok $n - $1"; fi
}

same() { # WANT GOT NAME: files
	diff -u "$1" "$2" >diff.out 2>&1
	ok "$3"
	sed 's/^/# /' diff.out
}

fails() { # CODE MESSAGE COMMAND...: exits so, says so, prints nothing else
	code=$1 message=$2
	shift 2
	"$@" >fails.out 2>fails.err
	got=$?
	[ $got -eq "$code" ] && [ ! -s fails.out ] && [ "$(head -n 1 fails.err)" = "evalwin: $message" ]
	ok "exit $code: $message"
	[ $status -eq 0 ] || sed "s/^/# $got: /" fails.err
}

# ---- inputs: log-probs are multiples of 1/64, which single precision holds exactly

cat >make.py <<'EOF'
import json, random, sys
kind, count = sys.argv[1], int(sys.argv[2])
random.seed(kind)
for i in range(count):
    k = {"pairs": 2, "rankings": random.randint(2, 5), "mixed": 1 + i % 3}.get(kind, 1)
    lengths = [random.randint(1, 9) for _ in range(k)]
    ref = [-2 * n - random.randrange(64) / 64 for n in lengths]
    policy = [r + (random.randrange(-64, 96) - 24 * j) / 64 for j, r in enumerate(ref)]
    if k > 1 and i % 9 == 0:
        policy[1] = ref[1] + policy[0] - ref[0]
    row = {"prompt": [1, 2], "completions": [[3] * n for n in lengths], "logp.ref": ref,
           "logp.policy": [min(0, p) for p in policy]}
    if kind == "labelled":
        row["label"] = [i % 3 // 2]
    if kind in ("singles", "mixed"):
        scores = [random.randrange(-99, 99) / 8 for _ in range(k)]
        row["meta"] = {"score": scores[0] if k == 1 and i % 2 else scores}
    print(json.dumps(row))
EOF
for kind in pairs rankings labelled singles mixed; do
	$python make.py $kind 120 >$kind.jsonl
	tstream import -o $kind.tsz $kind.jsonl || exit 1
done

# ---- the table

cat >few.jsonl <<'EOF'
{"prompt":[1],"chosen":[2,3],"rejected":[4],"logp.ref":[-2.5,-3.25],"logp.policy":[-2,-4]}
{"prompt":[1],"chosen":[2],"rejected":[4,5,6],"logp.ref":[-1,-6],"logp.policy":[-1.5,-6.5]}
{"prompt":[1],"chosen":[2,3],"rejected":[4,5],"logp.ref":[-2,-4],"logp.policy":[-3,-3]}
EOF
tstream import -o few.tsz few.jsonl
cat >want <<'EOF'
policy 'policy', reference 'ref', beta 0.5
3 records, 3 pairs

                                wins        ties      losses    win rate   90 % interval
reward                             1           1           1     50.00 %   12.09 to 87.91 %
  ties as half a win                                             50.00 %   7.00 to 93.00 %
reward per token                   1           0           2     33.33 %   7.83 to 74.65 %
  ties as half a win                                             33.33 %   7.83 to 74.65 %

                              chosen    rejected      margin   90 % interval
reward                       -0.1667     -0.0417     -0.1250   -1.0000 to 0.6250
  standard deviation          0.3819      0.4732      0.8197
  per token                  -0.1000     -0.0208
log-prob, policy             -2.1667     -4.5000
  per token                  -1.3000     -2.2500
log-prob, reference          -1.8333     -4.4167
  per token                  -1.1000     -2.2083
log-ratio                    -0.3333     -0.0833
  per token                  -0.2000     -0.0417
  fell                       66.67 %     66.67 %
tokens                        1.6667      2.0000
DPO loss (ln 2 = 0.6931 untrained)                    0.8117

by length          pairs  win rate      90 % interval
chosen is longer       1  100.00 %  26.99 to 100.00 %
same length            1    0.00 %    0.00 to 73.01 %
chosen is shorter      1         -                  -
3 to 3 tokens          1  100.00 %  26.99 to 100.00 %
4 to 4 tokens          2    0.00 %    0.00 to 73.01 %

the longer one is the chosen one             50.00 %
the policy prefers the longer one           100.00 %
win rate, longer and shorter weighed alike         -
the margins' variance that length explains    3.99 %
margin at equal length                       -0.0893

log-probs against the reference     pairs    share    90 % interval
both rose                               0   0.00 %  0.00 to 47.42 %
chosen rose, rejected fell              1  33.33 %  7.83 to 74.65 %
chosen fell, rejected rose              1  33.33 %  7.83 to 74.65 %
both fell                               1  33.33 %  7.83 to 74.65 %
displaced: won, though chosen fell      3   0.00 %  0.00 to 47.42 %

sigmoid(margin) or 1 - it  pairs     said       won      90 % interval
0.50 to 0.55                   1  50.00 %   50.00 %    7.28 to 92.72 %
0.65 to 0.70                   1  65.14 %  100.00 %  26.99 to 100.00 %
0.70 to 0.75                   1  73.11 %    0.00 %    0.00 to 73.01 %

calibration error 35.99 %; no beta from 2^-8 to 2^8 times this one predicts best

KL, had the policy written   mean r      90 % interval   r^2/2     90 % interval  exp(-r)-1+r     90 % interval
chosen                      -0.3333  -1.6209 to 0.9543  0.2500  0.0422 to 1.1042       0.3245  0.0000 to 1.6891
rejected                    -0.0833  -1.6790 to 1.5123  0.3021  0.0493 to 0.8304       0.2945                 -
all, by record              -0.2083  -0.6470 to 0.2303  0.2760  0.0735 to 1.1674       0.3095                 -

warning: fewer than 30 records with pairs: too few to tell much
warning: the win rate's interval holds one half: it may be chance
EOF
evalwin --beta 0.5 --level 0.9 few.tsz >got 2>err
same want got "the table"
[ ! -s err ]
ok "nothing on standard error"
cat >want <<'EOF'
policy 'ref', no reference
3 records, 3 pairs

                                wins        ties      losses    win rate   95 % interval
log-prob                           3           0           0    100.00 %   43.85 to 100.00 %
  ties as half a win                                            100.00 %   43.85 to 100.00 %
log-prob per token                 3           0           0    100.00 %   43.85 to 100.00 %
  ties as half a win                                            100.00 %   43.85 to 100.00 %

                              chosen    rejected      margin   95 % interval
log-prob (nats)              -1.8333     -4.4167      2.5833   -
  standard deviation          0.7638      1.4216      2.1842
  per token                  -1.1000     -2.2083
tokens                        1.6667      2.0000

by length          pairs  win rate      95 % interval
chosen is longer       1  100.00 %  20.65 to 100.00 %
same length            1  100.00 %  20.65 to 100.00 %
chosen is shorter      1  100.00 %  20.65 to 100.00 %
3 to 3 tokens          1  100.00 %  20.65 to 100.00 %
4 to 4 tokens          2  100.00 %  34.24 to 100.00 %

the longer one is the chosen one             50.00 %
the policy prefers the longer one            50.00 %
win rate, longer and shorter weighed alike  100.00 %
the margins' variance that length explains   99.81 %
margin at equal length                        2.1071

warning: fewer than 30 records with pairs: too few to tell much
warning: the win rate's interval holds one half: it may be chance
EOF
evalwin --policy ref --reference none --bootstrap 0 few.tsz >got
same want got "the table without a reference"

# ---- every figure, computed again

cat >check.py <<'EOF'
import json, math, statistics, sys
from statistics import NormalDist, mean

got = json.load(open(sys.argv[1]))
rows = [json.loads(line) for path in sys.argv[2].split(",") for line in open(path)]
two = got["reference"] is not None
B, seed, level = got["bootstrap"], got["seed"], got["level"]
beta = got["beta"] if two else 1

def wilson(hits, n, z=NormalDist().inv_cdf((1 + level) / 2)):  # the roots of (p - x)^2 = z^2 x (1 - x) / n
    p = hits / n
    a, b = 1 + z * z / n, -(2 * p + z * z / n)
    d = math.sqrt(max(0, b * b - 4 * a * p * p))
    return [(-b - d) / (2 * a), (-b + d) / (2 * a)]

def student(dof):  # by Simpson's rule and bisection
    dof = max(1, math.floor(dof))
    scale = math.exp(math.lgamma((dof + 1) / 2) - math.lgamma(dof / 2)) / math.sqrt(dof * math.pi)
    density = lambda angle: scale * math.sqrt(dof) * math.cos(angle) ** (dof - 1)  # t = sqrt(dof) tan(angle)
    def within(t, n=2000):
        h = math.atan(t / math.sqrt(dof)) / n
        return 2 * h / 3 * sum(density(i * h) * (1 if i in (0, n) else 4 if i % 2 else 2) for i in range(n + 1))
    low, high = 0, 1e4
    while high - low > 1e-13 * high:
        t = (low + high) / 2
        low, high = (t, high) if within(t) < level else (low, t)
    return low

students = {}
def t_of(effective):
    dof = max(1, math.floor(effective - 1))
    if dof not in students:
        students[dof] = student(dof)
    return students[dof]

def rate(clusters):
    clusters = [c for c in clusters if c[1]]
    hits, n, c = sum(h for h, _ in clusters), sum(m for _, m in clusters), len(clusters)
    if not n:
        return None, None
    p, squares = hits / n, sum((h - hits / n * m) ** 2 for h, m in clusters)
    if squares < 1e-9 or all(m == 1 and h in (0, 1) for h, m in clusters):
        return p, wilson(p * c, c)
    m = n * n / sum(m * m for _, m in clusters)
    effect = (c * squares / (n * p * (1 - p)) * m / (m - 1) + 0.5) / (c + 0.5)
    return p, wilson(p * n / effect, n / effect, t_of(m))

def mean_interval(clusters, skewed):
    if len(clusters) < 2:
        return None
    n, m = sum(w for _, w in clusters), sum(w for _, w in clusters) ** 2 / sum(w * w for _, w in clusters)
    center = sum(s for s, _ in clusters) / n
    rest = [s - center * w for s, w in clusters]
    squares, t = sum(r * r for r in rest), t_of(m)
    error = math.sqrt(squares * m / (m - 1)) / n
    skew = sum(r ** 3 for r in rest) / squares ** 1.5 * math.sqrt(m * (m - 1)) / (m - 2) if m > 2 else 0
    if not skewed:
        return [center - t * error, center + t * error]
    root = lambda x: math.copysign(abs(x) ** (1 / 3), x)
    inverse = lambda x: 3 * (root(1 + skew * (x - skew / 6)) - 1) / skew
    return [center - error * inverse(t), center - error * inverse(-t)]

def philox(seed, stream, index):
    M = 0xFFFFFFFF
    c, k = [index & M, index >> 32, stream & M, stream >> 32], [seed & M, seed >> 32]
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & M, (a >> 32) ^ c[3] ^ k[1], a & M]
        k = [(k[0] + 0x9E3779B9) & M, (k[1] + 0xBB67AE85) & M]
    return c

def poisson(word):
    n, p = 0, math.exp(-1)
    below = p
    while (word + 0.5) / 2**32 >= below and n < 12:
        n += 1
        p /= n
        below += p
    return n

def bootstrap(sums):
    total, weight = [0.0] * B, [0.0] * B
    for i, (x, w) in enumerate(sums):
        for b in range(B):
            if b % 4 == 0:
                words = philox(seed, b // 4, i)
            times = poisson(words[b % 4])
            total[b] += times * x
            weight[b] += times * w
    m = sorted(t / w for t, w in zip(total, weight) if w)
    def at(q):
        h = min(max(q * (len(m) + 1) - 1, 0), len(m) - 1)
        i = min(int(h), len(m) - 2)
        return m[i] + (h - i) * (m[i + 1] - m[i])
    if len(sums) < 2 or not m:
        return None
    n = sum(w for _, w in sums) ** 2 / sum(w * w for _, w in sums)
    tail = math.erfc(t_of(n) * math.sqrt(n / (n - 1) / 2)) / 2
    return [at(tail), at(1 - tail)]

sides, tallies, margins, sums, loss = {"chosen": [], "rejected": [], "single": []}, [[], []], [], [], []
whose = {"chosen": [], "rejected": [], "single": []}  # of sides: the record
both = []  # margin, chosen, rejected, record by pair
labelled = 0
records, given = [], []  # log-ratios of each record's completions; what was said of them
for number, r in enumerate(rows):
    done = r.get("completions") or [r["chosen"], r["rejected"]]
    ref = r["logp.ref"] if two else [0] * len(done)
    c = [(p, q, len(t), p - q) for p, q, t in zip(r["logp." + got["policy"]], ref, done)]
    records.append([x[3] for x in c])
    if "score" in got:
        score = r["meta"]["score"]
        given.append(mean(score) if isinstance(score, list) else score)
    if len(c) == 1 and "label" not in r:
        sides["single"] += c
        whose["single"].append(number)
        continue
    if len(c) == 1:
        side = "chosen" if r["label"][0] else "rejected"
        sides[side] += c
        whose[side].append(number)
        labelled += 1
        continue
    pairs = [(x, y) for i, x in enumerate(c) for y in c[i + 1:]]
    for tally, score in zip(tallies, (lambda x: x[3], lambda x: x[3] / x[2])):
        tally.append([sum(score(x) > score(y) for x, y in pairs),
                      sum(score(x) == score(y) for x, y in pairs), len(pairs)])
    m = [beta * (x[3] - y[3]) for x, y in pairs]
    margins += m
    sums.append((sum(m), len(m)))
    both += [(beta * (x[3] - y[3]), x, y, number) for x, y in pairs]
    for x, y in pairs:
        sides["chosen"].append(x)
        sides["rejected"].append(y)
        whose["chosen"].append(number)
        whose["rejected"].append(number)

def by_record(values, numbers):  # (sum, how many), record by record
    of = {}
    for x, number in zip(values, numbers):
        of.setdefault(number, []).append(x)
    return [(sum(x), len(x)) for x in of.values()]

def or_none(f, x, least=1):
    return f(x) if len(x) >= least else None

want = {"records": len(rows), "pairs": len(margins), "labelled": labelled,
        "single": len(sides["single"]), "policy": got["policy"],
        "reference": "ref" if two else None, "beta": beta if two else None, "level": level,
        "bootstrap": B, "seed": seed}
for tally, name in zip(tallies, ("reward", "reward_per_token") if two else ("logp", "logp_per_token")):
    p, interval = rate([(w, n - t) for w, t, n in tally])
    half, half_interval = rate([(w + t / 2, n) for w, t, n in tally])
    wins, ties, pairs = (sum(t[i] for t in tally) for i in range(3))
    want["by_" + name] = {"wins": wins, "ties": ties, "losses": pairs - wins - ties, "rate": p,
                          "rate_interval": interval, "rate_ties_half": half,
                          "rate_ties_half_interval": half_interval}
group = "rewards" if two else "logps"
wins = sum(t[0] for t in tallies[0])
want[group + "/accuracies"] = wins / len(margins) if margins else None
want[group + "/margins"] = or_none(mean, margins)
want[group + "/margins_sd"] = or_none(statistics.stdev, margins, 2)
want[group + "/margins_interval"] = bootstrap(sums)
for side, c in sides.items():
    tokens = sum(x[2] for x in c)
    want["tokens/" + side] = tokens
    if side != "single":
        want[f"{group}/{side}_sd"] = or_none(statistics.stdev, [beta * x[3] for x in c], 2)
    columns = {"logps": [x[0] for x in c]}
    if two:
        columns |= {"ref_logps": [x[1] for x in c], "log_ratio": [x[3] for x in c],
                    "rewards": [beta * x[3] for x in c]}
        want["fell/" + side] = or_none(lambda c: mean(x[3] < 0 for x in c), c)
    for name, x in columns.items():
        want[f"{name}/{side}"] = or_none(mean, x)
        want[f"{name}_per_token/{side}"] = sum(x) / tokens if tokens else None
if two:
    want["loss"] = or_none(mean, [math.log1p(math.exp(-m)) for m in margins])
want["warnings"] = sys.argv[3].split()

# What is behind it: length, displacement, calibration, KL.
def outcomes(some):
    m = [x[0] for x in some]
    return {"wins": sum(x > 0 for x in m), "ties": m.count(0), "losses": sum(x < 0 for x in m)}

def share(t):
    return t["wins"] / (t["wins"] + t["losses"]) if t["wins"] + t["losses"] else None

length = want["length"] = {}
for name, test in ("chosen_longer", lambda d: d > 0), ("same_length", lambda d: d == 0), ("chosen_shorter", lambda d: d < 0):
    some = [b for b in both if test(b[1][2] - b[2][2])]
    decided = [b for b in some if b[0]]
    length[name] = outcomes(some) | {"rate": share(outcomes(some)),
                                     "rate_interval": rate(by_record([b[0] > 0 for b in decided], [b[3] for b in decided]))[1]}
longer, same, shorter = length.values()
n = len(both)
total = lambda t: t["wins"] + t["ties"] + t["losses"]
decided = longer["wins"] + longer["losses"] + shorter["wins"] + shorter["losses"]
length["longer_is_chosen"] = (total(longer) + total(same) / 2) / n if n else None
length["prefers_longer"] = (longer["wins"] + shorter["losses"]) / decided if decided else None
length["balanced_rate"] = (longer["rate"] + shorter["rate"]) / 2 if decided and None not in (longer["rate"], shorter["rate"]) else None
x, y = [b[1][2] - b[2][2] for b in both], [b[0] for b in both]
line = statistics.linear_regression(x, y) if n and len(set(x)) > 1 else (None, None)
length["margin_r2"] = statistics.correlation(x, y) ** 2 if n and len(set(x)) > 1 else None
length["margin_per_token"], length["margin_at_equal_length"] = line
length["quantiles"] = got["length"]["quantiles"]
if n:
    tokens = sorted(b[1][2] + b[2][2] for b in both)
    edges = [tokens[0]] + [min((t for t in tokens if sum(s < t for s in tokens) >= n * k / 5), default=None) for k in range(1, 5)]
    edges = sorted({e for e in edges if e is not None})
    for i, q in enumerate(length["quantiles"]):
        inside = [b for b in both if q["from"] <= b[1][2] + b[2][2] <= q["to"]]
        assert q["from"] == edges[i], (q, edges)
        assert outcomes(inside) == {k: q[k] for k in ("wins", "ties", "losses")}
        assert abs(q["margin"] - mean(b[0] for b in inside)) < 1e-9
    assert sum(total(q) for q in length["quantiles"]) == n
if two:
    fell = lambda b, c, r: (b[1][3] < 0) == c and (b[2][3] < 0) == r
    t = sum(b[1][3] < 0 for b in both), sum(b[1][3] < 0 and b[0] > 0 for b in both)
    want["displacement"] = {
        "both_rose": sum(fell(b, False, False) for b in both),
        "chosen_rose_rejected_fell": sum(fell(b, False, True) for b in both),
        "chosen_fell_rejected_rose": sum(fell(b, True, False) for b in both),
        "both_fell": sum(fell(b, True, True) for b in both),
        "chosen_fell": t[0] / n if n else None, "displaced": t[1] / n if n else None,
        "chosen_fell_interval": rate(by_record([b[1][3] < 0 for b in both], [b[3] for b in both]))[1],
        "displaced_interval": rate(by_record([b[1][3] < 0 and b[0] > 0 for b in both], [b[3] for b in both]))[1]}
    bins = {}
    for b in both:
        p = 1 / (1 + math.exp(-abs(b[0])))
        bins.setdefault(min(9, int((p - 0.5) * 20)), []).append((p, (b[0] > 0) + (b[0] == 0) / 2, b[3]))
    bins = [bins[k] for k in sorted(bins)]
    loss_at = lambda beta: sum(math.log1p(math.exp(-b[0] * beta / got["beta"])) for b in both)
    best = got["calibration"]["best_beta"]
    if best is not None:
        assert loss_at(best) <= min(loss_at(best * 1.2), loss_at(best / 1.2)) + 1e-9
    want["calibration"] = {"best_beta": best, "bins": [
        {"pairs": len(b), "confidence": mean(x[0] for x in b), "accuracy": mean(x[1] for x in b),
         "accuracy_interval": rate(by_record([x[1] for x in b], [x[2] for x in b]))[1]} for b in bins],
        "error": sum(abs(sum(x[0] - x[1] for x in b)) for b in bins) / n if n else None}
    want["kl"] = {}
    for side in "chosen", "rejected", "all":
        r = [x[3] for x in sides[side]] if side != "all" else None
        columns = {"k1": lambda x: x, "k2": lambda x: x * x / 2, "k3": lambda x: math.exp(-x) - 1 + x}
        want["kl"][side] = {}
        for name, f in columns.items():
            if r is None:  # a record is one
                x = [mean(f(y) for y in record) for record in records]
                clusters, square = [(y, 1) for y in x], mean(mean(y * y for y in record) for record in records)
                variance = square - mean(mean(record) for record in records) ** 2
            else:
                x = [f(y) for y in r]
                clusters, variance = by_record(x, whose[side]), statistics.pvariance(r) if r else 0
            interval = mean_interval(clusters, name != "k1") if name != "k3" or variance <= 0.49 else None
            want["kl"][side][name] = or_none(mean, x)
            want["kl"][side][name + "_interval"] = [max(0, interval[0]), interval[1]] if interval and name != "k1" else interval
if "score" in got:
    want |= {"score": mean(given), "score_interval": mean_interval([(x, 1) for x in given], False),
             "score_sd": statistics.stdev(given)}

def compare(name, a, b):
    if isinstance(a, dict) and isinstance(b, dict):
        for key in a.keys() | b.keys():
            compare(f"{name}/{key}", a.get(key, "missing"), b.get(key, "missing"))
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for x, y in zip(a, b):
            compare(name, x, y)
    elif a != b and not (isinstance(a, (int, float)) and isinstance(b, (int, float))
                         and abs(a - b) <= 1e-11 * max(1, abs(a))):
        print(f"# {name}: {a} computed, {b} printed")
        sys.exit(1)

compare("", want, got)
EOF

figures() { # NAME ROWS WARNINGS OPTIONS...: rows.tsz
	name=$1 rows=$2 warnings=$3
	shift 3
	evalwin --json "$@" ${rows}.tsz >got.json && $python check.py got.json $rows.jsonl "$warnings"
	ok "figures of $name"
}

figures pairs pairs ""
figures "pairs at another beta, level and seed" pairs "" \
	--beta 0.7 --level 0.8 --bootstrap 77 --seed 1234567890123
figures "pairs without a reference" pairs "undecided" --reference none
figures "pairs by the reference alone" pairs "undecided" --reference none --policy ref
figures "rankings" rankings ""
figures "rankings without a reference" rankings "" --reference none --bootstrap 0
figures "labelled completions" labelled "no-pairs"
figures "single completions" singles ""
figures "single completions with a score" singles "" --score score --level 0.9
figures "single completions without a reference" singles "" --reference none --score score
figures "some single, some in pairs, some ranked" mixed "" --score score
figures "three pairs" few "few-pairs undecided"

# ---- warnings

sed 's/"logp.policy":.*/"logp.policy":[-2,-3]}/; s/"logp.ref":[^]]*/"logp.ref":[-2,-3/' few.jsonl |
	tstream import -o ties.tsz
figures_warned() { evalwin --json $1 | grep -q "\"warnings\":\[$2\]"; }
figures_warned ties.tsz '"few-pairs","all-ties","same-columns"'
ok "warnings: all ties, same columns"
echo '{"prompt":[1],"chosen":[2],"rejected":[],"logp.ref":[-1,0],"logp.policy":[-0.5,0]}' |
	tstream import -o empty.tsz
figures_warned empty.tsz '"few-pairs","undecided","empty-completions","all-won"'
ok "warnings: a completion without tokens"
tstream head --json few.tsz >head.json && tstream import --head head.json -o none.tsz </dev/null
figures_warned none.tsz '"no-pairs"' && evalwin none.tsz | grep -q '^reward  *-  *-  *-   -$'
ok "a stream without records"

sed 's/logp\.policy/logp.sample/' rankings.jsonl | tstream import -o ranked.tsz
evalwin --policy sample ranked.tsz >got && grep -q '^warning: samples, unless they were ranked, are in no order' got
ok "warnings: pairs of samples"
sed 's/"logp.policy":[^]]*/"logp.policy":[-2.000001,-3/; s/"logp.ref":[^]]*/"logp.ref":[-2,-3/' few.jsonl |
	tstream import -o rounding.tsz
evalwin rounding.tsz >got && grep -q '^all, by record  *0.0000  *0.0000 to 0.0000 ' got
ok "no minus zero"

# ---- inputs

evalwin --json pairs.tsz >one && evalwin --json <pairs.tsz >two && evalwin --json -@ 1 - <pairs.tsz >three
cmp one two && cmp one three
ok "a file, standard input and '-', at any number of threads"
cat pairs.jsonl rankings.jsonl >both.jsonl
evalwin --json --bootstrap 50 pairs.tsz rankings.tsz >got.json && $python check.py got.json both.jsonl ""
ok "two files"
evalwin -v few.tsz 2>err >got
echo "evalwin: read 3 records in 1 blocks; programs before dropped 0 and truncated 0" >want
same want err "-v"

# ---- several policies and files, groups

cat >several.py <<'EOF'
import json, random
random.seed(5)
for i in range(150):
    k = 2 + (i % 10 == 0)
    lengths = [random.randint(1, 9) for _ in range(k)]
    ref = [-2 * n - random.randrange(64) / 64 for n in lengths]
    row = {"prompt": [1], "completions": [[3] * n for n in lengths], "logp.ref": ref}
    for name, lead in ("one", 12), ("two", 30):
        row["logp." + name] = [min(0, r + (random.randrange(-64, 96) - lead * j) / 64) for j, r in enumerate(ref)]
    row["meta"] = {"topic": random.choice(["b", "a", 3])} if i % 7 else {"other": 1}
    print(json.dumps(row))
EOF
$python several.py >several.jsonl && tstream import -o several.tsz several.jsonl
evalwin --json --by topic --policy one --policy two several.tsz >got.json
cat >several-check.py <<'EOF'
import json, math
got = json.load(open("got.json"))
rows = [json.loads(line) for line in open("several.jsonl")]
won = {}
for r in rows:
    k = len(r["completions"])
    for i in range(k):
        for j in range(i + 1, k):
            for p in "one", "two":
                x = [a - b for a, b in zip(r["logp." + p], r["logp.ref"])]
                won.setdefault(p, []).append((x[i] - x[j], str(r["meta"].get("topic", "-"))))
one, two = got["models"]
assert "paired" not in one and [m["policy"] for m in got["models"]] == ["one", "two"]
for m in got["models"]:
    x = won[m["policy"]]
    assert m["by_reward"]["wins"] == sum(a > 0 for a, _ in x)
    assert {g["group"] for g in m["by"]} == {"a", "b", "3", "-"}
    for g in m["by"]:
        part = [a for a, t in x if t == g["group"]]
        assert (g["pairs"], g["by_reward"]["wins"]) == (len(part), sum(a > 0 for a in part))
        assert abs(g["rewards/margins"] - 0.1 * sum(part) / len(part)) < 1e-9
p = two["paired"]
pairs = [(a > 0, b > 0) for (a, _), (b, _) in zip(won["one"], won["two"])]
b, c = pairs.count((True, False)), pairs.count((False, True))
assert (p["both_win"], p["only_the_other_wins"], p["only_it_wins"], p["neither_wins"]) == (
    pairs.count((True, True)), b, c, pairs.count((False, False)))
n, least = b + c, min(b, c)
exact = min(1, 2 * sum(math.comb(n, i) for i in range(least + 1)) / 2**n)
assert abs(p["mcnemar_p"] - exact) < 1e-9
low, high = p["difference_interval"]
assert low < p["difference"] == (c - b) / len(pairs) < high
assert two["warnings"] == ["rankings", "few-in-group"], two["warnings"]
EOF
$python several-check.py
ok "two policies: groups, McNemar, pairs"
sed 's/"logp.two": *\([^]]*\]\)/"x":0/; s/"logp.one": *\([^]]*\]\)/"logp.one":\1,"logp.two":\1/' several.jsonl |
	$python -c '
import json, sys
for line in sys.stdin:
    r = json.loads(line)
    del r["x"]
    print(json.dumps(r))' | tstream import -o twins.tsz
evalwin --json --policy one --policy two twins.tsz | grep -q '"rankings","same-policies"\]'
ok "two policies that are one"
evalwin --policy one --policy two several.tsz >got && grep -q '^one  *180 ' got && grep -q '^two  *one  ' got
ok "a row a policy"
evalwin --json --policy one several.tsz | sed 's/^{//; s/}$//' >one.json
evalwin --json --each --policy one several.tsz several.tsz >got &&
	printf '{"models":[{"file":"several.tsz",%s},{"file":"several.tsz",%s}]}\n' "$(cat one.json)" "$(cat one.json)" | cmp - got
ok "--each: a file as if alone"

# ---- refusals

echo '{"winner":"a"}' >b.jsonl
echo '{"prompt":[1],"completions":[[2]],"label":[0.5],"logp.ref":[-1],"logp.policy":[-2]}' |
	tstream import -o scored.tsz
echo '{"prompt":[1],"chosen":[2],"rejected":[3]}' | tstream import -o plain.tsz
echo '{"prompt":"a","chosen":"b","rejected":"c","logp.ref":[-1,-2],"logp.policy":[-2,-3]}' |
	tstream import -o text.tsz
head -c 1000 pairs.tsz >cut.tsz

fails 4 "no column 'logp.other' in the stream, which has logp.policy, logp.ref" \
	evalwin --policy other pairs.tsz
fails 4 "no column 'logp.base' in the stream, which has logp.policy, logp.ref" \
	evalwin --reference base pairs.tsz
fails 4 "no column 'logp.policy' in the stream, which has no log-probs: see ref-logp(1)" evalwin plain.tsz
fails 4 "the stream holds text, whose tokens cannot be counted" evalwin text.tsz
fails 4 "no record has a field 'topic'" evalwin --by topic singles.tsz
fails 4 "the stream has no 'meta': records have no field 'score'" evalwin --score score pairs.tsz
fails 4 "record 0 has not one number for each of its 1 completions in 'other'" evalwin --score other singles.tsz
fails 2 "--score has no effect on verdicts" evalwin --score x b.jsonl
fails 4 "record 0 has one completion labelled 0.5, which is neither 1 (good) nor 0 (bad)" evalwin scored.tsz
fails 2 "--beta has no effect without a reference" evalwin --reference none --beta 1 pairs.tsz
fails 2 "--seed has no effect without a bootstrap" evalwin --bootstrap 0 --seed 1 pairs.tsz
fails 2 "--bootstrap has no effect without pairs of completions" evalwin --bootstrap 50 singles.tsz
fails 2 "--seed has no effect without pairs of completions" evalwin --seed 1 singles.tsz
fails 2 "--each has no effect on fewer than two files" evalwin --each pairs.tsz
fails 2 "--policy: 'one' is there twice" evalwin --policy one --policy one several.tsz
fails 4 "the stream has no 'meta': records have no field 'topic'" evalwin --by topic pairs.tsz
fails 2 "policy and reference are both 'ref'" evalwin --policy ref pairs.tsz
evalwin cut.tsz >got 2>err
[ $? -eq 3 ] && [ ! -s got ]
ok "exit 3 and no table for a stream that is cut off"
: >nothing
fails 3 "nothing: empty: expected a tensor stream, JSON or a table" evalwin nothing
fails 3 "stdin: empty: expected a tensor stream, JSON or a table" evalwin --beta 0.5 <nothing
fails 3 "stdin: empty: expected a tensor stream, JSON or a table" sh -c 'false | evalwin --policy x'
evalwin pairs.tsz >/dev/full 2>err
[ $? -eq 1 ] && grep -q '^evalwin: stdout: ' err
ok "exit 1 where the table cannot be written"

# ---- the manual

if command -v mandoc >/dev/null; then
	mandoc -T lint -W warning "$root/man/evalwin.1" >lint.out
	ok "man page is clean"
	words() { tr -s ' \n\t' '   ' | sed 's/^ //; s/ $//'; }
	mandoc -T ascii "$root/man/evalwin.1" | col -b | sed -n '/^SYNOPSIS/,/^DESCRIPTION/p' |
		sed '1d;$d' | words >want
	evalwin --help | sed -n '/^$/q; s/^usage://; p' | words >got
	same want got "SYNOPSIS is the usage"
else
	n=$((n + 2))
	echo "ok $((n - 1)) # SKIP no mandoc"
	echo "ok $n # SKIP no mandoc"
fi
sed 's/logp\.one/logp.policy/; s/logp\.two/logp.ref2/' several.jsonl | tstream import -o scored.tsz
for m in a b; do
	for i in 1 2 3; do
		echo "{\"instruction\":\"$i\",\"generator_2\":\"$m\",\"preference\":1.$i,\"output_1\":\"x\",\"output_2\":\"y$m\",\"dataset\":\"d\"}"
	done | gzip >$m.annotations.json.gz
done
ln -s "$root/examples"
mkdir dpo ipo
for beta in dpo/0.1 dpo/0.5 ipo/0.1; do
	sed 's/logp\.policy/logp.sample/' singles.jsonl | tstream import -o $beta.tsz
done
echo '{"prompt":"It was","completions":[" dull"]}' >base.jsonl
echo '{"prompt":"It was","completions":[" great"]}' >new.jsonl
echo '{"step":1,"loss":0.5}' >train.log
sed -n 's/^\.Dl \$ \(evalwin .*\)/\1/p' "$root/man/evalwin.1" >commands
[ "$(wc -l <commands)" -eq 9 ] && sh -e commands >got && [ -s win.svg ] && grep -q '>ipo</text>' frontier.svg && [ -s report.html ] && grep -q '99 % interval' got && grep -q '^ref2 ' got && grep -q '^d ' got &&
	grep -q '"rewards/margins"' result.json
ok "the man page's examples"

echo "1..$n"
