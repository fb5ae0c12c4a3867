#!/bin/sh
# evalwin's charts: SVG, a report, bars in text; training logs.
. "$(dirname "$0")/../lib.sh"

cat >svgtext.py <<'EOF'
# Is it XML, with text for each of the words, none over another, and colours for light and dark?
import sys, xml.etree.ElementTree as ET
root = ET.parse(sys.argv[1]).getroot()
SVG = "{http://www.w3.org/2000/svg}"

def box(t):
    said = [t.text or ""] + [e.tail or "" for e in t]
    wide, x = 6.2 * len("".join(said)), float(t.get("x"))
    left = x - {"end": wide, "middle": wide / 2}.get(t.get("text-anchor"), 0)
    return left, left + wide, float(t.get("y")) - 9, float(t.get("y"))

for chart in root.iter(SVG + "g"):
    if chart.get("class") == "c":
        boxes = [(box(t), t.text) for t in chart.iter(SVG + "text")]
        for i, (a, one) in enumerate(boxes):
            for b, other in boxes[:i]:
                assert a[0] >= b[1] or b[0] >= a[1] or a[2] >= b[3] or b[2] >= a[3], (one, other, a, b)
            assert a[0] >= -1 and a[1] <= 401, (one, a)
words = {"".join(t.itertext()) for t in root.iter("{http://www.w3.org/2000/svg}text")}
style = "".join(s.text for s in root.iter("{http://www.w3.org/2000/svg}style"))
assert root.tag.endswith("svg") and "prefers-color-scheme:dark" in style
missing = [w for w in sys.argv[2:] if w not in words]
assert not missing, (missing, words)
box = [float(x) for x in root.get("viewBox").split()]
for e in root.iter():
    for key in "x", "x1", "x2", "cx":
        assert -1 <= float(e.get(key, 0)) <= box[2] + 1, (e.tag, e.attrib)
EOF

# ---- verdicts, with names that mean something to XML and terminals

printf 'a\tb\twinner\titem\n' >hostile.tsv
i=0
while [ $i -lt 12 ]; do
	printf '<b>&"x"\tp\033[31mq\t%s\t%d\n' $([ $((i % 3)) -eq 0 ] && echo a || echo b) $i
	printf '<b>&"x"\tplain\t%s\t%d\n' $([ $((i % 4)) -eq 0 ] && echo a || echo b) $i
	i=$((i + 1))
done >>hostile.tsv
evalwin hostile.tsv >plain && evalwin --plot a.svg hostile.tsv | cmp - plain
ok "--plot changes nothing in the table"
$PYTHON svgtext.py a.svg 'Win rates' 'Bradley-Terry ratings' '<b>&"x"' plain 50 'rating'
ok "an SVG with text"
evalwin --plot b.svg --by winner --bootstrap 0 hostile.tsv >/dev/null && $PYTHON svgtext.py b.svg 'Win rates by group' 'a: plain'
ok "... by group, without a bootstrap"
evalwin --plot b.svg --by item hostile.tsv >/dev/null && $PYTHON svgtext.py b.svg 'Win rates by item' plain '<b>&"x"' item 'win rate in %'
ok "... by a field of numbers: curves"
sed 's/\([^\t]*\t[^\t]*\t[^\t]*\t\)11$/\1none/' hostile.tsv >most.tsv
evalwin --plot b.svg --by item most.tsv >/dev/null && $PYTHON svgtext.py b.svg 'Win rates by group' '0: plain' 'none: plain'
ok "... by a field of numbers but for one: none"
i=0
while [ $i -lt 40 ]; do
	printf '{"model_a":"base","model_b":"m","winner":"model_%s","item":%d,"dose":%s}\n' $([ $((i * 7 % 11)) -gt 4 ] && echo a || echo b) $i \
		$(((40 - i) / 10))e-1
	i=$((i + 1))
done >dose.jsonl
evalwin --plot b.svg --by dose dose.jsonl >/dev/null && $PYTHON svgtext.py b.svg 'Win rates by dose' dose 0.4 0.0
ok "... of one model"
sed -n 's/.*<path class="l" d="M\([0-9.]*\) [0-9.]*L\([0-9.]*\) [0-9.]*L\([0-9.]*\) .*L\([0-9.]*\) .*/\1 \2 \3 \4/p' b.svg |
	awk '$1 < $2 && $2 < $3 && $3 < $4 { found = 1 } END { exit !found }'
ok "... joined in the order of the field, not of the records"
evalwin --ascii --bootstrap 0 hostile.tsv >got
grep -c -e '^plain *-*o-* * 75$' -e '^p?\[31mq *-*o-* * 66.67$' got >count
is "$(cat count)" 2 "--ascii: bars" || note "$(cat got)"
tr -d '\n\040-\176' <got | cmp -s - /dev/null
ok "... and nothing else"
LC_ALL=C.UTF-8 evalwin --bars hostile.tsv | grep -q '●'
ok "--bars"
LC_ALL=C evalwin --bars hostile.tsv | tr -d '\n\040-\176' | cmp -s - /dev/null
ok "... in ASCII where the locale has no UTF-8"

# ---- log-probs

cat >make.py <<'EOF'
import json, random
random.seed(1)
for i in range(60):
    ref = [-10.0, -12.0]
    row = {"prompt": [1], "completions": [[3] * 5, [3] * random.randint(1, 9)], "logp.ref": ref, "meta": {"t": "ab"[i % 2], "n": i % 3, "score": [i % 7, 2]}}
    for name, lead in ("one", 0.5), ("two", 2):
        row["logp." + name] = [r + random.gauss(lead * (1 - j), 1) - 3 for j, r in enumerate(ref)]
    print(json.dumps(row))
