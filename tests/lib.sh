# For the shell tests, which say TAP. A test starts with
#
#	. "$(dirname "$0")/../lib.sh"
#
# and is then in an empty folder, which is removed when it ends, with the programs of $BIN first in the
# PATH, $root the repository and $PYTHON a Python. It ends with `finish`. What a command under test
# printed is in the files `out` and `err` of that folder.

root=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
: "${BIN:=$root/build/release/bin}" "${PYTHON:=python3}"
PATH=$BIN:$PATH
LC_ALL=C
export PATH LC_ALL PYTHON
tests_run=0 tests_failed=0
tests_folder=$(mktemp -d) && cd "$tests_folder" || exit 1
trap 'cd / && rm -rf "$tests_folder"' EXIT
trap 'exit 1' HUP INT TERM

# note TEXT...: a comment in the output.
note() {
	printf '%s\n' "$*" | sed 's/^/# /'
}

# result STATUS NAME: what the helpers below come to; STATUS is 0 where it went well.
result() {
	tests_run=$((tests_run + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tests_run - $2"
		return 0
	fi
	tests_failed=$((tests_failed + 1))
	echo "not ok $tests_run - $2"
	return 1
}

# ok NAME [COMMAND ARG...]: does the command succeed? Without one: did the command before?
ok() {
	tests_status=$?
	tests_name=$1
	shift
	if [ $# -gt 0 ]; then
		"$@" >out 2>err
		tests_status=$?
		[ $tests_status -eq 0 ] || note "exit $tests_status: $*" "$(head -n 20 err)"
	fi
	result $tests_status "$tests_name"
}

# is GOT WANT NAME: two strings.
is() {
	[ "$1" = "$2" ]
	result $? "$3" || note "got:  $1
want: $2"
}

# same GOT WANT NAME: two files.
same() {
	tests_diff=$(diff -u "$2" "$1" 2>&1)
	result $? "$3" || note "$(printf '%s\n' "$tests_diff" | head -n 40)"
}

# exits CODE NAME COMMAND ARG...: what it prints is in out and err.
exits() {
	tests_want=$1 tests_name=$2
	shift 2
	"$@" >out 2>err
	tests_status=$?
	[ $tests_status -eq "$tests_want" ]
	result $? "$tests_name" || note "exit $tests_status instead of $tests_want: $*" "$(head -n 20 err)"
}

# says TEXT NAME: does the last command's err hold that text?
says() {
	grep -qF -e "$1" err
	result $? "$2" || note "no '$1' in: $(head -n 20 err)"
}

# manual PROGRAM: the manual page has nothing to complain of, and its SYNOPSIS is what --help says.
manual() {
	if ! command -v mandoc >/dev/null; then
		skip "manual of $1" "no mandoc"
		return
	fi
	mandoc -T lint -W warning "$root/man/$1.1" >out
	ok "$1(1) is sound" || note "$(cat out)"
	mandoc -T ascii "$root/man/$1.1" | col -b | sed -n '/^SYNOPSIS/,/^DESCRIPTION/p' |
		sed '1d; $d' | tests_words | grep -vx -e "$1" >synopsis
	"$1" --help | sed -n '/^$/q; s/^usage://; p' | tests_words | grep -vx -e "$1" >usage
	same synopsis usage "its SYNOPSIS is the usage"
}

tests_words() {
	tr -s ' \t\n' '\n' | sed '/^$/d'
}

# skip NAME WHY: a test that cannot be run here.
skip() {
	tests_run=$((tests_run + 1))
	echo "ok $tests_run - $1 # SKIP $2"
}

# skip_all WHY: none of this file can be.
skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}

# finish: says how many tests there were; the last line of every test.
finish() {
	echo "1..$tests_run"
	[ $tests_failed -eq 0 ]
	exit
}
