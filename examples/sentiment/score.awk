# Scores reviews by the grammar: what it says of each phrase, added up; one a line.
#
#	awk -f score.awk grammar.txt TEXT
#
# TEXT is what tstream export writes of samples.

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

# Single words before a number, such as "superb +2"; what "not ... at all" adds is above.
NR == FNR && !/^#/ {
	n = split($0, part, "|")
	for (i = 1; i <= n; i++)
		if (match(part[i], /[a-z]+ +[-+][0-9]+ *$/) && part[i] !~ /all/) {
			split(substr(part[i], RSTART), found, " ")
			worth[found[1]] = found[2] + 0
		}
}

# A model that has learnt little may write a quotation mark.
NR != FNR {
	if (!match($0, /"completions":\["([^"\\]|\\.)*"\]/))
		exit 1
	print score(substr($0, RSTART + 16, RLENGTH - 18))
}
