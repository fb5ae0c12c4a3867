#!/bin/sh
# tstream: every subcommand, its exit codes, and what the rest of the world makes of a stream.
. "$(dirname "$0")/../lib.sh"

# ---- material

cat >pairs.jsonl <<'END'
{"id":"0123456789abcdef","prompt":[1,2,3],"chosen":[4,5],"rejected":[6]}
{"id":"00000000000000ff","prompt":[],"chosen":[7,8,9],"rejected":[]}
{"id":"ffffffffffffffff","prompt":[10],"completions":[[1],[2,2],[3]]}
END
cat >columns.jsonl <<'END'
{"id":"0000000000000001","prompt":[1,2],"chosen":[3,4],"rejected":[5],"label":[1,0],"cut":[[0,0],[2,7]],"logp.policy":[-1.5,-0],"logp.ref":[-2.5,-0.100000001],"tlogp.ref":[[-1,-1.5],[-0.100000001]],"meta":{"source":"a","n":[1,2.5,null]}}
{"id":"0000000000000002","prompt":[1],"chosen":[3,4],"rejected":[5],"skip":[1,0],"label":[0.333333343,-1e-10],"cut":[[1,0],[0,0]],"logp.policy":[-1e-45,-3],"logp.ref":[-3.40282347e+38,-5],"tlogp.ref":[[-1],[-2]],"meta":{}}
END
sed 's/-1e-45/-1.40129846e-45/; s/-1e-10/-1.00000001e-10/' columns.jsonl >x && mv x columns.jsonl
cat >text.jsonl <<'END'
{"id":"0000000000000003","prompt":"Say \"hi\"\n","chosen":"hi ä€😀","rejected":""}
{"id":"0000000000000004","prompt":"\u0000","completions":["one"]}
END
$PYTHON - >many.jsonl <<'END'
import json
for i in range(3000):
    row = {"id": "%016x" % i, "prompt": [i % 1000] * (i % 50), "chosen": [(i * j) % 1000 for j in range(i % 200)],
           "rejected": [i % 7] * (i % 90), "label": [i, 0]}
    print(json.dumps(row, separators=(",", ":")))
END

for f in pairs columns text many; do
	ok "import $f" tstream import -o $f.tsz $f.jsonl
	tstream export $f.tsz >$f.out
	same $f.out $f.jsonl "export $f gives what was imported"
	tstream export $f.tsz | tstream import | tstream export | cmp -s - $f.jsonl
	ok "export, import, export $f"
done

# ---- the rest of the world

ok "gzip -t accepts a stream" gzip -t <many.tsz
ok "python's gzip reads it" "$PYTHON" -c 'import gzip; gzip.open("many.tsz").read()'
zcat <many.tsz >zcat.out
"$PYTHON" -c 'import gzip, sys; sys.stdout.buffer.write(gzip.open("many.tsz").read())' >gzip.out
same zcat.out gzip.out "zcat agrees with it"
cat pairs.tsz pairs.tsz >twice.tsz
ok "gzip -t accepts two segments" gzip -t <twice.tsz

# ---- import

gzip <pairs.jsonl >pairs.jsonl.gz
{ echo '['; sed '$!s/$/,/' pairs.jsonl; echo ']'; } >pairs.json
for f in pairs.jsonl.gz pairs.json; do
	tstream import $f | tstream export >x.out
	same x.out pairs.jsonl "import reads $f"
done
tstream import pairs.jsonl pairs.json | tstream export >x.out
cat pairs.jsonl pairs.jsonl >x.want
same x.out x.want "import reads several files"
cat >plain.jsonl <<'END'
{"prompt":[1],"completion":[2,3]}

  {"prompt":[1],"completions":[[2,3],[4]]}
