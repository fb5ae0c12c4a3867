#!/bin/sh
# evalwin --judge: verdicts made by programs; the cache, failures, budgets; the examples.
. "$(dirname "$0")/../lib.sh"

cat >judge.pl <<'EOF'
# The longer answer wins, and of equal ones the first; each call is counted, and so are its starts.
use JSON::PP;
$| = 1;
sub count { open my $f, '>>', $_[0]; syswrite $f, "x\n" }
count('starts');
while (<STDIN>) {
	count('calls');
	exit 3 if -e 'broken' && $. % 4 == 0;
	my $q = decode_json($_);
	exit 3 if -e 'stubborn' && $q->{prompt} =~ /5$/;
	my ($a, $b) = (length $q->{a}, length $q->{b});
	print $a >= $b ? "A\n" : "0.25\n";
}
EOF
cat >pairs.py <<'EOF'
import json, random
random.seed(7)
for i in range(40):
    print(json.dumps({"prompt": f"é {i}", "chosen": "x" * random.randint(1, 6), "rejected": "y\n" * random.randint(1, 3),
                      "kind": "even" if i % 2 == 0 else "odd"}))
print(json.dumps({"prompt": "é 0", "chosen": "twice", "rejected": "twice", "kind": "odd"}))
EOF
$PYTHON pairs.py >pairs.jsonl
cat >check.py <<'EOF'
import json, sys
got = json.load(open("got.json"))
values, first, second, seen = [], 0, 0, set()
for line in open("pairs.jsonl"):
    r = json.loads(line)
    def share(a, b):
        return 1 if len(a) >= len(b) else 0.25
    for v, base_first in (1 - share(r["rejected"], r["chosen"]), True), (share(r["chosen"], r["rejected"]), False):
        values.append(v)
        if v != 0.5:
            won_first = (v > 0.5) != base_first
            first += won_first
            second += not won_first
assert got["n_total"] == 82 and abs(got["win_rate"] - 100 * sum(values) / 82) < 1e-9
assert (got["position"]["first_wins"], got["position"]["second_wins"]) == (first, second)
assert got["position"]["both_orders"]["pairs"] == 41 - 1  # two pairs share a prompt, and count as one item
EOF
J="perl judge.pl"
exits 0 "a judge" evalwin --json --judge "$J" --cache cache.jsonl pairs.jsonl
cp out got.json
$PYTHON check.py
ok "both orders of each pair, and what they come to"
is "$(wc -l <calls) $(wc -l <cache.jsonl) $(wc -l <starts)" "81 81 1" "a call and a line for each different question; one start"
exits 0 "again" evalwin --json --judge "$J" --cache cache.jsonl -j 3 pairs.jsonl
cmp out got.json && [ "$(wc -l <calls)" -eq 81 ]
ok "nothing is judged twice"
rm cache.jsonl calls starts
exits 0 "four workers" evalwin --json --judge "$J" --cache cache.jsonl -j 4 --save-verdicts saved.jsonl pairs.jsonl
cmp out got.json && [ "$(wc -l <calls)" -eq 81 ]
ok "any number of workers, the same"
evalwin --json saved.jsonl | cmp - got.json
ok "--save-verdicts: read again, they are the same"
evalwin --json --by kind --judge "$J" --cache cache.jsonl pairs.jsonl | grep -q '"by":\[{"group":"even","model":"chosen"'
ok "--by"
evalwin --json --judge "$J" --judge "while read x; do echo A; done" --cache both.jsonl pairs.jsonl |
	grep -q '"judges":\[{"judge_1":"perl judge.pl","judge_2":"while read x; do echo A; done","pairs":40,'
ok "two judges, and their agreement"

# ---- failures

