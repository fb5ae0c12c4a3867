#!/bin/sh
# pref-fmt as a compiler for data: layouts in the wild, pairs out of rankings, notes, reports, splits.
. "$(dirname "$0")/../lib.sh"

lines() { # COMMAND...: its JSON lines without ids
	"$@" 2>err | sed 's/"id":"[0-9a-f]*",//'
}

usage() { # MESSAGE COMMAND...: exits 2, and says so
	message=$1
	shift
	"$@" >usage.out 2>usage.err
	[ $? -eq 2 ] && [ ! -s usage.out ] && [ "$(head -n 1 usage.err)" = "pref-fmt: $message" ]
	ok "usage: $message" || note "$(cat usage.err)"
}

# ---- pairs out of rankings

cat >uf.jsonl <<'EOF'
{"source":"s","instruction":"q","completions":[{"model":"a","response":"A","overall_score":6.0},{"response":"B","overall_score":9},{"response":"C","overall_score":6},{"response":"D","overall_score":1.5}]}
EOF
lines pref-fmt --jsonl uf.jsonl >got
cat >want <<'EOF'
{"prompt":"\n\nHuman: q\n\nAssistant:","completions":[" B"," A"," C"," D"],"scores":[9,6,6,1.5]}
EOF
same got want "a ranking stays one"
tstream head --json uf.jsonl >out 2>err
pref-fmt -q uf.jsonl | tstream export | grep -q '"label":\[9,6,6,1.5\]'
ok "with its scores"
lines pref-fmt --jsonl --pairs best-worst uf.jsonl >got
cat >want <<'EOF'
{"prompt":"\n\nHuman: q\n\nAssistant:","chosen":" B","rejected":" D","scores":[9,1.5]}
EOF
same got want "--pairs best-worst"
lines pref-fmt --jsonl --pairs adjacent uf.jsonl | sed 's/.*chosen":" \(.\)","rejected":" \(.\)".*/\1\2/' | tr '\n' ' ' >got
is "$(cat got)" "BA CD " "--pairs adjacent: equal scores make no pair"
lines pref-fmt --jsonl --pairs all uf.jsonl | sed 's/.*chosen":" \(.\)","rejected":" \(.\)".*/\1\2/' | tr '\n' ' ' >got
is "$(cat got)" "BA BC BD AD CD " "--pairs all"
sed 's/9/6/; s/1.5/6/' uf.jsonl >equal.jsonl
exits 1 "nothing but equal scores" pref-fmt --pairs all equal.jsonl
says "no row is left of 1" "leaves nothing"
cat uf.jsonl equal.jsonl | pref-fmt --pairs all -o two.tsz 2>err
grep -q '^pref-fmt: 1 rows of 2 were passed over: 1 no-preference$' err && tail -c 1200 two.tsz | grep -a -q '"dropped.reasons":"1 no-preference"'
ok "and is passed over, not bad" || note "$(cat err)"
pref-fmt -q --jsonl uf.jsonl >r.jsonl && lines pref-fmt --jsonl r.jsonl >got && lines pref-fmt --jsonl uf.jsonl >want
same got want "rankings with scores read back"

echo '{"prompt":"q","all_generated_responses":["a","b","c"],"all_rm_scores":[0.1,-2.3e-05,16777216]}' >scored.jsonl
pref-fmt -q --jsonl scored.jsonl | grep -q '"scores":\[16777216,0.1,-2.3e-05\]'
ok "scores come out as they were written"

# ---- where keys are

