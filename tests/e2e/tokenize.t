#!/bin/sh
# tokenize: plain encoding, records and their boundary, EOS, limits and their ledger, refusals, real data, the manual's examples.
. "$(dirname "$0")/../lib.sh"

# ---- a tokenizer: bytes, and words that are made of them

$PYTHON "$root/tests/peers/bytes_tokenizer.py" MODEL || exit 1

# ---- --encode

cat >texts.jsonl <<'EOF'
{"text":"a b"}
{"text":"","id":7}

{"text":"é\u0000</s>"}
EOF
ok "--encode" tokenize --encode -m MODEL texts.jsonl
cat >want <<'EOF'
{"ids":[97,257]}
{"ids":[]}
{"ids":[195,169,0,261]}
EOF
same out want "ids of each line"
[ ! -s err ]
ok "nothing on standard error" || note "$(cat err)"
tokenize --encode --special -m MODEL <texts.jsonl | head -n 2 >got
printf '{"ids":[260,97,257]}\n{"ids":[260]}\n' >want
same got want "--special, from standard input"
gzip -k texts.jsonl && echo '[{"text":"a"},{"text":"b"}]' >array.json
tokenize --encode -m MODEL -o ids.jsonl texts.jsonl.gz array.json && sed -n '4,$p' ids.jsonl >got
printf '{"ids":[97]}\n{"ids":[98]}\n' >want
same got want "gzip, an array, -o"

bad() { # CODE MESSAGE LINE: a bad line after a good one
	printf '{"text":"a"}\n\n%s\n' "$3" >bad.jsonl
	tokenize --encode -m MODEL -o bad.out bad.jsonl 2>err
	got=$?
	[ $got -eq "$1" ] && [ "$(cat err)" = "tokenize: bad.jsonl:3: $2" ] && [ ! -e bad.out ]
	ok "bad line: $2" || note "exit $got" "$(cat err)"
}
bad 3 "not JSON at byte 0" "x"
bad 1 "no string named 'text'" '{"test":"a"}'
bad 1 "no string named 'text'" '{"text":["a"]}'
bad 1 "no string named 'text'" '3'
printf '{"text":"\377"}\n' >latin1.jsonl
exits 3 "a line that is not UTF-8" tokenize --encode -m MODEL latin1.jsonl
says "latin1.jsonl:1: byte 9 is not valid UTF-8" "it says where"

awk 'BEGIN { for (i = 0; i < 9000; i++) printf "{\"text\":\"a b %d\"}\n", i }' >many.jsonl
tokenize --encode -m MODEL -@ 1 many.jsonl >want
tokenize --encode -m MODEL -@ 3 many.jsonl array.json many.jsonl >got
(cat want && printf '{"ids":[97]}\n{"ids":[98]}\n' && cat want) >want3
same got want3 "any number of threads, several files: the same lines in order"
sed '7777s/.*/x/' many.jsonl >bad.jsonl
exits 3 "a bad line among many" tokenize --encode -m MODEL -@ 3 array.json bad.jsonl
says "bad.jsonl:7777: not JSON at byte 0" "the first one is named"

# ---- what is not Unicode

printf '{"text":"\303\251\377a"}\n{"text":"a"}\n{"text":"\\ud83d"}\n' >broken.jsonl
exits 3 "--invalid refuse" tokenize --encode --invalid refuse -m MODEL broken.jsonl
says "broken.jsonl:1: byte 11 is not valid UTF-8" "is the default, and says where"
ok "--invalid replace" tokenize --encode --invalid replace -m MODEL broken.jsonl
printf '{"ids":[195,169,239,191,189,97]}\n{"ids":[97]}\n{"ids":[239,191,189]}\n' >want
same out want "U+FFFD for it"
is "$(cat err)" "tokenize: 2 of 3 lines had something that is not Unicode, now U+FFFD" "it is counted"
sed 's/a"}$/a}/' broken.jsonl >worse.jsonl
exits 3 "not JSON even so" tokenize --encode --invalid replace -m MODEL worse.jsonl
printf '\357\273\277{"text":"\\ufeffa\\r\\n"}\r\n{"text":"b"}\r\n' >dos.jsonl
tokenize --encode -m MODEL dos.jsonl >got 2>err
printf '{"ids":[239,187,191,97,13,10]}\n{"ids":[98]}\n' >want
same got want "a byte order mark and CRLF of the file go, those of the text stay" || note "$(cat err)"
awk 'BEGIN { s = "a"; for (i = 0; i < 20; i++) s = s s; printf "{\"text\":\"%s\"}\n", s }' >long-word.jsonl
tokenize --encode -m MODEL long-word.jsonl | tr ',' '\n' | wc -l >got
is "$(tr -d ' ' <got)" 1048576 "a million letters in one word"