rm -f calls starts && touch broken
exits 0 "a judge that dies now and then" evalwin --json --judge "$J" --cache late.jsonl pairs.jsonl
cmp out got.json && [ "$(wc -l <starts)" -gt 20 ]
ok "it is started again, and nothing is lost"
rm -f late.jsonl broken
touch stubborn
exits 0 "without retries" evalwin --json --judge "$J" --cache late.jsonl --retries 0 pairs.jsonl
says "questions failed; the last: judge 'perl judge.pl': exit 3 before it answered" "... it says what failed"
grep -q '"unjudged":[1-9].*"unjudged"\]}$' out
ok "... and what has no verdict"
rm stubborn
evalwin --json --judge "$J" --cache late.jsonl pairs.jsonl | cmp - got.json
ok "... which is made up for later"
exits 1 "a judge that never answers" evalwin --judge false --cache none.jsonl --retries 0 pairs.jsonl
says "evalwin: judge 'false': exit 1 before it answered; 0 verdicts of this run are in none.jsonl" "... said so"
exits 1 "one that cannot be found" evalwin --judge ./nowhere --cache none.jsonl --retries 0 pairs.jsonl
exits 1 "one that says anything" evalwin --judge 'while read x; do echo C; done' --cache none.jsonl --retries 0 pairs.jsonl
says "'C' is neither A, B, tie nor a probability" "... said so"
exits 1 "one that is too slow" evalwin --judge 'sleep 60' --timeout 1 -j 20 --cache none.jsonl --retries 0 pairs.jsonl
says "no answer within 1 seconds" "... said so"
[ ! -s none.jsonl ]
ok "failures are not kept"
head -c 150 cache.jsonl >cut.jsonl
exits 0 "a cache that was cut off" evalwin --json --judge "$J" --cache cut.jsonl pairs.jsonl
says "cut.jsonl: line 2 is no verdict: passed over" "... said so"
cmp out got.json && evalwin -q --json --judge false --budget 0 --cache cut.jsonl pairs.jsonl >/dev/null
ok "... and goes on"

# ---- budgets

rm -f calls
exits 0 "a budget" evalwin --json --judge "$J" --cache budget.jsonl --budget 10 -j 3 pairs.jsonl
is "$(wc -l <calls)" 10 "... is kept"
grep -q '"unjudged":72,' out
ok "... and what is left out, said"

# ---- two files of answers

cat >base.jsonl <<'EOF'
{"prompt":"p","completions":["aa","a"]}
{"prompt":[{"role":"user","content":"q"}],"completions":["bbb","b"]}
EOF
sed 's/"a/"long a/g; s/"b/"long b/g' base.jsonl >model.jsonl
evalwin --json --judge "$J" --cache two.jsonl base.jsonl model.jsonl >got
grep -q '^{"model":"model.jsonl","base":"base.jsonl",.*"n_wins":8,"n_wins_base":0,"n_draws":0,"n_total":8,' got
ok "samples of two models"
sed '2s/"q"/"other"/' base.jsonl >other.jsonl
exits 4 "other prompts" evalwin --judge "$J" --cache two.jsonl base.jsonl other.jsonl
says "evalwin: base.jsonl: line 2, other.jsonl: line 2: the prompts differ" "... said so"
sed 2d base.jsonl >less.jsonl
exits 4 "fewer of them" evalwin --judge "$J" --cache two.jsonl base.jsonl less.jsonl
says "evalwin: less.jsonl has fewer records than base.jsonl" "... said so"

# ---- refusals

exits 2 "no cache" evalwin --judge "$J" pairs.jsonl
says "evalwin: --judge needs a --cache FILE, so that no verdict is lost" "... said so"
exits 2 "no judge" evalwin --cache x pairs.jsonl
exits 1 "nothing to judge" evalwin --judge "$J" --cache x.jsonl saved.py
echo '{"prompt":"x","chosen":"y"}' >half.jsonl
exits 1 "half a pair" evalwin --judge "$J" --cache x.jsonl half.jsonl
says "evalwin: half.jsonl: line 1: no two answers" "... said so"

# ---- the examples

judges=$root/examples/judges
cat >films.jsonl <<'EOF'
{"prompt":"The film was","output_1":" great fun, and brilliant.","output_2":" a boring mess."}
{"prompt":"It was","output_1":" dull","output_2":[{"role":"assistant","content":"a wonderful film"}]}
EOF
evalwin --json --judge "$judges/lexicon" --cache lexicon.jsonl films.jsonl | grep -q '"n_wins":2,"n_wins_base":2,"n_draws":0,'
ok "lexicon"
if command -v curl >/dev/null; then
	cat >server.py <<'EOF'
import http.server, json, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = asked["messages"][0]["content"]
        good = self.path == "/v1/chat/completions" and self.headers["Authorization"] == 'Bearer k' and asked["model"] == "m"
        said = "A is short.\n\ntie" if "né \\ \"x\"" in text else "B" if text.index("short") < text.index("longest") else "A"
        body = json.dumps({"choices": [{"message": {"content": "So:\n" + said}}]}).encode()
        self.send_response(200 if good else 500)
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
open("port.new", "w").write(str(server.server_port))
os.rename("port.new", "port")
server.serve_forever()
EOF
	$PYTHON server.py &
	server=$!
	trap 'kill $server; cd / && rm -rf "$tests_folder"' EXIT
	while [ ! -s port ] && kill -0 $server; do sleep 0.05; done
	cat >ask.jsonl <<'EOF'
{"prompt":"q","output_1":"short","output_2":"the longest"}
{"prompt":"né \\ \"x\"","output_1":"short","output_2":"the longest"}
EOF
	JUDGE_KEY=k evalwin --json -j 2 --judge "$judges/http http://127.0.0.1:$(cat port) m $judges/prompts/helpful.txt" \
		--cache http.jsonl ask.jsonl >got && grep -q '"n_wins":2,"n_wins_base":0,"n_draws":2,' got
	ok "http"
	exits 0 "http, refused" evalwin --judge "$judges/http http://127.0.0.1:$(cat port) m $judges/prompts/helpful.txt" \
		--retries 0 --cache http2.jsonl ask.jsonl -q --json
	grep -q '"unjudged":4' out
	ok "... is no verdict"