cat >nested.jsonl <<'EOF'
{"data":{"q":"2 + 2","answers":[{"t":" 4"},{"t":" 5"}]},"ok":1}
EOF
lines pref-fmt --jsonl --map prompt=data.q --map chosen=data.answers.0.t --map rejected=data.answers.1.t nested.jsonl >got
echo '{"prompt":"2 + 2","chosen":" 4","rejected":" 5"}' >want
same got want "--map, into objects and lists"
lines pref-fmt --jsonl --keep-meta --map prompt=data.q --map chosen=data.answers.0.t --map rejected=data.answers.1.t nested.jsonl >got
grep -q '"meta":{"ok":1}' got
ok "what is mapped is not kept besides"
echo '{"input":"q","chosen":"a","rejected":"b"}' >input.jsonl
lines pref-fmt --jsonl --map instruction=input input.jsonl >got
cat >want <<'EOF'
{"prompt":"\n\nHuman: q\n\nAssistant:","chosen":" a","rejected":" b"}
EOF
same got want "nor is it read under its own name too"
echo '{"prompt":"p","chosen":" a","rejected":" b"}' >swap.jsonl
lines pref-fmt --jsonl --map chosen=rejected --map rejected=chosen swap.jsonl >got
echo '{"prompt":"p","chosen":" b","rejected":" a"}' >want
same got want "two keys change places"
usage "--map: 'prompt' is not of the form KEY=PATH" pref-fmt --map prompt nested.jsonl
exits 4 "a path that leads nowhere" pref-fmt --map prompt=data.x nested.jsonl
cat >table.csv <<'EOF'
prompt,chosen,rejected,note
"say ""hi"", twice"," hi
hi", hi,x
EOF
lines pref-fmt --jsonl table.csv >got
cat >want <<'EOF'
{"prompt":"say \"hi\", twice","chosen":" hi\nhi","rejected":" hi"}
EOF
same got want "CSV"
printf 'instruction\toutput_1\toutput_2\tpreference\nq\ta\tb\t2.0\n' | gzip >table.tsv.gz
lines pref-fmt --jsonl table.tsv.gz >got
cat >want <<'EOF'
{"prompt":"\n\nHuman: q\n\nAssistant:","chosen":" b","rejected":" a"}
EOF
same got want "TSV, gzipped, numbers as text"

# ---- rows that are passed over

for x in 1.5 2 3.5; do
	echo '{"history":"q'$x'","human_ref_A":"a","human_ref_B":"b","labels":1,"score_ratio":'$x',"s":{"n":'$x'}}'
done >shp.jsonl
[ "$(pref-fmt --jsonl --min score_ratio=2 shp.jsonl 2>err | wc -l)" -eq 2 ] && grep -q '^pref-fmt: 1 rows of 3 were passed over: 1 below-min$' err
ok "--min"
[ "$(pref-fmt -q --jsonl --min score_ratio=2 --min s.n=3 shp.jsonl | wc -l)" -eq 1 ]
ok "twice, by a path"
usage "--min: 'two' is no number" pref-fmt --min score_ratio=two shp.jsonl

# ---- notes

cat >odd.jsonl <<'EOF'
{"prompt":"p1","chosen":" yes","rejected":" no"}
{"prompt":"p1","chosen":" no","rejected":" yes"}
{"prompt":"p1","chosen":" yes","rejected":" no"}
{"prompt":"p2","chosen":" yes","rejected":" yes, sir"}
{"prompt":"p3","chosen":" yes<|im_end|>","rejected":" no"}
{"prompt":"p4","chosen":" yes","rejected":" yes"}
{"prompt":"p5","chosen":"","rejected":" no"}
EOF
pref-fmt --jsonl --max-bad 2 odd.jsonl >got 2>err
cat >want <<'EOF'
pref-fmt: odd.jsonl:6: identical: chosen and rejected are the same
pref-fmt: odd.jsonl:7: empty: chosen is empty
pref-fmt: 4 records of 5 have notes: 1 extends, 1 duplicate, 2 contradiction, 1 leftover
pref-fmt: 2 bad rows of 7 were dropped: 1 empty, 1 identical
EOF
same err want "notes are counted, bad rows named"
pref-fmt -v --jsonl --max-bad 2 odd.jsonl 2>&1 >out | grep note: >got
cat >want <<'EOF'
pref-fmt: odd.jsonl:2: note: contradiction: chosen and rejected were there before, the other way round
pref-fmt: odd.jsonl:3: note: duplicate: the same record was there before
pref-fmt: odd.jsonl:3: note: contradiction: chosen and rejected were there before, the other way round
pref-fmt: odd.jsonl:4: note: extends: rejected begins with all of chosen
pref-fmt: odd.jsonl:5: note: leftover: chosen has '<|im_end|>', rejected has not
EOF
same got want "-v names the rows with notes"
pref-fmt --jsonl --max-bad 9 --reject duplicate,contradiction --reject leftover --rejects bad.jsonl odd.jsonl >got 2>err
[ "$(wc -l <got)" -eq 2 ] && grep -q '^pref-fmt: 5 bad rows of 7 were dropped: 1 empty, 1 identical, 1 duplicate, 1 contradiction, 1 leftover$' err &&
	[ "$(sed 's/.*"line":\([0-9]*\),"reason":"\([a-z-]*\)".*/\1 \2/' bad.jsonl | tr '\n' ' ')" = "2 contradiction 3 duplicate 5 leftover 6 identical 7 empty " ]
