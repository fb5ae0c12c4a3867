#!/bin/sh
# pref-fmt: every layout in every container, bad rows and their ledger, refusals, real data, manual.
. "$(dirname "$0")/../lib.sh"

fails() { # CODE MESSAGE COMMAND...: exits so, and this is the last that it says
	code=$1 message=$2
	shift 2
	"$@" >fails.out 2>fails.err
	got=$?
	[ $got -eq "$code" ] && [ "$(tail -n 1 fails.err)" = "pref-fmt: $message" ]
	ok "exit $code: $message" || note "exit $got" "$(cat fails.err)"
}

usage() { # MESSAGE COMMAND...: exits 2, and says so before the usage
	message=$1
	shift
	"$@" >usage.out 2>usage.err
	[ $? -eq 2 ] && [ ! -s usage.out ] && [ "$(head -n 1 usage.err)" = "pref-fmt: $message" ]
	ok "usage: $message" || note "$(cat usage.err)"
}

# ---- every layout

cat >hh <<'EOF'
{"chosen":"\n\nHuman: hi\n\nAssistant: hello","rejected":"\n\nHuman: hi\n\nAssistant: help"}
EOF
cat >explicit <<'EOF'
{"prompt":"The sky is","chosen":" blue","rejected":" black","source":"x"}
EOF
cat >explicit-chat <<'EOF'
{"prompt":"hi","prompt_id":"1","chosen":[{"role":"user","content":"hi"},{"role":"assistant","content":"hello"}],"rejected":[{"role":"user","content":"hi"},{"role":"assistant","content":"help"}],"score_chosen":8}
EOF
cat >implicit <<'EOF'
{"chosen":"The sky is blue","rejected":"The sky is black"}
EOF
cat >implicit-chat <<'EOF'
{"chosen":[{"role":"system","content":"Be nice."},{"role":"user","content":"hi"},{"role":"assistant","content":"hello"}],"rejected":[{"role":"system","content":"Be nice."},{"role":"user","content":"hi"},{"role":"assistant","content":"help"}]}
EOF
cat >ranking <<'EOF'
{"prompt":"1, 2,","completions":[" 3"," 4"," many"]}
EOF
cat >unpaired <<'EOF'
{"prompt":"Say hi.","completion":" hi","label":true}
EOF
cat >unpaired-chat <<'EOF'
{"prompt":[{"role":"user","content":"Say hi."}],"completion":[{"role":"assistant","content":"no"}],"label":false}
EOF
cat >unpaired-messages <<'EOF'
{"messages":[{"role":"user","content":"Say hi."},{"role":"assistant","content":"no"}],"label":0}
EOF
cat >completion <<'EOF'
{"prompt":"Once upon","completion":" a time"}
EOF
cat >completion-chat <<'EOF'
{"prompt":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}],"completion":[{"role":"assistant","content":"d"}]}
EOF
cat >messages <<'EOF'
{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"},{"role":"assistant","content":"d"}]}
EOF
cat >text <<'EOF'
{"text":"Once upon a time"}
EOF
layouts="hh explicit explicit-chat implicit implicit-chat ranking unpaired unpaired-chat unpaired-messages \
completion completion-chat messages text"
for l in $layouts; do
	pref-fmt -v --jsonl $l 2>err | sed "s/^/$l /; s/\"id\":\"[0-9a-f]*\",//"
	grep -q "^pref-fmt: $l: layout '$l'\$" err || echo "$l is not $l"
done >got
cat >want <<'EOF'
hh {"prompt":"\n\nHuman: hi\n\nAssistant:","chosen":" hello","rejected":" help"}
explicit {"prompt":"The sky is","chosen":" blue","rejected":" black"}
explicit-chat {"prompt":"\n\nHuman: hi\n\nAssistant:","chosen":" hello","rejected":" help"}
implicit {"prompt":"The sky is","chosen":" blue","rejected":" black"}
implicit-chat {"prompt":"Be nice.\n\nHuman: hi\n\nAssistant:","chosen":" hello","rejected":" help"}
ranking {"prompt":"1, 2,","completions":[" 3"," 4"," many"]}
unpaired {"prompt":"Say hi.","completion":" hi","label":true}
unpaired-chat {"prompt":"\n\nHuman: Say hi.\n\nAssistant:","completion":" no","label":false}
unpaired-messages {"prompt":"\n\nHuman: Say hi.\n\nAssistant:","completion":" no","label":false}
completion {"prompt":"Once upon","completion":" a time"}
completion-chat {"prompt":"\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant:","completion":" d"}
messages {"prompt":"\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant:","completion":" d"}
text {"prompt":"","completion":"Once upon a time"}
EOF
same got want "all layouts"
for l in $layouts; do
	pref-fmt -q --jsonl $l >once && pref-fmt -q --jsonl once | cmp - once || echo "$l"
done >got 2>&1
[ ! -s got ]
ok "JSON lines read back, with the same ids"
for l in $layouts; do
	pref-fmt -q $l >stream.tsz && tstream check --full stream.tsz >check.out &&
		tstream export stream.tsz | sed 's/"completions":\[\("[^"]*"\)\]/"completion":\1/
			s/"label":\[0\]/"label":false/; s/"label":\[1\]/"label":true/' >export.out
	pref-fmt -q --jsonl $l | cmp - export.out || echo "$l"
done >got 2>&1
[ ! -s got ]
ok "streams hold the same as JSON lines"
pref-fmt explicit-chat 2>err >stream.tsz && tstream head stream.tsz | grep -q '^template *dialogue$' &&
	grep -q "messages are rendered as plain dialogue" err && [ "$(wc -l <err)" -eq 1 ]
ok "the rendering is in the header, and said once"
pref-fmt explicit 2>err >stream.tsz && ! tstream head stream.tsz | grep -q template && [ ! -s err ]
ok "plain text has no template, and nothing to say"

# ---- every container

for i in 1 2 3 4 5 6 7 8 9; do
	printf '%s\n' '{"prompt":"p'$i'","chosen":"\u00e4, [}\"{","rejected":" r","x":{"y":['$i']}}'
done >rows.jsonl
{ echo '['; sed '$!s/$/,/' rows.jsonl; echo ']'; } >rows.json
$PYTHON -c 'import json, sys; json.dump(json.load(open("rows.json")), sys.stdout, indent=4)' >pretty.json
{ printf '\357\273\277\r\n'; sed 's/$/\r\n\r/' rows.jsonl; } >crlf.jsonl
head -c -1 rows.jsonl >open.jsonl
gzip -c rows.jsonl >rows.jsonl.gz
gzip -c pretty.json >pretty.json.gz
{ head -n 4 rows.jsonl | gzip -c; tail -n 5 rows.jsonl | gzip -c; } >members.gz
pref-fmt --jsonl rows.jsonl >want
for f in rows.json pretty.json crlf.jsonl open.jsonl rows.jsonl.gz pretty.json.gz members.gz; do
	pref-fmt --jsonl $f | cmp - want || echo $f
	pref-fmt --jsonl <$f | cmp - want || echo "stdin $f"
done >got 2>&1
[ "$(wc -l <want)" -eq 9 ] && [ ! -s got ]
ok "array, lines, CRLF, no last newline, gzip, members"
pref-fmt -o a.tsz rows.jsonl && pref-fmt <rows.jsonl.gz >b.tsz && pref-fmt -@ 3 members.gz - </dev/null >c.tsz
cmp a.tsz b.tsz && cmp a.tsz c.tsz
ok "the same bytes from the same rows"
tail -c 1200 a.tsz | grep -a -q "\"input.sha256\":\"$(sha256sum <rows.jsonl | cut -d ' ' -f 1)\""
ok "END names the input"
pref-fmt --no-prov rows.jsonl | tstream head >got && ! grep -q prov got
ok "--no-prov"
head -n 4 rows.jsonl >four; tail -n 5 rows.jsonl | sed 1d >last; sed -n 5p rows.jsonl >five
pref-fmt --jsonl four five last | cmp - want
ok "several files"
pref-fmt --jsonl --skip 3 --limit 2 rows.jsonl >got && sed -n 4,5p want | cmp - got
ok "--skip and --limit"
pref-fmt --limit 2 rows.jsonl | tail -c 1200 | grep -a -q input.sha256
[ $? -eq 1 ]
ok "no digest of an input that was not read to its end"
pref-fmt --jsonl --keep-meta rows.jsonl | sed 's/.*"meta"/"meta"/' | head -n 1 >got
echo '"meta":{"x":{"y":[1]}}}' >want
same got want "--keep-meta"
pref-fmt --keep-meta rows.jsonl | tstream export | sed 's/.*"meta"/"meta"/' | head -n 1 >got
same got want "--keep-meta in a stream"

# ---- bad rows

{
	cat explicit - <<'EOF'
{"prompt":"a","chosen":"b","rejected":"c"
[1]
{"prompt":"a","chosen":"b"}
{"prompt":"a","chosen":"b","chosen":"b","rejected":"c"}
{"prompt":"a","chosen":"b","rejected":"c","history":[["q","a"]]}
{"prompt":"a","chosen":["b"],"rejected":"c"}
{"prompt":"a","chosen":"b","rejected":"\u0000\n"}
{"prompt":"a","chosen":"b","rejected":"\n"}
{"prompt":"a","chosen":"b","rejected":"b"}
EOF
	printf '{"prompt":"a","chosen":"b","rejected":"\344"}\n'
	printf '%s\n' '{"prompt":"a","chosen":"b","rejected":"\ud800"}'
	$PYTHON -c 'print("{\"prompt\":\"a\",\"chosen\":" + "[" * 100000 + "]" * 100000 + "}")'
	cat explicit
} >bad.jsonl
cat >want <<'EOF'
pref-fmt: bad.jsonl:2: not-json: not JSON at byte 40
pref-fmt: bad.jsonl:3: not-object: the row is an array, not an object
pref-fmt: bad.jsonl:4: missing-key: key 'rejected' is missing
pref-fmt: bad.jsonl:5: duplicate-key: key 'chosen' is there twice
pref-fmt: bad.jsonl:6: lost-key: layout 'explicit' would lose key 'history'
pref-fmt: bad.jsonl:7: wrong-type: 'chosen' is an array, not a string
pref-fmt: bad.jsonl:9: empty: rejected is empty
pref-fmt: bad.jsonl:10: identical: chosen and rejected are the same
pref-fmt: bad.jsonl:11: not-json: byte 39 is not valid UTF-8
pref-fmt: bad.jsonl:12: not-json: not JSON at byte 39: half of a surrogate pair
pref-fmt: bad.jsonl:13: not-json: not JSON at byte 1022: nested too deep
EOF
counts="4 not-json, 1 not-object, 1 missing-key, 1 duplicate-key, 1 lost-key, 1 wrong-type, 1 empty, 1 identical"
fails 1 "11 bad rows of 14 ($counts); --max-bad is 0" pref-fmt bad.jsonl
sed '$d' fails.err >got
same got want "each bad row is named"
! tail -c 1200 fails.out | grep -a -q payload.sha256
ok "no END behind bad rows"
tstream check fails.out >got 2>&1
[ $? -eq 3 ]
ok "and the next program notices"
fails 1 "11 bad rows of 14 ($counts); --max-bad is 10" pref-fmt -q --max-bad 10 -o bad.tsz bad.jsonl
[ "$(wc -l <fails.err)" -eq 1 ] && [ "$(echo bad.tsz*)" = "bad.tsz*" ]
ok "no file, and -q names no rows"
fails 0 "11 bad rows of 14 were dropped: $counts" pref-fmt --max-bad 11 --rejects r.jsonl -o bad.tsz bad.jsonl
tail -c 1200 bad.tsz | grep -a -q "\"dropped\":\"11\",\"dropped.reasons\":\"$counts\"" &&
	[ "$(tstream export bad.tsz | wc -l)" -eq 3 ]
ok "END tells what was dropped"
cat >check.py <<'EOF'
import json
bad = open("bad.jsonl", "rb").read().split(b"\n")
rows = [json.loads(line) for line in open("r.jsonl", encoding="utf-8")]
assert [r["line"] for r in rows] == [2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13]
for r in rows:
    assert r["file"] == "bad.jsonl" and r["detail"]
    line = bad[r["line"] - 1].decode("utf-8", "replace")
    if r["reason"] == "not-json":
        assert r["text"] == line
    else:
        assert r["row"] == json.loads(line)
EOF
$PYTHON check.py
ok "--rejects holds the rows"
fails 1 "11 bad rows of 14 ($counts); --max-bad is 0" pref-fmt --rejects again.jsonl -o no.tsz bad.jsonl
cmp r.jsonl again.jsonl && [ ! -e no.tsz ]
ok "also where there are too many"
$PYTHON -c 'import json; json.dump([{"text": ""}, {"text": "a\nb"}, {"text": 7, "x": [1, {}]}], open("p.json", "w"), indent=1)'
fails 1 "2 bad rows of 3 (1 wrong-type, 1 empty); --max-bad is 0" pref-fmt --rejects r.jsonl p.json
{ echo "pref-fmt: p.json:2: element 1: empty: the completion is empty"
	echo "pref-fmt: p.json:8: element 3: wrong-type: 'text' is a number, not a string"; } >want
sed '$d' fails.err >got
same got want "lines of elements"
[ "$(wc -l <r.jsonl)" -eq 2 ] && grep -q '"row":{   "text": 7,' r.jsonl
ok "a row of several lines is one reject"
{ cat explicit; for i in $(seq 30); do echo '{}'; done; } >many
pref-fmt many >out 2>err
[ "$(wc -l <err)" -eq 22 ] && grep -q 'further bad rows are only counted' err
ok "the first 20 are named"
pref-fmt -v many >out 2>err
[ "$(wc -l <err)" -eq 32 ]
ok "all with -v"

# ---- several turns

cat >turns <<'EOF'
{"chosen":"\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: d","rejected":"\n\nHuman: a\n\nAssistant: x"}
EOF
pref-fmt --jsonl turns 2>err | sed 's/"id":"[0-9a-f]*",//' >got
cat >want <<'EOF'
{"prompt":"\n\nHuman: a\n\nAssistant:","chosen":" b\n\nHuman: c\n\nAssistant: d","rejected":" x"}
EOF
same got want "a completion of several turns"
echo "pref-fmt: 1 rows have completions that go on over turns of the user, which are trained on too" >want
same err want "which is said"

# ---- whole files that are refused

echo '{"system":"s","post":"q","chosen":"q a","rejected":"q b"}' >odd
fails 4 "odd:1: layout 'implicit' would lose key 'system'; the row has 'system' (a string), 'post' (a string), 'chosen' (a string), 'rejected' (a string)" \
	pref-fmt odd
fails 4 "stdin:1: no layout fits; the row has 'conversations' (an array)" \
	sh -c "echo '{\"conversations\":[]}' | pref-fmt"
fails 4 "stdin:1: no layout fits a number; the row has no keys" sh -c "echo '[7]' | pref-fmt"
fails 3 "stdin:1: the first row cannot tell the layout: not JSON at byte 0" sh -c "echo 'prompt and chosen' | pref-fmt"
fails 3 "stdin:2: fewer fields than the 2 columns" sh -c "printf 'prompt,chosen\n1\n' | pref-fmt"
fails 4 "unpaired:1: layout 'unpaired', but explicit has 'explicit': one stream cannot hold both" \
	pref-fmt explicit unpaired
fails 1 "no rows in the input" pref-fmt /dev/null
fails 1 "no row is left of 1" sh -c "echo '{\"text\":\"\"}' | pref-fmt -q --max-bad 1"
fails 3 "cut.json:5: the file ends inside the element that starts here" sh -c 'head -n 5 rows.json | head -c -20 >cut.json; pref-fmt cut.json'
head -c -9 rows.jsonl.gz >cut.gz
pref-fmt cut.gz >out 2>err
[ $? -eq 3 ] && grep -q '^pref-fmt: cut.gz:.*gzip data' err
ok "exit 3 for a gzip file that is cut off"
$PYTHON -c 'print("{\"text\":\"" + "x" * (33 << 20) + "\"}")' >long
fails 5 "long:1: a record of more than 33554432 bytes" pref-fmt long
fails 1 "nothing: No such file or directory" pref-fmt nothing
pref-fmt -f implicit odd >out
ok "-f takes what a layout would lose"
usage "--format: 'no' is none of hh, tldr, $(pref-fmt -f no 2>&1 | sed -n 's/.*hh, tldr, //p')" pref-fmt -f no explicit
usage "--stored has no effect with --jsonl" pref-fmt --jsonl -u explicit
usage "--rejects and the output are both 'x'" pref-fmt --rejects x -o x explicit
usage "--report and --rejects are both 'x'" pref-fmt --rejects x --report x explicit

# ---- the manual

pref-fmt -f no 2>&1 | sed -n "1s/.*is none of //p" | tr -d ',' | tr ' ' '\n' >names
cat >>names <<'EOF'
not-json
not-object
missing-key
duplicate-key
lost-key
wrong-type
prefix
no-prompt
prompt-differs
roles
marker
needs-template
template
empty
identical
no-preference
below-min
extends
tie
duplicate
contradiction
held-out
special
leftover
system-lost
boundary
replaced
EOF
sed -n 's/^\.It Cm \([a-z0-9-]*\).*/\1/p' "$root/man/pref-fmt.1" >got
same got names "the manual has all layouts and codes, in order"
cat hh hh hh >hh.jsonl
sed 's/hello/ /' hh >>hh.jsonl
gzip hh.jsonl
echo '[{"q":"q","answers":["a","b"]}]' >se.json
cp rows.jsonl scored.jsonl
mkdir MODEL && echo '{"chat_template":"{% for m in messages %}<{{ m.content }}>{% endfor %}"}' >MODEL/tokenizer_config.json
sed -n 's/^\.Dl \$ //p' "$root/man/pref-fmt.1" | sed 's/\\e/\\/g; s/| tokenize -m MODEL/| tstream cat/' >examples
command -v jq >/dev/null || sed -i '/^jq/d' examples
sh -e examples >examples.out 2>examples.err && [ "$(wc -l <examples)" -ge 9 ] && grep -q '1 "reason":"empty"' examples.out &&
	grep -q '^{"output":"<Hi>"}$' examples.out && grep -q '"empty":{"class":"bad"' report.json &&
	tstream export chat.tsz | grep -q '"chosen":"<hello>"'
ok "the man page's examples" || note "$(cat examples.err)"

# ---- real data

data=$root/../shared/data/prefs
if [ -d "$data" ]; then
	fails 1 "5 bad rows of 1500 (1 roles, 4 empty); --max-bad is 0" pref-fmt "$data/hh-rlhf/harmless-1500.jsonl.gz"
	sed 's/.*gz:\([0-9]*\): \([a-z]*\): .*/\1 \2/; $d' fails.err | tr '\n' ' ' >got
	[ "$(cat got)" = "87 empty 517 empty 926 empty 1104 empty 1255 roles " ]
	ok "HH: rows with an empty answer, and one damaged transcript"
	pref-fmt -q --max-bad 5 -o hh.tsz "$data/hh-rlhf/harmless-1500.jsonl.gz" && tstream export hh.tsz >hh.out
	cat >check.py <<'EOF'
import gzip, json, sys
rows = [json.loads(line) for line in gzip.open(sys.argv[1])]
got = [json.loads(line) for line in open("hh.out", encoding="utf-8")]
rows = [r for i, r in enumerate(rows, 1) if i not in (87, 517, 926, 1104, 1255)]
assert len(rows) == len(got) == 1495
for r, g in zip(rows, got):
    cut = r["chosen"].rindex("\n\nAssistant:") + len("\n\nAssistant:")
    assert r["chosen"][:cut] == r["rejected"][:cut] == g["prompt"]
    assert r["chosen"][cut:] == g["chosen"] and r["rejected"][cut:] == g["rejected"]
    assert g["chosen"].startswith(" ") and g["rejected"].startswith(" ")
EOF
	$PYTHON check.py "$data/hh-rlhf/harmless-1500.jsonl.gz"
	ok "HH: 1495 rows split at the last answer"
	[ "$(pref-fmt -q --jsonl "$data/llama-factory/kto_en_demo.json" | wc -l)" -eq 300 ] &&
		[ "$(pref-fmt -q --jsonl "$data/torchtune/alpaca_tiny.json" | wc -l)" -eq 100 ] &&
		[ "$(pref-fmt -q --jsonl "$data/torchtune/hh_rlhf_tiny.json" | wc -l)" -eq 1 ]
	ok "unpaired messages, text, implicit conversations"
	for f in "torchtune/chat_tiny.json 1 messages" "torchtune/instruct_tiny.json 10 instruction" \
		"torchtune/stack_exchange_paired_tiny.json 10 stack-exchange" "llama-factory/dpo_en_demo.json 300 sharegpt-pair" \
		"llama-factory/v1_dpo_demo.jsonl 10 message-pair" "alpaca_eval/phi-2.annotations.json.gz 805 alpaca-eval"; do
		set -- $f
		pref-fmt -v --jsonl "$data/$1" 2>err >out && grep -q "layout '$3'$" err && [ "$(wc -l <out)" -gt 0 ] || echo "$f $(wc -l <out)"
	done >got
	[ ! -s got ]
	ok "and the others" || note "$(cat got)"
else
	skip "real data" "no ../shared/data"
fi

finish
