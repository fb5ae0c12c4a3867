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
sed 's/.*"scores":\[\(-*[0-9]*\),\(-*[0-9]*\)\]}/\1/' pairs.jsonl >chosen.want
sed 's/.*"scores":\[\(-*[0-9]*\),\(-*[0-9]*\)\]}/\2/' pairs.jsonl >rejected.want
for side in chosen rejected; do
	awk -f "$example/score.awk" "$example/grammar.txt" $side.text >$side.got
	same $side.got $side.want "scores of $side reviews are those with which the grammar made them"
done
echo '{"completions":["It has superb","jokes"]}' >two.text
exits 1 "what holds no completion, or two, has no score" awk -f "$example/score.awk" "$example/grammar.txt" two.text

# ---- the figures

figures() {
	${MAKE:-make} -C "$example" -f figures.mk BIN="$BIN" OUT="$PWD/made" TEXTS=64 PAIRS=48 TESTS=20 SFT="--lr 3e-3 --max-steps 8" \
		DPO="--lr 1e-3 --batch-size 8" FRONTIER="DPO/0.5 DPO/2 IPO/0.2 SFT unlikelihood/0.5 reference" RACE="DPO/0.5 reference" \
		HEAT="0.5 1" "$@" >make.out 2>make.err
}
figures
ok "make" || note "$(tail -n 5 make.err)"
sed -n 's/^\([A-Za-z]*[/.0-9]*\)\.tsz  *20  *\([-0-9.]*\) .*/\1 \2/p' made/figures/frontier.txt >got
cut -d ' ' -f 1 got >rows
printf '%s\n' DPO/0.5 DPO/2 IPO/0.2 SFT unlikelihood/0.5 reference >want
same rows want "the frontier: a row for each policy"
is "$(awk '$1 == "reference" { print $2 + 0 }' got)" 0 "the reference is no way from itself"
is "$(awk '$1 == "DPO/0.5" { print ($2 > 0.01) }' got)" 1 "a policy is"
tstream export made/scored/SFT.tsz | sed 's/.*"score":\([-0-9]*\).*/\1/' >got
tokenize -q --decode -m "$example/model" made/figures/SFT/1.tsz | tstream export >text
awk -f "$example/score.awk" "$example/grammar.txt" text | cmp - got && [ -s got ]
ok "scores are in the streams, each with its sample"
awk 'NR > 1 { n[$2 " " $5]++; if (NF != 5) print } END { for (k in n) print k, n[k] }' FS='\t' made/figures/race.tsv | sort >got
printf '%s 20\n' "DPO 0.5 0.5" "DPO 0.5 1" "reference 0.5" "reference 1" >want
same got want "the race: a verdict for each policy, temperature and prompt"
for chart in 'frontier Score_and_KL DPO IPO unlikelihood reference' 'race Win_rates_by_temperature DPO_0.5 temperature'; do
	set -- $chart
	file=made/figures/$1.svg
	shift
	for word; do
		grep -q ">$(echo "$word" | tr _ ' ')</text>" $file || echo "$file: $word"
	done
done >missing
same missing /dev/null "charts with their words"
figures && ! grep -q evalwin make.out
ok "made again, nothing is"
figures HEAT=1 && grep -q 'by temperature' make.out && ! grep -q -e dpo-step -e --each make.out
ok "... with another setting, what depends on it"
finish