ok "--reject makes notes bad" || note "$(cat err bad.jsonl)"
[ "$(pref-fmt -q --jsonl --keep empty,identical odd.jsonl | wc -l)" -eq 7 ]
ok "--keep puts up with empty and identical"
[ "$(pref-fmt -q --jsonl --keep all --reject all --max-bad 9 odd.jsonl | wc -l)" -eq 3 ]
ok "all of them"
usage "--reject: 'empty' is no code that it takes" pref-fmt --reject duplicate,empty odd.jsonl
usage "--keep: 'roles' is no code that it takes" pref-fmt --keep roles odd.jsonl
echo '{"prompt":"q","chosen":[{"role":"assistant","content":"a"}],"rejected":[{"role":"assistant","content":"b"}],"x":1}' >chat.jsonl
mkdir model && echo '{"added_tokens":[{"id":0,"content":"</s>","special":true}]}' >model/tokenizer.json && echo '{"chat_template":"{% for m in messages %}{{ m.content }}{% endfor %}"}' >model/tokenizer_config.json
sed 's/"a"/"a <\/s>"/' chat.jsonl >special.jsonl
pref-fmt -m model special.jsonl 2>err >out && grep -q 'have notes: 1 special, 1 leftover$' err
ok "special tokens in messages" || note "$(cat err)"
echo '{"prompt":"q","chosen":" a</s>","rejected":" b</s>"}' >text.jsonl
pref-fmt -m model text.jsonl 2>err >out && grep -q 'have notes: 1 special$' err
ok "and in text, by the model's tokenizer"

# ---- probes

for i in 1 1 2 3 3 4; do
	n=$((n + 1))
	echo '{"prompt":"p'$i'","completion":" c'$n'","label":'$((n % 2))'}'
done >kto.jsonl
pref-fmt -q --probes kto.jsonl | tstream export | sed 's/.*"prompt":"\(..\)","chosen":" \(..\)","rejected":" \(..\)","label":\(.*\)}/\1 \2 \3 \4/' >got
cat >want <<'EOF'
p1 c1 c3 [1,-1]
p1 c2 c3 [0,-1]
p2 c3 c2 [1,-1]
p3 c4 c3 [0,-1]
p3 c5 c3 [1,-1]
p4 c6 c5 [0,-1]
EOF
same got want "--probes: the completion of the nearest other prompt"
pref-fmt -q --probes --split 0.3 --rest rest.tsz -o part.tsz kto.jsonl && [ "$({ tstream export part.tsz; tstream export rest.tsz; } | grep -c '"label":\[[01],-1\]')" -eq 6 ]
ok "on both sides of a split"
head -n 2 kto.jsonl >one.jsonl
exits 1 "one prompt alone" pref-fmt --probes -o no.tsz one.jsonl
says "all 2 records have the same prompt" "has no probe"
exits 4 "pairs" pref-fmt --probes -o no.tsz odd.jsonl
says "has not one completion with a label" "get none"

# ---- a report

pref-fmt -q --jsonl --max-bad 2 --report report.json -o out.jsonl odd.jsonl && $PYTHON - <<'EOF'
import json
r = json.load(open("report.json"))
assert (r["rows"], r["records"], r["bad"], r["skipped"], r["noted"], r["prompts"]) == (7, 5, 2, 0, 4, 3), r
f = r["faults"]
assert {k: (v["class"], v["rejected"], v["count"]) for k, v in f.items()} == {
    "empty": ("bad", True, 1), "identical": ("bad", True, 1), "extends": ("note", False, 1), "duplicate": ("note", False, 1),
    "contradiction": ("note", False, 2), "leftover": ("note", False, 1)}, f