# ---- --decode-ids

cat >ids.jsonl <<'EOF'
{"ids":[97,257],"text":"old"}
{"ids":[]}
EOF
tokenize --decode-ids -m MODEL <ids.jsonl >got
printf '{"text":"a b"}\n{"text":""}\n' >want
same got want "--decode-ids"
tokenize --encode --special -m MODEL texts.jsonl >ids.jsonl
tokenize --decode-ids -m MODEL ids.jsonl >got
sed 's/,"id":7//; /^$/d; s|</s>||' texts.jsonl >want
same got want "there and back, without special tokens"
tokenize --decode-ids --special -m MODEL ids.jsonl >got
sed 's/,"id":7//; /^$/d; s/:"/:"<s>/' texts.jsonl >want
same got want "and with them"
printf '{"ids":[195]}\n{"ids":[97]}\n' | tokenize --decode-ids -m MODEL >got
printf '{"text":"\357\277\275"}\n{"text":"a"}\n' >want
same got want "half a character, which the next line does not complete"
undecodable() { # MESSAGE LINE
	echo "$2" | tokenize --decode-ids -m MODEL 2>err
	[ $? -eq 1 ] && [ "$(cat err)" = "tokenize: stdin:1: $1" ]
	ok "bad line: $1" || note "$(cat err)"
}
undecodable "no list named 'ids'" '{"text":"a"}'
undecodable "an id that is no number from 0 to 2147483647" '{"ids":[1,-1]}'
undecodable "an id that is no number from 0 to 2147483647" '{"ids":["1"]}'

# ---- records: exactly what is stored

cat >rows.jsonl <<'EOF'
{"prompt":"a","chosen":" b","rejected":" c"}
{"prompt":"a ","chosen":"b","rejected":"c"}
{"prompt":"xb","chosen":"cy","rejected":"y"}
{"prompt":"","chosen":"a","rejected":"b"}
{"prompt":"q","chosen":" a</s>","rejected":" a b"}
EOF
pref-fmt -q -o text.tsz rows.jsonl || exit 1
ok "a stream" tokenize -m MODEL -o tokens.tsz text.tsz
cat >want <<'EOF'
tokenize: 2 of 5 records with a prompt that by itself has other tokens than before a completion
tokenize: 5 records
EOF
same err want "its ledger"
tstream export tokens.tsz | sed 's/"id":"[0-9a-f]*",//' >got
cat >want <<'EOF'
{"prompt":[260,97],"chosen":[257,261],"rejected":[258,261]}
{"prompt":[260,97],"chosen":[257,261],"rejected":[258,261]}
{"prompt":[260,120],"chosen":[259,121,261],"rejected":[98,121,261],"skip":[0,1]}
{"prompt":[260],"chosen":[97,261],"rejected":[98,261]}
{"prompt":[260,113],"chosen":[256,261],"rejected":[256,257,261]}
EOF
same got want "boundary and EOS of each record"
ids() { tstream export "$1" | sed 's/^.*"id":"\([0-9a-f]*\)".*$/\1/'; }
[ "$(ids text.tsz)" = "$(ids tokens.tsz)" ]
ok "records keep their identity"
tstream check --full tokens.tsz >out 2>err
ok "a sound stream"

header() { tstream head --json "$1" | tr ',' '\n' | sed 's/^{//; s/}$//; s/"//g' | grep "^$2:" | cut -d: -f2; }
is "$(header tokens.tsz tokenizer.sha256)" "$(sha256sum MODEL/tokenizer.json | cut -d' ' -f1)" "tokenizer.sha256"
for x in vocab:262 bos:260 eos:261 boundary:joint special:post-processor eos.rule:auto truncate:none max_length:; do
	is "$(header tokens.tsz "${x%%:*}")" "${x#*:}" "header: $x"
done
tokenize -q --no-prov -m MODEL text.tsz | tstream head --json >got && ! grep -q prov got
ok "--no-prov"
tokenize -q -m MODEL -@ 1 text.tsz | cmp - tokens.tsz
ok "one thread: the same bytes"

