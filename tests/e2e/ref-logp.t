#!/bin/sh
# ref-logp: what it adds and what it leaves, refusals, damage, determinism, the real checkpoint, the manual's examples.
. "$(dirname "$0")/../lib.sh"
OMP_WAIT_POLICY=passive # other tests may want the processors too
export OMP_WAIT_POLICY

# ---- two tiny models with random weights, and records of every kind

mkdir gpt2 llama
cat >gpt2/config.json <<'EOF'
{"model_type":"gpt2","vocab_size":50,"n_positions":16,"n_embd":12,"n_layer":2,"n_head":2}
EOF
cat >llama/config.json <<'EOF'
{"model_type":"llama","vocab_size":50,"hidden_size":16,"intermediate_size":20,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2}
EOF
cat >rows.jsonl <<'EOF'
{"prompt":[1,2,3],"chosen":[4,5,6],"rejected":[7,8],"label":[1,0],"cut":[[0,0],[2,3]],"meta":{"from":"here"}}
{"prompt":[9],"chosen":[10],"rejected":[11,12,13,14],"label":[1,0],"cut":[[0,0],[0,0]],"meta":{}}
{"prompt":[],"chosen":[15,16,17],"rejected":[18],"label":[1,0],"cut":[[0,0],[0,0]],"meta":{}}
{"prompt":[20,21],"completions":[[22,23],[24],[],[25,26,27]],"skip":[1,0,0,3],"label":[4,3,2,1],"cut":[[0,0],[0,0],[0,0],[0,1]],"meta":{}}
{"prompt":[30,31,32],"completions":[[33,34]],"label":[0.5],"cut":[[0,0]],"meta":{"n":[1,null]}}
{"prompt":[],"completions":[[49]],"label":[0.5],"cut":[[0,0]],"meta":{}}
EOF
tstream import --vocab 50 -o rows.tsz rows.jsonl
head -n 1 rows.jsonl | tstream import -o first.tsz
for m in gpt2 llama; do
	dpo-step -q --init $m/config.json -o $m.new --loss sft --lr 0 first.tsz && rm -r $m && mv $m.new $m || exit 1
done

cat >check.py <<'EOF'
import json, struct, sys
def single(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]
name, before, after = sys.argv[1:4]
before, after = ([json.loads(line) for line in open(path)] for path in (before, after))
assert len(before) == len(after) > 0
for b, a in zip(before, after):
    logp, tlogp = a.pop("logp." + name), a.pop("tlogp." + name)
    assert a == b, (a, b)
    done = a.get("completions") or [a["chosen"], a["rejected"]]
    skip = a.get("skip", [0] * len(done))
    assert len(done) == len(logp) == len(tlogp)
    for c, s, total, each in zip(done, skip, logp, tlogp):
        assert len(each) == max(0, len(c) - (s or (0 if a["prompt"] else 1)))
        assert all(x < 0 for x in each)
        assert single(total) == single(sum(map(single, each)))
EOF

tstream export rows.tsz >rows.out
for m in gpt2 llama; do
	ok "$m: writes a stream" ref-logp -m $m -o $m.tsz rows.tsz
	is "$(cat err)" "ref-logp: 6 records, 21 tokens, 16 log-probs of ref" "$m: says how much"
	tstream check --full $m.tsz >check.out && tstream export $m.tsz >$m.out && $PYTHON check.py ref rows.out $m.out
	ok "$m: one column more, sums of its tokens, all else as it was" || note "$(head -n 3 $m.out)"
done
cmp -s gpt2.out llama.out
[ $? -eq 1 ]
ok "two models, two columns"

# ---- in and out

ref-logp -m llama <rows.tsz >a.tsz 2>err && cmp a.tsz llama.tsz &&
	tstream cat rows.tsz | ref-logp -q -m llama - | tstream export | cmp - llama.out
ok "standard input, a pipe and '-'"
ref-logp -q -m llama rows.tsz - rows.tsz <rows.tsz | tstream export >got
cat llama.out llama.out llama.out | cmp - got
ok "several files"
ref-logp -q -m llama -u rows.tsz | tstream export | cmp - llama.out &&
	ref-logp -q -m llama -l 9 rows.tsz | tstream export | cmp - llama.out
