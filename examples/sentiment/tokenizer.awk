# Writes model/tokenizer.json for a grammar: byte-level BPE of the simplest kind. The tokens are the 256
# bytes, by which any text can be written, then each of the grammar's words with the space before it, then
# <|endoftext|>, which begins and ends every text. There are no merges: by "ignore_merges", as in Llama 3,
# a word that is in the vocabulary is one token, and any other is spelt in bytes.
#
#	awk -f tokenizer.awk grammar.txt >model/tokenizer.json

# A character by which JSON and byte-level BPE write a byte: itself where it can be seen in Latin-1, one
# from U+0100 on where not.
function symbol(byte) {
	if (byte == 34 || byte == 92)
		return sprintf("\\%c", byte)
	if (byte >= 33 && byte <= 126)
		return sprintf("%c", byte)
	return sprintf("\\u%04x", byte >= 161 && byte != 173 ? byte : 256 + hidden++)
}

function token(text) {
	printf "%s\n      \"%s\": %d", count ? "," : "", text, count
	count++
}

/^#/ || !NF { next }

{
	rules = $0
	if (rules ~ /^[A-Z]+:/) {
		names[substr(rules, 1, index(rules, ":") - 1)] = 1
		sub(/^[A-Z]+:/, "", rules)
	}
	gsub(/\|/, " ", rules)
	n = split(rules, words, " ")
	for (i = 1; i <= n; i++)
		if (words[i] ~ /^[A-Za-z]+$/ && !(words[i] in place)) {
			place[words[i]] = ++nwords
			word[nwords] = words[i]
		}
}

END {
	print "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": ["
	last = 256
	for (i = 1; i <= nwords; i++)
		last += !(word[i] in names)
	printf "    {\"id\": %d, \"content\": \"<|endoftext|>\", \"single_word\": false, \"lstrip\": false,\n", last
	print "     \"rstrip\": false, \"normalized\": false, \"special\": true}\n  ],"
	print "  \"normalizer\": null,"
	byte_level = "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true, \"use_regex\": true}"
	print "  \"pre_tokenizer\": " byte_level ","
	print "  \"post_processor\": {"
	print "    \"type\": \"TemplateProcessing\","
	start = "{\"SpecialToken\": {\"id\": \"<|endoftext|>\", \"type_id\": 0}}"
	print "    \"single\": [" start ", {\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}],"
	print "    \"pair\": [" start ", {\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}, {\"Sequence\": {\"id\": \"B\", \"type_id\": 1}}],"
	print "    \"special_tokens\": {\"<|endoftext|>\": {\"id\": \"<|endoftext|>\", \"ids\": [" last "], \"tokens\": [\"<|endoftext|>\"]}}"
	print "  },"
	print "  \"decoder\": " byte_level ","
	print "  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": null,"
	print "    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,\n    \"fuse_unk\": false,"
	print "    \"byte_fallback\": false,\n    \"ignore_merges\": true,"
	printf "    \"vocab\": {"
	for (byte = 0; byte < 256; byte++)
		token(symbol(byte))
	for (i = 1; i <= nwords; i++)
		if (!(word[i] in names))
			token("\\u0120" word[i])
	token("<|endoftext|>")
	print "\n    },\n    \"merges\": []\n  }\n}"
}
