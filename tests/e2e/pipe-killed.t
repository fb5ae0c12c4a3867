#!/bin/sh
# The END rule: whatever dies in a pipe, the last stage fails and leaves nothing, without pipefail.
. "$(dirname "$0")/../lib.sh"
OMP_WAIT_POLICY=passive
export OMP_WAIT_POLICY

# A stage tells its process id, so that it can be killed.
cat >stage.sh <<'EOT'
echo $$ >pid.$1
shift
exec "$@"
EOT

# run PIPELINE STAGES SIGNAL STAGE: the pipeline reads a FIFO with the first SIZE bytes of INPUT, to which
# nothing more comes; then the stage is killed (none, where it is 0), and the input ends.
run() {
	rm -f fifo pid.* out.tsz
	mkfifo fifo
	sh -c "head -c $SIZE $INPUT; exec sleep 60" >fifo &
	feeder=$!
	sh "$1" 2>pipeline.err &
	pipeline=$!
	while [ "$(cat pid.* 2>/dev/null | wc -l)" -lt "$2" ]; do sleep 0.02; done
	sleep 0.2
	[ "$4" -eq 0 ] || kill -s "$3" "$(cat "pid.$4")"
	sleep 0.1
	kill $feeder
	wait $pipeline 2>/dev/null
	status=$?
}

leaves_nothing() { # NAME
	[ ! -e out.tsz ] && ! ls -a | grep -q tmp
	result $? "$1" || note "$(ls -la)"
}

dies() { # PIPELINE STAGES
	for signal in KILL TERM PIPE; do
		stage=1
		while [ $stage -le "$2" ]; do
			run "$1" "$2" $signal $stage
			[ $status -ne 0 ]
			ok "$1: stage $stage dies of SIG$signal, the last one fails" || note "$(cat pipeline.err)"
			leaves_nothing "$1: stage $stage dies of SIG$signal, nothing is left"
			stage=$((stage + 1))
		done
	done
}

# ---- stages that only copy

$PYTHON - >in.jsonl <<'EOT'
import json, random
random.seed(1)
for i in range(4000):
    print(json.dumps({"prompt": [random.randrange(50000) for _ in range(300)], "completion": [1, 2, 3]}))
EOT
tstream import -o in.tsz in.jsonl || exit 1
cat >copies <<'EOT'
sh stage.sh 1 tstream cat fifo | sh stage.sh 2 tstream cat | sh stage.sh 3 tstream cat -o out.tsz
EOT
INPUT=in.tsz SIZE=1000000
dies copies 3
run copies 3 "" 0
is $status 3 "input that ends early is corrupt to the last stage"
leaves_nothing "and leaves nothing"
is "$(grep -c 'truncated\|has no END' pipeline.err)" 3 "each stage says so"
rm -f fifo && ln -s in.tsz fifo
ok "with all input the same line works" sh copies
ok "and the stream is whole" tstream check --full out.tsz

# Stages that end well, too early.
rm -f out.tsz
for n in 0 1 63 64 200 1000 100000; do
	exits 3 "a head of $n bytes" sh -c "head -c $n in.tsz | tstream cat -o out.tsz"
done
leaves_nothing "nothing is left"
tstream ls in.tsz | awk -F '\t' '$2 == "E" { print $3 }' >at
exits 3 "all but END" sh -c 'head -c "$(cat at)" in.tsz | tstream cat -o out.tsz'
exits 3 "all but END, exported" sh -c 'head -c "$(cat at)" in.tsz | tstream export -o out.jsonl'
[ ! -e out.jsonl ]
ok "leaves nothing"

# ---- the real ones: data to log-probs, with a tiny model whose tokens are bytes

mkdir model.new
cat >model.new/config.json <<'EOT'
{"model_type":"gpt2","vocab_size":256,"n_positions":64,"n_embd":16,"n_layer":2,"n_head":2}
EOT
$PYTHON - >model.new/tokenizer.json <<'EOT'
import json
bytes_ = [chr(b) if 33 <= b < 127 or 161 <= b < 256 and b != 173 else None for b in range(256)]
hidden = iter(range(256, 512))
vocab = {c or chr(next(hidden)): i for i, c in enumerate(bytes_)}
print(json.dumps({
    "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
    "post_processor": None,
    "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
    "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
              "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "vocab": vocab,
              "merges": []}}))
EOT
$PYTHON - >data.jsonl <<'EOT'
import json
for i in range(4000):
    print(json.dumps({"prompt": "Question %d?" % i, "chosen": " Yes, %d." % i, "rejected": " No."}))
EOT
head -n 9 data.jsonl | pref-fmt -q | tokenize -q --eos never -m model.new >few.tsz &&
	dpo-step -q --init model.new/config.json --loss sft --lr 0 -o model few.tsz 2>made.err
ok "a model for it" || note "$(cat made.err)"
cp -n model.new/tokenizer.json model/
cat >programs <<'EOT'
sh stage.sh 1 pref-fmt -q fifo | sh stage.sh 2 tokenize -q --eos never -m model |
	sh stage.sh 3 ref-logp -q -@ 1 -m model -o out.tsz
EOT
INPUT=data.jsonl SIZE=200000
dies programs 3
rm -f fifo && ln -s data.jsonl fifo
ok "with all input the same line works" sh programs
ok "and the stream is whole" tstream check --full out.tsz
is "$(tstream check out.tsz | cut -d ' ' -f 3)" 4000 "with all records"

# The trainer, too, ends without a model where its input does not end.
exits 3 "dpo-step of a stream without END" sh -c 'head -c 20000 out.tsz | dpo-step -q -m model -o trained'
[ ! -e trained ] && ! ls -d trained* >/dev/null 2>&1
ok "leaves nothing"

finish
