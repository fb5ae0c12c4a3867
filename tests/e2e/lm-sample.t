#!/bin/sh
# lm-sample: what it writes, from every kind of prompt; that nothing but the options matters; refusals; the real
# checkpoint; the manual's examples.
. "$(dirname "$0")/../lib.sh"
OMP_WAIT_POLICY=passive # other tests may want the processors too
export OMP_WAIT_POLICY

# ---- two tiny models with random weights, and prompts of many lengths

mkdir gpt2 llama
cat >gpt2/config.json <<'EOF'
{"model_type":"gpt2","vocab_size":50,"n_positions":90,"n_embd":12,"n_layer":2,"n_head":2,"initializer_range":0.3,"eos_token_id":null}
EOF
cat >llama/config.json <<'EOF'
{"model_type":"llama","vocab_size":50,"hidden_size":16,"intermediate_size":20,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"max_position_embeddings":100,"initializer_range":0.3,"eos_token_id":[7,9]}
EOF
awk 'BEGIN {
	for (i = 0; i < 23; i++) {
		line = "{\"prompt\":["
		for (l = 0; l <= i * 5 % 81; l++)
			line = line (l ? "," : "") (i * 7 + l * l) % 50
		print line "],\"chosen\":[1],\"rejected\":[2,3],\"meta\":{\"number\":" i ",\"finish\":\"old\"}}"
	}
}' >prompts.jsonl
tstream import --vocab 50 -o prompts.tsz prompts.jsonl
for m in gpt2 llama; do
	head -n 1 prompts.jsonl | tstream import |
		dpo-step -q --init $m/config.json -o $m.new --loss sft --lr 0 && rm -r $m && mv $m.new $m || exit 1
done

cat >check.py <<'EOF'
import json, sys
path, k, most, room, ends = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), eval(sys.argv[5])
near = float(sys.argv[6])
asked = [json.loads(line) for line in open("prompts.jsonl")]
rows = [json.loads(line) for line in open(path)]
assert len(asked) == len(rows)
for i, (a, r) in enumerate(zip(asked, rows)):
    done = r["completions"] if k > 2 else [r["chosen"], r["rejected"]] if k == 2 else r["completions"]
    assert r["prompt"] == a["prompt"] and len(done) == k
    assert r["meta"]["number"] == i and len(r["meta"]["finish"]) == k
    for c, how in zip(done, r["meta"]["finish"]):
        assert not any(t in ends for t in c[:-1])
        if how == "eos":
            assert c[-1] in ends
        else:
            assert how == "length" and c[-1] not in ends
            assert len(c) == min(most, room - len(a["prompt"]))
    for name in "sample", "again":
        assert len(r["logp." + name]) == k
        assert all(abs(x - sum(t)) < 1e-4 for x, t in zip(r["logp." + name], r["tlogp." + name]))
    for s, t in zip(r["logp.sample"], r["logp.again"]):
        assert abs(s - t) <= near * max(1, abs(t)), (s, t)
    for s, t in zip(sum(r["tlogp.sample"], []), sum(r["tlogp.again"], [])):
        assert abs(s - t) <= near * max(1, abs(t)), (s, t)
EOF
check() { # MODEL K MOST ROOM ENDS OPTION...
	m=$1 k=$2 most=$3 room=$4 ends=$5
	shift 5
	lm-sample -m $m $kept -n $k --max-new $most -o out.tsz "$@" prompts.tsz 2>err && tstream check --full out.tsz >check.out &&
		ref-logp -q -m $m $kept --as again out.tsz | tstream export >rows && $PYTHON check.py rows $k $most $room "$ends" $near
	ok "$m $kept, $k completions, $*: prompts as they were, each ended for its reason, log-probs as ref-logp has them" ||
		note "$(cat err)"
}
kept= near=1e-5
check gpt2 1 1 90 '[]'
check gpt2 3 40 90 '[]'
check llama 2 60 100 '[7, 9]'
check llama 5 9 100 '[7, 9]' --temperature 0.3 --top-k 5 --seed 3
check llama 4 30 100 '[7, 9]' --temperature 1.5 --top-p 0.7 --min-p 0.05 --repetition-penalty 1.3
dpo-step -q -m llama --loss sft --lora 3 --lr 0.1 --batch-size 4 --max-steps 4 -o lora.tsz prompts.tsz &&
	dpo-step -q -m llama --loss sft --lora 3 --dora --quantize int8 --lr 0.1 --batch-size 4 --max-steps 4 -o dora.tsz prompts.tsz &&
	dpo-step -q -m llama --loss sft --lr 0.01 --batch-size 4 --max-steps 4 -o whole.tsz prompts.tsz
