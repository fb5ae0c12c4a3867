# Adds a judge to records as tstream export writes them: the column logp.brevity, which is the higher the
# fewer tokens a completion has. It is as a log-prob must be, not above 0.

function tokens(key,    list) {
	list = substr($0, index($0, "\"" key "\":["))
	list = substr(list, 1, index(list, "]"))
	return gsub(/,/, "", list) + 1
}

{
	column = sprintf(",\"logp.brevity\":[%d,%d]}", -tokens("chosen"), -tokens("rejected"))
	sub(/}$/, column)
	print
}