ok "-u and -l"
ok "-q" ref-logp -q -m llama -o quiet.tsz rows.tsz
[ ! -s out ] && [ ! -s err ]
ok "-q says nothing"
echo old >old.tsz
ref-logp -q -m llama -o old.tsz rows.tsz && cmp old.tsz llama.tsz
ok "-o replaces"
tstream head --json rows.tsz >head.json && tstream import --head head.json </dev/null | ref-logp -q -m llama -o none.tsz &&
	tstream check --full none.tsz | grep -q ' 0 records ' && tstream head none.tsz | grep -q '^columns .* logp.ref'
ok "a stream without records"

# ---- columns

ref-logp -q -m gpt2 --as other-Model_2 llama.tsz | tstream export >two.out && $PYTHON check.py other-Model_2 llama.out two.out
ok "--as adds a second column"
exits 4 "the same column twice is an error" ref-logp -q -m llama -o twice.tsz llama.tsz
says "ref-logp: column 'logp.ref' is there already" "and named"
[ ! -e twice.tsz ]
ok "and nothing is written"
ref-logp -q -m llama --no-tokens rows.tsz | tstream export >sums.out && ! grep -q tlogp sums.out &&
	sed 's/,"tlogp.ref":\[\(\[[^]]*\],*\)*\]//' llama.out | cmp - sums.out
ok "--no-tokens"
for name in '' 'a b' a/b a.b ä 0123456789012345678901234567890123456789; do
	ref-logp -q -m llama --as "$name" rows.tsz >out 2>err
	[ $? -eq 2 ] && grep -q "column name '.*' is not 1 to 39 letters" err || echo "$name"
done >got
[ ! -s got ]
ok "names that cannot be a column's" || note "$(cat got)"

# ---- the header

$PYTHON - llama >want <<'EOF'
import hashlib, json, struct, sys
blob = open(sys.argv[1] + "/model.safetensors", "rb").read()
n, = struct.unpack("<Q", blob[:8])
head = json.loads(blob[8:8 + n])
head.pop("__metadata__")
text = ""
for name, t in sorted(head.items()):
    a, b = t["data_offsets"]
    text += "%s\t%s\t%s\t%s\n" % (name, t["dtype"], ",".join(map(str, t["shape"])),
                                  hashlib.sha256(blob[8 + n + a:8 + n + b]).hexdigest())
print(hashlib.sha256(text.encode()).hexdigest())
EOF
tstream head llama.tsz | sed -n 's/^logp.ref.model.sha256 //p' >got
same got want "the header has the model's digest"
tstream head llama.tsz | grep -q '^logp.ref.numerics *f32 cpu' && tstream head llama.tsz | grep -q '^schema *pref.logps$'
ok "the numerics, and the schema"
tstream head llama.tsz | grep -q "^prov *ref-logp [0-9.]* --model=llama <- [0-9a-f]*, $(cut -c 1-12 want)$"
ok "where it comes from"
ref-logp -q -m ./llama/ --no-prov --as x rows.tsz | tstream head >got && ! grep -q prov got && grep -q '^logp.x.model' got
ok "--no-prov"

# ---- what does not belong together

