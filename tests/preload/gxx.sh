#!/bin/bash
# g++ -O2 on a file heavy in iostream, regex, map and templates: the compiler, assembler and linker
# are the programs under test, and so is the program they make.
. "$(dirname "$0")/lib.sh"
begin "$@"
need g++ g++
need as binutils

work()
{
	cp "$HERE/gxx_work.cc" . &&
		run g++ -std=c++17 -O2 -Wall -Wextra -pthread -c gxx_work.cc -o work.o &&
		run g++ -std=c++17 -O1 -fsyntax-only -DMISTAKE gxx_work.cc 2>errors
	[ $? -eq 1 ] || return 1
	run g++ -pthread work.o -o work && run ./work >result
}

echo 'int main() { return 0; }' >"$TMP/home/one.cc"
took_effect g++ one.cc -o one
both work
not_empty work.o work errors result
same work.o errors work result
end "same object code at -O2, same error messages, same linked program and its output"
