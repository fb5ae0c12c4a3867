#!/bin/sh
# Every program: --help, --version, mistakes on the command line; its manual is sound and says the same.
. "$(dirname "$0")/../lib.sh"

# The options that --help lists: letter (or -), long name, argument (or -).
options() {
	"$@" --help | awk '
		/^  (-.,|   ) --[a-z0-9-]+/ {
			n = split(substr($0, 1, 30), word)
			letter = word[1] ~ /,$/ ? substr(word[1], 1, 2) : "-"
			i = letter == "-" ? 1 : 2
			name = substr(word[i], 3)
			if (name != "help" && name != "version")
				print letter, name, i < n ? word[n] : "-"
		}'
}

# Exit 2, nothing on standard output; the message and the usage on standard error.
mistake() { # WHAT MESSAGE COMMAND...
	what=$1 message=$2
	shift 2
	"$@" </dev/null >mistake.out 2>mistake.err
	code=$?
	if [ $code -ne 2 ] || [ -s mistake.out ] || ! head -n 1 mistake.err | grep -q "$message" ||
		! sed -n 2p mistake.err | grep -q '^usage: '; then
		echo "$what: exit $code: $(head -n 1 mistake.err)"
	fi
}

check() { # PROGRAM [SUBCOMMAND]
	"$@" --help >help.out 2>help.err && [ ! -s help.err ] && head -n 1 help.out | grep -q "^usage: $*"
	ok "$*: --help"
	"$@" -h | cmp - help.out
	ok "$*: -h is the same"
	"$@" --version >out 2>err && [ ! -s err ] && grep -q "^$1 (preftools) [0-9][0-9.]*\$" out && [ "$(wc -l <out)" -eq 1 ] &&
		"$@" -V | cmp - out
	ok "$*: --version"
	options "$@" >options
	sed -n '/^$/q; p' help.out >usage.out
	{
		mistake "an unknown option" "^$*: unknown or ambiguous option '--frobnicate'\$" "$@" --frobnicate
		mistake "an unknown letter" "^$*: unknown option '-Z'\$" "$@" -Z
		mistake "an argument to a flag" "^$*: " "$@" --help=yes
		while read -r letter name arg; do
			# In the usage too, by its letter where it has one.
			case $letter,$arg in
			-,-) grep -q -e "\[--$name\]" -e " --$name " usage.out ;;
			-,*) grep -q -e "--$name " usage.out ;;
			-?,-) grep -q "\[-[a-z]*${letter#-}[a-z]*\]" usage.out ;;
			*) grep -q -e "$letter $arg" usage.out ;;
			esac || echo "--$name is not in the usage"
			[ "$arg" = - ] && continue
			mistake "--$name without an argument" "^$*: option '--$name' needs an argument\$" "$@" --$name
			case $arg in
			N | X | MIB | B | P)
				for number in 1e99 nan inf -1e99 '' 3x x ' 1' '1 ' 1,5 99999999999999999999; do
					mistake "--$name '$number'" "^$*: --$name: '$number' is not a \(whole \)*number from [-+0-9.e]* to [-+0-9.e]*\$" \
						"$@" "--$name" "$number"
				done
				;;
			esac
		done <options
		if grep -q ' stored ' options; then
			mistake "-u and -l" "^$*: --stored and --level contradict each other\$" "$@" -u -l 3
		fi
	} >got
	[ ! -s got ]
	ok "$*: mistakes" || note "$(cat got)"
}

for p in "$BIN"/*; do
	p=${p##*/}
	check "$p"
	manual "$p"
	options "$p" | while read -r _ name _; do
		grep -q -e "^\.It .*Fl -$name\( \|\$\)" "$root/man/$p.1" || echo "$name"
	done >got
	[ ! -s got ]
	ok "$p(1) has every option" || note "$(cat got)"
done

# ---- subcommands

subcommands=$(tstream --help | sed -n 's/^.* tstream \([a-z]*\).*$/\1/p' | sort -u)
for s in $subcommands; do
	check tstream "$s"
done
{
	mistake "no subcommand" "^tstream: a subcommand is missing\$" tstream
	mistake "an unknown one" "^tstream: unknown subcommand 'frobnicate'\$" tstream frobnicate
} >got
[ -n "$subcommands" ] && [ ! -s got ]
ok "tstream without a subcommand, or with another" || note "$(cat got)"

# ---- one of several, and what is missing

{
	mistake "a loss" "^dpo-step: --loss: 'nonsense' is none of sigmoid, hinge, " dpo-step --loss nonsense
	mistake "a schedule" "^dpo-step: --schedule: 'Linear' is none of linear, cosine, constant" dpo-step --schedule Linear
	mistake "a dtype" "^ref-logp: --dtype: 'f16' is none of f32, bf16" ref-logp --dtype f16
	mistake "a format" "^pref-fmt: --format: '' is none of " pref-fmt --format ''
	mistake "no model" "^ref-logp: -m MODEL is missing\$" ref-logp
	mistake "no output" "^dpo-step: -o OUT is missing\$" dpo-step -m x
	mistake "no model" "^dpo-step: one of -m MODEL and --init CONFIG is needed\$" dpo-step -o x
	mistake "no model" "^tokenize: -m MODEL is missing\$" tokenize
	mistake "an ambiguous beginning" "^dpo-step: unknown or ambiguous option '--ep'\$" dpo-step --ep 1
} >got
[ ! -s got ]
ok "choices, and what must be there" || note "$(cat got)"

# ---- the other manuals

for page in "$root"/man/*; do
	if command -v mandoc >/dev/null; then
		mandoc -T lint -W warning "$page" >out
		ok "${page##*/} is sound" || note "$(cat out)"
		sed -n 's/^\.Xr \([a-z-]*\) \([157]\).*/\1.\2/p' "$page" | sort -u | while read -r x; do
			case $x in
			cat.1 | gzip.1 | jq.1 | zcat.1 | wc.1 | parallel.1 | split.1 | sort.1 | sh.1 | make.1 | samtools.1) ;;
			*) [ -e "$root/man/$x" ] || echo "$x" ;;
			esac
		done >got
		[ ! -s got ]
		ok "${page##*/} refers to pages that are there" || note "$(cat got)"
	else
		skip "${page##*/}" "no mandoc"
	fi
done

finish
