#!/bin/sh
# bootstrap.sh - from a bare Debian 12 (root or sudo) to a running or a tested stitchmalloc.
set -eu
cd "$(dirname "$0")/.."

usage()
{
	cat <<'END'
usage: sh tools/bootstrap.sh run | test | packages | help

  run       install what the build needs, build build/release, run Python's parser over its own
            library under the allocator and show what the allocator did
  test      the same with warnings as errors, then the quick tests (3 to 12 minutes)
  packages  install what the slow tests, bench/run and .ci/run need besides (servers and their
            clients; none of them is started)
  help      this text

Debian packages are installed with apt-get, by root or with sudo, and only those that are missing.
Nothing is written outside build/ otherwise. Every command may be repeated.
END
}

build_packages='cmake ninja-build gcc g++ libc6-dev libiberty-dev libdw-dev libjansson-dev binutils
	pkg-config python3'
# An example does I/O with it.
example_packages='liburing-dev'
# What reads reports: schema, jeprof, google-pprof.
report_packages='python3-jsonschema libjemalloc-dev google-perftools'
# The scripts of the quick tests name their packages themselves.
quick_packages=$(sed -n 's/^need [^ ]* //p' tests/preload/quick_*.sh tests/hostile/*.sh | sort -u)
ci_packages='clang libzstd-dev'
# bench/run: the harness, and its report.
bench_packages='libbenchmark-dev python3-scipy python3-matplotlib python3-jinja2'

step()
{
	printf '\n== %s\n' "$*"
}

# die WHAT ADVICE
die()
{
	printf '\nbootstrap: FAILED: %s\n  What to do: %s\n' "$1" "$2" >&2
	exit 1
}

check_machine()
{
	step "Checking the machine: x86-64 Linux with 4 KiB pages"
	[ "$(uname -sm)" = "Linux x86_64" ] ||
		die "this is $(uname -sm)" "use an x86-64 Linux; nothing else is supported"
	[ "$(getconf PAGESIZE)" = 4096 ] ||
		die "the page size is $(getconf PAGESIZE)" "use a kernel with 4 KiB pages"
	echo "Linux $(uname -r), $(getconf GNU_LIBC_VERSION), $(nproc) processors"
}

# Print those of the given packages that are not installed.
missing_packages()
{
	for package in "$@"; do
		state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || true
		[ "$state" = installed ] || printf '%s ' "$package"
	done
}

apt()
{
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 \
		-o DPkg::Lock::Timeout=120 "$@"
}

# A server's package must not start the server; a policy of the machine's own is left alone.
policy=/usr/sbin/policy-rc.d
forbid_services()
{
	[ -e $policy ] && return
	trap '$as_root rm -f $policy' EXIT
	# A signal ends dash without that.
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
	$as_root chmod 755 $policy
}

allow_services()
{
	trap - EXIT HUP INT TERM
	[ "$had_policy" = yes ] || $as_root rm -f $policy
}

install_packages()
{
	step "Installing the Debian packages that are missing"
	command -v apt-get >/dev/null ||
		die "apt-get is not here: this is no Debian" \
		    "install the like of: $*; then cmake --preset release (README.md, Building)"
	missing=$(missing_packages "$@")
	if [ -z "$missing" ]; then
		echo "all there: $*"
		return
	fi
	as_root=
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null ||
			die "not root, and sudo is not here" "as root: apt-get install $missing"
		as_root=sudo
	fi
	echo "missing: $missing"
	had_policy=no
	[ -e $policy ] && had_policy=yes
	forbid_services
	ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 || apt update ||
		die "apt-get update failed" "check the network and /etc/apt/sources.list"
	# A 404 means that the lists are older than the mirror: one fresh look, one more try.
	# shellcheck disable=SC2086  # several words
	apt install --no-install-recommends $missing ||
		{ apt update && apt install --no-install-recommends $missing; } ||
		die "apt-get could not install: $missing" "read apt-get's message above"
	allow_services
}

# build [CMAKE ARGUMENT]... -- [BUILD ARGUMENT]...
build()
{
	step "Configuring build/release"
	options=
	while [ "$1" != -- ]; do
		options="$options $1"
		shift
	done
	shift
	# shellcheck disable=SC2086  # several words
	cmake --preset release $options ||
		die "cmake could not configure" \
		    "read its message above; when build/ came from elsewhere, remove it and repeat"
	step "Building build/release"
	cmake --build --preset release "$@" ||
		die "the build failed" \
		    "read the compiler's message above; report it if the sources are unchanged"
}

# Real work for malloc: syntax trees of Python's own library, a few million small objects.
parse_python='
import ast, glob, os
files = sorted(glob.glob(os.path.dirname(os.__file__) + "/*.py"))[:60]
trees = [ast.parse(open(name, encoding="utf-8").read()) for name in files]
print(len(files), "modules,", sum(1 for tree in trees for _ in ast.walk(tree)), "syntax nodes")
'

command_run()
{
	check_machine
	# shellcheck disable=SC2086  # several words
	install_packages $build_packages
	build -- --target stitchmalloc_shared launcher
	export PYTHONMALLOC=malloc PYTHONHASHSEED=0
	step "Python's parser on 60 modules of its own library, on libc's malloc"
	plain=$(/usr/bin/python3 -c "$parse_python") ||
		die "python3 fails on its own" "apt-get install --reinstall python3-minimal"
	echo "$plain"
	step "The same under stitchmalloc: build/release/stitchmalloc run -o stats=1 -- python3 ..."
	ours=$(build/release/stitchmalloc run -o stats=1 -- /usr/bin/python3 -c "$parse_python" \
		2>build/run.stats) || {
		cat build/run.stats
		die "python3 failed under stitchmalloc" "report this with the lines above"
	}
	echo "$ours"
	[ "$plain" = "$ours" ] ||
		die "the answers differ" "report this with the lines above"
	step "What the allocator did: stats=1 prints malloc_stats at exit (build/run.stats)"
	cat build/run.stats
	printf '\nbootstrap run: PASSED: the same answer from both.\n'
	echo "Try your own: build/release/stitchmalloc run -o stats=1 -- PROGRAM ARGUMENTS"
}

command_test()
{
	check_machine
	# shellcheck disable=SC2086  # several words
	install_packages $build_packages $example_packages $report_packages $quick_packages
	start=$(date +%s)
	build -DSTITCH_WERROR=ON -DSTITCH_TESTS=ON --
	step "Running the quick tests: ctest --preset release -LE slow"
	ctest --preset release -LE slow -j "$(nproc)" ||
		die "tests failed (listed above)" \
		    "one test alone: ctest --preset release -R NAME --verbose"
	printf '\nbootstrap test: PASSED: build and quick tests in %s seconds.\n' \
		$(($(date +%s) - start))
}

command_packages()
{
	# shellcheck disable=SC2046  # several words
	install_packages $ci_packages $bench_packages $(sed 's/#.*//' tests/preload/packages.txt)
}

case ${1-} in
run | test | packages) "command_$1" ;;
help | -h | --help) usage ;;
*) usage >&2; exit 2 ;;
esac