assert f["contradiction"]["examples"][0] == {"file": "odd.jsonl", "line": 2,
                                             "detail": "chosen and rejected were there before, the other way round"}
l = r["length"]
assert l["pairs"] == 5 and l["chosen_longer"] == 0.6 and l["rejected_longer"] == 0.4 and l["accuracy_of_the_longer"] == 0.6, l
assert abs(l["chosen_characters"] - (4 + 3 + 4 + 4 + 14) / 5) < 1e-9 and l["prompt_characters"] == 2
EOF
ok "--report" || note "$(cat report.json)"
for i in $(seq 9); do echo '{"prompt":"p","chosen":"a","rejected":"a"}'; done >nine.jsonl
pref-fmt -q --max-bad 3 --report report.json nine.jsonl >out 2>err
[ $? -eq 1 ] && $PYTHON -c 'import json; r = json.load(open("report.json"))["faults"]["identical"]; assert r["count"] == 9 and len(r["examples"]) == 5'
ok "also where there are too many bad rows, with five examples a code"

echo '[{"prompt":"p","chosen":" a","rejected":" b"},{"prompt":"q","chosen":" a","rejected":" a"},7]' >one-line.json
exits 1 "elements of an array on one line" pref-fmt --report report.json --rejects rejects.jsonl one-line.json
grep -q '^pref-fmt: one-line.json:1: element 2: identical: ' err && grep -q '^pref-fmt: one-line.json:1: element 3: not-object: ' err &&
	grep -q '^{"file":"one-line.json","line":1,"element":3,"reason":"not-object",' rejects.jsonl &&
	grep -q '"examples":\[{"file":"one-line.json","line":1,"element":2,"detail"' report.json
ok "are told apart" || note "$(cat err rejects.jsonl report.json)"

# ---- what is held out, and splits

head -n 1 odd.jsonl >test.jsonl
pref-fmt --jsonl --max-bad 9 --held-out test.jsonl odd.jsonl >got 2>err && grep -q ' 3 held-out' err
ok "--held-out finds prompts in common" || note "$(cat err)"
[ "$(pref-fmt -q --jsonl --max-bad 9 --held-out test.jsonl --reject held-out odd.jsonl | grep -c '"p1"')" -eq 0 ]
ok "--reject held-out"
for i in $(seq 400); do
	echo '{"prompt":"p'$i'","chosen":" a'$i'","rejected":" b"}'
	echo '{"prompt":"p'$i'","chosen":" c","rejected":" d'$i'"}'
done >many.jsonl
pref-fmt --split 0.9 --rest rest.tsz -o part.tsz many.jsonl && tstream export part.tsz >part && tstream export rest.tsz >rest &&
	pref-fmt -q many.jsonl | tstream export | sort >all && sort part rest | cmp - all
ok "--split and --rest: nothing lost"
sed 's/.*prompt":"\([^"]*\)".*/\1/' part | sort -u >a && sed 's/.*prompt":"\([^"]*\)".*/\1/' rest | sort -u >b && [ -z "$(comm -12 a b)" ] &&
	[ "$(wc -l <b)" -gt 20 ] && [ "$(wc -l <b)" -lt 60 ]
ok "no prompt on both sides, about a tenth of them on the other"
pref-fmt -q --jsonl --split 0.9 many.jsonl | $PYTHON -c '
import hashlib, json, sys
kept = [json.loads(line)["prompt"] for line in sys.stdin]
want = [p for i in range(1, 401) for p in ["p%d" % i] * 2
        if (int.from_bytes(hashlib.sha256(p.encode()).digest()[:8], "little") >> 11) / 2**53 < 0.9]
assert kept == want'
ok "by the digest of the prompt, as the manual says"
tail -c 1200 part.tsz | grep -a -q "\"split.rest\":\"$(wc -l <rest)\""
ok "END tells how many went elsewhere"
usage "--rest has no effect without --split" pref-fmt --rest x many.jsonl

