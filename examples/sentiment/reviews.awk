# Writes reviews that a grammar allows, as JSON lines: the same ones by any awk, which is why it brings its
# own random numbers.
#
#	awk -f reviews.awk -v what=texts -v n=N -v seed=S grammar.txt
#
# writes N whole reviews, {"text":..., "nats":...}, where nats is minus the log of the probability with
# which the grammar makes this one: the mean of it, by token, is what a perfect model's loss would be.
#
#	awk -f reviews.awk -v what=pairs -v n=N -v seed=S grammar.txt
#
# writes N preference pairs, {"prompt":..., "chosen":..., "rejected":..., "scores":[...]}: a review's
# opening, no two the same, and two ways to go on, both drawn from the same grammar in the same way. Chosen
# is the one of the larger score; two of equal score are drawn again.

# A line's alternatives, to be drawn from. A line that starts with white space goes on with the name before.
function read_rule(line,    at, i, count, parts, n) {
	if (line !~ /^[ \t]/) {
		at = index(line, ":")
		name = substr(line, 1, at - 1)
		line = substr(line, at + 1)
		choices[name] = 0
	} else {
		sub(/^[ \t]*\|/, "", line)
	}
	count = split(line, parts, "|")
	for (i = 1; i <= count; i++) {
		gsub(/^[ \t]+|[ \t]+$/, "", parts[i])
		n = ++choices[name]
		rule[name, n] = parts[i]
		times[name, parts[i]]++
	}
}

# A number from 1 to count: Lehmer's generator, whose products stay below 2^53 and are exact in a double.
function draw(count) {
	state = state * 48271 % 2147483647
	return int(state / 2147483647 * count) + 1
}

function die(message) {
	print "reviews.awk: " message >"/dev/stderr"
	exit 1
}

# Adds what the name stands for to the globals text, score and nats.
function expand(name,    way, words, count, i) {
	if (!(name in choices))
		die("the grammar has no rule for " name)
	way = rule[name, draw(choices[name])]
	nats += log(choices[name] / times[name, way])
	count = split(way, words, " ")
	for (i = 1; i <= count; i++) {
		if (words[i] ~ /^[A-Z][A-Z]+$/)
			expand(words[i])
		else if (words[i] ~ /^[-+][0-9]+$/)
			score += words[i]
		else
			text = text (words[i] ~ /^[.,]$/ ? "" : " ") words[i]
	}
}

# A fresh expansion. All words have a space before them, the first one too.
function make(name) {
	text = ""
	score = nats = 0
	expand(name)
	return text
}

function write_text() {
	make("REVIEW")
	printf "{\"text\":\"%s\",\"nats\":%.4f}\n", substr(text, 2), nats
}

function write_pair(    prompt, chosen, rejected, best, worst) {
	do
		prompt = substr(make("OPENING"), 2)
	while (prompt in seen)
	seen[prompt] = 1
	do {
		chosen = make("BODY")
		best = score
		rejected = make("BODY")
		worst = score
	} while (best == worst)
	if (best > worst)
		printf "{\"prompt\":\"%s\",\"chosen\":\"%s\",\"rejected\":\"%s\",\"scores\":[%d,%d]}\n",
			prompt, chosen, rejected, best, worst
	else
		printf "{\"prompt\":\"%s\",\"chosen\":\"%s\",\"rejected\":\"%s\",\"scores\":[%d,%d]}\n",
			prompt, rejected, chosen, worst, best
}

/^#/ || !NF { next }
{ read_rule($0) }

END {
	state = seed % 2147483646 + 1
	for (i = 0; i < 20; i++) # seeds that are close begin with numbers that are close
		draw(1)
	for (i = 0; i < n; i++)
		if (what == "pairs")
			write_pair()
		else
			write_text()
}
