#!/bin/sh
# evalwin of verdicts: the table, layouts, figures against an independent computation and published ones.
. "$(dirname "$0")/../lib.sh"

# ---- the table, from battles in several forms

cat >battles.jsonl <<'EOF'
{"question_id":1,"model_a":"old","model_b":"new","winner":"model_b","judge":"x"}
{"question_id":1,"model_a":"new","model_b":"old","winner":"model_a","judge":"x"}
{"question_id":2,"model_a":"old","model_b":"new","winner":"tie","judge":"x"}
{"question_id":2,"model_a":"new","model_b":"old","winner":"model_b","judge":"x"}
{"question_id":3,"model_a":"old","model_b":"new","winner":"model_a","judge":"x"}
{"question_id":3,"model_a":"old","model_b":"new","winner":"model_a","judge":"y"}
{"question_id":4,"model_a":"old","model_b":"new","winner":null,"judge":"y"}
EOF
cat >want <<'EOF'
6 verdicts on 3 items by 2 judges; 1 without one; base 'old'

against the base  wins  draws  losses  win rate  error    90 % interval  discrete
new                  2      1       3  41.67 %?  20.07  4.88 to 90.87 %   41.67 %

the first answer won 60.00 % of 5 decided verdicts (3.21 to 98.55 %)

agreement    pairs  the same  kappa    90 % interval
both orders      2   50.00 %  0.333  -0.293 to 0.960
x, y             1  100.00 %      -                -

warning: fewer than 30 items behind a rate: too few to tell much
warning: a win rate's interval, marked ?, holds one half: it may be chance
warning: some have no verdict: all rates are of the others
EOF
evalwin --level 0.9 battles.jsonl >got 2>err
same got want "the table"
[ ! -s err ]
ok "nothing on standard error"
sed '1s/^/[/; $!s/$/,/; $s/$/]/' battles.jsonl | gzip >battles.json.gz
evalwin --level 0.9 battles.json.gz >got
same got want "a gzipped array"
evalwin --level 0.9 - <battles.json.gz >got
same got want "standard input, a file"
cat battles.json.gz | evalwin --level 0.9 >got
same got want "standard input, a pipe"
{
	printf '\037'
	sleep 0.1
	tail -c +2 battles.json.gz
} | evalwin --level 0.9 >got
same got want "a pipe whose first bytes come one by one"
printf 'a,b,winner,item\nold,new,b,1\nnew,old,new,1\nold,new,tie,2\n"new",old,B,2\nold,new,old,3\n' >plain.csv
tr , '\t' <plain.csv | tr -d '"' >plain.tsv
evalwin --json plain.csv >got && evalwin --json plain.tsv | cmp - got && grep -q '"n_wins":2,"n_wins_base":2,"n_draws":1,"n_total":5,' got
ok "a plain table, by commas and by tabs"
evalwin --json --baseline new plain.csv | grep -q '^{"model":"old","base":"new","win_rate":50,.*"n_wins":2,'
ok "--baseline"

# ---- every figure of win rates, computed again

cat >annotations.py <<'EOF'
import json, random
random.seed(3)
for i in range(97):
    for model in "small", "large":
        p = random.choice([1, 1.25, 1.5, 0, 2, 1 + random.random()])
        print(json.dumps({"instruction": f"do {i}", "generator_1": "base", "generator_2": model, "preference": p,
                          "output_1": "é" * random.randint(0, 50), "output_2": "x" * random.randint(0, 50),
                          "dataset": random.choice(["odd", "even"])}, ensure_ascii=i % 2 == 0))
EOF
cat >check.py <<'EOF'
import json, statistics, sys
got = json.load(open(sys.argv[1]))
rows = [json.loads(line) for line in open(sys.argv[2])]
def check(where, rows):
    v = [0.5 if r["preference"] == 0 else r["preference"] - 1 for r in rows]
    want = {"win_rate": 100 * statistics.mean(v), "standard_error": 100 * statistics.stdev(v) / len(v) ** 0.5,
            "n_wins": sum(x > 0.5 for x in v), "n_wins_base": sum(x < 0.5 for x in v), "n_draws": v.count(0.5),
            "n_total": len(v), "discrete_win_rate": 100 * statistics.mean((x > 0.5) + (x == 0.5) / 2 for x in v),
            "avg_length": statistics.mean(len(r["output_2"]) for r in rows)}
    for key, x in want.items():
        assert abs(where[key] - x) < 1e-9, (key, x, where[key])
    low, high = where["win_rate_interval"]
    assert low < want["win_rate"] < high and 2 < (high - low) / want["standard_error"] < 5, (low, high)
assert {m["model"] for m in got["models"]} == {"small", "large"}
for m in got["models"]:
    check(m, [r for r in rows if r["generator_2"] == m["model"]])
    assert 0 < m["length_controlled_winrate"] < 100
assert len(got["by"]) == 4
for g in got["by"]:
    check(g, [r for r in rows if r["generator_2"] == g["model"] and r["dataset"] == g["group"]])