# ---- threads, long input

for i in $(seq 40); do cat many.jsonl; done | sed = | sed 'N; s/\n//; s/^\([0-9]*\){/{"n":\1,/' >long.jsonl
sed '7777s/chosen/x/' long.jsonl >broken.jsonl
for n in 1 2 5; do pref-fmt -q -@ $n --keep-meta --max-bad 1 -o $n.tsz broken.jsonl; pref-fmt -@ $n --keep-meta broken.jsonl 2>$n.err >out; done
cmp 1.tsz 2.tsz && cmp 1.tsz 5.tsz && cmp 1.err 2.err && cmp 1.err 5.err && grep -q 'broken.jsonl:7777: missing-key' 1.err
ok "the same bytes, and the same words, at 1, 2 and 5 threads"
head -c 1000000 long.jsonl >cut.jsonl && echo x >>cut.jsonl
pref-fmt -@ 2 cut.jsonl >out 2>err
[ $? -eq 1 ] && grep -q "cut.jsonl:$(wc -l <cut.jsonl): not-json" err
ok "a cut row in the middle of a batch is named"

# ---- hostile input

cat >hostile.py <<'END'
import gzip
ok = b'{"prompt":"p","chosen":" a","rejected":" b"}\n'
row = b'{"prompt":"%s","chosen":" a","rejected":" b"%s}\n'
def put(name, *rows):
    open(name, "wb").write(b"".join(rows))
    gzip.open(name + ".gz", "wb").write(b"".join(rows))
put("bytes.jsonl", ok, *(row % (b, b"") for b in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"x\xe2\x82", b"\xf0\x9f\x98")))
put("bytes.csv", b"prompt,chosen,rejected\n", b"p\xff, a, b\n")
put("half.jsonl", ok, *(row % (b, b"") for b in (rb"\ud800q", rb"\uDC00", rb"\ud83dx\ude00", rb"\\ud800\ud83d\ude00\n\ud83d")))
put("deep.jsonl", ok, *(row % (b"q", b',"x":' + a * 100000 + b"1" + b * 100000) for a, b in ((b"[", b"]"), (b'{"a":', b"}"))), b"[" * 100000 + b"\n")
put("deep.json", b"[" + ok + b"," + row % (b"q", b',"x":' + b"[" * 100000 + b"]" * 100000) + b"]")
put("large.jsonl", *(row % (b"p", b',"n":' + n) for n in (b"9007199254740993", b"-123456789012345678901234567890", b"1.0", b"1e300")))
put("infinite.jsonl", ok, row % (b"q", b',"n":1e400'))
put("long.jsonl", *(row % (b"p" + c * 1000000, b"") for c in (b"a", b" ", rb"\n", "\u00e9".encode(), rb"\u0000")))
put("zero.jsonl", row % (rb"a\u0000b", b""), ok)
put("raw-zero.jsonl", row % (b"a\0b", b""), ok)
put("crlf.csv", b"\xef\xbb\xbfprompt,chosen,rejected\r\n", b'"p\r\nq", a, b\r\n')
put("cr.csv", b"prompt,chosen,rejected\rp, a, b\r")
put("utf16.jsonl", ok.decode().encode("utf-16"))
END
$PYTHON hostile.py
for x in '' .gz; do
	pref-fmt -q --jsonl --invalid replace bytes.jsonl$x half.jsonl$x bytes.csv$x >got && $PYTHON - <<'END'
