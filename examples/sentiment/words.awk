# For each word of the completions: the mean change of its log-prob from reference to policy, in nats, how
# often it was there, and the word; highest first.
#
#	tstream export test.policy.tsz >test.policy.jsonl
#	awk -f words.awk model/tokenizer.json test.policy.jsonl

# The numbers of an array, or of an array of arrays, in one row.
function numbers(key, into,    list) {
	list = substr($0, index($0, "\"" key "\":[") + length(key) + 3)
	if (substr(list, 1, 2) == "[[")
		list = substr(list, 1, index(list, "]]"))
	else
		list = substr(list, 1, index(list, "]"))
	gsub(/[][]/, "", list)
	return split(list, into, ",")
}

function add_tokens(key,    list, n, i) {
	n = numbers(key, list)
	for (i = 1; i <= n; i++)
		token[++tokens] = list[i]
}

FILENAME == ARGV[1] {
	if (/^      "\\u0120/) {
		split($0, parts, "\"")
		word[substr(parts[3], 3) + 0] = substr(parts[2], 7)
	}
	next
}

{
	tokens = 0
	add_tokens("chosen")
	add_tokens("rejected")
	if (numbers("tlogp.policy", policy) != tokens || numbers("tlogp.ref", reference) != tokens) {
		print "words.awk: not one log-prob a token" >"/dev/stderr"
		exit 1
	}
	for (i = 1; i <= tokens; i++) {
		sum[token[i]] += policy[i] - reference[i]
		count[token[i]]++
	}
}

END {
	for (id in sum)
		if (id in word)
			printf "%.2f\t%d\t%s\n", sum[id] / count[id], count[id], word[id] | "sort -k 1,1nr -k 3"
}