# what END says, without what every stream has
ledger() {
	zcat "$1" | tail -c 1016 | tr -d ' ' | tr '{},' '\n' |
		grep -v -e '^$' -e '"records"' -e members -e sha256 -e '"tokens"' -e __metadata__ | tr -d '"' | tr '\n' ' '
}
is "$(ledger tokens.tsz)" "boundary.merged:2 dropped:0 truncated:0 " "END: the ledger"

# ---- --decode: a stream of tokens back to one of text

ok "--decode" tokenize --decode -m MODEL -o back.tsz tokens.tsz
is "$(cat err)" "tokenize: 5 records" "it says how many"
tstream export back.tsz | sed 's/"id":"[0-9a-f]*",//' >got
cat >want <<'EOF'
{"prompt":"a","chosen":" b","rejected":" c"}
{"prompt":"a","chosen":" b","rejected":" c"}
{"prompt":"x","chosen":"bcy","rejected":"by"}
{"prompt":"","chosen":"a","rejected":"b"}
{"prompt":"q","chosen":" a","rejected":" a b"}
EOF
same got want "a token of both sides is the completion's"
tstream check --full back.tsz >out 2>err
ok "a sound stream"
for x in schema:pref.text tokenizer.sha256: vocab: eos.rule: bos:; do
	is "$(header back.tsz "${x%%:*}")" "${x#*:}" "header: $x"
done
tokenize -q --decode --special -m MODEL tokens.tsz | tstream export | sed 's/"id":"[0-9a-f]*",//' | sed -n '3,4p' >got
cat >want <<'EOF'
{"prompt":"<s>x","chosen":"bcy</s>","rejected":"by</s>"}
{"prompt":"<s>","chosen":"a</s>","rejected":"b</s>"}
EOF
same got want "--special keeps special tokens"
tokenize -q -m MODEL back.tsz | tokenize --decode -m MODEL 2>err | tstream export >got
tstream export back.tsz >want
same got want "and once more"
mkdir other && sed 's/"version"/"x":1,"version"/' MODEL/tokenizer.json >other/tokenizer.json
exits 4 "another tokenizer's stream" tokenize --decode -m other tokens.tsz
says "--allow-mismatch to go on" "it says how"
tokenize -q --decode --allow-mismatch --no-prov -m other tokens.tsz | tstream export >got
same got want "--allow-mismatch"
exits 4 "a stream of text" tokenize --decode -m MODEL text.tsz
says "the stream holds text already" "it says why"

# ---- EOS

sequence() { tstream export "$1" | sed -n "s/^.*\"$2\":\[\([0-9,]*\)\].*$/\1/p" | tr '\n' ' '; }
tokenize -q -m MODEL --eos never -o never.tsz text.tsz
is "$(sequence never.tsz chosen)" "257 257 259,121 97 256,261 " "--eos never"
tstream head --json text.tsz | sed 's/^{/{"template.sha256":"00",/' >rendered.json
tstream export text.tsz | tstream import --head rendered.json -o rendered.tsz
tokenize -q -m MODEL -o auto.tsz rendered.tsz
is "$(sequence auto.tsz prompt)" "97 97 120 113 " "rendered text gets no special tokens"
is "$(sequence auto.tsz chosen)" "257 257 259,121 256,261 " "nor EOS"
is "$(ledger auto.tsz)" "boundary.merged:2 dropped:1 dropped.reasons:1empty truncated:0 " \
	"and where nothing comes before a completion's only token, the record is dropped"
is "$(header auto.tsz special) $(header auto.tsz eos.rule)" "none auto" "and the header says so"
tokenize -q -m MODEL --eos always -o always.tsz rendered.tsz
is "$(sequence always.tsz chosen)" "257,261 257,261 259,121,261 97,261 256,261 " "but with --eos always"
mkdir plain && cp MODEL/tokenizer.json plain
exits 1 "no EOS is known" tokenize -m plain -o none.tsz text.tsz
says "plain: tokenizer_config.json names no EOS token that the tokenizer has" "it says what to do"
[ ! -e none.tsz ]
ok "no output is left"
ok "--eos never does without" tokenize -q -m plain --eos never -o none.tsz text.tsz

# ---- limits