import json
prompts = [json.loads(line)["prompt"] for line in open("got", encoding="utf-8")]
want = ["p"] + [b.decode("utf-8", "replace") for b in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"x\xe2\x82", b"\xf0\x9f\x98")]
want += ["p", "\ufffdq", "\ufffd", "\ufffdx\ufffd", "\\ud800\U0001f600\n\ufffd", "p\ufffd"]
assert prompts == want, prompts
END
	ok "--invalid replace$x, as Python replaces"
	pref-fmt --max-bad 10 --jsonl bytes.jsonl$x half.jsonl$x bytes.csv$x >got 2>err && [ "$(wc -l <got)" -eq 2 ] &&
		grep -q "^pref-fmt: bytes.jsonl$x:2: not-json: byte 11 is not valid UTF-8$" err &&
		grep -q "^pref-fmt: half.jsonl$x:5: not-json: not JSON at byte 32: half of a surrogate pair$" err &&
		grep -q "^pref-fmt: 10 bad rows of 12 were dropped: 10 not-json$" err
	ok "refused otherwise" || note "$(cat err)"
	pref-fmt --max-bad 3 --jsonl deep.jsonl$x >got 2>err && [ "$(wc -l <got)" -eq 1 ] && [ "$(grep -c 'nested too deep$' err)" -eq 3 ]
	ok "nested 100,000 deep$x" || note "$(cat err)"
	pref-fmt --max-bad 1 --jsonl deep.json$x >got 2>err && [ "$(wc -l <got)" -eq 1 ] && grep -q "deep.json$x:2: element 2: not-json: .*nested too deep$" err
	ok "in an array" || note "$(cat err)"
	pref-fmt -q --jsonl --keep-meta large.jsonl$x | sed 's/.*"n":\(.*\)}}/\1/' | tr '\n' ' ' >got
	is "$(cat got)" "9007199254740993 -123456789012345678901234567890 1.0 1e300 " "numbers keep their digits$x"
	exits 1 "but for what no double can hold" pref-fmt infinite.jsonl$x
	says "infinite.jsonl$x:2: not-json: not usable JSON: a number is too large" "which is named"
	pref-fmt -q --jsonl long.jsonl$x | $PYTHON -c 'import json, sys
assert [json.loads(line)["prompt"] for line in sys.stdin] == ["p" + c * 1000000 for c in "a \n\u00e9\0"]'
	ok "a million times the same character$x"
	pref-fmt --max-bad 1 --jsonl zero.jsonl$x raw-zero.jsonl$x 2>err | sed 's/.*"prompt":"\([^"]*\)".*/\1/' | tr '\n' ' ' >got
	is "$(cat got)" 'a\u0000b p p ' "zero bytes are text$x"
	says "raw-zero.jsonl$x:1: not-json: not JSON at byte 12: a control character" "but not as they are"
	pref-fmt -q --jsonl crlf.csv$x | grep -q '"prompt":"p\\r\\nq","chosen":" a","rejected":" b"'
	ok "CRLF, within and behind the fields$x"
	exits 3 "CR alone" pref-fmt cr.csv$x
	says "cr.csv$x:1: a carriage return that no line feed follows, in the head" "is named"
	exits 3 "UTF-16" pref-fmt utf16.jsonl$x
	says "utf16.jsonl$x:1: it begins with the byte order mark of UTF-16; it must be UTF-8" "is named"
done
pref-fmt -v --jsonl --invalid replace half.jsonl 2>&1 >out | grep -q '^pref-fmt: half.jsonl:4: note: replaced: 2 places that are not Unicode became U+FFFD$'
ok "what was replaced is noted"
exits 1 "--reject replaced" pref-fmt --invalid replace --reject replaced half.jsonl
usage "--invalid has no effect with --render" pref-fmt --render -t x --invalid replace
exits 3 "a first row that is not Unicode tells no layout" sh -c "sed 1d bytes.jsonl | pref-fmt"
says "stdin:1: the first row cannot tell the layout: byte 11 is not valid UTF-8" "which is said"
sed 1d bytes.jsonl | cat - half.jsonl | pref-fmt --jsonl --max-bad 9 2>err | grep -q '"prompt":"p"' && grep -q '^pref-fmt: 9 bad rows of 10 were dropped' err
ok "with --max-bad, the next one does"
sed 1d bytes.jsonl | pref-fmt --jsonl --max-bad 5 >out 2>err
[ $? -eq 1 ] && grep -q '^pref-fmt: no row is left of 5$' err
ok "if there is one"
exits 3 "within --max-bad" sh -c "sed 1d bytes.jsonl | pref-fmt --jsonl --max-bad 4"
ok "unless it is replaced" sh -c "sed 1d bytes.jsonl | pref-fmt --jsonl --invalid replace"

finish