EOF
$PYTHON make.py | tstream import -o s.tsz
evalwin --plot c.svg --policy one --policy two --by t s.tsz >/dev/null &&
	$PYTHON svgtext.py c.svg 'Win rates by reward' Margins 'Reliability: said, and won' 'Reward and KL' one two 'Win rates by group'
ok "log-probs: rates, margins, reliability, reward and KL"
evalwin --plot c.svg --policy one --policy two --by n s.tsz >/dev/null && $PYTHON svgtext.py c.svg 'Win rates by n' one two n 'pairs won in %'
ok "... by a field of numbers: a curve for each policy"
mkdir -p sweep/high sweep/low
for file in high/0.5 high/1 low/0.5 low/a-name-that-is-much-too-long-for-it alone; do
	cp s.tsz sweep/$file.tsz
done
evalwin --each --policy one --plot c.svg sweep/*/*.tsz sweep/alone.tsz >/dev/null && $PYTHON svgtext.py c.svg high low alone high/0.5 'Reward and KL'
ok "files: what their names share is left out; folders are series"
evalwin --each --policy one --score score --plot c.svg sweep/*/*.tsz sweep/alone.tsz >got && $PYTHON svgtext.py c.svg 'Score and KL' 'KL: mean log-ratio, in nats' score Score
ok "--score: the frontier of scores"
evalwin --plot d.svg --reference none --policy one s.tsz >/dev/null && $PYTHON svgtext.py d.svg 'Win rates by log-prob' one
ok "... without a reference"

# ---- training logs

cat >make-log.py <<'EOF'
import json
for s in range(1, 101):
    print(json.dumps({"step": s, "epoch": s / 100, "loss": 1 / s, "rewards/chosen": s / 10, "rewards/rejected": -s / 10}))
    if s % 25 == 0:
        print(json.dumps({"step": s, "eval_loss": 2 / s, "eval_rewards/chosen": None}))
EOF
$PYTHON make-log.py >train.log
cat >want <<'EOF'
metric                  log  lines  first  last  least  at step  most  at step
epoch             train.log    100   0.01     1   0.01        1     1      100
loss              train.log    100      1  0.01   0.01      100     1        1
rewards/chosen    train.log    100    0.1    10    0.1        1    10      100
rewards/rejected  train.log    100   -0.1   -10    -10      100  -0.1        1
eval_loss         train.log      4   0.08  0.02   0.02      100  0.08       25
EOF
evalwin train.log >got
same got want "a training log"
evalwin --ascii train.log | grep -q '^rewards/chosen  *_[_.]*[.:=+*#-]*  0.1 to 10$'
ok "a curve in text"
evalwin --plot e.svg train.log train.log >/dev/null && $PYTHON svgtext.py e.svg loss rewards 'eval_loss, train.log' step
ok "curves of two logs"
evalwin --json train.log | $PYTHON -c '
import json, sys
m = json.load(sys.stdin)["logs"][0]["metrics"]
assert m["loss"] == {"n": 100, "first": 1, "last": 0.01, "min": 0.01, "min_step": 100, "max": 1, "max_step": 1}'
ok "--json"

# ---- the report

exits 0 "a report" evalwin report -o r.html --policy one --policy two s.tsz hostile.tsv train.log
[ ! -s out ] && [ ! -s err ]
ok "... prints nothing"
cat >page.py <<'EOF'
import html.parser, re
text = open("r.html", encoding="utf-8").read()
class P(html.parser.HTMLParser):
    heads, svgs, pres, open = [], 0, [], []
    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        P.svgs += tag == "svg"
        assert tag not in ("script", "img", "link", "b"), tag
    def handle_data(self, data):
        if self.open and self.open[-1] == "h2":
            P.heads.append(data)
        if self.open and self.open[-1] == "pre":
            P.pres.append(data)
    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass
P().feed(text)
assert [h for h in P.heads if h.strip()] == ["Log-probs", "Verdicts", "Training"], P.heads
assert P.svgs >= 9 and "against the others" in "".join(P.pres) or "against the base" in "".join(P.pres)
assert "width=device-width" in text and "prefers-color-scheme:dark" in text
assert not re.search(r'(?:src|href)=|url\(|@import', text)
assert set(re.findall(r"https?://[^\"' )]*", text)) == {"http://www.w3.org/2000/svg"}
EOF
$PYTHON page.py
ok "one file that needs no other, its text escaped"

# ---- refusals

exits 2 "no output" evalwin report s.tsz
says "evalwin: report: -o FILE is missing" "... said so"
exits 2 "no files" evalwin report -o r2.html
exits 2 "no report" evalwin -o x hostile.tsv
says "evalwin: --output has no effect without 'report'" "... said so"
exits 2 "bars in JSON" evalwin --json --ascii hostile.tsv
exits 2 "options of other kinds" evalwin --beta 1 train.log
exits 4 "two kinds" evalwin train.log hostile.tsv
says "evalwin: train.log and hostile.tsv are not of one kind: a training log and verdicts" "... said so"
exits 1 "a plot that cannot be written" evalwin --plot /nonexistent/x.svg hostile.tsv
[ ! -s out ]
ok "... leaves no table"
head -c 200 s.tsz >cut.tsz
exits 3 "a report of what is cut off" evalwin report -o r3.html --policy one cut.tsz
[ ! -e r3.html ]
ok "... is none"

finish