ok "updates"
for kept in '--apply lora.tsz' '--apply whole.tsz' '--quantize int8 --apply dora.tsz' '--quantize nf4'; do
	check llama 3 50 100 '[7, 9]'
done
near=1e-1 # attention rounds probabilities in one and not in the other, and these weights are large
if ref-logp -q -m llama --dtype bf16 -o half.tsz prompts.tsz 2>err || ! grep -q "does not multiply BF16" err; then
	half=yes
	for kept in '--dtype bf16' '--dtype bf16 --apply lora.tsz' '--dtype bf16 --apply whole.tsz' '--dtype bf16 --quantize nf4'; do
		check llama 3 50 100 '[7, 9]'
	done
	kept='--dtype bf16'
	check gpt2 3 40 90 '[]'
	kept='--dtype bf16 --quantize int8'
	check gpt2 2 40 90 '[]'
	tstream head out.tsz | grep -q '^logp.sample.numerics *bf16 half'
	ok "the header says how"
else
	half=
	skip "--dtype bf16" "this processor has none"
fi
kept= near=1e-5
lm-sample -m llama -n 2 -o out.tsz prompts.tsz 2>err
grep -q '^lm-sample: 0.0 M parameters, 16 sequences at a time; [0-9.]* MiB of memory, and 0.01 for each 64 tokens' err &&
	grep -q '^lm-sample: 23 prompts of [0-9]* tokens; 46 completions: [0-9]* ended with EOS, 0 at a stop, [0-9]* by length$' err
ok "says what it needs and what it did" || note "$(cat err)"

# ---- nothing else matters

lm-sample -q -m llama -n 3 --max-new 50 -o want.tsz -@ 1 --batch 1 prompts.tsz
ok "one sequence at a time, one thread"
lm-sample -q -m llama --apply lora.tsz --quantize nf4 -n 3 --max-new 50 -o want.rounded -@ 1 --batch 1 prompts.tsz &&
	lm-sample -q -m llama --apply lora.tsz --quantize nf4 -n 3 --max-new 50 -o got.rounded -@ 2 --batch 7 prompts.tsz &&
	cmp want.rounded got.rounded && ! cmp -s want.rounded want.tsz
ok "or many, by rounded matrices and an adapter: the same bytes"
for m in ${half:+gpt2 llama}; do
	lm-sample -q -m $m --dtype bf16 -n 3 --max-new 50 -o want.half -@ 1 --batch 1 prompts.tsz &&
		lm-sample -q -m $m --dtype bf16 -n 3 --max-new 50 -o got.half -@ 2 --batch 40 prompts.tsz &&
		cmp want.half got.half && ! cmp -s want.half want.tsz
	ok "$m in BF16, at any number of threads and sequences"
done
for how in '-@ 2 --batch 3' '-@ 1 --batch 8' '-@ 3 --batch 100' '-@ 2 --max-mem 3'; do
	lm-sample -q -m llama -n 3 --max-new 50 $how -o got.tsz prompts.tsz && cmp got.tsz want.tsz
	ok "the same bytes with $how"