echo '{"prompt":"a","chosen":"b","rejected":"c"}' | tstream import -o text.tsz
exits 4 "text is refused" ref-logp -m llama -o no.tsz text.tsz
says "ref-logp: the stream holds text; tokenize -m llama makes tokens of it" "and what to do"
cp -r llama tokenized
echo '{}' >tokenized/tokenizer.json
sha=$(sha256sum <tokenized/tokenizer.json | cut -d ' ' -f 1)
sed 's/^{/{"tokenizer.sha256":"'$sha'",/' head.json >good.json
sed 's/^{/{"tokenizer.sha256":"'"$(echo "$sha" | tr 0-9a-f 1-9a-f0)"'",/' head.json >bad.json
for h in good bad; do tstream import --head $h.json -o $h.tsz rows.jsonl; done
ok "the model's own tokenizer" ref-logp -q -m tokenized -o yes.tsz good.tsz
exits 4 "another tokenizer is refused" ref-logp -q -m tokenized -o no.tsz bad.tsz
says "ref-logp: the stream was made with tokenizer" "and named"
ok "--allow-mismatch" ref-logp -q -m tokenized --allow-mismatch -o allowed.tsz bad.tsz
tstream export allowed.tsz | cmp - llama.out
ok "the same log-probs all the same"
ok "a model without a tokenizer is taken on trust" ref-logp -q -m llama -o trust.tsz bad.tsz
ok "a stream that names none as well" ref-logp -q -m tokenized -o trust.tsz rows.tsz
tstream import --vocab 51 -o larger.tsz rows.jsonl
exits 4 "a larger vocabulary is refused" ref-logp -q -m llama -o no.tsz larger.tsz
says "ref-logp: the stream's vocabulary of 51 is larger than the model's of 50" "and named"
ok "--allow-mismatch" ref-logp -q -m llama --allow-mismatch -o allowed.tsz larger.tsz
echo '{"prompt":[1],"chosen":[2],"rejected":[50]}' | tstream import -o beyond.tsz
exits 4 "a token outside the vocabulary" ref-logp -q -m llama --allow-mismatch -o no.tsz beyond.tsz
says "token 50 is outside the model's vocabulary of 50" "and named"
echo '{"prompt":[1,2,3,4,5,6,7,8],"chosen":[1,2,3,4,5,6,7,8],"rejected":[1]}' >long.jsonl
tstream import -o fits.tsz long.jsonl
ok "as long as learned positions go" ref-logp -q -m gpt2 -o yes.tsz fits.tsz
sed 's/"prompt":\[/&9,/' long.jsonl | tstream import -o long.tsz
exits 5 "a sequence longer than they are" ref-logp -q -m gpt2 -o no.tsz long.tsz
id=$(tstream export long.tsz | cut -d '"' -f 4)
says "from $id to $id: a sequence of 17 tokens; the model has 16 positions" "and named"
ok "rotary positions have no end" ref-logp -q -m llama -o yes.tsz long.tsz
[ ! -e no.tsz ]
ok "nothing was written for those refused"

# ---- damage

size=$(wc -c <rows.tsz)
for n in 0 1 64 500 $((size / 2)) $((size - 1)); do
	head -c $n rows.tsz | ref-logp -q -m llama -o cut.tsz 2>err
	[ $? -eq 3 ] && [ ! -e cut.tsz ] || echo $n
	head -c $n rows.tsz | ref-logp -q -m llama 2>err >cut.out
	[ $? -eq 3 ] || echo "$n to standard output"
	tstream check cut.out >check.out 2>&1 && echo "$n looks whole"