EOF
$PYTHON annotations.py >annotations.jsonl
evalwin --json --by dataset annotations.jsonl >got && $PYTHON check.py got annotations.jsonl
ok "figures of two models, by field too"
evalwin --json annotations.jsonl >one && evalwin --json annotations.jsonl | cmp - one &&
	! evalwin --json --seed 1 annotations.jsonl | cmp -s - one
ok "the same seed, the same bits; another, others"

# ---- difficulties

evalwin --json --save-difficulty items.jsonl annotations.jsonl >both.json && [ "$(wc -l <items.jsonl)" -eq 97 ]
ok "--save-difficulty"
evalwin --json --difficulty items.jsonl annotations.jsonl >again.json
cmp both.json again.json
ok "--difficulty: the same rates, where they are those that would be estimated"
grep small annotations.jsonl >small.jsonl
evalwin --json small.jsonl | grep -q '"warnings":\["undecided","no-difficulties"\]' &&
	! evalwin --json --difficulty items.jsonl small.jsonl | grep -q no-difficulties
ok "one model needs them"
sed '5d' items.jsonl >less.jsonl
exits 4 "an item without" evalwin --difficulty less.jsonl small.jsonl
says "evalwin: less.jsonl: no difficulty of item 'do 4'" "... said so"
exits 1 "nothing to save" evalwin --save-difficulty x small.jsonl
exits 2 "nothing to save but what was read" evalwin --difficulty items.jsonl --save-difficulty x small.jsonl
printf ',instruction_difficulty\n0,1.5\n1,-1.5\n' >index.csv
printf 'index,preference,len_output_1,len_output_2\n0,1.9,4,7\n1,1.2,9,3\n' >index.jsonl
evalwin --json --difficulty index.csv index.jsonl | grep -q '"lc_weight_difficulty":[0-9]'
ok "alpaca_eval's own file, by index"

# ---- warnings

warned() { evalwin --json "$1" | grep -q "\"warnings\":\[$2\]"; }
printf 'a,b,winner\n' >none.csv
warned none.csv '"no-verdicts"'
ok "no verdicts"
echo '[]' | gzip >none.json.gz
warned none.json.gz '"no-verdicts"'
ok "... of an empty array"
gzip -c /dev/null >nothing.gz
printf ' \n\n' >blank.jsonl
for file in nothing.gz blank.jsonl; do
	exits 3 "an empty file: $file" evalwin plain.csv $file
	says "evalwin: $file: empty: expected JSON or a table" "... said so"
done
exits 3 "/dev/null" evalwin </dev/null
exits 3 "no difficulties" evalwin --difficulty blank.jsonl small.jsonl
{
	echo generator_1,generator_2,item,len_output_1,len_output_2,preference
	i=0
	while [ $i -lt 60 ]; do # always shorter, and the more so the less it wins
		less=$((200 + i % 40 * 10))
		echo "b,m,$i,1000,$((1000 - less)),$((1 + ((less > 390) != (i % 13 == 0))))"
		i=$((i + 1))
	done
} >pulled.csv
warned pulled.csv '"no-difficulties","length-pulled"' && evalwin pulled.csv | grep -q '^m .* 53.33 %!  *2.23 to 43.00 %$'
ok "a length-controlled rate outside its interval"
{
	printf 'a,b,winner,item\n'
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
		echo "p,q,tie,$i"
	done
} >ties.csv
warned ties.csv '"all-ties","undecided"'
ok "all ties"
sed 's/tie/q/' ties.csv >all.csv
evalwin --json all.csv | grep -q '"win_rate":100,.*"win_rate_interval":\[88.6[0-9]*,100\]'
ok "all won: Wilson's interval" || note "$(evalwin --json all.csv)"
{
	sed 's/tie/q/' ties.csv
	sed '1d; s/tie/q/; s/p,q/q,r/; s/,q,\([0-9]*\)$/,r,\1/' ties.csv
} >won.csv
warned won.csv '"not-determined"'
ok "a model that never lost"

printf 'model_1\tmodel_2\twinner\n' >words.tsv
printf 'x\ty\t%s\n' model_1 Model_2 A b Tie TIE >>words.tsv
evalwin words.tsv >got
grep -q "^6 verdicts, each taken for an item of its own; base 'x'\$" got && grep -q '^y  *2  *2  *2  *50.00 %?' got
ok "verdicts without items or judges; their words in capitals" || note "$(cat got)"

# ---- refusals

refused() { # CODE MESSAGE ROW
	printf '%s\n' "$3" >bad.jsonl
	exits "$1" "$2" evalwin bad.jsonl
	says "evalwin: $2" "... said so"
}
refused 1 "bad.jsonl: line 1: no verdict: neither 'preference' nor 'winner'" '{"model_a":"x","model_b":"y"}'
refused 1 "bad.jsonl: line 1: preference 2.5 is neither from 1 to 2 nor 0" '{"preference":2.5}'
refused 1 "bad.jsonl: line 1: winner 'z' is none of the models, 'model_a', 'model_b', 'a', 'b' and 'tie'" \
	'{"model_a":"x","model_b":"y","winner":"z"}'