done
{
	tail -n 5 prompts.jsonl
	head -n 4 prompts.jsonl
} | tstream import --vocab 50 | lm-sample -q -m llama -n 2 --max-new 50 --batch 4 | tstream export >part
tstream export want.tsz >all
$PYTHON - <<'EOF'
import json
want = {r["id"]: r for r in map(json.loads, open("all"))}
rows = [json.loads(line) for line in open("part")]
assert len(rows) == 9
for r in rows:
    w = want[r["id"]]
    assert [r["chosen"], r["rejected"]] == w["completions"][:2] and r["tlogp.sample"] == w["tlogp.sample"][:2]
EOF
ok "nor does it which prompts come before, or how many completions there are"
lm-sample -q -m llama -n 3 --max-new 50 --seed 1 prompts.tsz | tstream export | cmp -s - all
[ $? -eq 1 ]
ok "another seed, other samples"
lm-sample -q -m llama --temperature 0 --max-new 20 prompts.tsz | tstream export | sed 's/"logp.*//' >greedy &&
	lm-sample -q -m llama --top-k 1 --seed 5 --max-new 20 prompts.tsz | tstream export | sed 's/"logp.*//' | cmp - greedy
ok "the likeliest is the first of top-k"
lm-sample -q -m llama -n 3 --max-new 50 --no-tokens prompts.tsz | tstream export >sums &&
	! grep -q tlogp sums && sed 's/,"tlogp.sample":\[\[.*\]\]//' all | cmp - sums
ok "without log-probs of tokens: the sums alone"

# ---- refusals

exits 2 "no model" lm-sample prompts.tsz
says "-m MODEL is missing" "says so"
for o in '-n 2' '--top-k 3' '--top-p 0.5' '--min-p 0.1' '--seed 1'; do
	exits 2 "no chance, but $o" lm-sample -m llama --temperature 0 $o prompts.tsz
	says "has no effect with --temperature 0" "says so"
done
exits 2 "text has no columns" lm-sample -m llama --jsonl --no-tokens prompts.tsz
exits 2 "an empty stop string" lm-sample -m llama --stop '' prompts.tsz
exits 2 "another tokenizer's lines" lm-sample -m llama --input lines --allow-mismatch prompts.jsonl
exits 1 "text without a tokenizer" lm-sample -m llama --jsonl prompts.tsz
says "llama: neither tokenizer.json" "names it"
exits 1 "a prompt without tokens" sh -c \
	'echo "{\"prompt\":[],\"chosen\":[1],\"rejected\":[2]}" | tstream import | lm-sample -m llama -o no.tsz'
says "is empty" "says so"
exits 5 "a prompt that leaves no room" sh -c 'awk "BEGIN { printf \"{\\\"prompt\\\":[1\"; for (i = 1; i < 90; i++) printf \",2\";
	print \"],\\\"chosen\\\":[1],\\\"rejected\\\":[2]}\" }" | tstream import | lm-sample -m gpt2 -o no.tsz'
says ": a prompt of 90 tokens; the model has 90 positions" "says so"
exits 5 "too little memory" lm-sample -m llama --batch 2000 --max-mem 1 -o no.tsz prompts.tsz
says "MiB of memory are needed, --max-mem allows 1.0" "says so"
exits 4 "a token outside the vocabulary" sh -c \
	'echo "{\"prompt\":[60],\"chosen\":[1],\"rejected\":[2]}" | tstream import | lm-sample -m llama -o no.tsz'
head -c 300 prompts.tsz >cut.tsz
exits 3 "a stream that is cut off" lm-sample -m llama -o no.tsz cut.tsz
[ ! -e no.tsz ]
ok "none of them left a file"
echo '{"eos_token_id":[3,"x"]}' >llama/generation_config.json
exits 3 "an EOS that is none" lm-sample -m llama prompts.tsz
says "llama/generation_config.json: eos_token_id is no token" "says so"
echo '{"eos_token_id":11}' >llama/generation_config.json
check llama 3 60 100 '[11]'
rm llama/generation_config.json