done >got
[ ! -s got ]
ok "a pipe that is cut: exit 3, no file, no end" || note "$(cat got)"
{
	head -c 700 rows.tsz | ref-logp -q -m llama 2>err
	echo $? >code
} | ref-logp -q -m gpt2 --as two -o cut.tsz 2>err
[ $? -eq 3 ] && [ "$(cat code)" -eq 3 ] && [ ! -e cut.tsz ]
ok "and so on down the pipe"
$PYTHON - <<'EOF'
b = bytearray(open("rows.tsz", "rb").read())
b[len(b) // 2] ^= 4
open("flip.tsz", "wb").write(b)
EOF
exits 3 "a bit that flipped" ref-logp -q -m llama -o no.tsz flip.tsz
exits 1 "no such stream" ref-logp -q -m llama -o no.tsz nothing.tsz
exits 1 "no such model" ref-logp -q -m nothing -o no.tsz rows.tsz
says "ref-logp: nothing/config.json: No such file or directory" "and named"
cp -r llama broken
head -c 3000 llama/model.safetensors >broken/model.safetensors
exits 3 "a model that is cut off" ref-logp -q -m broken -o no.tsz rows.tsz
says "broken/model.safetensors" "and named"
sed 's/llama/mamba/' llama/config.json >broken/config.json
cp llama/model.safetensors broken
exits 4 "a model of another kind" ref-logp -q -m broken -o no.tsz rows.tsz
says "model_type 'mamba' is not supported" "and named"
sed 's/"hidden_size":16/"hidden_size":32/' llama/config.json >broken/config.json
exits 4 "a config of another size" ref-logp -q -m broken -o no.tsz rows.tsz
says "is [50, 16], the config says [50, 32]" "and named"
cp llama/config.json broken
$PYTHON - <<'EOF'
b = bytearray(open("llama/model.safetensors", "rb").read())
b[-4:] = b"\0\0\xc0\x7f"
open("broken/model.safetensors", "wb").write(b)
EOF
ref-logp -q -m broken -o no.tsz rows.tsz 2>err
code=$?
[ $code -eq 1 ] && grep -qi 'nan\|not finite\|not a number' err
ok "log-probs that are no numbers" || note "exit $code" "$(cat err)"
[ ! -e no.tsz ]
ok "nothing was written for those"
if [ -e /dev/full ]; then
	exits 1 "a full disk" sh -c 'exec ref-logp -q -m llama rows.tsz >/dev/full'
else
	skip "a full disk" "no /dev/full"
fi

# ---- the same bits

$PYTHON - >many.jsonl <<'EOF'
import json, random
r = random.Random(1)
for i in range(120):
    print(json.dumps({k: [r.randrange(50) for _ in range(r.randint(1, 60))] for k in ("prompt", "chosen", "rejected")}))
EOF
tstream import -o many.tsz many.jsonl
ref-logp -q -m llama -@ 1 -o one.tsz many.tsz && ref-logp -q -m llama -@ 2 -o two.tsz many.tsz &&
	ref-logp -q -m llama -@ 5 -o five.tsz many.tsz && cmp one.tsz two.tsz && cmp one.tsz five.tsz
ok "at 1, 2 and 5 threads"
for n in 1 100 1000 100000; do
	ref-logp -q -m llama --batch-tokens $n -o $n.tsz many.tsz && tstream export $n.tsz >$n.out
done
cmp 1.out 100.out && cmp 1.out 1000.out && cmp 1.out 100000.out
ok "log-probs are the same, to the bit, whatever the batch"

# ---- the real checkpoint

real=$root/../shared/data/models/stories260K
if [ -d "$real" ]; then
	cat >golden.py <<'EOF'
import json, sys
golden = [p for p in json.load(open(sys.argv[1]))["pairs"] if p["weights"] == sys.argv[2]]
if len(sys.argv) == 3:
    for p in golden:
        n = p["chosen"]["n_prompt"]
        assert n == p["rejected"]["n_prompt"] and p["chosen"]["ids"][:n] == p["rejected"]["ids"][:n]
        print(json.dumps({"prompt": p["chosen"]["ids"][:n], "chosen": p["chosen"]["ids"][n:],
                          "rejected": p["rejected"]["ids"][n:]}))
    sys.exit()
rows = [json.loads(line) for line in open(sys.argv[3])]
assert len(rows) == len(golden) > 0
worst = 0
for p, r in zip(golden, rows):
    for side, total, each in zip(("chosen", "rejected"), r["logp.ref"], r["tlogp.ref"]):
        want = p[side]["logps"]
        worst = max(worst, abs(total / p[side]["sum_logp"] - 1))
        assert len(each) == len(want) and all(abs(x - y) < 1e-4 for x, y in zip(each, want))
print("# largest relative difference %.1e" % worst)
sys.exit(worst > 1e-5)
EOF
	for kind in float32 bfloat16 float16; do
		case $kind in
		bfloat16) m=$real/bf16 ;;
		float16) m=$real/f16 ;;
		*) m=$real ;;
		esac
		$PYTHON golden.py "$real/golden_logps.json" $kind >golden.jsonl
		if [ ! -s golden.jsonl ]; then
			skip "the real checkpoint in $kind" "no golden values"
			continue
		fi
		tstream import -o golden.tsz golden.jsonl && ref-logp -q -m "$m" golden.tsz | tstream export >golden.out &&
			$PYTHON golden.py "$real/golden_logps.json" $kind golden.out
		ok "the real checkpoint in $kind: every sequence within 1e-5 of float64"
	done
	$PYTHON golden.py "$real/golden_logps.json" float32 | tstream import -o golden.tsz
	ref-logp -q -m "$real" -o a.tsz golden.tsz && ref-logp -q -m "$real/sharded" -o b.tsz golden.tsz &&
		tstream export a.tsz >a.out && tstream export b.tsz | cmp - a.out &&
		[ "$(tstream head a.tsz | grep ^logp.ref)" = "$(tstream head b.tsz | grep ^logp.ref)" ]
	ok "the real checkpoint in shards: the same bits, the same digest"
else
	skip "the real checkpoint" "no ../shared/data"
fi

# ---- the manual

ln -s llama MODEL && ln -s gpt2 policy && cp rows.tsz tokens.tsz && head -n 2 rows.jsonl | tstream import |
	ref-logp -q -m MODEL -o test.tsz
sed -n 's/^\.Dl \$ //p' "$root/man/ref-logp.1" >examples
is "$(wc -l <examples)" 4 "the manual has four examples"
ok "they work" sh -e examples
grep -q 'win rate' out && grep -q '"logp.base":\[.*"logp.tuned":\[' out && tstream export train.tsz | cmp - llama.out
ok "and do what it says" || note "$(cat out)"

finish
