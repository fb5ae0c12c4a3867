#!/bin/sh
# make bench: speed and memory of ref-logp and dpo-step as shares of the machine's measured matrix-product
# peak, and as ratios to the oracle's eager PyTorch; lm-sample's steps as shares of the memory's bandwidth and of
# that peak; the time to a first log-prob; what each optimizer costs; what writing and reading a stream costs; the speed of pref-fmt; and that of the
# tokenizers, with ratios to the Hugging Face library where node finds npm's "tokenizers" (NODE_PATH), all in one run.
# RUNS, STEPS, MODELS, KINDS, SEQUENCES, OPTIMIZERS, MEGABYTES and TOKENIZERS choose less.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
oracle=$here/../../../shared/oracle
threads=${OMP_NUM_THREADS:-$(nproc)}
export OMP_NUM_THREADS="$threads"
# PyTorch of Debian multiplies by libblas.so.3: install libopenblas0-pthread, or it takes minutes a step. An
# OpenBLAS older than the processor takes it for one of 2004.
if grep -q avx512f /proc/cpuinfo; then
	export OPENBLAS_CORETYPE="${OPENBLAS_CORETYPE:-SkylakeX}"
fi
first= tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

field() { # field NAME < one line of JSON: its first number of that name
	sed 's/.*"'"$1"'": *\([0-9.]*\).*/\1/'
}

ratio() {
	awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'
}

compare() { # PROGRAM OURS PEER
	echo "$model batch $batch $dtype, PyTorch as $1: $3"
	echo "$model batch $batch $dtype, $1 to PyTorch: pairs/s" \
		"$(ratio "$(echo "$2" | field pairs_per_second)" "$(echo "$3" | field pairs_per_second)")," \
		"memory $(ratio "$(echo "$2" | field peak_rss_mib)" "$(echo "$3" | field peak_rss_mib)")"
}

echo "# $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $threads threads"
rows=$here/../../../shared/data/prefs/hh-rlhf/harmless-1500.jsonl.gz
if [ -e "$rows" ]; then
	PATH=$BIN:$PATH "$PYTHON" -B "$here/pref-fmt.py" "$rows" \
		"$here/../../../shared/data/templates/llama.cpp/Qwen-Qwen2.5-7B-Instruct.jinja" "${MEGABYTES:-200}"
fi

data=$here/../../../shared/data
if [ -d "$data/tokenizers" ]; then
	"$PYTHON" -B "$here/texts.py" "$data"/prefs/llama-factory/*_demo.json "$data"/prefs/alpaca_eval/*-2b-it.*.gz \
		"$data"/prefs/alpaca_eval/phi-2.*.gz "$rows" > "$tmp/texts.jsonl"
fi
for tokenizer in ${TOKENIZERS-gpt2 llama3 qwen2.5 llama2}; do
	[ -s "$tmp/texts.jsonl" ] || continue
	folder=$data/tokenizers/$tokenizer
	for n in $(printf '1\n%s\n' "$threads" | sort -u); do
		ours=$("$BENCH/encode" "$folder" "$tmp/texts.jsonl" "$n" 5)
		echo "$tokenizer, $n threads: $ours"
		node -e 'require("tokenizers")' 2> "$tmp/err" || continue
		peer=$(RAYON_NUM_THREADS=$n node "$here/encode_peer.js" "$folder" "$tmp/texts.jsonl" 3)
		echo "$tokenizer, $n threads, the library: $peer, ratio $(ratio "${ours%% *}" "${peer%% *}")"
	done
done
for model in ${MODELS-smollm2-135m gpt2}; do
	"$BENCH/init" "$here/configs/$model/config.json" "$tmp/$model"
	vocab=$(field vocab_size < "$here/configs/$model/config.json" | grep '^[0-9]*$')
	awk -v vocab="$vocab" -f "$here/lengths.awk" > "$tmp/pairs.jsonl"
	"$BIN/tstream" import -o "$tmp/pairs.tsz" "$tmp/pairs.jsonl"
	"$BIN/ref-logp" -q -m "$tmp/$model" -o "$tmp/ref.tsz" "$tmp/pairs.tsz"
	[ -e "$tmp/bench.tsz" ] || {
		"$BIN/tstream" cat -o "$tmp/bench.tsz" $(yes "$tmp/ref.tsz" | head -n 50)
		"$BENCH/stream" "$tmp/bench.tsz" "$tmp" 5 | sed "s/^/a stream of tokens and log-probs: /"
	}
	for run in ${RUNS:-4:f32 16:f32 4:bf16 16:bf16}; do
		batch=${run%:*} dtype=${run#*:}
		if ! ours=$("$BENCH/model" "$tmp/$model" "$tmp/ref.tsz" "$batch" "${STEPS:-3}" "$dtype"); then
			echo "$model batch $batch $dtype: not on this processor"
			continue
		fi
		echo "$model batch $batch $dtype: $ours"
		[ -d "$oracle" ] && "$PYTHON" -c 'import torch' 2>/dev/null && [ "$batch" = 4 ] || continue
		theirs=$(echo "$dtype" | sed 's/f/float/')
		peer=$("$PYTHON" -B "$here/forward_peer.py" "$oracle" "$tmp/$model" "$tmp/pairs.jsonl" "$theirs" "$batch" \
			"${STEPS:-3}" "$threads")
		compare ref-logp "$(echo "$ours" | sed 's/"dpo_step".*//')" "$peer"
		peer=$("$PYTHON" -B "$oracle/torch_dpo.py" bench "$tmp/$model" "$tmp/pairs.jsonl" --dtype "$theirs" \
			--batch "$batch" --steps $((${STEPS:-3} + 1)) --threads "$threads" | tail -n 1)
		compare dpo-step "$(echo "$ours" | sed 's/.*"dpo_step"//')" "$peer"
	done
	"$PYTHON" -B "$here/start.py" "$BIN" "$tmp/$model" "$threads" | sed "s/^/$model, start to first log-prob, ms: /"
	for kind in ${KINDS:-f32 bf16 int8 nf4}; do
		"$BENCH/decode" "$tmp/$model" "$kind" ${SEQUENCES:-1 2 4 8 16 32 64} | sed "s/^/$model, lm-sample: /"
	done
	echo "$model, optimizers: moments, bytes a parameter, MiB, ms an update, that as a ratio to the first"
	for each in ${OPTIMIZERS:-adamw:f32 adamw:bf16 adamw:int8 rmsprop:f32 rmsprop:bf16 rmsprop:int8 sgd:f32 sgd:bf16 sgd:int8 \
		lion:f32 lion:bf16 lion:int8 adafactor:f32}; do
		cost=$("$BENCH/optimizer" "$tmp/$model" "$tmp/ref.tsz" 4 10 "${each%:*}" "${each#*:}")
		first=${first:-${cost##* }}
		echo "${each%:*} ${each#*:} $cost $(ratio "${cost##* }" "$first")"
	done
	first=
done