else
	skip "http" "no curl"
fi
# A reference that has learnt a little of the language, and what a few steps of DPO make of it, as a folder, an
# update and an adapter: verdicts are the sigmoid of beta times the difference of log-ratios, which is computed here
# from all pairs at once.
OMP_WAIT_POLICY=passive
export OMP_WAIT_POLICY
sentiment=$root/examples/sentiment
awk -f "$sentiment/reviews.awk" -v what=pairs -v n=45 -v seed=3 "$sentiment/grammar.txt" >reviews.jsonl
cp -r "$sentiment/model" start
pref-fmt -q --limit 40 reviews.jsonl | tokenize -q -m start -o some.tsz
dpo-step -q --init start/config.json --loss sft --lr 3e-3 --max-steps 5 -o reference some.tsz &&
	ref-logp -q -m reference -o some.ref.tsz some.tsz &&
	dpo-step -q -m reference --beta 0.3 --lr 1e-3 --batch-size 8 -o policy some.ref.tsz &&
	dpo-step -q -m reference --beta 0.3 --lr 1e-3 --batch-size 8 -o policy.tsz some.ref.tsz &&
	dpo-step -q -m reference --beta 0.3 --lr 5e-3 --batch-size 8 --lora 4 -o adapter some.ref.tsz
ok "a reference, and policies of it"
cat >sigmoid.py <<'EOF'
import json, math, sys
said = {}
for line in open(sys.argv[1]):
    v = json.loads(line)
    said.setdefault(v["instruction"], []).append(v["preference"] - 1)
wide = 0
for pair, line in zip(open("last.jsonl"), sys.stdin, strict=True):
    p, q = (json.loads(line)[column] for column in ("logp.policy", "logp.ref"))
    margin = 0.7 * ((p[0] - q[0]) - (p[1] - q[1]))
    wide += 0.02 < abs(margin) < 5
    shares = said.pop(json.loads(pair)["prompt"])
    assert len(shares) == 2, shares
    for share in shares:
        assert abs(share - 1 / (1 + math.exp(-margin))) < 1e-4, (margin, share)
assert not said and wide > 2, (said, wide)
EOF
tail -n 5 reviews.jsonl >last.jsonl
pref-fmt -q last.jsonl | tokenize -q -m reference | ref-logp -q -m reference -o last.ref.tsz
for policy in policy policy.tsz adapter; do
	case $policy in
	policy) ref-logp -q -m policy --as policy last.ref.tsz ;;
	*) ref-logp -q -m reference --apply $policy --as policy last.ref.tsz ;;
	esac | tstream export >scored
	exits 0 "implicit-reward: $policy" evalwin -q -j 2 --json --judge "$judges/implicit-reward $policy reference 0.7" \
		--cache implicit.jsonl --save-verdicts implicit.saved last.jsonl
	$PYTHON sigmoid.py implicit.saved <scored
	ok "... says the sigmoid of beta times the difference of log-ratios, in both orders"
done
sed 's/superb/zuperb/' start/tokenizer.json >policy/tokenizer.json
sed 1q last.jsonl >one.jsonl
exits 0 "a policy with another tokenizer" timeout 60 evalwin --json --judge "$judges/implicit-reward policy reference" --retries 0 \
	--cache other.jsonl one.jsonl
says "the stream was made with tokenizer" "... is refused"
grep -q '"unjudged":2' out
ok "... and says nothing"
model=$root/../shared/data/models/stories260K
if [ -d "$model" ]; then
	cat >story.jsonl <<'EOF'
{"prompt":"Once upon a time","output_1":" there was a girl.","output_2":" zq zq."}
EOF
	evalwin --json --judge "$judges/implicit-reward $model $model" --cache reward.jsonl story.jsonl |
		grep -q '"win_rate":50,.*"n_draws":2,'
	ok "implicit-reward: a policy that is its reference is indifferent"
else
	skip "implicit-reward" "no model"
fi

finish
