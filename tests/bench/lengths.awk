# 64 pairs of random token ids below vocab with dialogue-like lengths: log-normal, prompts of median 122 and
# completions of median 55 tokens, as the oracle draws them. A generator of its own, so that every awk agrees.
function random() {
	state = (state * 1103515245 + 12345) % 2147483648
	return (state + 0.5) / 2147483648
}

function length_of(mean, spread, most,  n) {
	n = int(exp(mean + spread * sqrt(-2 * log(random())) * cos(6.283185307 * random())))
	return n < 4 ? 4 : n > most ? most : n
}

function ids(n,  text, i) {
	for (i = 0; i < n; i++)
		text = text (i ? "," : "") int(random() * vocab)
	return "[" text "]"
}

BEGIN {
	state = 1
	for (record = 0; record < 64; record++)
		print "{\"prompt\":" ids(length_of(4.8, 0.7, 512)) ",\"chosen\":" ids(length_of(4.0, 0.7, 256)) \
			",\"rejected\":" ids(length_of(4.0, 0.7, 256)) "}"
}
