#!/bin/sh
# examples/sentiment/figures.mk: the paper's figures, much smaller; and what its judge says.
. "$(dirname "$0")/../lib.sh"
unset MAKEFLAGS MAKELEVEL MFLAGS
example=$root/examples/sentiment
OMP_WAIT_POLICY=passive
export OMP_WAIT_POLICY

# ---- the judge's scores are the grammar's

awk -f "$example/reviews.awk" -v what=pairs -v n=300 -v seed=5 "$example/grammar.txt" >pairs.jsonl
for side in chosen rejected; do
	sed 's/.*"'$side'":\("[^"]*"\).*/{"completions":[\1]}/' pairs.jsonl >$side.text
done
sed 's/.*"scores":\[\(-*[0-9]*\),\(-*[0-9]*\)\]}/\1 \2/' pairs.jsonl | awk '{ a += $1; b += $2 } END { printf "%.4f\n%.4f\n", a / NR, b / NR }' >want
for side in chosen rejected; do
	awk -f "$example/score.awk" "$example/grammar.txt" $side.text
done | cut -d ' ' -f 1 >got
same got want "scores of reviews are those with which the grammar made them"
is "$(awk -f "$example/score.awk" "$example/grammar.txt" chosen.text pairs.jsonl)" 0.5000 "the chosen against themselves win half"
is "$(awk -f "$example/score.awk" "$example/grammar.txt" rejected.text pairs.jsonl)" 0.0000 "the rejected never win"

# ---- the figures

${MAKE:-make} -C "$example" -f figures.mk BIN="$BIN" OUT="$PWD/out" TEXTS=64 PAIRS=48 TESTS=20 SFT="--lr 3e-3 --max-steps 8" \
	DPO="--lr 1e-3 --batch-size 8" FRONTIER="sigmoid_0.5 ipo-sum_0.2 sft_0 unlikelihood_0.5" RACE=sigmoid_0.5 HEAT="0.5 1" \
	>make.out 2>make.err
ok "make" || note "$(tail -n 5 make.err)"
awk 'NR > 1 { print $1, NF }' out/figures/frontier.txt >got
printf '%s 4\n' start sigmoid_0.5 ipo-sum_0.2 sft_0 unlikelihood_0.5 >want
same got want "a row for each policy"
is "$(awk '$1 == "start" { print $2 }' out/figures/frontier.txt)" 0.00 "the reference is no way from itself"
is "$(awk '$1 == "sigmoid_0.5" { print ($2 > 0.01) }' out/figures/frontier.txt)" 1 "a policy is"
is "$(awk 'NF && !/policy/ { print $1, $2; bad += $3 < 0 || $3 > 100 } END { print bad + 0 }' out/figures/race.txt | tr '\n' ' ')" \
	"start 0.50 start 1.00 sigmoid_0.5 0.50 sigmoid_0.5 1.00 0 " "wins of each policy at each temperature"
finish
