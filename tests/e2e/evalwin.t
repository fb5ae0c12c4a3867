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
    k = {"pairs": 2, "rankings": random.randint(2, 5), "labelled": 1}[kind]
    lengths = [random.randint(1, 9) for _ in range(k)]
    ref = [-2 * n - random.randrange(64) / 64 for n in lengths]
    policy = [r + (random.randrange(-64, 96) - 24 * j) / 64 for j, r in enumerate(ref)]
    if kind != "labelled" and i % 9 == 0:
        policy[1] = ref[1] + policy[0] - ref[0]
    row = {"prompt": [1, 2], "completions": [[3] * n for n in lengths], "logp.ref": ref,
           "logp.policy": [min(0, p) for p in policy]}
    if kind == "labelled":
        row["label"] = [i % 3 // 2]
    print(json.dumps(row))
EOF
for kind in pairs rankings labelled; do
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
  ties as half a win                                             50.00 %   15.57 to 84.43 %
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

reward = beta * log-ratio; log-ratio = log-prob under the policy - under the reference, in nats,
on the data's own completions: an estimate of KL(policy, reference) only where the policy wrote them

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

def wilson(hits, n):  # the roots of (p - x)^2 = z^2 x (1 - x) / n
    z, p = NormalDist().inv_cdf((1 + level) / 2), hits / n
    a, b = 1 + z * z / n, -(2 * p + z * z / n)
    d = math.sqrt(max(0, b * b - 4 * a * p * p))
    return [(-b - d) / (2 * a), (-b + d) / (2 * a)]

def rate(clusters):
    clusters = [c for c in clusters if c[1]]
    hits, n = sum(h for h, _ in clusters), sum(m for _, m in clusters)
    if not n:
        return None, None
    p = hits / n
    if p in (0, 1):
        return p, wilson(p * len(clusters), len(clusters))
    effective = n / max(1, sum((h - p * m) ** 2 for h, m in clusters) / (n * p * (1 - p)))
    return p, wilson(p * effective, effective)

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
        h = q * (len(m) - 1)
        i = min(int(h), len(m) - 2)
        return m[i] + (h - i) * (m[i + 1] - m[i])
    return [at((1 - level) / 2), at((1 + level) / 2)] if m else None

sides, tallies, margins, sums, loss = {"chosen": [], "rejected": []}, [[], []], [], [], []
labelled = 0
for r in rows:
    done = r.get("completions") or [r["chosen"], r["rejected"]]
    ref = r["logp.ref"] if two else [0] * len(done)
    c = [(p, q, len(t), p - q) for p, q, t in zip(r["logp." + got["policy"]], ref, done)]
    if len(c) == 1:
        sides["chosen" if r["label"][0] else "rejected"] += c
        labelled += 1
        continue
    pairs = [(x, y) for i, x in enumerate(c) for y in c[i + 1:]]
    for tally, score in zip(tallies, (lambda x: x[3], lambda x: x[3] / x[2])):
        tally.append([sum(score(x) > score(y) for x, y in pairs),
                      sum(score(x) == score(y) for x, y in pairs), len(pairs)])
    m = [beta * (x[3] - y[3]) for x, y in pairs]
    margins += m
    sums.append((sum(m), len(m)))
    for x, y in pairs:
        sides["chosen"].append(x)
        sides["rejected"].append(y)

def or_none(f, x, least=1):
    return f(x) if len(x) >= least else None

want = {"records": len(rows), "pairs": len(margins), "labelled": labelled, "policy": got["policy"],
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
    want[f"{group}/{side}_sd"] = or_none(statistics.stdev, [beta * x[3] for x in c], 2)
    columns = {"logps": [x[0] for x in c]}
    if two:
        columns |= {"ref_logps": [x[1] for x in c], "log_ratio": [x[3] for x in c],
                    "rewards": [beta * x[3] for x in c]}
        want["fell/" + side] = mean(x[3] < 0 for x in c)
    for name, x in columns.items():
        want[f"{name}/{side}"] = mean(x)
        want[f"{name}_per_token/{side}"] = sum(x) / tokens
if two:
    want["loss"] = or_none(mean, [math.log1p(math.exp(-m)) for m in margins])
want["warnings"] = sys.argv[3].split()

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
figures "three pairs" few "few-pairs undecided"

# ---- warnings

sed 's/"logp.policy":.*/"logp.policy":[-2,-3]}/; s/"logp.ref":[^]]*/"logp.ref":[-2,-3/' few.jsonl |
	tstream import -o ties.tsz
figures_warned() { evalwin --json $1 | grep -q "\"warnings\":\[$2\]"; }
figures_warned ties.tsz '"few-pairs","all-ties","same-columns"'
ok "warnings: all ties, same columns"
echo '{"prompt":[1],"chosen":[2],"rejected":[],"logp.ref":[-1,0],"logp.policy":[-0.5,0]}' |
	tstream import -o empty.tsz
figures_warned empty.tsz '"few-pairs","undecided","empty-completions"'
ok "warnings: a completion without tokens"
tstream head --json few.tsz >head.json && tstream import --head head.json -o none.tsz </dev/null
figures_warned none.tsz '"no-pairs"' && evalwin none.tsz | grep -q '^reward  *-  *-  *-   -$'
ok "a stream without records"

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

# ---- refusals

echo '{"prompt":[1],"completions":[[2]],"logp.ref":[-1],"logp.policy":[-2]}' | tstream import -o single.tsz
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
fails 4 "record 0 has one completion and no label: there is nothing to compare it with" evalwin single.tsz
fails 4 "record 0 has one completion labelled 0.5, which is neither 1 (good) nor 0 (bad)" evalwin scored.tsz
fails 2 "--beta has no effect without a reference" evalwin --reference none --beta 1 pairs.tsz
fails 2 "--seed has no effect without a bootstrap" evalwin --bootstrap 0 --seed 1 pairs.tsz
fails 2 "policy and reference are both 'ref'" evalwin --policy ref pairs.tsz
evalwin cut.tsz >got 2>err
[ $? -eq 3 ] && [ ! -s got ]
ok "exit 3 and no table for a stream that is cut off"
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
cp pairs.tsz scored.tsz
sed -n 's/^\.Dl \$ \(evalwin .*\)/\1/p' "$root/man/evalwin.1" >examples
[ "$(wc -l <examples)" -eq 3 ] && sh -e examples >got && grep -q '99 % interval' got &&
	grep -q '"rewards/margins"' result.json
ok "the man page's examples"

echo "1..$n"