cat >long.jsonl <<'EOF'
{"prompt":"a b c a","chosen":" b","rejected":" c a"}
{"prompt":"a","chosen":" b a b a b a b a","rejected":" c"}
{"prompt":"a","chosen":" b","rejected":" c"}
{"prompt":"a","chosen":" b b b b b x","rejected":" b b b b b y"}
EOF
pref-fmt -q -o long.tsz long.jsonl
limit() { # NAME ERR EXPORT LEDGER OPTIONS...: records as prompt|chosen|rejected|cut
	name=$1 says=$2 want=$3 want_ledger=$4
	shift 4
	tokenize -m MODEL -o cut.tsz "$@" long.tsz 2>err
	tstream export cut.tsz | sed 's/^.*"prompt":\[\(.*\)\],"chosen":\[\(.*\)\],"rejected":\[\([0-9,]*\)\]/\1|\2|\3/;
		s/,"cut":\(.*\)}$/|\1/' | tr '\n' ' ' >got
	is "$(cat got)" "$want" "$name: records"
	is "$(cat err)" "$says" "$name: said"
	is "$(ledger cut.tsz)" "$want_ledger" "$name: END"
}
limit keep-end "tokenize: 3 of 4 records truncated: 2 tokens of prompts and 13 of completions cut off; 3 completions lost their EOS
tokenize: 1 of 4 records with two completions of the same tokens
tokenize: 4 records" \
	"260,258,256|257,261|258,256,261|[[2,0],[2,0]] 260,97|257,256,257,256|258,261|[[0,5],[0,0]] 260,97|257,261|258,261|[[0,0],[0,0]] 260,97|257,257,257,257|257,257,257,257|[[0,4],[0,4]] " \
	"dropped:0 identical:1 truncated:3 truncated.completion_tokens:13 truncated.eos:3 truncated.prompt_tokens:2 " \
	--max-length 6
limit keep-start "tokenize: 1 of 4 records dropped: 1 too-long
tokenize: 2 of 4 records truncated: 0 tokens of prompts and 16 of completions cut off; 3 completions lost their EOS
tokenize: 1 of 4 records with two completions of the same tokens
tokenize: 3 records" \
	"260,97|257,256,257|258,261|[[0,6],[0,0]] 260,97|257,261|258,261|[[0,0],[0,0]] 260,97|257,257,257|257,257,257|[[0,5],[0,5]] " \
	"dropped:1 dropped.reasons:1too-long identical:1 truncated:2 truncated.completion_tokens:16 truncated.eos:3 " \
	--max-length 5 --truncate keep-start
limit drop "tokenize: 3 of 4 records dropped: 3 too-long
tokenize: 1 records" \
	"260,97|257,261|258,261|[[0,0],[0,0]] " "dropped:3 dropped.reasons:3too-long truncated:0 " \
	--max-length 6 --truncate drop
limit --max-prompt "tokenize: 1 of 4 records truncated: 2 tokens of prompts and 0 of completions cut off; 0 completions lost their EOS
tokenize: 4 records" \
	"260,258,256|257,261|258,256,261|[[2,0],[2,0]] 260,97|257,256,257,256,257,256,257,256,261|258,261|[[0,0],[0,0]] 260,97|257,261|258,261|[[0,0],[0,0]] 260,97|257,257,257,257,257,32,120,261|257,257,257,257,257,32,121,261|[[0,0],[0,0]] " \
	"dropped:0 truncated:1 truncated.prompt_tokens:2 " \
	--max-prompt 3
is "$(header cut.tsz truncate) $(header cut.tsz max_prompt)" "keep-end 3" "header: limits"
exits 5 "--truncate error" tokenize -m MODEL -o error.tsz --max-length 6 --truncate error long.tsz
says "tokenize: record 0: prompt and completion have 8 tokens, the most is 6" "it names the record"
[ ! -e error.tsz ]
ok "no output is left"
exits 1 "nothing is left" tokenize -m MODEL -o nothing.tsz --max-length 2 --truncate drop long.tsz
says "no record is left of 4" "it says so"

# ---- refusals

exits 4 "a stream of tokens" tokenize -m MODEL -o again.tsz tokens.tsz
says "the stream holds tokens, not text" "it says why"
exits 1 "no tokenizer" tokenize --encode -m nowhere texts.jsonl
mkdir magic && echo '{"model":{"type":"Magic","vocab":[]}}' >magic/tokenizer.json
exits 1 "another model" tokenize --encode -m magic texts.jsonl
says "magic/tokenizer.json: model 'Magic' is not supported" "it names it"
head -c 700 text.tsz >half.tsz
exits 3 "half a stream" tokenize -m MODEL -o half.out half.tsz
[ ! -e half.out ]
ok "leaves no output"
tokenize -q -m MODEL half.tsz 2>err | tstream check 2>err
[ $? -eq 3 ]
ok "and what it wrote on a pipe has no end"