refused 1 "bad.jsonl: line 1: both sides are 'x'" '{"model_a":"x","model_b":"x","winner":"a"}'
refused 3 "bad.jsonl: line 1: not JSON at byte 12" '{"winner":"a"'
refused 3 "bad.jsonl: line 1: no JSON object, nor a table's head with commas or tabs" 'a b winner'
exits 1 "a folder" evalwin .
says "evalwin: .: cannot read: Is a directory" "... said so"
exits 4 "a field that no verdict has" evalwin --by other plain.csv
says "evalwin: no verdict has a field 'other'" "... said so"
exits 4 "an unknown base" evalwin --baseline other plain.csv
says "evalwin: no verdict is on the model 'other'" "... said so"
{
	echo model_a,model_b,winner,judge,question_id
	i=0
	while [ $i -lt 1001 ]; do
		echo "x,y,model_b,user$i,$i"
		i=$((i + 1))
	done
} >votes.csv
exits 5 "a field with too many values" evalwin --by judge votes.csv
says "evalwin: field 'judge' has more than 1000 values" "... said so"
evalwin --json votes.csv | grep -q '"judges":\[\],'
ok "judges who vote once are not compared"
exits 2 "an option of streams" evalwin --beta 1 plain.csv
says "evalwin: --beta has no effect on verdicts" "... said so"
echo '{"prompt":[1],"chosen":[2],"rejected":[3],"logp.ref":[-1,-1],"logp.policy":[-1,-1]}' | tstream import -o x.tsz
exits 4 "a stream and verdicts" evalwin plain.csv x.tsz
printf 'model_a,model_b,winner\nx,y,a\nx,y,b\n' >two.csv
exits 2 "resamples of what has no ratings" evalwin --bootstrap 20 two.csv
says "no effect without three models" "is said so"
evalwin --bootstrap 0 two.csv >got
ok "none of them is fine"
exits 2 "an option of verdicts" evalwin --baseline x x.tsz

# ---- published figures

data=$root/../shared/data/prefs
if [ ! -d "$data/alpaca_eval" ]; then
	skip "published figures" "no data"
	finish
fi
cat >published.py <<'EOF'
import csv, json, sys
board = {r[""]: r for r in csv.DictReader(open(sys.argv[1] + "/alpaca_eval/weighted_alpaca_eval_gpt4_turbo_leaderboard.csv"))}
models = [m for path in sys.argv[2:] for m in json.load(open(path))["models"]]
for m in models:
    b = board[m["model"]]
    for key in "win_rate", "standard_error", "n_wins", "n_wins_base", "n_draws", "n_total", "discrete_win_rate":
        assert abs(m[key] - float(b[key])) < 1e-6, (m["model"], key, m[key], b[key])
off = {m["model"]: m["length_controlled_winrate"] - float(board[m["model"]]["length_controlled_winrate"]) for m in models}
mean = sum(map(abs, off.values())) / len(off)
print(f"# {len(models)} models: length-controlled rates are off by {mean:.2f} points on average, at most "
      + "{} by {:.2f}".format(*max(off.items(), key=lambda x: abs(x[1]))))
assert mean < 1.5
EOF
evalwin --json --bootstrap 0 "$data/alpaca_eval/preferences-29-models.tsv.gz" >many.json &&
	$PYTHON published.py "$data" many.json
ok "alpaca_eval's figures, to 1e-6, of 29 models together"
evalwin --json --bootstrap 0 "$data"/alpaca_eval/*.annotations.json.gz >three.json &&
	$PYTHON published.py "$data" three.json
ok "... of three models' annotations"
for m in phi-2 gemma-2b-it alpaca-farm-ppo-human; do
	evalwin --json --bootstrap 0 "$data/alpaca_eval/$m.annotations.json.gz" >$m.json || break
done && $PYTHON published.py "$data" phi-2.json gemma-2b-it.json alpaca-farm-ppo-human.json
ok "... and of each alone"
cat >arena.py <<'EOF'
import csv, json, math, sys
score = {r["model"]: float(r["score"]) for r in csv.DictReader(open(sys.argv[1] + "/arena-hard/arena_hard_leaderboard_20240731.csv"))}
got = json.load(open("arena.json"))["ratings"]
elo = {}
for r in got:
    name = next(m for m in score if m.startswith(r["model"]) and ("mini" in m) == ("mini" in r["model"]))
    elo[name] = 400 * math.log10(score[name] / (100 - score[name]))
    low, high = r["rating_interval"]
    assert low <= r["rating"] <= high
order = sorted(elo, key=elo.get, reverse=True)
assert [r["rank"] for r in got] == [1, 2, 3, 4, 5]
base = "claude-3-haiku-20240307"
for r, name in zip(got, order):
    assert name.startswith(r["model"]), (name, r["model"])
    print(f"# {r['model']}: {r['rating'] - 1000:.0f} above {base}; published {elo[name] - elo[base]:.0f}")
EOF
evalwin --json "$data/arena-hard/arena_hard_battles.jsonl" >arena.json && $PYTHON arena.py "$data"
ok "arena-hard's five models rank as published"

finish