END
tstream import plain.jsonl | tstream export | sed 's/"id":"[0-9a-f]*",//' >x.out
cat >x.want <<'END'
{"prompt":[1],"completions":[[2,3]]}
{"prompt":[1],"chosen":[2,3],"rejected":[4]}
END
same x.out x.want "import takes plain token ids and makes ids"
tstream import plain.jsonl | tstream export | cut -c 1-26 | sort | uniq -d >x.out
is "$(cat x.out)" "" "ids differ"
tstream import -@ 1 many.jsonl >one.tsz
tstream import -@ 4 many.jsonl >four.tsz
same one.tsz four.tsz "bytes do not depend on threads"

printf '{"prompt":[1],"completion":[2]}\n\n{"prompt":[1],"completion":[2.5]}\n' >bad.jsonl
exits 3 "a bad record" tstream import -o bad.tsz bad.jsonl
says "bad.jsonl:3: completion 1: 2.5 is not a whole number" "file, line and reason are named"
[ ! -e bad.tsz ]
ok "and nothing is written"
printf '{"prompt":[1],"completion":[2]}\n{"prompt":"a","completion":"b"}\n' >bad.jsonl
exits 3 "text among tokens" tstream import -o bad.tsz bad.jsonl
printf '{"prompt":[1],"completion":[2]}\n{"prompt":[1],"completion":[2],"label":[1]}\n' >bad.jsonl
exits 4 "a column that the first record lacks" tstream import -o bad.tsz bad.jsonl
says "bad.jsonl:2: 'label' is not in the first record" "which one"
printf '{"prompt":[1],"completion":[2]}\n{"prompt"' >bad.jsonl
exits 3 "not JSON" tstream import -o bad.tsz bad.jsonl
says "bad.jsonl:2: not JSON at byte" "where"
exits 3 "a token beyond --vocab" tstream import --vocab 10 -o bad.tsz pairs.jsonl
says "pairs.jsonl:3: prompt: 10 is not a whole number from 0 to 9" "which one"
exits 3 "no records and no --head" tstream import -o bad.tsz /dev/null
exits 2 "an option without effect" tstream import --max-block 3 -o bad.tsz pairs.jsonl

# ---- head

tstream import --vocab 11 -o vocab.tsz pairs.jsonl
tstream head vocab.tsz >x.out
cat >x.want <<'END'
columns          id rec seg skip tokens
format           tstream
schema           pref.tokens
version          1.0
vocab            11
writer           preftools VERSION
prov             tstream import VERSION --vocab=11
END
version=$(tstream --version | cut -d ' ' -f 3)
sed "s/VERSION/$version/" x.want >x && mv x x.want
same x.out x.want "head"
tstream head --json vocab.tsz >x.out
cat >x.want <<END
{"columns":"id rec seg skip tokens","format":"tstream","prov":[{"id":1,"program":"tstream import","version":"$version","args":["--vocab=11"],"previous":0,"inputs":[]}],"schema":"pref.tokens","version":"1.0","vocab":"11","writer":"preftools $version"}
END
same x.out x.want "head --json"
tstream import --head x.want pairs.jsonl | tstream head --json | "$PYTHON" -c '
import json, sys
a, b = json.load(open("x.want")), json.load(sys.stdin)
last = b["prov"].pop()
assert a == b and last["previous"] == 1 and last["id"] == 2, (a, b)'
ok "import --head takes it back, and adds its step"
tstream import --head x.want /dev/null | tstream check >/dev/null
ok "with --head, no records are a stream too"
exits 3 "import --head of something else" tstream import --head pairs.json -o bad.tsz pairs.jsonl
tstream cat vocab.tsz | tstream cat | tstream head --json | "$PYTHON" -c '
import json, sys
prov = json.load(sys.stdin)["prov"]
assert [(p["program"], p["previous"]) for p in prov] == [("tstream import", 0), ("tstream cat", 1), ("tstream cat", 2)]
assert all(len(p["inputs"]) == 1 and len(p["inputs"][0]) == 64 for p in prov[1:])'
ok "provenance is a chain"
is "$(tstream cat --no-prov vocab.tsz | tstream head | grep -c prov)" 0 "--no-prov"

odd=$(printf 'h\377.json')
tstream head --json vocab.tsz >"$odd"
tstream import --head "$odd" pairs.jsonl | tstream check --full >/dev/null
ok "an option that is not UTF-8 makes no stream that cannot be read"

