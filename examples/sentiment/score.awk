# Scores reviews by the grammar: what it says of each phrase, added up.
#
#	awk -f score.awk grammar.txt TEXT             the mean over completions, and its standard error
#	awk -f score.awk grammar.txt TEXT PAIRS       how often a completion's score is above the chosen one's
#
# TEXT is what tstream export writes of samples, PAIRS what reviews.awk writes.

function score(text,    n, word, i, sum) {
	gsub(/[.,]/, "", text)
	n = split(text, word, " ")
	for (i = 1; i <= n; i++) {
		if (!(word[i] in worth))
			continue
		sum += worth[word[i]]
		if (word[i - 1] == "not" && word[i + 1] == "at" && word[i + 2] == "all")
			sum += worth[word[i]] < 0 ? 2 : -2
	}
	return sum + 0
}

{ file += FNR == 1 }

# Single words before a number, such as "superb +2"; what "not ... at all" adds is above.
file == 1 && !/^#/ {
	n = split($0, part, "|")
	for (i = 1; i <= n; i++)
		if (match(part[i], /[a-z]+ +[-+][0-9]+ *$/) && part[i] !~ /all/) {
			split(substr(part[i], RSTART), found, " ")
			worth[found[1]] = found[2] + 0
		}
}

# A model that has learnt little may write a quotation mark.
file == 2 && match($0, /"completions":\["([^"\\]|\\.)*"\]/) {
	mine[++samples] = score(substr($0, RSTART + 16, RLENGTH - 18))
	sum += mine[samples]
	squares += mine[samples] ^ 2
}

file == 3 && match($0, /"scores":\[-?[0-9]+/) {
	better = substr($0, RSTART + 10, RLENGTH - 10) + 0
	wins += mine[++pairs] > better ? 1 : mine[pairs] == better ? 0.5 : 0
}

END {
	if (!samples || (pairs && pairs != samples))
		exit 1
	if (pairs)
		printf "%.4f\n", wins / pairs
	else
		printf "%.4f %.4f\n", sum / samples, sqrt((squares / samples - (sum / samples) ^ 2) / samples)
}
