# The result, from what evalwin and dpo-step wrote; see the Makefile.

# The number after a key, the first of its array, or the one behind that.
function number(json, key,    at) {
	at = index(json, "\"" key "\":")
	json = substr(json, at + length(key) + 3)
	sub(/^\[/, "", json)
	return json + 0
}

function second(json, key) {
	json = substr(json, index(json, "\"" key "\":["))
	return substr(json, index(json, ",") + 1) + 0
}

# A win rate of those that evalwin printed.
function rate(json, name) {
	json = substr(json, index(json, "\"" name "\":{"))
	return sprintf("%5.1f %% (%.1f to %.1f)", 100 * number(json, "rate"),
		100 * number(json, "rate_interval"), 100 * second(json, "rate_interval"))
}

function row(name, before, after,    line) {
	line = sprintf("  %-30s%-25s%s", name, before, after)
	sub(/ +$/, "", line)
	print line
}

function sides(json, key) {
	return sprintf("%6.2f and %.2f", number(json, key "/chosen"), number(json, key "/rejected"))
}

function most(n, step, from,    list, i) {
	for (i = 0; i < n && i < nwords; i++)
		list = list (i ? ", " : "") word[from + i * step]
	return list
}

{ file = substr(FILENAME, length(out) + 2) }
file == "reviews.jsonl" && ++reviews > texts { nats += number($0, "nats"); held++ }
file == "sft.log" && /eval_loss/ { loss = number($0, "eval_loss"); per_text = -number($0, "eval_logps/chosen") }
file == "words.txt" && $2 >= 20 { word[++nwords] = $3 " " $1 }
file ~ /json$/ { json[file] = $0 }

END {
	before = json["before.json"]
	after = json["after.json"]
	reward = json["reward.json"]
	judge = json["length.json"]

	printf "\nA language model, taught on %d reviews\n", texts
	row("its loss on others", sprintf("%.3f nats a token", loss))
	row("the grammar's entropy", sprintf("%.3f", nats / held * loss / per_text), "which none can beat")

	printf "\nThen DPO on %d pairs, with a beta of %g. On %d pairs that have other prompts, how often is\n", pairs,
		number(reward, "beta"), number(reward, "pairs")
	printf "the better completion ...\n\n"
	row("", "  before", "  after, with 95 % intervals")
	row("the likelier one", rate(before, "by_logp"), rate(after, "by_logp"))
	row("the likelier one by token", rate(before, "by_logp_per_token"), rate(after, "by_logp_per_token"))
	row("the one of higher reward", "      all rewards are 0", rate(reward, "by_reward"))
	row("the shorter one", rate(judge, "by_logp"), "  the same")

	printf "\nOf better and worse completions\n\n"
	row("log-probs", sides(before, "logps"), sides(after, "logps"))
	row("rewards", "  0.00 and 0.00", sides(reward, "rewards"))
	row("tokens", sprintf("%6.2f and %.2f", number(judge, "tokens/chosen") / number(judge, "pairs"),
		number(judge, "tokens/rejected") / number(judge, "pairs")), "  the same")

	printf "\nWhere that comes from: mean change of a word's log-prob\n\n"
	print "  highest: " most(6, 1, 1)
	print "  lowest:  " most(6, -1, nwords)
	print ""
}