misuse() { # MESSAGE OPTIONS...
	message=$1
	shift
	tokenize "$@" </dev/null >out 2>err
	[ $? -eq 2 ] && [ "$(head -n 1 err)" = "tokenize: $message" ]
	ok "usage: $message" || note "$(cat err)"
}
misuse "-m MODEL is missing"
misuse "--eos has no effect but where text records are encoded" --encode -m MODEL --eos never
misuse "--max-length has no effect but where text records are encoded" --decode -m MODEL --max-length 9
misuse "--invalid has no effect without --encode or --decode-ids" --decode -m MODEL --invalid replace
misuse "--level has no effect with --encode and --decode-ids" --decode-ids -m MODEL -l 2
misuse "--special has no effect without --encode, --decode or --decode-ids" -m MODEL --special
misuse "--allow-mismatch has no effect without --decode" --encode -m MODEL --allow-mismatch
misuse "--encode, --decode and --decode-ids exclude each other" --encode --decode -m MODEL
misuse "--truncate has no effect without --max-length or --max-prompt" -m MODEL --truncate drop
misuse "--max-prompt 8 leaves no room within --max-length 8" -m MODEL --max-prompt 8 --max-length 8

# ---- what a file says that has no effect is said

mkdir noted && cp MODEL/tokenizer_config.json noted &&
	sed 's/"version"/"truncation":{"max_length":2},"version"/' MODEL/tokenizer.json >noted/tokenizer.json
tokenize --encode -m noted texts.jsonl >out 2>err
is "$(cat err)" "tokenize: noted/tokenizer.json: its truncation and padding are not applied" "truncation in tokenizer.json"

# ---- real data: every sequence is the encoding of the whole text

data=$root/../shared/data
if [ -d "$data/prefs" ]; then
	cat >check.py <<'EOF'
import json, sys
text, tokens, ids = ([json.loads(l) for l in open(f, encoding="utf-8")] for f in sys.argv[1:4])
eos, merged = int(sys.argv[4]), 0
assert len(text) == len(tokens) == 1495 and len(ids) == 2 * len(text)
for i, (r, t) in enumerate(zip(text, tokens)):
    assert r["id"] == t["id"]
    for j, side in enumerate(("chosen", "rejected")):
        want = ids[2 * i + j]["ids"]
        assert t["prompt"] + t[side] == want + [eos] * (want[-1] != eos)
EOF
	pref-fmt -q --max-bad 5 -o hh.tsz "$data/prefs/hh-rlhf/harmless-1500.jsonl.gz"
	tstream export hh.tsz >hh.jsonl
	$PYTHON -c 'import json
for line in open("hh.jsonl", encoding="utf-8"):
    r = json.loads(line)
    for side in "chosen", "rejected":
        print(json.dumps({"text": r["prompt"] + r[side]}))' >whole.jsonl
	for m in tokenizers/gpt2 tokenizers/llama2 tokenizers/phi-3-mini tokenizers/qwen2.5 models/stories260K; do
		tokenize -q -m "$data/$m" -o hh-tokens.tsz hh.tsz && tstream check --full hh-tokens.tsz >out &&
			tstream export hh-tokens.tsz >hh-tokens.jsonl &&
			tokenize --encode --special -m "$data/$m" whole.jsonl >whole.ids &&
			$PYTHON check.py hh.jsonl hh-tokens.jsonl whole.ids "$(header hh-tokens.tsz eos)"
		ok "HH by $m"
		tokenize -q -m "$data/$m" -@ 3 hh.tsz | cmp - hh-tokens.tsz
		ok "at any number of threads"
	done
else
	skip "real data" "no ../shared/data"
fi

# ---- the manual's examples

if command -v jq >/dev/null; then
	cp long.jsonl data.jsonl
	sed -n 's/^\.Dl \$ //p' "$root/man/tokenize.1" | sed 's/\\e/\\/g' >examples
	sh -e examples >out 2>err && [ "$(wc -l <examples)" -eq 7 ] && grep -q '^{"ids":\[260,' out && [ "$(tail -n 2 out | head -n 1)" = 4 ]
	ok "the manual's examples" || note "$(cat out err)"
else
	skip "the manual's examples" "no jq"
fi

finish