# ---- ls

tstream import -u --no-prov pairs.jsonl >stored.tsz
tstream ls stored.tsz | cut -f 1,2,6,7 >x.out
printf '0\tH\t0\t0\n1\tB\t3\t0\n2\tE\t0\t3\n' >x.want
same x.out x.want "ls: number, kind, records, first"
tstream ls many.tsz | awk -F '\t' '$3 != at { bad = 1 } { at += $4 } END { print bad + 0, at }' >x.out
is "$(cat x.out)" "0 $(wc -c <many.tsz | tr -d ' ')" "ls: places and sizes add up"
tstream ls many.tsz >x.out
cat many.tsz | tstream ls >x.want
same x.out x.want "ls of a pipe"
head -c 700 many.tsz >cut.tsz
exits 3 "ls of a truncated stream" tstream ls cut.tsz
is "$(cut -f 1,2 out | tr '\t\n' '  ')" "0 H 1 B " "lists what is there"

# ---- check

exits 0 "check" tstream check many.tsz
is "$(cat out)" "many.tsz: whole, 3000 records in 3 blocks, $(wc -c <many.tsz | tr -d ' ') bytes" "what it says"
exits 0 "check --full" tstream check --full many.tsz
digest=$(sed 's/.* payload //' out)
is ${#digest} 64 "it tells the digest of the payloads"
exits 0 "check -q" tstream check -q many.tsz
is "$(cat out)" "" "says nothing"
cat many.tsz | tstream check >out && cat many.tsz | tstream check --full - >>out
ok "check of a pipe"
is "$(grep -c '^stdin: whole' out)" 2 "names it"
size=$(wc -c <many.tsz)
head -c $((size - 1)) many.tsz >cut.tsz
head -c $((size - 1101)) many.tsz >noend.tsz
"$PYTHON" -c '
b = bytearray(open("many.tsz", "rb").read()); b[2000] ^= 1; open("flip.tsz", "wb").write(b)'
exits 3 "check of a cut file" tstream check cut.tsz
exits 3 "check of one without END" tstream check noend.tsz
says "noend.tsz" "names it"
says "has no END" "says why"
exits 0 "check hops over a damaged body" tstream check flip.tsz
exits 3 "check --full finds it" tstream check --full flip.tsz
says "flip.tsz: member at byte" "says where"
exits 3 "check of several, one damaged" tstream check many.tsz cut.tsz nosuch pairs.tsz
is "$(wc -l <out | tr -d ' ') $(wc -l <err | tr -d ' ')" "2 2" "tells of each"
exits 1 "check of a missing file" tstream check nosuch
exits 3 "check of something else" tstream check --full pairs.jsonl
exits 3 "check of nothing" tstream check /dev/null
exits 5 "check of a block above --max-block" sh -c '
	"$1" -c "import json; print(json.dumps({\"prompt\": [1] * 400000, \"completion\": [2]}))" |
	tstream import | tstream check --max-block 1' - "$PYTHON"
exits 2 "-@ needs --full" tstream check -@ 2 many.tsz

# ---- cat

tstream cat pairs.tsz pairs.tsz -o both.tsz
cat pairs.jsonl pairs.jsonl >x.want
tstream export both.tsz >x.out
same x.out x.want "cat joins"
tstream check both.tsz | grep -q segments
is $? 1 "into one segment"
tstream export twice.tsz >x.out
same x.out x.want "as export does with two"
tstream cat -@ 1 many.tsz >one.tsz && tstream cat -@ 4 many.tsz >four.tsz
same one.tsz four.tsz "bytes do not depend on threads"
for level in "-u" "-l 0" "-l 9"; do
	tstream cat $level --no-prov many.tsz | tstream check --full | sed 's/.*payload//' >x.out
	tstream cat --no-prov many.tsz | tstream check --full | sed 's/.*payload//' >x.want
	same x.out x.want "payloads do not depend on the level: $level"
done
cp pairs.tsz both.tsz
exits 4 "cat of streams that do not agree" tstream cat pairs.tsz text.tsz -o both.tsz
says "'columns' is 'id rec seg text', the first segment's 'id rec seg skip tokens'" "in what"
exits 3 "cat of a damaged one" tstream cat many.tsz noend.tsz -o both.tsz
exits 3 "cat of a cut one" tstream cat cut.tsz -o both.tsz
same both.tsz pairs.tsz "what was there stays"
tstream cat noend.tsz >x.tsz 2>/dev/null
exits 3 "what cat wrote of a stream without END has none either" tstream check x.tsz
: >empty.tsz
exits 3 "cat of an empty file among others" tstream cat many.tsz empty.tsz many.tsz -o both.tsz
says "empty.tsz: no tensor stream: 0 bytes" "which one"
same both.tsz pairs.tsz "what was there still stays"
exits 1 "cat of a missing file" tstream cat pairs.tsz nosuch -o new.tsz
exits 1 "a full disk" tstream cat pairs.tsz -o /dev/full
says "/dev/full: cannot write: No space left on device" "is reported"
exits 1 "at the end of a pipe too" sh -c 'tstream cat many.tsz >/dev/full'
exits 1 "a folder that is not there" tstream cat pairs.tsz -o no/such
exits 1 "a folder as output" tstream cat pairs.tsz -o .
ok "-o of a device" tstream cat pairs.tsz -o /dev/null
exits 2 "-u and -l" tstream cat -u -l 3 pairs.tsz -o new.tsz
[ ! -e new.tsz ]
ok "nothing was written"
mkdir links && ln -s ../both.tsz links/link.tsz
tstream cat many.tsz -o links/link.tsz && [ -L links/link.tsz ] && tstream export both.tsz | cmp -s - many.jsonl
ok "a symbolic link is followed"
ls -a | grep tmp >x.out
is "$(cat x.out)" "" "no temporary file is left"

# ---- pipes that break

{ tstream cat -u many.tsz many.tsz many.tsz many.tsz; echo $? >status; } | head -c 10 >/dev/null
[ "$(cat status)" -ne 0 ]
ok "a reader that goes away ends the writer"
{ tstream export many.tsz many.tsz; echo $? >status; } | head -n 1 >x.out
[ "$(cat status)" -ne 0 ]
ok "that of export too"
head -n 1 many.jsonl >x.want
same x.out x.want "with the first record read"

exits 1 "standard output that is closed" sh -c 'tstream cat pairs.tsz >&-'
exits 1 "standard input that is closed" sh -c 'tstream cat -o new.tsz <&-'
sh -c 'tstream cat pairs.tsz nosuch -o new.tsz 2>&-'
is $? 1 "standard error that is closed"

# ---- split

tstream split -n 3 many.tsz
ls many-* | tr '\n' ' ' >x.out
is "$(cat x.out)" "many-0000.tsz many-0001.tsz many-0002.tsz " "split names its parts"
tstream check many-000?.tsz | cut -d ' ' -f 3 | uniq -c | tr -s ' ' >x.out
is "$(cat x.out)" " 3 1000" "of equal size"
tstream cat many-000?.tsz | tstream export | cmp -s - many.jsonl
ok "cat puts them together again"
ok "they are whole" tstream check --full many-000?.tsz
tstream split -n 1 --no-prov -o whole- many.tsz
tstream ls many.tsz | grep B | cut -f 1,4,5,6,7 >x.want
tstream ls whole-0000.tsz | grep B | cut -f 1,4,5,6,7 >x.out
same x.out x.want "whole blocks are copied"
tstream split -n 5 -o p pairs.tsz
is "$(tstream check p000?.tsz | cut -d ' ' -f 3 | tr '\n' ' ')" "0 1 0 1 1 " "more parts than records"
exits 2 "split without -n" tstream split many.tsz
exits 2 "split of a pipe" tstream split -n 2
exits 2 "split into none" tstream split -n 0 many.tsz
exits 3 "split of a cut file" tstream split -n 2 -o cut cut.tsz
exits 3 "split of a damaged one" tstream split -n 1 -o flip flip.tsz
ls | grep -E '^(cut|flip).*[0-9]' >x.out
is "$(cat x.out)" "" "writes nothing"

# ---- terminals

cat >terminal.py <<'END'
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
text = b""
try:
    while True:
        text += os.read(fd, 4096)
except OSError:
    pass
print(text.decode(), end="")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
exits 2 "a stream is not written to a terminal" "$PYTHON" terminal.py tstream cat pairs.tsz
grep -q "not written to a terminal" out
ok "it says so"
exits 2 "not under another name either" "$PYTHON" terminal.py tstream cat pairs.tsz -o /dev/tty
exits 0 "text is" "$PYTHON" terminal.py tstream export pairs.tsz
exits 2 "no subcommand" tstream
exits 2 "an unknown one" tstream frobnicate
says "unknown subcommand 'frobnicate'" "which one"
exits 2 "an unknown option" tstream cat --frobnicate
exits 2 "two files for head" tstream head pairs.tsz text.tsz
exits 2 "a number that is none" tstream cat -l 1x pairs.tsz
manual tstream
if command -v mandoc >/dev/null; then
	mandoc -T lint -W warning "$root/man/tstream.5" >out
	ok "tstream(5) is sound" || note "$(cat out)"
fi

# ---- diff

diff_case() { # NAME WANT A B: two lines each, as streams
	printf '%s\n' "$3" >a.jsonl && printf '%s\n' "$4" >b.jsonl && tstream import -o a.tsz a.jsonl && tstream import -o b.tsz b.jsonl
	tstream diff a.tsz b.tsz >out 2>err
	code=$?
	printf '%s' "$2" >want
	[ $code -eq 1 ] && [ ! -s err ] && sed 's/([0-9a-f]*)/(ID)/; s/\(ids\) .*/\1/' out | cmp -s - want
	result $? "diff: $1" || note "exit $code" "$(cat out err)"
}
pair='{"prompt":[1,2],"chosen":[3,4],"rejected":[5]}'
exits 0 "diff of a stream with itself" tstream diff many.tsz many.tsz
[ ! -s out ] && [ ! -s err ]
ok "says nothing"
ok "blocks and levels don't matter" sh -c 'tstream cat -u many.tsz >other.tsz; tstream diff -@ 3 many.tsz other.tsz'
diff_case "a token" 'record 0 (ID): chosen, token 1: 4 and 9
1 of 1 records differ
' "$pair" '{"prompt":[1,2],"chosen":[3,9],"rejected":[5]}'
diff_case "a boundary" 'record 0 (ID): prompt, token 1: 2 tokens and 1
1 of 1 records differ
' "$pair" '{"prompt":[1],"chosen":[2,3,4],"rejected":[2,5]}'
diff_case "completions" 'record 0 (ID): 2 completions and 3
1 of 1 records differ
' "$pair" '{"prompt":[1,2],"completions":[[3,4],[5],[6]]}'
diff_case "skip" 'record 0 (ID): skip, rejected: 0 and 1
1 of 1 records differ
' "$pair" '{"prompt":[1,2],"chosen":[3,4],"rejected":[5],"skip":[0,1]}'
diff_case "an id alone" 'record 0 (ID): ids
1 of 1 records differ
' "$pair" '{"id":"0000000000000001","prompt":[1,2],"chosen":[3,4],"rejected":[5]}'
diff_case "text" 'record 0 (ID): completion 1, byte 1 of 2 and 3
1 of 1 records differ
' '{"prompt":"a","completion":"bc"}' '{"prompt":"a","completion":"bbc"}'
diff_case "columns, and one more record" 'columns: meta in the second, logp.a in the first, tlogp.a in the first, logp.b in the second
record 1: only in the second stream
1 of 1 records differ
' '{"prompt":[1],"completion":[2],"logp.a":[-1],"tlogp.a":[[-1]]}' '{"prompt":[1],"completion":[2],"logp.b":[-1],"meta":{}}
{"prompt":[1],"completion":[2],"logp.b":[-1],"meta":{}}'
diff_case "log-probs" 'record 0 (ID): logp.x, completion 1: -2.5 and -2.5000999
1 of 1 records differ
' '{"prompt":[1],"completion":[2],"logp.x":[-2.5]}' '{"prompt":[1],"completion":[2],"logp.x":[-2.5000999]}'
ok "within --tolerance" tstream diff --tolerance 1e-4 a.tsz b.tsz
exits 1 "beyond it" tstream diff --tolerance 1e-5 a.tsz b.tsz
tstream export many.tsz | sed 's/"prompt":\[[0-9]*/"prompt":[0/' | tstream import -o other.tsz 2>err
tstream diff --limit 2 many.tsz other.tsz >out
[ "$(grep -c '^record' out)" -eq 2 ] && tail -n 1 out | grep -q '^[0-9]* of [0-9]* records differ$'
ok "--limit" || note "$(cat out)"
exits 4 "text and tokens" sh -c 'echo "{\"prompt\":\"a\",\"completion\":\"b\"}" | tstream import -o a.tsz && exec tstream diff a.tsz many.tsz'
exits 2 "one file" tstream diff many.tsz
head -c 2000 many.tsz >short.tsz
exits 3 "a stream that is cut off" tstream diff many.tsz short.tsz

# ---- the examples of both manuals

mkdir examples && cd examples || exit 1
cp ../many.tsz train.tsz && cp train.tsz a.tsz && cp train.tsz b.tsz
cat >plain.jsonl <<'END'
{"prompt":[1,2],"chosen":[3,4],"rejected":[5]}
{"prompt":[6],"chosen":[7],"rejected":[8,9]}
END
mkdir stand-ins
cat >stand-ins/ref-logp <<'END'
#!/bin/sh
tstream cat -o "$4" "$5" # -m MODEL -o OUT IN
END
cat >stand-ins/parallel <<'END'
#!/bin/sh
while read -r file; do "$1" "$2" "$3" "$4" "scored-$file" "$file"; done
END
chmod +x stand-ins/*
PATH=$PWD/stand-ins:$PATH
run_example() { # SECTION COMMAND's beginning: as the manual has it, runs and succeeds
	sed -n '/^.Sh EXAMPLES/,/^.Sh SEE/p' "$root/man/tstream.$1" |
		sed -n 's/^\.Dl //; s/^[$>] //; s/^\$ //; s/\\e/\\/g; p' >lines
	awk -v want="$2" 'index($0, want) == 1 { on = 1 } on { print } on && !/[|]$/ { exit }' lines >script
	[ -s script ] && . ./script >example.out 2>example.err
	ok "example: $2" || note "$(cat script example.err)"
}
for example in "tstream head train.tsz" "tstream check" "tstream export train.tsz | head -n 1" \
	"tstream import --vocab" "tstream split" "ls part-" "tstream cat -o scored.tsz" "tstream cat -l 6" \
	"tstream export archive.tsz" "tstream diff"; do
	run_example 1 "$example"
done
if command -v jq >/dev/null; then
	run_example 1 "tstream head --json"
	run_example 1 "tstream export train.tsz |"
else
	skip "example: jq" "no jq"
fi
run_example 5 "cat a.tsz"
run_example 5 "gzip -t"
tstream export scored.tsz >../x.out
same ../x.out ../many.jsonl "the parts, scored and joined, are the whole"
sed -n '/^import gzip/,/^\.Ed/p' "$root/man/tstream.5" | sed '$d' >reader.py
ok "example: Python" "$PYTHON" reader.py
head -n 2 out | cut -d "'" -f 2 >x.out
printf '__metadata__\nid\n' >x.want
same x.out x.want "it finds the tensors"
cd ..

# ---- usage

exits 0 "--help" tstream --help
exits 0 "--help of a subcommand" tstream cat --help
exits 0 "--version" tstream -V

finish