# ---- text, by the real checkpoint

real=$root/../shared/data/models/stories260K
if [ -d "$real" ]; then
	for kind in . bf16 f16 sharded; do
		mkdir story && ln -s "$real/$kind"/* story
		[ -e story/tokenizer.json ] || ln -s "$real/tokenizer.json" "$real/tokenizer_config.json" story
		lm-sample -q -m story --temperature 0 --max-new 200 --input lines --jsonl <<'EOF' >greedy.jsonl

EOF
		ok "$kind: the likeliest story"
		rm -r story
		[ $kind = . ] || [ $kind = sharded ] || continue
		$PYTHON - "$real/golden_logps.json" <<'EOF'
import json, sys
want, [got] = json.load(open(sys.argv[1]))["greedy_200"], map(json.loads, open("greedy.jsonl"))
assert got["prompt"] == "" and got["finish"] == ["length"]
assert got["completions"][0].startswith(want) and len(want) > 400, got
EOF
		ok "$kind: is the golden one"
	done
	cat >rows.jsonl <<'EOF'
{"prompt":"Once upon a time, there was a little"}
{"id":"00000000000000ff","prompt":"Once upon a time, there was a little"}
{"prompt":"The dog said: \"Let's"}
EOF
	lm-sample -q -m "$real" --input jsonl --jsonl -n 4 --max-new 40 --seed 2 rows.jsonl >jsonl.out
	ok "JSON lines"
	sed 's/.*"prompt":"\(.*\)"}$/\1/; s/\\//g' rows.jsonl >rows.txt
	lm-sample -q -m "$real" --input lines --jsonl -n 4 --max-new 40 --seed 2 rows.txt >lines.out && sed 2d jsonl.out >a &&
		sed 2d lines.out | cmp - a
	ok "plain lines: the same"
	if [ "$half" ]; then
		lm-sample -q -m "$real" --input lines --dtype bf16 --temperature 0 -o half.tsz rows.txt &&
			ref-logp -q -m "$real" --dtype bf16 --as half half.tsz | ref-logp -q -m "$real" --as single |
			tstream export >half.out && $PYTHON - <<'EOF'
import json
worst = {}
for r in map(json.loads, open("half.out")):
    for name in "half", "single":
        for s, t in zip(sum(r["tlogp.sample"], []), sum(r["tlogp." + name], [])):
            worst[name] = max(worst.get(name, 0), abs(s - t))
print("#", worst)
raise SystemExit(not (worst["half"] < 0.05 and 0 < worst["single"] < 0.2))
EOF
		ok "the likeliest in BF16: log-probs as ref-logp has them in BF16"
	fi
	sed 's/}$/,"chosen":"a","rejected":"b"}/' rows.jsonl | sed 2d | pref-fmt -q >text.tsz
	lm-sample -q -m "$real" --jsonl -n 4 --max-new 40 --seed 2 text.tsz >text.out && tokenize -q -m "$real" text.tsz |
		lm-sample -q -m "$real" --jsonl -n 4 --max-new 40 --seed 2 >tokens.out
	ok "a stream of text, and of its tokens"
	$PYTHON - <<'EOF'
import json
jsonl, lines, text, tokens = ([json.loads(l) for l in open(f + ".out")] for f in ("jsonl", "lines", "text", "tokens"))
assert len(jsonl) == 3 and len(text) == len(tokens) == 2
assert jsonl[1]["id"] == "00000000000000ff" and jsonl[0]["completions"] != jsonl[1]["completions"]
assert jsonl[0]["id"] == lines[1]["id"]
for row in jsonl + text + tokens:
    assert len(row["completions"]) == len(row["finish"]) == len(row["logp"]) == 4
    assert all(c[0] == " " or not c[0].isalpha() for c in row["completions"] if row["prompt"].endswith("little")), row
assert [r["prompt"] for r in text] == [r["prompt"] for r in tokens] == [jsonl[0]["prompt"], jsonl[2]["prompt"]]
assert [r["completions"] for r in text] == [r["completions"] for r in tokens]
EOF
	ok "completions go on where prompts end; text and its tokens have the same"
	lm-sample -q -m "$real" --input jsonl --jsonl -n 4 --max-new 40 --seed 2 --stop "ily" --stop ". " --batch 3 rows.jsonl >stop.out
	$PYTHON - <<'EOF'
import json
whole, cut = ([json.loads(l) for l in open(f + ".out")] for f in ("jsonl", "stop"))
stops = 0
for w, c in zip(whole, cut):
    for long, short, how in zip(w["completions"], c["completions"], c["finish"]):
        ends = [long.find(s) for s in ("ily", ". ") if s in long]
        assert short == (long[:min(ends)] if ends else long)
        assert (how == "stop") == bool(ends)
        stops += bool(ends)
assert stops > 3
EOF
	ok "stop strings end a text and are left out"
	echo '{"messages":[{"role":"user","content":"Tell me a story."}]}' | lm-sample -q -m "$real" --input jsonl --jsonl --max-new 9 >chat.out &&
		grep -q 'Tell me a story' chat.out && ! grep -q '"prompt":"Tell' chat.out
	ok "messages, by the model's template" || note "$(cat chat.out)"
	exits 1 "a row without a prompt" sh -c 'echo "{\"text\":\"x\"}" | lm-sample -m "$1" --input jsonl' - "$real"
	says "stdin:1: no 'prompt' that is a string or a list of messages" "says so"
	printf 'fine\nb\377d\n' >bad.txt
	exits 3 "a line that is not UTF-8" lm-sample -m "$real" --input lines -o no.tsz bad.txt
	says "bad.txt:2: byte 1 is not UTF-8" "says so"
	awk 'BEGIN { print "short"; for (i = 0; i < 400; i++) printf "Once upon a time "; print "" }' >long.txt
	exits 5 "a line that leaves no room" lm-sample -m "$real" --input lines -o no.tsz long.txt
	says "long.txt:2: a prompt of 1602 tokens; the model has 512 positions" "says where"
	sha=$(sha256sum <"$real/tokenizer.json" | cut -d ' ' -f 1)
	echo '{"format":"tstream","tokenizer.sha256":"'"$(echo "$sha" | tr 0-9a-f 1-9a-f0)"'"}' >bad.json
	tstream import --head bad.json -o bad.tsz prompts.jsonl
	exits 4 "a stream of another tokenizer" lm-sample -m "$real" -o no.tsz bad.tsz
	says "the stream was made with tokenizer" "says so"
	ok "unless it may be" lm-sample -q -m "$real" --allow-mismatch --max-new 2 -o yes.tsz bad.tsz
else
	skip "text, by the real checkpoint" "no ../shared/data"
fi

# ---- the manual

if [ -d "$real" ]; then
	ln -s "$real" MODEL && ln -s "$real" policy && head -n 2 rows.jsonl | sed 's/}$/,"chosen":"a","rejected":"b"}/' | pref-fmt -q |
		tokenize -q -m MODEL >test.tsz
	sed -n 's/^\.Dl \$ //p' "$root/man/lm-sample.1" | sed 's/\\(dq/"/g' >examples
	is "$(wc -l <examples)" 4 "the manual has four examples"
	ok "they work" sh -e examples
	grep -q '^{"id":"[0-9a-f]*","prompt":"Once upon a time","completions":\[", there was a little girl' out &&
		[ "$(grep -o '"finish":\["[a-z]*","[a-z]*","[a-z]*","[a-z]*"\]' answers.jsonl | wc -l)" -eq 2 ] &&
		grep -q 'KL' out && tstream head both.tsz | grep -q '^columns.* logp.ref .*logp.sample'
	ok "and do what it says" || note "$(cat out)"
else
	skip "the manual's examples" "no ../shared/data"
fi

finish
