# lib.sh - what the tests of the tools share: a folder of their own, and how they fail.
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 1
unset LD_PRELOAD STITCH_CONF

fail()
{
	echo "FAIL: $*"
	exit 1
}

# expect STATUS TEXT COMMAND...
expect()
{
	local status=$1 text=$2 output got

	shift 2
	output=$("$@" 2>&1)
	got=$?
	[ $got = "$status" ] || fail "$*: status $got, expected $status: $output"
	case $output in *"$text"*) ;; *) fail "$*: no '$text' in: $output" ;; esac
}
